//! Moving pictures between two people.

/// How pictures are written down. RFC 7742, section 5, asks for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// Constrained baseline (ITU-T H.264, profile 66 with `constraint_set1`); RFC 6184.
    H264,
    /// RFC 6386; RFC 7741.
    Vp8,
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
