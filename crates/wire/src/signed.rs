//! Signed statements: device certificates and badges.
//!
//! A statement travels as the exact bytes that were signed, so nobody has to rebuild them: `body` is a JSON
//! text as bytes, `signature` is Ed25519 over `context ‖ 0x00 ‖ body`. Verify first, parse afterwards.

use serde::{Deserialize, Serialize};

use crate::bytes::{Blob, Bytes32, Signature};
use crate::id::{AccountId, DeviceId, Handle};
use crate::time::UnixMillis;

/// Context of the signature of a [`DeviceCertificate`].
pub const CONTEXT_DEVICE: &str = "carillon device certificate v1";
/// Context of the signature of a [`Badge`].
pub const CONTEXT_BADGE: &str = "carillon badge v1";
/// Context of the signature of a socket's challenge.
pub const CONTEXT_HELLO: &str = "carillon hello v1";
/// Context of the signature of a REST challenge (sign up, sign in, add a device).
pub const CONTEXT_SESSION: &str = "carillon session v1";

/// The bytes that were signed, with the signature.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Signed {
    /// The statement: a JSON text, as bytes.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub body: Blob,
    /// Ed25519 over `context ‖ 0x00 ‖ body`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub signature: Signature,
}

/// What an account key says about one device. Signed by the account key, context [`CONTEXT_DEVICE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCertificate {
    /// The account; must be the id derived from the signing account key.
    pub account: AccountId,
    /// The device; must be the id derived from `device_key`.
    pub device: DeviceId,
    /// Ed25519 key with which the device signs challenges.
    pub device_key: Bytes32,
    /// X25519 key: the device's static key in Noise.
    pub prekey: Bytes32,
    /// Grows with every renewal; a device never accepts a lower one than it has seen.
    pub seq: u64,
    /// From when it counts.
    pub issued_at: UnixMillis,
    /// Until when it counts.
    pub expires_at: UnixMillis,
}

/// What an issuer says about an account: it belongs to whom its handle says. Signed by the issuer key, context
/// [`CONTEXT_BADGE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Badge {
    /// The account that the badge is for, and no other.
    pub account: AccountId,
    /// Its handle at the time of issue.
    pub handle: Handle,
    /// From when it counts.
    pub issued_at: UnixMillis,
    /// Until when it counts.
    pub expires_at: UnixMillis,
}

/// What a device shows of itself: the account key, the certificate signed with it, a badge if there is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Credentials {
    /// Ed25519 public key of the account.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub account_key: Bytes32,
    /// A signed [`DeviceCertificate`].
    pub certificate: Signed,
    /// A signed [`Badge`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub badge: Option<Signed>,
}
