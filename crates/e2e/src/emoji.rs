//! The safety emoji: seven pictures that are the same on both screens if, and only if, nobody stands between.
//!
//! 42 bits, which somebody in between has one try to hit: the commitment fixes the caller's nonce before the callee's
//! is known. The table is `crates/e2e/emoji.json` too, for other implementations; its order is part of the protocol.

mod table;

use carillon_wire::Bytes32;
use hkdf::Hkdf;
use sha2::Sha256;
pub use table::TABLE;

const INFO: &[u8] = b"carillon emoji v1";

/// One entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Emoji {
    /// The picture: one Unicode scalar value.
    pub symbol: &'static str,
    /// What to say in English.
    pub english: &'static str,
    /// What to say in French.
    pub french: &'static str,
}

/// The seven emoji of a call: HKDF-SHA-256 (RFC 5869) over the handshake hash and both nonces, 6 bits for each.
pub fn safety_emoji(
    handshake_hash: &Bytes32,
    caller_nonce: &Bytes32,
    callee_nonce: &Bytes32,
) -> [&'static Emoji; 7] {
    let material = [handshake_hash.0, caller_nonce.0, callee_nonce.0].concat();
    let mut bytes = [0; 8];
    #[expect(
        clippy::expect_used,
        reason = "HKDF fails only for more than 255 hashes of output; this is a quarter of one"
    )]
    Hkdf::<Sha256>::new(None, &material).expand(INFO, &mut bytes).expect("8 bytes");
    let bits = u64::from_be_bytes(bytes);
    std::array::from_fn(|position| {
        let number = (bits >> (58 - 6 * position)) as usize % TABLE.len();
        #[expect(clippy::indexing_slicing, reason = "the number is below the length of the table")]
        &TABLE[number]
    })
}
