//! The states of a call and the questions asked of them.
//!
//! No question has a wildcard arm: a new state makes the compiler ask each of them again.

use crate::output::Role;

/// Where a call stands. `STATES.md` has the picture, drawn from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Outgoing: the offer is being made, sealed and sent; the server has not said yes.
    Offering,
    /// Outgoing: it rings at the other end.
    Ringing,
    /// Incoming: the person has not decided.
    Alerting,
    /// Incoming: the person accepts; the server has not confirmed that this device won.
    Accepting,
    /// One device accepted; ICE, DTLS and the confirmation are coming up.
    Connecting,
    /// Both can be heard.
    Connected,
    /// The path was lost; a new one is looked for.
    Reconnecting,
    /// Over. Absorbs everything.
    Ended,
}

impl State {
    /// Every state, in the order of a call.
    pub const ALL: [Self; 8] = [
        Self::Offering,
        Self::Ringing,
        Self::Alerting,
        Self::Accepting,
        Self::Connecting,
        Self::Connected,
        Self::Reconnecting,
        Self::Ended,
    ];

    /// The call is not over.
    pub const fn is_live(self) -> bool {
        match self {
            Self::Offering
            | Self::Ringing
            | Self::Alerting
            | Self::Accepting
            | Self::Connecting
            | Self::Connected
            | Self::Reconnecting => true,
            Self::Ended => false,
        }
    }

    /// One device of the callee has the call, and both ends know which.
    pub const fn is_accepted(self) -> bool {
        match self {
            Self::Connecting | Self::Connected | Self::Reconnecting => true,
            Self::Offering | Self::Ringing | Self::Alerting | Self::Accepting | Self::Ended => false,
        }
    }

    /// The call was up and is not over: it lives by its media path alone, not by signaling.
    pub const fn is_up(self) -> bool {
        match self {
            Self::Connected | Self::Reconnecting => true,
            Self::Offering
            | Self::Ringing
            | Self::Alerting
            | Self::Accepting
            | Self::Connecting
            | Self::Ended => false,
        }
    }

    /// Dialled here, and nobody has accepted yet: the states in which glare is possible.
    pub const fn is_dialling(self) -> bool {
        match self {
            Self::Offering | Self::Ringing => true,
            Self::Alerting
            | Self::Accepting
            | Self::Connecting
            | Self::Connected
            | Self::Reconnecting
            | Self::Ended => false,
        }
    }

    /// Its name in `STATES.md`; the prefix says which side can be in it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offering => "Out.Offering",
            Self::Ringing => "Out.Ringing",
            Self::Alerting => "In.Alerting",
            Self::Accepting => "In.Accepting",
            Self::Connecting => "Connecting",
            Self::Connected => "Connected",
            Self::Reconnecting => "Reconnecting",
            Self::Ended => "Ended",
        }
    }

    /// The side that can be in it; `None` if both can.
    pub const fn role(self) -> Option<Role> {
        match self {
            Self::Offering | Self::Ringing => Some(Role::Caller),
            Self::Alerting | Self::Accepting => Some(Role::Callee),
            Self::Connecting | Self::Connected | Self::Reconnecting | Self::Ended => None,
        }
    }
}
