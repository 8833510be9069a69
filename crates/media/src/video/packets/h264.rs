//! H.264 in packets: RFC 6184, packetization mode 1.

use bytes::Bytes;

use super::{Joined, Peek, Place};
use crate::video::h264::parameters;
use crate::video::h264::units::{UnitKind, is_disposable, units};
use crate::video::{EncodedFrame, VideoCodec};

/// Several units in one packet (section 5.7.1).
const STAP_A: u8 = 24;
/// A piece of a unit (section 5.8).
const FU_A: u8 = 28;
const START: u8 = 0x80;
const END: u8 = 0x40;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

pub(super) fn packetise(data: &[u8], most: usize) -> Vec<Bytes> {
    let mut payloads = Vec::with_capacity(data.len() / most + 2);
    // Small units wait to share a packet.
    let mut together: Vec<&[u8]> = Vec::new();
    let mut length = 1;
    for unit in units(data).filter(|unit| !unit.is_empty()) {
        if length + 2 + unit.len() > most || unit.len() > usize::from(u16::MAX) {
            flush(&mut together, &mut payloads);
            length = 1;
        }
        if unit.len() > most {
            cut(unit, most, &mut payloads);
        } else {
            length += 2 + unit.len();
            together.push(unit);
        }
    }
    flush(&mut together, &mut payloads);
    payloads
}

fn flush(together: &mut Vec<&[u8]>, payloads: &mut Vec<Bytes>) {
    match together.as_slice() {
        [] => {}
        [one] => payloads.push(Bytes::copy_from_slice(one)),
        several => {
            // The highest importance of all of them (section 5.3).
            let importance = several.iter().filter_map(|unit| unit.first()).map(|head| head & 0x60).max();
            let mut payload = vec![importance.unwrap_or(0) | STAP_A];
            for unit in several {
                payload.extend(u16::try_from(unit.len()).unwrap_or(u16::MAX).to_be_bytes());
                payload.extend_from_slice(unit);
            }
            payloads.push(payload.into());
        }
    }
    together.clear();
}

fn cut(unit: &[u8], most: usize, payloads: &mut Vec<Bytes>) {
    let [head, rest @ ..] = unit else { return };
    let pieces = rest.len().div_ceil(most - 2);
    // Of even length, so that no packet is nearly empty.
    let length = rest.len().div_ceil(pieces.max(1));
    for (number, piece) in rest.chunks(length.max(1)).enumerate() {
        let start = if number == 0 { START } else { 0 };
        let end = if number + 1 == pieces { END } else { 0 };
        let mut payload = Vec::with_capacity(piece.len() + 2);
        payload.extend([head & 0x60 | FU_A, start | end | head & 0x1F]);
        payload.extend_from_slice(piece);
        payloads.push(payload.into());
    }
}

pub(super) fn peek(payload: &[u8]) -> Option<Peek> {
    let head = *payload.first()?;
    if head & 0x80 != 0 {
        return None;
    }
    match head & 0x1F {
        1..=23 => Some(peek_unit(payload)),
        STAP_A => {
            let mut all = Peek { starts: false, keyframe: false };
            let mut some = false;
            for unit in aggregated(payload) {
                let one = peek_unit(unit?);
                all.starts |= one.starts;
                all.keyframe |= one.keyframe;
                some = true;
            }
            some.then_some(all)
        }
        FU_A => {
            let [_, piece, first, ..] = payload else { return None };
            if piece & START == 0 {
                return Some(Peek { starts: false, keyframe: piece & 0x1F == 5 });
            }
            Some(peek_unit(&[head & 0x60 | piece & 0x1F, *first]))
        }
        _ => None,
    }
}

/// A frame begins with the slice of the first block: `first_mb_in_slice` is 0, one bit that is set. A keyframe begins with its
/// parameters: the packet before its first slice may be the one that is missing.
fn peek_unit(unit: &[u8]) -> Peek {
    let first = unit.get(1).is_some_and(|byte| byte & 0x80 != 0);
    match UnitKind::of(unit) {
        Some(UnitKind::SequenceParameters) => Peek { starts: true, keyframe: true },
        Some(UnitKind::Keyframe) => Peek { starts: false, keyframe: true },
        Some(UnitKind::Picture) => Peek { starts: first, keyframe: false },
        Some(UnitKind::Other) | None => Peek { starts: false, keyframe: false },
    }
}

/// The units of a `STAP-A`; `None` where it ends in the midst of one, and then no more.
fn aggregated(payload: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = payload.get(1..).unwrap_or_default();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let unit = rest.split_at_checked(2).and_then(|(length, after)| {
            let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
            let (unit, after) = after.split_at_checked(length).filter(|_| length > 0)?;
            rest = after;
            Some(unit)
        });
        if unit.is_none() {
            rest = &[];
        }
        Some(unit)
    })
}

pub(super) fn join<'a>(payloads: impl Iterator<Item = &'a Bytes>, bits: &mut Option<u8>) -> Option<Joined> {
    let mut data = Vec::new();
    // Within a unit that came in pieces.
    let mut open = false;
    for payload in payloads {
        let head = *payload.first()?;
        if open && head & 0x1F != FU_A {
            return None;
        }
        match head & 0x1F {
            1..=23 => {
                data.extend(START_CODE);
                data.extend_from_slice(payload);
            }
            STAP_A => {
                for unit in aggregated(payload) {
                    data.extend(START_CODE);
                    data.extend_from_slice(unit?);
                }
            }
            FU_A => {
                let [_, piece, body @ ..] = payload.as_ref() else { return None };
                if open == (piece & START != 0) {
                    return None;
                }
                if !open {
                    data.extend(START_CODE);
                    data.push(head & 0x60 | piece & 0x1F);
                }
                data.extend_from_slice(body);
                open = piece & END == 0;
            }
            _ => return None,
        }
    }
    if open || data.is_empty() {
        return None;
    }
    let mut keyframe = false;
    let mut slice = None;
    for unit in units(&data) {
        match UnitKind::of(unit) {
            Some(UnitKind::SequenceParameters) => *bits = parameters::frame_number_bits(unit),
            Some(UnitKind::Keyframe) => {
                keyframe = true;
                slice = slice.or(Some(unit));
            }
            Some(UnitKind::Picture) => slice = slice.or(Some(unit)),
            Some(UnitKind::Other) | None => {}
        }
    }
    let place = slice.zip(*bits).and_then(|(slice, bits)| {
        let number = parameters::frame_number(slice, bits)?;
        Some(Place { number, modulus: 1 << bits, referred: !is_disposable(slice) })
    });
    let layer = u8::from(slice.is_some_and(is_disposable));
    Some(Joined { frame: EncodedFrame { codec: VideoCodec::H264, data, keyframe, layer }, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(head: u8, length: usize) -> Vec<u8> {
        let body = (0..length - 1).map(|n| (n % 200) as u8 | 4);
        std::iter::once(head).chain(body).collect()
    }

    fn stream(units: &[Vec<u8>]) -> Vec<u8> {
        units.iter().flat_map(|unit| START_CODE.into_iter().chain(unit.iter().copied())).collect()
    }

    #[test]
    fn a_frame_is_the_same_after_its_way_in_packets() {
        for lengths in
            [vec![10, 5, 4_000], vec![3], vec![1_100], vec![1_101], vec![600, 600, 600], vec![2, 2_198]]
        {
            let all: Vec<_> = lengths.iter().map(|length| unit(0x65, *length)).collect();
            let data = stream(&all);
            let payloads = packetise(&data, 1_100);
            assert!(payloads.iter().all(|payload| (1..=1_100).contains(&payload.len())), "{lengths:?}");
            assert_eq!(join(payloads.iter(), &mut None).unwrap().frame.data, data, "{lengths:?}");
        }
    }

    #[test]
    fn parameters_share_a_packet_and_begin_a_keyframe() {
        let payloads = packetise(&stream(&[unit(0x67, 12), unit(0x68, 5), unit(0x65, 3_000)]), 1_100);
        let kinds: Vec<_> = payloads.iter().map(|payload| payload[0] & 0x1F).collect();
        assert_eq!(kinds, [STAP_A, FU_A, FU_A, FU_A]);
        assert_eq!(peek(&payloads[0]), Some(Peek { starts: true, keyframe: true }));
        assert_eq!(peek(&payloads[2]), Some(Peek { starts: false, keyframe: true }));
    }

    #[test]
    fn pieces_that_do_not_fit_make_no_frame() {
        let payloads = packetise(&stream(&[unit(0x65, 3_000)]), 1_100);
        let [first, second, third] = &payloads[..] else { panic!() };
        for wrong in
            [vec![first, third, second], vec![first, second], vec![second, third], vec![first, first]]
        {
            assert!(join(wrong.into_iter(), &mut None).is_none());
        }
        let single = Bytes::from_static(&[0x41, 0x9A]);
        assert!(join([first, &single, third].into_iter(), &mut None).is_none());
    }

    #[test]
    fn what_is_no_payload_is_told_apart() {
        for wrong in [
            &[][..],
            &[0x80 | 1, 2],
            &[0x60 | STAP_A],
            &[0x60 | STAP_A, 0, 9, 0x67],
            &[0x60 | STAP_A, 0, 0],
            &[0x60 | FU_A, START | 5],
            &[29, 0, 0, 0],
            &[0, 1, 2],
        ] {
            assert_eq!(peek(wrong), None, "{wrong:?}");
        }
    }
}
