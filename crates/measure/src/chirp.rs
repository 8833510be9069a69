//! Mouth-to-ear: chirps spoken at known times, found again in what was heard.

use carillon_media::SAMPLE_RATE;
use serde::Serialize;

use crate::Summary;
use crate::correlation::{Finder, energies, peak};

/// An echo, or a second copy, is quieter than what came first, but may be found as the best match. The first peak of
/// at least this share of the best one counts.
const FIRST: f64 = 0.7;

/// Where a chirp may be, after it was spoken, and how like itself it must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// The shortest delay looked for, in seconds. May be below zero where the two clocks are not quite one.
    pub earliest: f64,
    /// The longest. Cut at the pause until the next chirp is spoken, which else might be taken for this one.
    pub latest: f64,
    /// The least likeness that counts, 0 to 1. Noise alone stays below 0.3; a chirp through Opus and noise suppression
    /// is above 0.6.
    pub likeness: f64,
}

impl Default for Search {
    fn default() -> Self {
        Self { earliest: 0.0, latest: 1.0, likeness: 0.45 }
    }
}

/// One chirp, spoken and heard.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Heard {
    /// When it was spoken, in seconds.
    pub spoken: f64,
    /// How long it took until it was heard, in milliseconds; `None` if it was not.
    pub delay: Option<f64>,
    /// How like itself it was, 0 to 1.
    pub likeness: f64,
}

/// Every chirp, and what their delays are like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MouthToEar {
    /// In the order they were spoken.
    pub chirps: Vec<Heard>,
    /// Of the delays in milliseconds; `None` if no chirp was heard.
    pub delays: Option<Summary>,
    /// How many were not heard.
    pub missed: usize,
}

/// Finds each chirp of `spoken` (seconds on the recording's clock, its first sample at 0, in order) in `recording`
/// (mono at [`SAMPLE_RATE`]). `chirp` is what was spoken each time: a sound with a wide band and one narrow peak in its
/// autocorrelation.
pub fn mouth_to_ear(recording: &[f32], chirp: &[f32], spoken: &[f64], search: &Search) -> MouthToEar {
    let rate = f64::from(SAMPLE_RATE);
    let reach = (search.latest - search.earliest).clamp(0.0, 60.0);
    let finder = Finder::new(chirp, (reach * rate) as usize + chirp.len() + 2);
    let chirps: Vec<Heard> = spoken
        .iter()
        .zip(spoken.iter().skip(1).map(Some).chain([None]))
        .map(|(spoken, next)| {
            let pause = next.map_or(f64::INFINITY, |next| next - spoken);
            let from = (spoken + search.earliest).max(0.0);
            let until = spoken + search.latest.min(pause.max(0.0));
            let found = find(recording, chirp.len(), &finder, from * rate, until * rate);
            let (place, likeness) = found.unwrap_or_default();
            let delay = (likeness >= search.likeness).then_some((place / rate - spoken) * 1000.0);
            Heard { spoken: *spoken, delay, likeness }
        })
        .collect();
    let delays = Summary::of(chirps.iter().filter_map(|chirp| chirp.delay));
    let missed = chirps.iter().filter(|chirp| chirp.delay.is_none()).count();
    MouthToEar { chirps, delays, missed }
}

/// A chirp this much quieter than it was spoken is none, but what is left of one behind it: 30 dB, as a share of energy.
const QUIETEST: f64 = 1e-3;
/// Samples looked at in one go.
const STRETCH: usize = 1 << 16;

/// Where chirps begin in a recording, in seconds, for who does not know when they were spoken: each place where it is at
/// least so like `chirp` ([`Search::likeness`]), and more so than within a chirp's length around.
pub fn occurrences(recording: &[f32], chirp: &[f32], likeness: f64) -> Vec<f64> {
    let finder = Finder::new(chirp, STRETCH + chirp.len());
    let least = QUIETEST * chirp.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
    let mut found: Vec<(usize, f64)> = Vec::new();
    for start in (0..recording.len()).step_by(STRETCH) {
        let end = (start + STRETCH + chirp.len()).saturating_sub(1).min(recording.len());
        let stretch = recording.get(start..end).unwrap_or_default();
        let energies = energies(stretch, chirp.len());
        for (at, (value, energy)) in finder.likeness(stretch).into_iter().zip(energies).enumerate() {
            if value < likeness || energy < least {
                continue;
            }
            match found.last_mut() {
                Some(last) if start + at - last.0 < chirp.len() => {
                    if value > last.1 {
                        *last = (start + at, value);
                    }
                }
                _ => found.push((start + at, value)),
            }
        }
    }
    found.into_iter().map(|(at, _)| at as f64 / f64::from(SAMPLE_RATE)).collect()
}

/// The sample at which the chirp begins that begins between two samples, and how like itself it is.
fn find(recording: &[f32], chirp: usize, finder: &Finder, from: f64, until: f64) -> Option<(f64, f64)> {
    // One more on each side, for the parabola.
    let first = (from.floor() as usize).saturating_sub(1);
    let last = (until.ceil().max(0.0) as usize).saturating_add(1 + chirp).min(recording.len());
    let likeness = finder.likeness(recording.get(first..last)?);
    let best = likeness.iter().copied().fold(0.0, f64::max);
    let mut at = likeness.iter().position(|value| *value >= FIRST * best)?;
    // Up to the top of the first hill.
    while likeness.get(at + 1).is_some_and(|next| likeness.get(at).is_some_and(|value| next > value)) {
        at += 1;
    }
    Some((first as f64 + peak(&likeness, at), likeness.get(at).copied()?))
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use proptest::prelude::*;

    use super::*;

    /// 40 ms, rising from 500 Hz to 4 kHz, faded in and out over a quarter each.
    fn waveform() -> Vec<f32> {
        (0..1920)
            .map(|index| {
                let time = f64::from(index) / 48_000.0;
                let phase = TAU * (500.0 * time + 3500.0 / 0.08 * time * time);
                let edge = (time.min(0.04 - time) / 0.01).clamp(0.0, 1.0);
                (0.5 * (0.5 - 0.5 * (TAU / 2.0 * edge).cos()) * phase.sin()) as f32
            })
            .collect()
    }

    struct Noise(u64);

    impl Noise {
        fn next(&mut self) -> f32 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
        }
    }

    /// A recording of chirps that each come `delay` samples late, at this gain, in noise of this amplitude.
    fn recording(spoken: &[f64], delay: usize, gain: f32, noise: f32) -> Vec<f32> {
        let mut random = Noise(1);
        let length = (spoken.last().unwrap() * 48_000.0) as usize + 60_000 + delay;
        let mut samples: Vec<f32> = (0..length).map(|_| noise * random.next()).collect();
        for spoken in spoken {
            let start = (spoken * 48_000.0) as usize + delay;
            for (sample, chirp) in samples[start..].iter_mut().zip(waveform()) {
                *sample += gain * chirp;
            }
        }
        samples
    }

    const SPOKEN: [f64; 4] = [0.5, 1.5, 2.5, 3.5];

    #[track_caller]
    fn assert_all_at(found: &MouthToEar, millis: f64, within: f64) {
        assert_eq!(found.missed, 0, "{found:?}");
        for chirp in &found.chirps {
            assert!((chirp.delay.unwrap() - millis).abs() < within, "{found:?}");
        }
    }

    #[test]
    fn a_clean_chirp_is_found_to_a_hundredth_of_a_millisecond() {
        let heard = recording(&SPOKEN, 2400, 1.0, 0.0);
        let found = mouth_to_ear(&heard, &waveform(), &SPOKEN, &Search::default());
        assert_all_at(&found, 50.0, 0.01);
        assert!(found.chirps.iter().all(|chirp| chirp.likeness > 0.99));
    }

    #[test]
    fn a_chirp_20_db_quieter_in_noise_as_loud_is_found() {
        // Peak 0.05; white noise of 0.05.
        let heard = recording(&SPOKEN, 4321, 0.1, 0.05);
        let found = mouth_to_ear(&heard, &waveform(), &SPOKEN, &Search::default());
        assert_all_at(&found, 4321.0 / 48.0, 0.2);
    }

    #[test]
    fn chirps_are_found_wherever_they_are_and_nowhere_else() {
        // Also across the ends of stretches.
        let spoken: Vec<f64> = (0..9).map(|n| 0.1 + f64::from(n) * 0.33).collect();
        let heard = recording(&spoken, 0, 0.3, 0.002);
        let found = occurrences(&heard, &waveform(), 0.45);
        assert_eq!(found.len(), spoken.len(), "{found:?}");
        assert!(found.iter().zip(&spoken).all(|(found, spoken)| (found - spoken).abs() < 1e-3), "{found:?}");
        let noise = recording(&[3.0], 200_000, 0.0, 0.3);
        assert_eq!(occurrences(&noise, &waveform(), 0.45), [0.0_f64; 0]);
        assert_eq!(occurrences(&[], &waveform(), 0.45), [0.0_f64; 0]);
    }

    #[test]
    fn a_filter_that_turns_the_phase_does_not_move_it() {
        // An all-pass by the Hilbert transform: every frequency turned by 90°.
        let taps: Vec<f32> = (-255..=255_i32)
            .map(|n| if n % 2 == 0 { 0.0 } else { 2.0 / (std::f32::consts::PI * n as f32) })
            .collect();
        let dry = recording(&SPOKEN, 2400, 1.0, 0.0);
        let heard: Vec<f32> = (0..dry.len())
            .map(|at| {
                taps.iter()
                    .enumerate()
                    .map(|(tap, gain)| gain * dry.get((at + 255).wrapping_sub(tap)).unwrap_or(&0.0))
                    .sum()
            })
            .collect();
        let found = mouth_to_ear(&heard, &waveform(), &SPOKEN, &Search::default());
        assert_all_at(&found, 50.0, 0.05);
    }

    #[test]
    fn what_comes_first_counts_and_not_its_echo() {
        let mut heard = recording(&SPOKEN, 2400, 0.9, 0.0);
        for (sample, echo) in heard.iter_mut().zip(recording(&SPOKEN, 9600, 1.0, 0.0)) {
            *sample += echo;
        }
        assert_all_at(&mouth_to_ear(&heard, &waveform(), &SPOKEN, &Search::default()), 50.0, 0.1);
    }

    #[test]
    fn a_chirp_that_is_not_there_is_missed() {
        let mut heard = recording(&SPOKEN, 2400, 1.0, 0.0);
        let mut random = Noise(2);
        heard[70_000..110_000].iter_mut().for_each(|sample| *sample = 0.3 * random.next());
        let found = mouth_to_ear(&heard, &waveform(), &SPOKEN, &Search::default());
        assert_eq!(found.missed, 1, "{found:?}");
        assert_eq!(found.chirps[1].delay, None);
        assert_eq!(found.delays.unwrap().count, 3);
    }

    #[test]
    fn silence_and_a_recording_that_ends_early_have_no_chirps() {
        for heard in [vec![0.0; 240_000], vec![0.0; 10], Vec::new()] {
            let found = mouth_to_ear(&heard, &waveform(), &SPOKEN, &Search::default());
            assert_eq!((found.missed, found.delays), (4, None));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn every_delay_and_loudness_is_found(delay in 0..45_000_usize, gain in 0.03..1.0_f32) {
            let heard = recording(&SPOKEN, delay, gain, 0.001);
            let found = mouth_to_ear(&heard, &waveform(), &SPOKEN, &Search::default());
            prop_assert_eq!(found.missed, 0);
            prop_assert!((found.delays.unwrap().median - delay as f64 / 48.0).abs() < 0.05, "{:?}", found);
        }
    }
}
