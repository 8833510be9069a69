//! Several sounds at once.

use crate::{FRAME_SAMPLES, Frame};

/// Above this the sum is bent instead of cut: 1 dB below full scale.
const KNEE: f32 = 0.89;

/// A gain that changes over 10 ms, so that no change clicks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gain {
    now: f32,
}

impl Gain {
    /// A gain that starts at `gain`; 1.0 leaves the sound as it is.
    pub const fn new(gain: f32) -> Self {
        Self { now: gain }
    }

    /// The gain that the last frame ended with.
    pub const fn now(self) -> f32 {
        self.now
    }

    /// Adds `sound` to `sum`, with a gain that moves from the last one to `target`.
    pub fn add(&mut self, sum: &mut Frame, sound: &Frame, target: f32) {
        let (from, step) = (self.now, (target - self.now) / FRAME_SAMPLES as f32);
        self.now = target;
        for (index, (sum, sample)) in sum.iter_mut().zip(sound).enumerate() {
            *sum += sample * (from + step * index as f32);
        }
    }
}

/// Bends what would go beyond full scale: up to 1 dB below it nothing changes, beyond it nears ±1 and never gets there.
/// No memory, no delay. What is no number becomes silence.
pub fn limit(frame: &mut Frame) {
    for sample in frame {
        let size = sample.abs();
        if size > KNEE {
            let over = (size - KNEE) / (1.0 - KNEE);
            *sample = sample.signum() * (KNEE + (1.0 - KNEE) * over / (1.0 + over));
        } else if size.is_nan() {
            *sample = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_gain_is_spread_over_the_frame() {
        let mut gain = Gain::new(0.0);
        let mut sum = [0.0; FRAME_SAMPLES];
        gain.add(&mut sum, &[0.5; FRAME_SAMPLES], 1.0);
        let steepest = sum.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(steepest < 0.002, "{steepest}");
        let mut next = [0.1; FRAME_SAMPLES];
        gain.add(&mut next, &[0.5; FRAME_SAMPLES], 1.0);
        assert!(next.iter().all(|sample| (sample - 0.6).abs() < 1e-6));
    }

    #[test]
    fn loud_sums_are_bent_and_never_reach_full_scale() {
        let mut frame: Frame = std::array::from_fn(|n| (n as f32 - 240.0) / 20.0);
        frame[0] = f32::NAN;
        frame[1] = f32::INFINITY;
        let before = frame;
        limit(&mut frame);
        assert!(frame.iter().all(|sample| sample.abs() <= 1.0 || sample.is_nan()), "{frame:?}");
        assert!(frame[2..].windows(2).all(|pair| pair[0] <= pair[1]), "the order stays");
        for (sample, was) in frame.iter().zip(before).filter(|(_, was)| was.abs() <= KNEE) {
            assert_eq!(*sample, was);
        }
    }
}
