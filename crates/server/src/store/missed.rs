//! Calls that reached nobody.

use carillon_wire::frame::Media;
use carillon_wire::rest::{MissedCall, MissedKind};
use carillon_wire::{AccountId, UnixMillis};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::accounts::{profile, profile_columns};
use super::row::{Columns, ToBytes, integer};
use super::{Result, SqliteStore, StoreError, dispatch};

/// Most entries of each of an account's two lists; the oldest make room.
pub const MAX_MISSED: u32 = 500;

dispatch! {
    /// An account's missed or filtered calls with an id greater than `after`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn missed_calls(
        &self,
        callee: AccountId,
        kind: MissedKind,
        after: u64,
        limit: u32,
    ) -> Result<Vec<MissedCall>>;

    /// Takes an entry off the account's lists, if it is there.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails.
    pub async fn forget_missed(&self, callee: AccountId, id: u64) -> Result<()>;
}

const fn kind_text(kind: MissedKind) -> &'static str {
    match kind {
        MissedKind::Missed => "missed",
        MissedKind::Filtered => "filtered",
    }
}

/// A call's media as a column.
pub(super) const fn media_text(media: Media) -> &'static str {
    match media {
        Media::Audio => "audio",
        Media::Video => "video",
    }
}

/// A call's media out of a column.
pub(super) fn media(text: &str) -> Result<Media> {
    match text {
        "audio" => Ok(Media::Audio),
        "video" => Ok(Media::Video),
        _ => Err(StoreError::Corrupt("media")),
    }
}

fn missed(row: &SqliteRow, kind: MissedKind) -> Result<MissedCall> {
    Ok(MissedCall {
        id: row.number("entry")?,
        from: profile(row)?,
        media: media(&row.text("media")?)?,
        at: row.moment("at")?,
        kind,
    })
}

/// Notes a call that reached nobody. The oldest of more than [`MAX_MISSED`] is forgotten.
pub(super) async fn insert_missed(
    tx: &mut SqliteConnection,
    callee: AccountId,
    caller: AccountId,
    media: Media,
    kind: MissedKind,
    at: UnixMillis,
) -> Result<()> {
    sqlx::query("INSERT INTO missed_calls (callee, caller, media, at, kind) VALUES (?1, ?2, ?3, ?4, ?5)")
        .bind(callee.bytes())
        .bind(caller.bytes())
        .bind(media_text(media))
        .bind(integer(at.0))
        .bind(kind_text(kind))
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "DELETE FROM missed_calls WHERE callee = ?1 AND kind = ?2 AND id <= (SELECT id FROM missed_calls \
         WHERE callee = ?1 AND kind = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
    )
    .bind(callee.bytes())
    .bind(kind_text(kind))
    .bind(MAX_MISSED)
    .execute(tx)
    .await?;
    Ok(())
}

impl SqliteStore {
    pub(super) async fn missed_calls(
        &self,
        callee: AccountId,
        kind: MissedKind,
        after: u64,
        limit: u32,
    ) -> Result<Vec<MissedCall>> {
        let rows = sqlx::query(concat!(
            "SELECT m.id AS entry, m.media, m.at, ",
            profile_columns!(),
            " FROM missed_calls m JOIN accounts a ON a.id = m.caller \
             WHERE m.callee = ?1 AND m.kind = ?2 AND m.id > ?3 ORDER BY m.id LIMIT ?4"
        ))
        .bind(callee.bytes())
        .bind(kind_text(kind))
        .bind(integer(after))
        .bind(limit)
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(|row| missed(row, kind)).collect()
    }

    pub(super) async fn forget_missed(&self, callee: AccountId, id: u64) -> Result<()> {
        sqlx::query("DELETE FROM missed_calls WHERE callee = ?1 AND id = ?2")
            .bind(callee.bytes())
            .bind(integer(id))
            .execute(self.writer())
            .await?;
        Ok(())
    }
}
