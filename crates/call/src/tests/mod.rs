//! Tests that need the inside of the machine, and what they share.

mod connected;
mod connecting;
mod device;
mod glare;
mod incoming;
mod model;
mod outgoing;
mod properties;
mod states;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use carillon_wire::frame::Media;
use carillon_wire::payload::{Description, Payload};
use carillon_wire::{AccountId, Bytes32, CallId, DeviceId, Millis};

use crate::{
    CallView, Calls, Command, Input, Network, Output, PeerCommand, Phase, Record, Ring, Role, Signal, State,
    Tone, Transport, User,
};

/// Some moment; every other one is counted from it.
pub(crate) static START: LazyLock<Instant> = LazyLock::new(|| {
    #[expect(clippy::disallowed_methods, reason = "an Instant has no other constructor; it is read once")]
    let now = Instant::now();
    // Far enough from the clock's own start for ages to be taken off.
    now + Duration::from_secs(3600)
});

pub(crate) const fn call(number: u8) -> CallId {
    CallId::new([number; 16])
}

pub(crate) const fn account(name: char) -> AccountId {
    AccountId::new([name as u8; 16])
}

/// Device `number` of an account.
pub(crate) const fn device(name: char, number: u8) -> DeviceId {
    let mut bytes = [name as u8; 16];
    bytes[15] = number;
    DeviceId::new(bytes)
}

pub(crate) const fn fingerprint(of: DeviceId) -> Bytes32 {
    let id = *of.as_bytes();
    let mut bytes = [0; 32];
    bytes[0] = id[0];
    bytes[1] = id[15];
    carillon_wire::bytes::Fixed(bytes)
}

pub(crate) fn description(of: DeviceId) -> Description {
    Description { sdp: String::new(), fingerprint: fingerprint(of) }
}

pub(crate) fn nonce(number: u8) -> Bytes32 {
    [number; 32].into()
}

/// The own device in tests of one.
pub(crate) const ME: DeviceId = device('m', 1);
/// The device at the other end.
pub(crate) const ADA: DeviceId = device('a', 1);

pub(crate) fn dial(callee: char, media: Media) -> Input {
    let (nonce, commitment) = (nonce(1), nonce(2));
    Input::User(User::Dial { callee: account(callee), media, nonce, commitment })
}

/// Device 1 of this account rings with sound and pictures, for 60 s, since this moment.
pub(crate) fn ring(caller: char) -> Ring {
    Ring {
        account: account(caller),
        device: device(caller, 1),
        media: Media::Video,
        description: description(device(caller, 1)),
        age: Millis(0),
        expires_in: Millis::from_secs(60),
        nonce: nonce(3),
        silent: false,
    }
}

pub(crate) fn accepted(by: DeviceId) -> Signal {
    Signal::Accepted { device: by, description: description(by), video: true }
}

pub(crate) fn described(generation: u32) -> Transport {
    Transport::LocalDescription { generation, description: description(ME) }
}

pub(crate) fn candidate(generation: u32) -> Transport {
    Transport::LocalCandidates { generation, candidates: vec!["candidate:1".into()], last: false }
}

pub(crate) const fn dtls(of: DeviceId) -> Transport {
    Transport::DtlsUp { fingerprint: fingerprint(of) }
}

pub(crate) fn relayed(payload: Payload) -> Signal {
    Signal::Payload { from_device: ADA, payload }
}

/// One device with its own clock, which keeps everything that came out.
pub(crate) struct Device {
    pub(crate) calls: Calls,
    pub(crate) now: Instant,
    outputs: Vec<(CallId, Output)>,
}

impl Device {
    pub(crate) fn new() -> Self {
        let mut device = Self { calls: Calls::new(), now: *START, outputs: Vec::new() };
        device.network(Network::Online);
        device
    }

    fn collect(&mut self) {
        while let Some(output) = self.calls.poll_output() {
            self.outputs.push(output);
        }
    }

    pub(crate) fn feed(&mut self, id: CallId, input: Input) {
        self.calls.handle(self.now, id, input);
        self.collect();
    }

    pub(crate) fn user(&mut self, id: CallId, user: User) {
        self.feed(id, Input::User(user));
    }

    pub(crate) fn signal(&mut self, id: CallId, signal: Signal) {
        self.feed(id, Input::Signal(signal));
    }

    pub(crate) fn transport(&mut self, id: CallId, transport: Transport) {
        self.feed(id, Input::Transport(transport));
    }

    pub(crate) fn network(&mut self, network: Network) {
        self.calls.handle_network(self.now, network);
        self.collect();
    }

    /// Lets this much time pass, with every timeout at its moment.
    pub(crate) fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.calls.poll_timeout().filter(|at| *at <= until) {
            self.now = at;
            self.calls.handle_timeout(at);
            self.collect();
        }
        self.now = until;
    }

    pub(crate) fn wait_secs(&mut self, secs: u64) {
        self.wait(Duration::from_secs(secs));
    }

    pub(crate) fn state(&self, id: CallId) -> State {
        self.calls.get(id).unwrap().state()
    }

    pub(crate) fn view(&self, id: CallId) -> CallView {
        self.calls.get(id).unwrap().view().unwrap()
    }

    pub(crate) fn phase(&self, id: CallId) -> Phase {
        self.view(id).phase
    }

    /// Everything that came out since the last time it was asked for.
    pub(crate) fn take(&mut self) -> Vec<(CallId, Output)> {
        std::mem::take(&mut self.outputs)
    }

    /// What was to be sent since the last time anything was asked for.
    pub(crate) fn sent(&mut self) -> Vec<Command> {
        let outputs = self.take().into_iter();
        outputs
            .filter_map(|(_, output)| if let Output::Send(command) = output { Some(command) } else { None })
            .collect()
    }

    pub(crate) fn peer(&mut self) -> Vec<PeerCommand> {
        let outputs = self.take().into_iter();
        outputs
            .filter_map(|(_, output)| if let Output::Peer(command) = output { Some(command) } else { None })
            .collect()
    }

    pub(crate) fn tones(&mut self) -> Vec<(CallId, Tone)> {
        let outputs = self.take().into_iter();
        outputs
            .filter_map(|(id, output)| if let Output::Ring(tone) = output { Some((id, tone)) } else { None })
            .collect()
    }

    pub(crate) fn records(&mut self) -> Vec<Record> {
        let outputs = self.take().into_iter();
        outputs
            .filter_map(|(_, output)| if let Output::Record(record) = output { Some(record) } else { None })
            .collect()
    }

    /// Dials Ada with pictures; the offer is ready.
    pub(crate) fn offering(&mut self, id: CallId) {
        self.feed(id, dial('a', Media::Video));
        self.transport(id, described(0));
    }

    /// It rings at Ada's.
    pub(crate) fn ringing(&mut self, id: CallId) {
        self.offering(id);
        self.signal(id, Signal::Created { expires_in: Millis::from_secs(60) });
        self.signal(id, Signal::Ringing { device: ADA });
    }

    pub(crate) fn alerting(&mut self, id: CallId) {
        self.signal(id, Signal::Ring(ring('a')));
    }

    /// Accepted here, and the accept is out.
    pub(crate) fn accepting(&mut self, id: CallId) {
        self.alerting(id);
        self.user(id, User::Accept { video: true });
        self.transport(id, described(0));
    }

    pub(crate) fn connecting(&mut self, id: CallId, role: Role) {
        match role {
            Role::Caller => {
                self.ringing(id);
                self.signal(id, accepted(ADA));
            }
            Role::Callee => {
                self.accepting(id);
                self.signal(id, Signal::AcceptConfirmed);
            }
        }
    }

    pub(crate) fn connected(&mut self, id: CallId, role: Role) {
        self.connecting(id, role);
        if role == Role::Callee {
            self.signal(id, Signal::ConfirmChecked { from_device: ADA, valid: true });
        }
        self.transport(id, Transport::IceUp);
        self.transport(id, dtls(ADA));
        self.transport(id, Transport::DataOpen);
        assert_eq!(self.state(id), State::Connected);
    }
}
