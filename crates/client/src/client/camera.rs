//! The camera, as a person chooses it.

use tokio::sync::oneshot;

use super::Client;
use crate::actor::Wish;
use crate::error::{ClientError, LocalCode};

impl Client {
    /// Takes another camera from now on, also in the midst of a call: `default`, a name or id, `pattern`, FILE.y4m; none
    /// sends no pictures, and sees those of others.
    ///
    /// # Errors
    /// `invalid`, with a sentence, when it is named by nothing, its file can't be played, or this client was made without
    /// pictures; the camera of before stays. `stopped`.
    pub async fn set_camera(&self, camera: Option<String>) -> Result<(), ClientError> {
        let (reply, answer) = oneshot::channel();
        self.wish(Wish::Camera(camera, reply)).await?;
        answer.await.map_err(|_| LocalCode::Stopped)?
    }
}
