//! How much the line carries: congestion control for sound and pictures together.
//!
//! Pure: time is an argument. What goes in is when packets left here and when they came there (transport-wide feedback,
//! draft-holmer-rmcat-transport-wide-cc-extensions-01); what comes out is what may be sent. Four things are read off it:
//!
//! - [`delays`]: the queue that packets stand in, as the delay over its least; it is what has to stay small;
//! - [`trend`]: whether it grows, as in GCC (draft-ietf-rmcat-gcc-02);
//! - [`trains`]: what the line carries, from how the packets of one picture are spread when they come;
//! - [`arrivals`]: what came through, and what was lost.
//!
//! GCC climbs blindly and then backs off. Pictures are probes all the same, so here the way up is led by what they say,
//! and the way down by what comes through while the queue stands: it is the rate of the line, less what drains the queue.

mod arrivals;
mod delays;
pub(crate) mod history;
#[cfg(test)]
mod lines;
mod patience;
#[cfg(test)]
mod tests;
mod trains;
mod trend;

use std::time::{Duration, Instant};

use arrivals::Arrivals;
use delays::Delays;
use patience::Patience;
use trains::Trains;
use trend::Trend;

/// Bounds of what is given out, in bit/s.
pub(crate) const LEAST: f64 = 60_000.0;
pub(crate) const MOST: f64 = 8_000_000.0;
/// What is tried before anything is known.
pub(crate) const FIRST: f64 = 700_000.0;

/// A queue that is longer than this has to go, and one that is shorter is none; in seconds, without jitter.
const QUEUE: f64 = 0.045;
const NO_QUEUE: f64 = 0.018;
/// One that the last packets found is not that of their own picture alone.
const SUDDEN: f64 = 0.090;
/// How much of the jitter is added to these.
const JITTER: f64 = 1.7;
/// In which time a queue is to be drained, in seconds, and the share of the line's rate that is sent meanwhile, at least
/// and at most.
const DRAINED_IN: f64 = 0.35;
const DRAINING: (f64, f64) = (0.3, 0.8);
/// A queue that does not go for so long is not ours: somebody else keeps it full, or the path became longer.
const NOT_OURS: Duration = Duration::from_millis(2_500);
/// So much of what the line carries is used.
const USED: f64 = 0.9;
/// On the way up, so much more each time; and so long between two steps, for the encoder to follow.
const STEP: f64 = 1.5;
const STEP_EVERY: Duration = Duration::from_millis(150);
/// Pictures say that there is so much more: the way up is taken again.
const MORE: f64 = 1.2;
/// But not so soon after a queue: whoever else had a part in it sends little as well, and leaves room that is not there. For
/// the longer time steps are small.
const AFTER_QUEUE: Duration = Duration::from_millis(1_500);
const WARY: Duration = Duration::from_secs(8);
const WARY_STEP: f64 = 1.15;
/// Without a word of theirs, a step up is smaller, and more than so many times of what comes through is not asked for.
const BLIND_STEP: f64 = 1.25;
const BEYOND: f64 = 1.6;
/// The way up ends when nothing was gained for so long.
const NO_GAIN: Duration = Duration::from_millis(700);
/// Near what the line carries: so many bit/s more in a second, for a small flow as for a large one, so that two on one
/// line come to share it (D.-M. Chiu and R. Jain, "Analysis of the increase and decrease algorithms for congestion
/// avoidance in computer networks", 1989).
const CREEP: f64 = 90_000.0;
/// How long nothing may be wrong before a step up is tried though pictures say nothing; longer after one that failed.
const TRY_AFTER: Duration = Duration::from_millis(2_000);
const TRY_AFTER_MOST: Duration = Duration::from_secs(8);
/// Over which time what comes through is taken, in seconds: while a queue stands, and in calm.
const BRISK: f64 = 0.15;
const CALM: f64 = 0.5;
/// Losses above this share mean that less is to be sent, even where no queue is seen; but not less than what comes
/// through, times this: losses by chance must not bring the rate down to nothing.
const LOSSY: f64 = 0.1;
const LOSSY_MARGIN: f64 = 1.1;
const LOSSY_LEAST: f64 = 250_000.0;
const LOSSY_EVERY: Duration = Duration::from_millis(500);
/// Nothing was heard for so long of what was sent: less is sent, again and again.
const SILENCE: Duration = Duration::from_millis(600);
/// How much faster than the mean rate pictures leave; and while a queue drains.
const PACE: f64 = 2.2;
const DRAINING_PACE: f64 = 1.15;

/// What is known of one packet that left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) departure: Instant,
    /// When it came, by the other side's clock; `None`: it did not.
    pub(crate) arrival: Option<Duration>,
    /// With all headers, in bytes.
    pub(crate) size: usize,
    /// The picture that it belongs to, if it left paced as part of one.
    pub(crate) train: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// Upwards, step by step. `best` is what came through at most so far, and `gained` when that was.
    Up { stepped: Instant, best: f64, gained: Instant },
    /// A queue is drained; the line carries `capacity`.
    Drain { since: Instant, capacity: f64 },
    /// Near what the line carries.
    Hold { since: Instant },
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Estimator {
    target: f64,
    phase: Phase,
    delays: Delays,
    trend: Trend,
    trains: Trains,
    arrivals: Arrivals,
    patience: Patience,
    try_after: Duration,
    /// The way up that is on is a try.
    trying: bool,
    lossy_at: Option<Instant>,
    /// When a queue was gone last.
    drained: Option<Instant>,
    /// When something was heard last, or nothing was expected.
    heard: Option<Instant>,
    updated: Instant,
    /// Pictures were lost since the queue is drained, and whether that has been said.
    overran: Overran,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Overran {
    No,
    Lost,
    Said,
}

impl Estimator {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            target: FIRST,
            phase: Phase::Up { stepped: now, best: 0.0, gained: now },
            delays: Delays::default(),
            trend: Trend::default(),
            trains: Trains::default(),
            arrivals: Arrivals::default(),
            patience: Patience::default(),
            try_after: TRY_AFTER,
            trying: false,
            lossy_at: None,
            drained: None,
            heard: None,
            updated: now,
            overran: Overran::No,
        }
    }

    /// What may be sent, headers included, in bit/s.
    pub(crate) const fn target(&self) -> f64 {
        self.target
    }

    /// How fast pictures may leave, in bit/s. While a queue drains it is the encoder that makes less; what it made before, and
    /// the next pictures refer to, is not to be under way for long.
    pub(crate) fn pace(&self) -> f64 {
        match self.phase {
            Phase::Drain { capacity, .. } => capacity.max(self.target * DRAINING_PACE),
            Phase::Up { .. } | Phase::Hold { .. } => self.target * PACE,
        }
    }

    /// The queue that stands on the line.
    pub(crate) fn queue(&self) -> Duration {
        Duration::try_from_secs_f64(self.delays.queue()).unwrap_or_default()
    }

    /// How long nothing may be heard of a packet before pictures wait.
    pub(crate) fn patience(&self) -> Duration {
        self.patience.usual(JITTER * self.delays.jitter())
    }

    /// Whether pictures were lost because the queue ran over. Repair would have to go through the same queue: a keyframe
    /// at the rate that there is now is shown sooner. Said once for each queue.
    pub(crate) fn take_overrun(&mut self) -> bool {
        let lost = self.overran == Overran::Lost;
        if lost {
            self.overran = Overran::Said;
        }
        lost
    }

    /// Takes in what the other side said, in the order in which packets left.
    pub(crate) fn on_reports(&mut self, now: Instant, reports: &[Report]) {
        if reports.is_empty() {
            return;
        }
        self.heard = Some(now);
        if let Some(newest) =
            reports.iter().filter(|report| report.arrival.is_some()).map(|report| report.departure).max()
        {
            self.patience.note(now, newest);
        }
        for report in reports {
            let Some(arrival) = report.arrival else {
                self.arrivals.lost(now);
                self.trains.note(report);
                if report.train.is_some()
                    && self.overran == Overran::No
                    && matches!(self.phase, Phase::Drain { .. })
                {
                    self.overran = Overran::Lost;
                }
                continue;
            };
            if self.delays.note(report.departure, arrival) {
                self.arrivals.came(now, arrival, report.size);
                self.trend.note(report.departure, arrival);
                self.trains.note(report);
            } else {
                self.trend.begin_again();
                self.trains.begin_again();
            }
        }
        let elapsed = now.saturating_duration_since(self.updated).min(Duration::from_millis(500));
        self.updated = now;
        self.decide(now, elapsed);
        self.target = self.target.clamp(LEAST, MOST);
    }

    /// Looks whether nothing is heard any more; to be called from time to time, with whether anything was sent lately.
    pub(crate) fn look(&mut self, now: Instant, sending: bool) {
        let Some(heard) = self.heard else { return };
        if !sending {
            self.heard = Some(now);
        } else if now.saturating_duration_since(heard) >= SILENCE {
            self.target = (self.target * 0.5).max(LEAST);
            self.heard = Some(now);
            self.phase = Phase::Up { stepped: now, best: 0.0, gained: now };
            self.trains.begin_again();
        }
    }

    fn decide(&mut self, now: Instant, elapsed: Duration) {
        let queue = self.delays.queue();
        let chance = JITTER * self.delays.jitter();
        let (long, short) = (QUEUE + chance, NO_QUEUE + chance);
        let latest = self.delays.latest();
        let over = queue > long || latest > SUDDEN + chance || self.trend.grows() && queue > short;
        let queue = if over { queue.max(latest) } else { queue };
        match self.phase {
            Phase::Drain { since, capacity } => self.drain(now, since, capacity, queue, short),
            Phase::Up { .. } | Phase::Hold { .. } if over => {
                let through = self.arrivals.rate(BRISK).or_else(|| self.arrivals.rate(CALM));
                let capacity = through.unwrap_or(self.target * USED);
                if self.trying {
                    self.try_after = (self.try_after * 2).min(TRY_AFTER_MOST);
                    self.trying = false;
                }
                self.phase = Phase::Drain { since: now, capacity };
                self.overran = Overran::No;
                self.target = self.target.min(capacity * draining(queue));
                self.trend.begin_again();
                self.trains.begin_again();
            }
            Phase::Up { stepped, best, gained } => {
                if !self.lose(now) && queue <= short {
                    self.climb(now, stepped, best, gained);
                }
            }
            Phase::Hold { since } => {
                if self.lose(now) || queue > short {
                    self.phase = Phase::Hold { since: (since + elapsed).min(now) };
                } else {
                    self.creep(now, since, elapsed);
                }
            }
        }
    }

    fn drain(&mut self, now: Instant, since: Instant, capacity: f64, queue: f64, short: f64) {
        if queue <= short {
            self.target = self.target.max(capacity * USED);
            self.phase = Phase::Hold { since: now };
            self.drained = Some(now);
            self.trains.begin_again();
        } else if now.saturating_duration_since(since) > NOT_OURS {
            self.delays.begin_again();
            self.target = self.target.max(capacity * USED);
            self.phase = Phase::Hold { since: now };
        } else {
            // While a queue stands, what comes through is what the line carries.
            let capacity = self.arrivals.rate(BRISK).map_or(capacity, |through| through.min(2.0 * capacity));
            self.target = self.target.min(capacity * draining(queue));
            self.phase = Phase::Drain { since, capacity };
        }
    }

    fn climb(&mut self, now: Instant, stepped: Instant, best: f64, gained: Instant) {
        let through = self.arrivals.rate(CALM).unwrap_or(0.0);
        let (best, gained) = if through > best * 1.05 { (through, now) } else { (best, gained) };
        if self.trying && through > self.target / BLIND_STEP {
            (self.trying, self.try_after) = (false, TRY_AFTER);
        }
        self.phase = Phase::Up { stepped, best, gained };
        if now.saturating_duration_since(stepped) < STEP_EVERY {
            return;
        }
        let step = if self.is_drained_within(now, WARY) { WARY_STEP } else { STEP };
        let next = match self.trains.at_least(now) {
            Some(carries) if carries * USED > self.target => (self.target * step).min(carries * USED),
            _ if self.trains.at_most(now).is_some() => self.target,
            _ => (self.target * BLIND_STEP).min((through * BEYOND).max(FIRST)),
        };
        if next > self.target * 1.02 {
            self.target = next;
            self.phase = Phase::Up { stepped: now, best, gained };
        } else if now.saturating_duration_since(gained.max(stepped)) >= NO_GAIN {
            self.phase = Phase::Hold { since: now };
            self.trying = false;
        }
    }

    fn creep(&mut self, now: Instant, since: Instant, elapsed: Duration) {
        let at_least = self.trains.at_least(now).unwrap_or(0.0);
        if at_least * USED > self.target * MORE && !self.is_drained_within(now, AFTER_QUEUE) {
            self.phase = Phase::Up { stepped: now - STEP_EVERY.min(elapsed), best: 0.0, gained: now };
            return;
        }
        let through = self.arrivals.rate(CALM).unwrap_or(0.0);
        let at_most = self.trains.at_most(now);
        let most = at_most.map_or(f64::INFINITY, |carries| carries * USED);
        let most = most.min((through * BEYOND).max(FIRST));
        let grown = self.target + CREEP * elapsed.as_secs_f64();
        self.target = self.target.max(grown.min(most));
        let fills = through > 0.7 * self.target;
        if at_most.is_none() && fills && now.saturating_duration_since(since) >= self.try_after {
            self.trying = true;
            self.target *= BLIND_STEP;
            self.phase = Phase::Up { stepped: now, best: through, gained: now };
        }
    }

    fn is_drained_within(&self, now: Instant, span: Duration) -> bool {
        self.drained.is_some_and(|at| now.saturating_duration_since(at) < span)
    }

    /// Sends less if much is lost. Says whether much is.
    fn lose(&mut self, now: Instant) -> bool {
        if self.arrivals.loss() <= LOSSY {
            return false;
        }
        if self.lossy_at.is_none_or(|at| now.saturating_duration_since(at) >= LOSSY_EVERY) {
            self.lossy_at = Some(now);
            let through = self.arrivals.rate(CALM).unwrap_or(self.target);
            self.target = self.target.min((through * LOSSY_MARGIN).max(LOSSY_LEAST));
        }
        true
    }
}

/// The share of the line's rate at which a queue of so many seconds is gone in time.
fn draining(queue: f64) -> f64 {
    (1.0 - queue / DRAINED_IN).clamp(DRAINING.0, DRAINING.1)
}
