//! What comes by signaling.

use std::time::Instant;

use carillon_wire::frame::{DeclineReason, DeclineScope, EndReason};
use carillon_wire::limits::MAX_RING;
use carillon_wire::payload::{Description, MediaState, Payload, SdpKind};
use carillon_wire::{Code, DeviceId};

use super::ending::{ends_accepted, why_ended, why_hung_up, why_taken};
use super::{Call, Candidates};
use crate::input::Signal;
use crate::output::{Command, PeerCommand, Role, Tone};
use crate::state::State;
use crate::timer::{self, Timer};
use crate::view::{MediaOn, Why};

/// How often the callee's devices may change under an offer before the call fails.
const STALE_DEVICES: u8 = 3;

/// Faults of the moment: an accept is simply sent again.
const TRANSIENT: &[Code] = &[
    Code::RateLimited,
    Code::MailboxFull,
    Code::StorageFull,
    Code::SlowReader,
    Code::Overloaded,
    Code::Restarting,
    Code::Internal,
    Code::NotSignedIn,
    Code::Replaced,
];

/// The server has no such ring any longer.
const OVER: &[Code] = &[Code::CallUnknown, Code::CallState];

impl Call {
    pub(super) fn handle_signal(&mut self, now: Instant, signal: Signal) {
        match signal {
            // Made the call; a second one is a repetition.
            Signal::Ring(_) => {}
            Signal::Created { expires_in } => self.created(now, expires_in.min(MAX_RING).duration()),
            Signal::StaleDevices => self.stale_devices(now),
            Signal::Refused { reason: _ } => {
                if self.state.is_dialling() {
                    self.end(now, Why::Unavailable);
                }
            }
            Signal::Failed { code } => self.failed(now, code),
            Signal::Ringing { device: _ } => self.rings_there(now),
            Signal::Accepted { device, description, video } => {
                self.accepted(now, device, description, video);
            }
            Signal::BadAnswer => self.bad_answer(now),
            Signal::AcceptConfirmed => {
                if self.accept_is_out() {
                    self.connect(now);
                }
            }
            Signal::Taken { kind } => self.taken(now, why_taken(kind)),
            Signal::Payload { from_device, payload } => {
                if self.admits(now, from_device) {
                    self.handle_payload(now, payload);
                }
            }
            Signal::ConfirmChecked { from_device, valid } => {
                if self.admits(now, from_device) && self.role == Role::Callee {
                    self.confirmed(now, valid);
                }
            }
            Signal::Ended { reason } => self.ended(now, reason),
        }
    }

    fn created(&mut self, now: Instant, rings_for: std::time::Duration) {
        match self.state {
            State::Offering if self.link.description.is_some() => {
                self.state = State::Ringing;
                self.timers.stop(Timer::Offering);
                self.timers.start(Timer::RingOver, now + rings_for + timer::RING_GRACE);
            }
            State::Offering
            | State::Ringing
            | State::Alerting
            | State::Accepting
            | State::Connecting
            | State::Connected
            | State::Reconnecting
            | State::Ended => {}
        }
    }

    fn stale_devices(&mut self, now: Instant) {
        match self.state {
            State::Offering => {
                self.stale_devices = self.stale_devices.saturating_add(1);
                if self.stale_devices > STALE_DEVICES {
                    self.end(now, Why::Failed(Code::DeviceUnknown));
                } else {
                    self.send_create();
                }
            }
            State::Ringing
            | State::Alerting
            | State::Accepting
            | State::Connecting
            | State::Connected
            | State::Reconnecting
            | State::Ended => {}
        }
    }

    fn failed(&mut self, now: Instant, code: Code) {
        match self.state {
            State::Offering | State::Ringing => {
                // An earlier `create` of this call may have been taken: nothing rings after the end.
                self.cancel();
                self.end(now, Why::Failed(code));
            }
            State::Alerting if OVER.contains(&code) => self.end(now, Why::Over),
            State::Accepting if OVER.contains(&code) => self.end(now, Why::Over),
            State::Accepting if !TRANSIENT.contains(&code) => {
                let (reason, scope) = (DeclineReason::Declined, DeclineScope::Device);
                self.send(Command::Decline { reason, scope });
                self.end(now, Why::Failed(code));
            }
            State::Alerting
            | State::Accepting
            | State::Connecting
            | State::Connected
            | State::Reconnecting
            | State::Ended => {}
        }
    }

    fn rings_there(&mut self, now: Instant) {
        // The event may come before the reply to `create`.
        self.created(now, timer::RING.duration());
        match self.state {
            State::Ringing if !self.rings_there => {
                self.rings_there = true;
                self.start_tone(Tone::Outgoing);
            }
            State::Offering
            | State::Ringing
            | State::Alerting
            | State::Accepting
            | State::Connecting
            | State::Connected
            | State::Reconnecting
            | State::Ended => {}
        }
    }

    fn accepted(&mut self, now: Instant, device: DeviceId, description: Description, video: bool) {
        match self.state {
            State::Offering | State::Ringing if self.link.description.is_some() => {
                self.stop_tone();
                self.device = Some(device);
                self.remote = Some(MediaOn::start(video));
                self.link.expected = Some(description.fingerprint);
                self.peer(PeerCommand::ApplyRemote { generation: 0, kind: SdpKind::Answer, description });
                self.relay(Payload::Confirm { nonce: self.nonce });
                self.connect(now);
            }
            State::Ended => self.end_late_accept(),
            State::Offering
            | State::Ringing
            | State::Alerting
            | State::Accepting
            | State::Connecting
            | State::Connected
            | State::Reconnecting => {}
        }
    }

    fn bad_answer(&mut self, now: Instant) {
        match self.state {
            State::Offering | State::Ringing => self.end_insecure(now),
            State::Ended => self.end_late_accept(),
            State::Alerting
            | State::Accepting
            | State::Connecting
            | State::Connected
            | State::Reconnecting => {}
        }
    }

    /// Somebody accepted a call that is over here: it must not wait for us.
    fn end_late_accept(&mut self) {
        if self.role == Role::Caller {
            self.send(Command::End { reason: EndReason::HungUp });
        }
    }

    fn taken(&mut self, now: Instant, why: Why) {
        match self.state {
            State::Alerting | State::Accepting => self.end(now, why),
            State::Offering
            | State::Ringing
            | State::Connecting
            | State::Connected
            | State::Reconnecting
            | State::Ended => {}
        }
    }

    fn ended(&mut self, now: Instant, reason: EndReason) {
        let accepted = self.state.is_accepted();
        match self.state {
            State::Offering | State::Ringing | State::Alerting | State::Accepting | State::Connecting => {
                self.end(now, why_ended(reason, accepted));
            }
            State::Connected | State::Reconnecting => {
                if ends_accepted(reason) {
                    self.end(now, why_ended(reason, accepted));
                }
            }
            State::Ended => {}
        }
    }

    fn accept_is_out(&self) -> bool {
        self.state == State::Accepting && self.link.description.is_some()
    }

    /// Whether payloads of this device count. One from the caller proves that it has our Answer, even if the server's
    /// reply to `accept` was lost.
    fn admits(&mut self, now: Instant, from: DeviceId) -> bool {
        if self.device != Some(from) {
            return false;
        }
        if self.accept_is_out() {
            self.connect(now);
        }
        self.state.is_accepted()
    }

    /// One device has the call, and both ends know which: what was held back goes out.
    fn connect(&mut self, now: Instant) {
        self.state = State::Connecting;
        self.accepted_at = Some(now);
        self.timers.stop_all();
        self.timers.start(Timer::Connecting, now + timer::CONNECTING);
        self.send_candidates();
        self.check_link(now);
    }

    fn confirmed(&mut self, now: Instant, valid: bool) {
        if valid {
            self.confirmed = true;
            self.check_link(now);
        } else if !self.confirmed {
            self.end_insecure(now);
        }
    }

    /// What the other device says, by relay or over the data channel.
    pub(super) fn handle_payload(&mut self, now: Instant, payload: Payload) {
        match payload {
            // Message 1 and 2 of the handshake are opened elsewhere; the verdict on `confirm` comes by itself.
            Payload::Offer(_) | Payload::Answer(_) | Payload::Confirm { .. } | Payload::Unknown => {}
            Payload::Candidates { generation, candidates, last } => {
                if generation == self.link.generation {
                    self.peer(PeerCommand::AddCandidates { generation, candidates, last });
                }
            }
            Payload::Renegotiate { generation, kind, description } => {
                self.renegotiate(now, generation, kind, description);
            }
            Payload::Restart { generation } => {
                let next = self.link.generation.checked_add(1);
                if self.role == Role::Caller && next == Some(generation) && self.state.is_up() {
                    self.restart_now(now);
                }
            }
            Payload::MediaState(MediaState { seq, audio, video, screen }) => {
                if self.remote_seq.is_none_or(|seen| seen < seq) {
                    self.remote_seq = Some(seq);
                    self.remote = Some(MediaOn { audio, video, screen });
                }
            }
            Payload::MaxRate { bits_per_second } => self.peer(PeerCommand::LimitRate { bits_per_second }),
            Payload::HangUp { reason } => self.end(now, why_hung_up(reason)),
        }
    }

    fn renegotiate(&mut self, now: Instant, generation: u32, kind: SdpKind, description: Description) {
        let is_new = match (self.role, kind) {
            (Role::Callee, SdpKind::Offer) => generation > self.link.generation,
            (Role::Caller, SdpKind::Answer) => generation == self.link.generation && self.link.answer_due,
            // Only the caller offers.
            (Role::Caller, SdpKind::Offer) | (Role::Callee, SdpKind::Answer) => false,
        };
        if !is_new {
            return;
        }
        if self.link.expected != Some(description.fingerprint) {
            self.end_insecure(now);
            return;
        }
        match kind {
            SdpKind::Offer => {
                self.begin_generation(generation);
                self.link.describing = true;
            }
            SdpKind::Answer => self.link.answer_due = false,
        }
        self.peer(PeerCommand::ApplyRemote { generation, kind, description });
    }

    /// Own candidates of the generation before are of no use any longer.
    pub(super) fn begin_generation(&mut self, generation: u32) {
        self.link.generation = generation;
        self.link.candidates.clear();
    }

    pub(super) fn send_candidates(&mut self) {
        for Candidates { generation, candidates, last } in self.link.candidates.clone() {
            self.relay(Payload::Candidates { generation, candidates, last });
        }
    }

    pub(super) fn send_create(&mut self) {
        if let (Some(description), Some(commitment)) = (self.link.description.clone(), self.commitment) {
            let (callee, media, expires_in) = (self.account, self.media, timer::RING);
            self.send(Command::Create { callee, media, expires_in, description, commitment });
        }
    }

    pub(super) fn send_accept(&mut self) {
        if let Some(description) = self.link.description.clone() {
            self.send(Command::Accept { description, nonce: self.nonce, video: self.answer_video });
        }
    }
}
