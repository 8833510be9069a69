//! The signaling server.

pub mod store;
