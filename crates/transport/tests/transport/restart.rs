//! ICE restarts: a path that is lost, found again, and what belongs to an earlier generation.

use carillon_call::{PeerCommand, Role, Transport};
use carillon_transport::{Dropped, Event};
use carillon_wire::payload::SdpKind;

use crate::support::{End, Pair, Side, both, config, eventually, number, talk};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_is_blocked_is_down_and_up_again_when_it_is_not() {
    let mut pair = Pair::over_a_line(1).await;
    pair.connect().await;
    pair.line.as_ref().unwrap().block(true);
    pair.until(|seen| both(seen, |said| *said == Transport::IceDown)).await;
    for side in Side::BOTH {
        assert!(pair.stats(side).silence >= config(Role::Caller).timings.down);
    }
    pair.line.as_ref().unwrap().block(false);
    pair.until(|seen| both(seen, |said| *said == Transport::IceUp)).await;
    talk(&pair, Side::Callee, 0..3, std::time::Duration::from_millis(20), |packet| number(packet) == 2).await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_finds_a_new_path_and_the_session_goes_on() {
    let mut pair = Pair::over_a_line(2).await;
    pair.connect().await;
    let old = Side::BOTH.map(|side| pair.line.as_ref().unwrap().end(side));
    pair.peer(Side::Caller).handle(PeerCommand::RestartIce { generation: 1 });
    pair.until(|seen| both(seen, |said| *said == Transport::IceUp)).await;
    let new = Side::BOTH.map(|side| pair.line.as_ref().unwrap().end(side));
    assert!(old[0] != new[0] && old[1] != new[1], "new sockets");
    // The keys are the old ones: nobody says that DTLS is up again.
    assert!(pair.seen.iter().filter(|(_, said)| matches!(said, Transport::DtlsUp { .. })).count() == 2);
    for side in Side::BOTH {
        let packets =
            talk(&pair, side, 0..20, std::time::Duration::from_millis(5), |packet| number(packet) == 19)
                .await;
        assert_eq!(packets.len(), 20);
    }
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_while_an_offer_is_open_takes_its_place() {
    let mut pair = Pair::direct();
    pair.connect().await;
    for generation in 1..=3 {
        pair.peer(Side::Caller).handle(PeerCommand::RestartIce { generation });
    }
    pair.until(|seen| {
        let last = |said: &Transport| matches!(said, Transport::LocalDescription { generation: 3, .. });
        both(seen, last)
    })
    .await;
    pair.until(|seen| both(seen, |said| *said == Transport::IceUp)).await;
    let failed = |said: &Transport| matches!(said, Transport::Failed);
    assert!(!pair.seen.iter().any(|(_, said)| failed(said)));
    talk(&pair, Side::Caller, 0..5, std::time::Duration::from_millis(10), |packet| number(packet) == 4).await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candidates_of_an_earlier_generation_are_not_used() {
    let mut pair = Pair::direct();
    pair.connect().await;
    pair.peer(Side::Caller).handle(PeerCommand::RestartIce { generation: 1 });
    pair.until(|seen| both(seen, |said| *said == Transport::IceUp)).await;
    let candidates = vec!["candidate:1 1 udp 1 127.0.0.1 9 typ host".to_owned()];
    let late = PeerCommand::AddCandidates { generation: 0, candidates, last: true };
    pair.peer(Side::Callee).handle(late);
    eventually("it is counted", || pair.stats(Side::Callee).dropped.of(Dropped::StaleCandidate) == 1).await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_candidate_of_a_restart_comes_before_its_description() {
    let mut pair = Pair::direct();
    pair.connect().await;
    pair.peer(Side::Caller).handle(PeerCommand::RestartIce { generation: 1 });
    let described = |said: &Transport| matches!(said, Transport::LocalDescription { generation: 1, .. });
    let found = |said: &Transport| matches!(said, Transport::LocalCandidates { generation: 1, .. });
    // The path may be up before both have told what they found.
    pair.until(|seen| both(seen, |said| *said == Transport::IceUp) && both(seen, found)).await;
    for side in Side::BOTH {
        assert!(pair.said(side, described).unwrap() < pair.said(side, found).unwrap());
    }
    pair.close().await;
}

/// The stack does not roll an own offer back when another one comes. It never has to: only the caller offers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_to_the_caller_is_not_applied_while_its_own_is_open() {
    let mut pair = Pair::direct();
    let described = |said: &Transport| matches!(said, Transport::LocalDescription { .. });
    pair.until(|seen| seen.iter().any(|(side, said)| *side == Side::Caller && described(said))).await;
    let Some((_, Transport::LocalDescription { description, .. })) =
        pair.seen.iter().find(|(_, said)| described(said)).cloned()
    else {
        panic!("{:?}", pair.seen)
    };
    for generation in [0, 1] {
        let (kind, description) = (SdpKind::Offer, description.clone());
        pair.peer(Side::Caller).handle(PeerCommand::ApplyRemote { generation, kind, description });
    }
    pair.connect().await;
    assert_eq!(pair.stats(Side::Caller).dropped.of(Dropped::BadDescription), 2);
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_an_earlier_offer_is_not_applied() {
    let mut caller = End::open(config(Role::Caller));
    let mut callee = End::open(config(Role::Callee));
    let description = caller.described().await;
    callee.peer.handle(PeerCommand::ApplyRemote { generation: 0, kind: SdpKind::Offer, description });
    let answer = callee.described().await;
    let apply = |generation| PeerCommand::ApplyRemote {
        generation,
        kind: SdpKind::Answer,
        description: answer.clone(),
    };
    caller.peer.handle(apply(7));
    eventually("it is counted", || caller.peer.stats().dropped.of(Dropped::BadDescription) == 1).await;
    caller.peer.handle(apply(0));
    caller.peer.handle(PeerCommand::Close);
    let failed = caller
        .until(|event| match event {
            Event::Call(Transport::Failed) => Some(true),
            Event::Closed => Some(false),
            Event::Call(_) => None,
        })
        .await;
    assert!(!failed);
}
