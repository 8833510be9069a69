//! Signing up, recovering, signing in; the own profile and devices.

use std::sync::PoisonError;

use carillon_e2e::Phrase;
use carillon_e2e::challenge::Purpose;
use carillon_e2e::phrase::Language;
use carillon_wire::limits::MAX_PICTURE_BYTES;
use carillon_wire::rest::{Abilities, Device, Me, NewDevice, ProfileChange, Session, SignUp};
use carillon_wire::signed::Credentials;
use carillon_wire::{Code, DeviceId};

use super::{Client, RecoveryPhrase, keep_roots, signed_in};
use crate::actor::{SignedIn, Wish, account};
use crate::dto::Account;
use crate::error::{ClientError, LocalCode};
use crate::identity::Identity;
use crate::store::fact;

/// What a new account is to be.
#[derive(Debug, Clone, Default)]
pub struct NewAccount {
    /// The wished handle, as typed.
    pub handle: String,
    /// The display name; the handle if absent.
    pub name: Option<String>,
    /// The invitation, where the server wants one.
    pub invitation: Option<String>,
    /// What to call this device; the system's name if absent.
    pub device_name: Option<String>,
    /// In which language to give the recovery phrase.
    pub french_phrase: bool,
}

impl Client {
    /// Signs up, and gives the recovery phrase, this once.
    ///
    /// # Errors
    /// `has_account`, `no_server`, `key_store` before anything is made; the server's: `handle_taken`, `handle_invalid`,
    /// `handle_reserved`, `handle_confusable`, `name_invalid`, `sign_up_closed`, `invitation_invalid`, `rate_limited`.
    pub async fn sign_up(&self, new: NewAccount) -> Result<(Account, RecoveryPhrase), ClientError> {
        let _one_at_a_time = self.inner.joining.lock().await;
        self.check_new().await?;
        // A sign-up that was cut off left its keys: the account may be there already.
        let fresh = match self.left_over().await? {
            Some(left) => left,
            None => Identity::new_account(self.inner.shared.calendar.now())?,
        };
        self.inner.shared.store.set_fact(fact::JOINING, &fresh.device()).await?;
        let joining = self.keep_keys(fresh).await?;
        let body = SignUp {
            handle: new.handle,
            name: new.name,
            invitation: new.invitation,
            device: self.new_device(&joining, new.device_name).await?,
        };
        let session = match joining.api.open().sign_up(&body).await {
            Err(error) if error.is_server(Code::AccountExists) => None,
            other => Some(other?),
        };
        let language = if new.french_phrase { Language::French } else { Language::English };
        let phrase = RecoveryPhrase::of(joining.api.identity(), language);
        Ok((self.join(joining, session).await?, phrase))
    }

    /// Takes an account onto this machine, with its recovery phrase.
    ///
    /// # Errors
    /// `phrase_invalid` with a sentence that says which word; `has_account`, `no_server`, `key_store`;
    /// `account_unknown` when no account of this server has the phrase, `too_many_devices`, `account_suspended`.
    pub async fn recover(&self, phrase: &str, device_name: Option<String>) -> Result<Account, ClientError> {
        let _one_at_a_time = self.inner.joining.lock().await;
        let account_key = Phrase::parse(phrase)
            .map_err(|error| ClientError::saying(LocalCode::PhraseInvalid, sentence(&error.to_string())))?
            .account_key();
        self.check_new().await?;
        let joining =
            self.keep_keys(Identity::new_device(account_key, self.inner.shared.calendar.now())?).await?;
        let body = self.new_device(&joining, device_name).await?;
        let session = joining.api.open().add_device(&body).await?;
        self.join(joining, Some(session)).await
    }

    /// Signs in anew and fetches the own account. Other methods do it by themselves when they have to.
    ///
    /// # Errors
    /// `no_account`, `offline`, `device_revoked`, `account_suspended`.
    pub async fn sign_in(&self) -> Result<Account, ClientError> {
        let me = self.api()?.sign_in().await?;
        self.remember(&me).await
    }

    /// Ends the REST session; the next request begins another.
    ///
    /// # Errors
    /// `no_account`, `offline`.
    pub async fn sign_out(&self) -> Result<(), ClientError> {
        self.api()?.sign_out().await
    }

    /// The own account as the server has it.
    ///
    /// # Errors
    /// `no_account`, `offline`, and the server's.
    pub async fn me(&self) -> Result<Account, ClientError> {
        let me = self.api()?.me().await?;
        self.remember(&me).await
    }

    /// Changes the display name.
    ///
    /// # Errors
    /// `name_invalid`, `no_account`, `offline`.
    pub async fn change_name(&self, name: String) -> Result<Account, ClientError> {
        let me = self.api()?.change_profile(&ProfileChange { name: Some(name) }).await?;
        self.remember(&me).await
    }

    /// Sets the picture: the bytes of a PNG, JPEG or WebP file.
    ///
    /// # Errors
    /// `picture_invalid`, `picture_too_large`, `no_account`, `offline`.
    pub async fn set_picture(&self, picture: &[u8]) -> Result<Account, ClientError> {
        if picture.len() > MAX_PICTURE_BYTES {
            return Err(ClientError::server(Code::PictureTooLarge));
        }
        self.api()?.set_picture(picture).await?;
        self.me().await
    }

    /// Removes the picture.
    ///
    /// # Errors
    /// `no_account`, `offline`.
    pub async fn remove_picture(&self) -> Result<Account, ClientError> {
        self.api()?.remove_picture().await?;
        self.me().await
    }

    /// The bytes of somebody's picture: JPEG, 256×256. `path` is the one in their profile.
    ///
    /// # Errors
    /// `not_found`, `no_account`, `offline`, `address_invalid` for a path that leads elsewhere.
    pub async fn picture(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        self.api()?.picture(path).await
    }

    /// The own devices.
    ///
    /// # Errors
    /// `no_account`, `offline`.
    pub async fn devices(&self) -> Result<Vec<Device>, ClientError> {
        self.api()?.devices().await
    }

    /// Removes a device of the own account: its connection ends at once.
    ///
    /// # Errors
    /// `device_unknown`, `no_account`, `offline`.
    pub async fn revoke_device(&self, device: DeviceId) -> Result<(), ClientError> {
        self.api()?.revoke_device(device).await
    }

    /// What the roll-out lets this account do.
    ///
    /// # Errors
    /// `no_account`, `offline`.
    pub async fn abilities(&self) -> Result<Abilities, ClientError> {
        self.api()?.abilities().await
    }

    /// The keys of a sign-up that was cut off, if they are still as good as new. Those of a recovery are another account's.
    async fn left_over(&self) -> Result<Option<Identity>, ClientError> {
        let joining: Option<DeviceId> = self.inner.shared.store.fact(fact::JOINING).await?;
        let left = self.inner.vault.load().await?.and_then(|left| Identity::from_secrets(&left).ok());
        let left = left.filter(|left| Some(left.device()) == joining);
        Ok(left.filter(|left| !left.rotate(self.inner.shared.calendar.now()).unwrap_or(true)))
    }

    /// Whether this profile can take an account: nothing is asked of the server before the keys can be kept.
    async fn check_new(&self) -> Result<(), ClientError> {
        if self.signed_in().is_ok() {
            return Err(LocalCode::HasAccount.into());
        }
        self.server()?;
        self.inner.vault.check().await?;
        self.server_info().await.map(drop)
    }

    /// Keeps the keys before anybody hears of them: an account whose keys are lost is lost.
    async fn keep_keys(&self, identity: Identity) -> Result<SignedIn, ClientError> {
        let server = self.server()?;
        self.inner.vault.save(&identity.secrets()).await?;
        let store = &self.inner.shared.store;
        store.set_fact(fact::SERVER, &server.to_string()).await?;
        store.set_fact(fact::INSECURE_HTTP, &self.inner.insecure_http).await?;
        keep_roots(store, &self.inner.roots).await?;
        signed_in(&server, identity, self.inner.vault.clone(), &self.inner.roots)
    }

    async fn new_device(&self, joining: &SignedIn, name: Option<String>) -> Result<NewDevice, ClientError> {
        let identity = joining.api.identity();
        let nonce = joining.api.open().challenge().await?.nonce;
        let audience = joining.api.open().address().audience();
        Ok(NewDevice {
            credentials: Credentials {
                account_key: identity.account_key(),
                certificate: identity.certificate(),
                badge: None,
            },
            device_name: name.unwrap_or_else(|| std::env::consts::OS.to_owned()),
            nonce,
            signature: identity.sign_challenge(Purpose::Session, &nonce, &audience),
        })
    }

    /// The server knows this device: from here on there is an account.
    async fn join(&self, joining: SignedIn, session: Option<Session>) -> Result<Account, ClientError> {
        let me = match session {
            Some(session) => {
                joining.api.begin(&session).await;
                session.me
            }
            None => joining.api.sign_in().await?,
        };
        let account = account(&me);
        self.inner.shared.store.set_fact(fact::ACCOUNT, &account).await?;
        *self.inner.signed_in.write().unwrap_or_else(PoisonError::into_inner) = Some(joining.clone());
        self.wish(Wish::SignedIn(joining, account.clone())).await?;
        Ok(account)
    }

    async fn remember(&self, me: &Me) -> Result<Account, ClientError> {
        let account = account(me);
        self.inner.shared.store.set_fact(fact::ACCOUNT, &account).await?;
        self.wish(Wish::Account(account.clone())).await?;
        Ok(account)
    }

    /// The handle, name and ids that were last heard; asks nobody.
    ///
    /// # Errors
    /// `no_account`, `storage`.
    pub async fn account(&self) -> Result<Account, ClientError> {
        let account: Option<Account> = self.inner.shared.store.fact(fact::ACCOUNT).await?;
        account.ok_or_else(|| LocalCode::NoAccount.into())
    }
}

/// With a capital at the start and a full stop at the end.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
