//! Where a camera leaves its newest picture.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::CameraFrame;

/// Room for one picture: a newer one takes the place of one that nobody took, so that nothing is ever old.
#[derive(Debug, Clone, Default)]
pub struct FrameSlot(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct State {
    frame: Option<CameraFrame>,
    passed_over: u64,
}

impl FrameSlot {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves a picture.
    pub fn put(&self, frame: CameraFrame) {
        let mut state = self.state();
        state.passed_over += u64::from(state.frame.replace(frame).is_some());
        drop(state);
        self.0.came.notify_one();
    }

    /// Takes the newest picture; waits at most so long for one.
    pub fn take(&self, wait: Duration) -> Option<CameraFrame> {
        let state = self.state();
        let (mut state, _) = self
            .0
            .came
            .wait_timeout_while(state, wait, |state| state.frame.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        state.frame.take()
    }

    /// How many pictures nobody took.
    pub fn passed_over(&self) -> u64 {
        self.state().passed_over
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
