//! Speech quality of sounds that are like speech, harmed in known ways.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use carillon_measure::quality::{BEST, QualityError, SpeechQuality, WORST, speech_quality};

const RATE: usize = 48_000;

/// So many seconds of syllables: a buzz of gliding pitch through three gliding resonances, with hisses between, and a
/// pause of 0.4 s after each 2.1 s.
fn speech(seconds: usize) -> Vec<f32> {
    let mut noise = Noise(3);
    let mut resonators = [Resonator::default(); 3];
    let mut phase = 0.0_f32;
    (0..seconds * RATE)
        .map(|n| {
            let time = n as f32 / RATE as f32;
            let (phrase, syllable) = (time % 2.5, time / 0.3);
            let (number, place) = (syllable.floor(), syllable.fract());
            let pitch = 110.0 + 25.0 * (time * 2.1).sin() + 10.0 * (time * 5.3).sin();
            phase = (phase + pitch / RATE as f32).fract();
            let voiced = if place < 0.75 { (place * std::f32::consts::PI / 0.75).sin() } else { 0.0 };
            let hiss = if place > 0.8 { 0.02 } else { 0.0005 };
            let source = voiced * (1.0 - 2.0 * phase) + hiss * noise.next();
            let vowel = number * 1.7;
            let centres = [500.0 + 250.0 * vowel.sin(), 1500.0 + 600.0 * (vowel * 1.3).cos(), 2700.0];
            let mut sum = 3.0 * hiss * noise.next();
            for ((resonator, centre), gain) in resonators.iter_mut().zip(centres).zip([1.0, 0.5, 0.25]) {
                sum += gain * resonator.next(source, centre);
            }
            if phrase < 2.1 { 0.3 * sum } else { 0.0 }
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

/// A two-pole resonance, 90 Hz wide.
#[derive(Clone, Copy, Default)]
struct Resonator([f32; 2]);

impl Resonator {
    fn next(&mut self, input: f32, centre: f32) -> f32 {
        let radius = (-std::f32::consts::PI * 90.0 / RATE as f32).exp();
        let turn = (std::f32::consts::TAU * centre / RATE as f32).cos();
        let output = 0.05 * input + 2.0 * radius * turn * self.0[0] - radius * radius * self.0[1];
        self.0 = [output, self.0[0]];
        output
    }
}

fn later(samples: &[f32], seconds: f64) -> Vec<f32> {
    let mut late = vec![0.0; (seconds * RATE as f64) as usize];
    late.extend_from_slice(samples);
    late
}

/// Every so many 20 ms one is silent.
fn with_holes(samples: &[f32], every: usize) -> Vec<f32> {
    let mut harmed = samples.to_vec();
    for (index, frame) in harmed.chunks_mut(RATE / 50).enumerate() {
        if index % every == every / 2 {
            frame.fill(0.0);
        }
    }
    harmed
}

fn score(reference: &[f32], heard: &[f32]) -> SpeechQuality {
    speech_quality(reference, heard, 1.0).unwrap()
}

#[test]
fn the_same_speech_has_the_best_score_however_late_and_quiet() {
    let reference = speech(20);
    for heard in [
        reference.clone(),
        later(&reference, 0.173),
        later(&reference, 0.5).iter().map(|sample| sample * 0.1).collect(),
    ] {
        let found = score(&reference, &heard);
        assert!(found.mos > BEST - 0.05, "{found:?}");
        assert!(found.pieces.len() >= 2);
    }
    let found = score(&reference, &later(&reference, 0.173));
    assert!(found.pieces.iter().all(|piece| (piece.delay.unwrap() - 173.0).abs() < 0.2), "{found:?}");
}

#[test]
fn more_harm_is_a_lower_score() {
    let reference = speech(10);
    let scores: Vec<f64> =
        [50, 20, 10, 5].iter().map(|every| score(&reference, &with_holes(&reference, *every)).mos).collect();
    assert!(scores.is_sorted_by(|better, worse| better > worse), "{scores:?}");
    assert!(scores[0] < BEST - 0.2 && scores[3] < 2.5, "{scores:?}");
}

#[test]
fn a_piece_that_is_not_there_has_the_worst_score() {
    let reference = speech(20);
    let mut heard = reference.clone();
    heard.truncate(10 * RATE);
    let found = score(&reference, &heard);
    let last = found.pieces.last().unwrap();
    assert_eq!((last.mos, last.delay), (WORST, None), "{found:?}");
    assert!(found.mos < 3.5 && found.mos > 2.0, "{found:?}");
    assert_eq!(score(&reference, &[]).mos, WORST);
}

#[test]
fn a_delay_that_changes_is_followed_from_piece_to_piece() {
    let reference = speech(20);
    let cut = 10 * RATE;
    let mut heard = later(&reference[..cut], 0.1);
    // In a pause.
    heard.extend(vec![0.0; RATE / 10]);
    heard.extend(&reference[cut..]);
    let found = score(&reference, &heard);
    let delays: Vec<f64> = found.pieces.iter().map(|piece| piece.delay.unwrap()).collect();
    assert!((delays[0] - 100.0).abs() < 1.0, "{delays:?}");
    assert!((delays.last().unwrap() - 200.0).abs() < 1.0, "{delays:?}");
    assert!(found.mos > 4.3, "{found:?}");
}

#[test]
fn a_reference_without_speech_is_refused() {
    assert_eq!(speech_quality(&[0.0; 100_000], &[0.0; 100_000], 1.0), Err(QualityError::NoSpeech));
    assert_eq!(speech_quality(&[], &[], 1.0), Err(QualityError::NoSpeech));
    assert_eq!(speech_quality(&[], &[], 1e9), Err(QualityError::TooLate));
}

#[test]
fn sounds_that_are_no_speech_do_no_harm() {
    let reference = speech(3);
    let mut noise = Noise(9);
    let loud: Vec<f32> = (0..3 * RATE).map(|_| noise.next()).collect();
    let clipped: Vec<f32> = reference.iter().map(|sample| (sample * 100.0).clamp(-1.0, 1.0)).collect();
    for heard in [loud, clipped, vec![1.0; RATE], vec![f32::NAN; 3 * RATE], vec![f32::INFINITY; 3 * RATE]] {
        let mos = score(&reference, &heard).mos;
        assert!((WORST - 0.05..BEST).contains(&mos), "{mos}");
    }
}
