//! Byte strings as JSON carries them: base64url without padding (RFC 4648, section 5).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a text is not the byte string that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BytesError {
    /// A character outside the alphabet, or padding.
    #[error("not base64url without padding")]
    Encoding,
    /// The right alphabet, the wrong number of bytes.
    #[error("expected {expected} bytes, found {found}")]
    Length {
        /// How many bytes the field has.
        expected: usize,
        /// How many there were.
        found: usize,
    },
}

/// Encodes bytes as base64url without padding.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes base64url without padding.
///
/// # Errors
/// [`BytesError::Encoding`] when the text has another alphabet or padding.
pub fn decode(text: &str) -> Result<Vec<u8>, BytesError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| BytesError::Encoding)
}

/// A byte string of any length: sealed boxes, signed bodies, pictures.
#[derive(Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Blob(pub Vec<u8>);

impl Blob {
    /// Length in bytes, before encoding.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no byte at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The length alone: boxes are ciphertext and of no use in a log.
impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        decode(&text).map(Self).map_err(de::Error::custom)
    }
}

/// Exactly `N` bytes: keys, nonces, hashes, signatures.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(as = "String"))]
pub struct Fixed<const N: usize>(pub [u8; N]);

/// An Ed25519 or X25519 public key, a nonce, or a SHA-256 hash.
pub type Bytes32 = Fixed<32>;

/// An Ed25519 signature (RFC 8032).
pub type Signature = Fixed<64>;

impl<const N: usize> Fixed<N> {
    /// Parses base64url without padding.
    ///
    /// # Errors
    /// [`BytesError`] when the alphabet or the length is another.
    pub fn parse(text: &str) -> Result<Self, BytesError> {
        let bytes = decode(text)?;
        let found = bytes.len();
        bytes.try_into().map(Self).map_err(|_| BytesError::Length { expected: N, found })
    }
}

impl<const N: usize> From<[u8; N]> for Fixed<N> {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
}

impl<const N: usize> AsRef<[u8]> for Fixed<N> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> fmt::Display for Fixed<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&self.0))
    }
}

/// The first six characters: enough to tell two apart in a test, too few to be of use.
impl<const N: usize> fmt::Debug for Fixed<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = encode(&self.0);
        write!(f, "Fixed<{N}>({}…)", text.get(..6).unwrap_or(&text))
    }
}

impl<const N: usize> Serialize for Fixed<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Fixed<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}
