//! Calls between the same two accounts in the other direction: the other halves of glares.

use carillon_policy::arbiter::Crossing;
use carillon_wire::rest::MissedKind;
use carillon_wire::{AccountId, CallId, UnixMillis};
use sqlx::SqliteConnection;

use super::Aftermath;
use crate::store::Result;
use crate::store::missed::{insert_missed, media};
use crate::store::row::{Columns, ToBytes, integer};

/// The call that crosses one from `caller` to `callee`; one that is up before one that rings.
///
/// An accepted call is up while both of its devices are in it: where both went away without a word, its row says
/// *accepted* for another day.
pub(super) async fn find(
    tx: &mut SqliteConnection,
    caller: AccountId,
    callee: AccountId,
    now: UnixMillis,
) -> Result<Option<Crossing>> {
    let row = sqlx::query(
        "SELECT c.id, 1 AS up FROM calls c \
         JOIN devices one ON one.id = c.caller_device AND one.in_call = c.id \
         JOIN devices other ON other.id = c.accepted_by AND other.in_call = c.id \
         WHERE c.state = 'accepted' AND c.caller = ?2 AND c.callee = ?1 \
         UNION ALL SELECT id, 0 FROM calls \
         WHERE state = 'ringing' AND caller = ?2 AND callee = ?1 AND deadline > ?3 \
         ORDER BY up DESC, id LIMIT 1",
    )
    .bind(caller.bytes())
    .bind(callee.bytes())
    .bind(integer(now.0))
    .fetch_optional(tx)
    .await?;
    row.map(|row| Ok(Crossing { call: row.call("id")?, up: row.flag("up")? })).transpose()
}

/// Notes that a call is missed unless `other` is accepted.
pub(super) async fn wait_for(tx: &mut SqliteConnection, call: CallId, other: CallId) -> Result<()> {
    sqlx::query("UPDATE calls SET missed_unless = ?2 WHERE id = ?1")
        .bind(call.bytes())
        .bind(other.bytes())
        .execute(tx)
        .await?;
    Ok(())
}

/// This call has ended and nobody had accepted it: what waited for that is missed.
pub(super) async fn came_to_nothing(
    tx: &mut SqliteConnection,
    call: CallId,
    aftermath: &mut Aftermath,
) -> Result<()> {
    let missed = sqlx::query(
        "UPDATE calls SET missed_unless = NULL WHERE missed_unless = ?1 \
         RETURNING caller, callee, media, placed_at",
    )
    .bind(call.bytes())
    .fetch_all(&mut *tx)
    .await?;
    for row in missed {
        let (caller, callee) = (row.account("caller")?, row.account("callee")?);
        let (media, at) = (media(&row.text("media")?)?, row.moment("placed_at")?);
        insert_missed(tx, callee, caller, media, MissedKind::Missed, at).await?;
        aftermath.missed.push(callee);
    }
    Ok(())
}
