//! Pins: which account a handle was first seen with.
//!
//! What a handle points to is the server's word. A client pins the first answer; when the server later gives another,
//! that is shown, such a call is never answered by itself, and it counts as unknown until the person confirms.

use std::collections::BTreeMap;

use carillon_wire::{AccountId, Bytes32, Handle, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::keys::account_id;

/// Why a pin can't be made or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// The key is not the account's: the server gave an id a second key.
    #[error("the account key does not belong to the account")]
    OtherKey,
    /// Nothing is pinned for this handle.
    #[error("nothing is known about this handle")]
    Unknown,
    /// The account is not the one that is pinned, or not the one that waits to be confirmed.
    #[error("the handle points to another account")]
    OtherAccount,
}

/// An account that a handle points to now, and that the person has not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingChange {
    /// The new account.
    pub account: AccountId,
    /// Its key.
    pub account_key: Bytes32,
    /// When it was first seen.
    pub seen_at: UnixMillis,
}

/// What a client remembers about a handle: one row of its database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The handle.
    pub handle: Handle,
    /// The account it is pinned to.
    pub account: AccountId,
    /// The key of that account.
    pub account_key: Bytes32,
    /// Since when.
    pub first_seen: UnixMillis,
    /// The safety emoji were compared in a call with this account.
    #[serde(default)]
    pub verified: bool,
    /// The account that the handle points to since, if another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingChange>,
}

/// What seeing a handle with an account means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinOutcome {
    /// Seen for the first time; now pinned.
    New,
    /// The pinned account.
    Same {
        /// The emoji have been compared with it.
        verified: bool,
    },
    /// Another account than the pinned one: warn, and treat it as unknown.
    Changed {
        /// The account that is pinned.
        pinned: AccountId,
        /// The emoji had been compared with that one.
        was_verified: bool,
    },
}

/// The pins of one profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PinStore {
    pins: BTreeMap<Handle, Pin>,
}

impl PinStore {
    /// No pins.
    pub const fn new() -> Self {
        Self { pins: BTreeMap::new() }
    }

    /// The pins that were kept before.
    pub fn from_pins(pins: impl IntoIterator<Item = Pin>) -> Self {
        Self { pins: pins.into_iter().map(|pin| (pin.handle.clone(), pin)).collect() }
    }

    /// All pins, by handle.
    pub fn pins(&self) -> impl Iterator<Item = &Pin> {
        self.pins.values()
    }

    /// The pin of a handle.
    pub fn get(&self, handle: &Handle) -> Option<&Pin> {
        self.pins.get(handle)
    }

    /// Whether the handle is pinned to this very account and nothing waits to be confirmed.
    pub fn is_trusted(&self, handle: &Handle, account: AccountId) -> bool {
        self.get(handle).is_some_and(|pin| pin.account == account && pin.pending.is_none())
    }

    /// Takes note that the server names this account and key for a handle. Write [`get`](Self::get) back to disk
    /// afterwards, unless the outcome is [`PinOutcome::Same`] and nothing was pending.
    ///
    /// A warning stays until the person confirms, or the handle points to the pinned account again.
    ///
    /// # Errors
    /// [`PinError::OtherKey`], when key and account don't fit together; then nothing is changed.
    pub fn observe(
        &mut self,
        handle: &Handle,
        account: AccountId,
        account_key: &Bytes32,
        now: UnixMillis,
    ) -> Result<PinOutcome, PinError> {
        if account_id(account_key) != account {
            return Err(PinError::OtherKey);
        }
        let Some(pin) = self.pins.get_mut(handle) else {
            self.pins.insert(handle.clone(), Pin::new(handle.clone(), account, *account_key, now));
            return Ok(PinOutcome::New);
        };
        if pin.account == account {
            pin.pending = None;
            return Ok(PinOutcome::Same { verified: pin.verified });
        }
        if pin.pending.is_none_or(|pending| pending.account != account) {
            pin.pending = Some(PendingChange { account, account_key: *account_key, seen_at: now });
        }
        Ok(PinOutcome::Changed { pinned: pin.account, was_verified: pin.verified })
    }

    /// The person takes the new account for the handle: it is pinned, unverified. `account` is the one that the person
    /// was shown; if it changed once more in the meantime, nothing is confirmed.
    ///
    /// # Errors
    /// [`PinError::Unknown`], or [`PinError::OtherAccount`] when another account, or none, waits to be confirmed.
    pub fn confirm_change(&mut self, handle: &Handle, account: AccountId) -> Result<&Pin, PinError> {
        let pin = self.pins.get_mut(handle).ok_or(PinError::Unknown)?;
        let pending =
            pin.pending.filter(|pending| pending.account == account).ok_or(PinError::OtherAccount)?;
        *pin = Pin::new(handle.clone(), pending.account, pending.account_key, pending.seen_at);
        Ok(pin)
    }

    /// The person has compared the emoji in a call with this account.
    ///
    /// # Errors
    /// [`PinError::Unknown`], or [`PinError::OtherAccount`] when the handle is pinned to another account.
    pub fn mark_verified(&mut self, handle: &Handle, account: AccountId) -> Result<&Pin, PinError> {
        let pin = self.pins.get_mut(handle).ok_or(PinError::Unknown)?;
        if pin.account != account {
            return Err(PinError::OtherAccount);
        }
        pin.verified = true;
        Ok(pin)
    }
}

impl Pin {
    const fn new(handle: Handle, account: AccountId, account_key: Bytes32, first_seen: UnixMillis) -> Self {
        Self { handle, account, account_key, first_seen, verified: false, pending: None }
    }
}
