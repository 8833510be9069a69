//! An emulated network line, seeded: loss, bursts, delay, jitter, rate and queue, and UDP ports that forward through
//! it.
//!
//! - [`Settings`], [`Change`] and [`Script`]: how bad the line is, from the start and in time;
//! - [`Line`]: one direction, pure: packets in, packets out, time as an argument. The same seed and the same packets
//!   give the same losses, whatever the clock does;
//! - [`Statistics`]: what a line did;
//! - [`Forwarder`]: real UDP ports between the two ends of a call on this machine, with a [`Line`] each way.
//!
//! A packet goes through a line in this order: lost or not (Gilbert–Elliott), copied or not, the queue in front of
//! the bottleneck, the time its bits take at the rate, then delay and jitter.

#![forbid(unsafe_code)]

mod candidate;
mod chance;
mod forwarder;
mod line;
mod loss;
mod script;
mod settings;
mod statistics;
mod units;

pub use forwarder::{End, Forwarder, ForwarderError, ForwarderStatistics, Way};
pub use line::{Fate, Line};
pub use script::{Plan, Script, ScriptError, Step};
pub use settings::{Change, SettingError, Settings};
pub use statistics::{BIN, Bin, DelayHistogram, Statistics};
pub use units::{BitRate, Percent, Span};
