//! Who this device is: its keys, and the certificate that goes with them.

use std::sync::{PoisonError, RwLock};

use carillon_e2e::challenge::{Challenge, Purpose};
use carillon_e2e::{AccountKey, DeviceKey, Phrase, Prekey, VerifiedDevice};
use carillon_wire::signed::Signed;
use carillon_wire::{AccountId, Bytes32, DeviceId, PROTOCOL, Signature, UnixMillis};
use zeroize::Zeroizing;

use crate::error::{ClientError, LocalCode};
use crate::secrets::{PreviousPrekey, Secret, Secrets};
use crate::trust;

/// The keys of this device and its account. What never changes is here; the prekey and its certificate, which are
/// replaced every week, are behind a lock.
#[derive(Debug)]
pub(crate) struct Identity {
    account_key: AccountKey,
    device_key: DeviceKey,
    account: AccountId,
    device: DeviceId,
    current: RwLock<Current>,
}

/// What a rotation replaces.
struct Current {
    prekey: Prekey,
    previous: Option<PreviousPrekey>,
    certificate: Signed,
    verified: VerifiedDevice,
    published: bool,
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Current").field("published", &self.published).finish_non_exhaustive()
    }
}

impl Identity {
    /// A new device of this account, with keys drawn now.
    pub(crate) fn new_device(account_key: AccountKey, now: UnixMillis) -> Result<Self, ClientError> {
        let mut rng = rand::rng();
        let device_key = DeviceKey::generate(&mut rng);
        let prekey = Prekey::generate(&mut rng);
        let certificate = account_key
            .certify(&device_key.public(), &prekey.public(), 1, now)
            .map_err(|_| LocalCode::Invalid)?;
        // Whoever registers this device gets the certificate with it.
        let current = Current::new(&account_key, prekey, None, certificate, true)?;
        Self::assemble(account_key, device_key, current)
    }

    /// A new account with its first device.
    pub(crate) fn new_account(now: UnixMillis) -> Result<Self, ClientError> {
        Self::new_device(AccountKey::generate(&mut rand::rng()), now)
    }

    /// The device whose keys were kept.
    pub(crate) fn from_secrets(secrets: &Secrets) -> Result<Self, ClientError> {
        let account_key = AccountKey::from_secret(secrets.account_key.expose());
        let current = Current::new(
            &account_key,
            Prekey::from_secret(secrets.prekey.expose()),
            secrets.previous.clone(),
            secrets.certificate.clone(),
            secrets.published,
        )?;
        Self::assemble(account_key, DeviceKey::from_secret(secrets.device_key.expose()), current)
    }

    fn assemble(
        account_key: AccountKey,
        device_key: DeviceKey,
        current: Current,
    ) -> Result<Self, ClientError> {
        let (account, device) = (account_key.id(), device_key.id());
        if current.verified.account() != account || current.verified.device() != device {
            return Err(LocalCode::KeysMissing.into());
        }
        Ok(Self { account_key, device_key, account, device, current: RwLock::new(current) })
    }

    /// What is to be kept of it.
    pub(crate) fn secrets(&self) -> Secrets {
        let current = self.read();
        Secrets {
            version: Secrets::VERSION,
            account_key: Secret::new(self.account_key.secret()),
            device_key: Secret::new(self.device_key.secret()),
            prekey: Secret::new(current.prekey.secret()),
            previous: current.previous.clone(),
            certificate: current.certificate.clone(),
            published: current.published,
        }
    }

    pub(crate) const fn account(&self) -> AccountId {
        self.account
    }

    pub(crate) const fn device(&self) -> DeviceId {
        self.device
    }

    pub(crate) fn account_key(&self) -> Bytes32 {
        self.account_key.public()
    }

    /// The phrase that restores the account on another machine.
    pub(crate) fn phrase(&self, language: carillon_e2e::phrase::Language) -> Zeroizing<String> {
        Phrase::of(&self.account_key, language).to_text()
    }

    /// Signs the server's challenge.
    pub(crate) fn sign_challenge(&self, purpose: Purpose, nonce: &Bytes32, audience: &str) -> Signature {
        Challenge { purpose, nonce, device: self.device, protocol: PROTOCOL, audience }.sign(&self.device_key)
    }

    /// The certificate for this device's credentials.
    pub(crate) fn certificate(&self) -> Signed {
        self.read().certificate.clone()
    }

    /// The prekey that the certificate names, and the certificate.
    pub(crate) fn sealing_keys(&self) -> (Prekey, Signed) {
        let current = self.read();
        (Prekey::from_secret(&current.prekey.secret()), current.certificate.clone())
    }

    /// The prekeys that an Offer may have been sealed to, the current one first.
    pub(crate) fn opening_keys(&self, now: UnixMillis) -> Vec<Prekey> {
        let current = self.read();
        let previous = current
            .previous
            .as_ref()
            .filter(|previous| previous.expires_at.after(carillon_e2e::statement::CLOCK_ALLOWANCE) > now);
        let keys = std::iter::once(Prekey::from_secret(&current.prekey.secret()));
        keys.chain(previous.map(|previous| Prekey::from_secret(previous.prekey.expose()))).collect()
    }

    /// Replaces the prekey when it is a week old. True when something is to be kept and published now.
    ///
    /// As long as a replacement is not published nothing is replaced again: the one before it is still in use.
    pub(crate) fn rotate(&self, now: UnixMillis) -> Result<bool, ClientError> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if !current.published || !current.verified.needs_renewal(now) {
            return Ok(!current.published);
        }
        let prekey = Prekey::generate(&mut rand::rng());
        let seq = current.verified.seq().saturating_add(1);
        let certificate = self
            .account_key
            .certify(&self.device_key.public(), &prekey.public(), seq, now)
            .map_err(|_| LocalCode::Invalid)?;
        let previous = PreviousPrekey {
            prekey: Secret::new(current.prekey.secret()),
            expires_at: current.verified.expires_at(),
        };
        *current = Current::new(&self.account_key, prekey, Some(previous), certificate, false)?;
        Ok(true)
    }

    /// The server has this certificate.
    pub(crate) fn published(&self, certificate: &Signed) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.certificate == *certificate {
            current.published = true;
        }
    }

    /// Nothing that is done under the lock can leave it half done, so a poisoned one is as good as any.
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    fn new(
        account_key: &AccountKey,
        prekey: Prekey,
        previous: Option<PreviousPrekey>,
        certificate: Signed,
        published: bool,
    ) -> Result<Self, ClientError> {
        // One that has expired is renewed, not refused.
        let verified =
            trust::expired(&account_key.public(), &certificate).map_err(|_| LocalCode::KeysMissing)?;
        if verified.prekey() != prekey.public() {
            return Err(LocalCode::KeysMissing.into());
        }
        Ok(Self { prekey, previous, certificate, verified, published })
    }
}

#[cfg(test)]
mod tests {
    use carillon_e2e::verify_certificate;
    use carillon_wire::limits::{CERTIFICATE_TTL, PREKEY_ROTATION};

    use super::*;

    const START: UnixMillis = UnixMillis(1_800_000_000_000);

    #[test]
    fn a_week_later_the_prekey_is_another_and_the_one_before_still_opens() {
        let identity = Identity::new_account(START).unwrap();
        let (first, _) = identity.sealing_keys();
        assert!(!identity.rotate(START.after(PREKEY_ROTATION).before(carillon_wire::Millis(1))).unwrap());

        let later = START.after(PREKEY_ROTATION);
        assert!(identity.rotate(later).unwrap());
        let (second, certificate) = identity.sealing_keys();
        assert_ne!(first.public(), second.public());
        let opening: Vec<_> = identity.opening_keys(later).iter().map(Prekey::public).collect();
        assert_eq!(opening, [second.public(), first.public()]);
        let device = verify_certificate(&identity.account_key(), &certificate, later).unwrap();
        assert_eq!((device.seq(), device.prekey()), (2, second.public()));

        let much_later = START.after(CERTIFICATE_TTL).after(PREKEY_ROTATION);
        assert_eq!(identity.opening_keys(much_later).len(), 1);
    }

    #[test]
    fn a_replacement_that_was_not_published_is_not_replaced() {
        let identity = Identity::new_account(START).unwrap();
        assert!(identity.rotate(START.after(PREKEY_ROTATION)).unwrap());
        let certificate = identity.certificate();
        assert!(identity.rotate(START.after(CERTIFICATE_TTL)).unwrap());
        assert_eq!(identity.certificate(), certificate);
        identity.published(&certificate);
        assert!(!identity.rotate(START.after(PREKEY_ROTATION)).unwrap());
    }

    #[test]
    fn what_was_kept_comes_back_even_when_its_certificate_has_expired() {
        let identity = Identity::new_account(START).unwrap();
        identity.rotate(START.after(PREKEY_ROTATION)).unwrap();
        let json = identity.secrets().to_json().unwrap();
        let back = Identity::from_secrets(&Secrets::from_json(&json).unwrap()).unwrap();
        assert_eq!(back.account(), identity.account());
        assert_eq!(back.device(), identity.device());
        assert_eq!(back.certificate(), identity.certificate());
        assert_eq!(back.opening_keys(START).len(), 2);
        // Windows' store takes 2,560 bytes.
        assert!(json.len() < 2000, "{}", json.len());
    }

    #[test]
    fn nothing_shows_a_key() {
        let identity = Identity::new_account(START).unwrap();
        let shown = format!("{identity:?} {:?}", identity.secrets());
        let secrets = serde_json::to_value(identity.secrets()).unwrap();
        for name in ["account_key", "device_key", "prekey"] {
            let secret = secrets[name].as_str().unwrap();
            assert!(!shown.contains(secret.get(..6).unwrap()), "{name}");
        }
    }
}
