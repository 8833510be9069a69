//! What a person sees of the other: the bar codes of the pictures that come.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use carillon_client::VideoSetup;
use carillon_client::camera::bar_code::{self, Mark};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::person::PATIENCE;

/// See the module. Clones see the same.
#[derive(Debug, Clone, Default)]
pub struct Eyes(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    seen: Mutex<Vec<Option<Mark>>>,
    came: Notify,
}

impl Eyes {
    /// A client whose camera shows the scene, and whose pictures of the other come here.
    pub fn setup(&self) -> VideoSetup {
        let eyes = self.clone();
        VideoSetup::On {
            camera: "pattern".to_owned(),
            screen: Arc::new(move |shown| {
                eyes.seen().push(bar_code::read(&shown.picture));
                eyes.0.came.notify_one();
            }),
        }
    }

    /// Forgets what was seen, and waits until so many pictures more have come: what their bar codes say; none where one
    /// can't be read.
    ///
    /// # Errors
    /// When they don't come in time.
    pub async fn pictures(&self, count: usize) -> Result<Vec<Option<Mark>>> {
        self.seen().clear();
        let coming = async {
            while self.seen().len() < count {
                self.0.came.notified().await;
            }
        };
        timeout(PATIENCE, coming).await.context("waited in vain for pictures")?;
        Ok(self.seen().clone())
    }

    /// How many pictures have come since they were last waited for.
    pub fn count(&self) -> usize {
        self.seen().len()
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Option<Mark>>> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
