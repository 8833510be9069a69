//! Speech packets: both ways, lost and repaired, and what is told of it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use carillon_transport::{Dropped, OutgoingAudio};

use crate::support::{Pair, Side, eventually, number, speak, talk};

const PACE: Duration = Duration::from_millis(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audio_goes_both_ways_at_once_in_order_and_whole() {
    let mut pair = Pair::direct();
    pair.connect().await;
    let (there, back) = tokio::join!(
        talk(&pair, Side::Caller, 0..100, PACE, |packet| number(packet) == 99),
        talk(&pair, Side::Callee, 0..100, PACE, |packet| number(packet) == 99),
    );
    for packets in [there, back] {
        assert!(packets.iter().map(number).eq(0..100));
        let first = &packets[0];
        assert!(first.marker && !first.repaired);
        for (at, packet) in packets.iter().enumerate() {
            let at = u32::try_from(at).unwrap();
            assert_eq!(packet.timestamp.wrapping_sub(first.timestamp), at * 960);
            assert_eq!(u32::from(packet.sequence.wrapping_sub(first.sequence)), at);
            assert!(packet.arrival >= first.arrival);
        }
    }
    for side in Side::BOTH {
        let stats = pair.stats(side);
        assert_eq!((stats.sent.packets, stats.received.packets), (100, 100));
        assert_eq!((stats.received.lost, stats.received.duplicates), (0, 0));
        assert_eq!(stats.dropped.iter().collect::<Vec<_>>(), []);
    }
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_delivered_twice_at_five_percent_loss_and_what_is_lost_comes_back() {
    let mut pair = Pair::over_a_line(5).await;
    pair.connect().await;
    pair.line.as_ref().unwrap().lose(50, 1);
    let packets =
        talk(&pair, Side::Caller, 0..600, Duration::from_millis(5), |packet| number(packet) >= 598).await;
    pair.line.as_ref().unwrap().lose(0, 1);
    let numbers: HashSet<_> = packets.iter().map(number).collect();
    assert_eq!(numbers.len(), packets.len(), "nothing twice");
    let lost = pair.line.as_ref().unwrap().lost();
    assert!(lost > 10, "{lost}");
    let (there, here) = (pair.stats(Side::Callee), pair.stats(Side::Caller));
    assert_eq!(there.received.duplicates, 0);
    assert!(there.received.lost > 10 && there.received.repaired > 10, "{there:?}");
    // A retransmission may be lost as well, and the last gaps are not repaired yet.
    assert!(packets.len() >= 590, "{}", packets.len());
    assert!(here.sent.retransmitted <= u64::from(lost) + 10, "{} for {lost}", here.sent.retransmitted);
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sender_learns_of_loss_its_bursts_and_the_round_trip_from_the_other_side() {
    let mut pair = Pair::over_a_line(7).await;
    pair.connect().await;
    pair.line.as_ref().unwrap().lose(200, 4);
    talk(&pair, Side::Caller, 0..600, Duration::from_millis(5), |packet| number(packet) >= 590).await;
    let remote = pair.stats(Side::Caller).remote.expect("a receiver report has come");
    assert!(remote.total_lost > 30, "{remote:?}");
    assert!(remote.fraction_lost > 0.0);
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let burst = remote.lost as f64 / remote.lost_runs as f64;
    assert!((3.0..6.0).contains(&burst), "{burst}");
    let round_trip = pair.stats(Side::Caller).round_trip.unwrap();
    assert!(round_trip < Duration::from_millis(500));
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_audio_leaves_before_the_certificate_was_compared() {
    let pair = Pair::direct();
    let sender = pair.peer(Side::Caller).audio();
    sender.send(OutgoingAudio {
        timestamp: 0,
        captured: Instant::now(),
        marker: true,
        payload: Bytes::from_static(b"too early"),
    });
    assert_eq!(pair.stats(Side::Caller).dropped.of(Dropped::AudioNotSent), 1);
    let mut pair = pair;
    pair.connect().await;
    talk(&pair, Side::Caller, 0..3, PACE, |packet| number(packet) == 2).await;
    assert_eq!(pair.stats(Side::Caller).sent.packets, 3);
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audio_thread_that_does_not_listen_costs_the_oldest() {
    let mut pair = Pair::direct();
    pair.connect().await;
    let full =
        eventually("the queue overflows", || pair.stats(Side::Callee).dropped.of(Dropped::QueueFull) >= 40);
    tokio::join!(speak(pair.peer(Side::Caller), 0..200, Duration::from_millis(7)), full);
    let first = pair.peer(Side::Callee).received().pop().unwrap();
    assert!(number(&first) >= 40);
    pair.close().await;
}
