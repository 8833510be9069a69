//! The profile's database: recent calls, pins, what was seen before, settings as they were last.

use std::path::Path;
use std::time::Duration;

use carillon_e2e::pins::Pin;
use carillon_e2e::replay::ReplayEntry;
use carillon_wire::frame::Media;
use carillon_wire::{AccountId, Bytes32, CallId, DeviceId, Handle, UnixMillis};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row as _, SqlitePool};

use crate::dto::{CallEnd, Direction, Outcome, RecentCall};
use crate::error::{ClientError, LocalCode};

/// Each step brings a database from the version before to the next; `PRAGMA user_version` counts them.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE pins (handle TEXT PRIMARY KEY, pin TEXT NOT NULL) STRICT;
    CREATE TABLE certificates (device BLOB PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
    CREATE TABLE replays (hash BLOB PRIMARY KEY, expires_at INTEGER NOT NULL) STRICT;
    CREATE TABLE calls (
        id INTEGER PRIMARY KEY,
        call BLOB NOT NULL UNIQUE,
        direction TEXT NOT NULL,
        account BLOB NOT NULL,
        handle TEXT,
        name TEXT NOT NULL,
        media TEXT NOT NULL,
        outcome TEXT NOT NULL,
        ended TEXT NOT NULL,
        at INTEGER NOT NULL,
        talked INTEGER
    ) STRICT;
"];

/// Most recent calls that are kept.
const MAX_RECENT: i64 = 1000;

/// Names of what is kept as a single value.
pub(crate) mod fact {
    /// Address of the server.
    pub(crate) const SERVER: &str = "server";
    /// Whether plain http to another machine was allowed.
    pub(crate) const INSECURE_HTTP: &str = "insecure_http";
    /// The certificates of the operator's own authority, as PEM.
    pub(crate) const CA: &str = "ca";
    /// Where the secrets are: `file` or the name in the key store.
    pub(crate) const VAULT: &str = "vault";
    /// The account as it was last.
    pub(crate) const ACCOUNT: &str = "account";
    /// Who may call, as it was last.
    pub(crate) const SETTINGS: &str = "settings";
    /// Sound, as the person has set it.
    pub(crate) const SOUND: &str = "sound";
    /// Whether calls hide this machine's address.
    pub(crate) const HIDE_ADDRESS: &str = "hide_address";
    /// The server's key that signs badges, as it was first.
    pub(crate) const ISSUER: &str = "issuer";
    /// The device of a sign-up that has begun.
    pub(crate) const JOINING: &str = "joining";
    /// The last missed call that the person has seen.
    pub(crate) const MISSED_SEEN: &str = "missed_seen";
}

/// The database of one profile. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the database and brings it up to date.
    ///
    /// # Errors
    /// `profile_damaged` when the file is no database or its pages don't fit together, `profile_newer` when a later
    /// version wrote it, `storage`. Nothing is deleted.
    pub(crate) async fn open(path: &Path) -> Result<Self, ClientError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5));
        let pool =
            SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(|e| fault(&e))?;
        let store = Self { pool };
        store.check().await?;
        store.migrate(MIGRATIONS).await?;
        Ok(store)
    }

    async fn check(&self) -> Result<(), ClientError> {
        let verdict: String =
            sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&self.pool).await.map_err(|e| fault(&e))?;
        if verdict == "ok" { Ok(()) } else { Err(LocalCode::ProfileDamaged.into()) }
    }

    async fn migrate(&self, migrations: &[&'static str]) -> Result<(), ClientError> {
        let version: i64 =
            sqlx::query_scalar("PRAGMA user_version").fetch_one(&self.pool).await.map_err(|e| fault(&e))?;
        let done = usize::try_from(version).map_err(|_| LocalCode::ProfileDamaged)?;
        if done > migrations.len() {
            return Err(LocalCode::ProfileNewer.into());
        }
        for (step, sql) in migrations.iter().enumerate().skip(done) {
            let mut change = self.pool.begin().await.map_err(|e| fault(&e))?;
            sqlx::raw_sql(*sql).execute(&mut *change).await.map_err(|e| fault(&e))?;
            // A pragma takes no parameters; the number is ours.
            let mark = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {}", step + 1));
            sqlx::raw_sql(mark).execute(&mut *change).await.map_err(|e| fault(&e))?;
            change.commit().await.map_err(|e| fault(&e))?;
        }
        Ok(())
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// A single value; `None` when it was never kept, or by a version that wrote it differently.
    pub(crate) async fn fact<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ClientError> {
        let text: Option<String> = sqlx::query_scalar("SELECT value FROM facts WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(|e| fault(&e))?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    pub(crate) async fn set_fact<T: Serialize>(&self, name: &str, value: &T) -> Result<(), ClientError> {
        let text = serde_json::to_string(value).map_err(|_| LocalCode::Storage)?;
        sqlx::query(
            "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(name)
        .bind(text)
        .execute(&self.pool)
        .await
        .map_err(|e| fault(&e))?;
        Ok(())
    }

    pub(crate) async fn pins(&self) -> Result<Vec<Pin>, ClientError> {
        let rows: Vec<String> =
            sqlx::query_scalar("SELECT pin FROM pins").fetch_all(&self.pool).await.map_err(|e| fault(&e))?;
        // A pin that can't be read must not be taken for one that was never made.
        rows.iter()
            .map(|pin| serde_json::from_str(pin).map_err(|_| LocalCode::ProfileDamaged.into()))
            .collect()
    }

    pub(crate) async fn save_pin(&self, pin: &Pin) -> Result<(), ClientError> {
        let text = serde_json::to_string(pin).map_err(|_| LocalCode::Storage)?;
        sqlx::query("INSERT INTO pins VALUES (?, ?) ON CONFLICT (handle) DO UPDATE SET pin = excluded.pin")
            .bind(pin.handle.as_str())
            .bind(text)
            .execute(&self.pool)
            .await
            .map_err(|e| fault(&e))?;
        Ok(())
    }

    /// The highest certificate number seen of each device.
    pub(crate) async fn certificates(&self) -> Result<Vec<(DeviceId, u64)>, ClientError> {
        let rows = sqlx::query("SELECT device, seq FROM certificates").fetch_all(&self.pool).await;
        let read = |row: &SqliteRow| {
            Some((DeviceId::new(id(row, "device")?), row.try_get::<i64, _>("seq").ok()? as u64))
        };
        rows.map_err(|e| fault(&e))?
            .iter()
            .map(|row| read(row).ok_or_else(|| LocalCode::ProfileDamaged.into()))
            .collect()
    }

    pub(crate) async fn save_certificate(&self, device: DeviceId, seq: u64) -> Result<(), ClientError> {
        sqlx::query(
            "INSERT INTO certificates VALUES (?, ?)
             ON CONFLICT (device) DO UPDATE SET seq = max(seq, excluded.seq)",
        )
        .bind(device.as_bytes().as_slice())
        .bind(seq.cast_signed())
        .execute(&self.pool)
        .await
        .map_err(|e| fault(&e))?;
        Ok(())
    }

    /// The messages that were opened and whose time is not over.
    pub(crate) async fn replays(&self, now: UnixMillis) -> Result<Vec<ReplayEntry>, ClientError> {
        sqlx::query("DELETE FROM replays WHERE expires_at <= ?")
            .bind(now.0.cast_signed())
            .execute(&self.pool)
            .await
            .map_err(|e| fault(&e))?;
        let rows = sqlx::query("SELECT hash, expires_at FROM replays").fetch_all(&self.pool).await;
        let read = |row: &SqliteRow| {
            let hash: [u8; 32] = row.try_get::<Vec<u8>, _>("hash").ok()?.try_into().ok()?;
            let expires_at = UnixMillis(row.try_get::<i64, _>("expires_at").ok()?.cast_unsigned());
            Some(ReplayEntry { hash: Bytes32::from(hash), expires_at })
        };
        rows.map_err(|e| fault(&e))?
            .iter()
            .map(|row| read(row).ok_or_else(|| LocalCode::ProfileDamaged.into()))
            .collect()
    }

    pub(crate) async fn save_replay(&self, entry: &ReplayEntry) -> Result<(), ClientError> {
        sqlx::query("INSERT OR IGNORE INTO replays VALUES (?, ?)")
            .bind(entry.hash.as_ref())
            .bind(entry.expires_at.0.cast_signed())
            .execute(&self.pool)
            .await
            .map_err(|e| fault(&e))?;
        Ok(())
    }

    /// Adds a call to the recent ones; those beyond the thousandth go.
    pub(crate) async fn save_recent(&self, call: &RecentCall) -> Result<(), ClientError> {
        sqlx::query(
            "INSERT OR REPLACE INTO calls
             (call, direction, account, handle, name, media, outcome, ended, at, talked)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(call.call.as_bytes().as_slice())
        .bind(json(&call.direction)?)
        .bind(call.account.as_bytes().as_slice())
        .bind(call.handle.as_ref().map(Handle::as_str))
        .bind(&call.name)
        .bind(json(&call.media)?)
        .bind(json(&call.outcome)?)
        .bind(json(&call.end)?)
        .bind(call.at.0.cast_signed())
        .bind(call.talked.map(|talked| talked.0.cast_signed()))
        .execute(&self.pool)
        .await
        .map_err(|e| fault(&e))?;
        sqlx::query("DELETE FROM calls WHERE id <= (SELECT max(id) FROM calls) - ?")
            .bind(MAX_RECENT)
            .execute(&self.pool)
            .await
            .map_err(|e| fault(&e))?;
        Ok(())
    }

    /// Recent calls, the last first. Rows that a later version wrote and this one can't read are left out.
    pub(crate) async fn recent(&self, limit: u32) -> Result<Vec<RecentCall>, ClientError> {
        let rows = sqlx::query("SELECT * FROM calls ORDER BY id DESC LIMIT ?")
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|e| fault(&e))?;
        Ok(rows.iter().filter_map(recent_call).collect())
    }

    /// Removes a call from the recent ones. False when it was not there.
    pub(crate) async fn delete_recent(&self, id: u64) -> Result<bool, ClientError> {
        let done =
            sqlx::query("DELETE FROM calls WHERE id = ?").bind(id.cast_signed()).execute(&self.pool).await;
        Ok(done.map_err(|e| fault(&e))?.rows_affected() > 0)
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, ClientError> {
    serde_json::to_string(value).map_err(|_| LocalCode::Storage.into())
}

fn id(row: &SqliteRow, column: &str) -> Option<[u8; 16]> {
    row.try_get::<Vec<u8>, _>(column).ok()?.try_into().ok()
}

fn recent_call(row: &SqliteRow) -> Option<RecentCall> {
    let json = |column: &str| row.try_get::<String, _>(column).ok();
    Some(RecentCall {
        id: row.try_get::<i64, _>("id").ok()?.cast_unsigned(),
        call: CallId::new(id(row, "call")?),
        direction: serde_json::from_str::<Direction>(&json("direction")?).ok()?,
        account: AccountId::new(id(row, "account")?),
        handle: row.try_get::<Option<String>, _>("handle").ok()?.and_then(|text| Handle::parse(&text).ok()),
        name: row.try_get("name").ok()?,
        media: serde_json::from_str::<Media>(&json("media")?).ok()?,
        outcome: serde_json::from_str::<Outcome>(&json("outcome")?).ok()?,
        end: serde_json::from_str::<CallEnd>(&json("ended")?).ok()?,
        at: UnixMillis(row.try_get::<i64, _>("at").ok()?.cast_unsigned()),
        talked: row
            .try_get::<Option<i64>, _>("talked")
            .ok()?
            .map(|talked| carillon_wire::Millis(talked.cast_unsigned())),
    })
}

/// What SQLite's complaint means to a person.
fn fault(error: &sqlx::Error) -> ClientError {
    let code = match error {
        sqlx::Error::Database(error) => error.code().and_then(|code| code.parse::<u32>().ok()),
        _ => None,
    };
    // The low byte is the primary code (sqlite.org/rescode.html): 11 is CORRUPT, 26 NOTADB, 13 FULL.
    match code.map(|code| code & 0xff) {
        Some(11 | 26) => LocalCode::ProfileDamaged.into(),
        Some(13) => ClientError::saying(LocalCode::Storage, "The disk is full. Make room and try again."),
        _ => {
            tracing::warn!(?code, "the profile's database failed");
            LocalCode::Storage.into()
        }
    }
}

#[cfg(test)]
mod tests;
