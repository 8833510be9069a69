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
    assert!(call.stats().playout_delay > Duration::from_millis(80), "slow to shrink: {:?}", call.stats());
    call.run(115.0, |_| Some(30.0));
    assert!(call.stats().playout_delay < Duration::from_millis(30), "{:?}", call.stats());
    assert!(call.stats().concealed_samples - after.concealed_samples < 480);
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

#[test]
fn a_sender_whose_clock_is_200_ppm_off_adds_no_delay_in_10_minutes() {
    for ppm in [-200.0, 200.0] {
        let mut call = Call::saying(Says::Sentences);
        call.sender_ppm = ppm;
        let mut worst = Duration::ZERO;
        for _ in 0..600 {
            call.run(1.0, |_| Some(30.0));
            worst = worst.max(call.stats().playout_delay);
        }
        let stats = call.stats();
        println!("{ppm} ppm: worst delay {worst:?}, {stats:?}");
        assert!(worst < Duration::from_millis(30), "{worst:?}");
        assert!(stats.concealed_share() < 0.002, "{stats:?}");
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
