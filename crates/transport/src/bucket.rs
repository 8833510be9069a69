//! A token bucket: how much may come at most.

use std::time::{Duration, Instant};

/// Lets `burst` through at once and `per_second` in the long run.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Option<Instant>,
}

impl Bucket {
    pub(crate) const fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second: per_second as f64, burst: burst as f64, tokens: burst as f64, filled: None }
    }

    /// Takes one token. False: there is none, this one is too many.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let since = self.filled.map_or(Duration::ZERO, |filled| now.saturating_duration_since(filled));
        self.filled = Some(now);
        self.tokens = (self.tokens + since.as_secs_f64() * self.per_second).min(self.burst);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_only_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(100, 10);
        let passed = |bucket: &mut Bucket, at: u64, count: usize| {
            let now = start + Duration::from_millis(at);
            (0..count).filter(|_| bucket.take(now)).count()
        };
        assert_eq!(passed(&mut bucket, 0, 50), 10);
        assert_eq!(passed(&mut bucket, 50, 50), 5);
        assert_eq!(passed(&mut bucket, 10_000, 50), 10);
    }
}
