//! Mailboxes: what a device has not acknowledged yet.
//!
//! The mailbox is the truth; the bus only rings the doorbell. A number is never used twice for a device.

use carillon_wire::frame::Event;
use carillon_wire::limits::{MAILBOX_TTL, MAX_MAILBOX};
use carillon_wire::{CallId, DeviceId, UnixMillis};
use sqlx::SqliteConnection;

use super::row::{Columns, ToBytes, integer};
use super::{Result, SqliteStore, StoreError, dispatch};

/// A message as it lies in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its number.
    pub seq: u64,
    /// When it was put there.
    pub queued_at: UnixMillis,
    /// When it is dropped. For a `ring`: when it stops ringing.
    pub expires_at: UnixMillis,
    /// What it says; the spans of a `ring` are those of the moment it was put there.
    pub event: Event,
}

dispatch! {
    /// A device's messages with a number above `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn mail(&self, device: DeviceId, after: u64, limit: u32, now: UnixMillis) -> Result<Vec<Mail>>;

    /// Forgets a device's messages up to and including `seq`.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn acknowledge(&self, device: DeviceId, seq: u64) -> Result<()>;

    /// Drops messages whose time is over.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn drop_old_mail(&self, now: UnixMillis) -> Result<()>;

    /// How many messages lie in all mailboxes.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn mail_waiting(&self) -> Result<u64>;
}

/// What a message is to a mailbox that is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// A `ring`, until this moment: not put into a full mailbox.
    Ring(UnixMillis),
    /// A `relay`: not put into a full mailbox, its sender is told.
    Relay,
    /// How a call goes on: pushes the oldest message out, for without it a device would ring for ever.
    Course,
}

/// Puts a message into a mailbox. `false`: it is full, or there is no such device.
pub(super) async fn post(
    tx: &mut SqliteConnection,
    device: DeviceId,
    urgency: Urgency,
    event: &Event,
    now: UnixMillis,
) -> Result<bool> {
    // This server makes no event that it does not know.
    let Some(call) = event.call() else { return Ok(false) };
    if depth(tx, device).await? >= MAX_MAILBOX as u64 {
        match urgency {
            Urgency::Ring(_) | Urgency::Relay => return Ok(false),
            Urgency::Course => push_oldest_out(tx, device).await?,
        }
    }
    let numbered = sqlx::query(
        "UPDATE devices SET mail_seq = mail_seq + 1 WHERE id = ?1 AND revoked_at IS NULL RETURNING mail_seq",
    )
    .bind(device.bytes())
    .fetch_optional(&mut *tx)
    .await?;
    let Some(numbered) = numbered else { return Ok(false) };
    let expires_at = match urgency {
        Urgency::Ring(until) => until,
        Urgency::Relay | Urgency::Course => now.after(MAILBOX_TTL),
    };
    sqlx::query(
        "INSERT INTO mailbox (device, seq, call, is_ring, queued_at, expires_at, event) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .bind(device.bytes())
    .bind(integer(numbered.number("mail_seq")?))
    .bind(call.bytes())
    .bind(matches!(urgency, Urgency::Ring(_)))
    .bind(integer(now.0))
    .bind(integer(expires_at.0))
    .bind(carillon_wire::frame::encode(event))
    .execute(tx)
    .await?;
    Ok(true)
}

/// How many messages lie in a device's mailbox.
pub(super) async fn depth(tx: &mut SqliteConnection, device: DeviceId) -> Result<u64> {
    sqlx::query("SELECT count(*) AS depth FROM mailbox WHERE device = ?1")
        .bind(device.bytes())
        .fetch_one(tx)
        .await?
        .number("depth")
}

/// Takes the rings of a call out of all mailboxes: nothing rings after the end.
pub(super) async fn take_rings_out(tx: &mut SqliteConnection, call: CallId) -> Result<()> {
    sqlx::query("DELETE FROM mailbox WHERE call = ?1 AND is_ring = 1").bind(call.bytes()).execute(tx).await?;
    Ok(())
}

async fn push_oldest_out(tx: &mut SqliteConnection, device: DeviceId) -> Result<()> {
    let oldest = sqlx::query(
        "DELETE FROM mailbox WHERE device = ?1 AND seq = (SELECT min(seq) FROM mailbox WHERE device = ?1) \
         RETURNING seq",
    )
    .bind(device.bytes())
    .fetch_optional(&mut *tx)
    .await?;
    let Some(oldest) = oldest else { return Ok(()) };
    dropped(tx, device, oldest.number("seq")?).await
}

async fn dropped(tx: &mut SqliteConnection, device: DeviceId, seq: u64) -> Result<()> {
    sqlx::query("UPDATE devices SET mail_dropped = max(mail_dropped, ?2) WHERE id = ?1")
        .bind(device.bytes())
        .bind(integer(seq))
        .execute(tx)
        .await?;
    Ok(())
}

/// Drops one device's messages, or all devices', whose time is over. A `ring` that is over is no loss: the call's end
/// is a message of its own.
pub(super) async fn drop_old(
    tx: &mut SqliteConnection,
    device: Option<DeviceId>,
    now: UnixMillis,
) -> Result<()> {
    let lost = sqlx::query(
        "SELECT device, max(seq) AS seq FROM mailbox \
         WHERE expires_at <= ?1 AND is_ring = 0 AND (?2 IS NULL OR device = ?2) GROUP BY device",
    )
    .bind(integer(now.0))
    .bind(device.as_ref().map(ToBytes::bytes))
    .fetch_all(&mut *tx)
    .await?;
    for row in lost {
        dropped(tx, row.device("device")?, row.number("seq")?).await?;
    }
    sqlx::query("DELETE FROM mailbox WHERE expires_at <= ?1 AND (?2 IS NULL OR device = ?2)")
        .bind(integer(now.0))
        .bind(device.as_ref().map(ToBytes::bytes))
        .execute(tx)
        .await?;
    Ok(())
}

impl SqliteStore {
    pub(super) async fn mail(
        &self,
        device: DeviceId,
        after: u64,
        limit: u32,
        now: UnixMillis,
    ) -> Result<Vec<Mail>> {
        let rows = sqlx::query(
            "SELECT seq, queued_at, expires_at, event FROM mailbox \
             WHERE device = ?1 AND seq > ?2 AND expires_at > ?4 ORDER BY seq LIMIT ?3",
        )
        .bind(device.bytes())
        .bind(integer(after))
        .bind(limit)
        .bind(integer(now.0))
        .fetch_all(self.readers())
        .await?;
        rows.iter()
            .map(|row| {
                let event: &str = sqlx::Row::try_get(row, "event")?;
                Ok(Mail {
                    seq: row.number("seq")?,
                    queued_at: row.moment("queued_at")?,
                    expires_at: row.moment("expires_at")?,
                    event: serde_json::from_str(event).map_err(|_| StoreError::Corrupt("event"))?,
                })
            })
            .collect()
    }

    pub(super) async fn acknowledge(&self, device: DeviceId, seq: u64) -> Result<()> {
        sqlx::query("DELETE FROM mailbox WHERE device = ?1 AND seq <= ?2")
            .bind(device.bytes())
            .bind(integer(seq))
            .execute(self.writer())
            .await?;
        Ok(())
    }

    pub(super) async fn drop_old_mail(&self, now: UnixMillis) -> Result<()> {
        let mut tx = self.write().await?;
        drop_old(&mut tx, None, now).await?;
        tx.commit().await?;
        Ok(())
    }

    pub(super) async fn mail_waiting(&self) -> Result<u64> {
        let row = sqlx::query("SELECT count(*) AS waiting FROM mailbox").fetch_one(self.readers()).await?;
        row.number("waiting")
    }
}
