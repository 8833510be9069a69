//! Networks that delay.

use super::*;

/// Mean and worst over seeds: concealed share, and how long packets lie in the buffer on average, in milliseconds.
fn gaussian(seconds: f64, packet: u64, in_order: bool) -> ((f64, f64), (f64, f64)) {
    let runs: Vec<_> = (1..=8)
        .map(|seed| {
            let mut call = Call::saying(Says::Sentences);
            call.packet = packet;
            let mut random = Random(seed);
            let (mut held, mut ticks, mut latest) = (0.0, 0.0, 0.0f64);
            let end = call.now + (seconds * 1e6) as u64;
            while call.now < end {
                let now = call.now as f64 / 1e3;
                call.send(&mut |_| {
                    let delay = (100.0 + 30.0 * random.gauss()).max(0.0);
                    // A queue does not let packets overtake each other.
                    latest = latest.max(now + delay);
                    Some(if in_order { latest - now } else { delay })
                });
                call.tick();
                held += call.stats().playout_delay.as_secs_f64() * 1e3;
                ticks += 1.0;
            }
            let stats = call.stats();
            (stats.concealed_share(), held / ticks)
        })
        .collect();
    let summary = |figures: Vec<f64>| {
        (figures.iter().sum::<f64>() / figures.len() as f64, figures.iter().copied().fold(0.0, f64::max))
    };
    let concealed = summary(runs.iter().map(|run| run.0).collect());
    let added = summary(runs.iter().map(|run| run.1).collect());
    println!(
        "gaussian 30 ms, {seconds} s, {} ms packets, in order {in_order}: concealed mean {:.3} % worst {:.3} %, \
         added mean {:.1} ms worst {:.1} ms",
        packet / 48,
        100.0 * concealed.0,
        100.0 * concealed.1,
        added.0,
        added.1
    );
    (concealed, added)
}

#[test]
fn a_jitter_of_30_ms_costs_at_most_1_percent_of_the_speech_and_80_ms() {
    for (seconds, packet) in [(60.0, 960), (180.0, 960), (60.0, 480)] {
        let (concealed, added) = gaussian(seconds, packet, false);
        assert!(concealed.0 <= 0.01 && added.1 <= 80.0);
        assert!(packet < 960 || concealed.1 <= 0.01);
    }
}

#[test]
fn a_jittery_call_is_waited_for_before_its_slowest_packets_have_come() {
    let late: u64 = (1..=32)
        .map(|seed| {
            let mut call = Call::saying(Says::Vowel);
            let mut random = Random(seed);
            call.run(4.0, |_| Some((100.0 + 30.0 * random.gauss()).max(0.0)));
            call.stats().concealed_samples
        })
        .sum();
    let share = late as f64 / (32.0 * 4.0 * 48_000.0);
    println!("concealed in the first 4 s: {:.2} %", share * 100.0);
    assert!(share < 0.035, "{share}");
}

#[test]
fn the_same_jitter_in_a_queue_costs_no_more() {
    let (concealed, added) = gaussian(60.0, 960, true);
    assert!(concealed.1 <= 0.01 && added.1 <= 80.0);
}

#[test]
fn a_step_of_the_delay_is_followed_up_at_once_and_down_in_time() {
    let mut call = Call::saying(Says::Sentences);
    call.run(10.0, |_| Some(30.0));
    let before = call.stats();
    call.run(2.0, |_| Some(180.0));
    let up = call.stats();
    assert!(up.concealed_samples - before.concealed_samples < 9_600, "{up:?}");
    call.run(8.0, |_| Some(180.0));
    let after = call.stats();
    assert!(after.concealed_samples - up.concealed_samples < 480, "{after:?}");

    call.run(5.0, |_| Some(30.0));
    assert!(call.stats().playout_delay < Duration::from_millis(30), "{:?}", call.stats());
    assert!(call.stats().concealed_samples - after.concealed_samples < 480);
}

#[test]
fn a_line_that_was_jittery_is_no_longer_waited_for_once_it_has_been_calm_for_ten_seconds() {
    for (seed, packet) in [(1, 960), (2, 960), (3, 480)] {
        let mut call = Call::saying(Says::Sentences);
        call.packet = packet;
        let mut random = Random(seed);
        call.run(20.0, |_| Some((100.0 + 30.0 * random.gauss()).max(0.0)));
        let before = call.stats();
        assert!(before.playout_delay > Duration::from_millis(40), "{before:?}");
        call.run(10.0, |_| Some(100.0));
        let after = call.stats();
        assert!(after.playout_delay < Duration::from_millis(30), "{after:?}");
        assert_eq!(after.concealed_samples, before.concealed_samples);
    }
}

#[test]
fn a_queue_that_grows_fast_costs_what_it_grows_and_is_forgotten_as_it_goes() {
    for (says, packet) in [(Says::Vowel, 480), (Says::Vowel, 960), (Says::Sentences, 960)] {
        let mut call = Call::saying(says);
        call.packet = packet;
        let mut random = Random(3);
        let mut jitter = move || 20.0 + 12.0 * random.next();
        call.run(20.0, |_| Some(jitter()));
        let before = call.stats();
        // 200 ms of queue within 85 ms, gone after 450.
        let begin = call.next_sample;
        let mut queue = |number: u64| {
            let seconds = (number * packet - begin) as f64 / 48_000.0;
            let (up, down) = ((seconds * 2_350.0).min(200.0), ((0.45 - seconds) * 550.0).clamp(0.0, 200.0));
            Some(jitter() + up.min(down))
        };
        call.run(1.0, &mut queue);
        let after = call.stats();
        let concealed = (after.concealed_samples - before.concealed_samples) / 48;
        assert!(concealed <= 200, "{concealed} ms");
        assert!(after.playout_delay < Duration::from_millis(80), "{:?}", after.playout_delay);
        call.run(0.8, &mut queue);
        let calm = call.stats();
        assert!(calm.playout_delay < Duration::from_millis(35), "{:?}", calm.playout_delay);
        assert_eq!(calm.concealed_samples, after.concealed_samples);
    }
}

#[test]
fn a_queue_that_was_drained_is_forgotten_within_two_seconds_more() {
    for packet in [480, 960] {
        let mut call = Call::saying(Says::Sentences);
        call.packet = packet;
        call.run(10.0, |_| Some(30.0));
        // The line gets narrow: 300 ms of queue within 200 ms, then a second until it is drained.
        let begin = call.next_sample;
        let queue = |number: u64| {
            let seconds = (number * packet - begin) as f64 / 48_000.0;
            let up = (seconds * 1_500.0).min(300.0);
            let down = ((1.2 - seconds) * 300.0).clamp(0.0, 300.0);
            Some(30.0 + up.min(down))
        };
        call.run(1.2, queue);
        call.run(2.0, |_| Some(30.0));
        let after = call.stats();
        println!("{packet}: {:?} ms", after.playout_delay);
        assert!(after.playout_delay < Duration::from_millis(110), "{after:?}");
        call.run(1.0, |_| Some(30.0));
        assert!(call.stats().playout_delay < Duration::from_millis(40), "{:?}", call.stats());
    }
}

#[test]
fn spikes_that_keep_coming_are_waited_for_and_forgotten_after_they_end() {
    // Every 8 s the network stands still for 240 ms: too few packets for the percentile.
    let late = |packet: u64| (240.0 - 20.0 * (packet % 400) as f64).max(0.0);
    let spikes = |packet: u64| Some(30.0 + if packet < 400 { 0.0 } else { late(packet) });
    let mut call = Call::saying(Says::Sentences);
    call.run(30.0, spikes);
    let before = call.stats();
    call.run(32.0, spikes);
    let after = call.stats();
    assert!(after.concealed_samples - before.concealed_samples < 9_600, "{after:?}");
    assert!(after.target_delay >= Duration::from_millis(200), "{after:?}");
    call.run(120.0, |_| Some(30.0));
    assert!(call.stats().playout_delay < Duration::from_millis(30), "{:?}", call.stats());
}

#[test]
fn after_a_standstill_the_delay_keeps_its_bound_and_comes_down() {
    let mut call = Call::saying(Says::Sentences);
    call.run(10.0, |_| Some(30.0));
    let begin = call.next_sample / call.packet;
    // Three seconds of packets come all at once.
    let standstill = |packet: u64| Some(30.0 + (3_000.0 - 20.0 * (packet - begin) as f64).max(0.0));
    call.run(4.0, standstill);
    assert!(call.stats().playout_delay < Duration::from_millis(450), "{:?}", call.stats());
    call.run(100.0, |_| Some(30.0));
    assert!(call.stats().playout_delay < Duration::from_millis(40), "{:?}", call.stats());
}

/// Plays a sender whose clock is off for 10 minutes. Gives the shortest, middle and longest delay from the tenth second
/// on, and the counts of that time.
fn drifting(ppm: f64, mut jitter: impl FnMut() -> f64) -> ([f64; 3], Stats) {
    let mut call = Call::saying(Says::Sentences);
    call.sender_ppm = ppm;
    call.run(10.0, |_| Some(30.0 + jitter()));
    let before = call.stats();
    let mut delays: Vec<_> = (0..590)
        .map(|_| {
            call.run(1.0, |_| Some(30.0 + jitter()));
            call.stats().playout_delay.as_secs_f64() * 1e3
        })
        .collect();
    delays.sort_by(f64::total_cmp);
    let mut stats = call.stats();
    stats.concealed_samples -= before.concealed_samples;
    stats.stretched_samples -= before.stretched_samples;
    stats.shrunk_samples -= before.shrunk_samples;
    println!(
        "{ppm} ppm, known as {:?}: {:?}",
        call.buffer.drift_ppm(),
        (delays[0], delays[295], delays[589])
    );
    ([delays[0], delays[295], delays[589]], stats)
}

#[test]
fn at_200_ppm_for_10_minutes_nothing_runs_out_and_the_delay_holds_within_5_ms() {
    for ppm in [-200.0, -40.0, 40.0, 200.0] {
        let ([least, middle, most], stats) = drifting(ppm, || 0.0);
        assert_eq!(stats.concealed_samples, 0, "{ppm}");
        assert!(
            middle - least <= 5.0 && most - middle <= 5.0 && most < 30.0,
            "{ppm}: {least} {middle} {most}"
        );
        // After the first seconds no piece of the sound is cut or repeated.
        assert!(stats.stretched_samples + stats.shrunk_samples < 1_440, "{stats:?}");
    }
}

#[test]
fn drift_under_jitter_costs_no_more_than_the_jitter() {
    for ppm in [-200.0, 200.0] {
        let mut random = Random(9);
        let ([_, _, most], stats) = drifting(ppm, || 20.0 * random.next());
        assert!(stats.concealed_share() < 0.005 && most < 50.0, "{ppm}: {most} {stats:?}");
    }
}

#[test]
fn a_listener_whose_timer_trembles_hears_no_gaps() {
    let mut call = Call::saying(Says::Sentences);
    let mut random = Random(4);
    for tick in 0..6_000u64 {
        call.now = 1_000_000 + tick * 10_000 + (random.next() * 4_000.0) as u64;
        call.send(&mut |_| Some(30.0));
        call.tick();
    }
    let stats = call.stats();
    assert!(stats.concealed_share() < 0.003 && stats.playout_delay < Duration::from_millis(30), "{stats:?}");
}

#[test]
fn sound_that_is_held_for_pictures_is_later_by_that_and_comes_back() {
    let mut call = Call::saying(Says::Sentences);
    call.run(10.0, |_| Some(30.0));
    let before = call.stats();
    call.buffer.hold(Duration::from_millis(60));
    call.run(3.0, |_| Some(30.0));
    let held = call.stats();
    let longer = held.playout_delay.abs_diff(before.playout_delay);
    assert!(longer.abs_diff(Duration::from_millis(60)) < Duration::from_millis(15), "{longer:?}");
    assert_eq!(held.concealed_samples, before.concealed_samples);
    call.buffer.hold(Duration::ZERO);
    call.run(3.0, |_| Some(30.0));
    let after = call.stats().playout_delay;
    assert!(after.abs_diff(before.playout_delay) < Duration::from_millis(10), "{after:?}");
}

#[test]
fn what_is_played_next_is_told_as_the_sender_counts() {
    let mut call = Call::saying(Says::Numbers);
    assert_eq!(call.buffer.next_timestamp(), None);
    call.run(3.0, |_| Some(30.0));
    // Each sample is its own number.
    let last = call.played.last().copied().unwrap() as u32;
    assert_eq!(call.buffer.next_timestamp(), Some(call.first_timestamp.wrapping_add(last + 1)));
    call.run(0.2, |_| Some(1_000.0));
    assert_eq!(call.buffer.next_timestamp(), None, "they may be late, or the sender silent");
}
