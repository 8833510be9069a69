//! NAL units (ITU-T H.264, section 7.3.1 and Annex B).

/// What a unit holds, as far as anybody here asks (table 7-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnitKind {
    /// A slice of a picture that refers to others (1), or a part of one (2 to 4).
    Picture,
    /// A slice of a picture that refers to none, and none after it to one before it (5: IDR).
    Keyframe,
    /// Sizes and limits of what follows (7: SPS).
    SequenceParameters,
    /// Anything else: picture parameters, delimiters, remarks.
    Other,
}

impl UnitKind {
    /// The kind of a unit, without its start code. `None`: it is empty, or its forbidden bit is set.
    pub(crate) fn of(unit: &[u8]) -> Option<Self> {
        match unit.first().copied() {
            Some(head) if head & 0x80 == 0 => Some(match head & 0x1F {
                1..=4 => Self::Picture,
                5 => Self::Keyframe,
                7 => Self::SequenceParameters,
                _ => Self::Other,
            }),
            _ => None,
        }
    }
}

/// Whether no other picture refers to the one of this unit (`nal_ref_idc` is 0).
pub(crate) fn is_disposable(unit: &[u8]) -> bool {
    unit.first().is_some_and(|head| head & 0x60 == 0)
}

/// The units of a byte stream, without start codes and trailing zeros. What stands before the first start code is none.
pub(crate) fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut next = start_code(stream, 0);
    std::iter::from_fn(move || {
        let (_, begin) = next?;
        next = start_code(stream, begin);
        let end = next.map_or(stream.len(), |(end, _)| end);
        let unit = stream.get(begin..end)?;
        let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
        Some(&unit[..unit.len() - zeros])
    })
}

/// Where the next start code begins, from `from` on, and where it ends.
fn start_code(stream: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        // The 1 is what is looked for: it is rarer than zeros in flat pictures.
        let one = at + stream.get(at..)?.iter().position(|byte| *byte == 1)?;
        if one >= from + 2 && stream[one - 2..one] == [0, 0] {
            return Some((one - 2, one + 1));
        }
        at = one + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_behind_short_and_long_start_codes() {
        let stream = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 0, 1, 1, 0, 0];
        let found: Vec<_> = units(&stream).collect();
        assert_eq!(found, [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 0, 1, 1]]);
        let kinds: Vec<_> = found.iter().map(|unit| UnitKind::of(unit)).collect();
        let expected = [UnitKind::SequenceParameters, UnitKind::Other, UnitKind::Keyframe];
        assert_eq!(kinds, expected.map(Some));
    }

    #[test]
    fn a_stream_without_a_start_code_has_no_units() {
        for stream in [&[][..], &[1], &[0, 0], &[0, 1, 0x65], &[0x65, 0, 0, 2]] {
            assert_eq!(units(stream).count(), 0, "{stream:?}");
        }
        assert_eq!(units(&[0, 0, 1]).collect::<Vec<_>>(), [&[][..]; 1]);
        assert_eq!(UnitKind::of(&[]), None);
        assert_eq!(UnitKind::of(&[0xE5]), None);
    }
}
