//! The commitment in front of the safety emoji: the caller fixes nonce a before it knows nonce b, so neither side,
//! nor somebody in between, can choose the emoji (`PROTOCOL.md`, section 7).

use carillon_wire::Bytes32;
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};

const CONTEXT: &[u8] = b"carillon commitment v1";

/// The revealed nonce is not the one committed to: end the call with `security`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the revealed nonce is not the one committed to")]
pub struct CommitmentError;

/// Draws nonce a or nonce b: fresh for every call.
pub fn nonce(rng: &mut (impl CryptoRng + ?Sized)) -> Bytes32 {
    let mut nonce = [0; 32];
    rng.fill_bytes(&mut nonce);
    nonce.into()
}

/// The Offer's `commitment` to nonce a.
pub fn commit(nonce: &Bytes32) -> Bytes32 {
    let hash = Sha256::new().chain_update(CONTEXT).chain_update([0]).chain_update(nonce.0).finalize();
    Bytes32::from(<[u8; 32]>::from(hash))
}

/// Checks the nonce that `confirm` reveals against the Offer's commitment.
///
/// # Errors
/// [`CommitmentError`], when it is another nonce.
pub fn check(commitment: &Bytes32, nonce: &Bytes32) -> Result<(), CommitmentError> {
    if commit(nonce) == *commitment { Ok(()) } else { Err(CommitmentError) }
}
