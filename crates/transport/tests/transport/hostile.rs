//! Datagrams, descriptions and candidates of somebody who means harm.

use std::time::Duration;

use carillon_call::{PeerCommand, Role, Transport};
use carillon_transport::sdp::{MAX_SDP_BYTES, MAX_SDP_LINES};
use carillon_transport::{Dropped, Event, Interfaces, PeerConfig};
use carillon_wire::payload::{Description, SdpKind};
use tokio::net::UdpSocket;

use crate::support::{End, Pair, Side, config, eventually, number, speak, talk};

const PACE: Duration = Duration::from_millis(5);

/// Whether audio still gets through.
async fn still_talks(pair: &Pair) {
    talk(pair, Side::Caller, 500..510, PACE, |packet| number(packet) == 509).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_who_knows_the_address_is_not_heard() {
    let mut pair = Pair::over_a_line(3).await;
    pair.connect().await;
    let line = pair.line.as_ref().unwrap();
    talk(&pair, Side::Caller, 0..10, PACE, |packet| number(packet) == 9).await;
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    // Even what was really sent, from another address.
    for datagram in line.passed(Side::Callee).iter().filter(|datagram| datagram[0] >= 128) {
        stranger.send_to(datagram, line.end(Side::Callee)).await.unwrap();
    }
    eventually("strangers are counted", || pair.stats(Side::Callee).dropped.of(Dropped::Stranger) >= 10)
        .await;
    assert_eq!(pair.stats(Side::Callee).dropped.of(Dropped::Rejected), 0, "the stack never saw them");
    still_talks(&pair).await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_replayed_is_not_heard_twice() {
    let mut pair = Pair::over_a_line(4).await;
    pair.connect().await;
    talk(&pair, Side::Caller, 0..20, PACE, |packet| number(packet) == 19).await;
    let line = pair.line.as_ref().unwrap();
    let replayed: Vec<_> =
        line.passed(Side::Callee).into_iter().filter(|datagram| datagram[0] >= 128).collect();
    for datagram in &replayed {
        line.inject(Side::Callee, datagram).await;
    }
    let count = u64::try_from(replayed.len()).unwrap();
    assert!(count >= 20);
    eventually("replays are counted", || pair.stats(Side::Callee).dropped.of(Dropped::Rejected) >= count)
        .await;
    assert!(pair.peer(Side::Callee).received().pop().is_none());
    assert_eq!(pair.stats(Side::Callee).received.duplicates, 0);
    still_talks(&pair).await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_truncated_or_forged_is_refused_and_nothing_breaks() {
    let mut pair = Pair::over_a_line(5).await;
    pair.connect().await;
    talk(&pair, Side::Caller, 0..20, PACE, |packet| number(packet) == 19).await;
    let line = pair.line.as_ref().unwrap();
    let mut bad = Vec::new();
    for datagram in line.passed(Side::Callee) {
        for length in [1, 8, 12, 19, 20, 21, 27, datagram.len() - 1] {
            bad.push(datagram[..length.min(datagram.len())].to_vec());
        }
        for at in [0, 1, 3, 8, 12, datagram.len() - 1] {
            let mut flipped = datagram.clone();
            flipped[at.min(datagram.len() - 1)] ^= 0x55;
            bad.push(flipped);
        }
        bad.push([datagram.as_slice(), &[0; 300]].concat());
    }
    // Below the number at which datagrams are cut, and no faster than they are read.
    for datagrams in bad.chunks(16) {
        let before = pair.stats(Side::Callee).datagrams_in;
        for datagram in datagrams {
            line.inject(Side::Callee, datagram).await;
        }
        let count = u64::try_from(datagrams.len()).unwrap();
        eventually("they are read", || pair.stats(Side::Callee).datagrams_in >= before + count).await;
    }
    eventually("it is counted", || {
        let dropped = pair.stats(Side::Callee).dropped;
        dropped.of(Dropped::Rejected) > 100 && dropped.of(Dropped::Malformed) > 50
    })
    .await;
    assert_eq!(pair.stats(Side::Callee).received.duplicates, 0);
    still_talks(&pair).await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_the_rate_is_cut_to_what_a_call_needs() {
    let mut pair = Pair::direct();
    pair.connect().await;
    let received = pair.peer(Side::Callee).received();
    let mut heard = 0_u64;
    let cut = eventually("packets are too fast", || {
        heard += u64::try_from(std::iter::from_fn(|| received.pop()).count()).unwrap();
        pair.stats(Side::Callee).dropped.of(Dropped::TooFast) > 300
    });
    tokio::join!(speak(pair.peer(Side::Caller), 0..1_500, Duration::from_millis(1)), cut);
    assert!(heard > 150, "{heard}");
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sdp_that_is_too_long_ends_the_connection_and_not_the_program() {
    let wide = format!("v=0\r\na=x:{}\r\n", "y".repeat(1_000_000));
    let many = format!("v=0\r\n{}", "a=x\r\n".repeat(10_000));
    let bounds = [wide.len() > MAX_SDP_BYTES, many.lines().count() > MAX_SDP_LINES];
    assert_eq!(bounds, [true; 2]);
    for sdp in [wide, many, String::new()] {
        let mut callee = End::open(config(Role::Callee));
        let description = Description { sdp, fingerprint: [1; 32].into() };
        callee.peer.handle(PeerCommand::ApplyRemote { generation: 0, kind: SdpKind::Offer, description });
        callee.until(|event| matches!(event, Event::Call(Transport::Failed)).then_some(())).await;
        assert_eq!(callee.peer.stats().dropped.of(Dropped::BadDescription), 1);
        callee.closed().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candidates_are_bounded_and_nobody_is_sent_to_who_may_not() {
    let mut pair = Pair::direct();
    pair.connect().await;
    let add = |candidates: Vec<String>| {
        pair.peer(Side::Callee).handle(PeerCommand::AddCandidates { generation: 0, candidates, last: false });
    };
    let candidate = |address: &str, port: u16| format!("candidate:1 1 udp 1 {address} {port} typ host");
    add(vec![candidate("224.0.0.1", 9), candidate("255.255.255.255", 9), candidate("0.0.0.0", 9)]);
    add(vec![candidate("9d4a.local", 9), "candidate:1 1 tcp 1 10.0.0.1 9 typ host tcptype active".into()]);
    add(vec!["candidate:".to_owned() + &"x".repeat(10_000), "nothing".into()]);
    add((0..200).map(|n| candidate("127.0.0.1", 20_000 + n)).collect());
    let dropped = || pair.stats(Side::Callee).dropped;
    eventually("all are counted", || dropped().of(Dropped::BadCandidate) >= 2 + 200 - 64).await;
    assert_eq!(dropped().of(Dropped::ForbiddenCandidate), 3);
    assert_eq!(dropped().of(Dropped::UnusableCandidate), 2);
    still_talks(&pair).await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_that_nothing_can_be_sent_to_disturbs_nobody() {
    let mut pair = Pair::direct();
    pair.until(|seen| {
        seen.iter().filter(|(_, said)| matches!(said, Transport::LocalDescription { .. })).count() == 2
    })
    .await;
    // Out of loopback there is no way there.
    let candidates = vec!["candidate:1 1 udp 2130706431 203.0.113.7 9 typ host".to_owned()];
    pair.peer(Side::Caller).handle(PeerCommand::AddCandidates { generation: 0, candidates, last: false });
    pair.connect().await;
    eventually("it is counted", || pair.stats(Side::Caller).dropped.of(Dropped::NotSendable) > 0).await;
    still_talks(&pair).await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_for_loopback_from_outside_is_refused() {
    let outside = PeerConfig { interfaces: Interfaces::All, ..config(Role::Callee) };
    let (mut caller, callee) = (End::open(config(Role::Caller)), End::open(outside));
    let description = caller.described().await;
    callee.peer.handle(PeerCommand::ApplyRemote { generation: 0, kind: SdpKind::Offer, description });
    let addresses = ["127.0.0.1", "::1", "::ffff:127.0.0.1", "224.0.0.251", "ff02::fb"];
    let candidates = addresses.map(|address| format!("candidate:1 1 udp 1 {address} 5353 typ host")).into();
    callee.peer.handle(PeerCommand::AddCandidates { generation: 0, candidates, last: false });
    eventually("all are counted", || callee.peer.stats().dropped.of(Dropped::ForbiddenCandidate) == 5).await;
}
