//! Whether the system lets this program hear the microphone and see by the camera.

use crate::camera::CameraProblem;
use crate::problem::Problem;

/// Asks macOS. A microphone that was refused would deliver silence there, not an error.
///
/// # Errors
/// [`Problem::PermissionDenied`]. Where nobody was asked yet, opening the microphone asks.
#[cfg(target_os = "macos")]
#[expect(unsafe_code, reason = "AVFoundation is reached by message sends")]
pub(crate) fn microphone() -> Result<(), Problem> {
    use objc2_av_foundation::{AVAuthorizationStatus, AVCaptureDevice, AVMediaTypeAudio};
    // SAFETY: a constant of the framework, set before the program runs.
    let Some(audio) = (unsafe { AVMediaTypeAudio }) else { return Ok(()) };
    // SAFETY: a class method without side effects, allowed on every thread, with one of the two media types that it
    // takes.
    let status = unsafe { AVCaptureDevice::authorizationStatusForMediaType(audio) };
    if status == AVAuthorizationStatus::Denied || status == AVAuthorizationStatus::Restricted {
        return Err(Problem::PermissionDenied);
    }
    Ok(())
}

/// Elsewhere the answer comes from opening the device.
///
/// # Errors
/// None.
#[cfg(not(target_os = "macos"))]
#[expect(clippy::unnecessary_wraps, reason = "macOS can refuse")]
pub(crate) fn microphone() -> Result<(), Problem> {
    Ok(())
}

/// Asks macOS. Where nobody was asked yet, a person is asked now, and the camera is tried again until they answered.
///
/// # Errors
/// [`CameraProblem::PermissionDenied`].
#[cfg(target_os = "macos")]
#[expect(unsafe_code, reason = "AVFoundation is reached by message sends")]
pub(crate) fn camera() -> Result<(), CameraProblem> {
    use objc2_av_foundation::{AVAuthorizationStatus, AVCaptureDevice, AVMediaTypeVideo};
    // SAFETY: a constant of the framework, set before the program runs.
    let Some(video) = (unsafe { AVMediaTypeVideo }) else { return Ok(()) };
    // SAFETY: as above for the microphone.
    let status = unsafe { AVCaptureDevice::authorizationStatusForMediaType(video) };
    if status == AVAuthorizationStatus::Authorized {
        return Ok(());
    }
    if status == AVAuthorizationStatus::NotDetermined {
        static ASKED: std::sync::Once = std::sync::Once::new();
        ASKED.call_once(|| nokhwa::nokhwa_initialize(|_| ()));
    }
    Err(CameraProblem::PermissionDenied)
}

/// Elsewhere the answer comes from opening the camera.
///
/// # Errors
/// None.
#[cfg(not(target_os = "macos"))]
#[expect(clippy::unnecessary_wraps, reason = "macOS can refuse")]
pub(crate) fn camera() -> Result<(), CameraProblem> {
    Ok(())
}
