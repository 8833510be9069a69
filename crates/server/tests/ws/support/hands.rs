//! A clock whose hands a test moves. It runs by itself in between.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use carillon_server::clock::TimeSource;
use carillon_wire::UnixMillis;
use tokio::sync::Notify;

const START: Duration = Duration::from_secs(1_800_000_000);

#[derive(Clone)]
pub(crate) struct Hands {
    started: Instant,
    moved: Arc<Notify>,
    /// Added to the monotonic clock, and to the date.
    added: Arc<Mutex<(Duration, Duration)>>,
}

impl Default for Hands {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            moved: Arc::default(),
            added: Arc::new(Mutex::new((Duration::ZERO, START))),
        }
    }
}

impl Hands {
    /// Time passes.
    pub(crate) fn pass(&self, span: Duration) {
        {
            let mut added = self.added.lock().unwrap();
            added.0 += span;
            added.1 += span;
        }
        self.moved.notify_waiters();
    }

    /// Somebody sets the system's date ahead.
    pub(crate) fn set_ahead(&self, span: Duration) {
        self.added.lock().unwrap().1 += span;
        self.moved.notify_waiters();
    }

    /// Somebody sets the system's date back.
    pub(crate) fn set_back(&self, span: Duration) {
        self.added.lock().unwrap().1 -= span;
        self.moved.notify_waiters();
    }

    /// The system's date.
    pub(crate) fn date(&self) -> UnixMillis {
        UnixMillis(u64::try_from(self.wall().as_millis()).unwrap())
    }
}

impl TimeSource for Hands {
    fn wall(&self) -> Duration {
        self.started.elapsed() + self.added.lock().unwrap().1
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed() + self.added.lock().unwrap().0
    }

    fn moved(&self) -> Option<&Notify> {
        Some(&self.moved)
    }
}
