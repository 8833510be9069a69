//! Whom to believe: pins, certificate numbers, the badge's issuer. What was seen once is remembered, and what does not
//! fit it is not believed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use carillon_e2e::pins::Pin;
use carillon_e2e::{
    CertificateError, PinOutcome, PinStore, VerifiedDevice, account_id, verify_badge, verify_certificate,
};
use carillon_wire::rest::DeviceKeys;
use carillon_wire::signed::Signed;
use carillon_wire::{AccountId, Bytes32, DeviceId, Handle, UnixMillis};

use crate::dto::{PinState, Trust};
use crate::error::{ClientError, LocalCode};
use crate::store::{Store, fact};

/// The devices of an account, each checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Devices {
    /// Those that can be sealed to.
    pub(crate) current: Vec<VerifiedDevice>,
    /// Those whose certificate has run out, because they were away for two weeks. Nothing is sealed to their old keys.
    pub(crate) expired: Vec<DeviceId>,
}

/// What this profile believes.
#[derive(Debug)]
pub(crate) struct TrustBook {
    store: Store,
    memory: Mutex<Memory>,
}

#[derive(Debug)]
struct Memory {
    pins: PinStore,
    seqs: BTreeMap<DeviceId, u64>,
    issuer: Option<Bytes32>,
}

impl TrustBook {
    pub(crate) async fn load(store: Store) -> Result<Self, ClientError> {
        let memory = Memory {
            pins: PinStore::from_pins(store.pins().await?),
            seqs: store.certificates().await?.into_iter().collect(),
            issuer: store.fact(fact::ISSUER).await?,
        };
        Ok(Self { store, memory: Mutex::new(memory) })
    }

    /// Remembers the server's badge issuer, the first time. False when it is another now: then its badges don't count.
    pub(crate) async fn observe_issuer(&self, key: Bytes32) -> Result<bool, ClientError> {
        let first = {
            let mut memory = self.lock();
            match memory.issuer {
                Some(issuer) => return Ok(issuer == key),
                None => memory.issuer = Some(key),
            }
            key
        };
        self.store.set_fact(fact::ISSUER, &first).await?;
        Ok(true)
    }

    /// Whether this badge proves that the account with this handle is verified.
    pub(crate) fn is_verified(
        &self,
        badge: &Signed,
        account: AccountId,
        handle: &Handle,
        now: UnixMillis,
    ) -> bool {
        let Some(issuer) = self.lock().issuer else { return false };
        verify_badge(&issuer, badge, account, now).is_ok_and(|badge| badge.handle == *handle)
    }

    /// Takes note that a handle comes with this account and key.
    ///
    /// # Errors
    /// `keys_invalid` when id and key don't fit, `storage`.
    pub(crate) async fn observe(
        &self,
        handle: &Handle,
        account: AccountId,
        account_key: &Bytes32,
        now: UnixMillis,
    ) -> Result<Trust, ClientError> {
        let (trust, changed) = {
            let mut memory = self.lock();
            let before = memory.pins.get(handle).cloned();
            let outcome =
                memory.pins.observe(handle, account, account_key, now).map_err(|_| LocalCode::KeysInvalid)?;
            let after = memory.pins.get(handle).cloned();
            let trust = match outcome {
                PinOutcome::New => Trust::New,
                PinOutcome::Same { verified: true } => Trust::Verified,
                PinOutcome::Same { verified: false } => Trust::Known,
                PinOutcome::Changed { .. } => Trust::Changed,
            };
            (trust, after.filter(|after| before.as_ref() != Some(after)))
        };
        if let Some(pin) = changed {
            self.store.save_pin(&pin).await?;
        }
        Ok(trust)
    }

    /// Checks what the server says are the devices of an account, before anything is sealed to them: the account is the
    /// one that was asked for, its key signed every certificate, ids fit keys, and no certificate is older than one seen
    /// before.
    ///
    /// # Errors
    /// `keys_invalid`: the server gives keys that are not this account's. `storage`.
    pub(crate) async fn check_devices(
        &self,
        account: AccountId,
        keys: &DeviceKeys,
        now: UnixMillis,
    ) -> Result<Devices, ClientError> {
        if account_id(&keys.account_key) != account {
            return Err(LocalCode::KeysInvalid.into());
        }
        let mut devices = Devices::default();
        for certificate in &keys.certificates {
            let device = match verify_certificate(&keys.account_key, certificate, now) {
                Ok(device) => device,
                Err(CertificateError::Expired) => {
                    let device =
                        expired(&keys.account_key, certificate).map_err(|_| LocalCode::KeysInvalid)?;
                    devices.expired.push(device.device());
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "a device's certificate is not believed");
                    return Err(LocalCode::KeysInvalid.into());
                }
            };
            self.observe_certificate(&device).await?;
            devices.current.push(device);
        }
        Ok(devices)
    }

    /// Refuses a certificate that is older than one seen of the same device, and remembers a newer one.
    ///
    /// # Errors
    /// `keys_invalid`, `storage`.
    pub(crate) async fn observe_certificate(&self, device: &VerifiedDevice) -> Result<(), ClientError> {
        {
            let mut memory = self.lock();
            let seen = memory.seqs.get(&device.device()).copied();
            device.check_seq(seen).map_err(|_| LocalCode::KeysInvalid)?;
            if seen == Some(device.seq()) {
                return Ok(());
            }
            memory.seqs.insert(device.device(), device.seq());
        }
        self.store.save_certificate(device.device(), device.seq()).await
    }

    /// Every pin, by handle.
    pub(crate) fn pins(&self) -> Vec<PinState> {
        self.lock().pins.pins().map(pin_state).collect()
    }

    /// The person takes the new account for the handle.
    ///
    /// # Errors
    /// `invalid` when nothing waits to be confirmed, `storage`.
    pub(crate) async fn confirm(&self, handle: &Handle) -> Result<PinState, ClientError> {
        let pin = {
            let mut memory = self.lock();
            let waiting = memory.pins.get(handle).and_then(|pin| pin.pending).map(|pending| pending.account);
            let nothing =
                || ClientError::saying(LocalCode::Invalid, format!("Nothing has changed about {handle}."));
            let account = waiting.ok_or_else(nothing)?;
            memory.pins.confirm_change(handle, account).map_err(|_| nothing())?.clone()
        };
        self.store.save_pin(&pin).await?;
        Ok(pin_state(&pin))
    }

    /// The person has compared the emoji with the account that the handle is pinned to.
    ///
    /// # Errors
    /// `invalid` when there was never a call, `handle_changed` when another account has the handle now, `storage`.
    pub(crate) async fn mark_verified(&self, handle: &Handle) -> Result<PinState, ClientError> {
        let pin = {
            let mut memory = self.lock();
            let unknown =
                || ClientError::saying(LocalCode::Invalid, format!("Call {handle} first, then compare."));
            let pin = memory.pins.get(handle).ok_or_else(unknown)?;
            if pin.pending.is_some() {
                return Err(LocalCode::HandleChanged.into());
            }
            let account = pin.account;
            memory.pins.mark_verified(handle, account).map_err(|_| unknown())?.clone()
        };
        self.store.save_pin(&pin).await?;
        Ok(pin_state(&pin))
    }

    /// What happens under the lock can't leave it half done.
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A certificate as it was when it began to count: whose it is can be told, though its time is over.
pub(crate) fn expired(
    account_key: &Bytes32,
    certificate: &Signed,
) -> Result<VerifiedDevice, CertificateError> {
    #[derive(serde::Deserialize)]
    struct Head {
        issued_at: UnixMillis,
    }
    let head: Head =
        serde_json::from_slice(certificate.body.as_ref()).map_err(|_| CertificateError::Malformed)?;
    verify_certificate(account_key, certificate, head.issued_at)
}

fn pin_state(pin: &Pin) -> PinState {
    PinState {
        handle: pin.handle.clone(),
        account: pin.account,
        first_seen: pin.first_seen,
        verified: pin.verified,
        changed_to: pin.pending.map(|pending| pending.account),
    }
}

#[cfg(test)]
mod tests {
    use carillon_e2e::IssuerKey;

    use super::*;
    use crate::identity::Identity;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    async fn book(directory: &tempfile::TempDir) -> TrustBook {
        let store = Store::open(&directory.path().join("profile.db")).await.unwrap();
        TrustBook::load(store).await.unwrap()
    }

    fn ada() -> Handle {
        Handle::parse("ada").unwrap()
    }

    fn keys(identity: &Identity) -> DeviceKeys {
        DeviceKeys { account_key: identity.account_key(), certificates: vec![identity.certificate()] }
    }

    #[tokio::test]
    async fn a_handle_that_points_to_another_account_is_changed_until_confirmed_also_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (Identity::new_account(NOW).unwrap(), Identity::new_account(NOW).unwrap());
        let trust = book(&directory).await;
        let see = async |trust: &TrustBook, who: &Identity| {
            trust.observe(&ada(), who.account(), &who.account_key(), NOW).await.unwrap()
        };
        assert_eq!(see(&trust, &first).await, Trust::New);
        assert_eq!(see(&trust, &first).await, Trust::Known);
        trust.mark_verified(&ada()).await.unwrap();
        assert_eq!(see(&trust, &first).await, Trust::Verified);
        assert_eq!(see(&trust, &second).await, Trust::Changed);
        assert!(trust.mark_verified(&ada()).await.unwrap_err().is_local(LocalCode::HandleChanged));
        drop(trust);

        let trust = book(&directory).await;
        assert_eq!(see(&trust, &second).await, Trust::Changed);
        assert_eq!(trust.confirm(&ada()).await.unwrap().account, second.account());
        assert_eq!(see(&trust, &second).await, Trust::Known);
        assert!(trust.confirm(&ada()).await.unwrap_err().is_local(LocalCode::Invalid));
    }

    #[tokio::test]
    async fn a_server_that_swaps_keys_is_not_believed() {
        let directory = tempfile::tempdir().unwrap();
        let trust = book(&directory).await;
        let (ada, mallory) = (Identity::new_account(NOW).unwrap(), Identity::new_account(NOW).unwrap());

        // Another account's keys under the id that was asked for.
        let swapped = trust.check_devices(ada.account(), &keys(&mallory), NOW).await;
        assert!(swapped.unwrap_err().is_local(LocalCode::KeysInvalid));
        // The right key with a certificate that it did not sign.
        let mixed = DeviceKeys { account_key: ada.account_key(), certificates: vec![mallory.certificate()] };
        let mixed = trust.check_devices(ada.account(), &mixed, NOW).await;
        assert!(mixed.unwrap_err().is_local(LocalCode::KeysInvalid));
        // A key that does not fit the account's id, in an Offer.
        let ring = trust.observe(&super::tests::ada(), ada.account(), &mallory.account_key(), NOW).await;
        assert!(ring.unwrap_err().is_local(LocalCode::KeysInvalid));
    }

    #[tokio::test]
    async fn an_old_certificate_is_refused_once_a_newer_one_was_seen_also_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let ada = Identity::new_account(NOW).unwrap();
        let old = keys(&ada);
        let later = NOW.after(carillon_wire::limits::PREKEY_ROTATION);
        ada.rotate(later).unwrap();
        let trust = book(&directory).await;
        trust.check_devices(ada.account(), &old, NOW).await.unwrap();
        trust.check_devices(ada.account(), &keys(&ada), later).await.unwrap();
        drop(trust);

        let trust = book(&directory).await;
        let error = trust.check_devices(ada.account(), &old, later).await.unwrap_err();
        assert!(error.is_local(LocalCode::KeysInvalid));
        trust.check_devices(ada.account(), &keys(&ada), later).await.unwrap();
    }

    #[tokio::test]
    async fn nothing_is_to_be_sealed_to_a_device_that_was_away_too_long() {
        let directory = tempfile::tempdir().unwrap();
        let trust = book(&directory).await;
        let ada = Identity::new_account(NOW).unwrap();
        let later =
            NOW.after(carillon_wire::limits::CERTIFICATE_TTL).after(carillon_wire::Millis::from_secs(3600));
        let devices = trust.check_devices(ada.account(), &keys(&ada), later).await.unwrap();
        assert_eq!(devices, Devices { current: vec![], expired: vec![ada.device()] });
    }

    #[tokio::test]
    async fn a_badge_counts_for_its_account_and_handle_and_its_first_issuer_alone() {
        let directory = tempfile::tempdir().unwrap();
        let trust = book(&directory).await;
        let (issuer, other) = (IssuerKey::generate(&mut rand::rng()), IssuerKey::generate(&mut rand::rng()));
        let (account, stranger) = (AccountId::new([1; 16]), AccountId::new([2; 16]));
        let until = NOW.after(carillon_wire::Millis::from_secs(60));
        let badge = issuer.issue(account, &ada(), NOW, until).unwrap();
        assert!(!trust.is_verified(&badge, account, &ada(), NOW));

        assert!(trust.observe_issuer(issuer.public()).await.unwrap());
        assert!(trust.is_verified(&badge, account, &ada(), NOW));
        assert!(!trust.is_verified(&badge, stranger, &ada(), NOW));
        assert!(!trust.is_verified(&badge, account, &Handle::parse("adb").unwrap(), NOW));
        assert!(!trust.observe_issuer(other.public()).await.unwrap());
        let forged = other.issue(account, &ada(), NOW, until).unwrap();
        assert!(!trust.is_verified(&forged, account, &ada(), NOW));
    }
}
