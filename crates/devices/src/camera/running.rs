//! A camera that runs on a thread of its own, and what it shares with who looks after it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::format::Format;
use super::machine::{self, Found};
use super::problem::CameraProblem;
use super::{FrameSlot, Wanted};

/// A camera that gave no picture for so long has died: reading one off it has no limit of its own.
const SILENT: Duration = Duration::from_secs(2);

/// Before its first picture it has this long: some sensors wake slowly.
const WAKING: Duration = Duration::from_secs(5);

/// How a camera fares.
#[derive(Debug)]
pub(super) struct Pulse {
    stop: AtomicBool,
    frames: AtomicU64,
    broken: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    begun: Instant,
    format: Option<Format>,
    last: Option<Instant>,
    ended: Option<CameraProblem>,
}

impl Pulse {
    fn new() -> Self {
        let state = State { begun: Instant::now(), format: None, last: None, ended: None };
        Self {
            stop: AtomicBool::new(false),
            frames: AtomicU64::new(0),
            broken: AtomicU64::new(0),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn runs(&self, format: Format) {
        self.state().format = Some(format);
    }

    pub(super) fn beat(&self, at: Instant) {
        self.frames.fetch_add(1, Relaxed);
        self.state().last = Some(at);
    }

    pub(super) fn was_broken(&self) {
        self.broken.fetch_add(1, Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames.load(Relaxed)
    }

    pub(super) fn broken(&self) -> u64 {
        self.broken.load(Relaxed)
    }

    pub(super) fn format(&self) -> Option<Format> {
        self.state().format
    }

    /// Why it is over, if it is.
    pub(super) fn fault(&self, now: Instant) -> Option<CameraProblem> {
        let state = self.state();
        if state.ended.is_some() {
            return state.ended.clone();
        }
        let (since, limit) = state.last.map_or((state.begun, WAKING), |last| (last, SILENT));
        (now.saturating_duration_since(since) > limit).then_some(CameraProblem::Stopped)
    }
}

/// A camera of the machine. Dropping it stops it without waiting for it.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) found: Found,
    pub(super) pulse: Arc<Pulse>,
    thread: JoinHandle<()>,
}

impl Running {
    /// Starts a camera. Whether it gives pictures shows later.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn start(found: Found, wanted: Wanted, slot: FrameSlot) -> io::Result<Self> {
        let pulse = Arc::new(Pulse::new());
        let (own, index) = (Arc::clone(&pulse), found.index.clone());
        let thread = thread::Builder::new().name("camera device".to_owned()).spawn(move || {
            let ended = machine::run(&index, wanted, &slot, &own).err().unwrap_or(CameraProblem::Stopped);
            own.state().ended = Some(ended);
        })?;
        Ok(Self { found, pulse, thread })
    }

    /// Stops it, and waits for its end no longer than `limit`.
    ///
    /// # Errors
    /// It hangs, and is to be left behind.
    pub(super) fn close(self, limit: Duration) -> Result<(), Self> {
        self.pulse.stop.store(true, Relaxed);
        let until = Instant::now() + limit;
        while !self.is_over() {
            if Instant::now() >= until {
                return Err(self);
            }
            thread::park_timeout(Duration::from_millis(5));
        }
        Ok(())
    }

    pub(super) fn is_over(&self) -> bool {
        self.thread.is_finished()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.pulse.stop.store(true, Relaxed);
    }
}
