//! What a frame says of itself before anything of it is decoded (RFC 6386, section 9.1).

use crate::picture::MAX_SIDE;
use crate::video::DecodeError;

/// Its pictures may have so many pixels, 3840 × 2176: the decoder keeps four of them, 50 MB.
const MAX_PIXELS: u32 = 3_840 * 2_176;
/// What stands behind the tag of a keyframe.
const START_CODE: [u8; 3] = [0x9D, 0x01, 0x2A];

/// Whether the frame is a keyframe, of a size that may be.
///
/// # Errors
/// [`DecodeError::Size`] if it is too large or has a side under 2, [`DecodeError::Broken`] if it is no frame.
pub(super) fn is_keyframe(frame: &[u8]) -> Result<bool, DecodeError> {
    let [tag, _, _, rest @ ..] = frame else { return Err(DecodeError::Broken(0)) };
    if tag & 1 == 1 {
        return Ok(false);
    }
    let [a, b, c, width, wide, height, high, ..] = rest else { return Err(DecodeError::Broken(0)) };
    if [*a, *b, *c] != START_CODE {
        return Err(DecodeError::Broken(0));
    }
    // The upper two bits say how to scale, which nobody does.
    let side = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    let (width, height) = (side(*width, *wide), side(*height, *high));
    let fits = [width, height].iter().all(|side| (2..=MAX_SIDE).contains(side));
    if fits && width * height <= MAX_PIXELS { Ok(true) } else { Err(DecodeError::Size) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyframe(width: u16, height: u16) -> Vec<u8> {
        [&[0x10, 0, 0, 0x9D, 0x01, 0x2A][..], &width.to_le_bytes(), &height.to_le_bytes()].concat()
    }

    #[test]
    fn a_keyframe_tells_its_size() {
        assert_eq!(is_keyframe(&keyframe(1280, 720)), Ok(true));
        assert_eq!(is_keyframe(&keyframe(1280 | 0x4000, 720 | 0xC000)), Ok(true), "scaling is no size");
        assert_eq!(is_keyframe(&[0x11, 0, 0]), Ok(false));
        for (width, height) in [(0, 720), (1280, 0), (1, 1), (4098, 16), (16, 0x3FFF), (4096, 4096)] {
            assert_eq!(is_keyframe(&keyframe(width, height)), Err(DecodeError::Size), "{width} × {height}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let whole = keyframe(1280, 720);
        for length in 0..whole.len() {
            assert_eq!(is_keyframe(&whole[..length]), Err(DecodeError::Broken(0)), "{length}");
        }
        let mut wrong = whole;
        wrong[3] = 0;
        assert_eq!(is_keyframe(&wrong), Err(DecodeError::Broken(0)));
    }
}
