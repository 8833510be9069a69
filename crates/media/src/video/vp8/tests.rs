use std::time::Duration;

use super::{Decoder, Encoder};
use crate::picture::Picture;
use crate::video::assembly::{FrameAssembly, VideoPacket};
use crate::video::packets::Packetiser;
use crate::video::{Content, DecodeError, EncodeError, EncodedFrame, EncoderSettings, VideoCodec};

const SETTINGS: EncoderSettings =
    EncoderSettings { width: 320, height: 180, frame_rate: 30, bitrate: 300_000, content: Content::Camera };

/// A bright disc that wanders over a slope.
fn scene(width: u32, height: u32, number: u32) -> Picture {
    let mut picture = Picture::black(width, height).unwrap();
    let [y, u, v] = picture.planes_mut();
    let centre = (width / 4 + number * 3 % (width / 2), height / 2);
    for (at, luma) in (0..).zip(y.iter_mut()) {
        let (column, row): (u32, u32) = (at % width, at / width);
        let inside = column.abs_diff(centre.0).pow(2) + row.abs_diff(centre.1).pow(2) < (height / 4).pow(2);
        let texture = (column * 7 + row * 13) % 23;
        *luma = if inside { 200 } else { (40 + (column + row) * 100 / (width + height) + texture) as u8 };
    }
    u.fill(110);
    v.fill(140);
    picture
}

fn time(number: u32) -> Duration {
    Duration::from_micros(u64::from(number) * 33_333)
}

fn encode(encoder: &mut Encoder, numbers: std::ops::Range<u32>) -> Vec<EncodedFrame> {
    let EncoderSettings { width, height, .. } = encoder.settings();
    numbers.filter_map(|n| encoder.encode(&scene(width, height, n), time(n)).unwrap()).collect()
}

/// Peak signal to noise, luma, in dB.
fn psnr(one: &Picture, other: &Picture) -> f64 {
    let ([one, ..], [other, ..]) = (one.planes(), other.planes());
    let squares: f64 = one.iter().zip(other).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    20.0 * 255.0f64.log10() - 10.0 * (squares / one.len() as f64).max(1e-9).log10()
}

#[test]
fn what_is_encoded_is_seen_again() {
    let mut encoder = Encoder::new(SETTINGS).unwrap();
    let mut decoder = Decoder::new().unwrap();
    let mut shown = 0;
    for n in 0..60 {
        let picture = scene(320, 180, n);
        // A keyframe is dear: some of the frames after it are left out.
        let Some(frame) = encoder.encode(&picture, time(n)).unwrap() else { continue };
        shown += 1;
        assert_eq!(frame.keyframe, n == 0);
        let seen = decoder.decode(&frame.data).unwrap().unwrap();
        assert!(psnr(&picture, seen) > 30.0, "{n}: {}", psnr(&picture, seen));
        encoder.recycle(frame);
    }
    assert!(shown > 50, "{shown}");
}

#[test]
fn a_keyframe_comes_on_the_next_frame_and_only_when_asked_for() {
    let mut encoder = Encoder::new(SETTINGS).unwrap();
    let first = encode(&mut encoder, 0..20);
    encoder.request_keyframe();
    let second = encode(&mut encoder, 20..23);
    // The scene changes all at once.
    let mut other = scene(320, 180, 0);
    other.planes_mut()[0].iter_mut().for_each(|luma| *luma = 255 - *luma);
    let third = encoder.encode(&other, time(23)).unwrap();
    let keyframes = |frames: &[EncodedFrame]| frames.iter().map(|frame| frame.keyframe).collect::<Vec<_>>();
    assert_eq!(keyframes(&first), [&[true][..], &[false; 19]].concat());
    assert_eq!(keyframes(&second), [true, false, false]);
    assert!(third.is_none_or(|frame| !frame.keyframe));
}

#[test]
fn every_other_frame_is_needed_by_no_other() {
    let mut encoder = Encoder::new(SETTINGS).unwrap();
    let mut frames = encode(&mut encoder, 0..40);
    encoder.request_keyframe();
    frames.extend(encode(&mut encoder, 40..60));
    let layers: Vec<_> = frames.iter().map(|frame| frame.layer).collect();
    assert!(layers.windows(2).all(|pair| pair != [1, 1]), "{layers:?}");
    let (mut all, mut base) = (Decoder::new().unwrap(), Decoder::new().unwrap());
    for frame in &frames {
        let whole = all.decode(&frame.data).unwrap().unwrap();
        if frame.layer == 0 {
            // The numbers in a frame don't tell what is missing: only the pictures do.
            assert_eq!(base.decode(&frame.data).unwrap().unwrap(), whole);
        }
    }
}

#[test]
fn what_is_given_out_after_losses_looks_as_it_was_sent() {
    let mut encoder = Encoder::new(SETTINGS).unwrap();
    let mut packetiser = Packetiser::new();
    let (mut sender, mut receiver) = (Decoder::new().unwrap(), Decoder::new().unwrap());
    let mut assembly = FrameAssembly::new();
    let (mut sequence, mut shown, mut asked) = (0_u16, 0, 0);
    for n in 0..300 {
        let arrival = time(n);
        if assembly.needs_keyframe(arrival) {
            encoder.request_keyframe();
            asked += 1;
        }
        let Some(frame) = encoder.encode(&scene(320, 180, n), arrival).unwrap() else { continue };
        let sent = sender.decode(&frame.data).unwrap().unwrap();
        let payloads = packetiser.packetise(&frame, 300);
        let last = payloads.len() - 1;
        for (index, payload) in payloads.into_iter().enumerate() {
            sequence = sequence.wrapping_add(1);
            // Single packets, of both layers.
            if sequence % 37 == 20 {
                continue;
            }
            let (codec, marker) = (VideoCodec::Vp8, index == last);
            assembly.insert(VideoPacket { codec, sequence, timestamp: n * 3_000, marker, payload, arrival });
            while let Some(given) = assembly.pop(arrival) {
                shown += 1;
                let seen = receiver.decode(&given.frame.data).unwrap().unwrap();
                assert!(given.timestamp != n * 3_000 || seen == sent, "{n}");
            }
        }
    }
    assert!(shown > 100 && asked > 0, "{shown} {asked}");
}

#[test]
fn the_rate_is_kept_and_followed_within_ten_frames() {
    let mut encoder = Encoder::new(SETTINGS).unwrap();
    let rate = |frames: &[EncodedFrame], count: u32| {
        let bytes: usize = frames.iter().map(|frame| frame.data.len()).sum();
        bytes as f64 * 8.0 * 30.0 / f64::from(count)
    };
    encode(&mut encoder, 0..60);
    let high = rate(&encode(&mut encoder, 60..120), 60);
    encoder.set(EncoderSettings { bitrate: 100_000, ..SETTINGS }).unwrap();
    encode(&mut encoder, 120..130);
    let low = rate(&encode(&mut encoder, 130..190), 60);
    assert!(high < 330_000.0 && low < 120_000.0 && low < high, "{high} {low}");
}

#[test]
fn a_new_size_begins_with_a_keyframe_and_is_seen_at_that_size() {
    let mut encoder = Encoder::new(SETTINGS).unwrap();
    let mut decoder = Decoder::new().unwrap();
    let mut frames = encode(&mut encoder, 0..5);
    encoder.set(EncoderSettings { width: 640, height: 360, ..SETTINGS }).unwrap();
    let wrong = encoder.encode(&scene(320, 180, 5), time(5));
    assert_eq!(wrong, Err(EncodeError::Size { width: 640, height: 360 }));
    frames.extend(encode(&mut encoder, 5..8));
    let sizes: Vec<_> = frames
        .iter()
        .map(|frame| decoder.decode(&frame.data).unwrap().map(|seen| (seen.width(), seen.height())).unwrap())
        .collect();
    assert_eq!(sizes[..6], [vec![(320, 180); 5], vec![(640, 360)]].concat());
    assert!(sizes[6..].iter().all(|size| *size == (640, 360)) && frames[5].keyframe);
}

#[test]
fn after_a_damaged_frame_nothing_is_shown_until_a_keyframe() {
    let mut encoder = Encoder::new(SETTINGS).unwrap();
    let mut decoder = Decoder::new().unwrap();
    let frames = encode(&mut encoder, 0..10);
    for frame in &frames[..4] {
        decoder.decode(&frame.data).unwrap();
    }
    let half = &frames[4].data[..frames[4].data.len() / 2];
    assert!(matches!(decoder.decode(half), Err(DecodeError::Broken(_))));
    for frame in &frames[5..] {
        assert_eq!(decoder.decode(&frame.data), Err(DecodeError::NeedsKeyframe));
    }
    encoder.request_keyframe();
    let fresh = encode(&mut encoder, 10..12);
    assert!(fresh.iter().all(|frame| decoder.decode(&frame.data).unwrap().is_some()));
}

#[test]
fn settings_that_make_no_sense_are_refused_or_moved() {
    for (width, height) in [(0, 0), (2, 2), (321, 180), (4_098, 16), (100_000, 100_000)] {
        assert!(Encoder::new(EncoderSettings { width, height, ..SETTINGS }).is_err());
    }
    let odd = EncoderSettings { bitrate: 0, frame_rate: 0, ..SETTINGS };
    let mut encoder = Encoder::new(odd).unwrap();
    assert!(encoder.encode(&scene(320, 180, 0), time(0)).unwrap().is_some());
    let most = EncoderSettings { bitrate: u32::MAX, frame_rate: u32::MAX, ..SETTINGS };
    encoder.set(most).unwrap();
    assert!(encoder.encode(&scene(320, 180, 1), time(1)).is_ok());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_is_an_error_and_nothing_worse(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400),
        flips in proptest::collection::vec((0..4_000_usize, proptest::prelude::any::<u8>()), 0..20),
    ) {
        let mut decoder = Decoder::new().unwrap();
        let _ = decoder.decode(&bytes);
        let mut encoder = Encoder::new(SETTINGS).unwrap();
        for mut frame in encode(&mut encoder, 0..4) {
            for (at, flip) in &flips {
                let at = at % frame.data.len();
                frame.data[at] ^= flip;
            }
            let _ = decoder.decode(&frame.data);
        }
    }
}
