//! Nothing is played twice, nothing is left out, all in order: each sample is its own number.

use proptest::prelude::*;

use super::*;
use crate::stretch::LAG_MAX;

/// What was played without the noise before and between.
fn numbers(played: &[f32]) -> Vec<u64> {
    played.iter().filter(|sample| **sample >= 1.0).map(|sample| sample.round() as u64).collect()
}

fn assert_in_order(numbers: &[u64]) {
    if let Some(two) = numbers.windows(2).find(|two| two[1] != two[0] + 1) {
        panic!("after {} came {}", two[0], two[1]);
    }
}

#[test]
fn the_first_packet_is_played_at_the_next_tick() {
    let mut call = Call::saying(Says::Numbers);
    call.run(0.06, |_| Some(0.0));
    let first = call.decisions.iter().position(|decision| *decision != Decision::ComfortNoise).unwrap();
    assert_eq!(first, 2, "20 ms to speak it, and not a tick more");
}

#[test]
fn on_an_even_network_every_sample_is_played_once_and_in_order() {
    for packet in [120, 240, 480, 960, 1_920, 2_880] {
        let mut call = Call::saying(Says::Numbers);
        call.packet = packet;
        call.run(20.0, |_| Some(30.0));
        let numbers = numbers(&call.played[96_000..]);
        assert_in_order(&numbers);
        assert!(numbers.len() > 850_000);
        assert_eq!(call.stats().late, 0);
    }
}

#[test]
fn a_sender_may_change_the_length_of_its_packets() {
    let mut call = Call::saying(Says::Numbers);
    for packet in [960, 480, 960, 480, 2_880, 480, 120, 960] {
        call.next_sample = call.next_sample.next_multiple_of(packet);
        call.packet = packet;
        call.run(5.0, |_| Some(30.0));
    }
    let stats = call.stats();
    assert!(stats.concealed_share() < 0.005, "{stats:?}");
    assert_eq!((stats.jumped, stats.out_of_window, stats.duplicate), (0, 0, 0));
}

#[test]
fn a_packet_that_comes_twice_is_counted_and_played_once() {
    let mut call = Call::saying(Says::Numbers);
    let mut copies = Vec::new();
    for _ in 0..500 {
        call.run(0.01, |_| Some(30.0));
        copies.extend(call.on_its_way.iter().cloned().map(|mut packet| {
            packet.arrival.0 += 3_000;
            packet
        }));
        if call.decisions.len().is_multiple_of(3) {
            call.on_its_way.extend(copies.drain(..));
        }
    }
    assert_in_order(&numbers(&call.played[96_000..]));
    let stats = call.stats();
    assert!(stats.duplicate > 200, "{stats:?}");
    assert_eq!((stats.late, stats.concealed_samples), (0, 0));
}

#[test]
fn a_late_packet_is_counted_and_dropped() {
    let mut call = Call::saying(Says::Numbers);
    call.run(10.0, |packet| Some(if packet == 200 { 300.0 } else { 30.0 }));
    let stats = call.stats();
    assert_eq!((stats.late, stats.concealed_samples, stats.duplicate), (1, 960, 0), "{stats:?}");
    let before = numbers(&call.played);
    assert!(!before.contains(&(200 * 960 + 400)), "its place is long over");
}

#[test]
fn of_a_packet_a_little_late_the_rest_is_played() {
    let mut call = Call::saying(Says::Numbers);
    // Two ticks after the packet after it: which tells that it is missing.
    call.run(10.0, |packet| match packet {
        200 => Some(58.0),
        _ => Some(38.0),
    });
    let stats = call.stats();
    assert_eq!(stats.late, 1);
    assert!(stats.concealed_samples <= 960, "{stats:?}");
}

#[test]
fn the_numbers_of_24_hours_wrap_without_a_seam() {
    // The timestamp wraps after 24.9 h, the sequence number every 22 min.
    for begin in [24 * 3_600 * 48_000u64, u64::from(u32::MAX) - 480_000 - 959] {
        let mut call = Call::saying(Says::Numbers);
        call.first_timestamp = begin as u32;
        call.run(30.0, |_| Some(30.0));
        assert_in_order(&numbers(&call.played[96_000..]));
        assert_eq!((call.stats().jumped, call.stats().out_of_window), (0, 0));
    }
}

#[test]
fn after_a_jump_of_the_senders_numbers_it_goes_on() {
    for (sequence, timestamp) in [(30_000u16, 2_000_000_000u32), (40_000, 3_000_000_000), (3, 960 * 3)] {
        let mut call = Call::saying(Says::Numbers);
        call.run(5.0, |_| Some(30.0));
        call.sequence = call.sequence.wrapping_add(sequence);
        call.first_timestamp = call.first_timestamp.wrapping_add(timestamp);
        call.run(5.0, |_| Some(30.0));
        let stats = call.stats();
        if timestamp > 48_000 {
            assert_eq!((stats.jumped, stats.out_of_window), (1, 1), "{stats:?}");
        }
        assert!(stats.concealed_share() < 0.015, "{stats:?}");
        assert_in_order(&numbers(&call.played[call.played.len() - 96_000..]));
    }
}

#[test]
fn lone_packets_with_foreign_numbers_disturb_nothing() {
    let mut call = Call::saying(Says::Numbers);
    let mut random = Random(5);
    call.run(0.1, |_| Some(30.0));
    for _ in 0..1_000 {
        call.run(0.01, |_| Some(30.0));
        let foreign = ReceivedPacket {
            repaired: false,
            sequence: (random.next() * 65_536.0) as u16,
            timestamp: (random.next() * 4e9) as u32,
            arrival: Duration::from_micros(call.now),
            payload: &call.payload(),
        };
        call.buffer.insert(foreign);
    }
    assert_in_order(&numbers(&call.played[96_000..]));
    assert_eq!(call.stats().jumped, 0);
}

#[test]
fn packets_from_the_future_do_not_make_the_others_late() {
    let mut call = Call::saying(Says::Numbers);
    call.run(2.0, |_| Some(30.0));
    let before = call.stats();
    for _ in 0..20 {
        let payload = call.payload();
        call.buffer.insert(ReceivedPacket {
            repaired: false,
            sequence: call.sequence.wrapping_add(95),
            timestamp: call.timestamp().wrapping_add(95 * 960),
            arrival: Duration::from_micros(call.now),
            payload: &payload,
        });
        call.run(3.0, |_| Some(30.0));
    }
    let stats = call.stats();
    assert_eq!(stats.out_of_window, before.out_of_window, "{stats:?}");
    assert!(stats.concealed_samples - before.concealed_samples <= 20 * 960, "{stats:?}");
}

#[test]
fn ten_times_the_rate_does_not_grow_the_memory() {
    let mut call = Call::saying(Says::Numbers);
    call.run(2.0, |_| Some(30.0));
    for _ in 0..3_000 {
        // Ten packets in the time of one, each on its own timestamp: faster than they can be played.
        for _ in 0..10 {
            let payload = call.payload();
            call.buffer.insert(ReceivedPacket {
                repaired: false,
                sequence: call.sequence,
                timestamp: call.timestamp(),
                arrival: Duration::from_micros(call.now),
                payload: &payload,
            });
            call.skip();
        }
        call.tick();
        assert!(call.buffer.waiting() <= MAX_PACKETS);
    }
    assert!(call.stats().out_of_window > 5_000, "{:?}", call.stats());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// With losses and delays, what is played never goes back, but for what stretching repeats, and keeps up.
    #[test]
    fn whatever_the_network_does_time_goes_on(
        seed in any::<u64>(),
        loss in 0.0..0.3f64,
        jitter in 0.0..60.0f64,
        packet in prop::sample::select(vec![120u64, 480, 960, 2_880]),
        dred in 0u8..30,
        fec in any::<bool>(),
    ) {
        let mut call = Call::saying(Says::Numbers);
        (call.packet, call.dred, call.fec) = (packet, dred, fec);
        let mut random = Random(seed);
        call.run(8.0, |_| {
            let delay = jitter * random.gauss().abs();
            (random.next() >= loss).then_some(delay)
        });
        let stats = call.stats();
        prop_assert!(call.next_sample > 0 && stats.received > 0);
        let (mut last, mut may_repeat, mut exact) = (0.0, 0.0, 0);
        for (frame, decision) in call.played.chunks(FRAME_SAMPLES).zip(&call.decisions) {
            if *decision == Decision::Stretch {
                may_repeat += LAG_MAX as f32;
            }
            // Seams blend numbers; between them they are told apart.
            if frame[0] >= 1.0 && frame.windows(2).all(|two| two[1] == two[0] + 1.0) {
                prop_assert!(frame[0] > last - may_repeat, "after {} came {}: {:?}", last, frame[0], stats);
                (last, may_repeat, exact) = (frame[FRAME_SAMPLES - 1], 0.0, exact + 1);
            }
        }
        prop_assert!(exact > 150, "{} frames: {:?}", exact, stats);
        prop_assert!(last as u64 + 48_000 > call.next_sample, "{} of {}", last, call.next_sample);
        prop_assert!(call.buffer.decoder_mut().concealed.iter().all(|length| length % 120 == 0));
    }
}
