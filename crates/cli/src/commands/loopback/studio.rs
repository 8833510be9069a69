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
}

#[cfg(test)]
mod tests {
    use carillon_measure::recording::Recording;

    use super::*;

    #[test]
    fn the_spoken_text_is_speech_at_16_khz() {
        let sound = Recording::parse(SPEECH).unwrap();
        assert_eq!(sound.rate, 16_000);
        assert!((10.0..15.0).contains(&(sound.samples.len() as f64 / 16_000.0)));
    }
}
