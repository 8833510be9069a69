//! The server's time.
//!
//! Rings, grace periods and mailboxes are spans that are kept as moments, because they must survive a restart. A
//! system clock that jumps (an operator sets it, a virtual machine wakes up) would end them all at once, or keep
//! them for ever. [`Clock::now`] therefore follows the monotonic clock and drifts towards the system's by at most
//! a twentieth of the time that passes. [`Clock::wall`] is the system's own word, for what is compared with moments
//! that other machines wrote: certificates, badges, the time of a missed call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use carillon_wire::{Millis, UnixMillis};
use tokio::sync::Notify;
use tokio::time::sleep;

/// Part of the elapsed time by which [`Clock::now`] may run faster or slower than the monotonic clock.
const SLEW_DIVISOR: u32 = 20;

/// What a [`Clock`] reads.
pub trait TimeSource: Send + Sync + 'static {
    /// The system's date, as a span since 1970-01-01 UTC. May jump.
    fn wall(&self) -> Duration;
    /// A span since some moment. Never goes back.
    fn monotonic(&self) -> Duration;
    /// Rings (`notify_waiters`) when the clocks were moved by hand, so that who sleeps until a moment looks again.
    fn moved(&self) -> Option<&Notify> {
        None
    }
}

/// The clocks of the operating system.
#[derive(Debug)]
pub struct SystemTimeSource {
    started: Instant,
}

impl Default for SystemTimeSource {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl TimeSource for SystemTimeSource {
    fn wall(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Where the two clocks stood when the time was last asked for.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    monotonic: Duration,
    now: Duration,
}

/// A clock that never jumps. Clones are the same clock.
#[derive(Clone)]
pub struct Clock {
    source: Arc<dyn TimeSource>,
    anchor: Arc<Mutex<Anchor>>,
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(SystemTimeSource::default())
    }
}

impl Clock {
    /// A clock that starts at the source's date.
    pub fn new(source: impl TimeSource) -> Self {
        let anchor = Anchor { monotonic: source.monotonic(), now: source.wall() };
        Self { source: Arc::new(source), anchor: Arc::new(Mutex::new(anchor)) }
    }

    /// The moment for spans: follows the monotonic clock, never goes back, never jumps.
    pub fn now(&self) -> UnixMillis {
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let monotonic = self.source.monotonic();
        let elapsed = monotonic.saturating_sub(anchor.monotonic);
        let steady = anchor.now.saturating_add(elapsed);
        let wall = self.source.wall();
        let slew = elapsed / SLEW_DIVISOR;
        anchor.now = wall.clamp(steady.saturating_sub(slew), steady.saturating_add(slew));
        anchor.monotonic = anchor.monotonic.max(monotonic);
        millis(anchor.now)
    }

    /// Sleeps until [`Clock::now`] has reached a moment.
    pub async fn sleep_until(&self, moment: UnixMillis) {
        loop {
            // Before the look at the clock, so that a movement in between is not missed.
            let moved = self.source.moved().map(Notify::notified);
            let left = moment.since(self.now()).duration();
            if left.is_zero() {
                return;
            }
            // The clock may run faster than the sleep, so the end is approached in steps.
            let step = sleep((left - left / SLEW_DIVISOR).max(Duration::from_millis(1)));
            match moved {
                None => step.await,
                Some(moved) => tokio::select! {
                    () = step => {}
                    () = moved => {}
                },
            }
        }
    }

    /// What a future comes to, if that takes no longer than this on this clock.
    pub async fn within<T>(&self, span: Duration, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            outcome = future => Some(outcome),
            () = self.sleep_until(self.now().after(Millis::from(span))) => None,
        }
    }

    /// The system's date, as it is.
    pub fn wall(&self) -> UnixMillis {
        millis(self.source.wall())
    }
}

fn millis(span: Duration) -> UnixMillis {
    UnixMillis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Hands(Arc<Mutex<(Duration, Duration)>>);

    impl Hands {
        fn pass(&self, span: Duration) {
            let mut hands = self.0.lock().unwrap();
            hands.0 += span;
            hands.1 += span;
        }

        fn set_wall(&self, wall: Duration) {
            self.0.lock().unwrap().0 = wall;
        }
    }

    impl TimeSource for Hands {
        fn wall(&self) -> Duration {
            self.0.lock().unwrap().0
        }

        fn monotonic(&self) -> Duration {
            self.0.lock().unwrap().1
        }
    }

    fn clock_at_noon() -> (Hands, Clock) {
        let hands = Hands::default();
        hands.set_wall(Duration::from_secs(43_200));
        (hands.clone(), Clock::new(hands))
    }

    #[test]
    fn steady_clocks_agree() {
        let (hands, clock) = clock_at_noon();
        hands.pass(Duration::from_secs(90));
        assert_eq!(clock.now(), UnixMillis(43_290_000));
        assert_eq!(clock.wall(), UnixMillis(43_290_000));
    }

    #[test]
    fn a_clock_that_jumps_ahead_is_followed_slowly() {
        let (hands, clock) = clock_at_noon();
        hands.set_wall(Duration::from_secs(86_400));
        assert_eq!(clock.now(), UnixMillis(43_200_000));
        hands.pass(Duration::from_secs(60));
        assert_eq!(clock.now(), UnixMillis(43_263_000));
    }

    #[test]
    fn a_clock_that_jumps_back_never_makes_time_go_back() {
        let (hands, clock) = clock_at_noon();
        hands.set_wall(Duration::ZERO);
        assert_eq!(clock.now(), UnixMillis(43_200_000));
        hands.pass(Duration::from_secs(60));
        assert_eq!(clock.now(), UnixMillis(43_257_000));
    }

    #[test]
    fn a_small_difference_is_made_up_for() {
        let (hands, clock) = clock_at_noon();
        hands.set_wall(Duration::from_millis(43_200_500));
        hands.pass(Duration::from_secs(30));
        assert_eq!(clock.now(), clock.wall());
    }
}
