//! Everything that a call waits for, and for how long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use carillon_wire::Millis;
use carillon_wire::limits::MAX_RING;

/// How long the own offer, the device keys and the server's reply to `create` may take together.
pub const OFFERING: Duration = Duration::from_secs(10);
/// How long a caller asks to ring.
pub const RING: Millis = MAX_RING;
/// How long a caller waits beyond the ring for the server to say that it is over: a last-moment accept still wins.
pub const RING_GRACE: Duration = Duration::from_secs(2);
/// How long the own answer may take.
pub const DESCRIBING: Duration = Duration::from_secs(10);
/// When an accept that nobody confirmed is sent again.
pub const ACCEPT_AGAIN: Duration = Duration::from_secs(5);
/// How long beyond the end of the ring a device waits to hear whether it won.
pub const ACCEPT_GRACE: Duration = Duration::from_secs(15);
/// How long ICE, DTLS and the confirmation may take together.
pub const CONNECTING: Duration = Duration::from_secs(20);
/// How long a path may be down before a new one is looked for.
pub const PATH_DOWN: Duration = Duration::from_secs(2);
/// When ICE restarts, counted from the moment the path was given up.
pub const RESTARTS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(4), Duration::from_secs(10)];
/// How long a new path is looked for.
pub const RECONNECTING: Duration = Duration::from_secs(30);
/// How long a device remembers a call that is over: longer than a ring and a mailbox together, so that nothing that
/// comes late is taken for something new.
pub const REMEMBERED: Duration = Duration::from_secs(240);

/// What a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// Offering: the server did not answer; the call ends.
    Offering,
    /// Ringing and Alerting: it has rung long enough; the call ends.
    RingOver,
    /// Accepting: the own peer connection made no answer; the call ends on this device.
    Describing,
    /// Accepting: nobody confirmed; the same frame again.
    AcceptAgain,
    /// Accepting: nobody confirmed, and the ring is long over; the call ends.
    AcceptOver,
    /// Connecting: no path came up; the call ends.
    Connecting,
    /// Connected: the path has been down too long; look for a new one.
    PathDown,
    /// Reconnecting: try the next ICE restart.
    Restart,
    /// Reconnecting: no new path was found; the call ends.
    Lost,
}

impl Timer {
    /// Every timer.
    pub const ALL: [Self; 9] = [
        Self::Offering,
        Self::RingOver,
        Self::Describing,
        Self::AcceptAgain,
        Self::AcceptOver,
        Self::Connecting,
        Self::PathDown,
        Self::Restart,
        Self::Lost,
    ];
}

/// The timers that run, each with its moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Timers(BTreeMap<Timer, Instant>);

impl Timers {
    /// Starts a timer, in place of the same one if it runs.
    pub(crate) fn start(&mut self, timer: Timer, at: Instant) {
        self.0.insert(timer, at);
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.0.remove(&timer);
    }

    pub(crate) fn stop_all(&mut self) {
        self.0.clear();
    }

    /// The moment of the first one.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }

    /// Takes out the first one that is due.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let (&timer, _) = self.0.iter().filter(|(_, at)| **at <= now).min_by_key(|(_, at)| **at)?;
        self.0.remove(&timer);
        Some(timer)
    }

    #[cfg(test)]
    pub(crate) fn running(&self) -> impl Iterator<Item = Timer> + '_ {
        self.0.keys().copied()
    }
}
