//! On macOS and Windows: the process as a whole.

use std::collections::BTreeMap;
use std::time::Duration;

use cpu_time::ProcessTime;

use super::{Memory, Thread, ThreadKey};

/// Not told apart.
pub(super) fn threads() -> BTreeMap<ThreadKey, Thread> {
    BTreeMap::new()
}

pub(super) fn total() -> Option<Duration> {
    ProcessTime::try_now().ok().map(|time| time.as_duration())
}

pub(super) fn memory() -> Option<Memory> {
    let rss = u64::try_from(memory_stats::memory_stats()?.physical_mem).ok()?;
    Some(Memory { pss: None, rss })
}
