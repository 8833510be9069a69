//! Keys and trust: what keeps a call between the two people in it.
//!
//! - [`keys`]: account, device and issuer keys (Ed25519), prekeys (X25519), and the ids derived from them;
//! - [`certificate`], [`badge`]: signed statements about devices and accounts, over [`statement`];
//! - [`challenge`]: how a device signs in without a password;
//! - [`session`]: Noise IK from the sealed Offer to the last relayed payload, over [`padding`] and [`replay`];
//! - [`commitment`], [`emoji`]: the seven emoji that both people read to each other;
//! - [`pins`]: which account a handle was first seen with;
//! - [`phrase`]: the recovery phrase of the account key.
//!
//! `PROTOCOL.md` (sections 2, 3 and 7) has the formats, `THREATS.md` says who is kept from what. The golden vectors
//! in `crates/e2e/vectors/` let a second implementation check itself.
//!
//! Time and randomness are arguments everywhere. Nothing that arrives from outside panics; secrets are wiped when
//! dropped and hidden from `Debug`.

pub mod badge;
pub mod certificate;
pub mod challenge;
pub mod commitment;
pub mod emoji;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod keys;
mod noise;
pub mod padding;
pub mod phrase;
pub mod pins;
pub mod replay;
pub mod session;
pub mod statement;

pub use badge::{BadgeError, verify_badge};
pub use certificate::{CertificateError, VerifiedDevice, verify_certificate, verify_credentials};
pub use challenge::{Challenge, ChallengeError};
pub use emoji::safety_emoji;
pub use keys::{AccountKey, DeviceKey, IssuerKey, Prekey, account_id, device_id};
pub use phrase::Phrase;
pub use pins::{PinOutcome, PinStore};
pub use replay::ReplayCache;
pub use session::{CallContext, Incoming, OpenedOffer, Outgoing, SealError, Session};
