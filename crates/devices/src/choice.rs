//! What to open, as a person says it on the command line.

use std::path::PathBuf;
use std::str::FromStr;

/// Why words don't name a microphone or a speaker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// Nothing was said.
    #[error("say `default`, or the name or id of a device as `carillon devices` shows it")]
    Empty,
    /// `wav:` without a file.
    #[error("`wav:` wants a file behind it, as in `wav:voice.wav`")]
    NoFile,
}

/// Where the sound of this end comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MicrophoneChoice {
    /// What the system says, followed when it changes.
    Default,
    /// A device by id or name, as [`crate::sound_devices`] tells them. While it is away, the default.
    Named(String),
    /// A WAV file, again and again.
    Wav(PathBuf),
    /// 440 Hz.
    Tone,
    /// A short chirp every [`crate::CHIRP_EVERY`], for measurements.
    Chirps,
    /// Nothing, in time.
    Silence,
}

/// Where the sound of the other end goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpeakerChoice {
    /// What the system says, followed when it changes.
    Default,
    /// A device by id or name, as [`crate::sound_devices`] tells them. While it is away, the default.
    Named(String),
    /// Into a WAV file, 48 kHz mono, 16 bit.
    Wav(PathBuf),
    /// Nowhere, in time.
    Null,
}

/// The file of `wav:FILE`; `None` if the words are something else.
fn wav(words: &str) -> Option<Result<PathBuf, ChoiceError>> {
    let file = words.strip_prefix("wav:")?;
    Some(if file.is_empty() { Err(ChoiceError::NoFile) } else { Ok(PathBuf::from(file)) })
}

impl FromStr for MicrophoneChoice {
    type Err = ChoiceError;

    /// `default`, `tone`, `chirps`, `silence`, `wav:FILE`; anything else is a device.
    fn from_str(words: &str) -> Result<Self, ChoiceError> {
        Ok(match words {
            "" => return Err(ChoiceError::Empty),
            "default" => Self::Default,
            "tone" => Self::Tone,
            "chirps" => Self::Chirps,
            "silence" => Self::Silence,
            _ => match wav(words) {
                Some(file) => Self::Wav(file?),
                None => Self::Named(words.to_owned()),
            },
        })
    }
}

impl FromStr for SpeakerChoice {
    type Err = ChoiceError;

    /// `default`, `null`, `wav:FILE`; anything else is a device.
    fn from_str(words: &str) -> Result<Self, ChoiceError> {
        Ok(match words {
            "" => return Err(ChoiceError::Empty),
            "default" => Self::Default,
            "null" => Self::Null,
            _ => match wav(words) {
                Some(file) => Self::Wav(file?),
                None => Self::Named(words.to_owned()),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_command_line_are_understood() {
        let microphone = |words: &str| words.parse::<MicrophoneChoice>();
        assert_eq!(microphone("default"), Ok(MicrophoneChoice::Default));
        assert_eq!(microphone("chirps"), Ok(MicrophoneChoice::Chirps));
        assert_eq!(microphone("wav:a b.wav"), Ok(MicrophoneChoice::Wav("a b.wav".into())));
        assert_eq!(microphone("wav:"), Err(ChoiceError::NoFile));
        assert_eq!(microphone(""), Err(ChoiceError::Empty));
        assert_eq!(microphone("null"), Ok(MicrophoneChoice::Named("null".to_owned())));
        assert_eq!("null".parse(), Ok(SpeakerChoice::Null));
        assert_eq!("pulseaudio:spk_a".parse(), Ok(SpeakerChoice::Named("pulseaudio:spk_a".to_owned())));
    }
}
