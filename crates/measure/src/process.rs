//! What this process costs.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

#[cfg(not(target_os = "linux"))]
use elsewhere as system;
#[cfg(target_os = "linux")]
use linux as system;

/// A thread as the system knows it: the number and when it started, for numbers are given again.
type ThreadKey = (u64, u64);

/// A thread's name and the processor time it has used.
#[derive(Debug, Clone, PartialEq)]
struct Thread {
    name: String,
    used: Duration,
}

/// Reads how much processor time this process used, thread by thread. Take one at the start, [`read`](Self::read) it
/// once a second: a thread that began and ended between two reads is only in the total.
#[derive(Debug)]
pub struct ProcessMeter {
    base: BTreeMap<ThreadKey, Duration>,
    base_total: Duration,
    seen: BTreeMap<ThreadKey, Thread>,
}

/// Processor time since the meter was made.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ProcessorTime {
    /// Of the whole process.
    pub total: Duration,
    /// By part, in the order given; threads that fit no part are in `other`. Empty where the system does not tell threads
    /// apart.
    pub parts: Vec<(String, Duration)>,
    /// Of threads that fit no part, and of those never seen.
    pub other: Duration,
}

/// Memory of this process now, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// The proportional set size: pages shared with other processes count by their share. Linux alone.
    pub pss: Option<u64>,
    /// The resident set size.
    pub rss: u64,
}

/// Memory of this process, where the system tells.
pub fn memory() -> Option<Memory> {
    system::memory()
}

impl ProcessMeter {
    /// Counts from now. `None` where the system does not tell.
    pub fn start() -> Option<Self> {
        let base = system::threads().into_iter().map(|(key, thread)| (key, thread.used)).collect();
        Some(Self { base, base_total: system::total()?, seen: BTreeMap::new() })
    }

    /// What was used since the start, by parts: each is a name and the beginnings of its threads' names (15 bytes, for
    /// Linux keeps no more). The first part that fits gets the thread.
    pub fn read(&mut self, parts: &[(&str, &[&str])]) -> ProcessorTime {
        self.seen.extend(system::threads());
        let total = system::total().unwrap_or_default().saturating_sub(self.base_total);
        let used = self.seen.iter().map(|(key, thread)| {
            let before = self.base.get(key).copied().unwrap_or_default();
            (thread.name.as_str(), thread.used.saturating_sub(before))
        });
        share_out(total, used, parts)
    }
}

fn share_out<'a>(
    total: Duration,
    threads: impl Iterator<Item = (&'a str, Duration)>,
    parts: &[(&str, &[&str])],
) -> ProcessorTime {
    let mut shares: Vec<(String, Duration)> =
        parts.iter().map(|(name, _)| ((*name).to_owned(), Duration::ZERO)).collect();
    let mut any = false;
    for (thread, used) in threads {
        any = true;
        let fits = |(_, begins): &(&str, &[&str])| begins.iter().any(|begin| thread.starts_with(begin));
        if let Some((_, share)) = parts.iter().position(fits).and_then(|index| shares.get_mut(index)) {
            *share += used;
        }
    }
    if !any {
        shares.clear();
    }
    let known: Duration = shares.iter().map(|(_, share)| *share).sum();
    ProcessorTime { total: total.max(known), parts: shares, other: total.saturating_sub(known) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_is_counted_in_the_first_part_it_fits() {
        let millis = Duration::from_millis;
        let threads = [("audio-a", 30), ("audio-b", 20), ("link-to-a", 5), ("main", 7)];
        let parts: [(&str, &[&str]); 3] =
            [("Sound of A", &["audio-a"]), ("Sound", &["audio"]), ("Line", &["link-"])];
        let found = share_out(millis(70), threads.iter().map(|(name, used)| (*name, millis(*used))), &parts);
        let shares: Vec<_> =
            found.parts.iter().map(|(name, used)| (name.as_str(), used.as_millis())).collect();
        assert_eq!(shares, [("Sound of A", 30), ("Sound", 20), ("Line", 5)]);
        assert_eq!((found.total, found.other), (millis(70), millis(15)));
    }

    #[test]
    fn threads_known_to_have_used_more_than_the_total_are_believed() {
        let millis = Duration::from_millis;
        let found = share_out(millis(10), [("a", millis(12))].into_iter(), &[("A", &["a"])]);
        assert_eq!((found.total, found.other), (millis(12), Duration::ZERO));
    }

    #[test]
    fn work_is_counted_for_the_thread_that_did_it_even_when_it_is_gone() {
        let Some(mut meter) = ProcessMeter::start() else { return };
        let parts: [(&str, &[&str]); 1] = [("worker", &["measured-wo"])];
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let worker = std::thread::Builder::new()
            .name("measured-worker".to_owned())
            .spawn(move || {
                let mut x = 1.0_f64;
                for _ in 0..20_000_000 {
                    x = std::hint::black_box(x * 1.000_000_1);
                }
                done.send(()).unwrap();
                let _ = released.recv();
            })
            .unwrap();
        wait.recv().unwrap();
        let during = meter.read(&parts);
        drop(release);
        worker.join().unwrap();
        let after = meter.read(&parts);
        if cfg!(target_os = "linux") {
            assert!(during.parts[0].1 > Duration::ZERO, "{during:?}");
            assert!(after.parts[0].1 >= during.parts[0].1);
        }
        assert!(after.total >= during.total);
        assert!(memory().is_none_or(|memory| memory.rss > 1_000_000));
    }
}
