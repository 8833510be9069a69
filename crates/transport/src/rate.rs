//! How much the line carries: congestion control for pictures.
//!
//! Pure: time is an argument. What goes in is when packets left here and when they came there (transport-wide feedback,
//! draft-holmer-rmcat-transport-wide-cc-extensions-01); what comes out is what may be sent. The ideas are those of Google
//! Congestion Control (draft-ietf-rmcat-gcc-02; G. Carlucci, L. De Cicco, S. Holmer and S. Mascolo, "Analysis and design of
//! the Google congestion control for web real-time communication", 2016): the trend of the one-way delay tells that a queue
//! builds up before anything is lost. Beside it, the delay over its least of the last seconds tells how long the queue is,
//! so that it can be drained; and the way up is a search: fast while nothing is known or after things have changed, and now
//! and then a short try for more.

mod arrivals;
mod trend;

use std::time::{Duration, Instant};

use arrivals::Arrivals;
use trend::{Trend, Usage};

/// Bounds of what is given out, in bit/s. Below the least the camera is off anyway; more than the most no picture needs.
pub(crate) const LEAST: f64 = 50_000.0;
pub(crate) const MOST: f64 = 2_600_000.0;
/// What is tried before anything is known.
pub(crate) const FIRST: f64 = 600_000.0;

/// After a queue was found, so much of what came through is sent; while it is long, so little that it drains.
const BACK_OFF: f64 = 0.85;
const DRAIN: f64 = 0.35;
/// A queue that is longer has to be drained. Shorter than the other, it is as good as empty.
pub(crate) const LONG: Duration = Duration::from_millis(80);
const EMPTY: Duration = Duration::from_millis(30);
/// What is suspect during a try.
const SUSPECT: Duration = Duration::from_millis(45);
/// The fast way up: so much more each time while nothing was ever found; later so many bit/s.
const SEARCH: f64 = 1.3;
const STEP: f64 = 150_000.0;
const SEARCH_EVERY: Duration = Duration::from_millis(250);
/// The slow way up, near what the line was found to carry: so many bit/s more in a second. The same for a small flow as for a
/// large one, so that two on one line come to share it (D.-M. Chiu and R. Jain, "Analysis of the increase and decrease
/// algorithms for congestion avoidance in computer networks", 1989).
const CREEP: f64 = 40_000.0;
/// How long nothing may be wrong before more is tried; longer after tries that failed, up to the other.
const TRY_AFTER: Duration = Duration::from_millis(1_500);
const TRY_AFTER_MOST: Duration = Duration::from_millis(5_000);
/// A flow of that rate, in bit/s, waits as long as that; smaller ones shorter, larger ones longer.
const ENOUGH: f64 = 1_000_000.0;
/// A try asks for so many bit/s more, and grows from there if it works.
const TRY: f64 = 120_000.0;
/// More than what comes through times this is not asked for: an encoder that sends less says nothing about the line.
const BEYOND: f64 = 1.5;
/// A queue that is not drained after so long has less to drain into than was thought.
const LASTS: Duration = Duration::from_millis(800);
/// Above this share of losses less is sent; below the other they don't matter.
const LOSSY: f64 = 0.1;
const LOSSLESS: f64 = 0.04;
/// Losses alone bring it no further down: where less does not help, they are not ours.
const LOSS_LEAST: f64 = 200_000.0;
/// Between two reductions for losses.
const LOSS_EVERY: Duration = Duration::from_millis(500);
/// Nothing was heard of what was sent for so long: less is sent, again and again.
const SILENCE: Duration = Duration::from_millis(700);

/// What is known of one packet that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Report {
    /// When it left.
    pub(crate) departure: Instant,
    /// When it came, by the other side's clock; `None`: it did not.
    pub(crate) arrival: Option<Duration>,
    /// In bytes.
    pub(crate) size: usize,
}

/// Where the search stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// Fast, upwards, since the last step.
    Search { step: Instant },
    /// A queue was found. Nothing more until it is gone.
    Drain {
        since: Instant,
        /// What came through when it was found, in bit/s: what the line carries.
        carries: f64,
    },
    /// Near what the line carries, since then without a fault.
    Hold { since: Instant },
}

/// Estimates what may be sent.
#[derive(Debug)]
pub(crate) struct Estimator {
    target: f64,
    phase: Phase,
    trend: Trend,
    arrivals: Arrivals,
    /// How long to wait for the next try, and whether the search that is on is one.
    try_after: Duration,
    trying: Option<f64>,
    /// A queue was found once.
    found: bool,
    lost_at: Option<Instant>,
    heard: Option<Instant>,
    updated: Instant,
}

impl Estimator {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            target: FIRST,
            phase: Phase::Search { step: now },
            trend: Trend::new(),
            arrivals: Arrivals::new(),
            try_after: TRY_AFTER,
            trying: None,
            found: false,
            lost_at: None,
            heard: None,
            updated: now,
        }
    }

    /// What may be sent, in bit/s, with headers of RTP.
    pub(crate) const fn target(&self) -> f64 {
        self.target
    }

    /// How much longer packets take than they would without a queue.
    pub(crate) fn queue(&self) -> Duration {
        self.arrivals.queue()
    }

    /// Takes in what the other side said. Reports of packets that were reported before change nothing much; what claims
    /// to have come before it left, or hours later, is not believed.
    pub(crate) fn on_reports(&mut self, now: Instant, reports: &[Report]) {
        if reports.is_empty() {
            return;
        }
        self.heard = Some(now);
        let mut usage = Usage::Normal;
        for report in reports {
            if !self.arrivals.note(report, now) {
                continue;
            }
            if let Some(found) = report.arrival.and_then(|arrival| self.trend.note(report.departure, arrival))
            {
                usage = usage.max(found);
            }
        }
        let elapsed = now.saturating_duration_since(self.updated).min(Duration::from_secs(1));
        self.updated = now;
        self.decide(now, elapsed, usage);
        self.target = self.target.clamp(LEAST, MOST);
    }

    /// Looks whether nothing is heard any more. To be called from time to time.
    pub(crate) fn look(&mut self, now: Instant, sending: bool) {
        let Some(heard) = self.heard else { return };
        if sending && now.saturating_duration_since(heard) >= SILENCE {
            self.target = (self.target * 0.5).max(LEAST);
            self.heard = Some(now);
            self.phase = Phase::Hold { since: now };
        } else if !sending {
            self.heard = Some(now);
        }
    }

    fn decide(&mut self, now: Instant, elapsed: Duration, usage: Usage) {
        let through = self.arrivals.rate();
        let queue = self.arrivals.queue();
        let most = match self.phase {
            // A try that makes a queue has told what it was for.
            Phase::Search { .. } if self.found => SUSPECT,
            Phase::Search { .. } | Phase::Hold { .. } => LONG,
            Phase::Drain { .. } => Duration::MAX,
        };
        if usage == Usage::Over && queue > EMPTY || queue > most {
            self.back_off(now, through, queue);
            return;
        }
        // A queue that runs over loses packets; it is being drained.
        if !matches!(self.phase, Phase::Drain { .. }) {
            self.lose(now);
        }
        let most = through.map_or(f64::INFINITY, |through| (through * BEYOND).max(FIRST));
        match self.phase {
            Phase::Drain { since, carries } => {
                let share = if queue > LONG { DRAIN } else { BACK_OFF };
                self.target = carries * share;
                if queue < EMPTY {
                    self.phase = Phase::Hold { since: now };
                } else if now.saturating_duration_since(since) > LASTS {
                    // It was less than that. What comes through now may be all that is sent.
                    let carries = carries * BACK_OFF;
                    self.phase = Phase::Drain { since: now, carries };
                }
            }
            Phase::Search { step } => {
                if now.saturating_duration_since(step) >= SEARCH_EVERY && queue < EMPTY {
                    // One that was started by a try has worked.
                    if self
                        .trying
                        .is_some_and(|before| through.is_some_and(|through| through > before * 1.05))
                    {
                        (self.trying, self.try_after) = (None, TRY_AFTER);
                    }
                    let more = if self.found { self.target + STEP } else { self.target * SEARCH };
                    let next = more.min(most);
                    if next > self.target {
                        self.target = next;
                    } else if self.trying.is_some() {
                        self.phase = Phase::Hold { since: now };
                        self.trying = None;
                        return;
                    }
                    self.phase = Phase::Search { step: now };
                }
            }
            Phase::Hold { since } => {
                if self.arrivals.loss() < LOSSLESS && queue < EMPTY {
                    let grown = self.target + CREEP * elapsed.as_secs_f64();
                    self.target = self.target.max(grown.min(most));
                    if now.saturating_duration_since(since) >= self.patience() && self.fills(through) {
                        self.trying = Some(through.unwrap_or(self.target));
                        self.target += TRY;
                        self.phase = Phase::Search { step: now };
                    }
                } else {
                    self.phase = Phase::Hold { since: since + elapsed / 2 };
                }
            }
        }
    }

    /// Who has much waits longer before it tries for more: so flows on one line come to share it sooner.
    fn patience(&self) -> Duration {
        self.try_after.mul_f64((self.target / ENOUGH).clamp(0.5, 2.5))
    }

    /// The encoder sends about what it may: only then more says anything.
    fn fills(&self, through: Option<f64>) -> bool {
        through.is_some_and(|through| through > 0.7 * self.target)
    }

    fn back_off(&mut self, now: Instant, through: Option<f64>, queue: Duration) {
        let share = if queue > LONG { DRAIN } else { BACK_OFF };
        let carries = through.map_or(self.target, |through| through.min(self.target / BACK_OFF));
        self.target = self.target.min(carries * share);
        if self.trying.take().is_some() {
            self.try_after = (self.try_after * 2).min(TRY_AFTER_MOST);
        }
        self.found = true;
        self.phase = Phase::Drain { since: now, carries };
        self.trend.begin_again();
    }

    fn lose(&mut self, now: Instant) {
        let loss = self.arrivals.loss();
        let due = self.lost_at.is_none_or(|at| now.saturating_duration_since(at) >= LOSS_EVERY);
        if loss > LOSSY && due {
            self.target = self.target.min((self.target * (1.0 - 0.5 * loss)).max(LOSS_LEAST));
            self.lost_at = Some(now);
            self.phase = Phase::Hold { since: now };
        }
    }
}

#[cfg(test)]
mod tests;
