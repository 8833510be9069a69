//! From frames to the machine: what the server delivers is opened and checked here, and nowhere else.

use carillon_call::{Ring, Signal};
use carillon_e2e::{CallContext, Incoming, OpenedOffer, commitment};
use carillon_wire::frame::{CallerInfo, ClientFrame, Event, Media, ServerFrame, Topic};
use carillon_wire::{Blob, CallId, Code, Millis, PROTOCOL, UnixMillis};
use tokio::time::Instant;

use super::ongoing::Ongoing;
use super::{Actor, upkeep};
use crate::dto::{ClientEvent, Party, Trust};
use crate::error::{ClientError, ErrorCode, LocalCode};
use crate::peer::IceServer;
use crate::trust::TrustBook;

/// A `ring` as it came.
struct Arrived {
    call: CallId,
    from: CallerInfo,
    media: Media,
    age: Millis,
    expires_in: Millis,
    sealed: Blob,
}

impl Actor {
    /// A message out of the mailbox. It counts as handled afterwards, whatever it was: what can't be opened now can't be
    /// opened later.
    pub(super) async fn delivered(&mut self, seq: u64, event: Event) {
        self.acks.handled(seq);
        match event {
            Event::Ring { call, from, media, age, expires_in, sealed } => {
                let arrived = Arrived { call, from, media, age, expires_in, sealed };
                match self.ring(arrived).await {
                    Ok(()) => self.acks.hold(seq, call),
                    Err(error) => tracing::warn!(code = %error.code, "a ring was dropped"),
                }
            }
            Event::Ringing { call, device } => self.signal(call, Signal::Ringing { device }),
            Event::Accepted { call, device, sealed } => {
                let signal = match self.calls.get_mut(&call) {
                    Some(ongoing) => ongoing.open_accepted(device, &sealed),
                    // Nothing is known of it any longer, so its Answer can't be opened.
                    None => Some(Signal::BadAnswer),
                };
                if let Some(signal) = signal {
                    self.signal(call, signal);
                }
            }
            Event::Taken { call, kind } => self.signal(call, Signal::Taken { kind }),
            Event::Relay { call, from_device, seq, sealed } => {
                let signals =
                    self.calls.get_mut(&call).map(|ongoing| ongoing.open_relay(from_device, seq, &sealed));
                for signal in signals.unwrap_or_default() {
                    self.signal(call, signal);
                }
            }
            Event::Ended { call, reason } => self.signal(call, Signal::Ended { reason }),
            Event::Unknown => tracing::debug!(seq, "an event of a kind that this version does not know"),
        }
    }

    /// Somebody calls. Nothing is shown before everything in the Offer has been checked.
    async fn ring(&mut self, arrived: Arrived) -> Result<(), ClientError> {
        let identity = std::sync::Arc::clone(self.signed_in()?.api.identity());
        let now = self.shared.calendar.now();
        let context = CallContext {
            call: arrived.call,
            caller: arrived.from.account,
            callee: identity.account(),
            protocol: PROTOCOL,
        };
        let opened = Incoming::open_offer(
            &mut rand::rng(),
            &context,
            &identity.opening_keys(now),
            arrived.from.device,
            &arrived.sealed,
            now,
            &mut self.replays,
        );
        let opened = opened.map_err(|error| {
            tracing::warn!(%error, "an offer was not opened");
            LocalCode::KeysInvalid
        })?;
        self.shared.trust.observe_certificate(&opened.caller).await?;
        let party = caller_party(&self.shared.trust, arrived.from.clone(), &opened, now).await?;
        let ring = Ring {
            account: opened.caller.account(),
            device: opened.caller.device(),
            media: arrived.media,
            description: opened.offer.description.clone(),
            age: arrived.age,
            expires_in: arrived.expires_in,
            nonce: commitment::nonce(&mut rand::rng()),
            // There is no address book on this device, so nobody is in it.
            silent: arrived.from.only_if_in_address_book,
        };
        let began = now.before(arrived.age);
        self.calls
            .entry(arrived.call)
            .or_insert_with(|| Ongoing::incoming(context, party, opened, ring.nonce, began));
        self.signal(arrived.call, Signal::Ring(ring));
        Ok(())
    }

    /// The answer to a request.
    pub(super) fn replied(&mut self, request: ClientFrame, frame: ServerFrame) {
        match request {
            ClientFrame::Create { call, .. } => self.create_replied(call, frame),
            ClientFrame::Accept { call, .. } => match frame {
                ServerFrame::Accepted { .. } => self.signal(call, Signal::AcceptConfirmed),
                ServerFrame::Taken { kind, .. } => self.signal(call, Signal::Taken { kind }),
                frame => self.failed(call, frame),
            },
            ClientFrame::Ringing { call } => self.failed(call, frame),
            ClientFrame::Turn {} => self.ice_servers(frame),
            // Nothing hangs on what is said to these: the state they ask for is the one the server says later.
            ClientFrame::Hello { .. }
            | ClientFrame::Ack { .. }
            | ClientFrame::Ping {}
            | ClientFrame::Decline { .. }
            | ClientFrame::Cancel { .. }
            | ClientFrame::Relay { .. }
            | ClientFrame::End { .. }
            | ClientFrame::Presence { .. } => {
                if let ServerFrame::Error { code, .. } = frame {
                    tracing::debug!(%code, "a request was refused");
                }
            }
        }
    }

    /// The operator's relays, with credentials for a while.
    fn ice_servers(&mut self, frame: ServerFrame) {
        if let ServerFrame::Turn { servers, expires_in } = frame {
            let servers = servers.into_iter().map(|server| IceServer {
                urls: server.urls,
                username: server.username,
                credential: server.credential,
            });
            self.shared.peers.use_ice_servers(servers.collect());
            self.renew_relays_at = Some(Instant::now() + expires_in.duration() / 2);
        }
    }

    fn create_replied(&mut self, call: CallId, frame: ServerFrame) {
        match frame {
            ServerFrame::Created { expires_in, .. } => self.signal(call, Signal::Created { expires_in }),
            ServerFrame::StaleDevices { .. } => {
                if let Some(ongoing) = self.calls.get_mut(&call) {
                    ongoing.forget_create();
                }
                self.signal(call, Signal::StaleDevices);
            }
            ServerFrame::Refused { reason, .. } => self.signal(call, Signal::Refused { reason }),
            frame => self.failed(call, frame),
        }
    }

    /// An `error` in reply ends the call; anything else says nothing.
    fn failed(&mut self, call: CallId, frame: ServerFrame) {
        if let ServerFrame::Error { code, message, retry_after, .. } = frame {
            self.fail(call, ClientError { code: ErrorCode::Server(code), message, retry_after });
        }
    }

    /// Ends a call with what went wrong.
    pub(super) fn fail(&mut self, call: CallId, error: ClientError) {
        let code = match error.code {
            ErrorCode::Server(code) => code,
            ErrorCode::Local(_) => Code::Unknown,
        };
        if let Some(ongoing) = self.calls.get_mut(&call) {
            ongoing.failure = Some(error);
        }
        self.signal(call, Signal::Failed { code });
    }

    /// A frame that nobody asked for.
    pub(super) fn told(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Presence { account, online } => self.emit(ClientEvent::Presence { account, online }),
            ServerFrame::Changed { topics } => {
                self.refresh(&parts(&topics));
                self.emit(ClientEvent::Changed { topics });
            }
            ServerFrame::Error { code, .. } => tracing::debug!(%code, "the server reports an error"),
            // Replies to requests that were withdrawn, and what the line deals with.
            ServerFrame::Challenge { .. }
            | ServerFrame::Welcome { .. }
            | ServerFrame::Deliver { .. }
            | ServerFrame::Created { .. }
            | ServerFrame::StaleDevices { .. }
            | ServerFrame::Refused { .. }
            | ServerFrame::Accepted { .. }
            | ServerFrame::Taken { .. }
            | ServerFrame::Done {}
            | ServerFrame::Turn { .. }
            | ServerFrame::Restarting { .. }
            | ServerFrame::Pong {} => {}
        }
    }
}

/// Who calls: the account by its key, its badge by the issuer's, its handle against the pins.
async fn caller_party(
    trust_book: &TrustBook,
    from: CallerInfo,
    opened: &OpenedOffer,
    now: UnixMillis,
) -> Result<Party, ClientError> {
    let (account, key) = (opened.caller.account(), opened.caller.account_key());
    let trust = trust_book.observe(&from.handle, account, &key, now).await?;
    let badge = opened.offer.credentials.badge.as_ref();
    let proved = badge.is_some_and(|badge| trust_book.is_verified(badge, account, &from.handle, now));
    // A handle that has changed hands counts as unknown, whatever it shows.
    let verified = proved && trust != Trust::Changed;
    Ok(Party { account, handle: from.handle, name: from.name, verified, trust })
}

/// What of the state to fetch again.
fn parts(topics: &[Topic]) -> Vec<upkeep::Part> {
    let part = |topic: &Topic| match topic {
        Topic::Settings => Some(upkeep::Part::Settings),
        Topic::Profile => Some(upkeep::Part::Me),
        Topic::Missed => Some(upkeep::Part::Missed),
        Topic::Devices | Topic::Following | Topic::Blocks | Topic::Other => None,
    };
    topics.iter().filter_map(part).collect()
}
