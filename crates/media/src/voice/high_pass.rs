//! What lies below a voice: rumble, and the offset of a cheap microphone.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

use crate::{Frame, SAMPLE_RATE};

/// Half the power is left here, in Hz; 12 dB less for each octave below.
const CORNER: f64 = 100.0;

/// A Butterworth high-pass of the second order (R. Bristow-Johnson, "Cookbook formulae for audio equalizer biquad filter
/// coefficients", with Q = 1/√2), in transposed direct form II.
#[derive(Debug)]
pub(super) struct HighPass {
    /// Of the input: b, −2b, b.
    b: f32,
    a: [f32; 2],
    state: [f32; 2],
}

impl HighPass {
    pub(super) fn new() -> Self {
        let (sin, cos) = (TAU * CORNER / f64::from(SAMPLE_RATE)).sin_cos();
        let alpha = sin * FRAC_1_SQRT_2;
        let whole = 1.0 + alpha;
        Self {
            b: ((1.0 + cos) / 2.0 / whole) as f32,
            a: [(-2.0 * cos / whole) as f32, ((1.0 - alpha) / whole) as f32],
            state: [0.0; 2],
        }
    }

    /// Filters 10 ms in place.
    pub(super) fn process(&mut self, frame: &mut Frame) {
        let ([a1, a2], [mut first, mut second]) = (self.a, self.state);
        for sample in frame.iter_mut() {
            let input = self.b * *sample;
            let output = input + first;
            first = second - 2.0 * input - a1 * output;
            second = input - a2 * output;
            *sample = output;
        }
        // What has died away is nothing: numbers close to none are slow.
        self.state = [first, second].map(|state| if state.abs() < 1e-20 { 0.0 } else { state });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of a tone is left, in dB.
    fn left(hertz: f64) -> f64 {
        let mut filter = HighPass::new();
        let (mut before, mut after) = (0.0, 0.0);
        for number in 0..200 {
            let tone = |n| (TAU * hertz * f64::from(number * 480 + n) / 48_000.0).sin() as f32;
            let mut frame: Frame = std::array::from_fn(|n| tone(n as i32));
            let power = |frame: &Frame| frame.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
            if number < 100 {
                filter.process(&mut frame);
                continue;
            }
            before += power(&frame);
            filter.process(&mut frame);
            after += power(&frame);
        }
        10.0 * (after / before).log10()
    }

    #[test]
    fn rumble_goes_and_a_voice_stays() {
        assert!((left(100.0) + 3.01).abs() < 0.05, "{}", left(100.0));
        assert!((left(50.0) + 12.3).abs() < 0.3, "{}", left(50.0));
        assert!(left(25.0) < -23.0 && left(300.0) > -0.1 && left(8_000.0).abs() < 0.01);
    }

    #[test]
    fn an_offset_is_gone_after_a_moment() {
        let mut filter = HighPass::new();
        let mut frame = [0.5; crate::FRAME_SAMPLES];
        for _ in 0..10 {
            frame = [0.5; crate::FRAME_SAMPLES];
            filter.process(&mut frame);
        }
        assert!(frame.iter().all(|sample| sample.abs() < 1e-4));
    }
}
