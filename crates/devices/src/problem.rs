//! What can go wrong with sound, as sentences a person can act on.

use std::path::PathBuf;

/// Why there is no sound from or to a device, for the moment: the supervisor keeps trying.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing on this machine answers for sound.
    #[error("no sound server runs on this machine: start PulseAudio or PipeWire")]
    NoServer,
    /// There is a server, but no device of this kind.
    #[error("no such device is plugged in")]
    NoDevice,
    /// The system keeps the device from this program.
    #[error("this program may not use the device: allow it in the privacy settings of the system")]
    PermissionDenied,
    /// Another program has it for itself.
    #[error("another program uses the device")]
    Busy,
    /// The device can do nothing that we can use.
    #[error("the device offers no usable format: {0}")]
    Unsupported(String),
    /// The sound system took longer than it may.
    #[error("the sound system does not answer")]
    NoAnswer,
    /// A stream ended, or delivered nothing for too long.
    #[error("the device stopped")]
    Stopped,
    /// The file of a synthetic device.
    #[error("{0}")]
    File(String),
    /// What the system said.
    #[error("the sound system says: {0}")]
    System(String),
}

/// Why a microphone or a speaker can't be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// A WAV file can't be read or written.
    #[error("{}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system refused a thread.
    #[error("no thread for sound: {0}")]
    Thread(#[from] std::io::Error),
    /// The devices could not be listed.
    #[error(transparent)]
    Device(#[from] Problem),
    /// The supervisor is gone.
    #[error("sound was shut down")]
    ShutDown,
}

impl From<cpal::Error> for Problem {
    fn from(error: cpal::Error) -> Self {
        use cpal::ErrorKind as Kind;
        // WASAPI passes E_ACCESSDENIED on as text; it is what the privacy settings answer.
        if cfg!(windows) && error.to_string().contains("0x80070005") {
            return Self::PermissionDenied;
        }
        match error.kind() {
            Kind::PermissionDenied => Self::PermissionDenied,
            Kind::DeviceBusy => Self::Busy,
            Kind::DeviceNotAvailable => Self::NoDevice,
            Kind::HostUnavailable => Self::NoServer,
            Kind::StreamInvalidated => Self::Stopped,
            Kind::UnsupportedConfig | Kind::UnsupportedOperation => Self::Unsupported(error.to_string()),
            _ => Self::System(error.to_string()),
        }
    }
}
