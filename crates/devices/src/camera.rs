//! Cameras: the machine's own, and synthetic ones behind the same struct.

pub mod bar_code;
mod pattern;
mod slot;

use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use carillon_media::picture::{Picture, PicturePool, Rotation};

use crate::choice::ChoiceError;
pub use pattern::Pattern;
pub use slot::FrameSlot;

/// A picture off a camera.
#[derive(Debug, Clone)]
pub struct CameraFrame {
    /// What is to be seen.
    pub picture: Arc<Picture>,
    /// When it was taken.
    pub captured: Instant,
    /// The turn that it needs to be upright.
    pub rotation: Rotation,
}

/// Which camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameraChoice {
    /// A scene with a bar code: a head that moves in front of a still background.
    Pattern,
}

impl FromStr for CameraChoice {
    type Err = ChoiceError;

    /// `pattern`.
    fn from_str(words: &str) -> Result<Self, ChoiceError> {
        match words {
            "" => Err(ChoiceError::Empty),
            "pattern" => Ok(Self::Pattern),
            _ => Err(ChoiceError::NoCamera),
        }
    }
}

/// What a camera is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// In pixels, even.
    pub width: u32,
    /// In pixels, even.
    pub height: u32,
    /// Pictures a second.
    pub frame_rate: u32,
}

/// Why a camera gives no pictures.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// The size is none.
    #[error(transparent)]
    Size(#[from] carillon_media::picture::PictureError),
    /// The system refuses a thread.
    #[error("the system refuses a thread for the camera: {0}")]
    Thread(#[from] io::Error),
}

/// A camera that runs. Dropping it closes it.
#[derive(Debug)]
pub struct Camera {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Camera {
    /// Opens a camera. Its pictures go into `slot`, where a newer one takes the place of one that nobody took.
    ///
    /// # Errors
    /// [`CameraError`].
    pub fn open(choice: &CameraChoice, wanted: Wanted, slot: FrameSlot) -> Result<Self, CameraError> {
        match choice {
            CameraChoice::Pattern => Self::pattern(wanted, slot),
        }
    }

    fn pattern(wanted: Wanted, slot: FrameSlot) -> Result<Self, CameraError> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let frame_rate = wanted.frame_rate.max(1);
        let pattern = Pattern::new(wanted.width, wanted.height)?;
        let mut pool = PicturePool::new();
        let thread = thread::Builder::new().name("camera".to_owned()).spawn(move || {
            // Frame n is taken at n over the rate: the clock never drifts, and a machine that is behind leaves frames out.
            let start = Instant::now();
            let mut number = 0;
            while !stopped.load(Relaxed) {
                let due = start + Duration::from_secs(1) * number / frame_rate;
                let left = due.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    thread::park_timeout(left);
                    continue;
                }
                let picture = pool.fill(|picture| {
                    pattern.draw(picture, bar_code::Mark { number, micros: epoch_micros(due) }, frame_rate);
                });
                slot.put(CameraFrame { picture, captured: due, rotation: Rotation::None });
                let now = start.elapsed().as_secs_f64() * f64::from(frame_rate);
                // Some weeks of frames.
                number = (number + 1).max(now as u32);
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// A moment in microseconds since 1970: what bar codes carry.
pub fn epoch_micros(at: Instant) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(0);
    micros(now).wrapping_sub(micros(at.elapsed()))
}

#[cfg(test)]
mod tests;
