//! Accounts: sign up, profile, the operator's badge and suspension.

use carillon_wire::rest::{CallSettings, Profile};
use carillon_wire::{AccountId, Bytes32, Handle, UnixMillis};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::devices::{DeviceEntry, SessionEntry, insert_device, open_session};
use super::row::{Columns, ToBytes, integer};
use super::{Result, SqliteStore, dispatch};

/// An account as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Id, handle, name, picture, verified.
    pub profile: Profile,
    /// Ed25519 public key of the account.
    pub account_key: Bytes32,
    /// The operator has suspended it.
    pub suspended: bool,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// What a sign-up stores. Everything in it was checked: signatures, names, the handle's form.
#[derive(Debug, Clone)]
pub struct SignUpEntry {
    /// Follows from the account key.
    pub account: AccountId,
    /// The wished handle.
    pub handle: Handle,
    /// What the handle looks like (`carillon_policy::handle`).
    pub skeleton: String,
    /// Display name.
    pub name: String,
    /// Ed25519 public key of the account.
    pub account_key: Bytes32,
    /// SHA-256 of the invitation, where one is needed: one use of it is taken.
    pub invitation: Option<Bytes32>,
    /// The first device.
    pub device: DeviceEntry,
    /// Its first session.
    pub session: SessionEntry,
}

/// How a sign-up went. Nothing is stored unless it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedUp {
    /// The account is there and the device signed in.
    Done,
    /// Somebody has the handle.
    HandleTaken,
    /// Somebody has a handle that looks the same.
    HandleConfusable,
    /// The account key has an account.
    AccountExists,
    /// The device key belongs to another account.
    DeviceExists,
    /// No such invitation, or all its uses are taken.
    InvitationInvalid,
    /// The challenge was answered before.
    ChallengeUsed,
}

dispatch! {
    /// Makes an account with its first device and signs that in.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails; nothing is stored then.
    pub async fn sign_up(&self, entry: &SignUpEntry, now: UnixMillis) -> Result<SignedUp>;

    /// Why a sign-up would be refused, as far as it can be told without writing. `None`: it may go through.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn sign_up_refusal(&self, entry: &SignUpEntry) -> Result<Option<SignedUp>>;

    /// An account by its id.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn account(&self, account: AccountId) -> Result<Option<Account>>;

    /// The account that has a handle.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn account_by_handle(&self, handle: &Handle) -> Result<Option<Account>>;

    /// Gives an account another display name.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn rename(&self, account: AccountId, name: &str) -> Result<()>;

    /// How many accounts there are.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn count_accounts(&self) -> Result<u64>;
}

/// The columns that [`profile`] reads, of `accounts AS a`.
macro_rules! profile_columns {
    () => {
        "a.id, a.handle, a.name, a.picture, a.verified"
    };
}
pub(super) use profile_columns;

/// A profile out of a row with [`profile_columns`].
pub(super) fn profile(row: &SqliteRow) -> Result<Profile> {
    Ok(Profile {
        account: row.account("id")?,
        handle: row.handle("handle")?,
        name: row.text("name")?,
        picture: row.fixed_or_null::<32>("picture")?.map(|hash| picture_path(&hash)),
        verified: row.flag("verified")?,
    })
}

/// Where the server serves a picture.
pub fn picture_path(hash: &Bytes32) -> String {
    format!("/v1/pictures/{hash}")
}

fn account(row: &SqliteRow) -> Result<Account> {
    Ok(Account {
        profile: profile(row)?,
        account_key: row.fixed("account_key")?,
        suspended: row.flag("suspended")?,
        created_at: row.moment("created_at")?,
    })
}

impl SqliteStore {
    pub(super) async fn sign_up(&self, entry: &SignUpEntry, now: UnixMillis) -> Result<SignedUp> {
        let mut tx = self.write().await?;
        if let Some(refusal) = refusal(&mut tx, entry).await? {
            return Ok(refusal);
        }
        if let Some(invitation) = &entry.invitation
            && !take_invitation(&mut tx, invitation).await?
        {
            return Ok(SignedUp::InvitationInvalid);
        }
        insert_account(&mut tx, entry, now).await?;
        insert_device(&mut tx, entry.account, &entry.device, now).await?;
        if !open_session(&mut tx, entry.device.device, &entry.session, now).await? {
            return Ok(SignedUp::ChallengeUsed);
        }
        tx.commit().await?;
        Ok(SignedUp::Done)
    }

    pub(super) async fn sign_up_refusal(&self, entry: &SignUpEntry) -> Result<Option<SignedUp>> {
        refusal(&mut *self.readers().acquire().await?, entry).await
    }

    pub(super) async fn account(&self, id: AccountId) -> Result<Option<Account>> {
        let row = sqlx::query(concat!(
            "SELECT ",
            profile_columns!(),
            ", a.account_key, a.suspended, a.created_at FROM accounts a WHERE a.id = ?1"
        ))
        .bind(id.bytes())
        .fetch_optional(self.readers())
        .await?;
        row.as_ref().map(account).transpose()
    }

    pub(super) async fn account_by_handle(&self, handle: &Handle) -> Result<Option<Account>> {
        let row = sqlx::query(concat!(
            "SELECT ",
            profile_columns!(),
            ", a.account_key, a.suspended, a.created_at FROM accounts a WHERE a.handle = ?1"
        ))
        .bind(handle.as_str())
        .fetch_optional(self.readers())
        .await?;
        row.as_ref().map(account).transpose()
    }

    pub(super) async fn rename(&self, account: AccountId, name: &str) -> Result<()> {
        sqlx::query("UPDATE accounts SET name = ?2 WHERE id = ?1")
            .bind(account.bytes())
            .bind(name)
            .execute(self.writer())
            .await?;
        Ok(())
    }

    pub(super) async fn count_accounts(&self) -> Result<u64> {
        sqlx::query("SELECT count(*) AS n FROM accounts").fetch_one(self.readers()).await?.number("n")
    }
}

/// Why an account can't be made, if it can't.
async fn refusal(tx: &mut SqliteConnection, entry: &SignUpEntry) -> Result<Option<SignedUp>> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM accounts WHERE id = ?1) AS account, \
         EXISTS (SELECT 1 FROM devices WHERE id = ?2) AS device, \
         EXISTS (SELECT 1 FROM accounts WHERE handle = ?3) AS handle, \
         EXISTS (SELECT 1 FROM accounts WHERE skeleton = ?4) AS skeleton",
    )
    .bind(entry.account.bytes())
    .bind(entry.device.device.bytes())
    .bind(entry.handle.as_str())
    .bind(&entry.skeleton)
    .fetch_one(tx)
    .await?;
    for (column, refusal) in [
        ("account", SignedUp::AccountExists),
        ("device", SignedUp::DeviceExists),
        ("handle", SignedUp::HandleTaken),
        ("skeleton", SignedUp::HandleConfusable),
    ] {
        if row.try_get::<bool, _>(column)? {
            return Ok(Some(refusal));
        }
    }
    Ok(None)
}

async fn take_invitation(tx: &mut SqliteConnection, hash: &Bytes32) -> Result<bool> {
    let taken =
        sqlx::query("UPDATE invitations SET uses_left = uses_left - 1 WHERE hash = ?1 AND uses_left > 0")
            .bind(hash.as_ref())
            .execute(&mut *tx)
            .await?;
    sqlx::query("DELETE FROM invitations WHERE hash = ?1 AND uses_left = 0")
        .bind(hash.as_ref())
        .execute(tx)
        .await?;
    Ok(taken.rows_affected() == 1)
}

async fn insert_account(tx: &mut SqliteConnection, entry: &SignUpEntry, now: UnixMillis) -> Result<()> {
    let settings = CallSettings::default();
    sqlx::query(
        "INSERT INTO accounts (id, handle, skeleton, name, account_key, created_at, calls_enabled, \
         calls_following, calls_verified, calls_address_book, calls_everyone) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .bind(entry.account.bytes())
    .bind(entry.handle.as_str())
    .bind(&entry.skeleton)
    .bind(&entry.name)
    .bind(entry.account_key.as_ref())
    .bind(integer(now.0))
    .bind(settings.enabled)
    .bind(settings.following)
    .bind(settings.verified)
    .bind(settings.address_book)
    .bind(settings.everyone)
    .execute(tx)
    .await?;
    Ok(())
}
