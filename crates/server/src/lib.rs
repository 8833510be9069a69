//! The signaling server.

pub mod admin;
pub mod api;
pub mod app;
pub mod challenges;
pub mod clock;
pub mod config;
mod effects;
pub mod picture;
pub mod quotas;
pub mod store;
