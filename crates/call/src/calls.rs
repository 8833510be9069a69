//! All calls of one device: who is busy, who waits, who wins when both dial.
//!
//! At most one call is *on*: dialled, ringing in full, being accepted, or up. At most one more *waits*: a second caller,
//! shown as a banner. Besides, calls can be *held* (the other half of a glare, until the own call has come to something)
//! and *silent* (their caller is not in the address book); neither is shown nor takes a place.
//!
//! What a `ring` from account A, device D meets:
//!
//! | on this device | the ring |
//! |---|---|
//! | an own call to A that nobody has accepted | glare: the lower call id goes on. If that is the ring, the own call is cancelled and the ring accepted, with the media dialled with; else the ring is held |
//! | a call with D, placed later than the ring | is old news: ignored |
//! | an accepted call with D, accepted later than the ring was placed | waits: it may be the other half of a glare |
//! | an accepted call with D | D has lost that call: it ends as replaced, and the ring is accepted |
//! | a call from D that is not accepted | takes its place |
//! | nothing | rings in full |
//! | another call | waits; if somebody waits already, it is declined as busy |
//!
//! When the call that is on ends, the one that waits rings in full.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use carillon_wire::frame::EndReason;
use carillon_wire::{AccountId, CallId};

use crate::input::{Input, Network, Ring, Signal, User};
use crate::machine::{Alert, Call, placed_at};
use crate::output::{Command, Output, Role};
use crate::state::State;
use crate::timer::REMEMBERED;
use crate::view::{CallView, MediaOn, Why};

/// Most calls that are not over, most of them silent ones: more is no use to a person, and must not fill the memory.
const MAX_LIVE: usize = 16;
/// Most calls remembered after their end.
const MAX_ENDED: usize = 256;

/// All calls of one device. The head of the crate tells how to drive it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Calls {
    online: bool,
    calls: BTreeMap<CallId, Call>,
    /// Calls that are over, in that order, each with the moment at which it is forgotten. Of one whose end overtook
    /// its ring, this is all there is.
    ended: VecDeque<(Instant, CallId)>,
    outputs: VecDeque<(CallId, Output)>,
}

/// What a ring comes to on this device.
enum Seat {
    /// It comes to the person this loudly.
    Alert(Alert),
    /// It ends this call and is accepted in its place.
    TakeOver(CallId),
    /// It ends this call, which nobody has accepted, and comes to the person like it did.
    InPlaceOf(CallId, Alert),
    /// It is declined: busy.
    Busy,
    /// It is old news.
    Ignored,
}

impl Calls {
    /// No calls, no connection to the server.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what happened to one call. [`Input::Network`] is for [`Calls::handle_network`], which reaches all.
    pub fn handle(&mut self, now: Instant, id: CallId, input: Input) {
        match input {
            Input::User(User::Dial { callee, media, nonce, commitment }) => {
                let online = self.online;
                let call = Call::unplaced(now, id, callee, media, nonce, commitment, online);
                self.dial(now, call);
            }
            Input::User(User::Accept { video }) => self.accept(now, id, video),
            Input::Signal(Signal::Ring(ring)) => self.ring(now, id, ring),
            Input::Signal(signal) if !self.calls.contains_key(&id) => self.unknown(now, id, &signal),
            Input::User(_) | Input::Signal(_) | Input::Transport(_) | Input::Network(_) => {
                self.with(now, id, |call| call.handle(now, input));
            }
        }
        self.settle(now);
    }

    /// Takes in what happened to this machine's network.
    pub fn handle_network(&mut self, now: Instant, network: Network) {
        match network {
            Network::Online => self.online = true,
            Network::Offline => self.online = false,
            Network::AddressChanged | Network::Lost => {}
        }
        for id in self.live_ids() {
            self.with(now, id, |call| call.handle(now, Input::Network(network)));
        }
        self.settle(now);
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        for id in self.live_ids() {
            self.with(now, id, |call| call.handle_timeout(now));
        }
        while let Some((_, id)) = self.ended.pop_front_if(|(at, _)| *at <= now) {
            self.calls.remove(&id);
        }
        self.settle(now);
    }

    /// The next thing to do, and for which call.
    pub fn poll_output(&mut self) -> Option<(CallId, Output)> {
        self.outputs.pop_front()
    }

    /// When [`Calls::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let forget = self.ended.front().map(|(at, _)| *at);
        self.calls.values().filter_map(Call::poll_timeout).chain(forget).min()
    }

    /// One call, also one that is over and still remembered.
    pub fn get(&self, id: CallId) -> Option<&Call> {
        self.calls.get(&id)
    }

    /// Everything a screen that has just been opened needs to show: the calls that are not over.
    pub fn views(&self) -> impl Iterator<Item = CallView> + '_ {
        self.live().filter_map(Call::view)
    }

    fn live(&self) -> impl Iterator<Item = &Call> {
        self.calls.values().filter(|call| call.state().is_live())
    }

    fn live_ids(&self) -> Vec<CallId> {
        self.live().map(Call::id).collect()
    }

    /// The call that is on.
    fn on(&self) -> Option<&Call> {
        self.live().find(|call| call.alert_kind() == Alert::Full)
    }

    /// The second caller.
    fn waiting(&self) -> Option<&Call> {
        self.live().find(|call| call.alert_kind() == Alert::Waiting)
    }

    /// Does something with one call, and takes over what came of it.
    fn with(&mut self, now: Instant, id: CallId, act: impl FnOnce(&mut Call)) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let was_live = call.state().is_live();
        act(call);
        while let Some(output) = call.poll_output() {
            self.outputs.push_back((id, output));
        }
        if was_live && !call.state().is_live() {
            self.ended.push_back((now + REMEMBERED, id));
        }
    }

    fn add(&mut self, now: Instant, call: Call, act: impl FnOnce(&mut Call)) {
        let id = call.id();
        self.calls.insert(id, call);
        self.with(now, id, act);
    }

    fn dial(&mut self, now: Instant, call: Call) {
        let id = call.id();
        if self.calls.contains_key(&id) || self.is_over(id) {
            return;
        }
        let on = self.on().map(Call::id);
        let theirs = self.ring_of(call.account()).filter(|theirs| on.is_none_or(|on| on == *theirs));
        match (theirs, on) {
            // They call this person already: that is the call.
            (Some(theirs), _) => {
                let local = call.local();
                self.add(now, call, |call| call.refuse_dial(now, Why::Glare));
                self.with(now, theirs, |call| call.accept(now, local));
            }
            (None, Some(_)) => self.add(now, call, |call| call.refuse_dial(now, Why::InCall)),
            (None, None) => self.add(now, call, |call| call.place(now)),
        }
    }

    /// A call of this account that nobody has accepted; one that is shown before one that is not.
    fn ring_of(&self, account: AccountId) -> Option<CallId> {
        let mut theirs: Vec<_> =
            self.live().filter(|call| call.account() == account && call.state() == State::Alerting).collect();
        theirs.sort_by_key(|call| match call.alert_kind() {
            Alert::Full => 0,
            Alert::Waiting => 1,
            Alert::Held => 2,
            Alert::Silent => 3,
        });
        theirs.first().map(|call| call.id())
    }

    fn accept(&mut self, now: Instant, id: CallId, video: bool) {
        if self.get(id).is_none_or(|call| call.state() != State::Alerting) {
            return;
        }
        if let Some(other) = self.on().map(Call::id).filter(|other| *other != id) {
            self.with(now, other, |call| call.hang_up(now));
        }
        self.with(now, id, |call| call.handle(now, Input::User(User::Accept { video })));
    }

    fn ring(&mut self, now: Instant, id: CallId, ring: Ring) {
        if let Some(own) = self.calls.get(&id) {
            // Equal ids end both; anything else is a repetition.
            if own.role() == Role::Caller && own.state().is_dialling() {
                self.with(now, id, |call| call.lose_glare(now));
            }
            return;
        }
        if self.is_over(id) {
            return;
        }
        let seat = self.seat(now, id, &ring);
        let silent = ring.silent;
        let call = Call::ring(now, id, ring, self.online);
        match seat {
            Seat::Ignored => {}
            Seat::Busy => self.add(now, call, |call| call.decline_busy(now, silent)),
            Seat::Alert(alert) => self.add(now, call, |call| call.come_in(alert)),
            Seat::InPlaceOf(old, alert) => {
                self.with(now, old, |call| call.replace(now));
                self.add(now, call, |call| call.come_in(alert));
            }
            Seat::TakeOver(old) => {
                let local = self.get(old).map_or(MediaOn::start(false), Call::local);
                self.with(now, old, |call| match call.state().is_dialling() {
                    true => call.lose_glare(now),
                    false => call.replace(now),
                });
                // What was shared was shared with the call before.
                self.add(now, call, |call| call.accept(now, MediaOn { screen: false, ..local }));
            }
        }
    }

    fn seat(&self, now: Instant, id: CallId, ring: &Ring) -> Seat {
        let on = self.on();
        if let Some(own) = on.filter(|own| own.account() == ring.account && own.state().is_dialling()) {
            // Who dials somebody does not wish to keep silent when they call.
            return if id < own.id() { Seat::TakeOver(own.id()) } else { Seat::Alert(Alert::Held) };
        }
        let quiet = |alert| if ring.silent { Alert::Silent } else { alert };
        let same = |call: &&Call| call.account() == ring.account && call.device() == Some(ring.device);
        if let Some(old) = self.live().filter(same).max_by_key(|call| call.began()) {
            let placed_at = placed_at(now, ring.age);
            if placed_at < old.began() {
                return Seat::Ignored;
            }
            return match old.state() {
                State::Connecting | State::Connected | State::Reconnecting
                    if old.accepted_at().is_some_and(|accepted_at| placed_at < accepted_at) =>
                {
                    if self.waiting().is_some() { Seat::Busy } else { Seat::Alert(quiet(Alert::Waiting)) }
                }
                State::Accepting | State::Connecting | State::Connected | State::Reconnecting => {
                    Seat::TakeOver(old.id())
                }
                State::Alerting => Seat::InPlaceOf(old.id(), quiet(old.alert_kind())),
                State::Offering | State::Ringing | State::Ended => Seat::Busy,
            };
        }
        let is_full = on.is_some() && self.waiting().is_some();
        if is_full || self.live().count() >= MAX_LIVE {
            return Seat::Busy;
        }
        Seat::Alert(quiet(if on.is_none() { Alert::Full } else { Alert::Waiting }))
    }

    fn is_over(&self, id: CallId) -> bool {
        self.ended.iter().any(|(_, over)| *over == id)
    }

    /// Something about a call that this device does not know, or knows no longer.
    fn unknown(&mut self, now: Instant, id: CallId, signal: &Signal) {
        match signal {
            Signal::Taken { .. } | Signal::Ended { .. } => {
                if !self.is_over(id) {
                    self.ended.push_back((now + REMEMBERED, id));
                }
            }
            Signal::Accepted { .. } | Signal::BadAnswer => {
                let end = Command::End { reason: EndReason::HungUp };
                self.outputs.push_back((id, Output::Send(end)));
            }
            Signal::Created { .. }
            | Signal::StaleDevices
            | Signal::Refused { .. }
            | Signal::Failed { .. }
            | Signal::Ring(_)
            | Signal::Ringing { .. }
            | Signal::AcceptConfirmed
            | Signal::Payload { .. }
            | Signal::ConfirmChecked { .. } => {}
        }
    }

    #[cfg(test)]
    pub(crate) fn fire(&mut self, now: Instant, id: CallId, timer: crate::Timer) {
        self.with(now, id, |call| call.fire(now, timer));
        self.settle(now);
    }

    /// Forgets what can't make a difference any longer: for the model checker.
    #[cfg(test)]
    pub(crate) fn collapse(&mut self, now: Instant) {
        self.calls.values_mut().for_each(|call| call.collapse(now));
        self.ended.make_contiguous().sort();
    }

    /// Whether a call is over here: ended, or known to be over before it rang.
    #[cfg(test)]
    pub(crate) fn knows_over(&self, id: CallId) -> bool {
        self.is_over(id)
    }

    /// Moves calls up: into the place that has become free, and out of being held.
    fn settle(&mut self, now: Instant) {
        if self.on().is_none()
            && let Some(next) = self.waiting().map(Call::id)
        {
            self.with(now, next, |call| call.alert(Alert::Full));
        }
        let held: Vec<_> =
            self.live().filter(|call| call.alert_kind() == Alert::Held).map(Call::id).collect();
        for id in held {
            let Some(account) = self.get(id).map(Call::account) else { continue };
            match self.on() {
                Some(own) if own.account() == account && own.state().is_dialling() => {}
                // The own call has reached them: theirs is the one that lost.
                Some(own) if own.account() == account => self.with(now, id, |call| call.lose_glare(now)),
                Some(_) if self.waiting().is_some() => {
                    self.with(now, id, |call| call.decline_busy(now, false))
                }
                Some(_) => self.with(now, id, |call| call.alert(Alert::Waiting)),
                None => self.with(now, id, |call| call.alert(Alert::Full)),
            }
        }
        while self.ended.len() > MAX_ENDED {
            if let Some((_, id)) = self.ended.pop_front() {
                self.calls.remove(&id);
            }
        }
    }
}
