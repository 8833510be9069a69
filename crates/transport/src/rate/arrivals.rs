//! What came through, and what was lost.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The longest time over which a rate is taken.
const KEPT: f64 = 1.0;
/// Packets that are kept at most.
const MOST: usize = 4_096;
/// Over which time losses count, and the fewest packets that say something.
const LOSS_OVER: Duration = Duration::from_millis(1_200);
const FEWEST: usize = 30;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// When by the other side's clock, in seconds, and how many bytes.
    came: VecDeque<(f64, usize)>,
    newest: f64,
    /// When it was told, and whether it came.
    fates: VecDeque<(Instant, bool)>,
    lost: usize,
}

impl Arrivals {
    pub(super) fn came(&mut self, now: Instant, arrival: Duration, bytes: usize) {
        let arrival = arrival.as_secs_f64();
        // A clock that was set begins anew.
        if (arrival - self.newest).abs() > 30.0 {
            self.came.clear();
            self.newest = arrival;
        }
        self.newest = self.newest.max(arrival);
        self.came.push_back((arrival, bytes));
        while self.came.len() > MOST || self.came.front().is_some_and(|(at, _)| self.newest - at > KEPT) {
            self.came.pop_front();
        }
        self.fate(now, true);
    }

    pub(super) fn lost(&mut self, now: Instant) {
        self.fate(now, false);
    }

    fn fate(&mut self, now: Instant, came: bool) {
        self.fates.push_back((now, came));
        self.lost += usize::from(!came);
        while self.fates.len() > MOST
            || self.fates.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > LOSS_OVER)
        {
            if self.fates.pop_front().is_some_and(|(_, came)| !came) {
                self.lost -= 1;
            }
        }
    }

    /// What came in the last so many seconds, in bit/s; `None`: too little to say.
    pub(super) fn rate(&self, over: f64) -> Option<f64> {
        let from = self.newest - over;
        let mut earliest = f64::INFINITY;
        let (mut bytes, mut first, mut packets) = (0_usize, 0, 0);
        for (at, size) in self.came.iter().filter(|(at, _)| *at >= from) {
            bytes = bytes.saturating_add(*size);
            packets += 1;
            if *at < earliest {
                (earliest, first) = (*at, *size);
            }
        }
        let span = self.newest - earliest;
        // The first packet stands for the time before it.
        let bits = bytes.saturating_sub(first) as f64 * 8.0;
        (packets >= 5 && span > over / 3.0).then(|| bits / span)
    }

    /// Share of packets that were lost lately, 0 to 1; few packets say nothing.
    pub(super) fn loss(&self) -> f64 {
        if self.fates.len() < FEWEST { 0.0 } else { self.lost as f64 / self.fates.len() as f64 }
    }

    /// How much is remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.came.len() + self.fates.len()
    }
}
