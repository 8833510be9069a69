//! What the peer connection and this machine's network say.

use std::time::Instant;

use carillon_wire::payload::{Description, Payload, SdpKind};

use super::{Call, Candidates};
use crate::input::{Network, Transport};
use crate::output::{Command, PeerCommand, Role};
use crate::state::State;
use crate::timer::{self, Timer};
use crate::view::Why;

impl Call {
    pub(super) fn handle_transport(&mut self, now: Instant, transport: Transport) {
        if !self.link.open {
            return;
        }
        match transport {
            Transport::LocalDescription { generation, description } => {
                self.described(now, generation, description);
            }
            Transport::LocalCandidates { generation, candidates, last } => {
                self.found_candidates(Candidates { generation, candidates, last });
            }
            Transport::IceUp => self.path_up(),
            Transport::IceDown => self.path_down(now),
            Transport::IceFailed => self.path_failed(now),
            Transport::DtlsUp { fingerprint } => {
                // Without the other side's description there is nobody to speak DTLS with.
                if self.link.expected.is_some() {
                    self.link.seen = Some(fingerprint);
                    self.check_link(now);
                }
            }
            Transport::DataOpen => self.link.data_open = true,
            // Before DTLS is checked, the other end of the data channel could be anybody.
            Transport::Data(payload) => {
                if self.state.is_accepted() && self.link.seen.is_some() {
                    self.handle_payload(now, payload);
                }
            }
            Transport::MaxRate { bits_per_second } => {
                if self.state.is_up() {
                    self.send_payload(Payload::MaxRate { bits_per_second });
                }
            }
            Transport::Failed => self.broken(now),
        }
    }

    fn described(&mut self, now: Instant, generation: u32, description: Description) {
        if generation != self.link.generation || !std::mem::take(&mut self.link.describing) {
            return;
        }
        match self.state {
            State::Offering => {
                self.link.description = Some(description);
                self.send_create();
            }
            State::Accepting => {
                self.link.description = Some(description);
                self.timers.stop(Timer::Describing);
                self.timers.start(Timer::AcceptAgain, now + timer::ACCEPT_AGAIN);
                self.send_accept();
            }
            State::Connecting | State::Connected | State::Reconnecting => {
                let kind = match self.role {
                    Role::Caller => SdpKind::Offer,
                    Role::Callee => SdpKind::Answer,
                };
                self.link.answer_due = self.role == Role::Caller;
                self.relay(Payload::Renegotiate { generation, kind, description });
            }
            State::Ringing | State::Alerting | State::Ended => {}
        }
    }

    /// Before anybody has accepted, no address leaves this machine.
    fn found_candidates(&mut self, found: Candidates) {
        if found.generation != self.link.generation {
            return;
        }
        self.link.candidates.push(found.clone());
        if self.state.is_accepted() {
            let Candidates { generation, candidates, last } = found;
            self.relay(Payload::Candidates { generation, candidates, last });
        }
    }

    /// DTLS must show the certificate that the sealed description names; then, and with the caller's nonce confirmed,
    /// the call is up.
    pub(super) fn check_link(&mut self, now: Instant) {
        let (Some(seen), Some(expected)) = (self.link.seen, self.link.expected) else { return };
        if seen != expected {
            self.end_insecure(now);
            return;
        }
        match self.state {
            State::Connecting if self.confirmed => {
                self.state = State::Connected;
                self.connected_at = Some(now);
                self.timers.stop_all();
                self.send_media_state();
                if self.link.path_down {
                    self.timers.start(Timer::PathDown, now + timer::PATH_DOWN);
                }
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

    fn path_up(&mut self) {
        self.link.path_down = false;
        match self.state {
            State::Connected => self.timers.stop(Timer::PathDown),
            State::Reconnecting => self.reconnected(),
            State::Offering
            | State::Ringing
            | State::Alerting
            | State::Accepting
            | State::Connecting
            | State::Ended => {}
        }
    }

    pub(super) fn reconnected(&mut self) {
        self.state = State::Connected;
        self.link.lost_at = None;
        self.timers.stop_all();
    }

    fn path_down(&mut self, now: Instant) {
        match self.state {
            State::Connected if !self.link.path_down => {
                self.timers.start(Timer::PathDown, now + timer::PATH_DOWN);
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
        self.link.path_down = true;
    }

    fn path_failed(&mut self, now: Instant) {
        self.link.path_down = true;
        match self.state {
            State::Connected => self.reconnect(now),
            // While connecting, candidates may still come: the 20 s decide. While reconnecting, the next restart does.
            State::Offering
            | State::Ringing
            | State::Alerting
            | State::Accepting
            | State::Connecting
            | State::Reconnecting
            | State::Ended => {}
        }
    }

    /// The peer connection is of no use any longer.
    fn broken(&mut self, now: Instant) {
        use carillon_wire::frame::{DeclineScope, EndReason};
        use carillon_wire::payload::HangUpReason;
        match self.state {
            State::Offering | State::Ringing => {
                self.cancel();
                self.end(now, Why::Transport);
            }
            State::Accepting => {
                self.withdraw_accept(EndReason::NoRoute, DeclineScope::Device);
                self.end(now, Why::Transport);
            }
            State::Connecting => {
                self.leave(now, Why::Transport, HangUpReason::NoRoute, EndReason::NoRoute);
            }
            State::Connected | State::Reconnecting => {
                self.leave(now, Why::Transport, HangUpReason::Lost, EndReason::Lost);
            }
            State::Alerting | State::Ended => {}
        }
    }

    /// Gives the path up and looks for a new one.
    pub(super) fn reconnect(&mut self, now: Instant) {
        self.state = State::Reconnecting;
        self.link.lost_at = Some(now);
        self.link.restarts = 0;
        self.timers.stop_all();
        self.timers.start(Timer::Lost, now + timer::RECONNECTING);
        self.restart_by_clock();
    }

    /// The restart whose time has come, and the timer for the next.
    pub(super) fn restart_by_clock(&mut self) {
        self.link.restarts += 1;
        let next = timer::RESTARTS.get(self.link.restarts);
        if let (Some(lost_at), Some(&after)) = (self.link.lost_at, next) {
            self.timers.start(Timer::Restart, lost_at + after);
        }
        self.restart();
    }

    /// The caller restarts ICE, the callee asks it to.
    fn restart(&mut self) {
        let Some(generation) = self.link.generation.checked_add(1) else { return };
        match self.role {
            Role::Caller => {
                self.begin_generation(generation);
                self.link.describing = true;
                self.link.answer_due = false;
                self.peer(PeerCommand::RestartIce { generation });
            }
            Role::Callee => self.relay(Payload::Restart { generation }),
        }
    }

    /// There is a reason to look for a path at once: the other side asks, or this machine has another address.
    pub(super) fn restart_now(&mut self, now: Instant) {
        match self.state {
            State::Connected => self.reconnect(now),
            State::Reconnecting => self.restart(),
            State::Offering
            | State::Ringing
            | State::Alerting
            | State::Accepting
            | State::Connecting
            | State::Ended => {}
        }
    }

    pub(super) fn handle_network(&mut self, now: Instant, network: Network) {
        if !self.state.is_live() {
            return;
        }
        match network {
            Network::Online => {
                let was_offline = !std::mem::replace(&mut self.online, true);
                // What was said about the path meanwhile went nowhere.
                if was_offline && self.state == State::Reconnecting {
                    self.restart();
                }
            }
            Network::Offline => self.online = false,
            Network::AddressChanged => self.restart_now(now),
            Network::Lost => self.say_again(),
        }
    }

    /// Messages for this device were lost: asks again what was asked last, so that the reply tells the truth.
    fn say_again(&mut self) {
        match self.state {
            State::Offering | State::Ringing => self.send_create(),
            State::Alerting => self.send(Command::Ringing),
            State::Accepting => self.send_accept(),
            State::Connecting => {
                if self.role == Role::Caller {
                    self.relay(Payload::Confirm { nonce: self.nonce });
                }
                self.send_candidates();
            }
            State::Connected => self.send_media_state(),
            State::Reconnecting => self.restart(),
            State::Ended => {}
        }
    }
}
