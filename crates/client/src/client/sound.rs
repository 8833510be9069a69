//! The sound of this machine and of calls.

use std::time::Instant;

use carillon_devices::{SoundKind, SoundStatus, sound_devices};
use serde::Serialize;
use tokio::sync::oneshot;

use super::Client;
use crate::actor::Wish;
use crate::error::{ClientError, LocalCode};
use crate::sound::{SoundChange, SoundDirection, SoundSettings};

/// A microphone or a speaker of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SoundDeviceInfo {
    /// What a setting keeps; the same after a restart.
    pub id: String,
    /// For a person.
    pub name: String,
    /// In or out.
    pub direction: SoundDirection,
    /// The system would choose it.
    pub is_default: bool,
    /// It sits on the head: with two of these there is no echo.
    pub headset: bool,
}

/// How sound is set, and what runs now.
#[derive(Debug, Clone)]
pub struct SoundState {
    /// As the person has set it.
    pub settings: SoundSettings,
    /// The microphone, while one is open.
    pub microphone: Option<EndState>,
    /// The speaker, while one is open.
    pub speaker: Option<EndState>,
}

/// An open microphone or speaker.
#[derive(Debug, Clone)]
pub struct EndState {
    /// The name of the device; none for a synthetic one, and while there is none.
    pub name: Option<String>,
    /// Why nothing runs.
    pub problem: Option<String>,
    /// When a synthetic device began: its first sample was in the air then.
    pub started: Option<Instant>,
}

impl From<SoundStatus> for EndState {
    fn from(status: SoundStatus) -> Self {
        Self {
            name: status.device.map(|device| device.name),
            problem: status.problem.map(|problem| problem.to_string()),
            started: status.started,
        }
    }
}

impl Client {
    /// The microphones and speakers of this machine.
    ///
    /// # Errors
    /// `sound`, with a sentence: no sound server runs, or it does not answer.
    pub async fn sound_devices() -> Result<Vec<SoundDeviceInfo>, ClientError> {
        let devices = tokio::task::spawn_blocking(sound_devices).await.map_err(|_| LocalCode::Stopped)?;
        let devices = devices.map_err(|error| ClientError::saying(LocalCode::Sound, format!("{error}.")))?;
        Ok(devices
            .into_iter()
            .map(|device| SoundDeviceInfo {
                id: device.id.to_string(),
                name: device.name,
                direction: match device.kind {
                    SoundKind::Microphone => SoundDirection::Microphone,
                    SoundKind::Speaker => SoundDirection::Speaker,
                },
                is_default: device.is_default,
                headset: device.headset,
            })
            .collect())
    }

    /// Changes devices, volume, echo and noise control, low data; at once, also in the midst of a call. Kept with the
    /// profile.
    ///
    /// # Errors
    /// `invalid`, with a sentence; `stopped`.
    pub async fn set_sound(&self, change: SoundChange) -> Result<SoundSettings, ClientError> {
        let (reply, answer) = oneshot::channel();
        self.wish(Wish::Sound(change, reply)).await?;
        answer.await.map_err(|_| LocalCode::Stopped)?
    }

    /// How sound is set, and what runs now.
    ///
    /// # Errors
    /// `stopped`.
    pub async fn sound_state(&self) -> Result<SoundState, ClientError> {
        let (reply, answer) = oneshot::channel();
        self.wish(Wish::SoundState(reply)).await?;
        let (settings, status) = answer.await.map_err(|_| LocalCode::Stopped)?;
        Ok(SoundState {
            settings,
            microphone: status.microphone.map(EndState::from),
            speaker: status.speaker.map(EndState::from),
        })
    }
}
