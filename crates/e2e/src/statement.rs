//! Signed statements: Ed25519 over `context ‖ 0x00 ‖ body` (`PROTOCOL.md`, section 2).
//!
//! Verification is strict: RFC 8032, section 5.1.7, and keys or nonces of small order are refused, so that one
//! signature never fits two statements. A body is parsed only after its signature has been verified.

use carillon_wire::signed::Signed;
use carillon_wire::{Blob, Bytes32, Millis, Signature, UnixMillis};
use ed25519_dalek::VerifyingKey;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How far two clocks may be apart when a statement's time is checked.
pub const CLOCK_ALLOWANCE: Millis = Millis::from_secs(5 * 60);

/// Why a statement is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The key or the signature is no good, or they do not fit the body.
    #[error("the signature does not fit")]
    Signature,
    /// The signature fits, but the body is not the statement it should be.
    #[error("the statement can't be read")]
    Malformed,
    /// A statement to be signed could not be written as JSON.
    #[error("the statement can't be written")]
    Encoding,
}

/// Verifies a statement under `key` and `context`, then parses it.
///
/// # Errors
/// [`StatementError::Signature`] or [`StatementError::Malformed`].
pub fn verify<T: DeserializeOwned>(
    key: &Bytes32,
    context: &str,
    statement: &Signed,
) -> Result<T, StatementError> {
    verify_bytes(key, &message(context, statement.body.as_ref()), &statement.signature)?;
    serde_json::from_slice(statement.body.as_ref()).map_err(|_| StatementError::Malformed)
}

/// Signs a statement: `sign` is given the bytes to sign.
pub(crate) fn sign(
    sign: impl FnOnce(&[u8]) -> Signature,
    context: &str,
    statement: &impl Serialize,
) -> Result<Signed, StatementError> {
    let body = serde_json::to_vec(statement).map_err(|_| StatementError::Encoding)?;
    let signature = sign(&message(context, &body));
    Ok(Signed { body: Blob(body), signature })
}

/// Verifies a signature strictly.
pub(crate) fn verify_bytes(
    key: &Bytes32,
    message: &[u8],
    signature: &Signature,
) -> Result<(), StatementError> {
    let key = VerifyingKey::from_bytes(&key.0).map_err(|_| StatementError::Signature)?;
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    key.verify_strict(message, &signature).map_err(|_| StatementError::Signature)
}

fn message(context: &str, body: &[u8]) -> Vec<u8> {
    [context.as_bytes(), &[0], body].concat()
}

/// Where a moment lies in the time in which a statement counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Validity {
    Future,
    Current,
    Past,
}

/// Compares with [`CLOCK_ALLOWANCE`] at both ends.
pub(crate) fn validity(issued_at: UnixMillis, expires_at: UnixMillis, now: UnixMillis) -> Validity {
    if now.after(CLOCK_ALLOWANCE) < issued_at {
        Validity::Future
    } else if now.before(CLOCK_ALLOWANCE) >= expires_at {
        Validity::Past
    } else {
        Validity::Current
    }
}
