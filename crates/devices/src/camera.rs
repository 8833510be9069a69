//! Cameras: the machine's own, and synthetic ones behind the same struct.

mod format;
mod machine;
mod pattern;
mod problem;
mod running;
mod slot;
mod supervisor;
mod synthetic;
mod y4m;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use carillon_media::picture::bar_code;
use carillon_media::picture::{Picture, Rotation};

use crate::choice::ChoiceError;
use crate::device::DeviceId;
pub use format::{Coding, Format};
pub use machine::cameras;
pub use pattern::Pattern;
pub use problem::{CameraError, CameraProblem};
pub use slot::FrameSlot;
use supervisor::{Message, Source, Supervisor, Wish};
use synthetic::Synthetic;
pub use y4m::Y4mError;

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

/// A camera of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraDevice {
    /// The same after a restart, where the system tells cameras apart.
    pub id: DeviceId,
    /// For a person to read.
    pub name: String,
}

/// Which camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameraChoice {
    /// The first one of the machine; one that runs stays while it is there.
    Default,
    /// By id or name, as [`cameras`] tells them. While it is away there are no pictures: another camera might show
    /// what nobody meant to show.
    Named(String),
    /// A scene with a bar code: a head that moves in front of a still background.
    Pattern,
    /// A Y4M file, again and again; of one picture, a still.
    Y4m(PathBuf),
}

impl FromStr for CameraChoice {
    type Err = ChoiceError;

    /// `default`, `pattern`, a file that ends in `.y4m`; anything else is a camera.
    fn from_str(words: &str) -> Result<Self, ChoiceError> {
        Ok(match words {
            "" => return Err(ChoiceError::Empty),
            "default" => Self::Default,
            "pattern" => Self::Pattern,
            file if file.to_lowercase().ends_with(".y4m") => Self::Y4m(file.into()),
            _ => Self::Named(words.to_owned()),
        })
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

/// How a camera is.
#[derive(Debug, Clone, Default)]
pub struct CameraStatus {
    /// The camera that was opened; `None` while there is none, and with synthetic ones.
    pub device: Option<CameraDevice>,
    /// Why no pictures come. It is tried again.
    pub problem: Option<CameraProblem>,
    /// What it gives; `None` before that is known, and with synthetic ones.
    pub format: Option<Format>,
    /// Pictures so far.
    pub frames: u64,
    /// Pictures that came broken and were dropped.
    pub broken: u64,
    /// Cameras opened so far. One means that nothing ever went wrong.
    pub opened: u64,
    /// Cameras that hung and were left behind.
    pub abandoned: u64,
}

/// How long dropping a camera waits for its end.
const CLOSING: Duration = Duration::from_secs(1);

/// A camera that runs. Dropping it closes it.
#[derive(Debug)]
pub struct Camera {
    wanted: Wanted,
    inbox: Sender<Message>,
    shared: Arc<Mutex<CameraStatus>>,
    thread: Option<JoinHandle<()>>,
}

impl Camera {
    /// Opens a camera. Its pictures go into `slot`, where a newer one takes the place of one that nobody took.
    ///
    /// A device that is missing, in use elsewhere or refused is no error: it is waited for, and [`Camera::status`]
    /// tells.
    ///
    /// # Errors
    /// [`CameraError`].
    pub fn open(choice: &CameraChoice, wanted: Wanted, slot: FrameSlot) -> Result<Self, CameraError> {
        let source = source(choice, wanted)?;
        let (inbox, messages) = mpsc::channel();
        let shared = Arc::new(Mutex::new(CameraStatus::default()));
        let supervisor = Supervisor {
            inbox: messages,
            wanted,
            slot,
            shared: Arc::clone(&shared),
            wish: None,
            synthetic: None,
            running: None,
            hung: Vec::new(),
            due: Instant::now(),
            before: (0, 0),
        };
        let thread =
            thread::Builder::new().name("camera".to_owned()).spawn(move || supervisor.run(source))?;
        Ok(Self { wanted, inbox, shared, thread: Some(thread) })
    }

    /// Changes to another camera while it runs.
    ///
    /// # Errors
    /// When a file can't be played: the camera of before stays.
    pub fn switch(&self, choice: &CameraChoice) -> Result<(), CameraError> {
        let source = source(choice, self.wanted)?;
        // The supervisor lives as long as this.
        let _ = self.inbox.send(Message::Switch(source));
        Ok(())
    }

    /// How it is.
    pub fn status(&self) -> CameraStatus {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn source(choice: &CameraChoice, wanted: Wanted) -> Result<Source, CameraError> {
    Ok(match choice {
        CameraChoice::Default => Source::Device(Wish::Default),
        CameraChoice::Named(words) => Source::Device(Wish::Named(words.clone())),
        CameraChoice::Pattern => Source::Synthetic(Synthetic::pattern(wanted)?),
        CameraChoice::Y4m(file) => Source::Synthetic(Synthetic::file(file)?),
    })
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.inbox.send(Message::Stop);
        let until = Instant::now() + CLOSING;
        if let Some(thread) = self.thread.take() {
            // It may be in a list of cameras that hangs; then it ends later by itself.
            while !thread.is_finished() && Instant::now() < until {
                thread::park_timeout(Duration::from_millis(2));
            }
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
