//! Sound made longer or shorter without changing its pitch, by waveform similarity.
//!
//! WSOLA (Verhelst and Roelands, "An overlap-add technique based on waveform similarity (WSOLA) for high quality
//! time-scale modification of speech", ICASSP 1993): a piece is left out or repeated where the sound resembles itself
//! one lag apart, for voices one or more periods of the pitch, and the seam is blended.

use std::ops::RangeInclusive;

/// The shortest piece left out or repeated: 2.5 ms, a pitch of 400 Hz.
pub const LAG_MIN: usize = 120;
/// The longest: 15 ms, a pitch of 67 Hz.
pub const LAG_MAX: usize = 720;
/// The seam's length: 5 ms.
pub const OVERLAP: usize = 240;
/// How much sound is compared: 10 ms.
pub const COMPARED: usize = 480;

/// The coarse search looks at every fourth sample (12 kHz), averaged.
const COARSE: usize = 4;
const COARSE_ROOM: usize = (LAG_MAX + COMPARED) / COARSE;

/// A lag at which sound resembles itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similar {
    /// How far apart, in samples.
    pub lag: usize,
    /// The normalised correlation at that lag: −1.0 to 1.0, and 1.0 where there is only silence.
    pub correlation: f32,
}

/// Finds how far after its start, within `lags`, `sound` resembles its start best.
///
/// `None` when `sound` is shorter than the least lag + [`COMPARED`], or no lag lies between [`LAG_MIN`] and [`LAG_MAX`].
pub fn similar(sound: &[f32], lags: RangeInclusive<usize>) -> Option<Similar> {
    let least = LAG_MIN.max(*lags.start());
    let most = LAG_MAX.min(*lags.end()).min(sound.len().checked_sub(COMPARED)?);
    if most < least {
        return None;
    }
    let mut coarse = [0.0; COARSE_ROOM];
    let (pieces, _) = sound.as_chunks::<COARSE>();
    for (to, piece) in coarse.iter_mut().zip(pieces) {
        *to = piece.iter().sum();
    }
    let compared = COMPARED / COARSE;
    let best = best_lag(&coarse, least / COARSE, most / COARSE, compared)?.lag * COARSE;
    let (from, to) = (best.saturating_sub(COARSE).max(least), (best + COARSE).min(most));
    best_lag(sound, from, to, COMPARED)
}

fn best_lag(sound: &[f32], from: usize, to: usize, compared: usize) -> Option<Similar> {
    let start = sound.get(..compared)?;
    (from..=to)
        .filter_map(|lag| {
            let correlation = correlation(start, sound.get(lag..lag + compared)?);
            Some(Similar { lag, correlation })
        })
        .reduce(|best, next| if next.correlation > best.correlation { next } else { best })
}

/// The normalised correlation of two pieces of equal length.
pub fn correlation(one: &[f32], other: &[f32]) -> f32 {
    // Eight sums each, so that the compiler may use vectors.
    let mut sums = [[0.0f32; 8]; 3];
    let ((ones, _), (others, _)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    for (a, b) in ones.iter().zip(others) {
        for i in 0..8 {
            sums[0][i] += a[i] * b[i];
            sums[1][i] += a[i] * a[i];
            sums[2][i] += b[i] * b[i];
        }
    }
    let [both, ones, others] = sums.map(|sum| sum.iter().sum::<f32>());
    let power = (ones * others).sqrt();
    if power < 1e-9 { 1.0 } else { (both / power).clamp(-1.0, 1.0) }
}

/// Blends from `fading` into `rising`, in place in `rising`, keeping the power even.
///
/// Where two sounds are alike their amplitudes add, where they are not their powers do; `correlation` says which, and
/// everything between.
pub fn blend(fading: &[f32], rising: &mut [f32], correlation: f32) {
    let likeness = correlation.clamp(0.0, 1.0);
    let length = fading.len().min(rising.len());
    for (i, (new, old)) in rising.iter_mut().zip(fading).enumerate() {
        let up = (i as f32 + 0.5) / length as f32;
        let down = 1.0 - up;
        let power = up * up + down * down + 2.0 * likeness * up * down;
        *new = (*old * down + *new * up) / power.sqrt();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(hertz: f32, samples: usize) -> Vec<f32> {
        (0..samples).map(|i| (TAU * hertz * i as f32 / 48_000.0).sin()).collect()
    }

    #[test]
    fn a_tone_resembles_itself_whole_periods_apart() {
        for hertz in [80.0f32, 120.0, 200.0, 333.0] {
            let found = similar(&tone(hertz, 1_200), 0..=LAG_MAX).unwrap();
            let periods = found.lag as f32 * hertz / 48_000.0;
            assert!((periods - periods.round()).abs() < 0.02, "{hertz} Hz: {found:?}");
            assert!(found.correlation > 0.99);
        }
    }

    #[test]
    fn noise_does_not_resemble_itself() {
        let mut state = 1u32;
        let noise: Vec<f32> = (0..1_200)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state as f32 / u32::MAX as f32 - 0.5
            })
            .collect();
        assert!(similar(&noise, 0..=LAG_MAX).unwrap().correlation < 0.5);
    }

    #[test]
    fn sound_too_short_to_compare_has_no_lag() {
        assert_eq!(similar(&[0.5; 599], 0..=LAG_MAX), None);
        assert_eq!(similar(&[0.5; 1_200], 0..=LAG_MIN - 1), None);
        assert_eq!(similar(&[0.5; 600], 0..=LAG_MAX).unwrap().lag, LAG_MIN);
        assert_eq!(similar(&[0.5; 1_200], 333..=333).unwrap().lag, 333);
    }

    #[test]
    fn a_blend_of_like_sound_is_that_sound_and_of_unlike_sound_keeps_the_power() {
        let mut rising = tone(300.0, OVERLAP);
        let whole = rising.clone();
        blend(&whole, &mut rising, 1.0);
        assert!(rising.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-5));

        let (mut rising, fading) = (vec![0.0; OVERLAP], vec![1.0; OVERLAP]);
        blend(&fading, &mut rising, 0.0);
        assert!((rising[OVERLAP / 2] - 0.5f32.sqrt()).abs() < 0.01);
        assert!(rising[0] > 0.99 && rising[OVERLAP - 1] < 0.01);
    }
}
