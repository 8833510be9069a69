//! Sealed sessions: Noise IK for each call and callee device (`PROTOCOL.md`, section 7).
//!
//! The caller seals an Offer for every device of the callee ([`Outgoing::seal_offer`]); a device opens it
//! ([`Incoming::open_offer`]) and, if its person accepts, seals the Answer ([`Incoming::seal_answer`]); the caller
//! opens that ([`Outgoing::open_answer`]). Both then hold a [`Session`] for what is relayed.
//!
//! What the handshake binds: the call id, both accounts and the protocol version are the prologue, so a box that is
//! moved to another call or account, or a version that somebody lowered, does not open.

mod handshake;
mod transport;
mod window;

pub use handshake::{Incoming, OpenedOffer, Outgoing};
pub use transport::Session;
pub use window::Window;

use carillon_wire::payload::Payload;
use carillon_wire::{AccountId, CallId};
use zeroize::Zeroizing;

use crate::certificate::CertificateError;
use crate::padding::{PaddingError, pad, unpad};
use crate::replay::ReplayError;

const CONTEXT: &[u8] = b"carillon call v1";

/// Which call a session is for. Both ends must have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallContext {
    /// The call.
    pub call: CallId,
    /// Who calls: for the callee, the `from` of the `ring`.
    pub caller: AccountId,
    /// Who is called: for the callee, itself.
    pub callee: AccountId,
    /// The protocol version.
    pub protocol: u16,
}

impl CallContext {
    /// The Noise prologue.
    fn prologue(&self) -> Vec<u8> {
        [
            CONTEXT,
            &[0],
            self.call.as_bytes(),
            self.caller.as_bytes(),
            self.callee.as_bytes(),
            &self.protocol.to_be_bytes(),
        ]
        .concat()
    }
}

/// Why something can't be sealed or is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The payload is larger than the largest box takes.
    #[error("the payload is too large to seal")]
    TooLarge,
    /// No sealed box has this length.
    #[error("the box has a length that no sealed box has")]
    Length,
    /// Edited, for somebody else, for another call, another account or another version of the protocol.
    #[error("the box can't be opened with this device's keys for this call")]
    Unreadable,
    /// It opens, but what is inside is not a padded payload.
    #[error("the opened box has no valid payload")]
    Malformed,
    /// A payload that has no place there: an Offer that is relayed, for example.
    #[error("the payload does not belong there")]
    WrongPayload,
    /// The same message, or one with the same number, has been opened before.
    #[error("the box has been opened before")]
    Replayed,
    /// The replay cache has no room left.
    #[error("too many calls to remember")]
    CacheFull,
    /// The caller's certificate does not count.
    #[error("the caller's certificate does not count: {0}")]
    Certificate(#[from] CertificateError),
    /// The credentials are another account's or device's than the server says, or than the call is for.
    #[error("the credentials are of another account or device than the call")]
    OtherDevice,
    /// The certificate is for another prekey than the handshake was made with.
    #[error("the handshake was made with another key than the certified one")]
    OtherPrekey,
    /// A key that no sound device has: nothing can be kept secret with it.
    #[error("the other device's key can't be used")]
    WeakKey,
    /// All numbers of this direction have been used.
    #[error("the session has no numbers left")]
    Exhausted,
}

impl From<PaddingError> for SealError {
    fn from(error: PaddingError) -> Self {
        match error {
            PaddingError::TooLarge => Self::TooLarge,
            PaddingError::Malformed => Self::Malformed,
        }
    }
}

impl From<ReplayError> for SealError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Seen => Self::Replayed,
            ReplayError::Full => Self::CacheFull,
        }
    }
}

/// snow's other errors say that this crate used it wrongly; to a person they are the same.
impl From<snow::Error> for SealError {
    fn from(error: snow::Error) -> Self {
        match error {
            snow::Error::Dh => Self::WeakKey,
            _ => Self::Unreadable,
        }
    }
}

/// A payload as padded JSON.
pub(crate) fn encode(payload: &Payload) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let json = Zeroizing::new(serde_json::to_vec(payload).map_err(|_| SealError::WrongPayload)?);
    Ok(pad(&json)?)
}

/// The payload in a padded plaintext.
pub(crate) fn decode(padded: &[u8]) -> Result<Payload, SealError> {
    serde_json::from_slice(unpad(padded)?).map_err(|_| SealError::Malformed)
}

/// The length of the plaintext in a box with this overhead, if a sealed box can have that length.
fn plaintext_length(sealed: usize, overhead: usize) -> Result<usize, SealError> {
    let length = sealed.checked_sub(overhead).ok_or(SealError::Length)?;
    if carillon_wire::limits::BOX_BUCKETS.contains(&length) { Ok(length) } else { Err(SealError::Length) }
}
