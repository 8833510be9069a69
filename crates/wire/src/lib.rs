//! What travels between a Carillon device and a Carillon server.
//!
//! Three families, all JSON:
//! - [`frame`]: the frames of the socket at `/v1/socket`, which the server reads;
//! - [`payload`]: what devices seal for each other, which the server can't read;
//! - [`rest`]: bodies of the REST part under `/v1/`.
//!
//! `PROTOCOL.md` describes them for somebody who writes a second client; the golden vectors in
//! `crates/wire/vectors/` hold both to account. This crate is pure: no clock, no socket, no randomness.

#![forbid(unsafe_code)]

pub mod bytes;
pub mod code;
pub mod frame;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod id;
pub mod limits;
pub mod payload;
mod redacted;
pub mod rest;
pub mod signed;
pub mod time;

pub use bytes::{Blob, Bytes32, Signature};
pub use code::Code;
pub use id::{AccountId, CallId, DeviceId, Handle, HandleError};
pub use time::{Millis, UnixMillis};

/// The protocol version that this crate speaks.
pub const PROTOCOL: u16 = 1;

/// Every version a server built from this crate serves, lowest first.
pub const PROTOCOLS_SERVED: &[u16] = &[PROTOCOL];
