//! Who follows and who blocks whom, search, and what a call's permission depends on.

use carillon_policy::decision::Facts;
use carillon_policy::rollout::Rollout;
use carillon_wire::rest::{CallSettings, Person};
use carillon_wire::{AccountId, Handle};
use sqlx::sqlite::SqliteRow;

use super::accounts::{profile, profile_columns};
use super::operator::rollout;
use super::row::{Columns, ToBytes, integer};
use super::settings::call_settings;
use super::{Result, SqliteStore, dispatch};

/// Which list of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeopleList {
    /// Whom I follow.
    Following,
    /// Who follows me. People that I block are left out: their following does nothing.
    Followers,
    /// Whom I block.
    Blocks,
}

/// A page of people with where the next one starts, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeoplePage<C> {
    /// The entries.
    pub people: Vec<Person>,
    /// To be given to get the next page.
    pub next: Option<C>,
}

/// All that decides whether a caller may ring a callee, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFacts {
    /// The callee's settings.
    pub settings: CallSettings,
    /// What binds the two.
    pub facts: Facts,
    /// The operator has suspended the caller.
    pub caller_suspended: bool,
    /// The operator has suspended the callee.
    pub callee_suspended: bool,
    /// How far calls are rolled out.
    pub rollout: Rollout,
}

dispatch! {
    /// One person as `viewer` sees them; `None` if there is no such account or it is suspended.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn person(&self, viewer: AccountId, account: AccountId) -> Result<Option<Person>>;

    /// One person by handle, as `viewer` sees them; `None` if there is no such account or it is suspended.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn person_by_handle(&self, viewer: AccountId, handle: &Handle) -> Result<Option<Person>>;

    /// People whose handle starts with `prefix` (lower case), by handle, from after `after` on. Suspended accounts
    /// are left out. Those who block the viewer are not: an absence here would tell of the block.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn search(
        &self,
        viewer: AccountId,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<PeoplePage<String>>;

    /// One of the viewer's lists, newest first, from before the entry `before` on.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn people(
        &self,
        viewer: AccountId,
        list: PeopleList,
        before: Option<u64>,
        limit: u32,
    ) -> Result<PeoplePage<u64>>;

    /// Follows an account; `false` if there is none. To do it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn follow(&self, follower: AccountId, followee: AccountId) -> Result<bool>;

    /// Ends a following, if there is one.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn unfollow(&self, follower: AccountId, followee: AccountId) -> Result<()>;

    /// Blocks an account and ends following in both directions; `false` if there is no such account. To do it again
    /// changes nothing.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn block(&self, blocker: AccountId, blocked: AccountId) -> Result<bool>;

    /// Ends a block, if there is one.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn unblock(&self, blocker: AccountId, blocked: AccountId) -> Result<()>;

    /// What decides whether `caller` may ring `callee`; `None` if one of the two does not exist.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn call_facts(&self, caller: AccountId, callee: AccountId) -> Result<Option<CallFacts>>;
}

/// Columns of a person, of `accounts AS a`, seen by the account `?1`.
macro_rules! person_columns {
    () => {
        concat!(
            profile_columns!(),
            ", EXISTS (SELECT 1 FROM follows WHERE follower = ?1 AND followee = a.id) AS following",
            ", EXISTS (SELECT 1 FROM follows WHERE follower = a.id AND followee = ?1) AS follows_me",
            ", EXISTS (SELECT 1 FROM blocks WHERE blocker = ?1 AND blocked = a.id) AS blocked"
        )
    };
}

fn person(row: &SqliteRow) -> Result<Person> {
    let blocked = row.flag("blocked")?;
    Ok(Person {
        profile: profile(row)?,
        following: row.flag("following")?,
        follows_me: row.flag("follows_me")? && !blocked,
        blocked,
    })
}

impl SqliteStore {
    pub(super) async fn person(&self, viewer: AccountId, account: AccountId) -> Result<Option<Person>> {
        let row = sqlx::query(concat!(
            "SELECT ",
            person_columns!(),
            " FROM accounts a WHERE a.id = ?2 AND a.suspended = 0"
        ))
        .bind(viewer.bytes())
        .bind(account.bytes())
        .fetch_optional(self.readers())
        .await?;
        row.as_ref().map(person).transpose()
    }

    pub(super) async fn person_by_handle(
        &self,
        viewer: AccountId,
        handle: &Handle,
    ) -> Result<Option<Person>> {
        let row = sqlx::query(concat!(
            "SELECT ",
            person_columns!(),
            " FROM accounts a WHERE a.handle = ?2 AND a.suspended = 0"
        ))
        .bind(viewer.bytes())
        .bind(handle.as_str())
        .fetch_optional(self.readers())
        .await?;
        row.as_ref().map(person).transpose()
    }

    pub(super) async fn search(
        &self,
        viewer: AccountId,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<PeoplePage<String>> {
        // '{' is the character after 'z', the last one that a handle can have: a range, so that the index serves.
        let rows = sqlx::query(concat!(
            "SELECT ",
            person_columns!(),
            " FROM accounts a WHERE a.handle >= ?2 AND a.handle < ?3 AND a.handle > ?4 AND a.suspended = 0 \
             ORDER BY a.handle LIMIT ?5"
        ))
        .bind(viewer.bytes())
        .bind(prefix)
        .bind(format!("{prefix}{{"))
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit) + 1)
        .fetch_all(self.readers())
        .await?;
        let mut people = rows.iter().map(person).collect::<Result<Vec<_>>>()?;
        let more = people.len() > limit as usize;
        people.truncate(limit as usize);
        let next = people.last().filter(|_| more).map(|last| last.profile.handle.as_str().to_owned());
        Ok(PeoplePage { people, next })
    }

    pub(super) async fn people(
        &self,
        viewer: AccountId,
        list: PeopleList,
        before: Option<u64>,
        limit: u32,
    ) -> Result<PeoplePage<u64>> {
        let sql = match list {
            PeopleList::Following => concat!(
                "SELECT l.id AS entry, ",
                person_columns!(),
                " FROM follows l JOIN accounts a ON a.id = l.followee \
                 WHERE l.follower = ?1 AND l.id < ?2 AND a.suspended = 0 ORDER BY l.id DESC LIMIT ?3"
            ),
            PeopleList::Followers => concat!(
                "SELECT l.id AS entry, ",
                person_columns!(),
                " FROM follows l JOIN accounts a ON a.id = l.follower \
                 WHERE l.followee = ?1 AND l.id < ?2 AND a.suspended = 0 AND NOT EXISTS \
                 (SELECT 1 FROM blocks WHERE blocker = ?1 AND blocked = a.id) ORDER BY l.id DESC LIMIT ?3"
            ),
            PeopleList::Blocks => concat!(
                "SELECT l.id AS entry, ",
                person_columns!(),
                " FROM blocks l JOIN accounts a ON a.id = l.blocked \
                 WHERE l.blocker = ?1 AND l.id < ?2 AND a.suspended = 0 ORDER BY l.id DESC LIMIT ?3"
            ),
        };
        let mut rows = sqlx::query(sql)
            .bind(viewer.bytes())
            .bind(before.map_or(i64::MAX, integer))
            .bind(i64::from(limit) + 1)
            .fetch_all(self.readers())
            .await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = rows.last().filter(|_| more).map(|row| row.number("entry")).transpose()?;
        Ok(PeoplePage { people: rows.iter().map(person).collect::<Result<_>>()?, next })
    }

    pub(super) async fn follow(&self, follower: AccountId, followee: AccountId) -> Result<bool> {
        let mut tx = self.write().await?;
        if !exists(&mut tx, followee).await? {
            return Ok(false);
        }
        sqlx::query("INSERT INTO follows (follower, followee) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
            .bind(follower.bytes())
            .bind(followee.bytes())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    pub(super) async fn unfollow(&self, follower: AccountId, followee: AccountId) -> Result<()> {
        sqlx::query("DELETE FROM follows WHERE follower = ?1 AND followee = ?2")
            .bind(follower.bytes())
            .bind(followee.bytes())
            .execute(self.writer())
            .await?;
        Ok(())
    }

    pub(super) async fn block(&self, blocker: AccountId, blocked: AccountId) -> Result<bool> {
        let mut tx = self.write().await?;
        if !exists(&mut tx, blocked).await? {
            return Ok(false);
        }
        sqlx::query("INSERT INTO blocks (blocker, blocked) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
            .bind(blocker.bytes())
            .bind(blocked.bytes())
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "DELETE FROM follows WHERE (follower = ?1 AND followee = ?2) OR (follower = ?2 AND followee = ?1)",
        )
        .bind(blocker.bytes())
        .bind(blocked.bytes())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    pub(super) async fn unblock(&self, blocker: AccountId, blocked: AccountId) -> Result<()> {
        sqlx::query("DELETE FROM blocks WHERE blocker = ?1 AND blocked = ?2")
            .bind(blocker.bytes())
            .bind(blocked.bytes())
            .execute(self.writer())
            .await?;
        Ok(())
    }

    pub(super) async fn call_facts(&self, caller: AccountId, callee: AccountId) -> Result<Option<CallFacts>> {
        let row = sqlx::query(
            "SELECT e.calls_enabled, e.calls_following, e.calls_verified, e.calls_address_book, \
             e.calls_everyone, e.suspended AS callee_suspended, r.suspended AS caller_suspended, \
             r.verified AS caller_verified, \
             EXISTS (SELECT 1 FROM follows WHERE follower = ?2 AND followee = ?1) AS follows, \
             EXISTS (SELECT 1 FROM blocks WHERE blocker = ?2 AND blocked = ?1) AS callee_blocks, \
             EXISTS (SELECT 1 FROM blocks WHERE blocker = ?1 AND blocked = ?2) AS caller_blocks, \
             (SELECT value FROM server WHERE key = 'rollout') AS rollout \
             FROM accounts r, accounts e WHERE r.id = ?1 AND e.id = ?2",
        )
        .bind(caller.bytes())
        .bind(callee.bytes())
        .fetch_optional(self.readers())
        .await?;
        row.map(|row| {
            Ok(CallFacts {
                settings: call_settings(&row)?,
                facts: Facts {
                    callee_follows_caller: row.flag("follows")?,
                    caller_verified: row.flag("caller_verified")?,
                    callee_blocks_caller: row.flag("callee_blocks")?,
                    caller_blocks_callee: row.flag("caller_blocks")?,
                },
                caller_suspended: row.flag("caller_suspended")?,
                callee_suspended: row.flag("callee_suspended")?,
                rollout: rollout(&row)?,
            })
        })
        .transpose()
    }
}

async fn exists(tx: &mut sqlx::SqliteConnection, account: AccountId) -> Result<bool> {
    let row =
        sqlx::query("SELECT 1 FROM accounts WHERE id = ?1").bind(account.bytes()).fetch_optional(tx).await?;
    Ok(row.is_some())
}
