//! Account, device and issuer keys (Ed25519, RFC 8032), prekeys (X25519, RFC 7748), and the ids derived from them.
//!
//! Every key is generated from a random source that the caller brings, or read back from the 32 secret bytes that
//! [`secret`](AccountKey::secret) gave for the key store. Secrets are wiped when dropped and hidden from `Debug`.

use std::fmt;

use carillon_wire::signed::{Badge, CONTEXT_BADGE, CONTEXT_DEVICE, DeviceCertificate, Signed};
use carillon_wire::{AccountId, Bytes32, DeviceId, Handle, Signature, UnixMillis, limits};
use ed25519_dalek::{Signer as _, SigningKey};
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::statement::{self, StatementError};

/// First bytes of what an account id is the hash of.
const CONTEXT_ACCOUNT_ID: &[u8] = b"carillon account v1";
/// First bytes of what a device id is the hash of.
const CONTEXT_DEVICE_ID: &[u8] = b"carillon device v1";

/// The id of the account whose key this is (`PROTOCOL.md`, section 2).
pub fn account_id(account_key: &Bytes32) -> AccountId {
    AccountId::new(id(CONTEXT_ACCOUNT_ID, account_key))
}

/// The id of the device whose key this is (`PROTOCOL.md`, section 2).
pub fn device_id(device_key: &Bytes32) -> DeviceId {
    DeviceId::new(id(CONTEXT_DEVICE_ID, device_key))
}

fn id(context: &[u8], key: &Bytes32) -> [u8; 16] {
    let hash = Sha256::new().chain_update(context).chain_update([0]).chain_update(key.0).finalize();
    let mut id = [0; 16];
    id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    id
}

/// 32 random bytes, wiped when dropped.
pub(crate) fn random_secret(rng: &mut (impl CryptoRng + ?Sized)) -> Zeroizing<[u8; 32]> {
    let mut secret = Zeroizing::new([0; 32]);
    rng.fill_bytes(secret.as_mut_slice());
    secret
}

macro_rules! signing_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name(SigningKey);

        impl $name {
            /// Draws a new key.
            pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
                Self::from_secret(&random_secret(rng))
            }

            /// The key of these 32 secret bytes: the seed of RFC 8032, section 5.1.5. Every value is a key.
            pub fn from_secret(secret: &[u8; 32]) -> Self {
                Self(SigningKey::from_bytes(secret))
            }

            /// The 32 secret bytes, for the key store.
            pub fn secret(&self) -> Zeroizing<[u8; 32]> {
                Zeroizing::new(self.0.to_bytes())
            }

            /// The public key.
            pub fn public(&self) -> Bytes32 {
                self.0.verifying_key().to_bytes().into()
            }

            pub(crate) fn sign(&self, message: &[u8]) -> Signature {
                self.0.sign(message).to_bytes().into()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "([redacted])"))
            }
        }
    };
}

signing_key!(
    /// The key that is an account. Every device of the account has it, and the recovery phrase restores it.
    AccountKey
);
signing_key!(
    /// The key that is a device: it signs the server's challenges and never leaves the device.
    DeviceKey
);
signing_key!(
    /// The server's key that signs badges.
    IssuerKey
);

impl AccountKey {
    /// The id of the account.
    pub fn id(&self) -> AccountId {
        account_id(&self.public())
    }

    /// Certifies a device of this account, this one or a further one, from `issued_at` on for
    /// [`limits::CERTIFICATE_TTL`]. `seq` must be higher than in every earlier certificate of the device.
    ///
    /// # Errors
    /// [`StatementError::Encoding`], if the certificate could not be written as JSON.
    pub fn certify(
        &self,
        device_key: &Bytes32,
        prekey: &Bytes32,
        seq: u64,
        issued_at: UnixMillis,
    ) -> Result<Signed, StatementError> {
        let certificate = DeviceCertificate {
            account: self.id(),
            device: device_id(device_key),
            device_key: *device_key,
            prekey: *prekey,
            seq,
            issued_at,
            expires_at: issued_at.after(limits::CERTIFICATE_TTL),
        };
        statement::sign(|message| self.sign(message), CONTEXT_DEVICE, &certificate)
    }
}

impl DeviceKey {
    /// The id of the device.
    pub fn id(&self) -> DeviceId {
        device_id(&self.public())
    }
}

impl IssuerKey {
    /// Issues a badge for exactly this account: it belongs to whom its handle says.
    ///
    /// # Errors
    /// [`StatementError::Encoding`], if the badge could not be written as JSON.
    pub fn issue(
        &self,
        account: AccountId,
        handle: &Handle,
        issued_at: UnixMillis,
        expires_at: UnixMillis,
    ) -> Result<Signed, StatementError> {
        let badge = Badge { account, handle: handle.clone(), issued_at, expires_at };
        statement::sign(|message| self.sign(message), CONTEXT_BADGE, &badge)
    }
}

/// A device's static key in Noise. Replaced every [`limits::PREKEY_ROTATION`]; the one before is kept until its
/// certificate has expired, for Offers that were sealed to it.
pub struct Prekey(StaticSecret);

impl Prekey {
    /// Draws a new prekey.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self::from_secret(&random_secret(rng))
    }

    /// The prekey of these 32 secret bytes (RFC 7748, section 5). Every value is a key.
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(StaticSecret::from(*secret))
    }

    /// The 32 secret bytes, for the key store.
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public key.
    pub fn public(&self) -> Bytes32 {
        PublicKey::from(&self.0).to_bytes().into()
    }
}

impl fmt::Debug for Prekey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prekey([redacted])")
    }
}
