//! What scenarios and benchmarks share: a real server process, real clients, a cable between them that can be pulled, and
//! devices that speak the protocol by hand.

pub mod audio;
pub mod bench;
pub mod cable;
pub mod device;
pub mod load;
pub mod person;
pub mod server;
pub mod talk;
pub mod wire_tap;
