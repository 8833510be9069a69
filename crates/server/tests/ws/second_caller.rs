//! Somebody calls a person who is in a call.

use carillon_wire::CallId;
use carillon_wire::frame::{
    ClientFrame, DeclineReason, DeclineScope, EndReason, Event, ServerFrame, TakenKind,
};
use carillon_wire::limits::DEVICE_GRACE;
use carillon_wire::rest::MissedKind;

use crate::support::{Client, Device, Pair, Reply, boxed, create};

const FIRST: CallId = CallId::new([1; 16]);
const SECOND: CallId = CallId::new([2; 16]);

/// Ada and Grace talk; Grace on her phone. Mary is about to call.
struct Talk {
    pair: Pair,
    ada: Client,
    phone: Client,
    laptop: Client,
    mary: Client,
    marys: Device,
}

impl Talk {
    async fn new() -> Self {
        let pair = Pair::new().await;
        let (mut ada, mut phone, mut laptop) = pair.connect().await;
        let marys = pair.server.somebody("mary").await;
        let mary = pair.server.connect(&marys).await;
        assert_eq!(ada.asks(create(FIRST, &pair.callee())).await, Reply::Created);
        assert!(matches!(phone.event().await, Event::Ring { .. }));
        assert!(matches!(laptop.event().await, Event::Ring { .. }));
        assert_eq!(phone.asks(ClientFrame::Accept { call: FIRST, sealed: boxed(7) }).await, Reply::Accepted);
        assert!(matches!(ada.event().await, Event::Accepted { .. }));
        assert_eq!(laptop.event().await, Event::Taken { call: FIRST, kind: TakenKind::Answered });
        Self { pair, ada, phone, laptop, mary, marys }
    }
}

/// Mary calls Grace.
async fn calls(mary: &mut Client, pair: &Pair) {
    assert_eq!(mary.asks(create(SECOND, &pair.callee())).await, Reply::Created);
}

/// Waits until the server has noticed that a line was lost.
async fn until_lost(pair: &Pair) {
    let now = || pair.server.running().app().clock.now();
    while pair.server.store().next_grace(now()).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
}

async fn rings(client: &mut Client) {
    let event = client.event().await;
    assert!(matches!(event, Event::Ring { call: SECOND, .. }), "a ring, not {event:?}");
}

async fn stays_silent(client: &mut Client) {
    let frames = client.all_frames().await;
    let rings = |frame: &ServerFrame| matches!(frame, ServerFrame::Deliver { .. });
    assert!(!frames.iter().any(rings), "{frames:?}");
}

#[tokio::test]
async fn the_device_in_the_call_rings_alone_and_speaks_for_all() {
    let mut talk = Talk::new().await;
    calls(&mut talk.mary, &talk.pair).await;
    rings(&mut talk.phone).await;
    stays_silent(&mut talk.laptop).await;
    let busy = |call| ClientFrame::Decline { call, reason: DeclineReason::Busy, scope: DeclineScope::Device };
    assert_eq!(talk.phone.asks(busy(SECOND)).await, Reply::Done);
    assert_eq!(talk.mary.event().await, Event::Ended { call: SECOND, reason: EndReason::Busy });
    let grace = talk.pair.phone.account;
    let missed = talk.pair.server.store().missed_calls(grace, MissedKind::Missed, 0, 10).await.unwrap();
    assert_eq!(missed.iter().map(|call| call.from.account).collect::<Vec<_>>(), [talk.marys.account]);
    stays_silent(&mut talk.laptop).await;
}

#[tokio::test]
async fn a_device_that_comes_during_the_ring_stays_silent_too() {
    let mut talk = Talk::new().await;
    calls(&mut talk.mary, &talk.pair).await;
    let seen = talk.laptop.seen;
    talk.laptop.drops();
    talk.laptop = talk.pair.server.resume(&talk.pair.laptop, seen).await;
    stays_silent(&mut talk.laptop).await;
}

#[tokio::test]
async fn who_placed_the_call_is_in_it_as_well() {
    let mut talk = Talk::new().await;
    let adas = talk.pair.server.further(&talk.pair.ada).await;
    let mut tablet = talk.pair.server.connect(&adas).await;
    assert_eq!(talk.mary.asks(create(SECOND, &[&talk.pair.ada, &adas])).await, Reply::Created);
    rings(&mut talk.ada).await;
    stays_silent(&mut tablet).await;
}

#[tokio::test]
async fn the_same_peer_who_calls_anew_rings_where_the_call_was() {
    let mut talk = Talk::new().await;
    talk.ada.drops();
    talk.ada = talk.pair.server.connect(&talk.pair.ada).await;
    assert_eq!(talk.ada.asks(create(SECOND, &talk.pair.callee())).await, Reply::Created);
    rings(&mut talk.phone).await;
    stays_silent(&mut talk.laptop).await;
}

#[tokio::test]
async fn a_device_whose_line_is_lost_does_not_keep_the_others_silent() {
    let mut talk = Talk::new().await;
    let seen = talk.phone.seen;
    talk.phone.drops();
    until_lost(&talk.pair).await;
    calls(&mut talk.mary, &talk.pair).await;
    rings(&mut talk.laptop).await;
    talk.phone = talk.pair.server.resume(&talk.pair.phone, seen).await;
    rings(&mut talk.phone).await;
}

#[tokio::test]
async fn a_device_that_is_away_for_long_does_not_keep_the_others_silent() {
    let mut talk = Talk::new().await;
    talk.phone.drops();
    until_lost(&talk.pair).await;
    talk.pair.server.pass(DEVICE_GRACE);
    calls(&mut talk.mary, &talk.pair).await;
    rings(&mut talk.laptop).await;
}

#[tokio::test]
async fn a_device_that_was_started_anew_is_in_no_call() {
    let mut talk = Talk::new().await;
    talk.phone.drops();
    talk.phone = talk.pair.server.connect(&talk.pair.phone).await;
    calls(&mut talk.mary, &talk.pair).await;
    rings(&mut talk.laptop).await;
}

#[tokio::test]
async fn after_the_call_every_device_rings() {
    let mut talk = Talk::new().await;
    let end = ClientFrame::End { call: FIRST, reason: EndReason::HungUp };
    assert_eq!(talk.ada.asks(end).await, Reply::Done);
    calls(&mut talk.mary, &talk.pair).await;
    rings(&mut talk.laptop).await;
}
