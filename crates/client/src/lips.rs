//! What the sound and the pictures of one call tell each other, so that lips fit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use carillon_media::video::playout::SoundPlayed;

/// See the module. Clones are of the same call.
#[derive(Debug, Clone)]
pub(crate) struct Lips(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// All times count from here.
    epoch: Instant,
    played: Mutex<Option<SoundPlayed>>,
    /// How long sound should wait for pictures, in microseconds.
    hold: AtomicU64,
}

impl Lips {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self(Arc::new(Inner { epoch, played: Mutex::new(None), hold: AtomicU64::new(0) }))
    }

    /// Since the start.
    pub(crate) fn at(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.0.epoch)
    }

    /// When that is.
    pub(crate) fn moment(&self, at: Duration) -> Instant {
        self.0.epoch + at
    }

    /// The sample of this timestamp leaves the speaker then; it was held up for so long. The audio thread does not wait:
    /// what finds no room is told the next time.
    pub(crate) fn played(&self, timestamp: u32, at: Instant, held: Duration) {
        let played = SoundPlayed { timestamp, at: self.at(at), held };
        match self.0.played.try_lock() {
            Ok(mut last) => *last = Some(played),
            Err(TryLockError::Poisoned(poisoned)) => *poisoned.into_inner() = Some(played),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// What was played last.
    pub(crate) fn last_played(&self) -> Option<SoundPlayed> {
        *self.0.played.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sound is to wait for so long.
    pub(crate) fn set_hold(&self, hold: Duration) {
        self.0.hold.store(u64::try_from(hold.as_micros()).unwrap_or(0), Ordering::Relaxed);
    }

    /// The same.
    pub(crate) fn hold(&self) -> Duration {
        Duration::from_micros(self.0.hold.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_and_pictures_know_of_each_other() {
        let start = Instant::now();
        let pictures = Lips::new(start);
        let sound = pictures.clone();
        assert_eq!((pictures.last_played(), sound.hold()), (None, Duration::ZERO));
        let at = start + Duration::from_millis(70);
        sound.played(480, at, Duration::from_millis(5));
        let played = pictures.last_played().unwrap();
        assert_eq!((played.timestamp, played.at), (480, Duration::from_millis(70)));
        assert_eq!(pictures.moment(played.at), at);
        pictures.set_hold(Duration::from_millis(20));
        assert_eq!(sound.hold(), Duration::from_millis(20));
    }
}
