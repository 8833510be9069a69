//! What scenarios and benchmarks share: a real server process, real clients, a cable between them that can be pulled, and
//! devices that speak the protocol by hand.

pub mod against;
pub mod audio;
pub mod bare_end;
pub mod bench;
pub mod browser;
pub mod cable;
pub mod device;
pub mod embedded;
pub mod eyes;
pub mod film;
pub mod gaps;
pub mod in_a_row;
pub mod load;
pub mod person;
pub mod processes;
pub mod resources;
pub mod server;
pub mod soak;
pub mod talk;
pub mod terminal;
pub mod video;
pub mod wire_tap;
