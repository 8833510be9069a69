//! What can go wrong with a camera, as sentences a person can act on.

use std::io;

use carillon_media::picture::PictureError;

use super::y4m::Y4mError;

/// Why there are no pictures, for the moment: the camera is tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CameraProblem {
    /// None is plugged in, or not the one that was chosen.
    #[error("no such camera is plugged in")]
    NoCamera,
    /// The system keeps the camera from this program.
    #[error("this program may not use the camera: allow it in the privacy settings of the system")]
    PermissionDenied,
    /// Another program has it.
    #[error("another program uses the camera")]
    Busy,
    /// It gives nothing that we can read.
    #[error("the camera offers no usable format")]
    Unsupported,
    /// It ended, or gave no whole picture for too long.
    #[error("the camera stopped giving pictures")]
    Stopped,
    /// The system took longer than it may to list the cameras.
    #[error("the system does not answer for cameras")]
    NoAnswer,
    /// The file of a synthetic camera.
    #[error("{0}")]
    File(String),
    /// What the system said.
    #[error("the system says of the camera: {0}")]
    System(String),
}

/// Why a camera can't be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// The size is none.
    #[error(transparent)]
    Size(#[from] PictureError),
    /// The file can't be played.
    #[error("{}: {reason}", file.display())]
    File {
        /// The file.
        file: std::path::PathBuf,
        /// What is wrong with it.
        reason: Y4mError,
    },
    /// The system refuses a thread.
    #[error("the system refuses a thread for the camera: {0}")]
    Thread(#[from] io::Error),
}

impl From<nokhwa::NokhwaError> for CameraProblem {
    /// nokhwa passes the system's errors on as text alone.
    fn from(error: nokhwa::NokhwaError) -> Self {
        let text = error.to_string();
        let says = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
        // Linux: errno. Windows: MF_E_VIDEO_RECORDING_DEVICE_PREEMPTED, MF_E_HW_MFT_FAILED_START_STREAMING;
        // E_ACCESSDENIED; MF_E_VIDEO_RECORDING_DEVICE_INVALIDATED.
        if says(&["(os error 16)", "0xC00D3EA3", "0xC00D3704"]) {
            Self::Busy
        } else if says(&["(os error 13)", "(os error 1)", "0x80070005"]) {
            Self::PermissionDenied
        } else if says(&["(os error 2)", "(os error 6)", "(os error 19)", "0xC00D3EA2"]) {
            Self::NoCamera
        } else if says(&["Failed to Fufill"]) {
            Self::Unsupported
        } else {
            Self::System(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use nokhwa::NokhwaError;

    use super::*;

    #[test]
    fn what_the_system_says_is_told_apart() {
        let of = |text: &str| CameraProblem::from(NokhwaError::OpenStreamError(text.to_owned()));
        assert_eq!(of("Device or resource busy (os error 16)"), CameraProblem::Busy);
        assert_eq!(of("Permission denied (os error 13)"), CameraProblem::PermissionDenied);
        assert_eq!(of("No such device (os error 19)"), CameraProblem::NoCamera);
        assert_eq!(of("(0xC00D3EA3)"), CameraProblem::Busy);
        assert!(matches!(of("Input/output error (os error 5)"), CameraProblem::System(_)));
    }
}
