//! The receiving side of H.264.

use super::ffi::RawDecoder;
use super::parameters;
use super::units::{UnitKind, units};
use crate::picture::Picture;
use crate::video::DecodeError;

/// Decodes frames, and shows none that is not whole.
///
/// After an error it gives nothing until a keyframe comes: what refers to a broken picture is broken too.
pub struct Decoder {
    raw: Option<RawDecoder>,
    picture: Picture,
    waits_for_keyframe: bool,
}

impl Decoder {
    /// A decoder that waits for a keyframe.
    ///
    /// # Errors
    /// [`DecodeError::Refused`] if OpenH264 has no memory for one.
    pub fn new() -> Result<Self, DecodeError> {
        let picture = Picture::black(2, 2).map_err(|_| DecodeError::Size)?;
        let raw = RawDecoder::open().map_err(DecodeError::Refused)?;
        Ok(Self { raw: Some(raw), picture, waits_for_keyframe: true })
    }

    /// Decodes a frame: NAL units with start codes (ITU-T H.264, Annex B). `None`: it holds no picture, only parameters.
    ///
    /// # Errors
    /// [`DecodeError`]; a keyframe is needed from then on.
    pub fn decode(&mut self, frame: &[u8]) -> Result<Option<&Picture>, DecodeError> {
        let mut keyframe = false;
        let mut coded = false;
        for unit in units(frame) {
            match UnitKind::of(unit) {
                Some(UnitKind::SequenceParameters) => {
                    if let Err(error) = parameters::check(unit) {
                        self.waits_for_keyframe = true;
                        return Err(error);
                    }
                }
                Some(UnitKind::Keyframe) => (keyframe, coded) = (true, true),
                Some(UnitKind::Picture) => coded = true,
                Some(UnitKind::Other) | None => {}
            }
        }
        if self.waits_for_keyframe && coded && !keyframe {
            return Err(DecodeError::NeedsKeyframe);
        }
        if self.raw.is_none() {
            self.raw = Some(RawDecoder::open().map_err(DecodeError::Refused)?);
        }
        let Some(raw) = &mut self.raw else { return Err(DecodeError::NeedsKeyframe) };
        match raw.decode(frame, &mut self.picture) {
            Ok(true) => {
                self.waits_for_keyframe &= !keyframe;
                Ok(Some(&self.picture))
            }
            Ok(false) if coded => Err(self.broken(0)),
            Ok(false) => Ok(None),
            Err(code) => Err(self.broken(code)),
        }
    }

    /// What it has learned of the stream may be wrong: it begins anew.
    fn broken(&mut self, code: i64) -> DecodeError {
        self.raw = None;
        self.waits_for_keyframe = true;
        DecodeError::Broken(code)
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("waits_for_keyframe", &self.waits_for_keyframe)
            .finish_non_exhaustive()
    }
}
