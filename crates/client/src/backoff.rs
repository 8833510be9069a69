//! How long to wait before the next try to connect.

use std::time::Duration;

/// Waiting times with full jitter: the first try is immediate, the n-th after it waits a random time of up to
/// 0.25 s · 2ⁿ, at most 30 s. Random over the whole span, so that the clients of a server that was lost do not come
/// back in step ("Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
#[derive(Debug, Clone, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(30);

    /// A connection that lived this long counts as good: the next loss starts from the beginning.
    pub(crate) const SETTLED: Duration = Duration::from_secs(10);

    /// The longest wait before the next try.
    fn ceiling(&self) -> Duration {
        match self.failures {
            0 => Duration::ZERO,
            n => Self::FIRST.saturating_mul(1 << (n - 1).min(16)).min(Self::LONGEST),
        }
    }

    /// The wait before the next try; `chance` is random, from 0 to 1.
    pub(crate) fn next(&mut self, chance: f64) -> Duration {
        let wait = self.ceiling().mul_f64(chance.clamp(0.0, 1.0));
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// The connection was good.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The server wishes to see us later: the next wait is long.
    pub(crate) fn exhaust(&mut self) {
        self.failures = 16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(chance: f64) -> Vec<u64> {
        let mut backoff = Backoff::default();
        (0..10).map(|_| u64::try_from(backoff.next(chance).as_millis()).unwrap()).collect()
    }

    #[test]
    fn the_first_try_is_immediate_and_the_waits_double_up_to_half_a_minute() {
        assert_eq!(waits(1.0), [0, 250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
    }

    #[test]
    fn the_whole_span_is_random() {
        assert_eq!(waits(0.0), [0; 10]);
        assert_eq!(waits(0.5), [0, 125, 250, 500, 1000, 2000, 4000, 8000, 15000, 15000]);
    }

    #[test]
    fn it_never_overflows_and_starts_again_after_a_good_connection() {
        let mut backoff = Backoff { failures: u32::MAX };
        assert_eq!(backoff.next(1.0), Backoff::LONGEST);
        backoff.reset();
        assert_eq!(backoff.next(1.0), Duration::ZERO);
    }
}
