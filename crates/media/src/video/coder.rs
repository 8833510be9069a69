//! Encoders and decoders of whichever codec was agreed on.

use std::time::Duration;

#[cfg(feature = "vp8")]
use super::vp8;
use super::{DecodeError, EncodeError, EncodedFrame, EncoderSettings, VideoCodec, h264};
use crate::picture::Picture;

/// An encoder of any codec. What its methods promise stands at [`h264::Encoder`].
#[derive(Debug)]
pub enum VideoEncoder {
    /// Of H.264.
    H264(h264::Encoder),
    /// Of VP8.
    #[cfg(feature = "vp8")]
    Vp8(vp8::Encoder),
}

/// A decoder of any codec. What its methods promise stands at [`h264::Decoder`].
#[derive(Debug)]
pub enum VideoDecoder {
    /// Of H.264.
    H264(h264::Decoder),
    /// Of VP8.
    #[cfg(feature = "vp8")]
    Vp8(vp8::Decoder),
}

/// Does the same with the coder, whichever it is.
macro_rules! each {
    ($coder:expr, $one:ident => $does:expr) => {
        match $coder {
            Self::H264($one) => $does,
            #[cfg(feature = "vp8")]
            Self::Vp8($one) => $does,
        }
    };
}

impl VideoEncoder {
    /// An encoder whose first frame is a keyframe.
    ///
    /// # Errors
    /// [`EncodeError::Codec`] if it is none of [`VideoCodec::AVAILABLE`]; else as [`h264::Encoder::new`].
    pub fn new(codec: VideoCodec, settings: EncoderSettings) -> Result<Self, EncodeError> {
        match codec {
            VideoCodec::H264 => h264::Encoder::new(settings).map(Self::H264),
            #[cfg(feature = "vp8")]
            VideoCodec::Vp8 => vp8::Encoder::new(settings).map(Self::Vp8),
            #[cfg(not(feature = "vp8"))]
            VideoCodec::Vp8 => Err(EncodeError::Codec(codec)),
        }
    }

    /// What it writes.
    pub const fn codec(&self) -> VideoCodec {
        match self {
            Self::H264(_) => VideoCodec::H264,
            #[cfg(feature = "vp8")]
            Self::Vp8(_) => VideoCodec::Vp8,
        }
    }

    /// What it is set to.
    pub const fn settings(&self) -> EncoderSettings {
        each!(self, encoder => encoder.settings())
    }

    /// Other settings, from the next frame on. A change of the size or the content begins anew, with a keyframe.
    ///
    /// # Errors
    /// As [`h264::Encoder::set`].
    pub fn set(&mut self, settings: EncoderSettings) -> Result<(), EncodeError> {
        each!(self, encoder => encoder.set(settings))
    }

    /// The next frame is a keyframe.
    pub const fn request_keyframe(&mut self) {
        each!(self, encoder => encoder.request_keyframe());
    }

    /// Encodes a picture, taken at `time` since an arbitrary start. `None`: the rate allows no frame for this one.
    ///
    /// # Errors
    /// As [`h264::Encoder::encode`].
    pub fn encode(&mut self, picture: &Picture, time: Duration) -> Result<Option<EncodedFrame>, EncodeError> {
        each!(self, encoder => encoder.encode(picture, time))
    }

    /// Gives a frame's memory back, to be used again.
    pub fn recycle(&mut self, frame: EncodedFrame) {
        each!(self, encoder => encoder.recycle(frame));
    }
}

impl VideoDecoder {
    /// A decoder that waits for a keyframe.
    ///
    /// # Errors
    /// [`DecodeError::Codec`] if it is none of [`VideoCodec::AVAILABLE`]; else as [`h264::Decoder::new`].
    pub fn new(codec: VideoCodec) -> Result<Self, DecodeError> {
        match codec {
            VideoCodec::H264 => h264::Decoder::new().map(Self::H264),
            #[cfg(feature = "vp8")]
            VideoCodec::Vp8 => vp8::Decoder::new().map(Self::Vp8),
            #[cfg(not(feature = "vp8"))]
            VideoCodec::Vp8 => Err(DecodeError::Codec(codec)),
        }
    }

    /// What it reads.
    pub const fn codec(&self) -> VideoCodec {
        match self {
            Self::H264(_) => VideoCodec::H264,
            #[cfg(feature = "vp8")]
            Self::Vp8(_) => VideoCodec::Vp8,
        }
    }

    /// Decodes a frame. `None`: it holds no picture that is to be shown.
    ///
    /// # Errors
    /// [`DecodeError`]; a keyframe is needed from then on.
    pub fn decode(&mut self, frame: &[u8]) -> Result<Option<&Picture>, DecodeError> {
        each!(self, decoder => decoder.decode(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::Content;

    const SETTINGS: EncoderSettings = EncoderSettings {
        width: 320,
        height: 180,
        frame_rate: 30,
        bitrate: 300_000,
        content: Content::Camera,
    };

    #[test]
    fn each_codec_that_is_there_passes_a_picture_on() {
        for &codec in VideoCodec::AVAILABLE {
            let mut encoder = VideoEncoder::new(codec, SETTINGS).unwrap();
            let mut decoder = VideoDecoder::new(codec).unwrap();
            assert_eq!((encoder.codec(), decoder.codec()), (codec, codec));
            let frame = encoder.encode(&Picture::black(320, 180).unwrap(), Duration::ZERO).unwrap().unwrap();
            assert_eq!((frame.codec, frame.keyframe), (codec, true));
            let seen = decoder.decode(&frame.data).unwrap().unwrap();
            assert_eq!((seen.width(), seen.height()), (320, 180));
        }
    }

    #[test]
    fn a_codec_that_is_not_there_is_said_to_be() {
        if !VideoCodec::AVAILABLE.contains(&VideoCodec::Vp8) {
            assert!(
                VideoEncoder::new(VideoCodec::Vp8, SETTINGS)
                    .is_err_and(|error| error == EncodeError::Codec(VideoCodec::Vp8))
            );
            assert!(VideoDecoder::new(VideoCodec::Vp8).is_err());
        }
    }
}
