//! The two clocks, in one place.

use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use carillon_wire::{Millis, UnixMillis};

/// The date, by which certificates count and calls are listed. The system's, unless a test has another.
#[derive(Clone)]
pub struct Calendar(Arc<dyn Fn() -> UnixMillis + Send + Sync>);

impl Calendar {
    /// A calendar that asks this for the date.
    pub fn new(date: impl Fn() -> UnixMillis + Send + Sync + 'static) -> Self {
        Self(Arc::new(date))
    }

    /// The date now.
    pub fn now(&self) -> UnixMillis {
        (self.0)()
    }
}

impl Default for Calendar {
    fn default() -> Self {
        Self::new(system)
    }
}

impl fmt::Debug for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Calendar").field(&self.now()).finish()
    }
}

fn system() -> UnixMillis {
    // A clock before 1970 is wrong; then every certificate is from the future, which is said elsewhere.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(Millis::from(since).0)
}

/// The steady clock; tokio's, so that a test can hold it.
pub(crate) fn steady_now() -> Instant {
    tokio::time::Instant::now().into_std()
}
