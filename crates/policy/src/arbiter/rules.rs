//! The rules of a call that need no call: each is a function of what is given.

use carillon_wire::frame::{DeclineReason, EndReason, TakenKind};
use carillon_wire::limits::{MAX_RING, MIN_RING};
use carillon_wire::{CallId, DeviceId, Millis, UnixMillis};

use super::Effect;

/// One of the callee's devices at the moment a call is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CalleeDevice {
    /// Which.
    pub device: DeviceId,
    /// It can be reached, or could until a moment ago.
    pub reachable: bool,
    /// It is in a call that was accepted, and its own line is up: it can show a second caller now.
    pub in_call: bool,
}

/// The devices that a new call rings on. A person in a call is at that device: it alone shows a second caller, on the
/// others nobody would be disturbed but the people around. Without a device in a call that can be reached, all ring: a
/// second caller at the wrong device is better than one that nobody hears of.
pub fn rung_devices(devices: impl IntoIterator<Item = CalleeDevice>) -> Vec<CalleeDevice> {
    let mut devices: Vec<_> = devices.into_iter().collect();
    let shows_it = |one: &CalleeDevice| one.in_call && one.reachable;
    if devices.iter().any(shows_it) {
        devices.retain(shows_it);
    }
    devices
}

/// A call between the same two accounts in the other direction, while it rings or is up: the other half of a glare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Crossing {
    /// Which call.
    pub call: CallId,
    /// It was accepted: the two talk.
    pub up: bool,
}

impl Crossing {
    /// Whether the call `other` is the half that gives way to this one: the lower id goes on, unless the two talk
    /// already.
    pub fn goes_on_before(self, other: CallId) -> bool {
        self.up || self.call < other
    }
}

/// What a call that would be a missed one is, beside the one that crosses it: nobody misses a call from somebody whom
/// they talk to.
pub fn missed_beside(crossing: Option<Crossing>) -> Option<Effect> {
    match crossing {
        None => Some(Effect::Missed),
        Some(Crossing { call, up: false }) => Some(Effect::MissedUnless(call)),
        Some(Crossing { up: true, .. }) => None,
    }
}

/// Until when a call rings: as long as the caller asks for, within [`MIN_RING`] and [`MAX_RING`].
pub fn ring_until(now: UnixMillis, asked: Millis) -> UnixMillis {
    now.after(asked.clamp(MIN_RING, MAX_RING))
}

/// Why a ringing call is over by the clock, if it is. The deadline that passed first counts; a deadline has passed
/// when `now` has reached it.
pub fn due(now: UnixMillis, expires_at: UnixMillis, caller_lost_at: Option<UnixMillis>) -> Option<EndReason> {
    match caller_lost_at {
        Some(lost_at) if lost_at < expires_at && lost_at <= now => Some(EndReason::CallerLost),
        _ if expires_at <= now => Some(EndReason::Expired),
        _ => None,
    }
}

/// What the declines of single devices come to. `answers` has one entry for each device that is or was reachable:
/// `None` for one that has said nothing. `None` as long as one is open: it goes on ringing.
pub fn declines_outcome(answers: impl IntoIterator<Item = Option<DeclineReason>>) -> Option<EndReason> {
    let mut outcome = None;
    for answer in answers {
        match (answer?, outcome) {
            (DeclineReason::Declined, _) | (_, Some(EndReason::Declined)) => {
                outcome = Some(EndReason::Declined);
            }
            (DeclineReason::Busy, _) => outcome = Some(EndReason::Busy),
        }
    }
    outcome
}

/// How an `accept` after the end is answered: as the device was told when it stopped ringing.
pub fn late_accept(device: DeviceId, accepted: Option<DeviceId>, declined_by: Option<DeviceId>) -> TakenKind {
    match (accepted, declined_by) {
        (Some(winner), _) if winner != device => TakenKind::Answered,
        (None, Some(other)) if other != device => TakenKind::Declined,
        _ => TakenKind::Over,
    }
}

/// Whether a ring that ended like this is a missed call for the callee. Not when somebody of theirs declined, nor
/// when their own settings ended it.
pub const fn is_missed(reason: EndReason) -> bool {
    match reason {
        EndReason::Cancelled | EndReason::Expired | EndReason::CallerLost | EndReason::Busy => true,
        EndReason::Declined
        | EndReason::HungUp
        | EndReason::Unavailable
        | EndReason::Security
        | EndReason::NoRoute
        | EndReason::Lost
        | EndReason::Replaced
        | EndReason::Other => false,
    }
}
