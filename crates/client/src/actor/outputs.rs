//! From the machine to the world: frames, peers, tones, what is shown, what is recorded.

use carillon_call::{Command, Output, PeerCommand, Record, State};
use carillon_wire::frame::ClientFrame;
use carillon_wire::signed::Credentials;
use carillon_wire::{CallId, Code, Millis};

use super::ongoing::{Introduction, Placing, Side};
use super::{Actor, Done};
use crate::clock::steady_now;
use crate::convert::{call_end, call_state};
use crate::dto::{ClientEvent, RecentCall};
use crate::error::{ClientError, LocalCode};
use crate::lips::Lips;
use crate::trust::Devices;

/// How often a callee's devices may turn out to be others before the call is given up.
const MAX_STALE: u32 = 5;

impl Actor {
    /// Does everything that the machine wants, then forgets what is over.
    pub(super) async fn drain(&mut self) {
        while let Some((call, output)) = self.machine.poll_output() {
            match output {
                Output::Send(command) => self.send(call, command),
                Output::Peer(command) => self.peer(call, command),
                Output::Ring(tone) => self.tone(call, tone.into()),
                Output::Show(view) => {
                    self.say_goodbye(&view);
                    if let Some(ongoing) = self.calls.get_mut(&call) {
                        let (emoji, failure) = (ongoing.emoji, ongoing.failure.as_ref());
                        let state = call_state(&view, &ongoing.party, emoji, failure, steady_now());
                        self.emit(ClientEvent::Call(state));
                    }
                }
                Output::Record(record) => self.record(call, &record).await,
            }
        }
        self.acknowledge().await;
        self.sound_follows();
        let machine = &self.machine;
        self.calls.retain(|call, _| machine.get(*call).is_some_and(|call| call.state().is_live()));
    }

    /// Acknowledges what is handled; a ring that was decided about is remembered as opened from then on.
    async fn acknowledge(&mut self) {
        let machine = &self.machine;
        let decided = |call| machine.get(call).is_none_or(|call| call.state() != State::Alerting);
        for call in self.acks.release(decided) {
            if let Some(Side::Callee(callee)) = self.calls.get_mut(&call).map(|ongoing| &mut ongoing.side)
                && let Some(replay) = callee.replay.take()
                && let Err(error) = self.shared.store.save_replay(&replay).await
            {
                tracing::warn!(code = %error.code, "an opened offer could not be remembered");
            }
        }
        if let Some(seq) = self.acks.due() {
            self.command(crate::socket::SocketCommand::Ack(seq));
        }
    }

    fn send(&mut self, call: CallId, command: Command) {
        let frame = match command {
            Command::Create { media, expires_in, description, commitment, .. } => {
                self.create(call, Placing { media, expires_in, description, commitment });
                return;
            }
            Command::Ringing => Some(ClientFrame::Ringing { call }),
            Command::Accept { description, nonce, video } => {
                let sealed = self.calls.get_mut(&call);
                let frame = sealed.and_then(|ongoing| ongoing.seal_accept(description, nonce, video));
                if frame.is_none() {
                    self.fail(call, LocalCode::KeysInvalid.into());
                }
                frame
            }
            Command::Decline { reason, scope } => Some(ClientFrame::Decline { call, reason, scope }),
            Command::Cancel => Some(ClientFrame::Cancel { call }),
            Command::Relay { to_device, payload } => {
                self.calls.get_mut(&call).and_then(|ongoing| ongoing.seal_relay(to_device, &payload))
            }
            Command::End { reason } => Some(ClientFrame::End { call, reason }),
        };
        if let Some(frame) = frame {
            self.request(frame);
        }
    }

    /// Places a call: with the devices that were just checked, or after fetching them again.
    fn create(&mut self, call: CallId, placing: Placing) {
        let Some(ongoing) = self.calls.get_mut(&call) else { return };
        if let Some(frame) = ongoing.sent_create() {
            self.request(frame);
            return;
        }
        let Side::Caller(caller) = &mut ongoing.side else { return };
        let (devices, stale, callee) = (caller.devices.take(), caller.stale, ongoing.context.callee);
        if stale > MAX_STALE {
            self.fail(call, ClientError::server(Code::DeviceUnknown));
            return;
        }
        match devices {
            Some(devices) => self.seal(call, &devices, placing),
            None => {
                self.placing.insert(call, placing);
                self.fetch_devices(call, callee);
            }
        }
    }

    /// The devices are here: seals to them, if the call still wants it.
    pub(super) fn devices_fetched(&mut self, call: CallId, devices: Result<Devices, ClientError>) {
        let Some(placing) = self.placing.remove(&call) else { return };
        match devices {
            Ok(devices) if self.machine.get(call).is_some_and(|call| call.state() == State::Offering) => {
                self.seal(call, &devices, placing);
            }
            Ok(_) => {}
            Err(error) => self.fail(call, error),
        }
    }

    fn seal(&mut self, call: CallId, devices: &Devices, placing: Placing) {
        let Some(signed_in) = &self.signed_in else { return };
        let identity = signed_in.api.identity();
        let (prekey, certificate) = identity.sealing_keys();
        let credentials =
            Credentials { account_key: identity.account_key(), certificate, badge: signed_in.api.badge() };
        let Some(ongoing) = self.calls.get_mut(&call) else { return };
        match ongoing.seal_create(devices, Introduction { prekey, credentials }, placing) {
            Ok(frame) => self.request(frame),
            Err(error) => self.fail(call, error),
        }
    }

    fn fetch_devices(&self, call: CallId, callee: carillon_wire::AccountId) {
        let Some(signed_in) = &self.signed_in else { return };
        let (api, shared) = (std::sync::Arc::clone(&signed_in.api), std::sync::Arc::clone(&self.shared));
        let done = self.from_work.0.clone();
        tokio::spawn(async move {
            let devices = match api.device_keys(callee).await {
                Ok(keys) => shared.trust.check_devices(callee, &keys, shared.calendar.now()).await,
                Err(error) => Err(error),
            };
            let _ = done.send(Done::Devices(call, devices));
        });
    }

    fn peer(&mut self, call: CallId, command: PeerCommand) {
        let events = self.peer_events(call);
        let Some(ongoing) = self.calls.get_mut(&call) else { return };
        match command {
            PeerCommand::Create { role, media } => {
                let mut peer = self.shared.peers.create(call, role, media, events);
                let lips = Lips::new(std::time::Instant::now());
                if let (Some(engine), Some(path)) = (&mut self.engine, peer.audio()) {
                    engine.path(call, path, lips.clone());
                }
                if let (Some(video), Some(path)) = (&mut self.video, peer.video()) {
                    video.path(call, path, lips);
                }
                ongoing.peer = Some(peer);
            }
            PeerCommand::Close => {
                if let Some(mut peer) = ongoing.peer.take() {
                    peer.handle(PeerCommand::Close);
                }
                if let Some(engine) = &mut self.engine {
                    engine.forget(call);
                }
                if let Some(video) = &mut self.video {
                    video.forget(call);
                }
            }
            command => {
                if let Some(peer) = &mut ongoing.peer {
                    peer.handle(command);
                }
            }
        }
    }

    async fn record(&mut self, call: CallId, record: &Record) {
        let Some(ongoing) = self.calls.get(&call) else { return };
        let recent = RecentCall {
            id: 0,
            call,
            direction: record.direction.into(),
            account: record.account,
            handle: Some(ongoing.party.handle.clone()),
            name: ongoing.party.name.clone(),
            media: record.media,
            outcome: record.outcome.into(),
            end: call_end(record.why, ongoing.failure.as_ref()),
            at: ongoing.began,
            talked: record.talked.map(Millis::from),
        };
        if let Err(error) = self.shared.store.save_recent(&recent).await {
            tracing::warn!(code = %error.code, "a call could not be recorded");
        }
    }
}
