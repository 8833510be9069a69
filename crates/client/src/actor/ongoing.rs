//! What this device holds for one call besides the machine's state: the other end, the keys, the frames sent.

use std::collections::BTreeMap;

use carillon_call::Signal;
use carillon_e2e::replay::ReplayEntry;
use carillon_e2e::{CallContext, Incoming, Outgoing, Prekey, Session, commitment};
use carillon_wire::frame::{BoxFor, ClientFrame, Media};
use carillon_wire::payload::{Abilities, Answer, Description, Offer, Payload};
use carillon_wire::signed::Credentials;
use carillon_wire::{Blob, Bytes32, DeviceId, Millis, UnixMillis};

use rand::Rng as _;

use crate::dto::{Emoji, Party};
use crate::error::{ClientError, LocalCode};
use crate::peer::Peer;
use crate::trust::Devices;

/// One call.
pub(super) struct Ongoing {
    pub(super) context: CallContext,
    pub(super) party: Party,
    pub(super) began: UnixMillis,
    pub(super) side: Side,
    /// With whom the handshake is finished.
    session: Option<(DeviceId, Session)>,
    pub(super) emoji: Option<[Emoji; 7]>,
    pub(super) peer: Option<Box<dyn Peer>>,
    /// What the server or a check said against it.
    pub(super) failure: Option<ClientError>,
}

/// Which end of the call this is.
pub(super) enum Side {
    Caller(Caller),
    Callee(Callee),
}

/// The caller's part.
pub(super) struct Caller {
    /// Nonce a; the Offer commits to it.
    pub(super) nonce: Bytes32,
    /// The callee's devices, checked; taken by the next sealing.
    pub(super) devices: Option<Devices>,
    /// One open handshake for each device.
    outgoing: BTreeMap<DeviceId, Outgoing>,
    /// What was sent, to be sent again as it is.
    create: Option<ClientFrame>,
    /// How often the devices were others than thought.
    pub(super) stale: u32,
}

/// The callee's part.
pub(super) struct Callee {
    incoming: Option<Incoming>,
    /// The caller's commitment to nonce a.
    commitment: Bytes32,
    /// Nonce b.
    nonce: Bytes32,
    /// What was sent, to be sent again as it is.
    accept: Option<ClientFrame>,
    /// To be kept when it has stopped ringing.
    pub(super) replay: Option<ReplayEntry>,
    pub(super) device: DeviceId,
}

/// What the Offer says of this device.
pub(super) struct Introduction {
    pub(super) prekey: Prekey,
    pub(super) credentials: Credentials,
}

impl Ongoing {
    pub(super) fn outgoing(
        context: CallContext,
        party: Party,
        devices: Devices,
        nonce: Bytes32,
        began: UnixMillis,
    ) -> Self {
        let side =
            Caller { nonce, devices: Some(devices), outgoing: BTreeMap::new(), create: None, stale: 0 };
        Self::new(context, party, Side::Caller(side), began)
    }

    pub(super) fn incoming(
        context: CallContext,
        party: Party,
        opened: carillon_e2e::OpenedOffer,
        nonce: Bytes32,
        began: UnixMillis,
    ) -> Self {
        let side = Callee {
            device: opened.caller.device(),
            incoming: Some(opened.incoming),
            commitment: opened.offer.commitment,
            nonce,
            accept: None,
            replay: Some(opened.replay),
        };
        Self::new(context, party, Side::Callee(side), began)
    }

    const fn new(context: CallContext, party: Party, side: Side, began: UnixMillis) -> Self {
        Self { context, party, began, side, session: None, emoji: None, peer: None, failure: None }
    }

    /// The `create` that was sent before.
    pub(super) fn sent_create(&self) -> Option<ClientFrame> {
        match &self.side {
            Side::Caller(caller) => caller.create.clone(),
            Side::Callee(_) => None,
        }
    }

    /// The server says that the devices are others: what was sealed is of no use.
    pub(super) fn forget_create(&mut self) {
        if let Side::Caller(caller) = &mut self.side {
            caller.create = None;
            caller.devices = None;
            caller.outgoing.clear();
            caller.stale += 1;
        }
    }

    /// Seals one Offer for each device. One whose certificate has run out gets random bytes: the server wants the devices
    /// whole, and nothing is sealed to a key that has had its time.
    pub(super) fn seal_create(
        &mut self,
        devices: &Devices,
        introduction: Introduction,
        placing: Placing,
    ) -> Result<ClientFrame, ClientError> {
        let Side::Caller(caller) = &mut self.side else { return Err(LocalCode::Invalid.into()) };
        let offer = Offer {
            description: placing.description,
            commitment: placing.commitment,
            abilities: Abilities::default(),
            credentials: introduction.credentials,
            tag: None,
        };
        let mut boxes = Vec::with_capacity(devices.current.len() + devices.expired.len());
        for device in &devices.current {
            let sealed =
                Outgoing::seal_offer(&mut rand::rng(), &self.context, &introduction.prekey, device, &offer);
            let (outgoing, sealed) = sealed.map_err(|error| {
                tracing::warn!(%error, "an offer could not be sealed");
                LocalCode::KeysInvalid
            })?;
            caller.outgoing.insert(outgoing.callee(), outgoing);
            boxes.push(BoxFor { device: device.device(), sealed });
        }
        let length = boxes.first().map_or(EMPTY_BOX, |first| first.sealed.len());
        boxes.extend(devices.expired.iter().map(|device| BoxFor { device: *device, sealed: random(length) }));
        let frame = ClientFrame::Create {
            call: self.context.call,
            callee: self.context.callee,
            media: placing.media,
            expires_in: placing.expires_in,
            boxes,
        };
        caller.create = Some(frame.clone());
        Ok(frame)
    }

    /// Seals the Answer the first time; later it is the same frame.
    pub(super) fn seal_accept(
        &mut self,
        description: Description,
        nonce: Bytes32,
        video: bool,
    ) -> Option<ClientFrame> {
        let Side::Callee(callee) = &mut self.side else { return None };
        if callee.accept.is_none() {
            callee.nonce = nonce;
            let answer = Answer { description, nonce, abilities: Abilities::default(), video };
            let (sealed, session) = match callee.incoming.take()?.seal_answer(&answer) {
                Ok(done) => done,
                Err(error) => {
                    tracing::warn!(%error, "an answer could not be sealed");
                    return None;
                }
            };
            self.session = Some((callee.device, session));
            callee.accept = Some(ClientFrame::Accept { call: self.context.call, sealed });
        }
        callee.accept.clone()
    }

    /// A device of the callee accepted. The Answer's nonce makes the emoji known to the caller.
    pub(super) fn open_accepted(&mut self, device: DeviceId, sealed: &Blob) -> Option<Signal> {
        let Side::Caller(caller) = &mut self.side else { return None };
        // The first one that opened has the call; a repetition, or a second winner, is not heard.
        if self.session.is_some() {
            return None;
        }
        let Some(outgoing) = caller.outgoing.remove(&device) else { return Some(Signal::BadAnswer) };
        match outgoing.open_answer(sealed) {
            Ok((answer, session)) => {
                self.emoji = Some(session.safety_emoji(&caller.nonce, &answer.nonce).map(Emoji::from));
                self.session = Some((device, session));
                Some(Signal::Accepted { device, description: answer.description, video: answer.video })
            }
            Err(error) => {
                tracing::warn!(%error, "an answer could not be opened");
                Some(Signal::BadAnswer)
            }
        }
    }

    /// Opens a relayed box. One that does not open, or comes twice, is dropped.
    pub(super) fn open_relay(&mut self, from: DeviceId, seq: u64, sealed: &Blob) -> Vec<Signal> {
        let Some((with, session)) = &mut self.session else { return Vec::new() };
        if *with != from {
            return Vec::new();
        }
        let payload = match session.open(seq, sealed) {
            Ok(payload) => payload,
            Err(error) => {
                tracing::debug!(%error, "a relayed box was dropped");
                return Vec::new();
            }
        };
        let checked = match (&self.side, &payload) {
            (Side::Callee(callee), Payload::Confirm { nonce }) => {
                let valid = commitment::check(&callee.commitment, nonce).is_ok();
                if valid {
                    self.emoji = Some(session.safety_emoji(nonce, &callee.nonce).map(Emoji::from));
                }
                Some(Signal::ConfirmChecked { from_device: from, valid })
            }
            (Side::Caller(_) | Side::Callee(_), _) => None,
        };
        std::iter::once(Signal::Payload { from_device: from, payload }).chain(checked).collect()
    }

    /// Seals a payload for the other end.
    pub(super) fn seal_relay(&mut self, to_device: DeviceId, payload: &Payload) -> Option<ClientFrame> {
        let (with, session) = self.session.as_mut()?;
        if *with != to_device {
            return None;
        }
        match session.seal(payload) {
            Ok((seq, sealed)) => Some(ClientFrame::Relay { call: self.context.call, to_device, seq, sealed }),
            Err(error) => {
                tracing::warn!(%error, "a payload could not be sealed");
                None
            }
        }
    }
}

/// Length of a box that nobody can open, where there is no other to be like.
const EMPTY_BOX: usize = 96 + 2048;

fn random(length: usize) -> Blob {
    let mut bytes = vec![0; length];
    rand::rng().fill_bytes(&mut bytes);
    Blob(bytes)
}

/// What a `create` is made of besides the devices.
#[derive(Debug, Clone)]
pub(super) struct Placing {
    pub(super) media: Media,
    pub(super) expires_in: Millis,
    pub(super) description: Description,
    pub(super) commitment: Bytes32,
}

#[cfg(test)]
mod tests;
