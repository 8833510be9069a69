//! Speech to measure with.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use carillon_media::resample::{Direction, EdgeResampler};
use carillon_media::{FRAME_SAMPLES, SAMPLE_RATE};

/// The text that `carillon loopback` speaks.
const SPOKEN: &[u8] = include_bytes!("../../../crates/cli/assets/speech.wav");

/// Speech of some seconds, mono at 48 kHz: what comes with the program.
///
/// # Errors
/// When the file in the repository is no sound.
pub fn own() -> Result<Vec<f32>> {
    read(hound::WavReader::new(SPOKEN)?)
}

/// The same text by several voices: as it is, and by a larger and a smaller speaker. Played slower and faster, its pitch and
/// its formants move together, as they do from one throat to another.
///
/// # Errors
/// When the file in the repository is no sound.
pub fn voices() -> Result<Vec<Vec<f32>>> {
    let rates = [1.0, 0.85, 1.17];
    rates.into_iter().map(|faster| played(hound::WavReader::new(SPOKEN)?, faster)).collect()
}

/// The same from a file: mono, 16 bit.
///
/// # Errors
/// When it can't be read, or is another kind of sound.
pub fn from_file(path: &Path) -> Result<Vec<f32>> {
    let reader = hound::WavReader::open(path).with_context(|| path.display().to_string())?;
    read(reader).with_context(|| path.display().to_string())
}

fn read<R: std::io::Read>(reader: hound::WavReader<R>) -> Result<Vec<f32>> {
    played(reader, 1.0)
}

/// Reads it as if it had been recorded at a rate `faster` times its own.
fn played<R: std::io::Read>(mut reader: hound::WavReader<R>, faster: f64) -> Result<Vec<f32>> {
    let spec = reader.spec();
    ensure!((spec.channels, spec.bits_per_sample) == (1, 16), "not mono with 16 bit");
    let samples: Result<Vec<f32>, _> =
        reader.samples::<i16>().map(|sample| sample.map(|sample| f32::from(sample) / 32_768.0)).collect();
    let samples = samples?;
    let rate = (f64::from(spec.sample_rate) * faster).round() as u32;
    if rate == SAMPLE_RATE { Ok(samples) } else { at_48_khz(&samples, rate) }
}

fn at_48_khz(samples: &[f32], rate: u32) -> Result<Vec<f32>> {
    let mut resampler = EdgeResampler::new(Direction::Capture, rate)?;
    let (mut sound, mut at) = (Vec::new(), 0);
    let mut frame = vec![0.0; resampler.gives_at_most()];
    while let Some(input) = samples.get(at..at + resampler.takes()) {
        at += input.len();
        let written = resampler.process(input, &mut frame)?;
        sound.extend_from_slice(frame.get(..written).unwrap_or_default());
    }
    Ok(sound)
}

/// The sound again and again, for so many seconds, in whole frames.
pub fn repeated(sound: &[f32], seconds: usize) -> Vec<f32> {
    let samples = (seconds * SAMPLE_RATE as usize).next_multiple_of(FRAME_SAMPLES);
    sound.iter().copied().cycle().take(samples).collect()
}
