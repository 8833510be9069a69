//! Senders that say nothing while nobody speaks (DTX; RFC 7587, section 3.1.3): a packet each 400 ms.

use super::*;

/// Speaks, and in the pauses of `Says::Sentences` sends one packet of twenty, all numbered without a gap.
fn with_dtx(call: &mut Call, seconds: f64, mut network: impl FnMut() -> f64) {
    let end = call.now + (seconds * 1e6) as u64;
    while call.now < end {
        let into = call.next_sample % 72_000;
        // The first 100 ms of a pause are sent: the sender must hear that it is one.
        if into >= 52_800 && !(into / call.packet).is_multiple_of(20) {
            let spoken = 1_000_000 + (call.next_sample + call.packet) * 125 / 6;
            if spoken <= call.now {
                call.next_sample += call.packet;
                continue;
            }
        } else {
            let delay = network();
            call.send(&mut |_| Some(delay));
        }
        call.tick();
    }
}

#[test]
fn the_silence_of_a_sender_is_noise_and_not_concealment() {
    let mut call = Call::saying(Says::Sentences);
    with_dtx(&mut call, 30.0, || 30.0);
    let stats = call.stats();
    assert_eq!((stats.concealed_samples, stats.late, stats.jumped), (0, 0, 0), "{stats:?}");
    assert!(stats.comfort_noise > 500, "{stats:?}");
}

#[test]
fn the_noise_of_a_pause_is_as_loud_as_the_room() {
    let mut call = Call::saying(Says::Sentences);
    with_dtx(&mut call, 30.0, || 30.0);
    let power = |frames: &[f32]| frames.iter().map(|s| s * s).sum::<f32>() / frames.len() as f32;
    let noise: Vec<f32> = call
        .played
        .chunks(FRAME_SAMPLES)
        .zip(&call.decisions)
        .skip(200)
        .filter(|(_, decision)| **decision == Decision::ComfortNoise)
        .flat_map(|(frame, _)| frame.to_vec())
        .collect();
    let room: Vec<f32> = (0..48_000).map(room).collect();
    let decibels = 10.0 * (power(&noise) / power(&room)).log10();
    assert!(decibels.abs() < 3.0, "{decibels} dB off");
}

#[test]
fn jitter_while_the_sender_is_silent_does_not_count_as_loss() {
    let mut call = Call::saying(Says::Sentences);
    let mut random = Random(3);
    with_dtx(&mut call, 60.0, || 40.0 + 10.0 * random.next());
    let stats = call.stats();
    assert!(stats.concealed_share() < 0.01, "{stats:?}");
}

#[test]
fn a_pause_whose_first_packet_is_lost_counts_for_little_more_than_that_packet() {
    let mut call = Call::saying(Says::Vowel);
    call.run(5.0, |_| Some(30.0));
    let before = call.stats().concealed_samples;
    call.run(0.02, |_| None);
    call.next_sample += 24_000;
    while 1_000_000 + call.next_sample * 125 / 6 > call.now {
        call.tick();
    }
    call.run(1.0, |_| Some(30.0));
    let concealed = call.stats().concealed_samples - before;
    assert!(concealed <= 1_920, "{concealed}");
}

#[test]
fn a_pause_of_ten_minutes_ends_as_it_began() {
    let mut call = Call::saying(Says::Sentences);
    call.run(1.4, |_| Some(30.0));
    let pause = 600 * 48_000;
    call.next_sample += pause;
    while 1_000_000 + call.next_sample * 125 / 6 > call.now {
        call.tick();
    }
    call.run(5.0, |_| Some(30.0));
    let stats = call.stats();
    assert_eq!((stats.late, stats.jumped, stats.out_of_window), (0, 0, 0), "{stats:?}");
    assert!(stats.concealed_share() < 0.01, "{stats:?}");
    assert!(stats.playout_delay < Duration::from_millis(30), "{stats:?}");
}

#[test]
fn when_the_network_dies_amid_speech_it_fades_to_noise_and_comes_back() {
    let mut call = Call::saying(Says::Sentences);
    call.run(4.7, |_| Some(30.0));
    call.run(2.0, |_| None);
    let before = call.stats();
    assert!(before.concealed_samples > 80_000, "an outage is loss: {before:?}");
    // 160 ms are made up by the decoder, the rest is noise.
    let concealed: usize = call.buffer.decoder_mut().concealed.iter().sum();
    assert!(concealed <= 7_680 + 960, "{concealed}");
    let end = &call.played[call.played.len() - 4_800..];
    assert!(end.iter().any(|sample| sample.abs() > 1e-5), "not a dead line");

    call.run(5.0, |_| Some(30.0));
    let after = call.stats();
    assert!(after.concealed_samples - before.concealed_samples < 4_800, "{after:?}");
    assert!(after.playout_delay < Duration::from_millis(60), "{after:?}");
}
