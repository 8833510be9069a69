//! Sound from and into WAV files.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use carillon_media::SAMPLE_RATE;

use crate::convert;
use crate::problem::SoundError;

/// The longest recording that is read: an hour at 48 kHz. It lies in memory as a whole.
const LONGEST: usize = 3_600 * SAMPLE_RATE as usize;

fn fault(file: &Path, reason: impl ToString) -> SoundError {
    SoundError::File { file: file.to_owned(), reason: reason.to_string() }
}

/// Reads a file as 48 kHz mono. Channels are averaged.
///
/// # Errors
/// When it is no WAV file of whole numbers or floats, is empty, too long, or has a rate that nothing plays.
pub(crate) fn read(file: &Path) -> Result<Vec<f32>, SoundError> {
    let mut reader = hound::WavReader::open(file).map_err(|error| fault(file, error))?;
    let spec = reader.spec();
    if !(4_000..=384_000).contains(&spec.sample_rate) {
        return Err(fault(file, format!("a rate of {} Hz is none of sound", spec.sample_rate)));
    }
    let channels = usize::from(spec.channels.max(1));
    if reader.duration() as usize > LONGEST {
        return Err(fault(file, "longer than an hour"));
    }
    let samples: Result<Vec<f32>, _> = match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().collect(),
        hound::SampleFormat::Int => {
            let full = (1u64 << spec.bits_per_sample.clamp(1, 32).saturating_sub(1)) as f32;
            reader.samples::<i32>().map(|sample| sample.map(|sample| sample as f32 / full)).collect()
        }
    };
    let samples = samples.map_err(|error| fault(file, error))?;
    let mono: Vec<f32> = samples
        .chunks_exact(channels)
        .map(|frame| frame.iter().sum::<f32>() / channels as f32)
        // A file may hold anything.
        .map(|sample| if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 })
        .collect();
    if mono.is_empty() {
        return Err(fault(file, "no sound in it"));
    }
    convert::recording(mono, spec.sample_rate).map_err(|problem| fault(file, problem))
}

/// A recording in the making: 48 kHz mono, 16 bit.
pub(crate) struct Recording {
    writer: hound::WavWriter<BufWriter<File>>,
    file: PathBuf,
    unflushed: u32,
}

impl Recording {
    pub(crate) fn create(file: &Path) -> Result<Self, SoundError> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let writer = hound::WavWriter::create(file, spec).map_err(|error| fault(file, error))?;
        Ok(Self { writer, file: file.to_owned(), unflushed: 0 })
    }

    /// Appends samples. Once a second the header is brought up to date, so that a program that is killed leaves a
    /// file that can be played.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn write(&mut self, samples: &[f32]) -> Result<(), SoundError> {
        for sample in samples {
            let whole = (sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16;
            self.writer.write_sample(whole).map_err(|error| fault(&self.file, error))?;
        }
        self.unflushed += samples.len() as u32;
        if self.unflushed >= SAMPLE_RATE {
            self.unflushed = 0;
            self.writer.flush().map_err(|error| fault(&self.file, error))?;
        }
        Ok(())
    }

    /// Writes the rest.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn finish(self) -> Result<(), SoundError> {
        let file = self.file;
        self.writer.finalize().map_err(|error| fault(&file, error))
    }
}
