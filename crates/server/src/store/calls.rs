//! Calls, from `create` until two minutes after their end.
//!
//! The rules are [`carillon_policy::arbiter`]'s: a call is read from its rows, takes one command, and is written back,
//! in one transaction that holds the write lock. What the arbiter wants told goes into mailboxes in the same
//! transaction, so a crash leaves either all of it or nothing.

mod crossing;
mod rows;

use carillon_policy::arbiter::{
    Act, CalleeDevice, Command, Effect, Notice, Placed as Verdict, Reply, ServerCall, State, missed_beside,
    ring_until,
};
use carillon_policy::decision::{Decision, RefuseReason, may_ring};
use carillon_wire::frame::{BoxFor, CallerInfo, EndReason, Event, Media};
use carillon_wire::limits::MAX_MAILBOX;
use carillon_wire::rest::MissedKind;
use carillon_wire::{AccountId, Blob, CallId, Code, DeviceId, Millis, UnixMillis};
use sqlx::SqliteConnection;

use self::rows::{CallRow, Found};
use super::mailbox::{self, Urgency, post};
use super::missed::insert_missed;
use super::presence::{NodeId, connected, reachable, standing};
use super::row::{Columns, ToBytes, integer};
use super::{Result, SqliteStore, dispatch};

pub(super) use rows::clamp_spans;

/// Most calls that one sweep ends; the next one follows at once.
const SWEEP: u32 = 64;

/// A `create` whose form has been checked.
#[derive(Debug, Clone, Copy)]
pub struct NewCall<'a> {
    /// Drawn by the caller.
    pub call: CallId,
    /// Who calls.
    pub caller: AccountId,
    /// With which device.
    pub device: DeviceId,
    /// Whom.
    pub callee: AccountId,
    /// With what.
    pub media: Media,
    /// How long the caller asks to ring.
    pub expires_in: Millis,
    /// One box for each device.
    pub boxes: &'a [BoxFor],
}

/// What becomes of a `create`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It rings, or has rung, for this much longer.
    Rings(Millis),
    /// It does not ring. The caller is not told why.
    Refused,
    /// The boxes are not for exactly these devices of the callee.
    Stale(Vec<DeviceId>),
    /// The id is another call's.
    IdInUse,
}

/// What has to be done after a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aftermath {
    /// Devices with new mail.
    pub wake: Vec<DeviceId>,
    /// Accounts with a new missed or filtered call.
    pub missed: Vec<AccountId>,
    /// Calls that began to ring, were accepted or ended, for the counters.
    pub outcomes: Vec<Outcome>,
    /// When a call that was touched is ended by the clock, if nobody ends it before.
    pub deadline: Option<UnixMillis>,
}

/// A step of a call that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It rings.
    Rings,
    /// It was refused: the rules did not let it ring.
    Filtered,
    /// It was refused: a block stands between the two.
    Blocked,
    /// It was refused: no device could be reached.
    Unreachable,
    /// It was accepted.
    Accepted,
    /// It is over.
    Ended(EndReason),
}

dispatch! {
    /// Places a call. `now` counts for the ring, `date` is when the callee's list says that it was.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails; nothing has happened then.
    pub async fn create_call(
        &self,
        new: NewCall<'_>,
        node: NodeId,
        now: UnixMillis,
        date: UnixMillis,
    ) -> Result<(Created, Aftermath)>;

    /// A device does something about a call; `sealed` goes with an accept or a relay.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails; nothing has happened then.
    pub async fn act(
        &self,
        call: CallId,
        device: DeviceId,
        act: Act,
        sealed: Option<&Blob>,
        now: UnixMillis,
    ) -> Result<(Reply, Aftermath)>;

    /// Ends every ringing call of an account, from it or to it, that may not ring any longer.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails; nothing has happened then.
    pub async fn recheck_calls(&self, account: AccountId, node: NodeId, now: UnixMillis) -> Result<Aftermath>;

    /// Ends calls that have rung long enough. A full [`Aftermath`] says that there may be more.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails; nothing has happened then.
    pub async fn sweep_calls(&self, now: UnixMillis) -> Result<Aftermath>;

    /// When the clock ends the next call.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn next_deadline(&self) -> Result<Option<UnixMillis>>;

    /// Forgets calls that were over long enough ago.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn forget_calls(&self, now: UnixMillis) -> Result<()>;
}

impl Aftermath {
    fn wake(&mut self, device: DeviceId) {
        if !self.wake.contains(&device) {
            self.wake.push(device);
        }
    }

    fn sooner(&mut self, deadline: Option<UnixMillis>) {
        self.deadline = match (self.deadline, deadline) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

/// What goes with what a device is told.
enum Enclosure<'a> {
    None,
    /// The sealed answer, or the sealed payload.
    Sealed(&'a Blob),
    /// One box for each device, and who calls with what.
    Offers {
        from: &'a CallerInfo,
        media: Media,
        boxes: &'a [BoxFor],
    },
}

impl Enclosure<'_> {
    /// The event that goes into `device`'s mailbox. `None`: there is no box for it.
    fn event(&self, call: CallId, device: DeviceId, notice: Notice) -> Option<Event> {
        let sealed = || match self {
            Self::Sealed(sealed) => Some((*sealed).clone()),
            Self::None | Self::Offers { .. } => None,
        };
        Some(match notice {
            Notice::Ring => {
                let Self::Offers { from, media, boxes } = self else { return None };
                let sealed = boxes.iter().find(|one| one.device == device)?.sealed.clone();
                let (age, expires_in) = (Millis(0), Millis(0));
                Event::Ring { call, from: (*from).clone(), media: *media, age, expires_in, sealed }
            }
            Notice::Ringing { device } => Event::Ringing { call, device },
            Notice::Accepted { device } => Event::Accepted { call, device, sealed: sealed()? },
            Notice::Taken(kind) => Event::Taken { call, kind },
            Notice::Relay { from, seq } => Event::Relay { call, from_device: from, seq, sealed: sealed()? },
            Notice::Ended(reason) => Event::Ended { call, reason },
        })
    }
}

/// Lets a call that is stored take a command without an enclosure.
pub(super) async fn command(
    tx: &mut SqliteConnection,
    call: CallId,
    command: Command,
    now: UnixMillis,
    aftermath: &mut Aftermath,
) -> Result<()> {
    if let Found::Call(mut row) = rows::find(tx, call).await? {
        apply(tx, &mut row, command, &Enclosure::None, now, aftermath).await?;
    }
    Ok(())
}

/// Lets the calls that ring on a device go on without it: it was removed.
pub(super) async fn go_on_without(
    tx: &mut SqliteConnection,
    device: DeviceId,
    now: UnixMillis,
    aftermath: &mut Aftermath,
) -> Result<()> {
    let ringing = sqlx::query(
        "SELECT c.id FROM rung r JOIN calls c ON c.id = r.call AND c.state = 'ringing' WHERE r.device = ?1",
    )
    .bind(device.bytes())
    .fetch_all(&mut *tx)
    .await?;
    for row in ringing {
        command(tx, row.call("id")?, Command::Revoked(device), now, aftermath).await?;
    }
    Ok(())
}

async fn apply(
    tx: &mut SqliteConnection,
    row: &mut CallRow,
    command: Command,
    enclosure: &Enclosure<'_>,
    now: UnixMillis,
    aftermath: &mut Aftermath,
) -> Result<Reply> {
    let before = row.call.clone();
    let (mut reply, mut effects) = row.call.apply(now, command);
    // The other direction is looked at only where it makes a difference.
    if effects.contains(&Effect::Missed)
        && let Some(crossing) = crossing::find(tx, row.caller, row.callee, now).await?
    {
        row.call = before.clone();
        (reply, effects) = row.call.apply_beside(now, command, Some(crossing));
    }
    rows::save(tx, &before, &row.call, now).await?;
    for effect in effects {
        match effect {
            Effect::Missed => missed(tx, row, aftermath).await?,
            Effect::MissedUnless(other) => crossing::wait_for(tx, row.call.call(), other).await?,
            Effect::Tell(device, Notice::Relay { from, seq }) => {
                reply = relay(tx, row, (device, from, seq), enclosure, now, aftermath).await?;
            }
            Effect::Tell(device, notice) => {
                let urgency = Urgency::Course;
                tell(tx, row, device, notice, urgency, enclosure, now, aftermath).await?;
            }
        }
    }
    if before.state() != row.call.state() {
        mailbox::take_rings_out(tx, row.call.call()).await?;
        match row.call.state() {
            State::Ringing => {}
            State::Accepted(_) => aftermath.outcomes.push(Outcome::Accepted),
            State::Ended { reason, accepted, .. } => {
                if accepted.is_none() {
                    crossing::came_to_nothing(tx, row.call.call(), aftermath).await?;
                }
                aftermath.outcomes.push(Outcome::Ended(reason));
            }
        }
    }
    aftermath.sooner(row.call.deadline());
    Ok(reply)
}

async fn tell(
    tx: &mut SqliteConnection,
    row: &CallRow,
    device: DeviceId,
    notice: Notice,
    urgency: Urgency,
    enclosure: &Enclosure<'_>,
    now: UnixMillis,
    aftermath: &mut Aftermath,
) -> Result<bool> {
    let Some(event) = enclosure.event(row.call.call(), device, notice) else { return Ok(false) };
    let posted = post(tx, device, urgency, &event, now).await?;
    if posted {
        aftermath.wake(device);
    }
    Ok(posted)
}

/// Passes a relay on, unless it was passed on before.
async fn relay(
    tx: &mut SqliteConnection,
    row: &CallRow,
    (to, from, seq): (DeviceId, DeviceId, u64),
    enclosure: &Enclosure<'_>,
    now: UnixMillis,
    aftermath: &mut Aftermath,
) -> Result<Reply> {
    if rows::was_relayed(tx, row.call.call(), from, seq).await? {
        return Ok(Reply::Done);
    }
    let notice = Notice::Relay { from, seq };
    if !tell(tx, row, to, notice, Urgency::Relay, enclosure, now, aftermath).await? {
        return Ok(Reply::Error(Code::MailboxFull));
    }
    rows::note_relay(tx, row.call.call(), from, seq, now).await?;
    Ok(Reply::Done)
}

async fn missed(tx: &mut SqliteConnection, row: &CallRow, aftermath: &mut Aftermath) -> Result<()> {
    insert_missed(tx, row.callee, row.caller, row.media, MissedKind::Missed, row.placed_at).await?;
    aftermath.missed.push(row.callee);
    Ok(())
}

/// The callee's devices. One whose mailbox is full can't be reached; one whose line is lost can't show a second caller,
/// even though its call may go on without the server.
async fn callee_devices(
    tx: &mut SqliteConnection,
    callee: AccountId,
    node: NodeId,
    now: UnixMillis,
) -> Result<Vec<CalleeDevice>> {
    let rows = sqlx::query(concat!(
        "SELECT d.id, (SELECT count(*) FROM mailbox m WHERE m.device = d.id) AS depth, ",
        reachable!(),
        " AS reachable, (EXISTS (SELECT 1 FROM calls c WHERE c.id = d.in_call AND c.state = 'accepted') AND ",
        connected!(),
        ") AS in_call FROM devices d WHERE d.account = ?3 AND d.revoked_at IS NULL ORDER BY d.id"
    ))
    .bind(node.0.as_slice())
    .bind(integer(now.0))
    .bind(callee.bytes())
    .fetch_all(tx)
    .await?;
    rows.iter()
        .map(|row| {
            let room = row.number("depth")? < MAX_MAILBOX as u64;
            Ok(CalleeDevice {
                device: row.device("id")?,
                reachable: row.flag("reachable")? && room,
                in_call: row.flag("in_call")?,
            })
        })
        .collect()
}

fn is_for_exactly(boxes: &[BoxFor], devices: &[CalleeDevice]) -> bool {
    boxes.len() == devices.len()
        && devices.iter().all(|device| boxes.iter().any(|one| one.device == device.device))
}

async fn caller_info(
    tx: &mut SqliteConnection,
    new: &NewCall<'_>,
    only_if_in_address_book: bool,
) -> Result<CallerInfo> {
    let row = sqlx::query("SELECT handle, name FROM accounts WHERE id = ?1")
        .bind(new.caller.bytes())
        .fetch_one(tx)
        .await?;
    Ok(CallerInfo {
        account: new.caller,
        device: new.device,
        handle: row.handle("handle")?,
        name: row.text("name")?,
        only_if_in_address_book,
    })
}

async fn place(
    tx: &mut SqliteConnection,
    new: &NewCall<'_>,
    node: NodeId,
    now: UnixMillis,
    date: UnixMillis,
) -> Result<(Created, Aftermath)> {
    let mut aftermath = Aftermath::default();
    match rows::find(tx, new.call).await? {
        Found::Nothing => {}
        found => return Ok((repeated(&found, new, now), aftermath)),
    }
    let devices = callee_devices(tx, new.callee, node, now).await?;
    if !is_for_exactly(new.boxes, &devices) {
        let devices = devices.into_iter().map(|one| one.device).collect();
        return Ok((Created::Stale(devices), aftermath));
    }
    let decision = match standing(tx, new.caller, new.callee, node, now).await? {
        Some(standing) => may_ring(&standing.settings, &standing.facts),
        None => Decision::Refuse(RefuseReason::Blocked),
    };
    let only_if_in_address_book = match decision {
        Decision::Ring => false,
        Decision::RingIfInAddressBook => true,
        Decision::Refuse(reason) => {
            rows::insert_refused(tx, new, now, date).await?;
            if reason.is_filtered() {
                insert_missed(tx, new.callee, new.caller, new.media, MissedKind::Filtered, date).await?;
                aftermath.missed.push(new.callee);
                aftermath.outcomes.push(Outcome::Filtered);
            } else {
                aftermath.outcomes.push(Outcome::Blocked);
            }
            return Ok((Created::Refused, aftermath));
        }
    };
    let expires_at = ring_until(now, new.expires_in);
    match ServerCall::create(new.call, new.device, devices, expires_at) {
        Verdict::Unreachable => {
            rows::insert_refused(tx, new, now, date).await?;
            match missed_beside(crossing::find(tx, new.caller, new.callee, now).await?) {
                Some(Effect::Missed) => {
                    insert_missed(tx, new.callee, new.caller, new.media, MissedKind::Missed, date).await?;
                    aftermath.missed.push(new.callee);
                }
                Some(Effect::MissedUnless(other)) => crossing::wait_for(tx, new.call, other).await?,
                Some(Effect::Tell(..)) | None => {}
            }
            aftermath.outcomes.push(Outcome::Unreachable);
            Ok((Created::Refused, aftermath))
        }
        Verdict::Rings(call, effects) => {
            let row =
                CallRow { call, caller: new.caller, callee: new.callee, media: new.media, placed_at: date };
            rows::insert(tx, &row, now).await?;
            let from = caller_info(tx, new, only_if_in_address_book).await?;
            let enclosure = Enclosure::Offers { from: &from, media: new.media, boxes: new.boxes };
            for effect in effects {
                if let Effect::Tell(device, notice) = effect {
                    let urgency = Urgency::Ring(expires_at);
                    tell(tx, &row, device, notice, urgency, &enclosure, now, &mut aftermath).await?;
                }
            }
            aftermath.outcomes.push(Outcome::Rings);
            aftermath.sooner(row.call.deadline());
            Ok((Created::Rings(expires_at.since(now)), aftermath))
        }
    }
}

/// The answer to a `create` whose id is known.
fn repeated(found: &Found, new: &NewCall<'_>, now: UnixMillis) -> Created {
    match found {
        Found::Refused { device, callee } if (*device, *callee) == (new.device, new.callee) => {
            Created::Refused
        }
        Found::Call(row) if (row.call.caller(), row.callee) == (new.device, new.callee) => {
            Created::Rings(row.call.deadline().map_or(Millis(0), |deadline| deadline.since(now)))
        }
        Found::Nothing | Found::Refused { .. } | Found::Call(_) => Created::IdInUse,
    }
}

impl SqliteStore {
    pub(super) async fn create_call(
        &self,
        new: NewCall<'_>,
        node: NodeId,
        now: UnixMillis,
        date: UnixMillis,
    ) -> Result<(Created, Aftermath)> {
        let mut tx = self.write().await?;
        let created = place(&mut tx, &new, node, now, date).await?;
        tx.commit().await?;
        Ok(created)
    }

    pub(super) async fn act(
        &self,
        call: CallId,
        device: DeviceId,
        act: Act,
        sealed: Option<&Blob>,
        now: UnixMillis,
    ) -> Result<(Reply, Aftermath)> {
        let mut aftermath = Aftermath::default();
        let mut tx = self.write().await?;
        let Found::Call(mut row) = rows::find(&mut tx, call).await? else {
            return Ok((Reply::Error(Code::CallUnknown), aftermath));
        };
        let enclosure = sealed.map_or(Enclosure::None, Enclosure::Sealed);
        let command = Command::By(device, act);
        let reply = apply(&mut tx, &mut row, command, &enclosure, now, &mut aftermath).await?;
        tx.commit().await?;
        Ok((reply, aftermath))
    }

    pub(super) async fn recheck_calls(
        &self,
        account: AccountId,
        node: NodeId,
        now: UnixMillis,
    ) -> Result<Aftermath> {
        let mut aftermath = Aftermath::default();
        let mut tx = self.write().await?;
        let ringing = sqlx::query(
            "SELECT id, caller, callee FROM calls WHERE caller = ?1 AND state = 'ringing' \
             UNION ALL SELECT id, caller, callee FROM calls WHERE callee = ?1 AND state = 'ringing'",
        )
        .bind(account.bytes())
        .fetch_all(&mut *tx)
        .await?;
        for row in ringing {
            let (caller, callee) = (row.account("caller")?, row.account("callee")?);
            let decision = standing(&mut tx, caller, callee, node, now)
                .await?
                .map(|standing| may_ring(&standing.settings, &standing.facts));
            if matches!(decision, None | Some(Decision::Refuse(_))) {
                let call = row.call("id")?;
                command(&mut tx, call, Command::SettingsRefuse, now, &mut aftermath).await?;
            }
        }
        tx.commit().await?;
        Ok(aftermath)
    }

    pub(super) async fn sweep_calls(&self, now: UnixMillis) -> Result<Aftermath> {
        let mut aftermath = Aftermath::default();
        let mut tx = self.write().await?;
        let due = sqlx::query("SELECT id FROM calls WHERE deadline <= ?1 ORDER BY deadline LIMIT ?2")
            .bind(integer(now.0))
            .bind(SWEEP)
            .fetch_all(&mut *tx)
            .await?;
        for row in due {
            command(&mut tx, row.call("id")?, Command::Sweep, now, &mut aftermath).await?;
        }
        tx.commit().await?;
        Ok(aftermath)
    }

    pub(super) async fn next_deadline(&self) -> Result<Option<UnixMillis>> {
        let row = sqlx::query("SELECT min(deadline) AS next FROM calls WHERE deadline IS NOT NULL")
            .fetch_one(self.readers())
            .await?;
        row.moment_or_null("next")
    }

    pub(super) async fn forget_calls(&self, now: UnixMillis) -> Result<()> {
        sqlx::query("DELETE FROM calls WHERE forget_at <= ?1")
            .bind(integer(now.0))
            .execute(self.writer())
            .await?;
        Ok(())
    }
}
