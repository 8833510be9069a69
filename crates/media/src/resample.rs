//! Another sample rate: what a device or a recording has where it is not ours, and the little that clocks differ.
//!
//! At [`SAMPLE_RATE`] there is only drift to correct, and a septic polynomial does it: it has no filter against aliases,
//! and at ratios this close to 1 needs none. `rubato`'s `Slip`, which moves a sample at a time
//! within a blend, is cheaper still, and heard: ten slips a second at 200 ppm. Other rates go through a windowed sinc of
//! 128 points, which corrects drift by the way.

use std::time::Duration;

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{
    Adjustable, Async, FixedAsync, PolynomialDegree, Resampler, SincInterpolationParameters, WindowFunction,
};

use crate::{FRAME_SAMPLES, SAMPLE_RATE};

/// The most that a clock is corrected: 1,000 ppm, under 2 cents of pitch. No crystal is that far off.
pub const MOST: f64 = 1e-3;

/// Which way the sound goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From us to another rate: takes whole frames.
    Playback,
    /// From another rate to us: gives whole frames.
    Capture,
}

/// Points of the sinc.
const SINC: usize = 128;
/// Rates a device may have.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=384_000;

/// Why sound could not be brought to another rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResampleError {
    /// No device has that rate.
    #[error("{0} samples a second are more or fewer than any device has")]
    Rate(u32),
    /// There are fewer samples, or less room, than asked for.
    #[error("fewer samples, or less room for them, than asked for")]
    Length,
}

/// Between the app's frames and another rate. Takes its memory when it is made.
pub struct EdgeResampler {
    inner: Async<f32>,
    nominal: f64,
    device_rate: u32,
    direction: Direction,
}

impl EdgeResampler {
    /// For a device of `device_rate` samples a second.
    ///
    /// Playback takes a [`Frame`](crate::Frame) and gives as many samples as it makes; capture takes as many samples as it
    /// needs and gives a frame.
    ///
    /// # Errors
    /// When no device has that rate.
    pub fn new(direction: Direction, device_rate: u32) -> Result<Self, ResampleError> {
        if !RATES.contains(&device_rate) {
            return Err(ResampleError::Rate(device_rate));
        }
        let device = f64::from(device_rate) / f64::from(SAMPLE_RATE);
        let (nominal, fixed) = match direction {
            Direction::Playback => (device, FixedAsync::Input),
            Direction::Capture => (1.0 / device, FixedAsync::Output),
        };
        let range = 1.0 + 2.0 * MOST;
        let inner = if device_rate == SAMPLE_RATE {
            Async::new_poly(nominal, range, PolynomialDegree::Septic, FRAME_SAMPLES, 1, fixed)
        } else {
            let sinc = SincInterpolationParameters::new(SINC, WindowFunction::BlackmanHarris2);
            Async::new_sinc(nominal, range, &sinc, FRAME_SAMPLES, 1, fixed)
        };
        let inner = inner.map_err(|_| ResampleError::Rate(device_rate))?;
        Ok(Self { inner, nominal, device_rate, direction })
    }

    /// Sets how many samples come out for a sample in, over the nominal ratio: 1.0 ± [`MOST`]. Reached within the next
    /// frame, without a step.
    pub fn correct(&mut self, ratio: f64) {
        let ratio = if ratio.is_finite() { ratio.clamp(1.0 - MOST, 1.0 + MOST) } else { 1.0 };
        // Within the range it was made for, so it can't fail; and if it did, the old ratio would do.
        let _ = self.inner.set_resample_ratio(self.nominal * ratio, true);
    }

    /// How many samples the next [`process`](Self::process) takes.
    pub fn takes(&self) -> usize {
        self.inner.input_frames_next()
    }

    /// How many samples it takes at most.
    pub fn takes_at_most(&self) -> usize {
        self.inner.input_frames_max()
    }

    /// How many samples the next [`process`](Self::process) gives.
    pub fn gives(&self) -> usize {
        self.inner.output_frames_next()
    }

    /// How many samples it gives at most.
    pub fn gives_at_most(&self) -> usize {
        self.inner.output_frames_max()
    }

    /// By how much the sound comes later.
    pub fn delay(&self) -> Duration {
        let rate = match self.direction {
            Direction::Playback => self.device_rate,
            Direction::Capture => SAMPLE_RATE,
        };
        Duration::from_secs_f64(self.inner.output_delay() as f64 / f64::from(rate))
    }

    /// Resamples [`takes`](Self::takes) samples and says how many came out.
    ///
    /// # Errors
    /// When `input` is shorter than that, or `output` shorter than [`gives`](Self::gives).
    pub fn process(&mut self, input: &[f32], output: &mut [f32]) -> Result<usize, ResampleError> {
        let (frames_in, frames_out) = (input.len(), output.len());
        let input = SequentialSlice::new(input, 1, frames_in).map_err(|_| ResampleError::Length)?;
        let mut output =
            SequentialSlice::new_mut(output, 1, frames_out).map_err(|_| ResampleError::Length)?;
        self.inner
            .process_into_buffer(&input, &mut output, None)
            .map(|(_, written)| written)
            .map_err(|_| ResampleError::Length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// Runs a tone through and gives what came out.
    fn through(resampler: &mut EdgeResampler, hertz: f64, rate: u32, seconds: f64) -> Vec<f32> {
        let tone = |n: usize| (0.5 * (TAU * hertz * n as f64 / f64::from(rate)).sin()) as f32;
        let (mut taken, mut heard) = (0, Vec::new());
        while (taken as f64) < seconds * f64::from(rate) {
            let input: Vec<f32> = (taken..taken + resampler.takes()).map(tone).collect();
            taken += input.len();
            let mut output = vec![0.0; resampler.gives_at_most()];
            let written = resampler.process(&input, &mut output).unwrap();
            heard.extend_from_slice(&output[..written]);
        }
        heard
    }

    /// How far under the tone lies all that is not it, in decibels: by fitting sine and cosine and taking them away.
    fn purity(sound: &[f32], hertz: f64, rate: f64) -> f64 {
        let sound = &sound[4_800..];
        let (mut sine, mut cosine, mut all) = (0.0, 0.0, 0.0);
        for (n, sample) in sound.iter().enumerate() {
            let (s, c) = (TAU * hertz * n as f64 / rate).sin_cos();
            sine += s * f64::from(*sample);
            cosine += c * f64::from(*sample);
            all += f64::from(*sample).powi(2);
        }
        let tone = (sine * sine + cosine * cosine) * 2.0 / sound.len() as f64;
        10.0 * (tone / (all - tone).max(1e-15)).log10()
    }

    #[test]
    fn a_tone_stays_a_tone_at_every_rate_and_both_ways() {
        for device in [16_000u32, 44_100, 48_000, 96_000] {
            for direction in [Direction::Playback, Direction::Capture] {
                let (from, to) = match direction {
                    Direction::Playback => (SAMPLE_RATE, device),
                    Direction::Capture => (device, SAMPLE_RATE),
                };
                let mut resampler = EdgeResampler::new(direction, device).unwrap();
                let heard = through(&mut resampler, 1_000.0, from, 2.0);
                let expected = 2.0 * f64::from(to);
                assert!((heard.len() as f64 - expected).abs() < expected * 0.02);
                // A whole number of periods, so that the fit is exact.
                let whole = heard.len() - (heard.len() - 4_800) % (to as usize / 100);
                let purity = purity(&heard[..whole], 1_000.0, f64::from(to));
                println!("{direction:?} {device}: {purity:.0} dB, delay {:?}", resampler.delay());
                assert!(purity > 70.0, "{direction:?} {device}: {purity} dB");
            }
        }
    }

    #[test]
    fn a_correction_changes_how_much_comes_out_and_not_the_sound() {
        for ppm in [-200.0, 200.0] {
            let mut resampler = EdgeResampler::new(Direction::Playback, SAMPLE_RATE).unwrap();
            resampler.correct(1.0 + ppm * 1e-6);
            let heard = through(&mut resampler, 1_000.0, SAMPLE_RATE, 20.0);
            let more = heard.len() as f64 - 960_000.0;
            assert!((more - 960_000.0 * ppm * 1e-6).abs() < 12.0, "{more}");
            let purity = purity(&heard[..480_000], 1_000.0 / (1.0 + ppm * 1e-6), 48_000.0);
            println!("{ppm} ppm: {purity:.0} dB");
            assert!(purity > 50.0, "{purity}");
        }
    }

    #[test]
    fn what_no_device_has_and_what_is_too_short_is_refused() {
        assert_eq!(EdgeResampler::new(Direction::Capture, 0).err(), Some(ResampleError::Rate(0)));
        assert_eq!(EdgeResampler::new(Direction::Capture, 1 << 31).err(), Some(ResampleError::Rate(1 << 31)));
        let mut resampler = EdgeResampler::new(Direction::Playback, 44_100).unwrap();
        resampler.correct(f64::NAN);
        resampler.correct(5.0);
        assert_eq!(resampler.process(&[0.0; 479], &mut [0.0; 600]), Err(ResampleError::Length));
        assert_eq!(resampler.process(&[0.0; 480], &mut [0.0; 4]), Err(ResampleError::Length));
        assert!(resampler.process(&[0.0; 480], &mut [0.0; 600]).is_ok());
    }
}
