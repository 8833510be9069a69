//! Losses, and what later packets carry of them.

use super::*;

/// Loses bursts (Gilbert's model) of a mean length, `share` of the packets in all.
fn bursts(seed: u64, share: f64, mean: f64) -> impl FnMut(u64) -> Option<f64> {
    let (mut random, mut bad) = (Random(seed), false);
    move |packet| {
        let end = 1.0 / mean;
        let begin = share * end / (1.0 - share);
        bad = if bad { random.next() >= end } else { random.next() < begin };
        (!bad || packet < 10).then_some(30.0)
    }
}

fn lossy(fec: bool, dred: u8, network: impl FnMut(u64) -> Option<f64>) -> Stats {
    let mut call = Call::saying(Says::Vowel);
    (call.fec, call.dred) = (fec, dred);
    call.run(60.0, network);
    println!("fec {fec} dred {dred}: {:?} share {:.4}", call.stats(), call.stats().concealed_share());
    call.stats()
}

#[test]
fn losses_without_redundancy_are_concealed_and_add_no_delay() {
    let stats = lossy(false, 0, bursts(1, 0.1, 1.0));
    assert!((0.07..0.14).contains(&stats.concealed_share()), "{stats:?}");
    assert!(stats.playout_delay < Duration::from_millis(20), "{stats:?}");
}

#[test]
fn single_losses_are_restored_from_the_next_packet_once_the_buffer_waits_for_it() {
    let stats = lossy(true, 0, bursts(1, 0.1, 1.0));
    assert!(stats.fec > 300, "{stats:?}");
    // Of two lost in a row the next packet carries only the second.
    assert!(stats.concealed_share() < 0.035, "{stats:?}");
    assert!(stats.playout_delay < Duration::from_millis(60), "{stats:?}");
}

#[test]
fn a_burst_is_restored_from_one_later_packet() {
    let without = lossy(false, 0, bursts(1, 0.2, 4.0));
    let with = lossy(false, 100, bursts(1, 0.2, 4.0));
    assert!(without.concealed_share() > 0.15);
    assert!(with.dred > 800 && with.concealed_share() < 0.05, "{with:?}");
}

#[test]
fn while_bursts_keep_coming_the_delay_holds_still() {
    let mut call = Call::saying(Says::Vowel);
    call.dred = 100;
    let mut network = bursts(1, 0.2, 4.0);
    call.run(15.0, &mut network);
    let (mut least, mut most) = (Samples::MAX, Samples::MIN);
    for _ in 0..60 {
        call.run(1.0, &mut network);
        let target = call.buffer.target();
        (least, most) = (least.min(target), most.max(target));
    }
    assert!(most - least <= 20 * MILLISECOND, "{least} to {most}");
    assert!(call.stats().concealed_share() < 0.045, "{:?}", call.stats());
    call.run(120.0, |_| Some(30.0));
    assert!(call.stats().playout_delay < Duration::from_millis(30), "{:?}", call.stats());
}

#[test]
fn what_is_restored_is_what_was_lost() {
    let mut call = Call::saying(Says::Numbers);
    call.dred = 50;
    call.run(10.0, |packet| (packet % 25 != 7 && packet % 25 != 8).then_some(30.0));
    let settled = &call.played[call.played.len() - 96_000..];
    assert!(settled.windows(2).all(|two| two[1] == two[0] + 1.0));
    assert!(call.stats().dred > 50);
}

#[test]
fn the_bound_of_the_delay_holds_whatever_redundancy_could_do() {
    let mut call = Call::saying(Says::Vowel);
    let settings = Settings { max_delay: Duration::from_millis(160), ..Settings::default() };
    call.buffer = JitterBuffer::new(Fake::saying(Says::Vowel), settings);
    call.dred = 100;
    let mut network = bursts(9, 0.3, 12.0);
    for _ in 0..6_000 {
        call.run(0.01, &mut network);
        assert!(call.stats().playout_delay <= Duration::from_millis(190), "{:?}", call.stats());
    }
}

#[test]
fn a_damaged_packet_is_counted_and_made_up_for() {
    let mut call = Call::saying(Says::Vowel);
    call.run(1.0, |_| Some(30.0));
    let arrival = Duration::from_micros(call.now);
    let packet = |payload| ReceivedPacket { repaired: false, sequence: 0, timestamp: 0, arrival, payload };
    assert_eq!(call.buffer.insert(packet(&[1, 2, 3])), Receipt::Malformed);
    assert_eq!(call.buffer.insert(packet(&[])), Receipt::Malformed);
    assert_eq!(call.buffer.insert(packet(&[3; MAX_PAYLOAD + 1])), Receipt::Malformed);
    call.run(1.0, |_| Some(30.0));
    assert_eq!((call.stats().malformed, call.stats().concealed), (3, 0));
}
