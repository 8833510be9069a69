//! What came through, how long it took, and what was lost.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Report;

/// Over which time the rate is taken, and the losses.
const RATE_OVER: Duration = Duration::from_millis(400);
const LOSS_OVER: Duration = Duration::from_millis(1_000);
/// The least delay is looked for among the last so many seconds: clocks drift, and paths change.
const SECONDS: usize = 12;
/// How much a packet counts for the present delay.
const PRESENT: f64 = 0.12;
/// No two arrivals that are reported are further apart than that: whoever says so lies, or has begun anew.
const BELIEVED: f64 = 30.0;

#[derive(Debug)]
pub(super) struct Arrivals {
    /// Of packets that came: when, by the other side's clock, and how many bytes.
    came: VecDeque<(Duration, usize)>,
    /// Of all packets: when they were reported, and whether they came.
    fates: VecDeque<(Instant, bool)>,
    /// The first packet: what later ones are told against.
    first: Option<(Instant, Duration)>,
    /// The least smoothed delay of each of the last seconds, in seconds against that of the first packet.
    least: VecDeque<f64>,
    second: Option<Instant>,
    delay: f64,
}

impl Arrivals {
    pub(super) const fn new() -> Self {
        Self {
            came: VecDeque::new(),
            fates: VecDeque::new(),
            first: None,
            least: VecDeque::new(),
            second: None,
            delay: 0.0,
        }
    }

    /// Takes a report in. Says whether it can be believed.
    pub(super) fn note(&mut self, report: &Report, now: Instant) -> bool {
        let Some(arrival) = report.arrival else {
            self.fate(now, false);
            return true;
        };
        let (departure, came) = *self.first.get_or_insert((report.departure, arrival));
        let since = |a: Instant, b: Instant| {
            a.saturating_duration_since(b).as_secs_f64() - b.saturating_duration_since(a).as_secs_f64()
        };
        let delay = arrival.as_secs_f64() - came.as_secs_f64() - since(report.departure, departure);
        if delay.abs() > BELIEVED {
            // Another clock: what was learned of the old one is of no use, and the next report begins anew.
            *self = Self { fates: std::mem::take(&mut self.fates), ..Self::new() };
            return false;
        }
        self.fate(now, true);
        if self.second.is_none_or(|second| now.saturating_duration_since(second) >= Duration::from_secs(1)) {
            self.second = Some(now);
            self.least.push_back(f64::INFINITY);
            if self.least.len() > SECONDS {
                self.least.pop_front();
            }
        }
        self.delay += PRESENT * (delay - self.delay);
        // The least of what is smoothed: a single fast packet of a jittery line would make a queue of the rest.
        if let Some(least) = self.least.back_mut() {
            *least = least.min(self.delay);
        }
        self.came.push_back((arrival, report.size));
        // By the newest: reports may come out of order.
        let newest = self.came.iter().map(|(at, _)| *at).max().unwrap_or_default();
        while self.came.front().is_some_and(|(at, _)| newest.saturating_sub(*at) > RATE_OVER) {
            self.came.pop_front();
        }
        true
    }

    fn fate(&mut self, now: Instant, came: bool) {
        self.fates.push_back((now, came));
        while self.fates.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > LOSS_OVER) {
            self.fates.pop_front();
        }
    }

    /// How much is remembered.
    #[cfg(test)]
    pub(super) fn bounded(&self) -> usize {
        self.came.len() + self.fates.len() + self.least.len()
    }

    /// What came through lately, in bit/s; `None`: too little to say.
    pub(super) fn rate(&self) -> Option<f64> {
        if self.came.len() < 5 {
            return None;
        }
        let times = || self.came.iter().map(|(at, _)| *at);
        let span = times().max()?.saturating_sub(times().min()?).as_secs_f64();
        // The first packet stands for the time before it.
        let bytes = self.came.iter().skip(1).fold(0, |sum: usize, (_, size)| sum.saturating_add(*size));
        (span > 0.05).then(|| bytes as f64 * 8.0 / span)
    }

    /// How much longer packets take than the fastest of the last seconds.
    pub(super) fn queue(&self) -> Duration {
        let least = self.least.iter().copied().fold(f64::INFINITY, f64::min);
        Duration::try_from_secs_f64(self.delay - least).unwrap_or_default()
    }

    /// Share of packets that were lost lately, 0 to 1. Few packets say nothing.
    pub(super) fn loss(&self) -> f64 {
        if self.fates.len() < 20 {
            return 0.0;
        }
        let lost = self.fates.iter().filter(|(_, came)| !came).count();
        lost as f64 / self.fates.len() as f64
    }
}
