//! How long it usually takes until something is heard of a packet.
//!
//! Where a line gets narrow, the first sign is that nothing is said: what left stands in a queue, and news of it too.
//! Whoever waits for the news has filled the queue by then. So pictures wait when a packet is unheard of for longer than
//! usual; sound goes on.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::delays::seconds_since;

/// The fastest news is that of so many seconds.
const SECONDS: usize = 15;
/// Beside the fastest news and the time between two reports, in seconds.
const SLACK: f64 = 0.002;
/// How much a report counts for the time between two, and how many deviations are usual.
const LEARN: f64 = 1.0 / 32.0;
const DEVIATIONS: f64 = 2.0;
/// More than that is no time between two reports but a pause, in seconds.
const PAUSE: f64 = 0.3;
/// Before anything is known, and at most.
const FIRST: Duration = Duration::from_millis(500);
const MOST: f64 = 1.0;

/// See the module. Times in seconds.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// The fastest news of each of the last seconds.
    fastest: VecDeque<f64>,
    second: Option<Instant>,
    reported: Option<Instant>,
    /// The mean time between two reports, and the mean deviation from it.
    between: Option<(f64, f64)>,
}

impl Patience {
    /// A report came; the packet that left last of those in it left then.
    pub(super) fn note(&mut self, now: Instant, departure: Instant) {
        let took = seconds_since(now, departure).max(0.0);
        if self.second.is_none_or(|second| seconds_since(now, second) >= 1.0) {
            self.second = Some(now);
            self.fastest.push_back(took);
            if self.fastest.len() > SECONDS {
                self.fastest.pop_front();
            }
        } else if let Some(fastest) = self.fastest.back_mut() {
            *fastest = fastest.min(took);
        }
        let before = self.reported.replace(now).map(|before| seconds_since(now, before));
        if let Some(gap) = before.filter(|gap| *gap < PAUSE) {
            let (mean, deviation) = self.between.get_or_insert((gap, gap / 2.0));
            *deviation += LEARN * ((gap - *mean).abs() - *deviation);
            *mean += LEARN * (gap - *mean);
        }
    }

    /// How long is usual, with so much jitter.
    pub(super) fn usual(&self, jitter: f64) -> Duration {
        let fastest = self.fastest.iter().copied().reduce(f64::min);
        let Some((fastest, (mean, deviation))) = fastest.zip(self.between) else { return FIRST };
        let usual = fastest + mean + DEVIATIONS * deviation + jitter + SLACK;
        Duration::try_from_secs_f64(usual.min(MOST)).unwrap_or(FIRST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Reports come so far apart, of packets that left so long ago.
    fn after(reports: u32, apart: Duration, took: Duration) -> Duration {
        let (mut patience, start) = (Patience::default(), Instant::now());
        for report in 1..=reports {
            let now = start + apart * report + Duration::from_secs(1);
            patience.note(now, now - took);
        }
        patience.usual(0.0)
    }

    #[test]
    fn it_is_the_way_there_and_back_and_the_time_between_two_reports() {
        assert!(after(200, 20 * MS, 50 * MS).abs_diff(72 * MS) < 2 * MS);
        // Other programs report at another pace.
        assert!(after(200, 100 * MS, 50 * MS).abs_diff(152 * MS) < 2 * MS);
    }

    #[test]
    fn before_anything_is_known_it_is_long() {
        assert_eq!(Patience::default().usual(0.0), FIRST);
        assert_eq!(after(1, 20 * MS, 50 * MS), FIRST);
    }

    #[test]
    fn jitter_makes_it_longer_and_a_pause_does_not() {
        let (mut patience, start) = (Patience::default(), Instant::now());
        for report in 0..100 {
            let now = start + 20 * MS * report + Duration::from_secs(u64::from(report / 50));
            patience.note(now, now.checked_sub(50 * MS).unwrap_or(start));
        }
        let usual = patience.usual(0.0);
        assert!(usual < 75 * MS, "{usual:?}");
        assert!(patience.usual(0.030).abs_diff(usual + 30 * MS) < MS);
    }

    #[test]
    fn it_is_bounded_whatever_the_clock_says() {
        assert!(after(100, 290 * MS, Duration::from_secs(900)) <= Duration::from_secs(1));
    }
}
