//! The signaling server.
//!
//! [`Server::start`] starts one in this process: the program `carillon-server` does nothing else, and so do tests and the
//! app's embedded server.
//!
//! - `net`: the listener, and what a connection may take from others;
//! - [`api`]: REST; `gateway`: the socket; `calls`: what stands between the socket and the store;
//! - [`store`]: what is remembered; [`bus`]: the doorbell; [`sweeper`]: what the clock asks for;
//! - [`admin`]: the operator's commands.

pub mod admin;
pub mod api;
pub mod app;
pub mod bus;
mod calls;
pub mod challenges;
pub mod clock;
pub mod config;
mod effects;
mod gateway;
pub mod metrics;
mod net;
mod operator;
pub mod picture;
pub mod quotas;
mod server;
pub mod store;
pub mod sweeper;
mod turn;

pub use config::{Config, ConfigError};
pub use net::TlsError;
pub use server::{RunningServer, Server, StartError};
