//! What belongs to the operator: secrets of the server, roll-out, invitations, badges and suspensions.

use carillon_policy::rollout::Rollout;
use carillon_wire::{AccountId, Bytes32, Handle, UnixMillis};
use sqlx::sqlite::SqliteRow;

use super::row::{Columns, ToBytes, integer};
use super::{Result, SqliteStore, StoreError, dispatch};

/// Something the operator decides about one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is whom its handle says, or no longer.
    Verified(bool),
    /// It can't do anything here, or can again.
    Suspended(bool),
}

/// A secret of this server, made at its first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// Seed of the Ed25519 key that signs badges.
    Issuer,
    /// Key of the HMAC in challenges.
    Challenge,
}

impl Secret {
    const fn key(self) -> &'static str {
        match self {
            Self::Issuer => "issuer_seed",
            Self::Challenge => "challenge_key",
        }
    }
}

dispatch! {
    /// A secret: the one stored, or else `fresh`, which is then stored.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn secret(&self, secret: Secret, fresh: &Bytes32) -> Result<Bytes32>;

    /// How far calls are rolled out: to everyone, if the operator never said otherwise.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn rollout(&self) -> Result<Rollout>;

    /// Sets the roll-out. It holds from the next call on.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn set_rollout(&self, rollout: Rollout) -> Result<()>;

    /// Makes an invitation with this many uses.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn invite(&self, hash: &Bytes32, uses: u32, now: UnixMillis) -> Result<()>;

    /// Notes the operator's word about an account and tells the running server; `None` if nobody has the handle.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn judge(&self, handle: &Handle, verdict: Verdict, now: UnixMillis) -> Result<Option<AccountId>>;

    /// The accounts about which the operator changed something after the change `after`, with the number of the
    /// newest change.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn operator_changes(&self, after: u64) -> Result<(u64, Vec<AccountId>)>;

    /// The number of the operator's newest change.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn newest_operator_change(&self) -> Result<u64>;
}

/// The roll-out out of a row with the column `rollout`, as stored or NULL.
pub(super) fn rollout(row: &SqliteRow) -> Result<Rollout> {
    let stored: Option<&[u8]> = sqlx::Row::try_get(row, "rollout")?;
    let Some(stored) = stored else { return Ok(Rollout::default()) };
    std::str::from_utf8(stored).ok().and_then(|text| text.parse().ok()).ok_or(StoreError::Corrupt("rollout"))
}

impl SqliteStore {
    pub(super) async fn secret(&self, secret: Secret, fresh: &Bytes32) -> Result<Bytes32> {
        let mut tx = self.write().await?;
        sqlx::query("INSERT INTO server (key, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
            .bind(secret.key())
            .bind(fresh.as_ref())
            .execute(&mut *tx)
            .await?;
        let stored = sqlx::query("SELECT value FROM server WHERE key = ?1")
            .bind(secret.key())
            .fetch_one(&mut *tx)
            .await?
            .fixed("value")?;
        tx.commit().await?;
        Ok(stored)
    }

    pub(super) async fn rollout(&self) -> Result<Rollout> {
        let row = sqlx::query("SELECT (SELECT value FROM server WHERE key = 'rollout') AS rollout")
            .fetch_one(self.readers())
            .await?;
        rollout(&row)
    }

    pub(super) async fn set_rollout(&self, rollout: Rollout) -> Result<()> {
        sqlx::query(
            "INSERT INTO server (key, value) VALUES ('rollout', ?1) \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )
        .bind(rollout.to_string().into_bytes())
        .execute(self.writer())
        .await?;
        Ok(())
    }

    pub(super) async fn invite(&self, hash: &Bytes32, uses: u32, now: UnixMillis) -> Result<()> {
        sqlx::query("INSERT INTO invitations (hash, uses_left, created_at) VALUES (?1, ?2, ?3)")
            .bind(hash.as_ref())
            .bind(uses)
            .bind(integer(now.0))
            .execute(self.writer())
            .await?;
        Ok(())
    }

    pub(super) async fn judge(
        &self,
        handle: &Handle,
        verdict: Verdict,
        now: UnixMillis,
    ) -> Result<Option<AccountId>> {
        let mut tx = self.write().await?;
        let (sql, value) = match verdict {
            Verdict::Verified(verified) => {
                ("UPDATE accounts SET verified = ?2 WHERE handle = ?1 RETURNING id", verified)
            }
            Verdict::Suspended(suspended) => {
                ("UPDATE accounts SET suspended = ?2 WHERE handle = ?1 RETURNING id", suspended)
            }
        };
        let row = sqlx::query(sql).bind(handle.as_str()).bind(value).fetch_optional(&mut *tx).await?;
        let Some(row) = row else { return Ok(None) };
        let account = row.account("id")?;
        sqlx::query("INSERT INTO operator_changes (account, at) VALUES (?1, ?2)")
            .bind(account.bytes())
            .bind(integer(now.0))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Some(account))
    }

    pub(super) async fn operator_changes(&self, after: u64) -> Result<(u64, Vec<AccountId>)> {
        let rows = sqlx::query("SELECT id, account FROM operator_changes WHERE id > ?1 ORDER BY id")
            .bind(integer(after))
            .fetch_all(self.readers())
            .await?;
        let newest = rows.last().map(|row| row.number("id")).transpose()?.unwrap_or(after);
        let accounts = rows.iter().map(|row| row.account("account")).collect::<Result<Vec<_>>>()?;
        Ok((newest, accounts))
    }

    pub(super) async fn newest_operator_change(&self) -> Result<u64> {
        // AUTOINCREMENT keeps the highest number ever given, even when old rows have been forgotten.
        let row = sqlx::query(
            "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'operator_changes'), 0) AS newest",
        )
        .fetch_one(self.readers())
        .await?;
        row.number("newest")
    }
}
