//! The sending side of VP8.

use std::time::Duration;

use super::ffi::{RawEncoder, Setup, Timing};
use crate::picture::{MAX_SIDE, Picture};
use crate::video::{Content, EncodeError, EncodedFrame, EncoderSettings, VideoCodec};

/// A block.
const LEAST_SIDE: u32 = 16;
/// The clock of RTP (RFC 7741, section 4.1).
const TICKS: u32 = 90_000;
/// Of pictures up to 640 × 360, of larger ones, and of screens.
const SPEEDS: [u8; 3] = [8, 12, 12];

/// Encodes pictures as VP8, in two temporal layers.
pub struct Encoder {
    raw: RawEncoder,
    settings: EncoderSettings,
    keyframe: bool,
    /// Of the next picture.
    layer: u8,
    /// Of the last one, in ticks.
    time: i64,
    spare: Vec<u8>,
}

impl Encoder {
    /// An encoder whose first frame is a keyframe.
    ///
    /// # Errors
    /// [`EncodeError::Size`] if a side is odd, under 16 or over [`MAX_SIDE`]; [`EncodeError::Refused`] if libvpx does not
    /// take the settings.
    pub fn new(settings: EncoderSettings) -> Result<Self, EncodeError> {
        let settings = settings.within_bounds();
        let raw = open(settings)?;
        Ok(Self { raw, settings, keyframe: true, layer: 0, time: -1, spare: Vec::new() })
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
        if (settings.width, settings.height, settings.content) != (old.width, old.height, old.content) {
            self.raw = open(settings)?;
            self.keyframe = true;
        } else if settings.bitrate != old.bitrate {
            self.raw.set_bitrate(settings.bitrate).map_err(EncodeError::Refused)?;
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
        let ticks = time.as_nanos() * u128::from(TICKS) / 1_000_000_000;
        // It takes no two pictures of the same time.
        self.time = i64::try_from(ticks).unwrap_or(i64::MAX / 2).max(self.time + 1);
        let timing = Timing { time: self.time, duration: TICKS / self.settings.frame_rate };
        let layer = if self.keyframe { 0 } else { self.layer };
        let mut data = std::mem::take(&mut self.spare);
        data.clear();
        let coded = self.raw.encode(picture, timing, (layer, self.keyframe), &mut data);
        let Some(keyframe) = coded.map_err(EncodeError::Failed)? else {
            self.spare = data;
            return Ok(None);
        };
        self.keyframe &= !keyframe;
        self.layer = 1 - layer;
        Ok(Some(EncodedFrame { codec: VideoCodec::Vp8, data, keyframe, layer }))
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
    let speed = SPEEDS[match content {
        Content::Camera if width * height <= 640 * 360 => 0,
        Content::Camera => 1,
        Content::Screen => 2,
    }];
    let setup = Setup { width, height, frame_rate, bitrate, speed, content };
    RawEncoder::open(&setup).map_err(EncodeError::Refused)
}
