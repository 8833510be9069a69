//! Challenges for REST, which are not stored when they are given out.
//!
//! A nonce is `given out at (8 bytes) ‖ random (8) ‖ HMAC-SHA-256 of both (first 16)`. So anybody may ask for as many as
//! they like without a row being written, every node of a server knows the challenges of the others, and a restart
//! loses none. That one is answered only once is kept by the store, in the transaction that the answer allows.

use std::fmt;

use carillon_wire::limits::CHALLENGE_TTL;
use carillon_wire::{Bytes32, UnixMillis};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const LABEL: &[u8] = b"carillon challenge nonce v1\0";

/// Gives out nonces and recognises them.
pub struct Challenges {
    key: [u8; 32],
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenges([redacted])")
    }
}

impl Challenges {
    /// With a key that every node of the server shares.
    pub const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// A nonce that counts from `now` for [`CHALLENGE_TTL`].
    pub fn give(&self, random: [u8; 8], now: UnixMillis) -> Bytes32 {
        let mut nonce = [0; 32];
        let (head, tag) = nonce.split_at_mut(16);
        head[..8].copy_from_slice(&now.0.to_be_bytes());
        head[8..].copy_from_slice(&random);
        tag.copy_from_slice(&self.mac(head).finalize().into_bytes()[..16]);
        nonce.into()
    }

    /// Whether this server gave the nonce out, not too long ago.
    pub fn is_current(&self, nonce: &Bytes32, now: UnixMillis) -> bool {
        let (head, tag) = nonce.0.split_at(16);
        if self.mac(head).verify_truncated_left(tag).is_err() {
            return false;
        }
        let Some(&given) = head.first_chunk::<8>() else { return false };
        let given = UnixMillis(u64::from_be_bytes(given));
        given <= now && now < given.after(CHALLENGE_TTL)
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104, section 3)")]
    fn mac(&self, head: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("any length");
        mac.update(LABEL);
        mac.update(head);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    #[test]
    fn a_challenge_counts_for_a_minute() {
        let challenges = Challenges::new([7; 32]);
        let nonce = challenges.give([1; 8], NOW);
        assert!(challenges.is_current(&nonce, NOW));
        assert!(challenges.is_current(&nonce, NOW.after(CHALLENGE_TTL).before(carillon_wire::Millis(1))));
        assert!(!challenges.is_current(&nonce, NOW.after(CHALLENGE_TTL)));
        assert!(!challenges.is_current(&nonce, NOW.before(carillon_wire::Millis(1))));
    }

    #[test]
    fn a_challenge_that_was_edited_or_comes_from_elsewhere_does_not_count() {
        let challenges = Challenges::new([7; 32]);
        let nonce = challenges.give([1; 8], NOW);
        for index in 0..32 {
            let mut edited = nonce;
            edited.0[index] ^= 1;
            assert!(!challenges.is_current(&edited, NOW), "byte {index}");
        }
        assert!(!Challenges::new([8; 32]).is_current(&nonce, NOW));
    }
}
