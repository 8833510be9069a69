//! The two clocks, in one place.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use carillon_wire::{Millis, UnixMillis};

/// The calendar's time.
pub(crate) fn unix_now() -> UnixMillis {
    // A clock before 1970 is wrong; then every certificate is from the future, which is said elsewhere.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(Millis::from(since).0)
}

/// The steady clock; tokio's, so that a test can hold it.
pub(crate) fn steady_now() -> Instant {
    tokio::time::Instant::now().into_std()
}
