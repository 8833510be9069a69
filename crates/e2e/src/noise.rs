//! The primitives of `Noise_IK_25519_ChaChaPoly_BLAKE2s` for `snow`.
//!
//! Not snow's own resolver, for four reasons: it draws from the system's random source, where this crate takes
//! randomness as an argument; it accepts a Diffie-Hellman result of zeros, where this one refuses it (RFC 7748,
//! section 6.1); it leaves keys in memory; and it would bring a second copy of curve25519-dalek.
//! `vectors/noise_ik.json` holds the outcome to the vectors of the cacophony project.

use blake2::{Blake2s256, Digest as _};
use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, Error, HandshakeState};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

const PATTERN: &str = "Noise_IK_25519_ChaChaPoly_BLAKE2s";

/// Bytes that the cipher adds.
pub(crate) const TAG: usize = 16;
/// Bytes of message 1 besides its padded payload: ephemeral key, static key with tag, tag.
pub(crate) const OVERHEAD_1: usize = 32 + 32 + TAG + TAG;
/// Bytes of message 2 besides its padded payload: ephemeral key, tag.
pub(crate) const OVERHEAD_2: usize = 32 + TAG;

/// The caller's side. `ephemeral` must be fresh.
pub(crate) fn initiator(
    ephemeral: Zeroizing<[u8; 32]>,
    prologue: &[u8],
    local: &[u8; 32],
    remote: &[u8; 32],
) -> Result<HandshakeState, Error> {
    builder(ephemeral)?
        .prologue(prologue)?
        .local_private_key(local)?
        .remote_public_key(remote)?
        .build_initiator()
}

/// The callee's side. `ephemeral` must be fresh.
pub(crate) fn responder(
    ephemeral: Zeroizing<[u8; 32]>,
    prologue: &[u8],
    local: &[u8; 32],
) -> Result<HandshakeState, Error> {
    builder(ephemeral)?.prologue(prologue)?.local_private_key(local)?.build_responder()
}

fn builder<'a>(ephemeral: Zeroizing<[u8; 32]>) -> Result<Builder<'a>, Error> {
    Ok(Builder::with_resolver(PATTERN.parse()?, Box::new(Primitives { ephemeral })))
}

struct Primitives {
    ephemeral: Zeroizing<[u8; 32]>,
}

impl CryptoResolver for Primitives {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(OneKey(Some(self.ephemeral.clone()))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| Box::new(X25519::new([0; 32])) as Box<dyn Dh>)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        matches!(choice, HashChoice::Blake2s).then(|| Box::<Blake2s>::default() as Box<dyn Hash>)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        matches!(choice, CipherChoice::ChaChaPoly).then(|| Box::<ChaChaPoly>::default() as Box<dyn Cipher>)
    }
}

/// Gives the ephemeral key that the caller drew, once: each side of IK needs exactly one.
struct OneKey(Option<Zeroizing<[u8; 32]>>);

impl Random for OneKey {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        let key = self.0.take().ok_or(Error::Rng)?;
        if dest.len() != key.len() {
            return Err(Error::Rng);
        }
        dest.copy_from_slice(key.as_slice());
        Ok(())
    }
}

struct X25519 {
    secret: StaticSecret,
    public: PublicKey,
}

impl X25519 {
    fn new(secret: [u8; 32]) -> Self {
        let secret = StaticSecret::from(secret);
        let public = PublicKey::from(&secret);
        Self { secret, public }
    }
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    /// Keys come from this crate alone and have 32 bytes; of any other length nothing is set.
    fn set(&mut self, privkey: &[u8]) {
        if let Ok(secret) = <[u8; 32]>::try_from(privkey) {
            *self = Self::new(secret);
        }
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        let mut secret = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(secret.as_mut_slice())?;
        *self = Self::new(*secret);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn privkey(&self) -> &[u8] {
        self.secret.as_bytes()
    }

    /// snow's buffers are longer than a key of this curve: both are used from their start.
    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let public = PublicKey::from(*pubkey.first_chunk::<32>().ok_or(Error::Dh)?);
        let out = out.first_chunk_mut::<32>().ok_or(Error::Dh)?;
        let shared = self.secret.diffie_hellman(&public);
        if !shared.was_contributory() {
            return Err(Error::Dh);
        }
        *out = shared.to_bytes();
        Ok(())
    }
}

#[derive(Default)]
struct ChaChaPoly {
    key: Zeroizing<[u8; 32]>,
}

impl ChaChaPoly {
    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&(*self.key).into())
    }
}

/// Noise specification, section 12.3: 32 bits of zeros, then the number in little endian.
fn nonce_bytes(nonce: u64) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes.iter_mut().skip(4).zip(nonce.to_le_bytes()).for_each(|(to, from)| *to = from);
    bytes
}

impl Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; 32]) {
        *self.key = *key;
    }

    /// snow has no error here. Where one could be, for a buffer too short, no byte is written and 0 returned: the
    /// callers in this crate compare the length with what they expect.
    fn encrypt(&self, nonce: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let Some((text, rest)) = out.split_at_mut_checked(plaintext.len()) else { return 0 };
        let Some(tag) = rest.first_chunk_mut::<TAG>() else { return 0 };
        let Ok(buffer) = InOutBuf::new(plaintext, text) else { return 0 };
        match self.cipher().encrypt_inout_detached(&nonce_bytes(nonce).into(), authtext, buffer) {
            Ok(computed) => {
                *tag = computed.into();
                plaintext.len() + TAG
            }
            Err(_) => 0,
        }
    }

    fn decrypt(
        &self,
        nonce: u64,
        authtext: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let (text, tag) = ciphertext.split_last_chunk::<TAG>().ok_or(Error::Decrypt)?;
        let out = out.get_mut(..text.len()).ok_or(Error::Decrypt)?;
        let buffer = InOutBuf::new(text, out).map_err(|_| Error::Decrypt)?;
        self.cipher()
            .decrypt_inout_detached(&nonce_bytes(nonce).into(), authtext, buffer, &(*tag).into())
            .map_err(|_| Error::Decrypt)?;
        Ok(text.len())
    }
}

#[derive(Default)]
struct Blake2s(Blake2s256);

impl Hash for Blake2s {
    fn name(&self) -> &'static str {
        "BLAKE2s"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        self.0 = Blake2s256::new();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        let hash = self.0.finalize_reset();
        out.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    }
}

#[cfg(test)]
mod tests {
    use carillon_wire::{Blob, Bytes32};
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vector {
        init_prologue: Blob,
        init_static: Bytes32,
        init_ephemeral: Bytes32,
        init_remote_static: Bytes32,
        resp_static: Bytes32,
        resp_ephemeral: Bytes32,
        handshake_hash: Bytes32,
        messages: Vec<Message>,
    }

    #[derive(Deserialize)]
    struct Message {
        payload: Blob,
        ciphertext: Blob,
    }

    fn vector() -> Vector {
        serde_json::from_str(include_str!("../vectors/noise_ik.json")).unwrap()
    }

    fn both(vector: &Vector) -> (HandshakeState, HandshakeState) {
        let prologue = vector.init_prologue.as_ref();
        let initiator = initiator(
            Zeroizing::new(vector.init_ephemeral.0),
            prologue,
            &vector.init_static.0,
            &vector.init_remote_static.0,
        );
        let ephemeral = Zeroizing::new(vector.resp_ephemeral.0);
        (initiator.unwrap(), responder(ephemeral, prologue, &vector.resp_static.0).unwrap())
    }

    #[test]
    fn handshake_and_transport_agree_with_the_cacophony_vectors() {
        let vector = vector();
        let (mut initiator, mut responder) = both(&vector);
        let (mut sealed, mut opened) = ([0; 256], [0; 256]);
        for (number, message) in vector.messages[..2].iter().enumerate() {
            let (from, to) =
                if number == 0 { (&mut initiator, &mut responder) } else { (&mut responder, &mut initiator) };
            let length = from.write_message(message.payload.as_ref(), &mut sealed).unwrap();
            assert_eq!(&sealed[..length], message.ciphertext.as_ref());
            let length = to.read_message(&sealed[..length], &mut opened).unwrap();
            assert_eq!(&opened[..length], message.payload.as_ref());
        }
        assert_eq!(initiator.get_handshake_hash(), vector.handshake_hash.as_ref());
        let initiator = initiator.into_stateless_transport_mode().unwrap();
        let responder = responder.into_stateless_transport_mode().unwrap();
        for (number, message) in vector.messages[2..].iter().enumerate() {
            let from = if number % 2 == 0 { &initiator } else { &responder };
            let nonce = number as u64 / 2;
            let length = from.write_message(nonce, message.payload.as_ref(), &mut sealed).unwrap();
            assert_eq!(&sealed[..length], message.ciphertext.as_ref());
        }
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        let vector = vector();
        let secret = [7; 32];
        for small in [[0; 32], {
            let mut one = [0; 32];
            one[0] = 1;
            one
        }] {
            let ephemeral = Zeroizing::new(vector.init_ephemeral.0);
            let mut initiator = initiator(ephemeral, &[], &secret, &small).unwrap();
            assert_eq!(initiator.write_message(&[], &mut [0; 256]), Err(Error::Dh));
        }
    }

    #[test]
    fn a_buffer_too_short_is_an_error_and_no_panic() {
        let (mut initiator, mut responder) = both(&vector());
        let mut sealed = [0; 96];
        for length in 0..96 {
            assert!(initiator.write_message(&[], &mut sealed[..length]).is_err());
        }
        assert_eq!(
            initiator.write_message(&[], &mut sealed),
            Err(Error::Rng),
            "the ephemeral key is used once"
        );
        for length in 0..96 {
            assert!(responder.read_message(&sealed[..length], &mut []).is_err());
        }
    }
}
