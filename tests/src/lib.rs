//! What scenarios and benchmarks share: a real server process, and devices that speak the protocol by hand.

pub mod bench;
pub mod device;
pub mod load;
pub mod server;
