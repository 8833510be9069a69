//! From `/proc` (proc(5)).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::{Memory, Thread, ThreadKey};

/// `utime` and `stime` count in this: `USER_HZ` is 100 on every Linux that programs see.
const TICK: Duration = Duration::from_millis(10);

pub(super) fn threads() -> BTreeMap<ThreadKey, Thread> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return BTreeMap::new() };
    tasks
        .filter_map(|task| {
            let path = task.ok()?.path();
            let number = path.file_name()?.to_str()?.parse().ok()?;
            let stat = Stat::parse(&fs::read_to_string(path.join("stat")).ok()?)?;
            let used = nanoseconds(&path).unwrap_or(stat.used);
            Some(((number, stat.started), Thread { name: stat.name, used }))
        })
        .collect()
}

/// To the nanosecond, where the kernel keeps it.
fn nanoseconds(task: &Path) -> Option<Duration> {
    let text = fs::read_to_string(task.join("schedstat")).ok()?;
    let used = text.split_whitespace().next()?.parse().ok()?;
    (used > 0).then(|| Duration::from_nanos(used))
}

/// Threads that have ended included.
pub(super) fn total() -> Option<Duration> {
    Some(Stat::parse(&fs::read_to_string("/proc/self/stat").ok()?)?.used)
}

pub(super) fn memory() -> Option<Memory> {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let rss = kibibytes(&rollup, "Rss:")
        .or_else(|| kibibytes(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:"))?;
    Some(Memory { pss: kibibytes(&rollup, "Pss:"), rss })
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[derive(Debug, PartialEq)]
struct Stat {
    name: String,
    used: Duration,
    started: u64,
}

impl Stat {
    /// The name stands in brackets and may hold brackets itself.
    fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.rsplit_once(')')?;
        let name = before.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = after.split_whitespace().collect();
        // Fields are counted from 1 in proc(5), and the first after the name is the third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let ticks = u32::try_from(field(14)?.checked_add(field(15)?)?).ok()?;
        Some(Self { name, used: TICK.checked_mul(ticks)?, started: field(22)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_stat_is_read_even_with_brackets_in_the_name() {
        let text = "42 (a) (b) S 1 1 1 0 -1 4194304 5 0 0 0 120 30 0 0 20 0 4 0 98765 1 2 3";
        let expected = Stat { name: "a) (b".to_owned(), used: Duration::from_millis(1500), started: 98_765 };
        assert_eq!(Stat::parse(text), Some(expected));
        for text in ["", "42 (a", "42 (a) S 1", "42 a S 1 1 1"] {
            assert_eq!(Stat::parse(text), None, "{text}");
        }
    }

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(kibibytes("Rss:  10 kB\nPss:   7 kB\nPss_Anon: 3 kB", "Pss:"), Some(7168));
        assert_eq!(kibibytes("Rss: x", "Rss:"), None);
        assert!(memory().unwrap().pss.is_none_or(|pss| pss <= memory().unwrap().rss * 2));
    }
}
