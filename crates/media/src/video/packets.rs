//! Frames in packets: what RTP carries of each (RFC 6184 for H.264, RFC 7741 for VP8).

mod h264;
mod vp8;

use bytes::Bytes;

use super::{EncodedFrame, VideoCodec};

/// Cuts frames into payloads.
#[derive(Debug, Default)]
pub struct Packetiser {
    vp8: vp8::Numbers,
}

impl Packetiser {
    /// One that has cut nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The payloads of a frame, in order, each at most `most` bytes long, at least 100. The last one's packet carries the
    /// marker bit. None for a frame that holds nothing.
    pub fn packetise(&mut self, frame: &EncodedFrame, most: usize) -> Vec<Bytes> {
        let most = most.max(100);
        match frame.codec {
            VideoCodec::H264 => h264::packetise(&frame.data, most),
            VideoCodec::Vp8 => self.vp8.packetise(frame, most),
        }
    }
}

/// What can be told of a payload by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peek {
    /// A frame begins here, as far as the payload tells.
    pub(super) starts: bool,
    /// It belongs to a keyframe.
    pub(super) keyframe: bool,
}

impl Peek {
    /// `None`: it is no payload of this codec.
    pub(super) fn at(codec: VideoCodec, payload: &[u8]) -> Option<Self> {
        match codec {
            VideoCodec::H264 => h264::peek(payload),
            VideoCodec::Vp8 => vp8::peek(payload),
        }
    }
}

/// Where a frame stands among those that others refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// H.264: `frame_num`; VP8: `TL0PICIDX`.
    number: u32,
    /// How many numbers there are before they begin anew.
    modulus: u32,
    /// Others refer to it.
    pub(super) referred: bool,
}

impl Place {
    /// Whether this frame refers to `last` at most, the last that others refer to and that is there.
    pub(super) fn follows(self, codec: VideoCodec, last: Self) -> bool {
        let next = match codec {
            // A frame that nobody refers to has the number that the next one to be referred to will have (H.264, 7.4.3).
            VideoCodec::H264 => last.number + 1,
            VideoCodec::Vp8 => last.number + u32::from(self.referred),
        };
        self.modulus == last.modulus && self.number == next % self.modulus
    }
}

/// A frame put together again.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) frame: EncodedFrame,
    pub(super) place: Option<Place>,
}

/// Puts the payloads of one frame together. `bits`: of H.264's `frame_num`, read in the parameters of the last keyframe and
/// kept for the next frames. `None`: they make no frame.
pub(super) fn join<'a>(
    codec: VideoCodec,
    payloads: impl Iterator<Item = &'a Bytes>,
    bits: &mut Option<u8>,
) -> Option<Joined> {
    match codec {
        VideoCodec::H264 => h264::join(payloads, bits),
        VideoCodec::Vp8 => vp8::join(payloads),
    }
}
