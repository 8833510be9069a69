//! What each of the two sees of the other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use carillon_client::camera::{Pattern, bar_code, epoch_micros};
use carillon_client::picture::{Picture, Scaler};
use carillon_client::{Screen, ShownPicture};
use carillon_measure::pictures::{Sight, ssim};

use super::studio::Who;

/// The camera's size, by the name of which the source is drawn again.
const SIZE: (u32, u32) = (1280, 720);
const FRAME_RATE: u32 = 30;
/// Every so many pictures one is kept, to be compared with what was taken; so many at most.
const KEPT_EVERY: usize = 50;
const KEPT: usize = 12;

/// The eyes of both.
#[derive(Clone, Default)]
pub(super) struct Eyes([Arc<Mutex<Seen>>; 2]);

/// What one of them saw.
#[derive(Default)]
pub(super) struct Seen {
    /// When each picture was ready, and the rest but for the time.
    pub(super) sights: Vec<(Instant, Sight)>,
    /// Pictures whose bar code could not be read: broken ones, or of a picture too small.
    pub(super) unread: usize,
    kept: Vec<(bar_code::Mark, Arc<Picture>)>,
}

impl Eyes {
    pub(super) fn screen(&self, who: Who) -> Screen {
        let seen = Arc::clone(self.of(who));
        Arc::new(move |shown: ShownPicture| {
            let mut seen = lock(&seen);
            let Some(mark) = bar_code::read(&shown.picture) else {
                seen.unread += 1;
                return;
            };
            let age_ms = mark.age_at(epoch_micros(shown.ready)) as f64 / 1e3;
            let height = shown.picture.height();
            let bytes = shown.encoded.frame.data.len();
            seen.sights.push((shown.ready, Sight { at: 0.0, age_ms, number: mark.number, height, bytes }));
            if seen.sights.len().is_multiple_of(KEPT_EVERY) && seen.kept.len() < KEPT {
                seen.kept.push((mark, Arc::new(Picture::clone(&shown.picture))));
            }
        })
    }

    pub(super) fn seen(&self, who: Who) -> MutexGuard<'_, Seen> {
        lock(self.of(who))
    }

    fn of(&self, who: Who) -> &Arc<Mutex<Seen>> {
        match who {
            Who::Ada => &self.0[0],
            Who::Bob => &self.0[1],
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seen {
    /// The pictures between two moments, told in seconds after the first.
    pub(super) fn between(&self, since: Instant, until: Instant) -> Vec<Sight> {
        self.sights
            .iter()
            .filter(|(ready, _)| (since..=until).contains(ready))
            .map(|(ready, sight)| Sight { at: (*ready - since).as_secs_f64(), ..*sight })
            .collect()
    }

    /// How like what was taken the pictures were that were kept, at the size of the camera; the mean.
    pub(super) fn likeness(&self) -> Option<f64> {
        let pattern = Pattern::new(SIZE.0, SIZE.1).ok()?;
        let mut scaler = Scaler::new();
        let (mut source, mut shown) =
            (Picture::black(SIZE.0, SIZE.1).ok()?, Picture::black(SIZE.0, SIZE.1).ok()?);
        let likes: Vec<_> = self
            .kept
            .iter()
            .filter_map(|(mark, picture)| {
                pattern.draw(&mut source, *mark, FRAME_RATE);
                scaler.scale(picture, &mut shown);
                ssim(&source, &shown)
            })
            .collect();
        (!likes.is_empty()).then(|| likes.iter().sum::<f64>() / likes.len() as f64)
    }
}
