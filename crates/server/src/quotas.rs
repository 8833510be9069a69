//! What is too often, counted by this process.

use std::sync::{Mutex, PoisonError};

use carillon_policy::rate::{
    CHANGES_PER_ACCOUNT, KEY_FETCHES_PER_ACCOUNT, Limiter, Network, RING_COUNTED_ONCE, RINGS_PER_CALLER,
    RINGS_PER_PAIR, RetryAfter, SEARCHES_PER_ACCOUNT, SIGN_INS_PER_NETWORK, SIGN_UPS_PER_NETWORK,
};
use carillon_wire::{AccountId, CallId, UnixMillis};

/// Most keys that one quota remembers; about 10 MB when full.
const CAPACITY: usize = 100_000;

/// One quota for all who ask.
#[derive(Debug)]
pub struct Counted<K>(Mutex<Limiter<K>>);

impl<K: Ord + Clone> Counted<K> {
    fn new(quota: carillon_policy::rate::Quota) -> Self {
        Self(Mutex::new(Limiter::new(quota, CAPACITY)))
    }

    /// Counts one event.
    ///
    /// # Errors
    /// [`RetryAfter`] when it is too often.
    pub fn check(&self, key: &K, now: UnixMillis) -> Result<(), RetryAfter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).check(key, now)
    }

    fn would_pass(&self, key: &K, now: UnixMillis) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).would_pass(key, now)
    }

    fn sweep(&self, now: UnixMillis) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).sweep(now);
    }
}

/// The quotas.
#[derive(Debug)]
pub struct Quotas {
    /// New accounts.
    pub sign_ups: Counted<Network>,
    /// Challenges, and answers to them.
    pub sign_ins: Counted<Network>,
    /// Searches and look-ups by handle.
    pub searches: Counted<AccountId>,
    /// Fetches of somebody's device keys.
    pub key_fetches: Counted<AccountId>,
    /// Changes of the own account.
    pub changes: Counted<AccountId>,
    rings: Counted<AccountId>,
    /// The first account rings the other.
    rings_to: Counted<(AccountId, AccountId)>,
    /// Rings that were counted.
    known_rings: Counted<(AccountId, AccountId, CallId)>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            sign_ups: Counted::new(SIGN_UPS_PER_NETWORK),
            sign_ins: Counted::new(SIGN_INS_PER_NETWORK),
            searches: Counted::new(SEARCHES_PER_ACCOUNT),
            key_fetches: Counted::new(KEY_FETCHES_PER_ACCOUNT),
            changes: Counted::new(CHANGES_PER_ACCOUNT),
            rings: Counted::new(RINGS_PER_CALLER),
            rings_to: Counted::new(RINGS_PER_PAIR),
            known_rings: Counted::new(RING_COUNTED_ONCE),
        }
    }
}

impl Quotas {
    /// Counts a ring, once for each call id: one that is placed again, after `stale_devices` or on a new connection
    /// because the answer was lost, is the same ring.
    ///
    /// # Errors
    /// [`RetryAfter`] when it is too often; it is not counted then.
    pub fn ring(
        &self,
        caller: AccountId,
        callee: AccountId,
        call: CallId,
        now: UnixMillis,
    ) -> Result<(), RetryAfter> {
        let ring = (caller, callee, call);
        if !self.known_rings.would_pass(&ring, now) {
            return Ok(());
        }
        // The pair first: what it refuses does not count for the caller.
        self.rings_to.check(&(caller, callee), now)?;
        self.rings.check(&caller, now)?;
        self.known_rings.check(&ring, now)
    }

    /// Forgets whoever has their whole quota again: an address is not kept longer than it is needed.
    pub fn sweep(&self, now: UnixMillis) {
        self.sign_ups.sweep(now);
        self.sign_ins.sweep(now);
        self.searches.sweep(now);
        self.key_fetches.sweep(now);
        self.changes.sweep(now);
        self.rings.sweep(now);
        self.rings_to.sweep(now);
        self.known_rings.sweep(now);
    }
}
