use proptest::prelude::*;

use super::*;
use crate::picture::Picture;
use crate::video::h264::{Decoder, Encoder};
use crate::video::packets::Packetiser;
use crate::video::{Content, EncoderSettings};

const SETTINGS: EncoderSettings =
    EncoderSettings { width: 320, height: 180, frame_rate: 30, bitrate: 400_000, content: Content::Camera };

/// Something that moves.
fn picture(number: u32) -> Picture {
    let mut picture = Picture::black(320, 180).unwrap();
    for (at, luma) in (0..).zip(picture.planes_mut()[0].iter_mut()) {
        let (column, row): (u32, u32) = (at % 320, at / 320);
        *luma = ((column + number * 2) * 5 % 97 + row * 3 % 61) as u8 + 20;
    }
    picture
}

/// Frames of a real encoder, each as its packets; a keyframe where asked for.
fn sent(count: u32, keyframes: &[u32]) -> Vec<Vec<VideoPacket>> {
    let mut encoder = Encoder::new(SETTINGS).unwrap();
    let mut packetiser = Packetiser::new();
    let mut sequence = 65_500u16;
    let mut frames = Vec::new();
    for number in 0..count {
        if keyframes.contains(&number) {
            encoder.request_keyframe();
        }
        let time = Duration::from_millis(u64::from(number) * 33);
        let Some(frame) = encoder.encode(&picture(number), time).unwrap() else { continue };
        let payloads = packetiser.packetise(&frame, 300);
        let last = payloads.len() - 1;
        let packets = payloads.into_iter().enumerate().map(|(index, payload)| {
            let packet = VideoPacket {
                codec: VideoCodec::H264,
                sequence,
                timestamp: number.wrapping_mul(3_000).wrapping_add(u32::MAX - 20_000),
                marker: index == last,
                payload,
                arrival: time,
            };
            sequence = sequence.wrapping_add(1);
            packet
        });
        frames.push(packets.collect());
    }
    frames
}

fn drain(assembly: &mut FrameAssembly, now: Duration) -> Vec<AssembledFrame> {
    std::iter::from_fn(|| assembly.pop(now)).collect()
}

fn feed(assembly: &mut FrameAssembly, packets: impl IntoIterator<Item = VideoPacket>) -> Vec<AssembledFrame> {
    packets
        .into_iter()
        .flat_map(|packet| {
            let now = packet.arrival;
            assembly.insert(packet);
            drain(assembly, now)
        })
        .collect()
}

fn timestamps(frames: &[AssembledFrame]) -> Vec<u32> {
    frames.iter().map(|frame| frame.timestamp).collect()
}

/// Frames of the base among those sent, by index.
fn layers(frames: &[Vec<VideoPacket>]) -> Vec<u8> {
    let whole = feed(&mut FrameAssembly::new(), frames.concat());
    whole.iter().map(|frame| frame.frame.layer).collect()
}

#[test]
fn frames_come_out_at_once_and_whole() {
    let frames = sent(40, &[]);
    let mut assembly = FrameAssembly::new();
    let mut decoder = Decoder::new().unwrap();
    for packets in &frames {
        let given = feed(&mut assembly, packets.clone());
        assert_eq!(timestamps(&given), [packets[0].timestamp]);
        assert!(decoder.decode(&given[0].frame.data).unwrap().is_some());
    }
    assert!(!assembly.needs_keyframe(Duration::ZERO));
}

#[test]
fn packets_out_of_order_make_the_same_frames() {
    let frames = sent(20, &[]);
    let mut packets = frames.concat();
    for pair in packets[1..].chunks_mut(2) {
        pair.reverse();
    }
    let given = feed(&mut FrameAssembly::new(), packets);
    assert_eq!(given.len(), frames.len());
}

#[test]
fn a_frame_that_nobody_refers_to_is_passed_over_when_the_next_is_whole() {
    let frames = sent(20, &[]);
    let layers = layers(&frames);
    let lost = (6..).find(|index| layers[*index] == 1).unwrap();
    let mut assembly = FrameAssembly::new();
    let mut decoder = Decoder::new().unwrap();
    for (index, packets) in frames.iter().enumerate() {
        let given = feed(&mut assembly, packets.iter().filter(|_| index != lost).cloned());
        assert_eq!(given.len(), usize::from(index != lost), "{index}");
        for frame in given {
            assert!(decoder.decode(&frame.frame.data).unwrap().is_some());
        }
    }
    assert_eq!(assembly.stats().skipped, 1);
}

#[test]
fn a_frame_that_others_refer_to_holds_them_up_until_it_is_repaired() {
    let frames = sent(20, &[]);
    let layers = layers(&frames);
    let lost = (6..).find(|index| layers[*index] == 0).unwrap();
    let mut assembly = FrameAssembly::new();
    feed(&mut assembly, frames[..lost].concat());
    let mut missing = frames[lost].clone();
    let repair = missing.pop().unwrap();
    assert!(feed(&mut assembly, missing).is_empty());
    assert!(feed(&mut assembly, frames[lost + 1..lost + 3].concat()).is_empty());
    let now = frames[lost + 2][0].arrival;
    assert!(!assembly.needs_keyframe(now) && assembly.needs_keyframe(now + MOST_WAIT));
    let given = feed(&mut assembly, [repair]);
    assert_eq!(timestamps(&given), [lost, lost + 1, lost + 2].map(|index| frames[index][0].timestamp));
    assert!(!assembly.needs_keyframe(now + MOST_WAIT));
}

#[test]
fn a_keyframe_ends_the_wait() {
    let frames = sent(20, &[12]);
    let keyframe = frames.iter().position(|packets| packets[0].timestamp == 12 * 3_000 - 20_001).unwrap();
    let mut assembly = FrameAssembly::new();
    let mut packets = frames.concat();
    packets.retain(|packet| packet.timestamp != frames[4][0].timestamp);
    let given = feed(&mut assembly, packets);
    let expected: Vec<_> = frames
        .iter()
        .enumerate()
        .filter(|(index, _)| *index < 4 || *index >= keyframe)
        .map(|(_, packets)| packets[0].timestamp)
        .collect();
    // What nobody refers to may be among those lost.
    let layers = layers(&frames);
    if layers[4] == 0 {
        assert_eq!(timestamps(&given), expected);
    }
    assert!(given.iter().any(|frame| frame.frame.keyframe && frame.timestamp != frames[0][0].timestamp));
}

#[test]
fn a_stream_that_begins_in_the_middle_asks_for_a_keyframe() {
    let frames = sent(20, &[10]);
    let mut assembly = FrameAssembly::new();
    assert!(feed(&mut assembly, frames[1..5].concat()).is_empty());
    assert!(assembly.needs_keyframe(Duration::ZERO));
    let given = feed(&mut assembly, frames[5..].concat());
    assert!(given[0].frame.keyframe);
}

#[test]
fn after_the_decoder_lost_its_thread_a_keyframe_comes_first() {
    let frames = sent(20, &[10]);
    let mut assembly = FrameAssembly::new();
    feed(&mut assembly, frames[..5].concat());
    assembly.await_keyframe();
    let given = feed(&mut assembly, frames[5..].concat());
    assert!(given[0].frame.keyframe && given.len() < frames.len() - 5);
}

#[test]
fn parameters_without_a_picture_are_no_keyframe() {
    let frames = sent(20, &[]);
    let mut assembly = FrameAssembly::new();
    feed(&mut assembly, frames[..5].concat());
    assembly.await_keyframe();
    let sequence = frames[4].last().unwrap().sequence.wrapping_add(1);
    let payload = Bytes::from_static(&[0x67, 0x42, 0xC0, 0x1F, 0xDA, 0x05, 0x06, 0x84]);
    let parameters = VideoPacket { sequence, marker: true, payload, ..frames[5][0].clone() };
    assert_eq!(feed(&mut assembly, [parameters]), []);
    let moved = frames[5..].concat().into_iter().map(|packet| {
        let sequence = packet.sequence.wrapping_add(1);
        VideoPacket { sequence, ..packet }
    });
    assert_eq!(feed(&mut assembly, moved), [], "what follows refers to what is not there");
}

#[test]
fn what_comes_twice_is_counted_and_changes_nothing() {
    let frames = sent(10, &[]);
    let mut assembly = FrameAssembly::new();
    let doubled = frames.concat().into_iter().flat_map(|packet| [packet.clone(), packet]);
    let packets = frames.concat().len() as u64;
    assert_eq!(feed(&mut assembly, doubled).len(), frames.len());
    assert_eq!(assembly.stats().late, packets);
}

#[test]
fn a_jump_of_the_sequence_begins_anew_and_nothing_grows_without_bound() {
    let frames = sent(3, &[]);
    let mut assembly = FrameAssembly::new();
    feed(&mut assembly, frames.concat());
    for packet in frames.concat() {
        assembly.insert(VideoPacket { sequence: packet.sequence.wrapping_add(20_000), ..packet });
    }
    assert_eq!(assembly.stats().resets, 1);
    assert_eq!(drain(&mut assembly, Duration::ZERO).len(), 3);

    let mut assembly = FrameAssembly::new();
    let template = frames[1][0].clone();
    for sequence in 0..60_000u16 {
        let payload = Bytes::from(vec![0x41; 1_200]);
        assembly.insert(VideoPacket { sequence, payload, marker: false, ..template.clone() });
        assert!(assembly.bytes <= MAX_BYTES && assembly.packets.len() <= MAX_PACKETS);
    }
    assert!(assembly.stats().resets > 1);
}

#[test]
fn a_storm_of_keyframes_shows_the_newest() {
    let frames = sent(30, &(0..30).collect::<Vec<_>>());
    let mut assembly = FrameAssembly::new();
    // All of them come at once, and nothing was given out in between.
    for packet in frames.concat() {
        assembly.insert(packet);
    }
    let given = drain(&mut assembly, Duration::ZERO);
    assert_eq!(given.len(), 1);
    assert_eq!(given[0].timestamp, frames.last().unwrap()[0].timestamp);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is lost, doubled and turned round: what is given out decodes, in order.
    #[test]
    fn what_is_given_out_decodes(
        fate in proptest::collection::vec((0..100_u8, 0..6_usize), 1..200),
        keyframes in proptest::collection::vec(0..60_u32, 0..4),
    ) {
        let packets = sent(60, &keyframes).concat();
        let mut queue: Vec<(usize, VideoPacket)> = Vec::new();
        for (index, packet) in packets.into_iter().enumerate() {
            let (lost, late) = fate[index % fate.len()];
            if lost >= 8 {
                queue.push((index + late, packet.clone()));
            }
            if lost > 95 {
                queue.push((index + 2 * late, packet));
            }
        }
        queue.sort_by_key(|(at, _)| *at);
        let given = feed(&mut FrameAssembly::new(), queue.into_iter().map(|(_, packet)| packet));
        let mut decoder = Decoder::new().unwrap();
        for frame in &given {
            prop_assert!(matches!(decoder.decode(&frame.frame.data), Ok(Some(_))));
        }
        prop_assert!(given.windows(2).all(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp) < 1 << 30));
    }

    #[test]
    fn any_packets_do_no_harm(
        packets in proptest::collection::vec(
            (any::<bool>(), any::<u16>(), 0..5_u32, any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40)),
            0..200,
        ),
    ) {
        let mut assembly = FrameAssembly::new();
        for (h264, sequence, timestamp, marker, payload) in packets {
            let codec = if h264 { VideoCodec::H264 } else { VideoCodec::Vp8 };
            let payload = payload.into();
            assembly.insert(VideoPacket {
                codec, sequence: sequence % 300, timestamp, marker, payload, arrival: Duration::ZERO,
            });
            drain(&mut assembly, Duration::ZERO);
        }
    }
}
