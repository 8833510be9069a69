//! What a sequence parameter set may ask for (ITU-T H.264, section 7.3.2.1.1), looked at before the decoder sees it: it
//! takes as much memory as the set says.

use crate::picture::MAX_SIDE;
use crate::video::DecodeError;

/// The most pixels that the pictures kept for reference may have together, 64 MB of memory or so. A call keeps one or two of
/// 1280 × 720; 4 of 3840 × 2160 fit.
const MAX_KEPT: u64 = 4 * 3_840 * 2_176;
/// More reference frames than that there are in no stream (Annex A, `MaxDpbFrames`).
const MAX_REFERENCES: u64 = 16;

/// # Errors
/// [`DecodeError::Size`] if the pictures would be too large, [`DecodeError::Profile`] if the set is of a profile that is not
/// agreed on or not readable.
pub(super) fn check(unit: &[u8]) -> Result<(), DecodeError> {
    let set = Set::read(unit).ok_or(DecodeError::Profile)?;
    let kept = set.width.checked_mul(set.height).and_then(|pixels| pixels.checked_mul(set.references + 1));
    let fits = set.width <= u64::from(MAX_SIDE)
        && set.height <= u64::from(MAX_SIDE)
        && set.references <= MAX_REFERENCES
        && kept.is_some_and(|kept| kept <= MAX_KEPT);
    if fits { Ok(()) } else { Err(DecodeError::Size) }
}

/// How many bits `frame_num` has, 4 to 16. `None`: the set is not readable.
pub(crate) fn frame_number_bits(unit: &[u8]) -> Option<u8> {
    Set::read(unit).map(|set| set.frame_number_bits)
}

/// `frame_num` of a slice (section 7.3.3). `None`: it is no slice.
pub(crate) fn frame_number(slice: &[u8], bits: u8) -> Option<u32> {
    let head = without_prevention(slice.get(..slice.len().min(32))?);
    let mut reader = Bits { bytes: head.get(1..)?, at: 0 };
    // Block, kind, picture parameters.
    for _ in 0..3 {
        reader.number()?;
    }
    u32::try_from(reader.take(bits.into())?).ok()
}

/// 0, 0, 3 stands for 0, 0 (section 7.4.1).
fn without_prevention(unit: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for &byte in unit {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        bytes.push(byte);
    }
    bytes
}

/// The sides are those of the coded picture, before cropping.
#[derive(Debug, PartialEq, Eq)]
struct Set {
    frame_number_bits: u8,
    width: u64,
    height: u64,
    references: u64,
}

impl Set {
    /// Of a unit that is one, without its start code. `None`: it ends too early, or its profile has pictures that are not
    /// 4:2:0 of 8 bits.
    fn read(unit: &[u8]) -> Option<Self> {
        // Sets are short.
        let bytes = without_prevention(unit.get(1..unit.len().min(256))?);
        let mut bits = Bits { bytes: &bytes, at: 0 };
        let profile = bits.take(8)?;
        bits.take(16)?;
        bits.number()?;
        match profile {
            66 | 77 | 88 => {}
            100 => {
                let (format, luma, chroma) = (bits.number()?, bits.number()?, bits.number()?);
                if (format, luma, chroma) != (1, 0, 0) {
                    return None;
                }
                bits.take(1)?;
                // Scaling lists: no encoder of calls has any.
                if bits.take(1)? == 1 {
                    return None;
                }
            }
            _ => return None,
        }
        let frame_number_bits = u8::try_from(bits.number()?).ok().filter(|more| *more <= 12)? + 4;
        match bits.number()? {
            0 => drop(bits.number()?),
            1 => {
                bits.take(1)?;
                // The offsets are signed; only their length matters.
                bits.number()?;
                bits.number()?;
                for _ in 0..bits.number()?.min(255) {
                    bits.number()?;
                }
            }
            2 => {}
            _ => return None,
        }
        let references = bits.number()?;
        bits.take(1)?;
        let width = 16 * (bits.number()? + 1);
        let units = 16 * (bits.number()? + 1);
        let frames_only = bits.take(1)?;
        Some(Self { frame_number_bits, width, height: units * (2 - frames_only), references })
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u64> {
        let mut value = 0;
        for _ in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value = value << 1 | u64::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// An unsigned Exp-Golomb code (section 9.1).
    fn number(&mut self) -> Option<u64> {
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > 32 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the bits of a set of constrained baseline.
    fn set(width: u64, height: u64, references: u64) -> Vec<u8> {
        let mut bits = String::from("010000101100000000011111");
        let number = |bits: &mut String, value: u64| {
            let code = format!("{:b}", value + 1);
            bits.extend(std::iter::repeat_n('0', code.len() - 1));
            bits.push_str(&code);
        };
        for value in [0, 0, 2, references] {
            number(&mut bits, value);
        }
        bits.push('0');
        number(&mut bits, width / 16 - 1);
        number(&mut bits, height / 16 - 1);
        bits.push_str("11000");
        bits.push('1');
        while bits.len() % 8 != 0 {
            bits.push('0');
        }
        let bytes = bits
            .as_bytes()
            .chunks(8)
            .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap());
        std::iter::once(0x67).chain(bytes).collect()
    }

    #[test]
    fn the_sizes_are_read() {
        assert_eq!(
            Set::read(&set(1280, 720, 1)),
            Some(Set { frame_number_bits: 4, width: 1280, height: 720, references: 1 })
        );
    }

    #[test]
    fn a_set_that_asks_for_too_much_is_refused() {
        assert_eq!(check(&set(1280, 720, 1)), Ok(()));
        assert_eq!(check(&set(3840, 2176, 3)), Ok(()));
        for (width, height, references) in
            [(3840, 2176, 4), (4112, 16, 1), (16, 1 << 20, 1), (1 << 30, 1 << 30, 16), (16, 16, 17)]
        {
            assert_eq!(check(&set(width, height, references)), Err(DecodeError::Size));
        }
    }

    #[test]
    fn a_set_that_ends_early_is_refused() {
        let whole = set(1280, 720, 1);
        for length in 0..whole.len() - 1 {
            assert_eq!(check(&whole[..length]), Err(DecodeError::Profile), "{length}");
        }
        assert_eq!(check(&[0x67, 110, 0, 31, 0xFF]), Err(DecodeError::Profile));
    }
}
