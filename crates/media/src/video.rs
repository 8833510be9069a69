//! Moving pictures between two people.

pub mod adaptation;
pub mod assembly;
mod coder;
pub mod h264;
#[cfg(any(test, feature = "arbitrary"))]
pub mod operations;
pub mod packets;
pub mod playout;
#[cfg(feature = "vp8")]
pub mod vp8;

pub use coder::{VideoDecoder, VideoEncoder};

/// How pictures are written down. RFC 7742, section 5, asks for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// Constrained baseline (ITU-T H.264, profile 66 with `constraint_set1`); RFC 6184.
    H264,
    /// RFC 6386; RFC 7741.
    Vp8,
}

impl VideoCodec {
    /// Those that this program was built with, the better one first.
    pub const AVAILABLE: &[Self] =
        if cfg!(feature = "vp8") { &[Self::H264, Self::Vp8] } else { &[Self::H264] };
}

/// What is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Content {
    /// What a camera sees: motion matters more than a sharp edge.
    #[default]
    Camera,
    /// Windows and text: edges matter more than motion.
    Screen,
}

/// How to encode. All but the size and the content may change from one frame to the next for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EncoderSettings {
    /// Of the pictures, in pixels, even.
    pub width: u32,
    /// See above.
    pub height: u32,
    /// Pictures a second that are given to it.
    pub frame_rate: u32,
    /// What it may spend, in bit/s, without headers of packets.
    pub bitrate: u32,
    /// What is to be seen.
    pub content: Content,
}

impl EncoderSettings {
    /// No encoder makes anything of less, and more than that nobody needs.
    const BITRATES: std::ops::RangeInclusive<u32> = 30_000..=50_000_000;
    const FRAME_RATES: std::ops::RangeInclusive<u32> = 1..=60;

    fn within_bounds(self) -> Self {
        Self {
            bitrate: self.bitrate.clamp(*Self::BITRATES.start(), *Self::BITRATES.end()),
            frame_rate: self.frame_rate.clamp(*Self::FRAME_RATES.start(), *Self::FRAME_RATES.end()),
            ..self
        }
    }
}

/// An encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedFrame {
    /// How it is written down.
    pub codec: VideoCodec,
    /// H.264: NAL units with start codes (Annex B). VP8: one frame.
    pub data: Vec<u8>,
    /// It can be decoded without any before it.
    pub keyframe: bool,
    /// 0 is the base; a frame of layer 1 is needed by no other and may be left out.
    pub layer: u8,
}

/// Why a picture was not encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// This program was built without the codec.
    #[error("this program was built without {0:?}")]
    Codec(VideoCodec),
    /// The encoder takes no pictures of this size, or takes them of this size alone.
    #[error("the size does not fit: {width} × {height}")]
    Size {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// The library does not take these settings; its code.
    #[error("the encoder does not take these settings ({0})")]
    Refused(i64),
    /// The library failed; its code.
    #[error("the encoder failed ({0})")]
    Failed(i64),
}

/// Why a frame was not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// This program was built without the codec.
    #[error("this program was built without {0:?}")]
    Codec(VideoCodec),
    /// It refers to a picture that is not there.
    #[error("a keyframe is needed first")]
    NeedsKeyframe,
    /// It is damaged, or no frame at all; the library's code.
    #[error("the frame is broken ({0})")]
    Broken(i64),
    /// Its pictures are larger than anything that is sent in a call.
    #[error("the pictures are too large")]
    Size,
    /// It is of a kind that was never agreed on.
    #[error("the frame is of a kind that was not agreed on")]
    Profile,
    /// The library can't be set up; its code.
    #[error("the decoder can't be set up ({0})")]
    Refused(i64),
}
