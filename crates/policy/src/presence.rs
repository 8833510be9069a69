//! Whether one account may see another's presence.

use carillon_wire::rest::CallSettings;

use crate::decision::{Decision, Facts, may_ring};

/// Whether the watcher, as a caller, may see whether the watched account is online.
///
/// Only where a call would ring without the address book being asked: an account that has to be looked up first
/// would otherwise learn from the presence alone that calls are switched on.
pub const fn visible(watched: &CallSettings, facts: &Facts) -> bool {
    matches!(may_ring(watched, facts), Decision::Ring)
}
