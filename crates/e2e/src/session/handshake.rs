//! The two messages of the handshake, and what each side checks.

use std::fmt;

use carillon_wire::payload::{Answer, Offer, Payload};
use carillon_wire::{Blob, Bytes32, DeviceId, UnixMillis};
use rand_core::CryptoRng;
use snow::HandshakeState;
use zeroize::Zeroizing;

use super::{CallContext, SealError, Session, decode, encode, plaintext_length};
use crate::certificate::{VerifiedDevice, verify_credentials};
use crate::keys::{Prekey, random_secret};
use crate::noise::{self, OVERHEAD_1, OVERHEAD_2};
use crate::replay::{ReplayCache, ReplayEntry};
use crate::statement::CLOCK_ALLOWANCE;

/// The caller's side of a call to one device, from the sealed Offer to the opened Answer.
pub struct Outgoing {
    handshake: HandshakeState,
    callee: DeviceId,
}

impl Outgoing {
    /// Seals an Offer for one device of the callee. `prekey` is this device's own, the one that is certified in the
    /// Offer's credentials.
    ///
    /// # Errors
    /// [`SealError::OtherDevice`] when `callee` is not a device of the account that the call is for,
    /// [`SealError::TooLarge`] when the Offer fits no box, [`SealError::WeakKey`] for a prekey of small order.
    pub fn seal_offer(
        rng: &mut (impl CryptoRng + ?Sized),
        context: &CallContext,
        prekey: &Prekey,
        callee: &VerifiedDevice,
        offer: &Offer,
    ) -> Result<(Self, Blob), SealError> {
        if callee.account() != context.callee {
            return Err(SealError::OtherDevice);
        }
        let plaintext = encode(&Payload::Offer(offer.clone()))?;
        let mut handshake =
            noise::initiator(random_secret(rng), &context.prologue(), &prekey.secret(), &callee.prekey().0)?;
        let sealed = write(&mut handshake, &plaintext, OVERHEAD_1)?;
        Ok((Self { handshake, callee: callee.device() }, sealed))
    }

    /// The device that the Offer was sealed for, and the only one whose Answer opens.
    pub const fn callee(&self) -> DeviceId {
        self.callee
    }

    /// Opens the Answer to this Offer. If this fails, end the call with `security`: nobody but the server could have
    /// changed the Answer.
    ///
    /// # Errors
    /// [`SealError::Length`], [`SealError::Unreadable`], [`SealError::WeakKey`], [`SealError::Malformed`] or
    /// [`SealError::WrongPayload`].
    pub fn open_answer(mut self, sealed: &Blob) -> Result<(Answer, Session), SealError> {
        let plaintext = read(&mut self.handshake, sealed, OVERHEAD_2)?;
        match decode(&plaintext)? {
            Payload::Answer(answer) => Ok((answer, Session::new(self.handshake)?)),
            _ => Err(SealError::WrongPayload),
        }
    }
}

/// The callee's side of a call, from the opened Offer to the sealed Answer.
pub struct Incoming {
    handshake: HandshakeState,
}

/// An Offer that was opened and found good.
#[derive(Debug)]
pub struct OpenedOffer {
    /// Seals the Answer, if the person accepts.
    pub incoming: Incoming,
    /// The Offer.
    pub offer: Offer,
    /// Who calls: the certificate in the Offer's credentials, verified.
    pub caller: VerifiedDevice,
    /// What the replay cache now remembers. A client that keeps it on disk does so when the call has stopped ringing:
    /// the same `ring` may have to be opened again when it was interrupted.
    pub replay: ReplayEntry,
}

impl Incoming {
    /// Opens the Offer in a `ring` and checks everything that section 7 of `PROTOCOL.md` asks for, before anything
    /// is shown. `prekeys` are this device's own, the current one first; `from_device` is the caller's device as the
    /// server names it.
    ///
    /// An Offer is remembered in `cache` only when this is `Ok`, so that garbage does not fill it.
    ///
    /// # Errors
    /// Every [`SealError`] but [`SealError::TooLarge`] and [`SealError::Exhausted`].
    pub fn open_offer(
        rng: &mut (impl CryptoRng + ?Sized),
        context: &CallContext,
        prekeys: &[Prekey],
        from_device: DeviceId,
        sealed: &Blob,
        now: UnixMillis,
        cache: &mut ReplayCache,
    ) -> Result<OpenedOffer, SealError> {
        plaintext_length(sealed.len(), OVERHEAD_1)?;
        let hash = cache.check(sealed)?;
        let (handshake, plaintext) = open_with_any(rng, context, prekeys, sealed)?;
        let Payload::Offer(offer) = decode(&plaintext)? else {
            return Err(SealError::WrongPayload);
        };
        let caller = verify_credentials(&offer.credentials, now)?;
        if caller.account() != context.caller || caller.device() != from_device {
            return Err(SealError::OtherDevice);
        }
        if handshake.get_remote_static() != Some(caller.prekey().as_ref()) {
            return Err(SealError::OtherPrekey);
        }
        let replay = ReplayEntry { hash, expires_at: caller.expires_at().after(CLOCK_ALLOWANCE) };
        cache.remember(replay, now)?;
        Ok(OpenedOffer { incoming: Self { handshake }, offer, caller, replay })
    }

    /// Seals the Answer, once. Keep the box: `accept` may have to be sent again, and must be the same then.
    ///
    /// # Errors
    /// [`SealError::TooLarge`], or [`SealError::WeakKey`] when the caller's ephemeral key is of small order.
    pub fn seal_answer(mut self, answer: &Answer) -> Result<(Blob, Session), SealError> {
        let plaintext = encode(&Payload::Answer(answer.clone()))?;
        let sealed = write(&mut self.handshake, &plaintext, OVERHEAD_2)?;
        Ok((sealed, Session::new(self.handshake)?))
    }
}

/// Tries the prekeys in turn: the Offer may have been sealed just before a rotation.
fn open_with_any(
    rng: &mut (impl CryptoRng + ?Sized),
    context: &CallContext,
    prekeys: &[Prekey],
    sealed: &Blob,
) -> Result<(HandshakeState, Zeroizing<Vec<u8>>), SealError> {
    let prologue = context.prologue();
    let mut failure = SealError::Unreadable;
    for prekey in prekeys {
        let mut handshake = noise::responder(random_secret(rng), &prologue, &prekey.secret())?;
        match read(&mut handshake, sealed, OVERHEAD_1) {
            Ok(plaintext) => return Ok((handshake, plaintext)),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn write(handshake: &mut HandshakeState, plaintext: &[u8], overhead: usize) -> Result<Blob, SealError> {
    let mut sealed = vec![0; plaintext.len() + overhead];
    let written = handshake.write_message(plaintext, &mut sealed)?;
    if written == sealed.len() { Ok(Blob(sealed)) } else { Err(SealError::Unreadable) }
}

fn read(
    handshake: &mut HandshakeState,
    sealed: &Blob,
    overhead: usize,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let mut plaintext = Zeroizing::new(vec![0; plaintext_length(sealed.len(), overhead)?]);
    let read = handshake.read_message(sealed.as_ref(), &mut plaintext)?;
    if read == plaintext.len() { Ok(plaintext) } else { Err(SealError::Unreadable) }
}

/// The handshake hash of a finished handshake.
pub(super) fn handshake_hash(handshake: &HandshakeState) -> Result<Bytes32, SealError> {
    let hash = handshake.get_handshake_hash().try_into().map_err(|_| SealError::Unreadable)?;
    Ok(Bytes32::from(<[u8; 32]>::clone(hash)))
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("callee", &self.callee).finish_non_exhaustive()
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Incoming([redacted])")
    }
}
