//! How good speech sounds, without asking anybody.
//!
//! ITU-T P.862.2, wide-band PESQ, by the crate `pesq`: 1.04 (nothing recognised) to 4.64 (the same). It is the measure that
//! codec and concealment figures in the literature are given in; this implementation agrees with the ITU's to the
//! third decimal. ViSQOL's Rust port needs a LAPACK of the system and files on disk, and its speech mode hears no more
//! than this one.
//!
//! P.862 scores a recording of some seconds whose parts are late by whole utterances at the most. So a long recording
//! is cut at the pauses of the reference, each piece is found in what was heard, and the scores are averaged by the
//! pieces' lengths.

use std::ops::Range;

use carillon_media::SAMPLE_RATE;
use serde::Serialize;

use crate::correlation::Finder;
use crate::resample::third;
use crate::utterances::pieces;

/// What speech that is not there at all gets: P.862.2's mapping of the raw score −0.5. Heavy noise may score a hundredth
/// less.
pub const WORST: f64 = 1.04;
/// What it gives speech that is unharmed.
pub const BEST: f64 = 4.64;

/// The rate P.862.2 is made for.
const RATE: usize = 16_000;
/// A piece that is less like itself than this, wherever one looks, is not there.
const THERE: f64 = 0.1;
/// Heard before and behind a piece that belongs to it all the same: the speech may have been stretched.
const AROUND: usize = RATE / 5;

/// How the speech in a recording sounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpeechQuality {
    /// The pieces' mean by length: MOS-LQO by P.862.2, 1.04 to 4.64.
    pub mos: f64,
    /// In the order of time.
    pub pieces: Vec<Piece>,
}

/// Some seconds of speech.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Piece {
    /// When it begins in the reference, in seconds.
    pub at: f64,
    /// How long it is.
    pub seconds: f64,
    /// How much later it was heard, in milliseconds; `None` if it was not.
    pub delay: Option<f64>,
    /// MOS-LQO. [`WORST`] if it was not heard.
    pub mos: f64,
}

/// Why there is no score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QualityError {
    /// The reference holds no half second of speech.
    #[error("there is no speech in the reference")]
    NoSpeech,
    /// The longest delay to look for is longer than a minute.
    #[error("a delay of more than a minute is not looked for")]
    TooLate,
}

/// Scores `heard` against `reference`, both mono at [`SAMPLE_RATE`] on one clock: a piece is looked for from 0.1 s before
/// to `latest` seconds after its time in the reference. Loudness does not count: P.862 levels both.
///
/// # Errors
/// No speech in the reference, or a `latest` that is out of reason.
pub fn speech_quality(reference: &[f32], heard: &[f32], latest: f64) -> Result<SpeechQuality, QualityError> {
    if !(0.0..=60.0).contains(&latest) {
        return Err(QualityError::TooLate);
    }
    debug_assert_eq!(SAMPLE_RATE as usize, 3 * RATE);
    let (reference, heard) = (third(reference), third(heard));
    let pieces: Vec<Piece> = pieces(&reference)
        .into_iter()
        .filter_map(|piece| Some(score(reference.get(piece.clone())?, &piece, &heard, latest)))
        .collect();
    let seconds: f64 = pieces.iter().map(|piece| piece.seconds).sum();
    if pieces.is_empty() || seconds <= 0.0 {
        return Err(QualityError::NoSpeech);
    }
    let mos = pieces.iter().map(|piece| piece.mos * piece.seconds).sum::<f64>() / seconds;
    Ok(SpeechQuality { mos, pieces })
}

fn score(spoken: &[f32], place: &Range<usize>, heard: &[f32], latest: f64) -> Piece {
    let (at, seconds) = (place.start as f64 / RATE as f64, spoken.len() as f64 / RATE as f64);
    let gone = Piece { at, seconds, delay: None, mos: WORST };
    let Some(found) = find(spoken, place.start, heard, latest) else { return gone };
    let end = (found + spoken.len() + AROUND).min(heard.len());
    let Some(there) = heard.get(found.saturating_sub(AROUND)..end) else { return gone };
    let mos = pesq::pesq_wb(&pcm(spoken), &pcm(there)).map_or(WORST, f64::from);
    let delay = (found as f64 - place.start as f64) / RATE as f64 * 1000.0;
    Piece { delay: Some(delay), mos: if mos.is_finite() { mos } else { WORST }, ..gone }
}

/// The sample of `heard` at which this piece begins.
fn find(spoken: &[f32], start: usize, heard: &[f32], latest: f64) -> Option<usize> {
    let first = start.saturating_sub(RATE / 10);
    // Padded at the end: the last piece may be cut short.
    let last = start + (latest * RATE as f64) as usize + spoken.len();
    let mut stretch = heard.get(first..last.min(heard.len()))?.to_vec();
    stretch.resize(last - first, 0.0);
    let likeness = Finder::new(spoken, stretch.len()).likeness(&stretch);
    let (place, best) = likeness.iter().enumerate().max_by(|(_, left), (_, right)| left.total_cmp(right))?;
    (*best >= THERE).then_some(first + place)
}

/// As 16 bit, as loud as fits: quiet speech is not drowned by rounding.
fn pcm(samples: &[f32]) -> Vec<i16> {
    let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    let gain = if peak > 0.0 { 0.7 * f32::from(i16::MAX) / peak } else { 0.0 };
    samples.iter().map(|sample| (sample * gain).round() as i16).collect()
}
