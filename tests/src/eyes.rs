//! What a person sees of the other: the pictures that come, by their bar codes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result};
use carillon_client::VideoSetup;
use carillon_client::camera::bar_code::{self, Mark};
use carillon_client::camera::epoch_micros;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::person::PATIENCE;

/// A picture that was shown.
#[derive(Debug, Clone, Copy)]
pub struct Picture {
    /// When.
    pub ready: Instant,
    /// What its bar code says; none where it can't be read.
    pub mark: Option<Mark>,
    /// How long after it was taken, in milliseconds.
    pub age_ms: f64,
    /// Lines that it has.
    pub height: u32,
    /// Bytes that it came in.
    pub bytes: usize,
}

/// See the module. Clones see the same.
#[derive(Debug, Clone, Default)]
pub struct Eyes(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    seen: Mutex<Vec<Picture>>,
    came: Notify,
}

impl Eyes {
    /// A client with this camera, and whose pictures of the other come here.
    pub fn setup(&self, camera: &str) -> VideoSetup {
        let eyes = self.clone();
        VideoSetup::On {
            camera: Some(camera.to_owned()),
            screen: Arc::new(move |shown| {
                let mark = bar_code::read(&shown.picture);
                eyes.seen().push(Picture {
                    ready: shown.ready,
                    mark,
                    age_ms: mark.map_or(0.0, |mark| mark.age_at(epoch_micros(shown.ready)) as f64 / 1e3),
                    height: shown.picture.height(),
                    bytes: shown.encoded.frame.data.len(),
                });
                eyes.0.came.notify_one();
            }),
        }
    }

    /// Forgets what was seen, and waits until so many pictures more have come.
    ///
    /// # Errors
    /// When they don't come in time.
    pub async fn pictures(&self, count: usize) -> Result<Vec<Picture>> {
        self.seen().clear();
        let coming = async {
            while self.seen().len() < count {
                self.0.came.notified().await;
            }
        };
        timeout(PATIENCE, coming).await.context("waited in vain for pictures")?;
        Ok(self.all())
    }

    /// Every picture since they were last waited for.
    pub fn all(&self) -> Vec<Picture> {
        self.seen().clone()
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Picture>> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
