//! Devices, their certificates and their sessions.

use carillon_wire::limits::{MAX_DEVICES, TOKEN_TTL};
use carillon_wire::rest::DeviceKeys;
use carillon_wire::signed::Signed;
use carillon_wire::{AccountId, Bytes32, DeviceId, Millis, UnixMillis};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::calls::{self, Aftermath};
use super::row::{Columns, ToBytes, integer};
use super::{Result, SqliteStore, dispatch};

/// How long an answered challenge is remembered. Far longer than it could be answered again, so that not even a clock
/// that jumps back lets it count twice.
const ANSWERED_CHALLENGES_KEPT: Millis = Millis::from_secs(24 * 3600);

/// Most sessions of one device; a further one ends the one that would run out first.
const MAX_SESSIONS: i64 = 8;

const DAY: u64 = 24 * 3600 * 1000;

/// What is stored of a new device. Everything in it was checked.
#[derive(Debug, Clone)]
pub struct DeviceEntry {
    /// Follows from the device key.
    pub device: DeviceId,
    /// Ed25519 public key of the device.
    pub device_key: Bytes32,
    /// What the person calls it.
    pub name: String,
    /// Signed by the account key.
    pub certificate: Signed,
    /// The certificate's `seq`.
    pub seq: u64,
}

/// What is stored of a new session.
#[derive(Debug, Clone)]
pub struct SessionEntry {
    /// SHA-256 of the token.
    pub token_hash: Bytes32,
    /// The challenge that was answered: it counts once.
    pub nonce: Bytes32,
}

/// What a challenge's signature and a connection are checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceIdentity {
    /// Whose device it is.
    pub account: AccountId,
    /// Ed25519 public key of the device.
    pub device_key: Bytes32,
    /// It was removed from the account.
    pub revoked: bool,
    /// The operator has suspended the account.
    pub suspended: bool,
}

/// Who a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenOwner {
    /// The account.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// The device was removed from the account: the token counts no longer.
    pub revoked: bool,
    /// The operator has suspended the account.
    pub suspended: bool,
}

/// How the addition of a device went. Nothing is stored unless it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceAdded {
    /// The device is new and signed in.
    Added,
    /// The account had it already; it is signed in, with the newer of the two certificates.
    Known,
    /// No account has this key.
    AccountUnknown,
    /// The operator has suspended the account.
    Suspended,
    /// The device was removed and can't come back with the same key.
    Revoked,
    /// The device key belongs to another account.
    DeviceExists,
    /// The account has [`MAX_DEVICES`].
    TooMany,
    /// The challenge was answered before.
    ChallengeUsed,
}

/// How the renewal of a certificate went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// Callers get the new one from now on.
    Done,
    /// Its `seq` is not higher than the one stored.
    Stale,
    /// The device is gone.
    Unknown,
}

/// One of an account's devices, for its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnDevice {
    /// The device.
    pub device: DeviceId,
    /// What the person calls it.
    pub name: String,
    /// When it was added.
    pub added_at: UnixMillis,
    /// Start of the day (UTC) on which it was last connected.
    pub last_seen_day: Option<UnixMillis>,
}

dispatch! {
    /// What a device is checked against; `None` if no such device was ever added.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn device_identity(&self, device: DeviceId) -> Result<Option<DeviceIdentity>>;

    /// Opens a session of a device whose signature was checked. `false` if the challenge was answered before.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails; nothing is stored then.
    pub async fn sign_in(&self, device: DeviceId, session: &SessionEntry, now: UnixMillis) -> Result<bool>;

    /// Ends a session.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn sign_out(&self, token_hash: &Bytes32) -> Result<()>;

    /// Who a token belongs to; `None` if it is unknown or has run out.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn token_owner(&self, token_hash: &Bytes32, now: UnixMillis) -> Result<Option<TokenOwner>>;

    /// Adds a device to an account that exists and signs it in.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails; nothing is stored then.
    pub async fn add_device(
        &self,
        account: AccountId,
        device: &DeviceEntry,
        session: &SessionEntry,
        now: UnixMillis,
    ) -> Result<DeviceAdded>;

    /// Replaces a device's certificate by one with a higher `seq`.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn renew_certificate(&self, device: DeviceId, certificate: &Signed, seq: u64) -> Result<Renewed>;

    /// The account's devices that are not revoked, oldest first.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn own_devices(&self, account: AccountId) -> Result<Vec<OwnDevice>>;

    /// The key and certificates of an account; `None` if there is no such account or it is suspended.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn device_keys(&self, account: AccountId) -> Result<Option<DeviceKeys>>;

    /// Removes a device of an account: its sessions end, its mailbox and name are forgotten, and calls that ring on it
    /// go on without it. `None` if the account has no such device (any more).
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn revoke_device(
        &self,
        account: AccountId,
        device: DeviceId,
        now: UnixMillis,
    ) -> Result<Option<Aftermath>>;

    /// Notes, to the day, that a device was connected.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn seen(&self, device: DeviceId, now: UnixMillis) -> Result<()>;

    /// Forgets sessions that have run out, challenges that can't be answered again and the operator's old changes.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn forget_expired(&self, now: UnixMillis) -> Result<()>;
}

fn certificate(row: &SqliteRow) -> Result<Signed> {
    Ok(Signed { body: row.blob("certificate_body")?, signature: row.fixed("certificate_signature")? })
}

impl SqliteStore {
    pub(super) async fn device_identity(&self, device: DeviceId) -> Result<Option<DeviceIdentity>> {
        let row = sqlx::query(
            "SELECT d.account, d.device_key, d.revoked_at IS NOT NULL AS revoked, a.suspended \
             FROM devices d JOIN accounts a ON a.id = d.account WHERE d.id = ?1",
        )
        .bind(device.bytes())
        .fetch_optional(self.readers())
        .await?;
        row.map(|row| {
            Ok(DeviceIdentity {
                account: row.account("account")?,
                device_key: row.fixed("device_key")?,
                revoked: row.flag("revoked")?,
                suspended: row.flag("suspended")?,
            })
        })
        .transpose()
    }

    pub(super) async fn sign_in(
        &self,
        device: DeviceId,
        session: &SessionEntry,
        now: UnixMillis,
    ) -> Result<bool> {
        let mut tx = self.write().await?;
        if !open_session(&mut tx, device, session, now).await? {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    pub(super) async fn sign_out(&self, token_hash: &Bytes32) -> Result<()> {
        sqlx::query("DELETE FROM tokens WHERE hash = ?1")
            .bind(token_hash.as_ref())
            .execute(self.writer())
            .await?;
        Ok(())
    }

    pub(super) async fn token_owner(
        &self,
        token_hash: &Bytes32,
        now: UnixMillis,
    ) -> Result<Option<TokenOwner>> {
        let row = sqlx::query(
            "SELECT d.account, d.id AS device, d.revoked_at IS NOT NULL AS revoked, a.suspended \
             FROM tokens t JOIN devices d ON d.id = t.device JOIN accounts a ON a.id = d.account \
             WHERE t.hash = ?1 AND t.expires_at > ?2",
        )
        .bind(token_hash.as_ref())
        .bind(integer(now.0))
        .fetch_optional(self.readers())
        .await?;
        row.map(|row| {
            Ok(TokenOwner {
                account: row.account("account")?,
                device: row.device("device")?,
                revoked: row.flag("revoked")?,
                suspended: row.flag("suspended")?,
            })
        })
        .transpose()
    }

    pub(super) async fn add_device(
        &self,
        account: AccountId,
        device: &DeviceEntry,
        session: &SessionEntry,
        now: UnixMillis,
    ) -> Result<DeviceAdded> {
        let mut tx = self.write().await?;
        let added = match admission(&mut tx, account, device.device).await? {
            Admission::New => {
                insert_device(&mut tx, account, device, now).await?;
                DeviceAdded::Added
            }
            Admission::Known => {
                replace_certificate(&mut tx, device.device, &device.certificate, device.seq).await?;
                DeviceAdded::Known
            }
            Admission::Refused(refusal) => return Ok(refusal),
        };
        if !open_session(&mut tx, device.device, session, now).await? {
            return Ok(DeviceAdded::ChallengeUsed);
        }
        tx.commit().await?;
        Ok(added)
    }

    pub(super) async fn renew_certificate(
        &self,
        device: DeviceId,
        certificate: &Signed,
        seq: u64,
    ) -> Result<Renewed> {
        let mut tx = self.write().await?;
        let known = sqlx::query(
            "SELECT certificate_body, certificate_signature FROM devices WHERE id = ?1 AND revoked_at IS NULL",
        )
        .bind(device.bytes())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(known) = known else { return Ok(Renewed::Unknown) };
        if self::certificate(&known)? == *certificate {
            // The same request once more, because its answer was lost.
            return Ok(Renewed::Done);
        }
        if !replace_certificate(&mut tx, device, certificate, seq).await? {
            return Ok(Renewed::Stale);
        }
        tx.commit().await?;
        Ok(Renewed::Done)
    }

    pub(super) async fn own_devices(&self, account: AccountId) -> Result<Vec<OwnDevice>> {
        let rows = sqlx::query(
            "SELECT id, name, added_at, last_seen_day FROM devices \
             WHERE account = ?1 AND revoked_at IS NULL ORDER BY added_at, id",
        )
        .bind(account.bytes())
        .fetch_all(self.readers())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(OwnDevice {
                    device: row.device("id")?,
                    name: row.text("name")?,
                    added_at: row.moment("added_at")?,
                    last_seen_day: row.moment_or_null("last_seen_day")?,
                })
            })
            .collect()
    }

    pub(super) async fn device_keys(&self, account: AccountId) -> Result<Option<DeviceKeys>> {
        // One statement, so that key and certificates are of one moment; the left join keeps an account whose
        // devices are all revoked.
        let rows = sqlx::query(
            "SELECT a.account_key, d.id IS NOT NULL AS any_device, d.certificate_body, d.certificate_signature \
             FROM accounts a LEFT JOIN devices d ON d.account = a.id AND d.revoked_at IS NULL \
             WHERE a.id = ?1 AND a.suspended = 0 ORDER BY d.id",
        )
        .bind(account.bytes())
        .fetch_all(self.readers())
        .await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let account_key = first.fixed("account_key")?;
        let mut certificates = Vec::with_capacity(rows.len());
        for row in &rows {
            if row.flag("any_device")? {
                certificates.push(certificate(row)?);
            }
        }
        Ok(Some(DeviceKeys { account_key, certificates }))
    }

    pub(super) async fn revoke_device(
        &self,
        account: AccountId,
        device: DeviceId,
        now: UnixMillis,
    ) -> Result<Option<Aftermath>> {
        let mut tx = self.write().await?;
        // Its tokens stay until they run out, so that they can be answered with the right code; they count no longer.
        let revoked = sqlx::query(
            "UPDATE devices SET revoked_at = ?3, name = '', last_seen_day = NULL, certificate_body = x'' \
             WHERE id = ?1 AND account = ?2 AND revoked_at IS NULL",
        )
        .bind(device.bytes())
        .bind(account.bytes())
        .bind(integer(now.0))
        .execute(&mut *tx)
        .await?;
        if revoked.rows_affected() == 0 {
            return Ok(None);
        }
        let mut aftermath = Aftermath::default();
        calls::go_on_without(&mut tx, device, now, &mut aftermath).await?;
        tx.commit().await?;
        Ok(Some(aftermath))
    }

    pub(super) async fn seen(&self, device: DeviceId, now: UnixMillis) -> Result<()> {
        // Once a day: the other times it does not even write.
        sqlx::query(
            "UPDATE devices SET last_seen_day = ?2 \
             WHERE id = ?1 AND revoked_at IS NULL AND last_seen_day IS NOT ?2",
        )
        .bind(device.bytes())
        .bind(integer(now.0 - now.0 % DAY))
        .execute(self.writer())
        .await?;
        Ok(())
    }

    pub(super) async fn forget_expired(&self, now: UnixMillis) -> Result<()> {
        let yesterday = integer(now.before(ANSWERED_CHALLENGES_KEPT).0);
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM tokens WHERE expires_at <= ?1")
            .bind(integer(now.0))
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM answered_challenges WHERE answered_at <= ?1")
            .bind(yesterday)
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM operator_changes WHERE at <= ?1").bind(yesterday).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Whether a device may join an account.
enum Admission {
    New,
    Known,
    Refused(DeviceAdded),
}

async fn admission(tx: &mut SqliteConnection, account: AccountId, device: DeviceId) -> Result<Admission> {
    let Some(row) = sqlx::query("SELECT suspended FROM accounts WHERE id = ?1")
        .bind(account.bytes())
        .fetch_optional(&mut *tx)
        .await?
    else {
        return Ok(Admission::Refused(DeviceAdded::AccountUnknown));
    };
    if row.flag("suspended")? {
        return Ok(Admission::Refused(DeviceAdded::Suspended));
    }
    let known = sqlx::query("SELECT account, revoked_at IS NOT NULL AS revoked FROM devices WHERE id = ?1")
        .bind(device.bytes())
        .fetch_optional(&mut *tx)
        .await?;
    if let Some(row) = known {
        return Ok(if row.account("account")? != account {
            Admission::Refused(DeviceAdded::DeviceExists)
        } else if row.flag("revoked")? {
            Admission::Refused(DeviceAdded::Revoked)
        } else {
            Admission::Known
        });
    }
    let devices = sqlx::query("SELECT count(*) AS n FROM devices WHERE account = ?1 AND revoked_at IS NULL")
        .bind(account.bytes())
        .fetch_one(tx)
        .await?
        .number("n")?;
    Ok(if devices >= MAX_DEVICES as u64 { Admission::Refused(DeviceAdded::TooMany) } else { Admission::New })
}

pub(super) async fn insert_device(
    tx: &mut SqliteConnection,
    account: AccountId,
    device: &DeviceEntry,
    now: UnixMillis,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO devices (id, account, name, device_key, certificate_body, certificate_signature, \
         certificate_seq, added_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .bind(device.device.bytes())
    .bind(account.bytes())
    .bind(&device.name)
    .bind(device.device_key.as_ref())
    .bind(device.certificate.body.as_ref())
    .bind(device.certificate.signature.as_ref())
    .bind(integer(device.seq))
    .bind(integer(now.0))
    .execute(tx)
    .await?;
    Ok(())
}

async fn replace_certificate(
    tx: &mut SqliteConnection,
    device: DeviceId,
    certificate: &Signed,
    seq: u64,
) -> Result<bool> {
    let replaced = sqlx::query(
        "UPDATE devices SET certificate_body = ?2, certificate_signature = ?3, certificate_seq = ?4 \
         WHERE id = ?1 AND certificate_seq < ?4",
    )
    .bind(device.bytes())
    .bind(certificate.body.as_ref())
    .bind(certificate.signature.as_ref())
    .bind(integer(seq))
    .execute(tx)
    .await?;
    Ok(replaced.rows_affected() == 1)
}

/// Uses up the challenge and stores the session; `false` if the challenge was answered before.
pub(super) async fn open_session(
    tx: &mut SqliteConnection,
    device: DeviceId,
    session: &SessionEntry,
    now: UnixMillis,
) -> Result<bool> {
    let first = sqlx::query(
        "INSERT INTO answered_challenges (nonce, answered_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    )
    .bind(session.nonce.as_ref())
    .bind(integer(now.0))
    .execute(&mut *tx)
    .await?;
    if first.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "DELETE FROM tokens WHERE device = ?1 AND hash NOT IN \
         (SELECT hash FROM tokens WHERE device = ?1 ORDER BY expires_at DESC LIMIT ?2)",
    )
    .bind(device.bytes())
    .bind(MAX_SESSIONS - 1)
    .execute(&mut *tx)
    .await?;
    sqlx::query("INSERT INTO tokens (hash, device, expires_at) VALUES (?1, ?2, ?3)")
        .bind(session.token_hash.as_ref())
        .bind(device.bytes())
        .bind(integer(now.after(TOKEN_TTL).0))
        .execute(tx)
        .await?;
    Ok(true)
}
