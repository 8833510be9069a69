//! Device certificates: what an account key says about a device.
//!
//! The only way to a [`VerifiedDevice`] is through a certificate that was signed by the account's key, whose ids fit
//! its keys and whose time has not run out.

use carillon_wire::signed::{CONTEXT_DEVICE, Credentials, DeviceCertificate, Signed};
use carillon_wire::{AccountId, Bytes32, DeviceId, UnixMillis, limits};

use crate::keys::{account_id, device_id};
use crate::statement::{self, StatementError, Validity, validity};

/// Why a certificate does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not signed by this account key.
    #[error("the certificate is not signed by this account")]
    Signature,
    /// Signed, but not a certificate.
    #[error("the certificate can't be read")]
    Malformed,
    /// The account id is not the account key's.
    #[error("the certificate names another account than its key")]
    OtherAccount,
    /// The device id is not the device key's, or not the device that was asked for.
    #[error("the certificate is for another device")]
    OtherDevice,
    /// It counts for longer than [`limits::CERTIFICATE_TTL`], or not at all.
    #[error("the certificate counts for too long a time")]
    Lifetime,
    /// Issued later than now.
    #[error("the certificate does not count yet")]
    NotYetValid,
    /// Its time is over.
    #[error("the certificate has expired")]
    Expired,
    /// A newer one of the same device has been seen.
    #[error("the certificate is older than one seen before")]
    OldSeq,
}

impl From<StatementError> for CertificateError {
    fn from(error: StatementError) -> Self {
        match error {
            StatementError::Signature => Self::Signature,
            StatementError::Malformed | StatementError::Encoding => Self::Malformed,
        }
    }
}

/// A device whose certificate has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedDevice {
    account_key: Bytes32,
    certificate: DeviceCertificate,
}

impl VerifiedDevice {
    /// Whose device it is.
    pub const fn account(&self) -> AccountId {
        self.certificate.account
    }

    /// The key of the account.
    pub const fn account_key(&self) -> Bytes32 {
        self.account_key
    }

    /// Which device.
    pub const fn device(&self) -> DeviceId {
        self.certificate.device
    }

    /// The Ed25519 key with which the device signs challenges.
    pub const fn device_key(&self) -> Bytes32 {
        self.certificate.device_key
    }

    /// The X25519 key that Offers for the device are sealed to.
    pub const fn prekey(&self) -> Bytes32 {
        self.certificate.prekey
    }

    /// Grows with every renewal.
    pub const fn seq(&self) -> u64 {
        self.certificate.seq
    }

    /// From when the certificate counts.
    pub const fn issued_at(&self) -> UnixMillis {
        self.certificate.issued_at
    }

    /// Until when the certificate counts.
    pub const fn expires_at(&self) -> UnixMillis {
        self.certificate.expires_at
    }

    /// Whether the device should draw a new prekey and renew the certificate: it is
    /// [`limits::PREKEY_ROTATION`] old, or does not count at `now`.
    pub fn needs_renewal(&self, now: UnixMillis) -> bool {
        now.since(self.issued_at()) >= limits::PREKEY_ROTATION
            || validity(self.issued_at(), self.expires_at(), now) != Validity::Current
    }

    /// Refuses a certificate older than one of the same device that was seen before: a server could otherwise go
    /// on giving out a prekey that has been replaced. `seen` is the highest `seq` kept for the device; keep
    /// [`seq`](Self::seq) when this is `Ok`.
    ///
    /// # Errors
    /// [`CertificateError::OldSeq`].
    pub fn check_seq(&self, seen: Option<u64>) -> Result<(), CertificateError> {
        if seen.is_some_and(|seen| self.seq() < seen) { Err(CertificateError::OldSeq) } else { Ok(()) }
    }
}

/// Verifies what a device shows of itself, apart from the badge (see [`verify_badge`](crate::verify_badge)).
///
/// # Errors
/// Those of [`verify_certificate`].
pub fn verify_credentials(
    credentials: &Credentials,
    now: UnixMillis,
) -> Result<VerifiedDevice, CertificateError> {
    verify_certificate(&credentials.account_key, &credentials.certificate, now)
}

/// Verifies one certificate of the account with this key. Whether it is the account that was meant is for the caller
/// to compare.
///
/// # Errors
/// Every [`CertificateError`] but [`CertificateError::OldSeq`].
pub fn verify_certificate(
    account_key: &Bytes32,
    certificate: &Signed,
    now: UnixMillis,
) -> Result<VerifiedDevice, CertificateError> {
    let certificate: DeviceCertificate = statement::verify(account_key, CONTEXT_DEVICE, certificate)?;
    if certificate.account != account_id(account_key) {
        return Err(CertificateError::OtherAccount);
    }
    if certificate.device != device_id(&certificate.device_key) {
        return Err(CertificateError::OtherDevice);
    }
    let (issued_at, expires_at) = (certificate.issued_at, certificate.expires_at);
    if expires_at <= issued_at || expires_at.since(issued_at) > limits::CERTIFICATE_TTL {
        return Err(CertificateError::Lifetime);
    }
    match validity(issued_at, expires_at, now) {
        Validity::Future => Err(CertificateError::NotYetValid),
        Validity::Past => Err(CertificateError::Expired),
        Validity::Current => Ok(VerifiedDevice { account_key: *account_key, certificate }),
    }
}
