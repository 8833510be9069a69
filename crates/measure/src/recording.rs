//! Sound out of WAV files.

use std::io;
use std::path::Path;

/// Why there is no such sound: no file, no WAV file, or a broken one.
pub type RecordingError = hound::Error;

/// Mono sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Samples in a second; never 0.
    pub rate: u32,
    /// From -1 to 1. The channels of a file are averaged.
    pub samples: Vec<f32>,
}

impl Recording {
    /// The sound of a file.
    ///
    /// # Errors
    /// When there is no such sound.
    pub fn read(file: &Path) -> Result<Self, RecordingError> {
        Self::decode(hound::WavReader::open(file)?)
    }

    /// The same from bytes.
    ///
    /// # Errors
    /// When they are no sound.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordingError> {
        Self::decode(hound::WavReader::new(bytes)?)
    }

    fn decode<R: io::Read>(mut reader: hound::WavReader<R>) -> Result<Self, RecordingError> {
        let spec = reader.spec();
        let samples: Vec<f32> = match spec.sample_format {
            hound::SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
            hound::SampleFormat::Int => {
                let full = (1u64 << (spec.bits_per_sample.clamp(1, 32) - 1)) as f32;
                reader
                    .samples::<i32>()
                    .map(|sample| Ok(sample? as f32 / full))
                    .collect::<Result<_, hound::Error>>()?
            }
        };
        let channels = usize::from(spec.channels.max(1));
        let mono =
            samples.chunks(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect();
        Ok(Self { rate: spec.sample_rate.max(1), samples: mono })
    }

    /// The sample at this time, in seconds, in an endless repetition, by straight lines between samples: good enough for
    /// what a score looks at, which is below 8 kHz. Silence before the start.
    pub fn looped(&self, seconds: f64) -> f32 {
        if self.samples.is_empty() || seconds < 0.0 {
            return 0.0;
        }
        let at = (seconds * f64::from(self.rate)) % self.samples.len() as f64;
        let (whole, part) = (at.floor() as usize % self.samples.len(), (at.fract()) as f32);
        let sample = |index: usize| self.samples.get(index % self.samples.len()).copied().unwrap_or(0.0);
        sample(whole).mul_add(1.0 - part, sample(whole + 1) * part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_repeats_without_end() {
        let sound = Recording { rate: 2, samples: vec![0.0, 1.0, 0.0, -1.0] };
        let at = [0.0, 0.25, 0.5, 1.5, 2.0, 2.5, 1e6 + 0.5].map(|seconds| sound.looped(seconds));
        assert_eq!(at, [0.0, 0.5, 1.0, -1.0, 0.0, 1.0, 1.0]);
        assert_eq!(sound.looped(-1.0), 0.0);
    }

    #[test]
    fn both_kinds_of_samples_and_several_channels_are_read() {
        for (sample_format, bits_per_sample) in
            [(hound::SampleFormat::Float, 32), (hound::SampleFormat::Int, 16), (hound::SampleFormat::Int, 24)]
        {
            let spec = hound::WavSpec { channels: 2, sample_rate: 8_000, bits_per_sample, sample_format };
            let mut bytes = io::Cursor::new(Vec::new());
            let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
            for sample in [0.5, 0.0, -1.0, -1.0] {
                match sample_format {
                    hound::SampleFormat::Float => writer.write_sample(sample as f32).unwrap(),
                    hound::SampleFormat::Int => {
                        let full = f64::from(1 << (bits_per_sample - 1));
                        writer.write_sample((sample * full) as i32).unwrap();
                    }
                }
            }
            writer.finalize().unwrap();
            let sound = Recording::parse(bytes.get_ref()).unwrap();
            assert_eq!(sound, Recording { rate: 8_000, samples: vec![0.25, -1.0] });
        }
    }

    #[test]
    fn what_is_no_sound_is_refused() {
        assert!(Recording::parse(b"RIFF").is_err());
        assert!(Recording::read(Path::new("/no/such/file.wav")).is_err());
    }
}
