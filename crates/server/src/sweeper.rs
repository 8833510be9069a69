//! Does what the clock asks for: ends calls that have rung long enough, lets lost devices go, renews the lease of this
//! node, forgets what is over.
//!
//! No timer lives only in memory: the sweeper reads the next moment from the store and sleeps until exactly then, or
//! until it is told of an earlier one.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use carillon_wire::limits::DEVICE_GRACE;
use carillon_wire::{Millis, UnixMillis};
use tokio::sync::Notify;

use crate::app::{App, Shared};
use crate::store;

/// How often the lease of this node is renewed.
const LEASE_RENEWED: Millis = Millis::from_secs(5);

/// How long the lease counts: three renewals may fail.
const LEASE: Millis = Millis::from_secs(20);

/// How often what is over is forgotten.
const TIDY: Millis = Millis::from_secs(30);

/// How often sessions and challenges that have run out are forgotten.
const FORGET: Millis = Millis::from_secs(3600);

/// Pause after the store failed.
const RETRY: Duration = Duration::from_secs(1);

/// Wakes the sweeper.
#[derive(Debug, Default)]
pub struct Sweeper {
    /// The next moment that the sweeper knows of. While it looks for it: the earliest it was told of meanwhile.
    next: Mutex<Option<UnixMillis>>,
    bell: Notify,
}

impl Sweeper {
    /// There is something to do at this moment.
    pub fn no_later_than(&self, moment: UnixMillis) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.is_none_or(|next| moment < next) {
            *next = Some(moment);
            self.bell.notify_one();
        }
    }

    fn begin(&self) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The earlier of what was found and what was told meanwhile.
    fn settle(&self, found: UnixMillis) -> UnixMillis {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = next.map_or(found, |told| told.min(found));
        *next = Some(earlier);
        earlier
    }
}

/// When the regular work was last done.
struct Rounds {
    lease: UnixMillis,
    tidy: UnixMillis,
    forget: UnixMillis,
    grace: UnixMillis,
}

/// Until when the lease counts that is taken or renewed now.
pub(crate) fn lease_until(now: UnixMillis) -> UnixMillis {
    now.after(LEASE)
}

/// Sweeps until it is dropped.
pub(crate) async fn run(app: Shared) {
    let now = app.clock.now();
    let mut rounds = Rounds { lease: now, tidy: now, forget: now, grace: now.before(DEVICE_GRACE) };
    loop {
        app.sweeper.begin();
        match sweep(&app, &mut rounds).await {
            Ok(next) => {
                let next = app.sweeper.settle(next);
                tokio::select! {
                    () = app.clock.sleep_until(next) => {}
                    () = app.sweeper.bell.notified() => {}
                }
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the sweeper can't use the store");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Does what is due and says when something is due next.
async fn sweep(app: &App, rounds: &mut Rounds) -> store::Result<UnixMillis> {
    let now = app.clock.now();
    if now >= rounds.lease.after(LEASE_RENEWED) {
        app.store.renew_lease(app.node, lease_until(now)).await?;
        app.follow_up(&app.store.bury_nodes(app.node, now).await?);
        let waiting = app.store.mail_waiting().await?;
        app.metrics.mail_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        rounds.lease = now;
    }
    // Only looks first: a transaction that writes nothing would still hold up those that do.
    while app.store.next_deadline().await?.is_some_and(|deadline| deadline <= now) {
        app.follow_up(&app.store.sweep_calls(now).await?);
    }
    for account in app.store.graces_over(rounds.grace, now).await? {
        app.bus.presence_changed(account);
    }
    rounds.grace = now;
    if now >= rounds.tidy.after(TIDY) {
        app.store.drop_old_mail(now).await?;
        app.store.forget_calls(now).await?;
        app.quotas.sweep(now);
        rounds.tidy = now;
    }
    if now >= rounds.forget.after(FORGET) {
        app.store.forget_expired(now).await?;
        rounds.forget = now;
    }
    let regular = rounds.lease.after(LEASE_RENEWED).min(rounds.tidy.after(TIDY));
    let found = [app.store.next_deadline().await?, app.store.next_grace(now).await?];
    Ok(found.into_iter().flatten().fold(regular, UnixMillis::min))
}
