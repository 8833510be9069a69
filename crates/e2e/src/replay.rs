//! The replay cache: which handshake messages a device has opened.
//!
//! Keyed by SHA-256 of message 1. An entry lives until the caller's certificate has expired: after that the same
//! message is refused for its certificate. A full cache refuses new Offers; it never forgets one that could still be
//! replayed.

use std::collections::BTreeMap;

use carillon_wire::{Blob, Bytes32, UnixMillis};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Why an Offer is refused on account of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The same message has been opened before.
    #[error("the message has been opened before")]
    Seen,
    /// No room, and nothing in the cache has run out.
    #[error("too many messages to remember")]
    Full,
}

/// One message that was opened, as the client keeps it over restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReplayEntry {
    /// SHA-256 of message 1.
    pub hash: Bytes32,
    /// Until when it must be remembered.
    pub expires_at: UnixMillis,
}

/// Which handshake messages have been opened.
#[derive(Debug, Clone)]
pub struct ReplayCache {
    seen: BTreeMap<Bytes32, UnixMillis>,
    limit: usize,
}

impl ReplayCache {
    /// Most entries of [`new`](Self::new): about 3 MB, and far more calls than a person gets in 14 days.
    pub const LIMIT: usize = 65_536;

    /// An empty cache.
    pub const fn new() -> Self {
        Self::with_limit(Self::LIMIT)
    }

    /// An empty cache that refuses more than `limit` entries.
    pub const fn with_limit(limit: usize) -> Self {
        Self { seen: BTreeMap::new(), limit }
    }

    /// A cache with entries that were kept before. All of them are taken, also beyond the limit.
    pub fn from_entries(entries: impl IntoIterator<Item = ReplayEntry>) -> Self {
        let mut cache = Self::new();
        for entry in entries {
            cache.insert(entry);
        }
        cache
    }

    /// All entries, to be kept over a restart.
    pub fn entries(&self) -> impl Iterator<Item = ReplayEntry> + '_ {
        self.seen.iter().map(|(&hash, &expires_at)| ReplayEntry { hash, expires_at })
    }

    /// How many messages are remembered.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Forgets what has run out.
    pub fn purge(&mut self, now: UnixMillis) {
        self.seen.retain(|_, expires_at| *expires_at > now);
    }

    /// The key of a message, if it has not been opened before.
    pub(crate) fn check(&self, message: &Blob) -> Result<Bytes32, ReplayError> {
        let hash = Bytes32::from(<[u8; 32]>::from(Sha256::digest(message.as_ref())));
        if self.seen.contains_key(&hash) { Err(ReplayError::Seen) } else { Ok(hash) }
    }

    /// Remembers a message that was opened and found good.
    pub(crate) fn remember(&mut self, entry: ReplayEntry, now: UnixMillis) -> Result<(), ReplayError> {
        if self.seen.len() >= self.limit {
            self.purge(now);
        }
        if self.seen.len() >= self.limit {
            return Err(ReplayError::Full);
        }
        self.insert(entry);
        Ok(())
    }

    fn insert(&mut self, entry: ReplayEntry) {
        let expires_at = self.seen.entry(entry.hash).or_insert(entry.expires_at);
        *expires_at = entry.expires_at.max(*expires_at);
    }
}

impl Default for ReplayCache {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u8, expires_at: u64) -> ReplayEntry {
        ReplayEntry { hash: [number; 32].into(), expires_at: UnixMillis(expires_at) }
    }

    #[test]
    fn a_full_cache_refuses_and_never_forgets_what_could_be_replayed() {
        let mut cache = ReplayCache::with_limit(2);
        cache.remember(entry(1, 100), UnixMillis(0)).unwrap();
        cache.remember(entry(2, 200), UnixMillis(0)).unwrap();
        assert_eq!(cache.remember(entry(3, 300), UnixMillis(99)), Err(ReplayError::Full));
        assert_eq!(cache.entries().collect::<Vec<_>>(), [entry(1, 100), entry(2, 200)]);
        cache.remember(entry(3, 300), UnixMillis(100)).unwrap();
        assert_eq!(cache.entries().collect::<Vec<_>>(), [entry(2, 200), entry(3, 300)]);
    }

    #[test]
    fn the_later_expiry_of_two_counts() {
        let cache = ReplayCache::from_entries([entry(1, 200), entry(1, 100)]);
        assert_eq!(cache.entries().collect::<Vec<_>>(), [entry(1, 200)]);
    }
}
