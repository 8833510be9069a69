//! What is too often.
//!
//! GCRA, the generic cell rate algorithm (ITU-T I.371): one moment for each key, and no timer. State lives in
//! memory and is lost at a restart on purpose: the quotas are short, and a store would be one more thing to flood.

use core::net::{IpAddr, Ipv6Addr};
use std::collections::BTreeMap;
use std::fmt;

use carillon_wire::limits::MAILBOX_TTL;
use carillon_wire::{Millis, UnixMillis};

/// So many at once, then one more after each `every`.
///
/// In any stretch of `t` milliseconds at most `burst + t / every` are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    /// How many may come at once. Zero lets nothing through, however long one waits.
    pub burst: u32,
    /// How long it takes to be granted one more. Zero is no limit.
    pub every: Millis,
}

impl Quota {
    /// `burst` at once, then one more after each `every_millis`.
    pub const fn new(burst: u32, every_millis: u64) -> Self {
        Self { burst, every: Millis(every_millis) }
    }

    /// How long it takes until a key that has used everything has the whole burst again.
    pub const fn period(self) -> Millis {
        Millis(self.every.0.saturating_mul(self.burst as u64))
    }
}

/// Rings by one account, to whomever: 10 at once, 30 a minute. Somebody who goes through their friends until one
/// answers does not notice it; a robot does. Count a call id once: `create` sent again, or after `stale_devices`,
/// is the same ring.
pub const RINGS_PER_CALLER: Quota = Quota::new(10, 2_000);

/// Rings by one account to one other: 4 at once, then one every 90 seconds. An urgent call is dialled three or
/// four times in a row; what goes on after that is what the callee must be protected from, before they think of
/// blocking. Ask this before [`RINGS_PER_CALLER`], so that what it refuses does not count there.
pub const RINGS_PER_PAIR: Quota = Quota::new(4, 90_000);

/// How long a ring that was counted is known: the same call id, from the same account to the same other, is not counted
/// again. As long as a mailbox keeps a message, so that it is forgotten before the id could ring a second time.
pub const RING_COUNTED_ONCE: Quota = Quota { burst: 1, every: MAILBOX_TTL };

/// Sign-ups from one [`Network`]: 10 at once, 10 an hour. A household or a class behind one address can start
/// together; filling a server with accounts takes very many addresses.
pub const SIGN_UPS_PER_NETWORK: Quota = Quota::new(10, 360_000);

/// Challenges, sign-ins and added devices from one [`Network`]: 60 at once, 60 a minute. High enough for an office
/// behind one address that comes back after an outage.
pub const SIGN_INS_PER_NETWORK: Quota = Quota::new(60, 1_000);

/// Searches by one account: 30 at once, 30 a minute. Search as one types stays within it; walking through all
/// handles takes months.
pub const SEARCHES_PER_ACCOUNT: Quota = Quota::new(30, 2_000);

/// Fetches of somebody's device keys by one account: 60 at once, 60 a minute. One comes before each ring.
pub const KEY_FETCHES_PER_ACCOUNT: Quota = Quota::new(60, 1_000);

/// Changes of the own account (profile, settings, following, blocks, pictures): 60 at once, one a second.
pub const CHANGES_PER_ACCOUNT: Quota = Quota::new(60, 1_000);

/// Frames on one connection: 200 at once, 50 a second. A call that starts sends about 30.
pub const FRAMES_PER_CONNECTION: Quota = Quota::new(200, 20);

/// Refused for now. After this long, the same key is let through again if nothing else comes for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("too often, wait {} ms", self.0.0)]
pub struct RetryAfter(pub Millis);

/// Counts events by key against one [`Quota`].
///
/// Memory is bounded: with `capacity` keys known, those that have their whole burst again are forgotten, and if
/// that frees less than a quarter, also those that come closest to it. Keys that overdo it are remembered longest.
#[derive(Debug, Clone)]
pub struct Limiter<K> {
    quota: Quota,
    capacity: usize,
    /// For each key, when it has its whole burst again (GCRA's theoretical arrival time).
    full_at: BTreeMap<K, UnixMillis>,
}

impl<K: Ord + Clone> Limiter<K> {
    /// A limiter that remembers at most `capacity` keys, at least one.
    pub fn new(quota: Quota, capacity: usize) -> Self {
        Self { quota, capacity: capacity.max(1), full_at: BTreeMap::new() }
    }

    /// The quota.
    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.full_at.len()
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.full_at.is_empty()
    }

    /// Counts one event for `key`, if it is within the quota. A refused one does not count.
    ///
    /// `now` may go back: nobody waits longer for that than [`Quota::period`].
    ///
    /// # Errors
    /// [`RetryAfter`] with the time to wait, when it is too often.
    pub fn check(&mut self, key: &K, now: UnixMillis) -> Result<(), RetryAfter> {
        if self.quota.burst == 0 {
            return Err(RetryAfter(self.quota.every.max(Millis(1))));
        }
        if self.quota.every == Millis(0) {
            return Ok(());
        }
        let latest = now.after(self.quota.period());
        let known = self.full_at.get_mut(key);
        let is_new = known.is_none();
        let full_at = match known {
            Some(full_at) => {
                // Later than `latest` is possible only after the clock has gone back.
                *full_at = (*full_at).min(latest);
                (*full_at).max(now)
            }
            None => now,
        };
        let next = full_at.after(self.quota.every);
        if next > latest {
            return Err(RetryAfter(next.since(latest)));
        }
        if is_new && self.full_at.len() >= self.capacity {
            self.make_room(now);
        }
        self.full_at.insert(key.clone(), next);
        Ok(())
    }

    /// Whether [`check`](Self::check) would let one more through; nothing is counted.
    pub fn would_pass(&self, key: &K, now: UnixMillis) -> bool {
        if self.quota.burst == 0 || self.quota.every == Millis(0) {
            return self.quota.burst > 0;
        }
        let latest = now.after(self.quota.period());
        let full_at = self.full_at.get(key).map_or(now, |full_at| (*full_at).min(latest).max(now));
        full_at.after(self.quota.every) <= latest
    }

    /// Forgets the keys that have their whole burst again. Worth a call now and then to give memory back; nothing
    /// else depends on it.
    pub fn sweep(&mut self, now: UnixMillis) {
        let latest = now.after(self.quota.period());
        self.full_at.retain(|_, full_at| {
            *full_at = (*full_at).min(latest);
            *full_at > now
        });
    }

    fn make_room(&mut self, now: UnixMillis) {
        self.sweep(now);
        let keep = self.capacity - self.capacity.div_ceil(4);
        let Some(surplus) = self.full_at.len().checked_sub(keep) else { return };
        let mut by_need: Vec<_> = self.full_at.iter().map(|(key, at)| (*at, key.clone())).collect();
        by_need.sort_unstable();
        for (_, key) in by_need.into_iter().take(surplus) {
            self.full_at.remove(&key);
        }
    }
}

/// Where a connection comes from, for quotas: an IPv4 address, or the /64 of an IPv6 address, since one household
/// has a whole /64 to draw addresses from. Personal data: its `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address. IPv4 mapped into IPv6 counts as IPv4.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            v4 @ IpAddr::V4(_) => Self(v4),
            IpAddr::V6(v6) => Self(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64))),
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network([redacted])")
    }
}
