//! How long packets take, and how much of that is a queue.
//!
//! The clocks of the two ends are not set to each other, so only differences count: against the least delay of the last
//! seconds, which is taken for that of an empty queue. What counts is not a single packet but the least of a moment: the
//! packets of one picture queue behind each other, and that queue is gone before the next one comes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A moment: long enough for two pictures, or three packets of sound.
const MOMENT: f64 = 0.060;
/// Fewest packets whose least delay means something.
const FEWEST: usize = 3;
/// The least delay is that of so many seconds: clocks drift, and paths change.
const SECONDS: usize = 15;
/// How much the last moment counts for what is known of jitter, and the most that one counts.
const LEARN: f64 = 0.02;
const MOST_JITTER: f64 = 0.030;
/// No two delays are further apart: whoever says so lies, or its clock was set.
const BELIEVED: f64 = 30.0;

/// See the module. Times in seconds.
#[derive(Debug, Default)]
pub(super) struct Delays {
    /// The first packet, against which all are told.
    origin: Option<(Instant, f64)>,
    /// The packets of this moment: departure and delay.
    moment: VecDeque<(f64, f64)>,
    /// The least delay of the moments of each of the last seconds.
    least: VecDeque<f64>,
    second: f64,
    /// How much the least delay of a moment differs from that of the one before, on the mean.
    jitter: f64,
    before: Option<(f64, f64)>,
}

impl Delays {
    /// Takes a packet in that came; `arrival` is by the other side's clock. Whether it can be believed: what can't be
    /// makes a new beginning.
    pub(super) fn note(&mut self, departure: Instant, arrival: Duration) -> bool {
        let arrival = arrival.as_secs_f64();
        let (from, came) = *self.origin.get_or_insert((departure, arrival));
        let at = seconds_since(departure, from);
        let delay = arrival - came - at;
        let jumps = self.moment.back().is_some_and(|(_, last)| (delay - last).abs() > BELIEVED);
        if !delay.is_finite() || jumps {
            *self = Self::default();
            return false;
        }
        self.moment.push_back((at, delay));
        let newest = self.moment.iter().map(|(at, _)| *at).fold(at, f64::max);
        while self.moment.front().is_some_and(|(at, _)| newest - at > MOMENT) {
            self.moment.pop_front();
        }
        if let Some(standing) = self.standing() {
            self.remember(newest, standing);
        }
        true
    }

    fn remember(&mut self, at: f64, standing: f64) {
        if self.least.is_empty() || at - self.second >= 1.0 {
            self.second = at;
            self.least.push_back(standing);
            if self.least.len() > SECONDS {
                self.least.pop_front();
            }
        } else if let Some(least) = self.least.back_mut() {
            *least = least.min(standing);
        }
        match self.before {
            Some((before, _)) if at - before < MOMENT => {}
            Some((_, last)) => {
                self.jitter += LEARN * ((standing - last).abs().min(MOST_JITTER) - self.jitter);
                self.before = Some((at, standing));
            }
            None => self.before = Some((at, standing)),
        }
    }

    /// The least delay of this moment.
    fn standing(&self) -> Option<f64> {
        (self.moment.len() >= FEWEST)
            .then(|| self.moment.iter().map(|(_, delay)| *delay).fold(f64::INFINITY, f64::min))
    }

    /// The queue that packets find, in seconds.
    pub(super) fn queue(&self) -> f64 {
        let least = self.least.iter().copied().fold(f64::INFINITY, f64::min);
        self.standing().map_or(0.0, |standing| (standing - least).max(0.0))
    }

    /// The queue that the last packets found: sooner known, but that of their own picture is in it.
    pub(super) fn latest(&self) -> f64 {
        if self.moment.len() < FEWEST {
            return 0.0;
        }
        let latest = self.moment.iter().rev().take(FEWEST).map(|(_, delay)| *delay);
        let least = self.least.iter().copied().fold(f64::INFINITY, f64::min);
        (latest.fold(f64::INFINITY, f64::min) - least).max(0.0)
    }

    /// How much of that may be chance, in seconds.
    pub(super) const fn jitter(&self) -> f64 {
        self.jitter
    }

    /// Takes the present delay for that of an empty queue: the path has changed, or somebody else keeps it full.
    pub(super) fn begin_again(&mut self) {
        if let Some(standing) = self.standing() {
            self.least.clear();
            self.least.push_back(standing);
        }
    }

    /// How much is remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.moment.len() + self.least.len()
    }
}

/// Also backwards.
pub(super) fn seconds_since(later: Instant, earlier: Instant) -> f64 {
    later.saturating_duration_since(earlier).as_secs_f64()
        - earlier.saturating_duration_since(later).as_secs_f64()
}
