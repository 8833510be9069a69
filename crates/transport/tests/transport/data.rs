//! Control messages.

use carillon_call::{PeerCommand, Transport};
use carillon_transport::Dropped;
use carillon_wire::payload::{HangUpReason, MediaState, Payload};

use crate::support::{Pair, Side, eventually};

fn state(seq: u64) -> Payload {
    Payload::MediaState(MediaState { seq, audio: true, video: false, screen: false })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payloads_go_both_ways_in_order() {
    let mut pair = Pair::direct();
    pair.connect().await;
    for side in Side::BOTH {
        (0..20).for_each(|seq| pair.peer(side).handle(PeerCommand::SendData(state(seq))));
    }
    pair.until(|seen| seen.iter().filter(|(_, said)| matches!(said, Transport::Data(_))).count() == 40).await;
    for side in Side::BOTH {
        let came = pair.seen.iter().filter_map(|(at, said)| match said {
            Transport::Data(payload) if *at == side => Some(payload.clone()),
            _ => None,
        });
        assert!(came.eq((0..20).map(state)));
    }
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hang_up_still_leaves_when_the_connection_is_closed_behind_it() {
    let mut pair = Pair::direct();
    pair.connect().await;
    let hang_up = Payload::HangUp { reason: HangUpReason::HungUp };
    pair.peer(Side::Caller).handle(PeerCommand::SendData(hang_up.clone()));
    pair.peer(Side::Caller).handle(PeerCommand::Close);
    let expected = (Side::Callee, Transport::Data(hang_up));
    pair.until(|seen| seen.contains(&expected)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_that_is_too_long_does_not_leave() {
    let mut pair = Pair::direct();
    pair.connect().await;
    let candidates = vec!["x".repeat(9_000)];
    let long = Payload::Candidates { generation: 0, candidates, last: false };
    pair.peer(Side::Caller).handle(PeerCommand::SendData(long));
    eventually("it is counted", || pair.stats(Side::Caller).dropped.of(Dropped::BadMessage) == 1).await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_messages_is_cut() {
    let mut pair = Pair::direct();
    pair.connect().await;
    (0..400).for_each(|seq| pair.peer(Side::Caller).handle(PeerCommand::SendData(state(seq))));
    eventually("messages are dropped", || pair.stats(Side::Callee).dropped.of(Dropped::BadMessage) >= 200)
        .await;
    pair.close().await;
}
