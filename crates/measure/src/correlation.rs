//! Where one sound is in another.

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};
use std::sync::Arc;

/// Below this energy a sample (−90 dB of full scale) is silence, in which nothing is like anything.
const SILENCE: f64 = 1e-9;

/// Looks for one sound in stretches of up to a fixed length.
///
/// The likeness at a place is the envelope of the normalised cross-correlation: 0 to 1, the same however quiet the
/// sound is there, and whatever a filter on the way did to its phase (the magnitude of the analytic signal).
pub(crate) struct Finder {
    length: usize,
    norm: f64,
    /// The sound's spectrum, conjugated, without the negative frequencies.
    spectrum: Vec<Complex<f64>>,
    forward: Arc<dyn Fft<f64>>,
    back: Arc<dyn Fft<f64>>,
}

impl Finder {
    /// For stretches of up to `longest` samples.
    pub(crate) fn new(sound: &[f32], longest: usize) -> Self {
        let size = longest.max(sound.len()).max(2).next_power_of_two();
        let mut planner = FftPlanner::new();
        let (forward, back) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
        let mut spectrum = complex(sound, size);
        forward.process(&mut spectrum);
        for (index, bin) in spectrum.iter_mut().enumerate() {
            let weight = if index == 0 || index == size / 2 {
                1.0
            } else if index < size / 2 {
                2.0
            } else {
                0.0
            };
            *bin = bin.conj() * weight / size as f64;
        }
        let norm = sound.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>().sqrt();
        Self { length: sound.len(), norm, spectrum, forward, back }
    }

    /// The likeness with the sound at each place of `stretch` where it fits. Only the first `longest` samples count.
    pub(crate) fn likeness(&self, stretch: &[f32]) -> Vec<f64> {
        let stretch = stretch.get(..self.spectrum.len()).unwrap_or(stretch);
        if self.length == 0 || stretch.len() < self.length || self.norm == 0.0 {
            return Vec::new();
        }
        let mut work = complex(stretch, self.spectrum.len());
        self.forward.process(&mut work);
        for (bin, sound) in work.iter_mut().zip(&self.spectrum) {
            *bin *= sound;
        }
        self.back.process(&mut work);
        work.iter()
            .zip(energies(stretch, self.length))
            .map(|(correlation, energy)| correlation.norm() / (self.norm * energy.sqrt()))
            .collect()
    }
}

fn complex(samples: &[f32], size: usize) -> Vec<Complex<f64>> {
    let mut complex: Vec<_> = samples.iter().map(|sample| Complex::new(f64::from(*sample), 0.0)).collect();
    complex.resize(size, Complex::default());
    complex
}

/// The energy of each `length` samples of `stretch`, silence at the least.
pub(crate) fn energies(stretch: &[f32], length: usize) -> Vec<f64> {
    let mut sums = Vec::with_capacity(stretch.len() + 1);
    let mut sum = 0.0;
    sums.push(sum);
    for sample in stretch {
        sum += f64::from(*sample).powi(2);
        sums.push(sum);
    }
    let floor = SILENCE * length as f64;
    sums.iter()
        .zip(sums.iter().skip(length))
        .map(|(before, after)| (after - before).max(0.0) + floor)
        .collect()
}

/// The place of the greatest value, on the parabola through it and its neighbours.
pub(crate) fn peak(values: &[f64], at: usize) -> f64 {
    let around = at.checked_sub(1).and_then(|before| values.get(before..=at + 1));
    let Some([left, middle, right]) = around else { return at as f64 };
    let bend = left - 2.0 * middle + right;
    if bend < 0.0 { at as f64 + (0.5 * (left - right) / bend).clamp(-0.5, 0.5) } else { at as f64 }
}
