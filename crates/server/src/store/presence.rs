//! Which devices can be reached, and through which node.
//!
//! A device can be reached while it is connected to a node that is alive, and for a while after its line was lost. A
//! node is alive while its lease, which it renews, has not run out; so nobody has to notice that a node died.

use std::fmt;

use carillon_policy::arbiter::Command;
use carillon_policy::decision::Facts;
use carillon_policy::presence::visible;
use carillon_wire::limits::DEVICE_GRACE;
use carillon_wire::rest::CallSettings;
use carillon_wire::{AccountId, CallId, DeviceId, UnixMillis};
use sqlx::SqliteConnection;

use super::calls::{self, Aftermath};
use super::row::{Columns, ToBytes, integer};
use super::settings::call_settings;
use super::{Result, SqliteStore, dispatch, mailbox};

/// One server process, drawn at random at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(pub [u8; 16]);

/// A connection of a device, as the store knows it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// The device.
    pub device: DeviceId,
    /// Which of its connections.
    pub number: u64,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}#{}", self.device, self.number)
    }
}

/// What a device that has connected is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connected {
    /// To be given at the end of the connection.
    pub connection: Connection,
    /// Messages that it has not handled were dropped.
    pub lost: bool,
    /// The number after which its messages begin.
    pub after: u64,
}

/// How a connection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parting {
    /// The device said that it goes away.
    Clean,
    /// The line was lost.
    Lost,
}

/// How one account stands to another: what decides whether it may ring it or see its presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The settings of the one that is watched or rung.
    pub settings: CallSettings,
    /// What binds the two; the viewer is the caller.
    pub facts: Facts,
    /// A device of the watched one can be reached.
    pub online: bool,
}

impl Standing {
    /// What the viewer is shown of the watched one's presence, if anything.
    pub fn presence(&self) -> Option<bool> {
        visible(&self.settings, &self.facts).then_some(self.online)
    }
}

dispatch! {
    /// Starts a node. Where the store belongs to a single process, whatever other nodes it knows are dead: their
    /// devices and the callers among them count as lost from now on.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn start_node(&self, node: NodeId, lease_until: UnixMillis, now: UnixMillis) -> Result<()>;

    /// Renews a node's lease.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn renew_lease(&self, node: NodeId, lease_until: UnixMillis) -> Result<()>;

    /// Buries nodes whose lease has run out: their devices, and callers, count as lost from now on.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn bury_nodes(&self, own: NodeId, now: UnixMillis) -> Result<Aftermath>;

    /// Notes that a device has connected, and what that means for calls that ring from it or on it. `resume` is the
    /// last number that it has handled; one that has handled nothing yet has begun anew, and is in no call. `None` if
    /// there is no such device (any more).
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn connect(
        &self,
        device: DeviceId,
        node: NodeId,
        resume: Option<u64>,
        now: UnixMillis,
    ) -> Result<Option<(Connected, Aftermath)>>;

    /// Notes the end of a connection. `None`, and nothing changes, if the device has connected anew since.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn disconnect(&self, connection: Connection, parting: Parting, now: UnixMillis) -> Result<Option<Aftermath>>;

    /// Which of an account's devices can be reached.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn reachable_devices(
        &self,
        account: AccountId,
        node: NodeId,
        now: UnixMillis,
    ) -> Result<Vec<DeviceId>>;

    /// How `viewer` stands to `watched`; `None` if one of the two does not exist or is suspended.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn standing(
        &self,
        viewer: AccountId,
        watched: AccountId,
        node: NodeId,
        now: UnixMillis,
    ) -> Result<Option<Standing>>;

    /// Accounts of lost devices that stopped counting as reachable after `from` and until `until`.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn graces_over(&self, from: UnixMillis, until: UnixMillis) -> Result<Vec<AccountId>>;

    /// When the next lost device stops counting as reachable, after `now`.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn next_grace(&self, now: UnixMillis) -> Result<Option<UnixMillis>>;
}

/// SQL: whether the line of the device `d` is up, with the own node as `?1` and the moment as `?2`.
macro_rules! connected {
    () => {
        "(d.node = ?1 OR EXISTS (SELECT 1 FROM nodes n WHERE n.id = d.node AND n.lease_until > ?2))"
    };
}
pub(super) use connected;

/// SQL: whether the device `d` can be reached, with the own node as `?1` and the moment as `?2`.
macro_rules! reachable {
    () => {
        concat!("(d.revoked_at IS NULL AND (d.reachable_until > ?2 OR ", connected!(), "))")
    };
}
pub(super) use reachable;

/// Lets go of the devices of one node, or of all.
async fn lose_devices(
    tx: &mut SqliteConnection,
    node: Option<&[u8]>,
    now: UnixMillis,
    aftermath: &mut Aftermath,
) -> Result<()> {
    let calls = sqlx::query(
        "SELECT c.id FROM calls c JOIN devices d ON d.id = c.caller_device \
         WHERE c.state = 'ringing' AND d.node IS NOT NULL AND (?1 IS NULL OR d.node = ?1)",
    )
    .bind(node)
    .fetch_all(&mut *tx)
    .await?;
    for row in calls {
        calls::command(tx, row.call("id")?, Command::CallerLost, now, aftermath).await?;
    }
    sqlx::query(
        "UPDATE devices SET node = NULL, reachable_until = ?2 \
         WHERE node IS NOT NULL AND (?1 IS NULL OR node = ?1)",
    )
    .bind(node)
    .bind(integer(now.after(DEVICE_GRACE).0))
    .execute(tx)
    .await?;
    Ok(())
}

async fn call_ids(tx: &mut SqliteConnection, sql: &'static str, device: DeviceId) -> Result<Vec<CallId>> {
    let rows = sqlx::query(sql).bind(device.bytes()).fetch_all(tx).await?;
    rows.iter().map(|row| row.call("id")).collect()
}

const RINGING_FROM: &str = "SELECT id FROM calls WHERE caller_device = ?1 AND state = 'ringing'";
const RINGING_ON: &str = "SELECT c.id FROM rung r JOIN calls c ON c.id = r.call AND c.state = 'ringing' \
     WHERE r.device = ?1 AND r.reachable = 0";

/// [`Store::standing`](super::Store::standing) inside a transaction that does more.
pub(super) async fn standing(
    tx: &mut SqliteConnection,
    viewer: AccountId,
    watched: AccountId,
    node: NodeId,
    now: UnixMillis,
) -> Result<Option<Standing>> {
    let row = sqlx::query(concat!(
        "SELECT e.calls_enabled, e.calls_following, e.calls_verified, e.calls_address_book, \
         e.calls_everyone, v.verified, \
         EXISTS (SELECT 1 FROM follows WHERE follower = ?4 AND followee = ?3) AS follows, \
         EXISTS (SELECT 1 FROM blocks WHERE blocker = ?4 AND blocked = ?3) AS callee_blocks, \
         EXISTS (SELECT 1 FROM blocks WHERE blocker = ?3 AND blocked = ?4) AS caller_blocks, \
         EXISTS (SELECT 1 FROM devices d WHERE d.account = ?4 AND ",
        reachable!(),
        ") AS online FROM accounts v, accounts e \
         WHERE v.id = ?3 AND e.id = ?4 AND e.suspended = 0 AND v.suspended = 0"
    ))
    .bind(node.0.as_slice())
    .bind(integer(now.0))
    .bind(viewer.bytes())
    .bind(watched.bytes())
    .fetch_optional(tx)
    .await?;
    row.map(|row| {
        Ok(Standing {
            settings: call_settings(&row)?,
            facts: Facts {
                callee_follows_caller: row.flag("follows")?,
                caller_verified: row.flag("verified")?,
                callee_blocks_caller: row.flag("callee_blocks")?,
                caller_blocks_callee: row.flag("caller_blocks")?,
            },
            online: row.flag("online")?,
        })
    })
    .transpose()
}

impl SqliteStore {
    pub(super) async fn start_node(
        &self,
        node: NodeId,
        lease_until: UnixMillis,
        now: UnixMillis,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        calls::clamp_spans(&mut tx, now).await?;
        // Nobody is connected yet whose doorbell could be rung.
        lose_devices(&mut tx, None, now, &mut Aftermath::default()).await?;
        sqlx::query("DELETE FROM nodes").execute(&mut *tx).await?;
        sqlx::query("INSERT INTO nodes (id, lease_until) VALUES (?1, ?2)")
            .bind(node.0.as_slice())
            .bind(integer(lease_until.0))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    pub(super) async fn renew_lease(&self, node: NodeId, lease_until: UnixMillis) -> Result<()> {
        sqlx::query(
            "INSERT INTO nodes (id, lease_until) VALUES (?1, ?2) \
             ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until",
        )
        .bind(node.0.as_slice())
        .bind(integer(lease_until.0))
        .execute(self.writer())
        .await?;
        Ok(())
    }

    pub(super) async fn bury_nodes(&self, own: NodeId, now: UnixMillis) -> Result<Aftermath> {
        let mut tx = self.write().await?;
        let dead = sqlx::query("DELETE FROM nodes WHERE lease_until <= ?1 AND id <> ?2 RETURNING id")
            .bind(integer(now.0))
            .bind(own.0.as_slice())
            .fetch_all(&mut *tx)
            .await?;
        let mut aftermath = Aftermath::default();
        for row in dead {
            lose_devices(&mut tx, Some(&row.fixed::<16>("id")?.0), now, &mut aftermath).await?;
        }
        tx.commit().await?;
        Ok(aftermath)
    }

    pub(super) async fn connect(
        &self,
        device: DeviceId,
        node: NodeId,
        resume: Option<u64>,
        now: UnixMillis,
    ) -> Result<Option<(Connected, Aftermath)>> {
        let handled = integer(resume.unwrap_or_default());
        let mut tx = self.write().await?;
        mailbox::drop_old(&mut tx, Some(device), now).await?;
        // A device that has handled more than was ever given out has outlived a restored backup: numbers go on
        // from its own, so that it does not drop what is new.
        let row = sqlx::query(
            "UPDATE devices SET node = ?2, connection = connection + 1, reachable_until = 0, \
             mail_seq = max(mail_seq, ?3), mail_dropped = max(mail_dropped, iif(mail_seq < ?3, ?3 + 1, 0)), \
             in_call = iif(?4, in_call, NULL) WHERE id = ?1 AND revoked_at IS NULL RETURNING connection, mail_dropped",
        )
        .bind(device.bytes())
        .bind(node.0.as_slice())
        .bind(handled)
        .bind(resume.is_some())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        if resume.is_some() {
            sqlx::query("DELETE FROM mailbox WHERE device = ?1 AND seq <= ?2")
                .bind(device.bytes())
                .bind(handled)
                .execute(&mut *tx)
                .await?;
        }
        let mut aftermath = Aftermath::default();
        for call in call_ids(&mut tx, RINGING_FROM, device).await? {
            calls::command(&mut tx, call, Command::CallerBack, now, &mut aftermath).await?;
        }
        for call in call_ids(&mut tx, RINGING_ON, device).await? {
            calls::command(&mut tx, call, Command::Reachable(device), now, &mut aftermath).await?;
        }
        tx.commit().await?;
        let after = resume.unwrap_or_default();
        let lost = row.number("mail_dropped")? > after;
        let connection = Connection { device, number: row.number("connection")? };
        Ok(Some((Connected { connection, lost, after }, aftermath)))
    }

    pub(super) async fn disconnect(
        &self,
        connection: Connection,
        parting: Parting,
        now: UnixMillis,
    ) -> Result<Option<Aftermath>> {
        let reachable_until = match parting {
            Parting::Clean => UnixMillis(0),
            Parting::Lost => now.after(DEVICE_GRACE),
        };
        let mut tx = self.write().await?;
        let ended = sqlx::query(
            "UPDATE devices SET node = NULL, reachable_until = ?3 WHERE id = ?1 AND connection = ?2",
        )
        .bind(connection.device.bytes())
        .bind(integer(connection.number))
        .bind(integer(reachable_until.0))
        .execute(&mut *tx)
        .await?;
        if ended.rows_affected() == 0 {
            return Ok(None);
        }
        let mut aftermath = Aftermath::default();
        for call in call_ids(&mut tx, RINGING_FROM, connection.device).await? {
            calls::command(&mut tx, call, Command::CallerLost, now, &mut aftermath).await?;
        }
        tx.commit().await?;
        Ok(Some(aftermath))
    }

    pub(super) async fn reachable_devices(
        &self,
        account: AccountId,
        node: NodeId,
        now: UnixMillis,
    ) -> Result<Vec<DeviceId>> {
        let rows = sqlx::query(concat!("SELECT d.id FROM devices d WHERE d.account = ?3 AND ", reachable!()))
            .bind(node.0.as_slice())
            .bind(integer(now.0))
            .bind(account.bytes())
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(|row| row.device("id")).collect()
    }

    pub(super) async fn standing(
        &self,
        viewer: AccountId,
        watched: AccountId,
        node: NodeId,
        now: UnixMillis,
    ) -> Result<Option<Standing>> {
        let mut reader = self.readers().acquire().await?;
        standing(&mut reader, viewer, watched, node, now).await
    }

    pub(super) async fn graces_over(&self, from: UnixMillis, until: UnixMillis) -> Result<Vec<AccountId>> {
        let rows = sqlx::query(
            "SELECT DISTINCT account FROM devices \
             WHERE node IS NULL AND reachable_until > 0 AND reachable_until > ?1 AND reachable_until <= ?2",
        )
        .bind(integer(from.0))
        .bind(integer(until.0))
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(|row| row.account("account")).collect()
    }

    pub(super) async fn next_grace(&self, now: UnixMillis) -> Result<Option<UnixMillis>> {
        let row = sqlx::query(
            "SELECT min(reachable_until) AS next FROM devices \
             WHERE node IS NULL AND reachable_until > 0 AND reachable_until > ?1",
        )
        .bind(integer(now.0))
        .fetch_one(self.readers())
        .await?;
        row.moment_or_null("next")
    }
}
