//! The signaling server.

pub mod clock;
pub mod config;
pub mod store;
