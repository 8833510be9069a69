//! The sound of calls: what a person can set, what they are told, and the thread that does the work.
//!
//! One thread ([`engine`]) takes 10 ms from the microphone, cleans, encodes and sends them, and fills the speaker from the
//! jitter buffer and the tones. It runs while a call or a tone needs it, and holds the devices no longer than that.
//! The client's task tells it what the calls want ([`demand`]); it tells what happens ([`News`]).

mod call_sound;
mod demand;
mod desk;
mod ears;
mod echo_line;
mod engine;
mod incoming;
mod outgoing;
mod second;
mod settings;
mod trial;
mod worker;

pub use settings::{EchoControl, SoundChange, SoundSettings, SoundSetup, SoundSource};
pub use trial::SoundTest;

pub(crate) use demand::{Demand, Line};
pub(crate) use desk::DeskStatus;
pub(crate) use engine::{EndTone, Engine, News};

use carillon_wire::CallId;
use serde::Serialize;

/// Something about this machine's sound that a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "sound", rename_all = "snake_case")]
pub enum SoundNews {
    /// The device is away or failed; until it is back another one stands in, if there is one.
    Lost {
        /// Which direction.
        device: SoundDirection,
        /// What is wrong, as a sentence.
        message: String,
    },
    /// This device is in use now.
    Using {
        /// Which direction.
        device: SoundDirection,
        /// Its name.
        name: String,
    },
    /// The list of devices is another.
    DevicesChanged,
    /// The person talks, and the microphone is off.
    TalkingWhileMuted {
        /// In which call.
        call: CallId,
    },
    /// The microphone is on, and nothing at all comes from it.
    NothingFromMicrophone {
        /// In which call.
        call: CallId,
    },
}

/// In or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum SoundDirection {
    /// Sound comes in.
    Microphone,
    /// Sound goes out.
    Speaker,
}
