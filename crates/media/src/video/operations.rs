//! What can be done to packets of pictures and to decoders, as data: for fuzzing, and for the walks in the tests.

use std::time::Duration;

use arbitrary::Arbitrary;

use super::assembly::{AssembledFrame, AssemblyStats, FrameAssembly, MAX_BYTES, MAX_PACKETS, VideoPacket};
use super::packets::Packetiser;
use super::{EncodedFrame, VideoCodec, VideoDecoder};
use crate::picture::MAX_SIDE;

/// One thing done to a stream of packets.
#[derive(Debug, Clone, PartialEq, Eq, Arbitrary)]
pub enum Operation {
    /// A packet that says what it likes.
    Insert {
        /// Of VP8; else of H.264.
        vp8: bool,
        /// RTP sequence number, from that of the sender on.
        sequence: u16,
        /// RTP timestamp.
        timestamp: u32,
        /// The last of its frame.
        marker: bool,
        /// The payload.
        payload: Vec<u8>,
    },
    /// A frame of a sender that behaves, cut into packets.
    Frame {
        /// Of VP8; else of H.264.
        vp8: bool,
        /// It can be decoded by itself.
        keyframe: bool,
        /// No other refers to it.
        disposable: bool,
        /// What is in it.
        body: Vec<u8>,
        /// A bit for each packet that is lost, the first ones.
        lost: u8,
        /// The packets come the wrong way round.
        reversed: bool,
        /// They come twice.
        twice: bool,
    },
    /// Time passes.
    Wait {
        /// How much.
        ms: u16,
    },
    /// The way to the other side and back takes this long.
    RoundTrip {
        /// In milliseconds.
        ms: u16,
    },
    /// The decoder lost its thread.
    AwaitKeyframe,
    /// The sender's numbers go on elsewhere.
    Jump {
        /// How far on, in sequence numbers.
        sequence: u16,
        /// How far on, in ticks of 1/90,000 s.
        timestamp: u32,
    },
    /// Many packets that make no frame.
    Flood {
        /// Of 16 packets each.
        times: u8,
    },
}

/// A sender that numbers its packets.
struct Sender {
    packetiser: Packetiser,
    sequence: u16,
    timestamp: u32,
    /// Of H.264: `frame_num`, of 4 bits.
    number: u8,
}

/// Does it all to an assembly. Gives what became of the packets.
///
/// # Panics
/// When what holds of every assembly does not hold of this one: its memory is bounded, a keyframe comes before anything
/// else after it was asked for, what is given out adds up.
pub fn run(operations: &[Operation]) -> AssemblyStats {
    let mut assembly = FrameAssembly::new();
    // All wrap soon.
    let mut sender = Sender {
        packetiser: Packetiser::new(),
        sequence: u16::MAX - 20,
        timestamp: u32::MAX - 9_000,
        number: 12,
    };
    let mut now = Duration::ZERO;
    let mut broken = true;
    let (mut frames, mut keyframes) = (0, 0);
    for operation in operations {
        for packet in packets(operation, &mut sender, now) {
            assembly.insert(packet);
            assert!(assembly.is_bounded(), "at most {MAX_PACKETS} packets and {MAX_BYTES} bytes wait");
            while let Some(AssembledFrame { frame, began, arrival, .. }) = assembly.pop(now) {
                assert!(frame.keyframe || !broken, "a keyframe comes first");
                assert!(!frame.data.is_empty() && began <= arrival && arrival <= now, "a frame is whole");
                broken = false;
                frames += 1;
                keyframes += u64::from(frame.keyframe);
            }
        }
        match operation {
            Operation::Wait { ms } => now += Duration::from_millis((*ms).into()),
            Operation::RoundTrip { ms } => assembly.set_round_trip(Duration::from_millis((*ms).into())),
            Operation::AwaitKeyframe => {
                assembly.await_keyframe();
                broken = true;
            }
            Operation::Insert { .. }
            | Operation::Frame { .. }
            | Operation::Jump { .. }
            | Operation::Flood { .. } => {}
        }
        // Asking changes nothing that is to be seen.
        assembly.needs_keyframe(now);
    }
    let stats = assembly.stats();
    assert_eq!((stats.frames, stats.keyframes), (frames, keyframes), "what is counted was given out");
    stats
}

fn packets(operation: &Operation, sender: &mut Sender, now: Duration) -> Vec<VideoPacket> {
    match operation {
        Operation::Insert { vp8, sequence, timestamp, marker, payload } => {
            let sequence = sender.sequence.wrapping_add(*sequence);
            let payload = payload.clone().into();
            vec![VideoPacket {
                codec: codec(*vp8),
                sequence,
                timestamp: *timestamp,
                marker: *marker,
                payload,
                arrival: now,
            }]
        }
        Operation::Frame { vp8, keyframe, disposable, body, lost, reversed, twice } => {
            let mut packets = sender.send(codec(*vp8), (*keyframe, *disposable && !keyframe), body, now);
            let mut index = 0;
            packets.retain(|_| {
                index += 1;
                index > 8 || lost >> (index - 1) & 1 == 0
            });
            if *twice {
                packets.extend_from_within(..);
            }
            if *reversed {
                packets.reverse();
            }
            packets
        }
        Operation::Flood { times } => (0..16 * u16::from(*times))
            .map(|_| {
                sender.sequence = sender.sequence.wrapping_add(1);
                let payload = vec![0x41; 1_200].into();
                let (sequence, timestamp) = (sender.sequence, sender.timestamp);
                VideoPacket {
                    codec: VideoCodec::H264,
                    sequence,
                    timestamp,
                    marker: false,
                    payload,
                    arrival: now,
                }
            })
            .collect(),
        Operation::Jump { sequence, timestamp } => {
            sender.sequence = sender.sequence.wrapping_add(*sequence);
            sender.timestamp = sender.timestamp.wrapping_add(*timestamp);
            Vec::new()
        }
        Operation::Wait { .. } | Operation::RoundTrip { .. } | Operation::AwaitKeyframe => Vec::new(),
    }
}

const fn codec(vp8: bool) -> VideoCodec {
    if vp8 { VideoCodec::Vp8 } else { VideoCodec::H264 }
}

/// Parameters of constrained baseline, 320 × 192, `frame_num` of 4 bits.
const PARAMETERS: [u8; 8] = [0x67, 0x42, 0xC0, 0x1F, 0xDA, 0x05, 0x06, 0x84];

impl Sender {
    fn send(
        &mut self,
        codec: VideoCodec,
        (keyframe, disposable): (bool, bool),
        body: &[u8],
        now: Duration,
    ) -> Vec<VideoPacket> {
        self.timestamp = self.timestamp.wrapping_add(3_000);
        let mut data = Vec::new();
        match codec {
            VideoCodec::Vp8 => data.push(u8::from(!keyframe)),
            VideoCodec::H264 => {
                if keyframe {
                    self.number = 0;
                    data.extend([0, 0, 0, 1]);
                    data.extend(PARAMETERS);
                }
                // One code each for block 0, any kind and the parameters: a 1; then 4 bits of the number.
                let head = if keyframe { 0x65 } else { 0x41 & !if disposable { 0x60 } else { 0 } };
                data.extend([0, 0, 0, 1, head, 0xE0 | self.number << 1]);
                if !disposable {
                    self.number = (self.number + 1) & 15;
                }
            }
        }
        data.extend_from_slice(body);
        let frame = EncodedFrame { codec, data, keyframe, layer: u8::from(disposable) };
        let payloads = self.packetiser.packetise(&frame, 100);
        let last = payloads.len().saturating_sub(1);
        let send = |(index, payload)| {
            self.sequence = self.sequence.wrapping_add(1);
            let (sequence, timestamp) = (self.sequence, self.timestamp);
            VideoPacket { codec, sequence, timestamp, marker: index == last, payload, arrival: now }
        };
        payloads.into_iter().enumerate().map(send).collect()
    }
}

/// Gives frames to a decoder of this codec. Each stands behind its length, of two bytes, the higher first; the last may be
/// cut off.
///
/// # Panics
/// When what holds of every decoder does not hold of this one: its pictures are of a size that may be, and whole.
pub fn decode(codec: VideoCodec, mut stream: &[u8]) {
    let Ok(mut decoder) = VideoDecoder::new(codec) else { return };
    while let Some((length, rest)) = stream.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (frame, after) = rest.split_at(length);
        stream = after;
        let Ok(Some(picture)) = decoder.decode(frame) else { continue };
        let side = 2..=MAX_SIDE;
        assert!(side.contains(&picture.width()) && side.contains(&picture.height()), "the size may be");
        let pixels = picture.width() as usize * picture.height() as usize;
        assert_eq!(picture.data().len(), pixels + pixels / 2, "the planes are whole");
    }
}

#[cfg(test)]
mod tests;
