//! Pictures: both ways, lost and repaired, keyframes asked for, and when they were taken.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use carillon_media::picture::Rotation;
use carillon_media::video::VideoCodec;
use carillon_transport::{Dropped, OutgoingAudio, OutgoingFrame, Peer, ReceivedVideo, SenderClock};
use tokio::time::MissedTickBehavior;

use crate::support::{Pair, Side, eventually, speak};

const PACKETS: u32 = 5;

fn frame(number: u32, rotation: Rotation) -> OutgoingFrame {
    let payloads = (0..PACKETS).map(|index| {
        let mut payload = vec![0; 400];
        payload[..4].copy_from_slice(&number.to_be_bytes());
        payload[4..8].copy_from_slice(&index.to_be_bytes());
        Bytes::from(payload)
    });
    OutgoingFrame {
        timestamp: number * 3_000,
        captured: Instant::now(),
        keyframe: number == 0,
        layer: 0,
        rotation,
        payloads: payloads.collect(),
    }
}

fn number(packet: &ReceivedVideo) -> (u32, u32) {
    let word = |at: usize| u32::from_be_bytes(packet.payload[at..at + 4].try_into().unwrap());
    (word(0), word(4))
}

async fn show(peer: &Peer, frames: std::ops::Range<u32>, rotation: Rotation) {
    let sender = peer.video();
    let mut pace = tokio::time::interval(Duration::from_millis(40));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in frames {
        pace.tick().await;
        sender.send(frame(number, rotation));
    }
}

/// Lets one end show frames, and gives what came until the last packet of the last frame.
async fn watch(
    pair: &Pair,
    from: Side,
    frames: std::ops::Range<u32>,
    rotation: Rotation,
) -> Vec<ReceivedVideo> {
    let received = pair.peer(from.other()).received_video();
    let last = (frames.end - 1, PACKETS - 1);
    let mut all = Vec::new();
    let watching = eventually("the last packet came", || {
        while let Some(packet) = received.pop() {
            let end = number(&packet) == last;
            all.push(packet);
            if end {
                return true;
            }
        }
        false
    });
    tokio::join!(show(pair.peer(from), frames, rotation), watching);
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_go_both_ways_beside_the_sound_in_order_and_whole() {
    let mut pair = Pair::direct();
    pair.connect().await;
    assert_eq!(pair.peer(Side::Caller).video().codec(), Some(VideoCodec::H264));
    let pace = Duration::from_millis(10);
    let (there, back, (), ()) = tokio::join!(
        watch(&pair, Side::Caller, 0..30, Rotation::None),
        watch(&pair, Side::Callee, 0..30, Rotation::Quarter),
        speak(pair.peer(Side::Caller), 0..100, pace),
        speak(pair.peer(Side::Callee), 0..100, pace),
    );
    for (packets, rotation) in [(&there, Rotation::None), (&back, Rotation::Quarter)] {
        let expected = (0..30).flat_map(|number| (0..PACKETS).map(move |index| (number, index)));
        assert!(packets.iter().map(number).eq(expected));
        let first = &packets[0];
        for packet in packets {
            let (frame, index) = number(packet);
            assert_eq!(packet.codec, VideoCodec::H264);
            assert_eq!(packet.timestamp.wrapping_sub(first.timestamp), frame * 3_000);
            assert_eq!(packet.marker, index == PACKETS - 1);
            let told = packet.marker && (frame == 0 || rotation != Rotation::None);
            assert_eq!(packet.rotation, told.then_some(rotation));
        }
    }
    for side in Side::BOTH {
        let stats = pair.stats(side);
        assert_eq!((stats.video.frames_out, stats.video.packets_in), (30, 150));
        assert_eq!(stats.sent.packets, 100, "the sound has its own count");
        assert_eq!(stats.dropped.iter().filter(|(reason, _)| *reason != Dropped::QueueFull).count(), 0);
    }
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_five_percent_loss_every_packet_comes_once() {
    let mut pair = Pair::over_a_line(21).await;
    pair.connect().await;
    let line = pair.line.as_ref().unwrap();
    line.lose(50, 1);
    let mut packets = watch(&pair, Side::Caller, 0..100, Rotation::None).await;
    line.lose(0, 1);
    // The last gaps may be repaired after the last packet.
    let received = pair.peer(Side::Callee).received_video();
    let mut came: BTreeMap<_, u32> = BTreeMap::new();
    eventually("every packet came", || {
        packets.extend(std::iter::from_fn(|| received.pop()));
        packets.drain(..).for_each(|packet| *came.entry(number(&packet)).or_default() += 1);
        came.len() >= 495
    })
    .await;
    assert!(came.values().all(|count| *count == 1), "nothing twice");
    let stats = pair.stats(Side::Callee);
    assert!(stats.video.repaired > 5, "{stats:?}");
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keyframe_is_asked_for_until_it_has_come() {
    let mut pair = Pair::direct();
    pair.connect().await;
    watch(&pair, Side::Caller, 0..2, Rotation::None).await;
    let (sender, receiver) = (pair.peer(Side::Caller).video(), pair.peer(Side::Callee).received_video());
    assert!(!sender.demand().keyframe);
    receiver.request_keyframe();
    eventually("the encoder is asked", || sender.demand().keyframe).await;
    eventually("it is asked again", || sender.demand().keyframe).await;
    receiver.keyframe_came();
    let asked = pair.stats(Side::Caller).video.keyframes_asked_there;
    assert!(asked >= 2);
    assert_eq!(asked, pair.stats(Side::Callee).video.keyframes_asked_here);
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_side_learns_when_sound_and_pictures_were_taken() {
    let mut pair = Pair::direct();
    pair.connect().await;
    let (audio, video) = (pair.peer(Side::Caller).audio(), pair.peer(Side::Caller).video());
    // Both begin at the same moment; the pictures are then handed over 100 ms after they were taken.
    let start = Instant::now();
    let units = |taken: Instant, rate: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some seconds")]
        let units = ((taken - start).as_secs_f64() * rate).round() as u32;
        units
    };
    let mut taken = start;
    let heard = || {
        let stats = pair.stats(Side::Callee).video;
        stats.audio_clock.zip(stats.video_clock)
    };
    let mut number = 0;
    let speaking = eventually("both clocks are told", || {
        audio.send(OutgoingAudio {
            timestamp: units(taken, 48_000.0),
            captured: taken,
            marker: false,
            payload: Bytes::from_static(&[1; 20]),
        });
        let old = taken.checked_sub(Duration::from_millis(100)).filter(|old| *old > start).unwrap_or(start);
        video.send(OutgoingFrame {
            timestamp: units(old, 90_000.0),
            captured: old,
            ..frame(number, Rotation::None)
        });
        number += 1;
        taken = Instant::now();
        heard().is_some()
    });
    speaking.await;
    let (audio, video) = heard().unwrap();
    let sound = pair.peer(Side::Callee).received().pop().unwrap();
    let picture = pair.peer(Side::Callee).received_video().pop().unwrap();
    // When the first of each was taken, by the sender's clock, in seconds.
    let began = |clock: SenderClock, first: u32, rate: f64| {
        #[expect(clippy::cast_precision_loss, reason = "a difference of a day at most")]
        let ntp = (clock.ntp & 0xFFFF_FFFF_FFFF) as f64 / 2f64.powi(32);
        ntp - f64::from(clock.timestamp.wrapping_sub(first)) / rate
    };
    let (sound, picture) =
        (began(audio, sound.timestamp, 48_000.0), began(video, picture.timestamp, 90_000.0));
    assert!((sound - picture).abs() < 0.001, "{sound} {picture}");
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_picture_leaves_before_the_certificate_was_compared() {
    let mut pair = Pair::direct();
    let sender = pair.peer(Side::Caller).video();
    sender.send(frame(0, Rotation::None));
    assert_eq!(pair.stats(Side::Caller).dropped.of(Dropped::VideoNotSent), 1);
    pair.connect().await;
    let packets = watch(&pair, Side::Caller, 1..3, Rotation::None).await;
    assert_eq!(number(&packets[0]), (1, 0));
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_answered_with_vp8_alone_sends_it_with_feedback_and_repair() {
    let mut pair = Pair::over_a_line(13).await;
    pair.vp8_alone = true;
    pair.connect().await;
    let line = pair.line.as_ref().unwrap();
    line.lose(50, 1);
    tokio::join!(
        show(pair.peer(Side::Caller), 0..40, Rotation::None),
        show(pair.peer(Side::Callee), 0..40, Rotation::None),
    );
    // The last packets come for certain.
    line.lose(0, 1);
    let (there, back) = tokio::join!(
        watch(&pair, Side::Caller, 40..45, Rotation::None),
        watch(&pair, Side::Callee, 40..45, Rotation::None),
    );
    for (side, packets) in [(Side::Callee, &there), (Side::Caller, &back)] {
        assert_eq!(pair.peer(side).video().codec(), Some(VideoCodec::Vp8));
        assert!(packets.iter().all(|packet| packet.codec == VideoCodec::Vp8));
        let stats = pair.stats(side).video;
        assert!(stats.repaired > 0, "{side:?}: {stats:?}");
    }
    for side in Side::BOTH {
        pair.peer(side).received_video().request_keyframe();
        let asked = || pair.stats(side.other()).video.keyframes_asked_there > 0;
        eventually("the request for a keyframe comes", asked).await;
    }
    pair.close().await;
}
