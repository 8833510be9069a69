//! What the two say, and where what they hear goes.

use std::io;
use std::path::{Path, PathBuf};

use carillon_client::{EchoControl, SoundChange};
use carillon_link::End;

use crate::args::Loopback;

/// Two people reading sentences of the Harvard list (IEEE 297-1969), 12 s, spoken by espeak-ng.
const SPEECH: &[u8] = include_bytes!("../../../assets/speech.wav");

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Calls.
    Ada,
    /// Is called.
    Bob,
}

impl Who {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ada => "ada",
            Self::Bob => "bob",
        }
    }

    pub(super) const fn end(self) -> End {
        match self {
            Self::Ada => End::A,
            Self::Bob => End::B,
        }
    }
}

/// The files of a run.
pub(super) struct Studio {
    /// What Ada says, if it is a file.
    pub(super) speech: Option<PathBuf>,
    /// What each heard.
    records: PathBuf,
    ada_says: String,
}

impl Studio {
    /// Makes the files that are needed. What was heard goes into the folder that was named, else into `home`.
    pub(super) fn open(how: &Loopback, home: &Path) -> io::Result<Self> {
        let records = how.record.clone().unwrap_or_else(|| home.join("heard"));
        std::fs::create_dir_all(&records)?;
        let (speech, ada_says) = match &how.microphone {
            Some(words) => (words.strip_prefix("wav:").map(PathBuf::from), words.clone()),
            None => {
                let file = home.join("speech.wav");
                std::fs::write(&file, SPEECH)?;
                let words = format!("wav:{}", file.display());
                (Some(file), words)
            }
        };
        Ok(Self { speech, records, ada_says })
    }

    /// Where what somebody heard is.
    pub(super) fn record(&self, who: Who) -> PathBuf {
        self.records.join(format!("{}.wav", who.name()))
    }

    /// What somebody says and where they hear it.
    pub(super) fn sound(&self, who: Who, how: &Loopback) -> SoundChange {
        let microphone = match who {
            Who::Ada => self.ada_says.clone(),
            Who::Bob => "chirps".to_owned(),
        };
        SoundChange {
            microphone: Some(microphone),
            speaker: Some(format!("wav:{}", self.record(who).display())),
            // There is no air between the two, so there is nothing to remove, and what looks for it harms the voice.
            echo: Some(how.echo_control.map_or(EchoControl::Off, EchoControl::from)),
            noise: how.noise_control,
            // A level that changes is no fault of the line.
            gain: Some(false),
            volume: None,
            low_data: how.low_data.then_some(true),
        }
    }

    /// The sound of a file, mono.
    ///
    /// # Errors
    /// When there is no such sound.
    pub(super) fn read(file: &Path) -> Result<Sound, hound::Error> {
        Self::decode(hound::WavReader::open(file)?)
    }

    fn decode<R: io::Read>(mut reader: hound::WavReader<R>) -> Result<Sound, hound::Error> {
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
        Ok(Sound { rate: spec.sample_rate.max(1), samples: mono })
    }
}

/// Mono sound.
pub(super) struct Sound {
    pub(super) rate: u32,
    pub(super) samples: Vec<f32>,
}

impl Sound {
    /// The sample at this time in an endless repetition, at 48 kHz by straight lines between samples: good enough for
    /// what a score looks at, which is below 8 kHz.
    pub(super) fn looped(&self, seconds: f64) -> f32 {
        if self.samples.is_empty() || seconds < 0.0 {
            return 0.0;
        }
        let at = (seconds * f64::from(self.rate)) % self.samples.len() as f64;
        let (whole, part) = (at.floor() as usize % self.samples.len(), (at.fract()) as f32);
        let next = (whole + 1) % self.samples.len();
        self.samples[whole].mul_add(1.0 - part, self.samples[next] * part)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn the_spoken_text_is_speech_at_16_khz() {
        let sound = Studio::decode(hound::WavReader::new(Cursor::new(SPEECH)).unwrap()).unwrap();
        assert_eq!(sound.rate, 16_000);
        assert!((10.0..15.0).contains(&(sound.samples.len() as f64 / 16_000.0)));
    }

    #[test]
    fn a_sound_repeats_without_end() {
        let sound = Sound { rate: 2, samples: vec![0.0, 1.0, 0.0, -1.0] };
        let at = [0.0, 0.25, 0.5, 1.5, 2.0, 2.5, 1e6 + 0.5].map(|seconds| sound.looped(seconds));
        assert_eq!(at, [0.0, 0.5, 1.0, -1.0, 0.0, 1.0, 1.0]);
        assert_eq!(sound.looped(-1.0), 0.0);
    }
}
