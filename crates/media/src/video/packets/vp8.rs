//! VP8 in packets: RFC 7741.

use bytes::Bytes;

use super::{Joined, Peek, Place};
use crate::video::{EncodedFrame, VideoCodec};

/// The bits of the first byte of the descriptor (section 4.2).
const EXTENDED: u8 = 0x80;
const NOT_REFERRED: u8 = 0x20;
const BEGINS: u8 = 0x10;
/// Of the second.
const PICTURE_ID: u8 = 0x80;
const TL0PICIDX: u8 = 0x40;
const TID: u8 = 0x20;
const KEYIDX: u8 = 0x10;

/// What each frame is numbered with.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    picture: u16,
    base: u8,
}

impl Numbers {
    pub(super) fn packetise(&mut self, frame: &EncodedFrame, most: usize) -> Vec<Bytes> {
        self.picture = (self.picture + 1) & 0x7FFF;
        if frame.layer == 0 {
            self.base = self.base.wrapping_add(1);
        }
        let [high, low] = (self.picture | 0x8000).to_be_bytes();
        let referred = if frame.layer == 0 { 0 } else { NOT_REFERRED };
        // A frame of layer 1 refers to the base alone: the `Y` bit.
        let layer = frame.layer.min(3) << 6 | if frame.layer == 0 { 0 } else { 0x20 };
        let descriptor = |begins: u8| {
            [EXTENDED | referred | begins, PICTURE_ID | TL0PICIDX | TID, high, low, self.base, layer]
        };
        let room = most - descriptor(0).len();
        let pieces = frame.data.len().div_ceil(room).max(1);
        let length = frame.data.len().div_ceil(pieces).max(1);
        let cut = frame.data.chunks(length).enumerate().map(|(number, piece)| {
            [&descriptor(if number == 0 { BEGINS } else { 0 }), piece].concat().into()
        });
        cut.collect()
    }
}

/// A payload, read.
struct Payload<'a> {
    begins: bool,
    referred: bool,
    base: Option<u8>,
    layer: u8,
    body: &'a [u8],
}

impl<'a> Payload<'a> {
    fn read(payload: &'a [u8]) -> Option<Self> {
        let (head, mut rest) = payload.split_first()?;
        let mut take = || {
            let (byte, after) = rest.split_first()?;
            rest = after;
            Some(*byte)
        };
        let (mut base, mut layer) = (None, 0);
        if head & EXTENDED != 0 {
            let fields = take()?;
            if fields & PICTURE_ID != 0 && take()? & 0x80 != 0 {
                take()?;
            }
            if fields & TL0PICIDX != 0 {
                base = Some(take()?);
            }
            if fields & (TID | KEYIDX) != 0 {
                let byte = take()?;
                if fields & TID != 0 {
                    layer = byte >> 6;
                }
            }
        }
        // The numbers of the base mean something beside the number of the layer.
        let begins = head & BEGINS != 0 && head & 0x07 == 0;
        let referred = head & NOT_REFERRED == 0;
        (!rest.is_empty()).then_some(Self { begins, referred, base, layer, body: rest })
    }

    /// The first bit of a frame is clear for a keyframe (RFC 6386, section 9.1).
    fn is_keyframe(&self) -> bool {
        self.begins && self.body.first().is_some_and(|byte| byte & 1 == 0)
    }
}

pub(super) fn peek(payload: &[u8]) -> Option<Peek> {
    let payload = Payload::read(payload)?;
    Some(Peek { starts: payload.begins, keyframe: payload.is_keyframe() })
}

pub(super) fn join<'a>(payloads: impl Iterator<Item = &'a Bytes>) -> Option<Joined> {
    let mut data = Vec::new();
    let mut first = None;
    for payload in payloads {
        let payload = Payload::read(payload)?;
        if first.is_none() != payload.begins {
            return None;
        }
        data.extend_from_slice(payload.body);
        first.get_or_insert(payload);
    }
    let first = first?;
    let keyframe = first.is_keyframe();
    let (layer, referred) = (first.layer, first.layer == 0);
    let place = first.base.map(|base| Place { number: base.into(), modulus: 256, referred });
    let layer = if first.referred { layer.min(1) } else { 1 };
    Some(Joined { frame: EncodedFrame { codec: VideoCodec::Vp8, data, keyframe, layer }, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize, keyframe: bool, layer: u8) -> EncodedFrame {
        let mut data: Vec<_> = (0..length).map(|n| n as u8 | 1).collect();
        data[0] = u8::from(!keyframe);
        EncodedFrame { codec: VideoCodec::Vp8, data, keyframe, layer }
    }

    #[test]
    fn a_frame_is_the_same_after_its_way_in_packets() {
        let mut numbers = Numbers::default();
        for (length, keyframe, layer) in
            [(1, true, 0), (5_000, false, 1), (1_094, false, 0), (1_095, false, 1)]
        {
            let frame = frame(length, keyframe, layer);
            let payloads = numbers.packetise(&frame, 1_100);
            assert!(payloads.iter().all(|payload| payload.len() <= 1_100));
            assert_eq!(join(payloads.iter()).unwrap().frame, frame);
        }
    }

    #[test]
    fn who_refers_to_whom_can_be_told() {
        let mut numbers = Numbers::default();
        let mut place =
            |layer| join(numbers.packetise(&frame(9, false, layer), 1_100).iter()).unwrap().place.unwrap();
        let (first, between, second, third) = (place(0), place(1), place(0), place(0));
        let follows = |one: Place, last: Place| one.follows(VideoCodec::Vp8, last);
        assert!(follows(between, first) && follows(second, first) && follows(third, second));
        assert!(!follows(third, first) && !follows(between, second));
    }

    #[test]
    fn descriptors_of_others_are_read() {
        // Without an extension; with a short picture id; with a key index alone.
        for (payload, keyframe) in [
            (&[BEGINS, 0x10][..], true),
            (&[EXTENDED | BEGINS, PICTURE_ID, 5, 0x11], false),
            (&[0x90, KEYIDX, 3, 0], true),
        ] {
            assert_eq!(peek(payload), Some(Peek { starts: true, keyframe }));
        }
        for wrong in [
            &[][..],
            &[BEGINS],
            &[EXTENDED, PICTURE_ID, 0x80, 1],
            &[EXTENDED],
            &[EXTENDED, TID | TL0PICIDX, 1],
        ] {
            assert_eq!(peek(wrong), None, "{wrong:?}");
        }
    }
}
