//! What the person does, and what the device's other calls do to this one.

use std::time::Instant;

use carillon_wire::frame::{DeclineReason, DeclineScope, EndReason};
use carillon_wire::payload::{HangUpReason, MediaState, Payload, SdpKind};

use super::{Alert, Call};
use crate::input::User;
use crate::output::{Command, PeerCommand, Tone};
use crate::state::State;
use crate::timer::{self, Timer};
use crate::view::{MediaOn, Side, Why};

impl Call {
    pub(super) fn handle_user(&mut self, now: Instant, user: User) {
        match user {
            // Made the call; a second one is nothing new.
            User::Dial { .. } => {}
            User::Accept { video } => self.accept(now, MediaOn { video, ..self.local }),
            User::Decline { scope } => self.decline(now, scope),
            User::HangUp => self.hang_up(now),
            User::SetMedia(media) => self.set_media(media),
            User::CameraFails(fails) => self.set_camera_fails(fails),
            User::Silence => self.silence(),
        }
    }

    /// Lets an incoming call that is not accepted come to the person this loudly from now on.
    pub fn alert(&mut self, alert: Alert) {
        match self.state {
            State::Alerting => {
                self.stop_tone();
                self.alert = alert;
                match alert {
                    Alert::Full => self.start_tone(Tone::Incoming),
                    Alert::Waiting => self.start_tone(Tone::Waiting),
                    Alert::Held | Alert::Silent => {}
                }
                self.show();
            }
            State::Offering
            | State::Ringing
            | State::Accepting
            | State::Connecting
            | State::Connected
            | State::Reconnecting
            | State::Ended => {}
        }
    }

    /// A new call: tells the caller's side that this device rings, and comes to the person this loudly.
    pub fn come_in(&mut self, alert: Alert) {
        self.send(Command::Ringing);
        self.alert(alert);
    }

    /// Takes an incoming call, with this media. Only now a peer connection is made: gathering candidates would show
    /// this machine's address to others.
    pub(crate) fn accept(&mut self, now: Instant, local: MediaOn) {
        match self.state {
            State::Alerting => {
                self.stop_tone();
                self.state = State::Accepting;
                self.alert = Alert::Full;
                self.local = local;
                self.answer_video = local.video;
                self.timers.stop_all();
                self.timers.start(Timer::Describing, now + timer::DESCRIBING);
                self.timers.start(Timer::AcceptOver, self.ring_over.max(now) + timer::ACCEPT_GRACE);
                self.open_peer();
                if let Some(description) = self.link.offer.take() {
                    self.link.describing = true;
                    self.peer(PeerCommand::ApplyRemote { generation: 0, kind: SdpKind::Offer, description });
                }
                self.show();
            }
            State::Offering
            | State::Ringing
            | State::Accepting
            | State::Connecting
            | State::Connected
            | State::Reconnecting
            | State::Ended => {}
        }
    }

    fn decline(&mut self, now: Instant, scope: DeclineScope) {
        match self.state {
            State::Alerting => {
                let reason = match self.alert {
                    Alert::Waiting => DeclineReason::Busy,
                    Alert::Full | Alert::Held | Alert::Silent => DeclineReason::Declined,
                };
                self.send(Command::Decline { reason, scope });
                self.end(now, Why::Declined);
            }
            State::Offering
            | State::Ringing
            | State::Accepting
            | State::Connecting
            | State::Connected
            | State::Reconnecting
            | State::Ended => {}
        }
    }

    /// Ends the call, whatever its state.
    pub(crate) fn hang_up(&mut self, now: Instant) {
        match self.state {
            State::Offering | State::Ringing => {
                self.cancel();
                self.end(now, Why::Cancelled);
            }
            State::Alerting => self.decline(now, DeclineScope::All),
            State::Accepting => {
                self.withdraw_accept(EndReason::HungUp, DeclineScope::All);
                self.end(now, Why::HungUp(Side::Here));
            }
            State::Connecting | State::Connected | State::Reconnecting => {
                self.leave(now, Why::HungUp(Side::Here), HangUpReason::HungUp, EndReason::HungUp);
            }
            State::Ended => {}
        }
    }

    fn set_media(&mut self, media: MediaOn) {
        if !self.state.is_live() || media == self.local {
            return;
        }
        self.local = media;
        self.media_changed();
    }

    fn set_camera_fails(&mut self, fails: bool) {
        if !self.state.is_live() || fails == self.camera_fails {
            return;
        }
        self.camera_fails = fails;
        if self.local.video {
            self.media_changed();
        }
    }

    fn media_changed(&mut self) {
        self.local_seq = self.local_seq.saturating_add(1);
        if self.state.is_up() {
            self.send_media_state();
        }
    }

    pub(super) fn send_media_state(&mut self) {
        let MediaOn { audio, video, screen } = self.local;
        let video = video && !self.camera_fails;
        self.send_payload(Payload::MediaState(MediaState { seq: self.local_seq, audio, video, screen }));
    }

    fn silence(&mut self) {
        match self.state {
            State::Alerting => {
                self.silenced = true;
                self.stop_tone();
            }
            State::Offering
            | State::Ringing
            | State::Accepting
            | State::Connecting
            | State::Connected
            | State::Reconnecting
            | State::Ended => {}
        }
    }

    /// Both called each other, and the other call goes on.
    pub(crate) fn lose_glare(&mut self, now: Instant) {
        match self.state {
            State::Offering | State::Ringing => {
                self.cancel();
                self.end(now, Why::Glare);
            }
            // A call of theirs that was kept back: they cancel it themselves.
            State::Alerting => self.end(now, Why::Glare),
            State::Accepting | State::Connecting | State::Connected | State::Reconnecting | State::Ended => {}
        }
    }

    /// The same device calls anew: it knows nothing of this call any longer.
    pub(crate) fn replace(&mut self, now: Instant) {
        match self.state {
            State::Offering | State::Ringing => self.cancel(),
            State::Alerting => {}
            State::Accepting => self.withdraw_accept(EndReason::Replaced, DeclineScope::Device),
            State::Connecting | State::Connected | State::Reconnecting => {
                self.send(Command::End { reason: EndReason::Replaced });
            }
            State::Ended => {}
        }
        self.end(now, Why::Replaced);
    }

    /// This device is in another call, and a second caller waits already.
    pub(crate) fn decline_busy(&mut self, now: Instant, silent: bool) {
        if silent {
            self.alert = Alert::Silent;
        }
        self.send(Command::Decline { reason: DeclineReason::Busy, scope: DeclineScope::Device });
        self.end(now, Why::InCall);
    }

    /// The person dials somebody, and a call stands in the way.
    pub(crate) fn refuse_dial(&mut self, now: Instant, why: Why) {
        self.end(now, why);
    }

    /// Takes back a `create` that may have reached the server.
    pub(super) fn cancel(&mut self) {
        if self.link.description.is_some() {
            self.send(Command::Cancel);
        }
    }

    /// Takes back an `accept` of which nobody knows whether it won. If it did, `end` ends the call and `decline` comes
    /// too late; if it never arrived, `end` is refused and `decline` counts.
    pub(super) fn withdraw_accept(&mut self, reason: EndReason, scope: DeclineScope) {
        if self.link.description.is_some() {
            self.send(Command::End { reason });
        }
        self.send(Command::Decline { reason: DeclineReason::Declined, scope });
    }
}
