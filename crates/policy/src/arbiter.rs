//! The server's side of one call, from `create` to its end (`PROTOCOL.md`, section 6).
//!
//! [`ServerCall`] takes commands in and gives a reply and effects out; it knows no socket, no store and no clock. A
//! server keeps its facts in a database, [restores](ServerCall::restore) the call for a command, and stores what came of
//! it in the same transaction. The model of the call takes it for the other side.

mod rules;

use std::collections::BTreeMap;

use carillon_wire::frame::{DeclineReason, DeclineScope, EndReason, TakenKind};
use carillon_wire::limits::CALLER_GRACE;
use carillon_wire::{CallId, Code, DeviceId, UnixMillis};

pub use rules::{
    CalleeDevice, Crossing, declines_outcome, due, is_missed, late_accept, missed_beside, ring_until,
    rung_devices,
};

/// One call, as the server sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerCall {
    call: CallId,
    caller: DeviceId,
    rung: BTreeMap<DeviceId, Rung>,
    expires_at: UnixMillis,
    /// When the caller's time to come back is over, while its line is lost.
    caller_lost_at: Option<UnixMillis>,
    state: State,
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The callee's devices ring.
    Ringing,
    /// One device has accepted.
    Accepted(DeviceId),
    /// It is over.
    Ended {
        /// Why.
        reason: EndReason,
        /// The device that had accepted, if one had.
        accepted: Option<DeviceId>,
        /// The device that declined for the whole account, if that ended it.
        declined_by: Option<DeviceId>,
    },
}

/// A device of the callee that a call rings on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rung {
    /// The device is, or was at some time during the ring, reachable.
    pub reachable: bool,
    /// It has said `ringing`.
    pub ringing: bool,
    /// It has declined, and why.
    pub declined: Option<DeclineReason>,
}

/// What a device asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// `ringing`
    Ringing,
    /// `accept`; the box travels beside it.
    Accept,
    /// `decline`
    Decline {
        /// Why.
        reason: DeclineReason,
        /// For whom.
        scope: DeclineScope,
    },
    /// `cancel`
    Cancel,
    /// `relay`; the box travels beside it.
    Relay {
        /// The addressee.
        to: DeviceId,
        /// The sender's number.
        seq: u64,
    },
    /// `end`
    End {
        /// Why.
        reason: EndReason,
    },
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// A device sent a frame about it.
    By(DeviceId, Act),
    /// A device of the callee has come within reach.
    Reachable(DeviceId),
    /// The caller's line is lost.
    CallerLost,
    /// The caller has connected again.
    CallerBack,
    /// Settings or a block changed so that the call would now be refused.
    SettingsRefuse,
    /// A device of the callee was removed from the account.
    Revoked(DeviceId),
    /// Time has passed.
    Sweep,
}

/// What the device that sent the frame gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reply {
    /// `done`
    Done,
    /// `accepted`: this device has the call.
    Accepted,
    /// `taken`: this device does not have it.
    Taken(TakenKind),
    /// `error`
    Error(Code),
}

/// What a device is told, through its mailbox. [`carillon_wire::frame::Event`] without boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notice {
    /// `ring`
    Ring,
    /// `ringing`
    Ringing {
        /// Which device.
        device: DeviceId,
    },
    /// `accepted`
    Accepted {
        /// Which device.
        device: DeviceId,
    },
    /// `taken`
    Taken(TakenKind),
    /// `relay`
    Relay {
        /// The sender.
        from: DeviceId,
        /// The sender's number.
        seq: u64,
    },
    /// `ended`
    Ended(EndReason),
}

impl Notice {
    /// Whether this is the last thing that a device hears about a ring.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Taken(_) | Self::Ended(_) => true,
            Self::Ring | Self::Ringing { .. } | Self::Accepted { .. } | Self::Relay { .. } => false,
        }
    }
}

/// What the server has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Put this into a device's mailbox.
    Tell(DeviceId, Notice),
    /// Put the call on the callee's list of missed calls, once for each call id.
    Missed,
    /// Do that as soon as this other call has ended and nobody has accepted it. Until then the two may yet talk, and
    /// when they do, nothing was missed.
    MissedUnless(CallId),
}

/// What becomes of a `create` that the rules allow.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Placed {
    /// It rings.
    Rings(ServerCall, Vec<Effect>),
    /// No device can be reached: `refused{unavailable}`, and a missed call as [`missed_beside`] says.
    Unreachable,
}

impl ServerCall {
    /// Places a call to an account with these devices; it rings on [`rung_devices`].
    ///
    /// Every one of those is told, also one that is away: it finds the `ring` when it comes within reach in time.
    pub fn create(
        call: CallId,
        caller: DeviceId,
        callee: impl IntoIterator<Item = CalleeDevice>,
        expires_at: UnixMillis,
    ) -> Placed {
        let rung: BTreeMap<_, _> = rung_devices(callee)
            .into_iter()
            .filter(|one| one.device != caller)
            .map(|CalleeDevice { device, reachable, .. }| {
                (device, Rung { reachable, ringing: false, declined: None })
            })
            .collect();
        if !rung.values().any(|one| one.reachable) {
            return Placed::Unreachable;
        }
        let effects = rung.keys().map(|&device| Effect::Tell(device, Notice::Ring)).collect();
        let state = State::Ringing;
        Placed::Rings(Self { call, caller, rung, expires_at, caller_lost_at: None, state }, effects)
    }

    /// The call that a store has kept, from what the getters of the same names gave.
    pub const fn restore(
        call: CallId,
        caller: DeviceId,
        rung: BTreeMap<DeviceId, Rung>,
        expires_at: UnixMillis,
        caller_lost_at: Option<UnixMillis>,
        state: State,
    ) -> Self {
        Self { call, caller, rung, expires_at, caller_lost_at, state }
    }

    /// Which call.
    pub const fn call(&self) -> CallId {
        self.call
    }

    /// The device that placed it.
    pub const fn caller(&self) -> DeviceId {
        self.caller
    }

    /// Where it stands. A deadline that has passed shows only after the next [`ServerCall::apply`].
    pub const fn state(&self) -> State {
        self.state
    }

    /// The callee's devices that it rings on, without those that were removed since.
    pub const fn rung(&self) -> &BTreeMap<DeviceId, Rung> {
        &self.rung
    }

    /// The device that has accepted, be the call over or not.
    pub const fn accepted(&self) -> Option<DeviceId> {
        match self.state {
            State::Ringing => None,
            State::Accepted(device) => Some(device),
            State::Ended { accepted, .. } => accepted,
        }
    }

    /// Until when it rings.
    pub const fn expires_at(&self) -> UnixMillis {
        self.expires_at
    }

    /// When the caller's time to come back is over, while its line is lost and the call rings.
    pub const fn caller_lost_at(&self) -> Option<UnixMillis> {
        self.caller_lost_at
    }

    /// When [`Command::Sweep`] has something to do: no later than this.
    pub fn deadline(&self) -> Option<UnixMillis> {
        match self.state {
            State::Ringing => {
                Some(self.caller_lost_at.map_or(self.expires_at, |lost| lost.min(self.expires_at)))
            }
            State::Accepted(_) | State::Ended { .. } => None,
        }
    }

    /// What this call is to one between the same two accounts in the other direction. `None` once it is over, also by
    /// a deadline that nobody has swept yet.
    pub fn crossing(&self, now: UnixMillis) -> Option<Crossing> {
        let up = match self.state {
            State::Ringing => due(now, self.expires_at, self.caller_lost_at).is_none().then_some(false),
            State::Accepted(_) => Some(true),
            State::Ended { .. } => None,
        };
        up.map(|up| Crossing { call: self.call, up })
    }

    /// [`apply_beside`](Self::apply_beside), where no call crosses this one.
    pub fn apply(&mut self, now: UnixMillis, command: Command) -> (Reply, Vec<Effect>) {
        self.apply_beside(now, command, None)
    }

    /// Takes one command. A command that was taken before changes nothing, and gets the same reply unless the call
    /// has moved on in between. Only a relay has its effect each time.
    ///
    /// Deadlines count when they have passed, not when they are swept: whatever the command, they come first.
    /// Commands without an acting device are answered with [`Reply::Done`].
    ///
    /// `crossing` counts only where the call would become a missed one: then it says whether that holds. The half of a
    /// glare that its caller cancels is no news to anybody at the callee: it ends as replaced.
    pub fn apply_beside(
        &mut self,
        now: UnixMillis,
        command: Command,
        crossing: Option<Crossing>,
    ) -> (Reply, Vec<Effect>) {
        let mut effects = Vec::new();
        if self.state == State::Ringing
            && let Some(reason) = due(now, self.expires_at, self.caller_lost_at)
        {
            self.end(reason, None, &mut effects);
        }
        let reply = match command {
            Command::By(device, act) => self.act(device, act, crossing, &mut effects),
            Command::Reachable(device) => {
                if let Some(one) = self.rung.get_mut(&device) {
                    one.reachable = true;
                }
                Reply::Done
            }
            Command::CallerLost => {
                if self.state == State::Ringing && self.caller_lost_at.is_none() {
                    self.caller_lost_at = Some(now.after(CALLER_GRACE));
                }
                Reply::Done
            }
            Command::CallerBack => {
                self.caller_lost_at = None;
                Reply::Done
            }
            Command::SettingsRefuse => {
                if self.state == State::Ringing {
                    self.end(EndReason::Unavailable, None, &mut effects);
                }
                Reply::Done
            }
            Command::Revoked(device) => {
                self.revoked(device, &mut effects);
                Reply::Done
            }
            Command::Sweep => Reply::Done,
        };
        if effects.contains(&Effect::Missed) {
            effects.retain(|effect| *effect != Effect::Missed);
            effects.extend(missed_beside(crossing));
        }
        (reply, effects)
    }

    fn act(
        &mut self,
        device: DeviceId,
        act: Act,
        crossing: Option<Crossing>,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        if device == self.caller {
            return match act {
                Act::Ringing | Act::Accept | Act::Decline { .. } => Reply::Error(Code::CallState),
                Act::Cancel => self.cancel(crossing, effects),
                Act::Relay { to, seq } => self.relay(device, to, seq, effects),
                Act::End { reason } => match self.state {
                    State::Ringing => Reply::Error(Code::CallState),
                    State::Accepted(_) | State::Ended { .. } => self.hang_up(device, reason, effects),
                },
            };
        }
        let Some(one) = self.rung.get_mut(&device) else { return Reply::Error(Code::CallUnknown) };
        // Whoever speaks can be reached.
        one.reachable = true;
        match act {
            Act::Ringing => self.ringing(device, effects),
            Act::Accept => self.accept(device, effects),
            Act::Decline { reason, scope } => self.decline(device, reason, scope, effects),
            Act::Cancel => Reply::Error(Code::CallState),
            Act::Relay { to, seq } => self.relay(device, to, seq, effects),
            Act::End { reason } => match self.state {
                State::Accepted(winner) if winner == device => self.hang_up(device, reason, effects),
                State::Ended { .. } => Reply::Done,
                State::Ringing | State::Accepted(_) => Reply::Error(Code::CallState),
            },
        }
    }

    fn ringing(&mut self, device: DeviceId, effects: &mut Vec<Effect>) -> Reply {
        if let Some(one) = self.rung.get_mut(&device)
            && self.state == State::Ringing
            && !one.ringing
            && one.declined.is_none()
        {
            one.ringing = true;
            effects.push(Effect::Tell(self.caller, Notice::Ringing { device }));
        }
        Reply::Done
    }

    fn accept(&mut self, device: DeviceId, effects: &mut Vec<Effect>) -> Reply {
        let declined = self.rung.get(&device).and_then(|one| one.declined);
        match self.state {
            State::Ringing if declined.is_none() => {
                self.state = State::Accepted(device);
                self.caller_lost_at = None;
                effects.push(Effect::Tell(self.caller, Notice::Accepted { device }));
                self.tell_waiting(device, Notice::Taken(TakenKind::Answered), effects);
                Reply::Accepted
            }
            State::Ringing => Reply::Taken(TakenKind::Over),
            State::Accepted(winner) if winner == device => Reply::Accepted,
            State::Accepted(_) => Reply::Taken(TakenKind::Answered),
            State::Ended { accepted, declined_by, .. } => {
                Reply::Taken(late_accept(device, accepted, declined_by))
            }
        }
    }

    fn decline(
        &mut self,
        device: DeviceId,
        reason: DeclineReason,
        scope: DeclineScope,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        match self.state {
            State::Ringing => {}
            // The one that has the call hangs up with `end`.
            State::Accepted(winner) if winner == device => return Reply::Error(Code::CallState),
            State::Accepted(_) | State::Ended { .. } => return Reply::Done,
        }
        if let Some(one) = self.rung.get_mut(&device) {
            one.declined.get_or_insert(reason);
        }
        match scope {
            DeclineScope::All => self.end(EndReason::Declined, Some(device), effects),
            DeclineScope::Device => self.end_if_all_declined(effects),
        }
        Reply::Done
    }

    fn end_if_all_declined(&mut self, effects: &mut Vec<Effect>) {
        let answers = self.rung.values().filter(|one| one.reachable).map(|one| one.declined);
        if let Some(reason) = declines_outcome(answers) {
            self.end(reason, None, effects);
        }
    }

    /// Those that are left decide. With none left that could be reached it ends as it would have begun: nobody is
    /// there, and a missed call waits. What an accepted call does without its device is for its two ends to find out.
    fn revoked(&mut self, device: DeviceId, effects: &mut Vec<Effect>) {
        if self.state != State::Ringing || self.rung.remove(&device).is_none() {
            return;
        }
        if self.rung.values().any(|one| one.reachable) {
            self.end_if_all_declined(effects);
        } else {
            self.end(EndReason::Unavailable, None, effects);
            effects.push(Effect::Missed);
        }
    }

    /// A relay is passed on each time it is sent; the addressee drops what it has seen.
    fn relay(&mut self, from: DeviceId, to: DeviceId, seq: u64, effects: &mut Vec<Effect>) -> Reply {
        match self.state {
            State::Accepted(winner)
                if (from, to) == (self.caller, winner) || (from, to) == (winner, self.caller) =>
            {
                effects.push(Effect::Tell(to, Notice::Relay { from, seq }));
                Reply::Done
            }
            State::Ringing | State::Accepted(_) | State::Ended { .. } => Reply::Error(Code::CallState),
        }
    }

    /// A `cancel` that comes after the accept ends the call like `end` does: the person gave up, and the other end must
    /// not wait for them.
    fn cancel(&mut self, crossing: Option<Crossing>, effects: &mut Vec<Effect>) -> Reply {
        if self.state != State::Ringing {
            return self.hang_up(self.caller, EndReason::Cancelled, effects);
        }
        if crossing.is_some_and(|crossing| crossing.goes_on_before(self.call)) {
            self.end(EndReason::Replaced, None, effects);
            effects.push(Effect::Missed);
        } else {
            self.end(EndReason::Cancelled, None, effects);
        }
        // The caller knows: it asked for it.
        effects.retain(|effect| !matches!(effect, Effect::Tell(device, _) if *device == self.caller));
        Reply::Done
    }

    /// `end` by one of the two devices in an accepted call.
    fn hang_up(&mut self, by: DeviceId, reason: EndReason, effects: &mut Vec<Effect>) -> Reply {
        match self.state {
            State::Accepted(winner) => {
                let other = if by == winner { self.caller } else { winner };
                self.state = State::Ended { reason, accepted: Some(winner), declined_by: None };
                effects.push(Effect::Tell(other, Notice::Ended(reason)));
            }
            State::Ringing | State::Ended { .. } => {}
        }
        Reply::Done
    }

    /// Ends a ring: the caller is told, and every device of the callee that has not spoken for itself.
    fn end(&mut self, reason: EndReason, declined_by: Option<DeviceId>, effects: &mut Vec<Effect>) {
        self.state = State::Ended { reason, accepted: None, declined_by };
        self.caller_lost_at = None;
        effects.push(Effect::Tell(self.caller, Notice::Ended(reason)));
        match declined_by {
            Some(device) => self.tell_waiting(device, Notice::Taken(TakenKind::Declined), effects),
            None => self.tell_waiting(self.caller, Notice::Ended(reason), effects),
        }
        if is_missed(reason) {
            effects.push(Effect::Missed);
        }
    }

    fn tell_waiting(&self, except: DeviceId, notice: Notice, effects: &mut Vec<Effect>) {
        let waiting = self.rung.iter().filter(|(device, one)| **device != except && one.declined.is_none());
        effects.extend(waiting.map(|(&device, _)| Effect::Tell(device, notice)));
    }
}
