//! What is relayed after the handshake.

use std::fmt;

use carillon_wire::payload::Payload;
use carillon_wire::{Blob, Bytes32};
use snow::{HandshakeState, StatelessTransportState};
use zeroize::Zeroizing;

use super::handshake::handshake_hash;
use super::window::Window;
use super::{SealError, decode, encode, plaintext_length};
use crate::emoji::{Emoji, safety_emoji};
use crate::noise::TAG;

/// A finished handshake: seals and opens what the two devices relay to each other.
///
/// Each direction counts its boxes from 0; the number is the Noise nonce and travels beside the box as `seq`. Boxes
/// may come in any order, each number once.
pub struct Session {
    transport: StatelessTransportState,
    handshake_hash: Bytes32,
    next: u64,
    received: Window,
}

impl Session {
    pub(super) fn new(handshake: HandshakeState) -> Result<Self, SealError> {
        let handshake_hash = handshake_hash(&handshake)?;
        let transport = handshake.into_stateless_transport_mode()?;
        Ok(Self { transport, handshake_hash, next: 0, received: Window::new() })
    }

    /// The Noise handshake hash: the same at both ends, different if anybody stands between them.
    pub const fn handshake_hash(&self) -> Bytes32 {
        self.handshake_hash
    }

    /// The seven emoji of this call, once both nonces are known and the commitment has been checked.
    pub fn safety_emoji(&self, caller_nonce: &Bytes32, callee_nonce: &Bytes32) -> [&'static Emoji; 7] {
        safety_emoji(&self.handshake_hash, caller_nonce, callee_nonce)
    }

    /// Seals the next payload: the `seq` and `box` of a `relay` frame. To repeat a frame, send the same box again;
    /// never seal the payload anew for it.
    ///
    /// # Errors
    /// [`SealError::WrongPayload`] for an Offer, an Answer or [`Payload::Unknown`], [`SealError::TooLarge`],
    /// [`SealError::Exhausted`].
    pub fn seal(&mut self, payload: &Payload) -> Result<(u64, Blob), SealError> {
        if !relayed(payload) || matches!(payload, Payload::Unknown) {
            return Err(SealError::WrongPayload);
        }
        let seq = self.next;
        let following = seq.checked_add(1).ok_or(SealError::Exhausted)?;
        let plaintext = encode(payload)?;
        // The number is spent before it is used: whatever fails, it can't be used a second time.
        self.next = following;
        let mut sealed = vec![0; plaintext.len() + TAG];
        let written = self.transport.write_message(seq, &plaintext, &mut sealed)?;
        if written == sealed.len() { Ok((seq, Blob(sealed))) } else { Err(SealError::Unreadable) }
    }

    /// Opens the box of a `relay` frame with its `seq`. A box that does not open changes nothing.
    ///
    /// # Errors
    /// [`SealError::Replayed`] for a number that was opened before or lies more than [`Window::SIZE`] behind the
    /// highest: relays come at least once, so drop it. [`SealError::Length`], [`SealError::Unreadable`],
    /// [`SealError::Malformed`] and [`SealError::WrongPayload`] are worth ending the call.
    pub fn open(&mut self, seq: u64, sealed: &Blob) -> Result<Payload, SealError> {
        let length = plaintext_length(sealed.len(), TAG)?;
        if !self.received.is_new(seq) {
            return Err(SealError::Replayed);
        }
        let mut plaintext = Zeroizing::new(vec![0; length]);
        let read = self.transport.read_message(seq, sealed.as_ref(), &mut plaintext)?;
        if read != length {
            return Err(SealError::Unreadable);
        }
        self.received.mark(seq);
        let payload = decode(&plaintext)?;
        if relayed(&payload) { Ok(payload) } else { Err(SealError::WrongPayload) }
    }
}

/// Whether a payload travels by `relay` and not in the handshake.
const fn relayed(payload: &Payload) -> bool {
    !matches!(payload, Payload::Offer(_) | Payload::Answer(_))
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("next", &self.next).finish_non_exhaustive()
    }
}
