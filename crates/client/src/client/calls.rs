//! Calls, and what is left of them: recent, missed, pins.

use std::sync::atomic::Ordering;

use carillon_call::User;
use carillon_wire::frame::{DeclineScope, Media};
use carillon_wire::rest::{MissedCall, MissedKind, Page};
use carillon_wire::{AccountId, CallId, Code, Handle};
use tokio::sync::oneshot;

use super::{Client, Whom};
use crate::actor::{Dialled, Wish};
use crate::dto::{MediaOn, Party, PinState, RecentCall, Trust};
use crate::error::{ClientError, LocalCode};
use crate::store::fact;

impl Client {
    /// Whether the next calls go through a relay of the server alone, so that whoever is at the other end does not learn
    /// this machine's address; where the server has no relay, such calls find no path. Off at first. Kept with the
    /// profile.
    ///
    /// # Errors
    /// `storage`.
    pub async fn set_hide_address(&self, hide: bool) -> Result<(), ClientError> {
        let shared = &self.inner.shared;
        shared.store.set_fact(fact::HIDE_ADDRESS, &hide).await?;
        shared.hide_address.store(hide, Ordering::Relaxed);
        shared.peers.hide_address(hide);
        Ok(())
    }

    /// Calls somebody. Returns when the call is on its way; what becomes of it are events.
    ///
    /// Before anything is sealed, the keys of every device of theirs are checked, and that the handle still belongs to
    /// whom it did. Needs the line ([`connect`](Self::connect)): without it the call ends as `no_server`.
    ///
    /// # Errors
    /// `handle_changed`: another account has the handle now; [`confirm_change`](Self::confirm_change) takes it.
    /// `keys_invalid`: the server gives keys that are not theirs. `account_unknown`, `call_self`, `no_account`,
    /// `offline`.
    pub async fn dial(&self, whom: impl Into<Whom>, media: Media) -> Result<CallId, ClientError> {
        let api = self.api()?;
        let profile = self.person(whom).await?.profile;
        if profile.account == api.identity().account() {
            return Err(ClientError::server(Code::CallSelf));
        }
        let keys = api.device_keys(profile.account).await?;
        let (trust, now) = (&self.inner.shared.trust, self.inner.shared.calendar.now());
        let devices = trust.check_devices(profile.account, &keys, now).await?;
        let seen = trust.observe(&profile.handle, profile.account, &keys.account_key, now).await?;
        if seen == Trust::Changed {
            return Err(LocalCode::HandleChanged.into());
        }
        let party = Party {
            account: profile.account,
            handle: profile.handle,
            name: profile.name,
            verified: profile.verified,
            trust: seen,
        };
        let (reply, answer) = oneshot::channel();
        self.wish(Wish::Dial(Box::new(Dialled { party, devices, media }), reply)).await?;
        answer.await.map_err(|_| LocalCode::Stopped.into())
    }

    /// Takes an incoming call, with the camera on or off. A call that is on is hung up first.
    ///
    /// # Errors
    /// `call_unknown` when it is over, `stopped`.
    pub async fn accept(&self, call: CallId, video: bool) -> Result<(), ClientError> {
        self.act(call, User::Accept { video }).await
    }

    /// Does not take an incoming call, on this device or on all of the account's.
    ///
    /// # Errors
    /// `call_unknown`, `stopped`.
    pub async fn decline(&self, call: CallId, scope: DeclineScope) -> Result<(), ClientError> {
        self.act(call, User::Decline { scope }).await
    }

    /// Ends a call, whatever its state.
    ///
    /// # Errors
    /// `call_unknown`, `stopped`.
    pub async fn hang_up(&self, call: CallId) -> Result<(), ClientError> {
        self.act(call, User::HangUp).await
    }

    /// Switches microphone, camera and screen.
    ///
    /// # Errors
    /// `call_unknown`, `stopped`.
    pub async fn set_media(&self, call: CallId, media: MediaOn) -> Result<(), ClientError> {
        self.act(call, User::SetMedia(media.into())).await
    }

    /// Stops the ringtone on this device; the call can still be accepted.
    ///
    /// # Errors
    /// `call_unknown`, `stopped`.
    pub async fn silence(&self, call: CallId) -> Result<(), ClientError> {
        self.act(call, User::Silence).await
    }

    /// Watches whether these can be reached, in place of those watched before. Of people who don't let this account
    /// call, nothing is heard.
    ///
    /// # Errors
    /// `stopped`.
    pub async fn watch_presence(&self, accounts: Vec<AccountId>) -> Result<(), ClientError> {
        self.wish(Wish::Watch(accounts)).await
    }

    /// Calls that were placed from or shown on this device, the last first; at most `limit`.
    ///
    /// # Errors
    /// `storage`.
    pub async fn recent(&self, limit: u32) -> Result<Vec<RecentCall>, ClientError> {
        self.inner.shared.store.recent(limit).await
    }

    /// Removes a call from the recent ones. False when it was not there.
    ///
    /// # Errors
    /// `storage`.
    pub async fn delete_recent(&self, id: u64) -> Result<bool, ClientError> {
        self.inner.shared.store.delete_recent(id).await
    }

    /// Calls that nobody answered (`missed`), or that the settings did not let ring (`filtered`), on any device; oldest
    /// first, those after `after`.
    ///
    /// # Errors
    /// `no_account`, `offline`.
    pub async fn missed(&self, kind: MissedKind, after: u64) -> Result<Page<MissedCall>, ClientError> {
        self.api()?.missed(kind, after).await
    }

    /// Removes a call from either list.
    ///
    /// # Errors
    /// `not_found`, `no_account`, `offline`.
    pub async fn delete_missed(&self, id: u64) -> Result<(), ClientError> {
        self.api()?.delete_missed(id).await
    }

    /// The person has seen the missed calls: none is unread.
    ///
    /// # Errors
    /// `stopped`.
    pub async fn mark_missed_seen(&self) -> Result<(), ClientError> {
        self.wish(Wish::MissedSeen).await
    }

    /// Whom each handle belongs to, as this device first saw it.
    pub fn pins(&self) -> Vec<PinState> {
        self.inner.shared.trust.pins()
    }

    /// The person has asked, and takes the account that the handle points to now.
    ///
    /// # Errors
    /// `invalid` when nothing has changed, `storage`.
    pub async fn confirm_change(&self, handle: &Handle) -> Result<PinState, ClientError> {
        self.inner.shared.trust.confirm(handle).await
    }

    /// The person has compared the safety emoji in a call with this handle.
    ///
    /// # Errors
    /// `invalid` when there was never a call, `handle_changed`, `storage`.
    pub async fn mark_verified(&self, handle: &Handle) -> Result<PinState, ClientError> {
        self.inner.shared.trust.mark_verified(handle).await
    }

    async fn act(&self, call: CallId, user: User) -> Result<(), ClientError> {
        let (reply, answer) = oneshot::channel();
        self.wish(Wish::Call(call, user, reply)).await?;
        answer.await.unwrap_or_else(|_| Err(LocalCode::Stopped.into()))
    }
}
