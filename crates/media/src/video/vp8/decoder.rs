//! The receiving side of VP8.

use super::ffi::RawDecoder;
use super::header::is_keyframe;
use crate::picture::Picture;
use crate::video::DecodeError;

/// Decodes frames, and shows none that is not whole.
///
/// After an error it gives nothing until a keyframe comes: what refers to a broken picture is broken too. That a frame
/// between two others is missing can't be told from what follows: the numbers in the packets tell it
/// ([`FrameAssembly`](crate::video::assembly::FrameAssembly)).
pub struct Decoder {
    raw: Option<RawDecoder>,
    picture: Picture,
    waits_for_keyframe: bool,
}

impl Decoder {
    /// A decoder that waits for a keyframe.
    ///
    /// # Errors
    /// [`DecodeError::Refused`] if libvpx has no memory for one.
    pub fn new() -> Result<Self, DecodeError> {
        let raw = RawDecoder::open().map_err(DecodeError::Refused)?;
        Ok(Self { raw: Some(raw), picture: Picture::least(), waits_for_keyframe: true })
    }

    /// Decodes a frame. `None`: it is not to be shown.
    ///
    /// # Errors
    /// [`DecodeError`]; a keyframe is needed from then on.
    pub fn decode(&mut self, frame: &[u8]) -> Result<Option<&Picture>, DecodeError> {
        let keyframe = is_keyframe(frame).inspect_err(|_| self.waits_for_keyframe = true)?;
        if self.waits_for_keyframe && !keyframe {
            return Err(DecodeError::NeedsKeyframe);
        }
        let raw = match &mut self.raw {
            Some(raw) => raw,
            none => none.insert(RawDecoder::open().map_err(DecodeError::Refused)?),
        };
        match raw.decode(frame, &mut self.picture) {
            Ok(shown) => {
                self.waits_for_keyframe = false;
                Ok(shown.then_some(&self.picture))
            }
            Err(code) => {
                // What it keeps may be wrong: it begins anew.
                self.raw = None;
                self.waits_for_keyframe = true;
                Err(DecodeError::Broken(code))
            }
        }
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("waits_for_keyframe", &self.waits_for_keyframe)
            .finish_non_exhaustive()
    }
}
