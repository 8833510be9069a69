//! The end: it always comes.

use std::time::Instant;

use carillon_call::{PeerCommand, Role};
use carillon_transport::{Dropped, Event, OutgoingAudio};

use crate::support::{End, Pair, Side, config, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_dropped_is_closed() {
    let mut caller = End::open(config(Role::Caller));
    caller.described().await;
    let End { peer, mut events } = caller;
    drop(peer);
    while let Some(event) = events.recv().await {
        if matches!(event, Event::Closed) {
            return;
        }
    }
    panic!("it never was closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_done_after_close() {
    let caller = End::open(config(Role::Caller));
    caller.peer.handle(PeerCommand::Close);
    caller.peer.handle(PeerCommand::RestartIce { generation: 1 });
    let End { peer, mut events } = caller;
    let mut last = None;
    while let Some(event) = events.recv().await {
        last = Some(event);
    }
    assert!(matches!(last, Some(Event::Closed)));
    drop(peer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_media_leaves_or_is_delivered_from_close_on() {
    let mut pair = Pair::direct();
    pair.connect().await;
    let sender = pair.peer(Side::Caller).audio();
    pair.peer(Side::Caller).handle(PeerCommand::Close);
    sender.send(OutgoingAudio {
        timestamp: 0,
        captured: Instant::now(),
        marker: true,
        payload: vec![1; 40].into(),
    });
    assert_eq!(pair.stats(Side::Caller).dropped.of(Dropped::AudioNotSent), 1);
    let late = pair.peer(Side::Callee).audio();
    late.send(OutgoingAudio {
        timestamp: 0,
        captured: Instant::now(),
        marker: true,
        payload: vec![1; 40].into(),
    });
    eventually("the other end's audio has left", || pair.stats(Side::Callee).sent.packets == 1).await;
    pair.close().await;
}
