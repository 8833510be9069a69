//! The pictures of calls: what a person can set, what is shown, and the threads that do the work.
//!
//! While a call has a path, one thread ([`outgoing`]) takes the newest picture off the camera, scales and encodes it as the
//! path demands, and hands it over; another ([`incoming`]) makes frames of what comes, decodes them and shows them. The
//! camera itself is open no longer than a call wants it ([`demand`]).

mod demand;
mod engine;
mod incoming;
mod outgoing;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use carillon_media::picture::{Picture, Rotation};
use carillon_media::video::assembly::AssembledFrame;
use carillon_wire::CallId;

pub(crate) use engine::VideoEngine;

/// A picture of the other side.
#[derive(Debug, Clone)]
pub struct ShownPicture {
    /// Of which call.
    pub call: CallId,
    /// As it came, for a window that decodes by itself.
    pub encoded: AssembledFrame,
    /// Decoded.
    pub picture: Arc<Picture>,
    /// The turn that it needs to be upright.
    pub rotation: Rotation,
    /// When it was given out, to be shown at once.
    pub ready: Instant,
}

/// Where pictures of the other side go. Called from a thread of the call; what takes long holds up the next picture.
pub type Screen = Arc<dyn Fn(ShownPicture) + Send + Sync>;

/// What a client does about pictures.
#[derive(Clone, Default)]
pub enum VideoSetup {
    /// Nothing: no camera is touched, nothing is decoded.
    #[default]
    Off,
    /// Calls have pictures.
    On {
        /// `default`, a name or id of a camera, `pattern`, FILE.y4m; none sends no pictures, and sees those of others.
        camera: Option<String>,
        /// Where the other side's go.
        screen: Screen,
    },
}

impl fmt::Debug for VideoSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("Off"),
            Self::On { camera, .. } => f.debug_struct("On").field("camera", camera).finish_non_exhaustive(),
        }
    }
}
