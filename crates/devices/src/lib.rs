//! Microphones, speakers and cameras: the machine's own, and synthetic ones behind the same structs.
//!
//! Sound, in four steps:
//! - [`sound_devices`] lists what the machine has; [`MicrophoneChoice`] and [`SpeakerChoice`] say what to open.
//! - [`Sound`] owns one thread that looks at the devices once a second, follows the default, and replaces a stream
//!   that ended, failed or went silent. What happens is told as [`SoundEvent`]s.
//! - [`Microphone`] and [`Speaker`] are the handles: switch, level, status. Dropping one closes the device.
//! - [`MicrophoneFeed`] and [`SpeakerFeed`] are the ends for the audio worker thread: 48 kHz mono, 10 ms at a time,
//!   without a lock. They live through every change of device.
//!
//! A device's callback only moves samples through a ring and sets atomics. It never allocates, locks or logs.

#![deny(unsafe_code)]

mod callback;
pub mod camera;
mod chirp;
mod choice;
mod clocked;
mod convert;
mod device;
mod feed;
mod hand_fed;
mod host;
mod keeper;
mod line;
mod meter;
mod permission;
mod problem;
mod running;
mod sound;
mod supervisor;
#[cfg(test)]
mod tests;
mod wav;

pub use chirp::{CHIRP_EVERY, chirp, find_chirps};
pub use choice::{ChoiceError, MicrophoneChoice, SpeakerChoice};
pub use device::{DeviceId, SoundDevice, SoundKind};
pub use feed::{MicrophoneFeed, SpeakerFeed};
pub use hand_fed::{HandFedMicrophone, HandFedSpeaker};
pub use host::sound_devices;
pub use meter::Level;
pub use problem::{Problem, SoundError};
pub use sound::{Microphone, Sound, SoundEvent, SoundStatus, Speaker};
