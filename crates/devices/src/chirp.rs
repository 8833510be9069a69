//! A short sound that is easy to find again, for measuring the way from mouth to ear.

use std::f32::consts::TAU;
use std::time::Duration;

use carillon_media::SAMPLE_RATE;

/// From the start of one chirp to the start of the next, of [`crate::MicrophoneChoice::Chirps`].
pub const CHIRP_EVERY: Duration = Duration::from_millis(500);

/// 40 ms.
const LENGTH: usize = 1_920;

/// From 500 Hz to 5 kHz: what every codec and every loudspeaker passes on.
const FROM_HERTZ: f32 = 500.0;
const TO_HERTZ: f32 = 5_000.0;

/// The chirp: 40 ms at 48 kHz, a sine whose frequency rises by a constant factor per time, under a Hann window.
///
/// The phase is that of the logarithmic sweep in Farina, "Simultaneous measurement of impulse response and
/// distortion with a swept-sine technique" (2000), equation 3.
pub fn chirp() -> Vec<f32> {
    let seconds = LENGTH as f32 / SAMPLE_RATE as f32;
    let growth = (TO_HERTZ / FROM_HERTZ).ln();
    (0..LENGTH)
        .map(|n| {
            let at = n as f32 / LENGTH as f32;
            let phase = TAU * FROM_HERTZ * seconds / growth * ((at * growth).exp() - 1.0);
            let window = 0.5 - 0.5 * (TAU * at).cos();
            0.6 * window * phase.sin()
        })
        .collect()
}

/// Where chirps start in mono sound at 48 kHz, by normalised correlation: at least `likeness` (0 to 1; 0.6 finds
/// what an Opus call leaves of one), the best of each 100 ms.
pub fn find_chirps(sound: &[f32], likeness: f32) -> Vec<usize> {
    let pattern = chirp();
    let pattern_energy: f32 = pattern.iter().map(|sample| sample * sample).sum();
    // Quieter than this, a hundredth of the chirp, there is nothing to find.
    let floor = pattern_energy * 1e-4;
    let mut found: Vec<(usize, f32)> = Vec::new();
    let mut energy: f64 = 0.0;
    let mut past = 0;
    for (start, window) in sound.windows(LENGTH).enumerate() {
        if start == 0 {
            energy = window.iter().map(|sample| f64::from(sample * sample)).sum();
        } else {
            let (left, came) = (sound.get(past).copied(), window.last().copied());
            let (left, came) = (left.unwrap_or_default(), came.unwrap_or_default());
            energy += f64::from(came * came) - f64::from(left * left);
        }
        past = start;
        if energy < f64::from(floor) {
            continue;
        }
        let product: f32 = window.iter().zip(&pattern).map(|(a, b)| a * b).sum();
        let score = product / (energy as f32 * pattern_energy).sqrt();
        if score < likeness {
            continue;
        }
        match found.last_mut() {
            Some(last) if start - last.0 < (SAMPLE_RATE / 10) as usize => {
                if score > last.1 {
                    *last = (start, score);
                }
            }
            _ => found.push((start, score)),
        }
    }
    found.into_iter().map(|(start, _)| start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chirps_are_found_to_the_sample_and_noise_is_none() {
        let mut sound = vec![0.0; 30_000];
        let mut noise = 1u32;
        for sample in &mut sound {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = (noise >> 8) as f32 / (1 << 24) as f32 * 0.1 - 0.05;
        }
        assert_eq!(find_chirps(&sound, 0.6), [0usize; 0]);
        for start in [3_000, 20_000] {
            sound.iter_mut().skip(start).zip(chirp()).for_each(|(to, from)| *to += 0.5 * from);
        }
        assert_eq!(find_chirps(&sound, 0.6), [3_000, 20_000]);
    }

    #[test]
    fn a_chirp_starts_and_ends_in_silence_and_never_clips() {
        let chirp = chirp();
        assert!(chirp.iter().all(|sample| sample.abs() <= 0.6));
        assert!(chirp[0].abs() < 1e-3 && chirp[LENGTH - 1].abs() < 1e-3);
    }
}
