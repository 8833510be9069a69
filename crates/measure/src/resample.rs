//! To the rate that P.862.2 is made for.

use std::f64::consts::PI;

/// 48 kHz over 16 kHz.
const FACTOR: usize = 3;
/// Taps on each side of the middle.
const REACH: i32 = 96;
/// Where the low-pass is at −6 dB, over the 48 kHz: 7.5 kHz, so that nothing folds into what P.862.2 listens to.
const CUT: f64 = 7_500.0 / 48_000.0;

/// Every third sample, after a low-pass: a sinc in a Blackman window, the same delay at every frequency and none in all.
pub(crate) fn third(samples: &[f32]) -> Vec<f32> {
    let taps: Vec<f64> = (-REACH..=REACH).map(tap).collect();
    let gain: f64 = taps.iter().sum();
    (0..samples.len().div_ceil(FACTOR))
        .map(|index| {
            let first = (index * FACTOR) as i64 - i64::from(REACH);
            let sum: f64 = (first..)
                .zip(&taps)
                .filter_map(|(at, tap)| Some(tap * f64::from(*samples.get(usize::try_from(at).ok()?)?)))
                .sum();
            (sum / gain) as f32
        })
        .collect()
}

fn tap(index: i32) -> f64 {
    let x = 2.0 * CUT * f64::from(index);
    let sinc = if index == 0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    let place = PI * f64::from(index) / f64::from(REACH + 1);
    sinc * (0.42 + 0.5 * place.cos() + 0.08 * (2.0 * place).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of a tone, in dB.
    fn left(frequency: f64) -> f64 {
        let tone: Vec<f32> =
            (0..48_000).map(|n| (2.0 * PI * frequency * f64::from(n) / 48_000.0).sin() as f32).collect();
        let out = third(&tone);
        assert_eq!(out.len(), 16_000);
        let inner = &out[200..15_800];
        let power = inner.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / inner.len() as f64;
        10.0 * (2.0 * power).log10()
    }

    #[test]
    fn speech_stays_and_what_would_fold_back_goes() {
        for frequency in [100.0, 1000.0, 6500.0] {
            assert!(left(frequency).abs() < 0.1, "{frequency}: {}", left(frequency));
        }
        for frequency in [8500.0, 12_000.0, 20_000.0] {
            assert!(left(frequency) < -70.0, "{frequency}: {}", left(frequency));
        }
    }
}
