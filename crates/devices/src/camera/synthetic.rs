//! Cameras that are none: a thread paints their pictures by a clock that never drifts.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use std::fs::File;

use carillon_media::picture::{PicturePool, Rotation};

use super::y4m::{Y4m, Y4mError};
use super::{CameraError, CameraFrame, CameraProblem, FrameSlot, Pattern, Wanted, bar_code, epoch_micros};

/// What is painted.
#[derive(Debug)]
enum Scene {
    Pattern(Box<Pattern>),
    File(Box<Y4m<File>>),
}

/// A synthetic camera before it runs: what can be wrong with it shows here.
#[derive(Debug)]
pub(super) struct Synthetic {
    scene: Scene,
    /// Pictures in `.1` seconds.
    rate: (u32, u32),
}

impl Synthetic {
    /// # Errors
    /// [`CameraError::Size`].
    pub(super) fn pattern(wanted: Wanted) -> Result<Self, CameraError> {
        let pattern = Pattern::new(wanted.width, wanted.height)?;
        Ok(Self { scene: Scene::Pattern(Box::new(pattern)), rate: (wanted.frame_rate.max(1), 1) })
    }

    /// # Errors
    /// [`CameraError::File`].
    pub(super) fn file(file: &Path) -> Result<Self, CameraError> {
        let y4m = Y4m::open(file).map_err(|reason| CameraError::File { file: file.to_owned(), reason })?;
        let rate = y4m.rate();
        Ok(Self { scene: Scene::File(Box::new(y4m)), rate })
    }

    /// Lets it run.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn start(self, slot: FrameSlot) -> io::Result<Clocked> {
        let stop = Arc::new(AtomicBool::new(false));
        let frames = Arc::new(AtomicU64::new(0));
        let problem = Arc::new(std::sync::OnceLock::new());
        let (stopped, counted, told) = (Arc::clone(&stop), Arc::clone(&frames), Arc::clone(&problem));
        let thread = thread::Builder::new().name("synthetic camera".to_owned()).spawn(move || {
            if let Err(error) = self.run(&slot, &stopped, &counted) {
                let _ = told.set(CameraProblem::File(error.to_string()));
            }
        })?;
        Ok(Clocked { stop, frames, problem, thread: Some(thread) })
    }

    fn run(mut self, slot: &FrameSlot, stop: &AtomicBool, frames: &AtomicU64) -> Result<(), Y4mError> {
        let (count, seconds) = self.rate;
        let mut pool = PicturePool::new();
        // Frame n is taken at n over the rate: the clock never drifts, and a machine that is behind leaves frames out.
        let start = Instant::now();
        let mut number = 0;
        while !stop.load(Relaxed) {
            let due = start + Duration::from_secs(u64::from(seconds)) * number / count;
            let left = due.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                thread::park_timeout(left);
                continue;
            }
            let mut painted = Ok(());
            let picture = pool.fill(|picture| match &mut self.scene {
                Scene::Pattern(pattern) => {
                    let mark = bar_code::Mark { number, micros: epoch_micros(due) };
                    pattern.draw(picture, mark, count);
                }
                Scene::File(file) => painted = file.draw(picture),
            });
            painted?;
            slot.put(CameraFrame { picture, captured: due, rotation: Rotation::None });
            frames.fetch_add(1, Relaxed);
            let now = start.elapsed().as_secs_f64() * f64::from(count) / f64::from(seconds);
            // Some weeks of frames.
            number = (number + 1).max(now as u32);
        }
        Ok(())
    }
}

/// A synthetic camera that runs. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Clocked {
    stop: Arc<AtomicBool>,
    frames: Arc<AtomicU64>,
    problem: Arc<std::sync::OnceLock<CameraProblem>>,
    thread: Option<JoinHandle<()>>,
}

impl Clocked {
    pub(super) fn frames(&self) -> u64 {
        self.frames.load(Relaxed)
    }

    pub(super) fn problem(&self) -> Option<CameraProblem> {
        self.problem.get().cloned()
    }
}

impl Drop for Clocked {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
