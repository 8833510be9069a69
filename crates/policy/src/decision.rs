//! Whether one account may ring another.

use carillon_wire::rest::CallSettings;

/// What the server knows about a caller and a callee at the moment of the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Facts {
    /// The callee follows the caller.
    pub callee_follows_caller: bool,
    /// The operator has verified the caller.
    pub caller_verified: bool,
    /// The callee blocks the caller.
    pub callee_blocks_caller: bool,
    /// The caller blocks the callee. Somebody whom I block can't be rung by me either: the ring would show that
    /// I am there, and an answer would come from somebody I wished not to hear.
    pub caller_blocks_callee: bool,
}

/// What the rules say about a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It rings.
    Ring,
    /// It goes to the devices; each looks the caller up in its own address book and keeps silent on a miss. The
    /// server never learns which.
    RingIfInAddressBook,
    /// It does not ring. The caller gets `refused{unavailable}`, whatever the reason.
    Refuse(RefuseReason),
}

/// Why a ring was refused. For the callee's list of filtered calls and for counters; it never reaches the caller,
/// and so it has no form on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefuseReason {
    /// One of the two blocks the other.
    Blocked,
    /// The callee has switched calls off.
    CallsOff,
    /// Calls are on, but no box lets this caller through.
    NoBoxApplies,
}

impl RefuseReason {
    /// Whether the callee finds the call on the list of filtered calls. A blocked account leaves no trace there:
    /// that would be a way to reach somebody who has asked not to be reached.
    pub const fn is_filtered(self) -> bool {
        match self {
            Self::Blocked => false,
            Self::CallsOff | Self::NoBoxApplies => true,
        }
    }
}

/// Decides whether a call may ring, by the callee's settings.
///
/// The four boxes are independent: one that applies is enough, and the address book is asked only where no other
/// box lets the caller through. With all boxes off, nobody can call.
pub const fn may_ring(callee: &CallSettings, facts: &Facts) -> Decision {
    if facts.callee_blocks_caller || facts.caller_blocks_callee {
        return Decision::Refuse(RefuseReason::Blocked);
    }
    if !callee.enabled {
        return Decision::Refuse(RefuseReason::CallsOff);
    }
    let applies = callee.everyone
        || (callee.following && facts.callee_follows_caller)
        || (callee.verified && facts.caller_verified);
    if applies {
        Decision::Ring
    } else if callee.address_book {
        Decision::RingIfInAddressBook
    } else {
        Decision::Refuse(RefuseReason::NoBoxApplies)
    }
}
