//! A server that ends, with or without warning, and comes back; a clock that jumps.

use std::time::Duration;

use carillon_wire::frame::{ClientFrame, EndReason, Event, ServerFrame, TakenKind};
use carillon_wire::limits::CALLER_GRACE;
use carillon_wire::{CallId, Millis};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::support::{Client, Pair, Reply, TestServer, ask, boxed, create};

const CALL: CallId = CallId::new([1; 16]);

fn accept() -> ClientFrame {
    ClientFrame::Accept { call: CALL, sealed: boxed(7) }
}

/// It rings on both devices; what the caller and the callee's devices have seen.
async fn ringing(pair: &Pair) -> (Client, Client, Client) {
    let (mut ada, mut phone, mut laptop) = pair.connect().await;
    assert_eq!(ada.asks(create(CALL, &pair.callee())).await, Reply::Created);
    assert!(matches!(phone.event().await, Event::Ring { .. }));
    assert!(matches!(laptop.event().await, Event::Ring { .. }));
    (ada, phone, laptop)
}

#[tokio::test]
async fn a_call_that_rings_survives_the_death_of_the_server() {
    let mut pair = Pair::new().await;
    let (ada, phone, laptop) = ringing(&pair).await;
    let seen = [ada.seen, phone.seen, laptop.seen];
    pair.server.kill().await;
    pair.server.start_again().await;
    let mut phone = pair.server.resume(&pair.phone, seen[1]).await;
    let mut laptop = pair.server.resume(&pair.laptop, seen[2]).await;
    let mut ada = pair.server.resume(&pair.ada, seen[0]).await;
    assert_eq!(phone.asks(accept()).await, Reply::Accepted);
    assert_eq!(laptop.asks(accept()).await, Reply::Taken(TakenKind::Answered), "once");
    assert!(matches!(ada.event().await, Event::Accepted { device, .. } if device == pair.phone.device));
}

#[tokio::test]
async fn a_device_that_had_not_handled_the_ring_gets_it_again() {
    let mut pair = Pair::new().await;
    drop(ringing(&pair).await);
    pair.server.kill().await;
    pair.server.start_again().await;
    let mut phone = pair.server.connect(&pair.phone).await;
    assert!(matches!(phone.event().await, Event::Ring { call: CALL, .. }));
}

#[tokio::test]
async fn a_caller_who_does_not_come_back_after_the_death_of_the_server_is_lost() {
    let mut pair = Pair::new().await;
    let (_, phone, _) = ringing(&pair).await;
    let seen = phone.seen;
    pair.server.kill().await;
    pair.server.start_again().await;
    let mut phone = pair.server.resume(&pair.phone, seen).await;
    pair.server.pass(CALLER_GRACE);
    let ended = Event::Ended { call: CALL, reason: EndReason::CallerLost };
    assert_eq!(phone.event().await, ended);
}

#[tokio::test]
async fn devices_count_as_reachable_for_a_while_after_the_death_of_the_server() {
    let mut pair = Pair::new().await;
    drop(pair.connect().await);
    pair.server.kill().await;
    pair.server.start_again().await;
    let mut ada = pair.server.connect(&pair.ada).await;
    assert_eq!(ada.asks(create(CALL, &pair.callee())).await, Reply::Created);
    let mut phone = pair.server.connect(&pair.phone).await;
    assert!(matches!(phone.event().await, Event::Ring { .. }));
}

#[tokio::test]
async fn before_a_restart_everybody_is_told_to_come_back() {
    let mut pair = Pair::new().await;
    let (mut ada, mut phone, mut laptop) = ringing(&pair).await;
    let seen = [ada.seen, phone.seen];
    let ((), ..) = tokio::join!(
        pair.server.shut_down(),
        told_to_come_back(&mut ada),
        told_to_come_back(&mut phone),
        told_to_come_back(&mut laptop),
    );
    pair.server.start_again().await;
    let mut ada = pair.server.resume(&pair.ada, seen[0]).await;
    let mut phone = pair.server.resume(&pair.phone, seen[1]).await;
    assert_eq!(phone.asks(accept()).await, Reply::Accepted);
    assert!(matches!(ada.event().await, Event::Accepted { .. }));
}

async fn told_to_come_back(client: &mut Client) {
    loop {
        match client.read().await.map(|numbered| numbered.frame) {
            Some(ServerFrame::Restarting { reconnect_in }) => {
                assert!(reconnect_in <= Millis(10_000));
                break;
            }
            Some(_) => {}
            None => panic!("the connection ended without a word"),
        }
    }
    assert_eq!(client.end().await, Some(CloseCode::Restart));
}

#[tokio::test]
async fn a_clock_that_jumps_ends_no_call_and_keeps_none() {
    let pair = Pair::new().await;
    let (mut ada, mut phone, mut laptop) = ringing(&pair).await;
    pair.server.hands.set_ahead(Duration::from_secs(3600));
    assert_eq!(ada.all_frames().await, []);
    pair.server.hands.set_back(Duration::from_secs(7200));
    assert_eq!(phone.all_frames().await, []);
    // The clock follows the date slowly: at most a twentieth of what passes.
    pair.server.pass(Millis(30_000 + 30_000 / 19));
    for client in [&mut ada, &mut phone, &mut laptop] {
        let ended = Event::Ended { call: CALL, reason: EndReason::Expired };
        assert_eq!(client.event().await, ended);
    }
}

#[tokio::test]
async fn a_date_in_another_century_stops_nothing_that_is_going_on() {
    const CENTURY: Duration = Duration::from_secs(100 * 366 * 86_400);
    let pair = Pair::new().await;
    let (mut ada, mut phone, laptop) = ringing(&pair).await;
    let hands = &pair.server.hands;
    let to_1970 = hands.date().0 / 1000;
    for (ahead, back) in [(CENTURY, 0), (Duration::ZERO, CENTURY.as_secs()), (Duration::ZERO, to_1970)] {
        hands.set_ahead(ahead);
        hands.set_back(Duration::from_secs(back));
        assert_eq!(ada.all_frames().await, []);
        assert_eq!(ask(&pair.server, &pair.ada, "GET", "/v1/me", "").await.0, 200, "the token counts");
    }
    // Who comes back in 1970 is let in, and it still rings there.
    laptop.drops();
    let mut laptop = pair.server.connect(&pair.laptop).await;
    assert!(matches!(laptop.event().await, Event::Ring { call: CALL, .. }));
    assert_eq!(phone.asks(accept()).await, Reply::Accepted);
    assert!(matches!(ada.event().await, Event::Accepted { .. }));
    assert!(matches!(laptop.event().await, Event::Taken { kind: TakenKind::Answered, .. }));
}

#[tokio::test]
async fn a_date_that_was_set_back_while_no_server_ran_does_not_keep_a_call() {
    let mut pair = Pair::new().await;
    let (ada, ..) = ringing(&pair).await;
    let seen = ada.seen;
    pair.server.kill().await;
    pair.server.hands.set_back(Duration::from_secs(86_400));
    pair.server.start_again().await;
    let mut ada = pair.server.resume(&pair.ada, seen).await;
    pair.server.pass(Millis(60_000));
    let ended = Event::Ended { call: CALL, reason: EndReason::Expired };
    assert_eq!(ada.event().await, ended);
}

#[tokio::test]
async fn a_second_server_is_kept_away_from_the_data() {
    let server = TestServer::start().await;
    let config = server.running().app().config.clone();
    let error = carillon_server::Server::start(config).await.unwrap_err();
    assert!(matches!(error, carillon_server::StartError::DataDirInUse(_)), "{error}");
}
