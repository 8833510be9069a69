//! What a person can set about sound. Kept with the profile.

use std::time::Duration;

use carillon_devices::{MicrophoneChoice, SpeakerChoice};
use serde::{Deserialize, Serialize};

use crate::error::{ClientError, LocalCode};

/// The loudest that the speaker can be set to, in per cent.
const MAX_VOLUME: u16 = 200;

/// Sound as a person has set it. The default is what suits most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct SoundSettings {
    /// `default`, or a name or id of [`crate::Client::sound_devices`], or a synthetic one (`silence`, `tone`, `chirps`,
    /// `wav:FILE`).
    pub microphone: String,
    /// `default`, or a name or id of [`crate::Client::sound_devices`], or a synthetic one (`null`, `wav:FILE`).
    pub speaker: String,
    /// Whether the other side's voice is taken out of the microphone.
    pub echo: EchoControl,
    /// Whether noise is taken out of the microphone.
    pub noise: bool,
    /// Whether a soft voice is made louder and a loud one softer.
    pub gain: bool,
    /// How loud the speaker is, in per cent of the sound as it came; at most 200.
    pub volume: u16,
    /// Spends as little data as a voice can be understood with.
    pub low_data: bool,
}

impl Default for SoundSettings {
    fn default() -> Self {
        Self {
            microphone: "default".to_owned(),
            speaker: "default".to_owned(),
            echo: EchoControl::Auto,
            noise: true,
            gain: true,
            volume: 100,
            low_data: false,
        }
    }
}

/// When echo is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum EchoControl {
    /// Where there can be one: not where both devices sit on the head.
    #[default]
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// A change of some settings; what is missing stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
#[serde(default)]
pub struct SoundChange {
    /// See [`SoundSettings::microphone`].
    pub microphone: Option<String>,
    /// See [`SoundSettings::speaker`].
    pub speaker: Option<String>,
    /// See [`SoundSettings::echo`].
    pub echo: Option<EchoControl>,
    /// See [`SoundSettings::noise`].
    pub noise: Option<bool>,
    /// See [`SoundSettings::gain`].
    pub gain: Option<bool>,
    /// See [`SoundSettings::volume`].
    pub volume: Option<u16>,
    /// See [`SoundSettings::low_data`].
    pub low_data: Option<bool>,
}

impl SoundSettings {
    /// These settings with a change.
    ///
    /// # Errors
    /// `invalid`, with a sentence, when a device is named by nothing or the volume is above 200.
    pub fn with(&self, change: SoundChange) -> Result<Self, ClientError> {
        let changed = Self {
            microphone: change.microphone.unwrap_or_else(|| self.microphone.clone()),
            speaker: change.speaker.unwrap_or_else(|| self.speaker.clone()),
            echo: change.echo.unwrap_or(self.echo),
            noise: change.noise.unwrap_or(self.noise),
            gain: change.gain.unwrap_or(self.gain),
            volume: change.volume.unwrap_or(self.volume),
            low_data: change.low_data.unwrap_or(self.low_data),
        };
        changed.choices()?;
        if changed.volume > MAX_VOLUME {
            let message = format!("The volume is between 0 and {MAX_VOLUME} per cent.");
            return Err(ClientError::saying(LocalCode::Invalid, message));
        }
        Ok(changed)
    }

    /// What the words for the devices mean.
    pub(crate) fn choices(&self) -> Result<(MicrophoneChoice, SpeakerChoice), ClientError> {
        let wrong = |error: carillon_devices::ChoiceError| {
            ClientError::saying(LocalCode::Invalid, format!("Which device? {error}."))
        };
        Ok((self.microphone.parse().map_err(wrong)?, self.speaker.parse().map_err(wrong)?))
    }
}

/// What a client does about sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SoundSetup {
    /// Nothing: calls are silent, no device is touched.
    Off,
    /// Calls have sound.
    On {
        /// Other settings than the profile's, for this time alone.
        change: SoundChange,
        /// Where the sound that is sent comes from.
        source: SoundSource,
    },
}

impl Default for SoundSetup {
    fn default() -> Self {
        Self::On { change: SoundChange::default(), source: SoundSource::default() }
    }
}

/// Where the sound that is sent comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SoundSource {
    /// The microphone of the settings.
    #[default]
    Microphone,
    /// What the other side said, this long ago: a test number.
    Echo(Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_touches_only_what_it_names() {
        let before = SoundSettings::default();
        let change = SoundChange { volume: Some(70), noise: Some(false), ..SoundChange::default() };
        let after = before.with(change).unwrap();
        assert_eq!(after, SoundSettings { volume: 70, noise: false, ..before });
    }

    #[test]
    fn nonsense_is_refused_with_a_sentence_and_changes_nothing() {
        let settings = SoundSettings::default();
        for change in [
            SoundChange { volume: Some(201), ..SoundChange::default() },
            SoundChange { microphone: Some(String::new()), ..SoundChange::default() },
            SoundChange { speaker: Some("wav:".to_owned()), ..SoundChange::default() },
        ] {
            let error = settings.with(change).unwrap_err();
            assert!(error.is_local(LocalCode::Invalid), "{error:?}");
        }
    }

    #[test]
    fn settings_of_an_older_version_are_filled_up() {
        let kept: SoundSettings = serde_json::from_str(r#"{"microphone":"desk"}"#).unwrap();
        assert_eq!(kept, SoundSettings { microphone: "desk".to_owned(), ..SoundSettings::default() });
    }
}
