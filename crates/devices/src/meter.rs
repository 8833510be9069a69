//! How loud it is, without a lock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// How loud it was, linear: 1.0 is full scale.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// The largest sample, without its sign.
    pub peak: f32,
    /// The root of the mean square.
    pub rms: f32,
}

/// Squares are summed as whole numbers, so that adding is one atomic step: 2⁻³⁰ each.
const SQUARE: f32 = (1u32 << 30) as f32;

/// Accumulates levels between two looks. Written by a callback, read by anyone; a look that falls into a callback
/// may count it half, which no eye sees.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Bits of a float: of floats that are not negative, the larger has the larger bits.
    peak: AtomicU32,
    squares: AtomicU64,
    count: AtomicU64,
}

/// What one callback adds up before it touches the atomics.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    peak: f32,
    squares: f32,
    count: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, sample: f32) {
        // `max` leaves out what is not a number.
        self.peak = self.peak.max(sample.abs());
        self.squares += sample * sample;
        self.count += 1;
    }
}

impl Meter {
    pub(crate) fn add(&self, tally: Tally) {
        self.peak.fetch_max(tally.peak.min(64.0).to_bits(), Relaxed);
        // A float that is not a number becomes 0, one that is too large the largest.
        self.squares.fetch_add((tally.squares.min(65_536.0) * SQUARE) as u64, Relaxed);
        self.count.fetch_add(tally.count, Relaxed);
    }

    /// The level since the look before.
    pub(crate) fn look(&self) -> Level {
        let peak = f32::from_bits(self.peak.swap(0, Relaxed));
        let squares = self.squares.swap(0, Relaxed);
        let count = self.count.swap(0, Relaxed);
        let rms = if count == 0 { 0.0 } else { (squares as f32 / SQUARE / count as f32).sqrt() };
        Level { peak, rms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_tells_peak_and_rms_since_the_look_before() {
        let meter = Meter::default();
        let mut tally = Tally::default();
        [0.5, -0.5, 0.5, -0.5].into_iter().for_each(|sample| tally.add(sample));
        meter.add(tally);
        let level = meter.look();
        assert!((level.peak - 0.5).abs() < 1e-6 && (level.rms - 0.5).abs() < 1e-4, "{level:?}");
        assert_eq!(meter.look(), Level::default());
    }

    #[test]
    fn samples_that_are_no_numbers_do_no_harm() {
        let meter = Meter::default();
        let mut tally = Tally::default();
        [f32::NAN, f32::INFINITY, 0.1].into_iter().for_each(|sample| tally.add(sample));
        meter.add(tally);
        let level = meter.look();
        assert!(level.peak.is_finite() && level.rms.is_finite(), "{level:?}");
    }
}
