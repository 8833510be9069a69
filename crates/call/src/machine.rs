//! One call, from its first offer or ring to its end.
//!
//! All inputs, by source:
//!
//! - the person ([`User`](crate::User), `machine/user.rs`): `Dial` (makes the call), `Accept`, `Decline`, `HangUp`,
//!   `SetMedia`, `CameraFails`, `Silence`;
//! - signaling ([`Signal`](crate::Signal), `machine/signal.rs`): replies `Created`, `StaleDevices`, `Refused`, `Failed`,
//!   `AcceptConfirmed`, `Taken`; events `Ring` (makes the call), `Ringing`, `Accepted`, `BadAnswer`, `Taken`, `Ended`;
//!   from the other device `Payload` and `ConfirmChecked`;
//! - the peer connection ([`Transport`](crate::Transport), `machine/transport.rs`): `LocalDescription`,
//!   `LocalCandidates`, `IceUp`, `IceDown`, `IceFailed`, `DtlsUp`, `DataOpen`, `Data`, `MaxRate`, `Failed`;
//! - this machine's network ([`Network`](crate::Network), `machine/transport.rs`): `Online`, `Offline`,
//!   `AddressChanged`, `Lost`;
//! - time ([`Timer`], `machine/timeout.rs`);
//! - the device's other calls (`calls.rs`): surfaces, loses a glare, is replaced, is busy.

mod ending;
mod signal;
mod timeout;
mod transport;
mod user;

use std::collections::VecDeque;
use std::time::Instant;

use carillon_wire::frame::Media;
use carillon_wire::limits::{MAILBOX_TTL, MAX_RING};
use carillon_wire::payload::{Description, Payload};
use carillon_wire::{AccountId, Bytes32, CallId, DeviceId};

use crate::input::{Input, Ring};
use crate::output::{Command, Output, PeerCommand, Role, Tone};
use crate::state::State;
use crate::timer::{self, Timer, Timers};
use crate::view::{CallView, Direction, MediaOn, Phase, Why};

/// How loudly a call that nobody has accepted yet comes to the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alert {
    /// It rings and fills the screen. An own call is always this.
    Full,
    /// It is a second caller: a banner and a soft tone.
    Waiting,
    /// It lost against the own call to the same account: kept back until that one has come to something.
    Held,
    /// Its caller is not in the address book: answers on the wire, shows nothing.
    Silent,
}

impl Alert {
    const fn is_shown(self) -> bool {
        match self {
            Self::Full | Self::Waiting => true,
            Self::Held | Self::Silent => false,
        }
    }
}

/// Own candidates as they came, for sending once the callee has accepted, and again after lost messages.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Candidates {
    generation: u32,
    candidates: Vec<String>,
    last: bool,
}

/// What is known of the peer connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Link {
    /// It has been created and not been closed.
    open: bool,
    /// It is making a description for the current generation.
    describing: bool,
    /// The own first description; leaves in the Offer or the Answer.
    description: Option<Description>,
    /// The caller's first description, until it is applied.
    offer: Option<Description>,
    /// What DTLS must show.
    expected: Option<Bytes32>,
    /// What DTLS has shown.
    seen: Option<Bytes32>,
    /// Own candidates of the current generation.
    candidates: Vec<Candidates>,
    data_open: bool,
    path_down: bool,
    /// The current ICE generation.
    generation: u32,
    /// An offer of the current generation is out, and its answer has not come.
    answer_due: bool,
    /// When the path was given up.
    lost_at: Option<Instant>,
    /// ICE restarts that came by the clock since then.
    restarts: usize,
}

/// One call. The head of this file names its inputs, [`State`] its states.
///
/// - made by [`Call::dial`] and [`Call::ring`];
/// - in: [`Call::handle`], [`Call::handle_timeout`]; they never panic, whatever comes in whatever order;
/// - out: [`Call::poll_output`], [`Call::poll_timeout`];
/// - getters: [`Call::state`], [`Call::view`] and others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Call {
    id: CallId,
    role: Role,
    state: State,
    alert: Alert,
    account: AccountId,
    /// The other device: the caller's, or the one that accepted.
    device: Option<DeviceId>,
    media: Media,
    /// The own nonce: a as the caller, b as the callee.
    nonce: Bytes32,
    /// What commits to nonce a; the caller's only.
    commitment: Option<Bytes32>,
    /// The caller's nonce fits its commitment. The caller itself has nothing to check.
    confirmed: bool,
    link: Link,
    /// The own camera, as the Answer says it.
    answer_video: bool,
    local: MediaOn,
    camera_fails: bool,
    local_seq: u64,
    remote: Option<MediaOn>,
    remote_seq: Option<u64>,
    /// When the call was placed.
    began: Instant,
    /// When an incoming one stops ringing.
    ring_over: Instant,
    /// When one device had the call, by what this one knew.
    accepted_at: Option<Instant>,
    connected_at: Option<Instant>,
    /// A device of the callee rings.
    rings_there: bool,
    sounding: bool,
    silenced: bool,
    /// How often the server has said `stale_devices`.
    stale_devices: u8,
    online: bool,
    why: Option<Why>,
    timers: Timers,
    shown: Option<CallView>,
    outputs: VecDeque<Output>,
}

impl Call {
    /// Calls an account. `online`: there is a connection to the server.
    pub fn dial(
        now: Instant,
        id: CallId,
        callee: AccountId,
        media: Media,
        nonce: Bytes32,
        commitment: Bytes32,
        online: bool,
    ) -> Self {
        let mut call = Self::unplaced(now, id, callee, media, nonce, commitment, online);
        call.place(now);
        call
    }

    /// Starts to make the offer.
    pub(crate) fn place(&mut self, now: Instant) {
        self.timers.start(Timer::Offering, now + timer::OFFERING);
        self.open_peer();
        self.link.describing = true;
        self.show();
    }

    /// An own call that has said nothing yet.
    pub(crate) fn unplaced(
        now: Instant,
        id: CallId,
        callee: AccountId,
        media: Media,
        nonce: Bytes32,
        commitment: Bytes32,
        online: bool,
    ) -> Self {
        let call = Self::new(now, id, Role::Caller, callee, media, nonce, online);
        Self { commitment: Some(commitment), confirmed: true, ..call }
    }

    /// An incoming call. It is kept back ([`Alert::Held`]) until [`Call::come_in`] says how loud it is.
    pub fn ring(now: Instant, id: CallId, ring: Ring, online: bool) -> Self {
        let mut call = Self::new(now, id, Role::Callee, ring.account, ring.media, ring.nonce, online);
        call.device = Some(ring.device);
        call.remote = Some(MediaOn::of(ring.media));
        call.link.expected = Some(ring.description.fingerprint);
        call.link.offer = Some(ring.description);
        call.began = placed_at(now, ring.age);
        call.ring_over = now + ring.expires_in.min(MAX_RING).duration();
        call.timers.start(Timer::RingOver, call.ring_over);
        call
    }

    fn new(
        now: Instant,
        id: CallId,
        role: Role,
        account: AccountId,
        media: Media,
        nonce: Bytes32,
        online: bool,
    ) -> Self {
        let (state, alert) = match role {
            Role::Caller => (State::Offering, Alert::Full),
            Role::Callee => (State::Alerting, Alert::Held),
        };
        Self {
            id,
            role,
            state,
            alert,
            account,
            device: None,
            media,
            nonce,
            commitment: None,
            confirmed: false,
            link: Link::default(),
            answer_video: false,
            local: MediaOn::of(media),
            camera_fails: false,
            local_seq: 0,
            remote: None,
            remote_seq: None,
            began: now,
            ring_over: now,
            accepted_at: None,
            connected_at: None,
            rings_there: false,
            sounding: false,
            silenced: false,
            stale_devices: 0,
            online,
            why: None,
            timers: Timers::default(),
            shown: None,
            outputs: VecDeque::new(),
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::User(user) => self.handle_user(now, user),
            Input::Signal(signal) => self.handle_signal(now, signal),
            Input::Transport(transport) => self.handle_transport(now, transport),
            Input::Network(network) => self.handle_network(now, network),
        }
        self.show();
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_due(now) {
            self.timed_out(now, timer);
        }
        self.show();
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Call::handle_timeout`] has something to do. Every live state but `Connected` has such a moment, and a
    /// connected call whose path is down has one.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Which call.
    pub const fn id(&self) -> CallId {
        self.id
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// How loudly it comes to the person.
    pub const fn alert_kind(&self) -> Alert {
        self.alert
    }

    /// Which end this device is.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The other account.
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// The other device: the caller's, or the one that accepted.
    pub const fn device(&self) -> Option<DeviceId> {
        self.device
    }

    /// What this side sends.
    pub const fn local(&self) -> MediaOn {
        self.local
    }

    /// The current ICE generation: 0 at first, one more for each restart.
    pub const fn generation(&self) -> u32 {
        self.link.generation
    }

    /// When the call was placed, by this machine's clock.
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// When one device had it, by what this one knew; `None` before.
    pub const fn accepted_at(&self) -> Option<Instant> {
        self.accepted_at
    }

    /// What a person sees of it; `None` for one that is not shown.
    pub fn view(&self) -> Option<CallView> {
        self.alert.is_shown().then(|| CallView {
            call: self.id,
            account: self.account,
            device: self.device,
            direction: self.direction(),
            media: self.media,
            phase: self.phase(),
            local: self.local,
            camera_fails: self.camera_fails,
            remote: self.remote,
            connected_since: self.connected_at,
            safety_ready: self.connected_at.is_some(),
            online: self.online,
        })
    }

    const fn direction(&self) -> Direction {
        match self.role {
            Role::Caller => Direction::Outgoing,
            Role::Callee => Direction::Incoming,
        }
    }

    fn phase(&self) -> Phase {
        match self.state {
            State::Offering | State::Ringing if self.rings_there => Phase::Ringing,
            State::Offering | State::Ringing => Phase::Calling,
            State::Alerting => Phase::Incoming { waiting: self.alert == Alert::Waiting },
            State::Accepting | State::Connecting => Phase::Connecting,
            State::Connected if self.link.path_down => Phase::Reconnecting,
            State::Connected => Phase::Connected,
            State::Reconnecting => Phase::Reconnecting,
            State::Ended => Phase::Ended(self.why.unwrap_or(Why::Over)),
        }
    }

    fn send(&mut self, command: Command) {
        self.outputs.push_back(Output::Send(command));
    }

    fn peer(&mut self, command: PeerCommand) {
        self.outputs.push_back(Output::Peer(command));
    }

    /// Sends a payload through the server, once the other device is known.
    fn relay(&mut self, payload: Payload) {
        if let Some(to_device) = self.device {
            self.send(Command::Relay { to_device, payload });
        }
    }

    /// Sends a payload over the data channel if that works, else through the server.
    fn send_payload(&mut self, payload: Payload) {
        if self.state == State::Connected && self.link.data_open && !self.link.path_down {
            self.peer(PeerCommand::SendData(payload));
        } else {
            self.relay(payload);
        }
    }

    fn open_peer(&mut self) {
        self.link.open = true;
        self.peer(PeerCommand::Create { role: self.role, media: self.media });
    }

    fn close_peer(&mut self) {
        if std::mem::take(&mut self.link.open) {
            self.peer(PeerCommand::Close);
        }
    }

    fn start_tone(&mut self, tone: Tone) {
        self.stop_tone();
        if !self.silenced {
            self.sounding = true;
            self.outputs.push_back(Output::Ring(tone));
        }
    }

    fn stop_tone(&mut self) {
        if std::mem::take(&mut self.sounding) {
            self.outputs.push_back(Output::Ring(Tone::Stop));
        }
    }

    /// Shows the call if it looks different now.
    fn show(&mut self) {
        let view = self.view();
        if view.is_some() && view != self.shown {
            self.outputs.extend(view.clone().map(Output::Show));
            self.shown = view;
        }
    }
}

/// When a call was placed that has been ringing for `age`. An age beyond what a mailbox keeps is not believed.
pub(crate) fn placed_at(now: Instant, age: carillon_wire::Millis) -> Instant {
    now.checked_sub(age.min(MAILBOX_TTL).duration()).unwrap_or(now)
}

#[cfg(test)]
impl Call {
    /// Of a call that is over, only what can still make a difference: for the model checker.
    pub(crate) fn collapse(&mut self, now: Instant) {
        if self.state == State::Ended {
            let Self { id, role, account, media, nonce, online, .. } = *self;
            let call = Self::new(now, id, role, account, media, nonce, online);
            *self = Self { state: State::Ended, alert: Alert::Full, ..call };
        }
    }
}
