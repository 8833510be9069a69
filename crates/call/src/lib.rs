//! The call as a pure state machine (`PROTOCOL.md`, sections 6 and 7; `STATES.md` for the picture).
//!
//! No socket, no clock, no randomness, no cryptography: [`Calls`] takes what happened and says what to do.
//!
//! - in: [`Calls::handle`], [`Calls::handle_network`], [`Calls::handle_timeout`];
//! - out: [`Calls::poll_output`], [`Calls::poll_timeout`].
//!
//! After every `handle…` call [`Calls::poll_output`] until it gives `None`; then ask [`Calls::poll_timeout`] and call
//! [`Calls::handle_timeout`] when that moment has come. Moments never go backwards.
//!
//! [`Call`] is one call; [`Calls`] are all of one device: who is busy, who waits, who wins when both dial.

#![forbid(unsafe_code)]
#![deny(clippy::wildcard_enum_match_arm)]

mod calls;
mod input;
mod machine;
mod output;
mod state;
#[cfg(test)]
mod tests;
pub mod timer;
mod view;

pub use calls::Calls;
pub use input::{Input, Network, Ring, Signal, Transport, User};
pub use machine::{Alert, Call};
pub use output::{Command, Outcome, Output, PeerCommand, Record, Role, Tone};
pub use state::State;
pub use timer::Timer;
pub use view::{CallView, Direction, MediaOn, Phase, Side, Why};
