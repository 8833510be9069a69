//! The server's clock as hyper wants it, so that the time for the head of a request is the server's time.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use carillon_wire::Millis;
use hyper::rt::{Sleep, Timer};

use crate::clock::Clock;

/// hyper's timers on a [`Clock`].
#[derive(Debug, Clone)]
pub(super) struct ClockTimer(pub(super) Clock);

/// A sleep on it.
struct ClockSleep(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Timer for ClockTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        let clock = self.0.clone();
        let until = clock.now().after(Millis::from(duration));
        Box::pin(ClockSleep(Box::pin(async move { clock.sleep_until(until).await })))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(Instant::now()))
    }
}

impl Sleep for ClockSleep {}

impl Future for ClockSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}
