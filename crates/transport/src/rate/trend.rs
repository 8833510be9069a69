//! Whether packets take longer and longer: the trendline filter of GCC (draft-ietf-rmcat-gcc-02, sections 5.1 to 5.4; the
//! line in place of the Kalman filter as in G. Carlucci, L. De Cicco, S. Holmer and S. Mascolo, "Congestion control for
//! web real-time communication", 2017).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::delays::seconds_since;

/// Packets that left within this are one group.
const GROUP: f64 = 0.005;
/// Groups that the line is laid through.
const GROUPS: usize = 20;
const SMOOTHING: f64 = 0.9;
const GAIN: f64 = 4.0;
const MOST_GROUPS: f64 = 60.0;
/// The threshold, in milliseconds: at first, and within which bounds.
const THRESHOLD: f64 = 12.5;
const LEAST_THRESHOLD: f64 = 6.0;
const MOST_THRESHOLD: f64 = 600.0;
/// How fast it follows, up and down, each millisecond: slowly down, so that it does not mistake chance for a queue.
const UP: f64 = 0.0087;
const DOWN: f64 = 0.039;
/// What is so far above the threshold does not move it.
const JUMP: f64 = 15.0;
/// For how many milliseconds the slope has to be above the threshold.
const LASTS: f64 = 10.0;
/// A pause that long is no change of the delay, in seconds.
const PAUSE: f64 = 1.0;

/// See the module.
#[derive(Debug)]
pub(super) struct Trend {
    group: Option<Group>,
    before: Option<Group>,
    /// When groups came, and the smoothed sum of the changes of their delay by then, in milliseconds.
    points: VecDeque<(f64, f64)>,
    sum: f64,
    smoothed: f64,
    groups: f64,
    threshold: f64,
    above: f64,
    last: f64,
    grows: bool,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    first: Instant,
    departure: Instant,
    arrival: f64,
}

impl Default for Trend {
    fn default() -> Self {
        Self {
            group: None,
            before: None,
            points: VecDeque::new(),
            sum: 0.0,
            smoothed: 0.0,
            groups: 0.0,
            threshold: THRESHOLD,
            above: 0.0,
            last: 0.0,
            grows: false,
        }
    }
}

impl Trend {
    /// The delay grows.
    pub(super) const fn grows(&self) -> bool {
        self.grows
    }

    /// What was seen has been answered, and says nothing of what comes after the answer.
    pub(super) fn begin_again(&mut self) {
        let threshold = self.threshold;
        *self = Self { threshold, ..Self::default() };
    }

    /// Takes in a packet that came, in the order in which packets left.
    pub(super) fn note(&mut self, departure: Instant, arrival: Duration) {
        let arrival = arrival.as_secs_f64();
        let Some(group) = &mut self.group else {
            self.group = Some(Group { first: departure, departure, arrival });
            return;
        };
        let since = seconds_since(departure, group.first);
        if since < 0.0 {
            return;
        }
        if since <= GROUP {
            group.departure = group.departure.max(departure);
            group.arrival = group.arrival.max(arrival);
            return;
        }
        let complete = *group;
        *group = Group { first: departure, departure, arrival };
        let Some(before) = self.before.replace(complete) else { return };
        let left = seconds_since(complete.departure, before.departure);
        let came = complete.arrival - before.arrival;
        if left > PAUSE || came.abs() > PAUSE {
            self.begin_again();
            return;
        }
        self.learn((came - left) * 1e3, complete.arrival * 1e3, left * 1e3);
    }

    /// All in milliseconds.
    fn learn(&mut self, change: f64, at: f64, elapsed: f64) {
        self.sum += change;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.sum;
        self.points.push_back((at, self.smoothed));
        if self.points.len() > GROUPS {
            self.points.pop_front();
        }
        self.groups = (self.groups + 1.0).min(MOST_GROUPS);
        if self.points.len() < GROUPS / 2 {
            return;
        }
        let slope = self.groups * self.slope() * GAIN;
        if slope > self.threshold {
            self.above += elapsed;
            self.grows = self.above > LASTS && slope >= self.last;
        } else {
            self.above = 0.0;
            self.grows = false;
        }
        if slope.abs() - self.threshold < JUMP {
            let speed = if slope.abs() < self.threshold { DOWN } else { UP };
            self.threshold += speed * (slope.abs() - self.threshold) * elapsed.min(100.0);
            self.threshold = self.threshold.clamp(LEAST_THRESHOLD, MOST_THRESHOLD);
        }
        self.last = slope;
    }

    /// Of the line of least squares, in milliseconds each millisecond.
    fn slope(&self) -> f64 {
        let n = self.points.len() as f64;
        let (sum_at, sum_delay) =
            self.points.iter().fold((0.0, 0.0), |(at, delay), point| (at + point.0, delay + point.1));
        let (mean_at, mean_delay) = (sum_at / n, sum_delay / n);
        let (mut above, mut below) = (0.0, 0.0);
        for (at, delay) in &self.points {
            above += (at - mean_at) * (delay - mean_delay);
            below += (at - mean_at).powi(2);
        }
        if below > 0.0 { above / below } else { 0.0 }
    }
}
