//! The rules of Carillon, as functions of their arguments.
//!
//! - [`decision`]: may this account ring that one;
//! - [`presence`]: may it see whether that one is online;
//! - [`rollout`]: may it place calls at all;
//! - [`handle`]: which handles nobody can have, and which look alike;
//! - [`rate`]: what is too often;
//! - [`arbiter`]: the server's side of one call, from `create` to its end.
//!
//! Pure: no clock, no socket, no randomness. Whoever asks brings the facts and the time.

#![forbid(unsafe_code)]

pub mod arbiter;
pub mod decision;
pub mod handle;
pub mod presence;
pub mod rate;
pub mod rollout;
