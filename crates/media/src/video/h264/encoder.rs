//! The sending side of H.264.

use std::time::Duration;

use super::ffi::{Coded, RawEncoder, Setup};
use crate::picture::{MAX_SIDE, Picture};
use crate::video::{EncodeError, EncodedFrame, EncoderSettings, VideoCodec};

/// A block: OpenH264 takes nothing smaller.
const LEAST_SIDE: u32 = 16;

/// Encodes pictures as constrained baseline, in two temporal layers.
pub struct Encoder {
    raw: RawEncoder,
    settings: EncoderSettings,
    keyframe: bool,
    spare: Vec<u8>,
}

impl Encoder {
    /// An encoder whose first frame is a keyframe.
    ///
    /// # Errors
    /// [`EncodeError::Size`] if a side is odd, under 16 or over [`MAX_SIDE`]; [`EncodeError::Refused`] if OpenH264 does not
    /// take the settings.
    pub fn new(settings: EncoderSettings) -> Result<Self, EncodeError> {
        let settings = settings.within_bounds();
        let raw = open(settings)?;
        Ok(Self { raw, settings, keyframe: true, spare: Vec::new() })
    }

    /// What it is set to.
    pub const fn settings(&self) -> EncoderSettings {
        self.settings
    }

    /// Other settings, from the next frame on. A change of the size or the content begins anew, with a keyframe.
    ///
    /// # Errors
    /// As [`new`](Self::new); it goes on as before.
    pub fn set(&mut self, settings: EncoderSettings) -> Result<(), EncodeError> {
        let settings = settings.within_bounds();
        let old = self.settings;
        let anew =
            (settings.width, settings.height, settings.content) != (old.width, old.height, old.content);
        if anew {
            self.raw = open(settings)?;
            self.keyframe = true;
        } else {
            if settings.frame_rate != old.frame_rate {
                self.raw.set_frame_rate(settings.frame_rate).map_err(EncodeError::Refused)?;
            }
            if settings.bitrate != old.bitrate {
                self.raw.set_bitrate(settings.bitrate).map_err(EncodeError::Refused)?;
            }
        }
        self.settings = settings;
        Ok(())
    }

    /// The next frame is a keyframe.
    pub const fn request_keyframe(&mut self) {
        self.keyframe = true;
    }

    /// Encodes a picture, taken at `time` since an arbitrary start. `None`: the rate allows no frame for this one; a
    /// keyframe that was asked for still comes.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn encode(&mut self, picture: &Picture, time: Duration) -> Result<Option<EncodedFrame>, EncodeError> {
        let (width, height) = (self.settings.width, self.settings.height);
        if (picture.width(), picture.height()) != (width, height) {
            return Err(EncodeError::Size { width, height });
        }
        if self.keyframe {
            self.raw.force_keyframe().map_err(EncodeError::Failed)?;
        }
        let mut data = std::mem::take(&mut self.spare);
        data.clear();
        let milliseconds = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let coded = self.raw.encode(picture, milliseconds, &mut data).map_err(EncodeError::Failed)?;
        let Coded::Frame { keyframe, layer } = coded else {
            self.spare = data;
            return Ok(None);
        };
        self.keyframe &= !keyframe;
        Ok(Some(EncodedFrame { codec: VideoCodec::H264, data, keyframe, layer }))
    }

    /// Gives a frame's memory back, to be used again.
    pub fn recycle(&mut self, frame: EncodedFrame) {
        self.spare = frame.data;
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn open(settings: EncoderSettings) -> Result<RawEncoder, EncodeError> {
    let EncoderSettings { width, height, frame_rate, bitrate, content } = settings;
    let fits = |side: u32| side.is_multiple_of(2) && (LEAST_SIDE..=MAX_SIDE).contains(&side);
    if !fits(width) || !fits(height) {
        return Err(EncodeError::Size { width, height });
    }
    let setup = Setup { width, height, frame_rate, bitrate, content, layers: 2 };
    RawEncoder::open(&setup).map_err(EncodeError::Refused)
}
