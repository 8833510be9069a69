//! Who may call an account.

use carillon_wire::AccountId;
use carillon_wire::rest::{CallSettings, CallSettingsChange};
use sqlx::sqlite::SqliteRow;

use super::row::{Columns, ToBytes};
use super::{Result, SqliteStore, dispatch};

dispatch! {
    /// An account's settings; `None` if there is no such account.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn call_settings(&self, account: AccountId) -> Result<Option<CallSettings>>;

    /// Changes what the change names, at once with what others change, and answers with the settings as they then
    /// are; `None` if there is no such account.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn change_call_settings(
        &self,
        account: AccountId,
        change: CallSettingsChange,
    ) -> Result<Option<CallSettings>>;
}

/// The settings out of a row with the `calls_*` columns.
pub(super) fn call_settings(row: &SqliteRow) -> Result<CallSettings> {
    Ok(CallSettings {
        enabled: row.flag("calls_enabled")?,
        following: row.flag("calls_following")?,
        verified: row.flag("calls_verified")?,
        address_book: row.flag("calls_address_book")?,
        everyone: row.flag("calls_everyone")?,
    })
}

impl SqliteStore {
    pub(super) async fn call_settings(&self, account: AccountId) -> Result<Option<CallSettings>> {
        let row = sqlx::query(
            "SELECT calls_enabled, calls_following, calls_verified, calls_address_book, calls_everyone \
             FROM accounts WHERE id = ?1",
        )
        .bind(account.bytes())
        .fetch_optional(self.readers())
        .await?;
        row.as_ref().map(call_settings).transpose()
    }

    pub(super) async fn change_call_settings(
        &self,
        account: AccountId,
        change: CallSettingsChange,
    ) -> Result<Option<CallSettings>> {
        let row = sqlx::query(
            "UPDATE accounts SET calls_enabled = coalesce(?2, calls_enabled), \
             calls_following = coalesce(?3, calls_following), calls_verified = coalesce(?4, calls_verified), \
             calls_address_book = coalesce(?5, calls_address_book), \
             calls_everyone = coalesce(?6, calls_everyone) WHERE id = ?1 \
             RETURNING calls_enabled, calls_following, calls_verified, calls_address_book, calls_everyone",
        )
        .bind(account.bytes())
        .bind(change.enabled)
        .bind(change.following)
        .bind(change.verified)
        .bind(change.address_book)
        .bind(change.everyone)
        .fetch_optional(self.writer())
        .await?;
        row.as_ref().map(call_settings).transpose()
    }
}
