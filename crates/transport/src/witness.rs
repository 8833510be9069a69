//! Sees which certificate the other side showed, also when the handshake then fails.
//!
//! The WebRTC stack compares the certificate with the description and breaks the handshake off on a mismatch; it tells
//! nobody. A call that ends like that has to say *security* rather than *no route*. The stack hashes a certificate in
//! order to compare it, and takes its cryptography from outside: so the hash of a certificate that is not our own is
//! noted on the way.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use carillon_wire::Bytes32;
use rtc::crypto::{
    ActiveKeyExchange, AeadAlgorithm, AeadCipher, BlockCipherAlgorithm, CbcAlgorithm, CbcCipher,
    CryptoAlgorithm, CryptoError, HashAlgorithm, HmacAlgorithm, KeyExchangeAlgorithm, Mac, PublicKey,
    RTCCrypto, RTCCryptoProvider, RTCRandom, SignatureScheme, SigningKey, StreamCipher,
    StreamCipherAlgorithm,
};
use tokio::sync::mpsc;

/// The stack's default cryptography, watched.
pub(crate) struct Witness {
    inner: Arc<dyn RTCCryptoProvider>,
    crypto: Watched,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Witness")
    }
}

/// The certificates that were hashed, as they come.
pub(crate) type Seen = mpsc::UnboundedReceiver<Bytes32>;

impl Witness {
    /// # Errors
    /// When the stack was built without any cryptography.
    pub(crate) fn new() -> Result<(Arc<Self>, Seen), CryptoError> {
        let inner = rtc::crypto::default_provider()?;
        let (sender, seen) = mpsc::unbounded_channel();
        let crypto = Watched { inner: Arc::clone(&inner), sender, last: Mutex::new(None) };
        Ok((Arc::new(Self { inner, crypto }), seen))
    }

    /// SHA-256 of a certificate, for one that DTLS has let through.
    pub(crate) fn fingerprint(&self, certificate: &[u8]) -> Option<Bytes32> {
        let hash = self.inner.crypto().hash(HashAlgorithm::Sha256, certificate).ok()?;
        <[u8; 32]>::try_from(hash).ok().map(Bytes32::from)
    }
}

impl RTCCryptoProvider for Witness {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn crypto(&self) -> &dyn RTCCrypto {
        &self.crypto
    }

    fn random(&self) -> &dyn RTCRandom {
        self.inner.random()
    }
}

struct Watched {
    inner: Arc<dyn RTCCryptoProvider>,
    sender: mpsc::UnboundedSender<Bytes32>,
    /// A peer may show the same one again and again.
    last: Mutex<Option<Bytes32>>,
}

impl Watched {
    fn note(&self, hash: &[u8]) {
        let Ok(hash) = <[u8; 32]>::try_from(hash).map(Bytes32::from) else { return };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.replace(hash) != Some(hash) {
            let _ = self.sender.send(hash);
        }
    }
}

/// Whether these bytes are exactly one DER SEQUENCE (X.690, section 8.9), as a certificate is (RFC 5280, section 4.1).
/// Everything else that DTLS hashes starts with the type of a handshake message.
fn is_certificate(bytes: &[u8]) -> bool {
    match *bytes {
        [0x30, 0x82, high, low, ref rest @ ..] => rest.len() == usize::from(u16::from_be_bytes([high, low])),
        [0x30, 0x81, length, ref rest @ ..] => rest.len() == usize::from(length),
        _ => false,
    }
}

impl RTCCrypto for Watched {
    fn supports(&self, algorithm: CryptoAlgorithm) -> bool {
        self.inner.crypto().supports(algorithm)
    }

    fn hash(&self, algorithm: HashAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let hash = self.inner.crypto().hash(algorithm, data)?;
        if algorithm == HashAlgorithm::Sha256 && is_certificate(data) {
            self.note(&hash);
        }
        Ok(hash)
    }

    fn block_encrypt(
        &self,
        algorithm: BlockCipherAlgorithm,
        key: &[u8],
        block: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.inner.crypto().block_encrypt(algorithm, key, block)
    }

    fn new_hmac(&self, algorithm: HmacAlgorithm, key: &[u8]) -> Result<Box<dyn Mac>, CryptoError> {
        self.inner.crypto().new_hmac(algorithm, key)
    }

    fn new_stream_cipher(
        &self,
        algorithm: StreamCipherAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn StreamCipher>, CryptoError> {
        self.inner.crypto().new_stream_cipher(algorithm, key)
    }

    fn new_aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, CryptoError> {
        self.inner.crypto().new_aead(algorithm, key)
    }

    fn new_cbc(&self, algorithm: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, CryptoError> {
        self.inner.crypto().new_cbc(algorithm, key)
    }

    fn start_key_exchange(
        &self,
        algorithm: KeyExchangeAlgorithm,
    ) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        self.inner.crypto().start_key_exchange(algorithm)
    }

    fn generate_signing_key(&self, scheme: SignatureScheme) -> Result<Arc<dyn SigningKey>, CryptoError> {
        self.inner.crypto().generate_signing_key(scheme)
    }

    fn import_signing_key(
        &self,
        scheme: SignatureScheme,
        pkcs8_der: &[u8],
    ) -> Result<Arc<dyn SigningKey>, CryptoError> {
        self.inner.crypto().import_signing_key(scheme, pkcs8_der)
    }

    fn verify_signature(
        &self,
        scheme: SignatureScheme,
        public_key: PublicKey<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.inner.crypto().verify_signature(scheme, public_key, message, signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_sequences_are_noted_and_each_once() {
        let (witness, mut seen) = Witness::new().unwrap();
        let certificate = [&[0x30, 0x82, 0x01, 0x00][..], &[7; 256]].concat();
        let hash = |data: &[u8]| witness.crypto().hash(HashAlgorithm::Sha256, data).unwrap();
        hash(&certificate[..100]);
        hash(&[&[1, 0, 0, 4][..], &[0; 4]].concat());
        assert!(seen.try_recv().is_err());
        let expected = hash(&certificate);
        hash(&certificate);
        assert_eq!(seen.try_recv().unwrap().as_ref(), expected);
        assert!(seen.try_recv().is_err());
    }
}
