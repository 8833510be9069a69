//! A call as rows, and back.

use std::collections::BTreeMap;

use carillon_policy::arbiter::{Rung, ServerCall, State};
use carillon_wire::frame::Media;
use carillon_wire::limits::{DEVICE_GRACE, MAILBOX_TTL, MAX_RING};
use carillon_wire::{AccountId, CallId, DeviceId, Millis, UnixMillis};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::NewCall;
use crate::store::missed::{media, media_text};
use crate::store::row::{Columns, ToBytes, integer};
use crate::store::{Result, StoreError};

/// How long an accepted call is kept after its last sign of life. It needs the server for nothing, but either side
/// may still have something to relay.
const ACCEPTED_KEPT: Millis = Millis::from_secs(24 * 3600);

/// How stale the mark of the last sign of life may get, so that not every relay writes it.
const ACCEPTED_MARK: Millis = Millis::from_secs(3600);

/// A call with what the arbiter does not need to know.
#[derive(Debug)]
pub(super) struct CallRow {
    pub(super) call: ServerCall,
    pub(super) caller: AccountId,
    pub(super) callee: AccountId,
    pub(super) media: Media,
    pub(super) placed_at: UnixMillis,
}

/// What there is under a call id.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    /// It never rang.
    Refused {
        device: DeviceId,
        callee: AccountId,
    },
    Call(CallRow),
}

/// A unit variant of an enum of the protocol as a column: the word that it is in JSON.
fn word(value: impl Serialize) -> Result<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(StoreError::Corrupt("word")),
    }
}

fn from_word<T: DeserializeOwned>(row: &SqliteRow, column: &'static str) -> Result<Option<T>> {
    let word: Option<String> = row.try_get(column)?;
    word.map(|word| {
        serde_json::from_value(serde_json::Value::String(word)).map_err(|_| StoreError::Corrupt(column))
    })
    .transpose()
}

pub(super) async fn find(tx: &mut SqliteConnection, call: CallId) -> Result<Found> {
    let row = sqlx::query(
        "SELECT caller, caller_device, callee, media, state, placed_at, expires_at, caller_lost_at, \
         accepted_by, declined_by, reason FROM calls WHERE id = ?1",
    )
    .bind(call.bytes())
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(Found::Nothing) };
    let (device, callee) = (row.device("caller_device")?, row.account("callee")?);
    let accepted = row.device_or_null("accepted_by")?;
    let state = match (row.text("state")?.as_str(), accepted, from_word(&row, "reason")?) {
        ("ringing", None, None) => State::Ringing,
        ("accepted", Some(accepted), None) => State::Accepted(accepted),
        ("ended", accepted, Some(reason)) => {
            State::Ended { reason, accepted, declined_by: row.device_or_null("declined_by")? }
        }
        ("refused", ..) => return Ok(Found::Refused { device, callee }),
        _ => return Err(StoreError::Corrupt("state")),
    };
    let rung = rung(tx, call).await?;
    let lost_at = row.moment_or_null("caller_lost_at")?;
    Ok(Found::Call(CallRow {
        call: ServerCall::restore(call, device, rung, row.moment("expires_at")?, lost_at, state),
        caller: row.account("caller")?,
        callee,
        media: media(&row.text("media")?)?,
        placed_at: row.moment("placed_at")?,
    }))
}

async fn rung(tx: &mut SqliteConnection, call: CallId) -> Result<BTreeMap<DeviceId, Rung>> {
    let rows = sqlx::query("SELECT device, reachable, ringing, declined FROM rung WHERE call = ?1")
        .bind(call.bytes())
        .fetch_all(tx)
        .await?;
    rows.iter()
        .map(|row| {
            let rung = Rung {
                reachable: row.flag("reachable")?,
                ringing: row.flag("ringing")?,
                declined: from_word(row, "declined")?,
            };
            Ok((row.device("device")?, rung))
        })
        .collect()
}

pub(super) async fn insert(tx: &mut SqliteConnection, row: &CallRow, now: UnixMillis) -> Result<()> {
    let call = &row.call;
    sqlx::query(
        "INSERT INTO calls (id, caller, caller_device, callee, media, state, placed_at, created_at, expires_at, \
         deadline, forget_at) VALUES (?1, ?2, ?3, ?4, ?5, 'ringing', ?6, ?7, ?8, ?8, ?9)",
    )
    .bind(call.call().as_bytes().as_slice())
    .bind(row.caller.bytes())
    .bind(call.caller().as_bytes().as_slice())
    .bind(row.callee.bytes())
    .bind(media_text(row.media))
    .bind(integer(row.placed_at.0))
    .bind(integer(now.0))
    .bind(integer(call.expires_at().0))
    .bind(integer(now.after(ACCEPTED_KEPT).0))
    .execute(&mut *tx)
    .await?;
    for (device, rung) in call.rung() {
        save_rung(tx, call.call(), *device, *rung).await?;
    }
    Ok(())
}

pub(super) async fn insert_refused(
    tx: &mut SqliteConnection,
    new: &NewCall<'_>,
    now: UnixMillis,
    date: UnixMillis,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO calls (id, caller, caller_device, callee, media, state, placed_at, created_at, expires_at, \
         forget_at) VALUES (?1, ?2, ?3, ?4, ?5, 'refused', ?6, ?7, ?7, ?8)",
    )
    .bind(new.call.bytes())
    .bind(new.caller.bytes())
    .bind(new.device.bytes())
    .bind(new.callee.bytes())
    .bind(media_text(new.media))
    .bind(integer(date.0))
    .bind(integer(now.0))
    .bind(integer(now.after(MAILBOX_TTL).0))
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes what a command has changed.
pub(super) async fn save(
    tx: &mut SqliteConnection,
    before: &ServerCall,
    after: &ServerCall,
    now: UnixMillis,
) -> Result<()> {
    for (device, rung) in after.rung() {
        if before.rung().get(device) != Some(rung) {
            save_rung(tx, after.call(), *device, *rung).await?;
        }
    }
    for device in before.rung().keys().filter(|device| !after.rung().contains_key(*device)) {
        sqlx::query("DELETE FROM rung WHERE call = ?1 AND device = ?2")
            .bind(after.call().as_bytes().as_slice())
            .bind(device.bytes())
            .execute(&mut *tx)
            .await?;
    }
    match (before.state(), after.state()) {
        (State::Ringing, State::Accepted(winner)) => accept(tx, after, winner, now).await,
        (one, other) if one != other => end(tx, after, now).await,
        _ if before.caller_lost_at() != after.caller_lost_at() => save_deadline(tx, after).await,
        _ => Ok(()),
    }
}

/// One accept wins, by this one statement: also against whatever may have come between the reading and the writing.
async fn accept(
    tx: &mut SqliteConnection,
    call: &ServerCall,
    winner: DeviceId,
    now: UnixMillis,
) -> Result<()> {
    let (call, caller) = (call.call(), call.caller());
    let won = sqlx::query(
        "UPDATE calls SET state = 'accepted', accepted_by = ?2, caller_lost_at = NULL, deadline = NULL, \
         forget_at = ?4 WHERE id = ?1 AND state = 'ringing' AND expires_at > ?3 RETURNING id",
    )
    .bind(call.bytes())
    .bind(winner.bytes())
    .bind(integer(now.0))
    .bind(integer(now.after(ACCEPTED_KEPT).0))
    .fetch_optional(&mut *tx)
    .await?;
    if won.is_none() {
        return Err(StoreError::Busy);
    }
    sqlx::query("UPDATE devices SET in_call = ?1 WHERE id IN (?2, ?3)")
        .bind(call.bytes())
        .bind(caller.bytes())
        .bind(winner.bytes())
        .execute(tx)
        .await?;
    Ok(())
}

async fn end(tx: &mut SqliteConnection, call: &ServerCall, now: UnixMillis) -> Result<()> {
    let State::Ended { reason, declined_by, .. } = call.state() else {
        return Err(StoreError::Corrupt("state"));
    };
    sqlx::query(
        "UPDATE calls SET state = 'ended', reason = ?2, declined_by = ?3, caller_lost_at = NULL, \
         deadline = NULL, forget_at = ?4 WHERE id = ?1",
    )
    .bind(call.call().as_bytes().as_slice())
    .bind(word(reason)?)
    .bind(declined_by.as_ref().map(ToBytes::bytes))
    .bind(integer(now.after(MAILBOX_TTL).0))
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_deadline(tx: &mut SqliteConnection, call: &ServerCall) -> Result<()> {
    sqlx::query("UPDATE calls SET caller_lost_at = ?2, deadline = ?3 WHERE id = ?1")
        .bind(call.call().as_bytes().as_slice())
        .bind(call.caller_lost_at().map(|at| integer(at.0)))
        .bind(call.deadline().map(|at| integer(at.0)))
        .execute(tx)
        .await?;
    Ok(())
}

async fn save_rung(tx: &mut SqliteConnection, call: CallId, device: DeviceId, rung: Rung) -> Result<()> {
    sqlx::query(
        "INSERT INTO rung (call, device, reachable, ringing, declined) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (call, device) DO UPDATE SET reachable = excluded.reachable, \
         ringing = excluded.ringing, declined = excluded.declined",
    )
    .bind(call.bytes())
    .bind(device.bytes())
    .bind(rung.reachable)
    .bind(rung.ringing)
    .bind(rung.declined.map(word).transpose()?)
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn was_relayed(
    tx: &mut SqliteConnection,
    call: CallId,
    sender: DeviceId,
    seq: u64,
) -> Result<bool> {
    let row = sqlx::query("SELECT 1 FROM relays WHERE call = ?1 AND sender = ?2 AND seq = ?3")
        .bind(call.bytes())
        .bind(sender.bytes())
        .bind(integer(seq))
        .fetch_optional(tx)
        .await?;
    Ok(row.is_some())
}

/// Remembers a relay, and that the call is alive.
pub(super) async fn note_relay(
    tx: &mut SqliteConnection,
    call: CallId,
    sender: DeviceId,
    seq: u64,
    now: UnixMillis,
) -> Result<()> {
    sqlx::query("INSERT INTO relays (call, sender, seq) VALUES (?1, ?2, ?3)")
        .bind(call.bytes())
        .bind(sender.bytes())
        .bind(integer(seq))
        .execute(&mut *tx)
        .await?;
    let keep_until = now.after(ACCEPTED_KEPT);
    sqlx::query("UPDATE calls SET forget_at = ?2 WHERE id = ?1 AND forget_at < ?3")
        .bind(call.bytes())
        .bind(integer(keep_until.0))
        .bind(integer(keep_until.before(ACCEPTED_MARK).0))
        .execute(tx)
        .await?;
    Ok(())
}

/// Cuts spans that reach further than any can: the system's clock was set back while no server ran.
pub(in crate::store) async fn clamp_spans(tx: &mut SqliteConnection, now: UnixMillis) -> Result<()> {
    for (sql, longest) in [
        ("UPDATE calls SET expires_at = ?1 WHERE state = 'ringing' AND expires_at > ?1", MAX_RING),
        ("UPDATE calls SET deadline = ?1 WHERE deadline > ?1", MAX_RING),
        ("UPDATE calls SET forget_at = ?1 WHERE forget_at > ?1", ACCEPTED_KEPT),
        ("UPDATE mailbox SET expires_at = ?1 WHERE expires_at > ?1", MAILBOX_TTL),
        ("UPDATE devices SET reachable_until = ?1 WHERE reachable_until > ?1", DEVICE_GRACE),
    ] {
        sqlx::query(sql).bind(integer(now.after(longest).0)).execute(&mut *tx).await?;
    }
    Ok(())
}
