//! A line in real time: a thread that delivers when a packet is due.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::ForwarderError;
use crate::line::Line;
use crate::script::Plan;
use crate::settings::Change;
use crate::statistics::{DelayHistogram, Statistics};

/// A datagram on its way: where it leaves the forwarder, and where to.
#[derive(Clone)]
pub(super) struct Datagram {
    pub(super) bytes: Arc<[u8]>,
    pub(super) from: Arc<UdpSocket>,
    pub(super) to: SocketAddr,
}

/// One way.
pub(super) struct Wire {
    state: Mutex<State>,
    earlier: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    line: Line<Datagram>,
    /// What the delivering thread sleeps until; `None` while it sleeps until it is woken.
    sleeps_until: Option<Instant>,
    closed: bool,
    lag: DelayHistogram,
    unsendable: u64,
}

pub(super) struct WireStatistics {
    pub(super) line: Statistics,
    pub(super) lag: DelayHistogram,
    pub(super) unsendable: u64,
}

impl Wire {
    pub(super) fn start(
        name: &str,
        plan: Plan,
        seed: u64,
        now: Instant,
    ) -> Result<Arc<Self>, ForwarderError> {
        let state = State {
            line: Line::new(plan, seed, now),
            sleeps_until: None,
            closed: false,
            lag: DelayHistogram::default(),
            unsendable: 0,
        };
        let wire =
            Arc::new(Self { state: Mutex::new(state), earlier: Condvar::new(), thread: Mutex::new(None) });
        let delivering = wire.clone();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || delivering.deliver())
            .map_err(ForwarderError::Thread)?;
        *lock(&wire.thread) = Some(thread);
        Ok(wire)
    }

    /// Puts a datagram in that has just come.
    pub(super) fn send(&self, now: Instant, datagram: Datagram) {
        let mut state = lock(&self.state);
        let bytes = datagram.bytes.len();
        state.line.send(now, bytes, datagram);
        state.deliver_due(now);
        self.wake_if_earlier(&state);
    }

    pub(super) fn change(&self, now: Instant, change: &Change) {
        let mut state = lock(&self.state);
        state.line.change(now, change);
        self.wake_if_earlier(&state);
    }

    pub(super) fn restart(&self, now: Instant) {
        let mut state = lock(&self.state);
        state.line.restart(now);
        state.lag = DelayHistogram::default();
        state.unsendable = 0;
    }

    pub(super) fn statistics(&self) -> WireStatistics {
        let state = lock(&self.state);
        WireStatistics {
            line: state.line.statistics().clone(),
            lag: state.lag.clone(),
            unsendable: state.unsendable,
        }
    }

    /// Ends the thread. What is under way is gone.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.earlier.notify_all();
        let thread = lock(&self.thread).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that delivers panicked");
        }
    }

    fn wake_if_earlier(&self, state: &State) {
        let next = state.line.poll_timeout();
        if next.is_some_and(|next| state.sleeps_until.is_none_or(|until| next < until)) {
            self.earlier.notify_one();
        }
    }

    fn deliver(&self) {
        let mut state = lock(&self.state);
        while !state.closed {
            let now = Instant::now();
            state.deliver_due(now);
            let next = state.line.poll_timeout();
            state.sleeps_until = next;
            state = match next {
                Some(next) => {
                    let wait = next.saturating_duration_since(Instant::now());
                    self.earlier.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.earlier.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl State {
    /// Sends what is due. Under the lock, so that two threads don't change the order.
    fn deliver_due(&mut self, now: Instant) {
        while let Some((due, datagram)) = self.line.poll_due(now) {
            if datagram.from.send_to(&datagram.bytes, datagram.to).is_err() {
                self.unsendable += 1;
            }
            self.lag.add(Instant::now().saturating_duration_since(due));
        }
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

/// Nothing here is left half done by a panic, so a poisoned lock is as good as any.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
