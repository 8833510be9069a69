//! Other people, and who of them may call.

use carillon_wire::rest::{CallSettings, CallSettingsChange, Page, Person};

use super::{Client, Whom};
use crate::actor::Wish;
use crate::error::ClientError;
use crate::http::PeopleList;
use crate::store::fact;

impl Client {
    /// People whose handle starts with this; 2 characters or more.
    ///
    /// # Errors
    /// `rate_limited`, `no_account`, `offline`.
    pub async fn search(&self, text: &str) -> Result<Page<Person>, ClientError> {
        self.api()?.search(text.trim().trim_start_matches('@')).await
    }

    /// One person.
    ///
    /// # Errors
    /// `account_unknown`, `no_account`, `offline`.
    pub async fn person(&self, whom: impl Into<Whom>) -> Result<Person, ClientError> {
        match whom.into() {
            Whom::Handle(handle) => self.api()?.person_by_handle(&handle).await,
            Whom::Account(account) => self.api()?.person(account).await,
        }
    }

    /// Follows somebody: with the usual settings they may call from now on. Answers with whom.
    ///
    /// # Errors
    /// `account_unknown`, `self_target`, `no_account`, `offline`.
    pub async fn follow(&self, whom: impl Into<Whom>) -> Result<Person, ClientError> {
        let person = self.person(whom).await?;
        self.api()?.set_following(person.profile.account, true).await?;
        Ok(Person { following: true, ..person })
    }

    /// Follows somebody no longer.
    ///
    /// # Errors
    /// As for [`follow`](Self::follow).
    pub async fn unfollow(&self, whom: impl Into<Whom>) -> Result<Person, ClientError> {
        let person = self.person(whom).await?;
        self.api()?.set_following(person.profile.account, false).await?;
        Ok(Person { following: false, ..person })
    }

    /// Whom this account follows. `cursor` is the `next` of the page before.
    ///
    /// # Errors
    /// `no_account`, `offline`.
    pub async fn following(&self, cursor: Option<&str>) -> Result<Page<Person>, ClientError> {
        self.api()?.people(PeopleList::Following, cursor).await
    }

    /// Who follows this account.
    ///
    /// # Errors
    /// `no_account`, `offline`.
    pub async fn followers(&self, cursor: Option<&str>) -> Result<Page<Person>, ClientError> {
        self.api()?.people(PeopleList::Followers, cursor).await
    }

    /// Blocks somebody: neither can call the other, and neither follows the other any longer.
    ///
    /// # Errors
    /// As for [`follow`](Self::follow).
    pub async fn block(&self, whom: impl Into<Whom>) -> Result<Person, ClientError> {
        let person = self.person(whom).await?;
        self.api()?.set_blocked(person.profile.account, true).await?;
        Ok(Person { blocked: true, following: false, follows_me: false, ..person })
    }

    /// Blocks somebody no longer.
    ///
    /// # Errors
    /// As for [`follow`](Self::follow).
    pub async fn unblock(&self, whom: impl Into<Whom>) -> Result<Person, ClientError> {
        let person = self.person(whom).await?;
        self.api()?.set_blocked(person.profile.account, false).await?;
        Ok(Person { blocked: false, ..person })
    }

    /// Whom this account blocks.
    ///
    /// # Errors
    /// `no_account`, `offline`.
    pub async fn blocks(&self, cursor: Option<&str>) -> Result<Page<Person>, ClientError> {
        self.api()?.people(PeopleList::Blocks, cursor).await
    }

    /// Who may call.
    ///
    /// # Errors
    /// `no_account`, `offline`.
    pub async fn settings(&self) -> Result<CallSettings, ClientError> {
        let settings = self.api()?.settings().await?;
        self.keep_settings(settings).await
    }

    /// Changes who may call; what the change does not name stays as it is.
    ///
    /// # Errors
    /// `no_account`, `offline`.
    pub async fn change_settings(&self, change: CallSettingsChange) -> Result<CallSettings, ClientError> {
        let settings = self.api()?.change_settings(change).await?;
        self.keep_settings(settings).await
    }

    async fn keep_settings(&self, settings: CallSettings) -> Result<CallSettings, ClientError> {
        self.inner.shared.store.set_fact(fact::SETTINGS, &settings).await?;
        self.wish(Wish::Settings(settings)).await?;
        Ok(settings)
    }
}
