//! What is fetched and renewed beside the calls.

use std::sync::Arc;
use std::time::Duration;

use carillon_wire::rest::{CallSettings, Me, MissedKind};
use carillon_wire::{Code, UnixMillis};

use super::{Actor, Done, SignedIn};
use crate::dto::{Account, ClientEvent};
use crate::error::ClientError;
use crate::store::fact;

/// How often the age of the prekey is looked at.
pub(super) const INTERVAL: Duration = Duration::from_secs(3600);

/// A part of the state that the server knows better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Me,
    Settings,
    Missed,
}

impl Part {
    pub(super) const ALL: &'static [Self] = &[Self::Me, Self::Settings, Self::Missed];
}

impl Actor {
    /// Fetches parts of the state in the background.
    pub(super) fn refresh(&self, parts: &[Part]) {
        let Some(signed_in) = &self.signed_in else { return };
        for part in parts {
            let (api, store, done) =
                (Arc::clone(&signed_in.api), self.shared.store.clone(), self.from_work.0.clone());
            let part = *part;
            tokio::spawn(async move {
                let fetched = match part {
                    Part::Me => api.me().await.map(|me| Done::Me(Box::new(me))),
                    Part::Settings => api.settings().await.map(Done::Settings),
                    Part::Missed => {
                        let seen: u64 =
                            store.fact(fact::MISSED_SEEN).await.ok().flatten().unwrap_or_default();
                        api.missed(MissedKind::Missed, seen).await.map(|page| Done::Missed {
                            unread: u32::try_from(page.items.len()).unwrap_or(u32::MAX),
                            newest: page.items.iter().map(|call| call.id).max().unwrap_or(seen),
                        })
                    }
                };
                match fetched {
                    Ok(fetched) => {
                        let _ = done.send(fetched);
                    }
                    // The next `welcome` or `changed` fetches again.
                    Err(error) => tracing::debug!(code = %error.code, "the state could not be fetched"),
                }
            });
        }
    }

    pub(super) async fn done(&mut self, done: Done) {
        match done {
            Done::Devices(call, devices) => self.devices_fetched(call, devices),
            Done::Me(me) => {
                let account = account(&me);
                if let Err(error) = self.shared.store.set_fact(fact::ACCOUNT, &account).await {
                    tracing::warn!(code = %error.code, "the account could not be kept");
                }
                self.set_account(account);
            }
            Done::Settings(settings) => {
                if let Err(error) = self.shared.store.set_fact(fact::SETTINGS, &settings).await {
                    tracing::warn!(code = %error.code, "the settings could not be kept");
                }
                self.set_settings(settings);
            }
            Done::Missed { unread, newest } => {
                self.newest_missed = self.newest_missed.max(newest);
                if self.unread != unread {
                    self.unread = unread;
                    self.emit(ClientEvent::Missed { unread });
                }
            }
        }
    }

    pub(super) fn set_account(&mut self, account: Account) {
        if self.account.as_ref() != Some(&account) {
            self.account = Some(account.clone());
            self.emit(ClientEvent::Account(account));
        }
    }

    pub(super) fn set_settings(&mut self, settings: CallSettings) {
        if self.settings != Some(settings) {
            self.settings = Some(settings);
            self.emit(ClientEvent::Settings(settings));
        }
    }

    pub(super) fn missed_seen(&mut self) {
        if self.unread != 0 {
            self.unread = 0;
            self.emit(ClientEvent::Missed { unread: 0 });
        }
        if self.newest_missed == 0 {
            return;
        }
        let (store, newest) = (self.shared.store.clone(), self.newest_missed);
        tokio::spawn(async move {
            if let Err(error) = store.set_fact(fact::MISSED_SEEN, &newest).await {
                tracing::warn!(code = %error.code, "it could not be kept that missed calls were seen");
            }
        });
    }

    /// Replaces a prekey that is a week old.
    pub(super) fn upkeep(&self) {
        let Some(signed_in) = self.signed_in.clone() else { return };
        let now = self.shared.calendar.now();
        tokio::spawn(async move {
            if let Err(error) = renew(&signed_in, now).await {
                tracing::warn!(code = %error.code, "the certificate could not be renewed; it will be tried again");
            }
        });
    }
}

/// Keeps first and publishes afterwards: a prekey that others seal to must never be one that this device has lost.
async fn renew(signed_in: &SignedIn, now: UnixMillis) -> Result<(), ClientError> {
    let identity = signed_in.api.identity();
    if !identity.rotate(now)? {
        return Ok(());
    }
    signed_in.vault.save(&identity.secrets()).await?;
    let certificate = identity.certificate();
    match signed_in.api.renew_certificate(&certificate).await {
        Ok(()) => {}
        // Perhaps it was published before, and the answer was lost.
        Err(error) if error.is_server(Code::BadCertificate) => {
            let keys = signed_in.api.device_keys(identity.account()).await?;
            if !keys.certificates.contains(&certificate) {
                return Err(error);
            }
        }
        Err(error) => return Err(error),
    }
    identity.published(&certificate);
    signed_in.vault.save(&identity.secrets()).await
}

/// The own account as a shell sees it.
pub(crate) fn account(me: &Me) -> Account {
    Account {
        account: me.profile.account,
        device: me.device,
        handle: me.profile.handle.clone(),
        name: me.profile.name.clone(),
        picture: me.profile.picture.clone(),
        verified: me.profile.verified,
    }
}
