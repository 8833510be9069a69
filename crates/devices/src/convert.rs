//! Between the rate of a device and 48 kHz, on the audio worker's side of the ring.

use std::time::Duration;

use carillon_media::resample::{Direction, EdgeResampler};
use carillon_media::{FRAME_SAMPLES, Frame, SAMPLE_RATE};

use crate::problem::Problem;

/// A resampler for one channel that takes or gives 10 ms at 48 kHz. Allocates only when made.
pub(crate) struct Converter {
    inner: EdgeResampler,
    scratch: Vec<f32>,
}

impl Converter {
    fn new(direction: Direction, rate: u32) -> Result<Option<Self>, Problem> {
        if rate == SAMPLE_RATE {
            return Ok(None);
        }
        let inner = EdgeResampler::new(direction, rate)
            .map_err(|error| Problem::Unsupported(format!("{rate} Hz: {error}")))?;
        let scratch = vec![0.0; inner.takes_at_most().max(inner.gives_at_most())];
        Ok(Some(Self { inner, scratch }))
    }

    /// From a device's rate to frames of 10 ms at 48 kHz. `None` when there is nothing to do.
    pub(crate) fn from_device(rate: u32) -> Result<Option<Self>, Problem> {
        Self::new(Direction::Capture, rate)
    }

    /// From frames of 10 ms at 48 kHz to a device's rate. `None` when there is nothing to do.
    pub(crate) fn to_device(rate: u32) -> Result<Option<Self>, Problem> {
        Self::new(Direction::Playback, rate)
    }

    /// How many samples of the device the next frame takes.
    pub(crate) fn wanted(&self) -> usize {
        self.inner.takes()
    }

    /// How much later sound comes out than it goes in.
    pub(crate) fn delay(&self) -> Duration {
        self.inner.delay()
    }

    /// Fills a frame. `fill` gets a slice of [`Converter::wanted`] samples to write the device's sound into.
    pub(crate) fn frame(&mut self, frame: &mut Frame, fill: impl FnOnce(&mut [f32])) {
        let wanted = self.wanted();
        let Some(input) = self.scratch.get_mut(..wanted) else { return };
        fill(input);
        // Sizes are as the resampler asked for, which is all that it can complain about.
        let _ = self.inner.process(input, frame);
    }

    /// A frame at the device's rate.
    pub(crate) fn samples(&mut self, frame: &Frame) -> &[f32] {
        let written = self.inner.process(frame, &mut self.scratch).unwrap_or(0);
        self.scratch.get(..written).unwrap_or(&[])
    }
}

/// A whole recording at 48 kHz.
pub(crate) fn recording(samples: Vec<f32>, rate: u32) -> Result<Vec<f32>, Problem> {
    let Some(mut converter) = Converter::from_device(rate)? else { return Ok(samples) };
    let length = (samples.len() as u64 * u64::from(SAMPLE_RATE) / u64::from(rate)) as usize;
    let skipped = (converter.delay().as_secs_f64() * f64::from(SAMPLE_RATE)).round() as usize;
    let mut out = Vec::with_capacity(length + skipped + FRAME_SAMPLES);
    let mut rest = samples.as_slice();
    let mut frame = [0.0; FRAME_SAMPLES];
    while out.len() < length + skipped {
        converter.frame(&mut frame, |input| {
            let (now, later) = rest.split_at(input.len().min(rest.len()));
            input.fill(0.0);
            input.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
            rest = later;
        });
        out.extend_from_slice(&frame);
    }
    out.drain(..skipped);
    out.truncate(length);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hertz: f32, samples: usize) -> Vec<f32> {
        (0..samples).map(|n| (std::f32::consts::TAU * hertz * n as f32 / rate as f32).sin() * 0.5).collect()
    }

    /// The largest difference, away from the ends.
    fn error(a: &[f32], b: &[f32]) -> f32 {
        a.iter()
            .zip(b)
            .skip(960)
            .take(a.len().min(b.len()).saturating_sub(1920))
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max)
    }

    #[test]
    fn a_recording_of_another_rate_keeps_its_pitch_and_its_place() {
        for rate in [8_000, 16_000, 44_100, 96_000] {
            let made = recording(tone(rate, 1_000.0, rate as usize), rate).unwrap();
            assert_eq!(made.len(), 48_000);
            let error = error(&made, &tone(48_000, 1_000.0, 48_000));
            // A sample of this tone differs from the next by up to 0.066: it lies where it should, to a sample.
            assert!(error < 0.07, "{rate}: {error}");
        }
    }

    #[test]
    fn a_frame_becomes_as_many_samples_as_the_device_plays_in_its_time() {
        let mut converter = Converter::to_device(44_100).unwrap().unwrap();
        let made: usize = (0..1_000).map(|_| converter.samples(&[0.1; FRAME_SAMPLES]).len()).sum();
        assert!(made.abs_diff(441_000) < 200, "{made}");
    }
}
