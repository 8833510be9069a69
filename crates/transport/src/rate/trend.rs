//! Whether packets take longer and longer.
//!
//! The trendline filter of GCC: packets that left together are one group; the change of the time from group to group is
//! summed up, smoothed, and a straight line laid through the last sums. Its slope against a threshold, which adapts so that
//! a competing flow of TCP does not starve this one (draft-ietf-rmcat-gcc-02, sections 5.2 to 5.4).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets that left within this are one group.
const GROUP: Duration = Duration::from_millis(5);
/// Groups that the line is laid through.
const GROUPS: usize = 20;
const SMOOTHING: f64 = 0.9;
const GAIN: f64 = 4.0;
const MOST_GROUPS: f64 = 60.0;
/// The threshold, in milliseconds: at first, at least, at most; how fast it goes up and down.
const THRESHOLD: f64 = 12.5;
const THRESHOLDS: std::ops::RangeInclusive<f64> = 6.0..=600.0;
const UP: f64 = 0.0087;
const DOWN: f64 = 0.039;
/// The slope is over the threshold for so long before it counts.
const LASTS: f64 = 10.0;

/// What the trend says of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Usage {
    /// A queue goes down.
    Under,
    /// Nothing.
    Normal,
    /// A queue builds up.
    Over,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    first: Instant,
    departure: Instant,
    arrival: Duration,
}

#[derive(Debug)]
pub(super) struct Trend {
    group: Option<Group>,
    before: Option<Group>,
    /// When groups came, and the smoothed sum of the changes by then, in milliseconds.
    points: VecDeque<(f64, f64)>,
    sum: f64,
    smoothed: f64,
    count: f64,
    threshold: f64,
    over_for: f64,
    last: f64,
}

impl Trend {
    pub(super) const fn new() -> Self {
        Self {
            group: None,
            before: None,
            points: VecDeque::new(),
            sum: 0.0,
            smoothed: 0.0,
            count: 0.0,
            threshold: THRESHOLD,
            over_for: 0.0,
            last: 0.0,
        }
    }

    /// What was seen so far led to an answer, and says nothing about what comes after it.
    pub(super) fn begin_again(&mut self) {
        self.points.clear();
        (self.sum, self.smoothed, self.count, self.over_for, self.last) = (0.0, 0.0, 0.0, 0.0, 0.0);
    }

    /// Takes in a packet that came. Says something when a group is complete.
    pub(super) fn note(&mut self, departure: Instant, arrival: Duration) -> Option<Usage> {
        let Some(group) = &mut self.group else {
            self.group = Some(Group { first: departure, departure, arrival });
            return None;
        };
        if departure < group.first {
            // Out of order: its group has been counted.
            return None;
        }
        if departure.saturating_duration_since(group.first) <= GROUP {
            group.departure = group.departure.max(departure);
            group.arrival = group.arrival.max(arrival);
            return None;
        }
        let complete = *group;
        *group = Group { first: departure, departure, arrival };
        let before = self.before.replace(complete)?;
        let sent = complete.departure.saturating_duration_since(before.departure).as_secs_f64() * 1e3;
        let came = (complete.arrival.as_secs_f64() - before.arrival.as_secs_f64()) * 1e3;
        // A pause, or a clock that was set: nothing to learn.
        if !(-100.0..1_000.0).contains(&came) || sent > 1_000.0 {
            self.begin_again();
            return None;
        }
        Some(self.learn(came - sent, complete.arrival.as_secs_f64() * 1e3, sent))
    }

    fn learn(&mut self, change: f64, at: f64, sent: f64) -> Usage {
        self.sum += change;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.sum;
        self.points.push_back((at, self.smoothed));
        if self.points.len() > GROUPS {
            self.points.pop_front();
        }
        self.count = (self.count + 1.0).min(MOST_GROUPS);
        if self.points.len() < GROUPS / 2 {
            return Usage::Normal;
        }
        let slope = self.count * self.slope() * GAIN;
        let usage = if slope > self.threshold {
            self.over_for += sent;
            if self.over_for > LASTS && slope >= self.last { Usage::Over } else { Usage::Normal }
        } else {
            self.over_for = 0.0;
            if slope < -self.threshold { Usage::Under } else { Usage::Normal }
        };
        // A jump is no reason to be deaf from then on.
        if (slope.abs() - self.threshold) < 15.0 {
            let speed = if slope.abs() < self.threshold { DOWN } else { UP };
            self.threshold += speed * (slope.abs() - self.threshold) * sent.min(100.0);
            self.threshold = self.threshold.clamp(*THRESHOLDS.start(), *THRESHOLDS.end());
        }
        self.last = slope;
        usage
    }

    /// Of the line of least squares, in milliseconds per millisecond.
    fn slope(&self) -> f64 {
        let n = self.points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| self.points.iter().map(of).sum::<f64>() / n;
        let (mean_at, mean_sum) = (mean(|point| point.0), mean(|point| point.1));
        let (mut above, mut below) = (0.0, 0.0);
        for (at, sum) in &self.points {
            above += (at - mean_at) * (sum - mean_sum);
            below += (at - mean_at).powi(2);
        }
        if below > 0.0 { above / below } else { 0.0 }
    }
}
