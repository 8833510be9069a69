//! What a line did.

use std::time::Duration;

use crate::units::BitRate;

/// How much time one [`Bin`] covers.
pub const BIN: Duration = Duration::from_millis(100);

/// Bins kept: five and a half hours. What comes later counts in the totals alone.
const MOST_BINS: usize = 200_000;

/// What a line did since it started. Packets and bytes are those of the packets themselves, without any header below.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Statistics {
    /// Packets put in.
    pub sent: u64,
    /// Bytes put in.
    pub sent_bytes: u64,
    /// Packets lost by chance.
    pub lost: u64,
    /// Packets dropped because the queue was full.
    pub full: u64,
    /// Packets dropped because the line was cut.
    pub cut: u64,
    /// Copies made.
    pub copied: u64,
    /// Packets that came out, copies among them.
    pub delivered: u64,
    /// Bytes that came out.
    pub delivered_bytes: u64,
    /// Packets that came out after one that was sent later.
    pub overtaken: u64,
    /// From in to out: queue, bits, delay and jitter.
    pub delay: DelayHistogram,
    /// In front of the bottleneck alone.
    pub wait: DelayHistogram,
    /// In time, from the start; bin `i` covers `i · BIN` to `(i + 1) · BIN`.
    pub bins: Vec<Bin>,
}

/// One [`BIN`] of a line's time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bin {
    /// Bytes put in.
    pub offered_bytes: u64,
    /// Bytes that passed the bottleneck.
    pub carried_bytes: u64,
    /// Packets lost by chance.
    pub lost: u64,
    /// Packets dropped because the queue was full, or the line cut.
    pub dropped: u64,
    /// The longest a packet that began to pass the bottleneck had waited for it.
    pub worst_wait: Duration,
    /// The bottleneck's rate at the end of the bin.
    pub capacity: Option<BitRate>,
}

impl Statistics {
    /// The share lost by chance of what was not dropped otherwise; 0 if nothing was sent.
    pub fn loss_share(&self) -> f64 {
        let met_chance = self.sent.saturating_sub(self.cut);
        if met_chance == 0 { 0.0 } else { self.lost as f64 / met_chance as f64 }
    }

    /// What passed the bottleneck between two moments, over what could have; `None` without a rate. Whole bins.
    pub fn used(&self, from: Duration, until: Duration) -> Option<f64> {
        let bins = self.bins.get(index(from)..index(until).min(self.bins.len()))?;
        let capacity: f64 = bins
            .iter()
            .map(|bin| bin.capacity.map(|rate| rate.bits() as f64 * BIN.as_secs_f64()))
            .sum::<Option<f64>>()?;
        let carried: u64 = bins.iter().map(|bin| bin.carried_bytes).sum();
        (capacity > 0.0).then(|| carried as f64 * 8.0 / capacity)
    }

    /// The bin of this moment. Bins in between, in which nothing happened, get the same capacity.
    pub(crate) fn bin(&mut self, since_start: Duration, capacity: Option<BitRate>) -> Option<&mut Bin> {
        let index = index(since_start);
        if index >= MOST_BINS {
            return None;
        }
        if index >= self.bins.len() {
            self.bins.resize(index + 1, Bin { capacity, ..Bin::default() });
        }
        let bin = self.bins.get_mut(index)?;
        bin.capacity = capacity;
        Some(bin)
    }
}

fn index(since_start: Duration) -> usize {
    usize::try_from(since_start.as_millis() / BIN.as_millis()).unwrap_or(usize::MAX)
}

/// How often which delay was seen, in steps of 0.1 ms up to 10 s.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DelayHistogram {
    /// How many fell into each step; as long as the longest delay needs.
    steps: Vec<u32>,
    count: u64,
    total: Duration,
    longest: Duration,
}

impl DelayHistogram {
    /// The width of a step.
    pub const STEP: Duration = Duration::from_micros(100);
    const MOST_STEPS: usize = 100_000;

    /// Counts one more.
    pub fn add(&mut self, delay: Duration) {
        let step = usize::try_from(delay.as_micros() / Self::STEP.as_micros()).unwrap_or(usize::MAX);
        let step = step.min(Self::MOST_STEPS - 1);
        if step >= self.steps.len() {
            self.steps.resize(step + 1, 0);
        }
        if let Some(count) = self.steps.get_mut(step) {
            *count = count.saturating_add(1);
        }
        self.count += 1;
        self.total = self.total.saturating_add(delay);
        self.longest = self.longest.max(delay);
    }

    /// Counts what another one counted.
    pub fn merge(&mut self, other: &Self) {
        if other.steps.len() > self.steps.len() {
            self.steps.resize(other.steps.len(), 0);
        }
        for (count, more) in self.steps.iter_mut().zip(&other.steps) {
            *count = count.saturating_add(*more);
        }
        self.count += other.count;
        self.total = self.total.saturating_add(other.total);
        self.longest = self.longest.max(other.longest);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean.
    pub fn mean(&self) -> Option<Duration> {
        (self.count > 0).then(|| Duration::from_secs_f64(self.total.as_secs_f64() / self.count as f64))
    }

    /// The longest.
    pub fn longest(&self) -> Option<Duration> {
        (self.count > 0).then_some(self.longest)
    }

    /// The delay that `percent` of all stayed within, to the end of its step.
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        let wanted = (self.count as f64 * percent.clamp(0.0, 100.0) / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (step, count) in (1_u32..).zip(&self.steps) {
            seen += u64::from(*count);
            if seen >= wanted {
                return Some((Self::STEP * step).min(self.longest));
            }
        }
        self.longest()
    }

    /// Each step that was seen: where it starts, and how often.
    pub fn steps(&self) -> impl Iterator<Item = (Duration, u32)> {
        (0_u32..)
            .zip(&self.steps)
            .filter(|(_, count)| **count > 0)
            .map(|(step, count)| (Self::STEP * step, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_delay_that_so_many_stayed_within() {
        let mut delays = DelayHistogram::default();
        assert_eq!(delays.percentile(50.0), None);
        for millis in 1..=100 {
            delays.add(Duration::from_millis(millis));
        }
        assert_eq!(delays.percentile(50.0), Some(Duration::from_micros(50_100)));
        assert_eq!(delays.percentile(95.0), Some(Duration::from_micros(95_100)));
        assert_eq!(delays.percentile(100.0), Some(Duration::from_millis(100)));
        assert_eq!(delays.mean(), Some(Duration::from_micros(50_500)));
        assert_eq!(delays.longest(), Some(Duration::from_millis(100)));
        assert_eq!(delays.steps().count(), 100);
    }

    #[test]
    fn a_delay_beyond_all_steps_is_counted_in_the_last() {
        let mut delays = DelayHistogram::default();
        delays.add(Duration::from_secs(1000));
        assert_eq!(delays.count(), 1);
        assert_eq!(delays.longest(), Some(Duration::from_secs(1000)));
    }

    #[test]
    fn bins_without_events_know_the_capacity_and_the_memory_is_bounded() {
        let mut statistics = Statistics::default();
        let rate = BitRate::new(1_000_000);
        statistics.bin(Duration::from_millis(950), rate).unwrap().carried_bytes = 62_500;
        assert_eq!(statistics.bins.len(), 10);
        assert_eq!(statistics.used(Duration::ZERO, Duration::from_secs(1)), Some(0.5));
        assert_eq!(statistics.bin(Duration::from_secs(1_000_000), rate), None);
    }
}
