//! What the pages are told.

use carillon_client::{CallState, ClientError, Quality, SoundDeviceInfo, SoundNews, SoundSettings, State};
use carillon_wire::frame::Topic;
use carillon_wire::rest::SignUpMode;
use carillon_wire::{AccountId, Handle, Millis};
use serde::{Deserialize, Serialize};

use crate::preferences::Preferences;

/// Everything that a page needs when it loads, or loads anew.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Snapshot {
    /// Where this profile stands.
    pub standing: Standing,
    /// The account, the line, the calls that are not over, who may call.
    pub client: State,
    /// The call that ended last, until the person has seen it or another one begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub ended: Option<CallState>,
    /// How the person wants the app.
    pub preferences: Preferences,
    /// Whether nobody is to be disturbed at this moment.
    pub quiet: bool,
    /// The server runs inside this app.
    pub server_here: bool,
    /// Whom to call to hear oneself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub echo: Option<Handle>,
    /// How sound is set.
    pub sound: SoundSettings,
    /// The camera.
    pub camera: Camera,
    /// What this machine can do.
    pub machine: Machine,
}

/// Where a profile stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nobody has signed up, or the first start is not over.
    FirstStart,
    /// There is an account.
    SignedIn,
    /// The server does not take this device any longer; its keys are removed.
    Revoked,
}

/// The camera of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Camera {
    /// Its id; absent when no camera is to be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub chosen: Option<String>,
    /// It is open at this moment: the person is seen.
    pub on: bool,
    /// Why it gives nothing, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub problem: Option<String>,
}

/// What this machine can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Machine {
    /// `macos`, `windows` or `linux`.
    pub system: String,
    /// The keys that mute from anywhere, as a person reads them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub mute_keys: Option<String>,
    /// There is a place for an icon beside the clock.
    pub tray: bool,
    /// The language of the system, `en` or `fr`.
    pub language: String,
}

/// A server was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ServerFound {
    /// Its address.
    pub address: String,
    /// It runs inside this app.
    pub here: bool,
    /// Who may sign up.
    pub sign_up: SignUpMode,
}

/// The words that restore the account. Whoever has them is this person.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Recovery {
    /// In order.
    pub words: Vec<String>,
}

impl std::fmt::Debug for Recovery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recovery([redacted])")
    }
}

/// Microphones, speakers and cameras.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Devices {
    /// Microphones and speakers.
    pub sound: Vec<SoundDeviceInfo>,
    /// Cameras.
    pub cameras: Vec<NamedDevice>,
    /// Why there is no list of microphones and speakers, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub sound_problem: Option<String>,
    /// Why there is no list of cameras, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub camera_problem: Option<String>,
}

/// A device, by the id that a setting keeps and the name that a person knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct NamedDevice {
    /// The same after a restart.
    pub id: String,
    /// For a person.
    pub name: String,
}

/// Why nobody hears me.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum MicrophoneVerdict {
    /// It works: the other side should hear this.
    Works {
        /// The microphone in use.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        device: Option<String>,
    },
    /// The person is muted.
    Muted,
    /// The system does not let this app use microphones.
    NoPermission,
    /// There is no microphone.
    NoDevice,
    /// The microphone can't be used.
    Fails {
        /// Why, as a sentence.
        message: String,
    },
    /// It is open, and nothing comes from it.
    NoLevel {
        /// The microphone in use.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        device: Option<String>,
    },
    /// Another one was chosen than the one in use, which is away.
    OtherDevice {
        /// The microphone in use.
        using: String,
    },
}

/// This app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct About {
    /// Of the app.
    pub version: String,
    /// The folder with this profile's data.
    pub data: String,
    /// Crates, packages and other work of others, each with its licence.
    pub licences: Vec<Licence>,
}

/// Somebody else's work in this app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Licence {
    /// What.
    pub name: String,
    /// Which version.
    pub version: String,
    /// Under which licence, as an SPDX expression.
    pub licence: String,
}

/// Something went wrong: a stable code, and a sentence in English for where the page knows no better one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[error("{message}")]
pub struct Problem {
    /// The pages have a sentence for each in both languages.
    pub code: String,
    /// In English.
    pub message: String,
    /// When to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub retry_after: Option<Millis>,
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        Self { code: error.code.to_string(), message: error.message, retry_after: error.retry_after }
    }
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ShellEvent {
    /// Something of the snapshot is another: here is all of it.
    Snapshot {
        /// As it is now.
        now: Box<Snapshot>,
    },
    /// How good a call was in the last second.
    Quality(Quality),
    /// Loudness of the own microphone, in dB below full scale.
    Level {
        /// From −100 to 0.
        microphone_dbfs: f64,
    },
    /// Something about this machine's sound.
    Sound(SoundNews),
    /// Lists on the server changed: fetch again what is shown.
    Changed {
        /// Which.
        topics: Vec<Topic>,
    },
    /// Somebody who is watched came or went.
    Presence {
        /// Who.
        account: AccountId,
        /// Whether they can be reached.
        online: bool,
    },
    /// A link, the tray or a notification leads somewhere.
    Go {
        /// Where to.
        to: Place,
    },
}

/// A place in the main window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "place", rename_all = "snake_case")]
pub enum Place {
    /// The people I follow.
    People,
    /// A person's card.
    Person {
        /// Whose.
        handle: Handle,
    },
    /// Recent calls.
    Recent,
    /// *Privacy and safety*.
    Privacy,
}
