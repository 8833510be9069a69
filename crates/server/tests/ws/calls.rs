//! A call that goes well, and what each side hears of it.

use carillon_wire::frame::{
    ClientFrame, DeclineReason, DeclineScope, EndReason, Event, ServerFrame, TakenKind,
};
use carillon_wire::limits::{CALLER_GRACE, DEVICE_GRACE};
use carillon_wire::rest::MissedKind;
use carillon_wire::{CallId, Code, Millis};

use crate::support::{
    Client, Device, Pair, Reply, SharedServer, TestServer, ask, boxed, create, create_with,
};

const CALL: CallId = CallId::new([1; 16]);

fn decline(reason: DeclineReason, scope: DeclineScope) -> ClientFrame {
    ClientFrame::Decline { call: CALL, reason, scope }
}

fn accept(number: u8) -> ClientFrame {
    ClientFrame::Accept { call: CALL, sealed: boxed(number) }
}

fn relay(to: &Device, seq: u64) -> ClientFrame {
    ClientFrame::Relay { call: CALL, to_device: to.device, seq, sealed: boxed(9) }
}

fn end() -> ClientFrame {
    ClientFrame::End { call: CALL, reason: EndReason::HungUp }
}

async fn missed(server: &TestServer, of: &Device, kind: MissedKind) -> usize {
    server.store().missed_calls(of.account, kind, 0, 10).await.unwrap().len()
}

async fn rings(client: &mut Client) {
    let event = client.event().await;
    assert!(matches!(event, Event::Ring { call: CALL, .. }), "a ring, not {event:?}");
}

async fn hears(client: &mut Client, event: Event) {
    assert_eq!(client.event().await, event);
}

async fn hears_end(client: &mut Client, reason: EndReason) {
    hears(client, Event::Ended { call: CALL, reason }).await;
}

/// The caller, the phone, the laptop: it rings on both.
async fn ringing(pair: &Pair) -> (Client, Client, Client) {
    let (mut ada, mut phone, mut laptop) = pair.connect().await;
    assert_eq!(ada.asks(create(CALL, &pair.callee())).await, Reply::Created);
    rings(&mut phone).await;
    rings(&mut laptop).await;
    (ada, phone, laptop)
}

/// The caller and the phone, which has accepted.
async fn accepted(pair: &Pair) -> (Client, Client) {
    let (mut ada, mut phone, _) = ringing(pair).await;
    assert_eq!(phone.asks(accept(7)).await, Reply::Accepted);
    assert!(matches!(ada.event().await, Event::Accepted { .. }));
    (ada, phone)
}

#[tokio::test]
async fn a_call_rings_on_every_device_and_one_answers() {
    let pair = Pair::new().await;
    let (mut ada, mut phone, mut laptop) = pair.connect().await;
    let created = ada.request(create(CALL, &pair.callee())).await;
    assert_eq!(created, ServerFrame::Created { call: CALL, expires_in: Millis(30_000) });
    for (client, number) in [(&mut phone, 0), (&mut laptop, 1)] {
        let Event::Ring { from, age, expires_in, sealed, .. } = client.event().await else {
            panic!("a ring")
        };
        assert_eq!((from.account, from.device), (pair.ada.account, pair.ada.device));
        assert_eq!((from.handle.as_str(), from.name.as_str()), ("ada", "ada of the tests"));
        assert!(!from.only_if_in_address_book);
        assert!(age < Millis(5_000) && expires_in > Millis(25_000) && expires_in <= Millis(30_000));
        assert_eq!(sealed, boxed(number), "the box for this device");
    }
    assert_eq!(phone.asks(ClientFrame::Ringing { call: CALL }).await, Reply::Done);
    hears(&mut ada, Event::Ringing { call: CALL, device: pair.phone.device }).await;
    assert_eq!(phone.asks(accept(7)).await, Reply::Accepted);
    let answer = Event::Accepted { call: CALL, device: pair.phone.device, sealed: boxed(7) };
    hears(&mut ada, answer).await;
    hears(&mut laptop, Event::Taken { call: CALL, kind: TakenKind::Answered }).await;

    assert_eq!(ada.asks(relay(&pair.phone, 0)).await, Reply::Done);
    let from_device = pair.ada.device;
    hears(&mut phone, Event::Relay { call: CALL, from_device, seq: 0, sealed: boxed(9) }).await;
    assert_eq!(phone.asks(relay(&pair.ada, 0)).await, Reply::Done);
    let from_device = pair.phone.device;
    hears(&mut ada, Event::Relay { call: CALL, from_device, seq: 0, sealed: boxed(9) }).await;

    assert_eq!(ada.asks(end()).await, Reply::Done);
    hears_end(&mut phone, EndReason::HungUp).await;
    assert_eq!(missed(&pair.server, &pair.phone, MissedKind::Missed).await, 0);
}

#[tokio::test]
async fn the_callers_other_devices_hear_nothing() {
    let pair = Pair::new().await;
    let tablet = pair.server.further(&pair.ada).await;
    let mut tablet = pair.server.connect(&tablet).await;
    let (mut ada, mut phone, _) = ringing(&pair).await;
    assert_eq!(phone.asks(accept(7)).await, Reply::Accepted);
    assert_eq!(ada.asks(end()).await, Reply::Done);
    assert_eq!(tablet.all_frames().await, []);
}

#[tokio::test]
async fn of_two_accepts_at_once_one_wins() {
    let server = SharedServer::new(TestServer::start().await);
    let caller = server.somebody("ada").await;
    let first = server.somebody("grace").await;
    let second = server.further(&first).await;
    let mut ada = server.connect(&caller).await;
    let (mut phone, mut laptop) = (server.connect(&first).await, server.connect(&second).await);
    assert_eq!(ada.asks(create(CALL, &[&first, &second])).await, Reply::Created);
    rings(&mut phone).await;
    rings(&mut laptop).await;
    let (one, other) = tokio::join!(phone.asks(accept(1)), laptop.asks(accept(2)));
    let taken = Reply::Taken(TakenKind::Answered);
    assert!(
        (one.clone(), other.clone()) == (Reply::Accepted, taken.clone())
            || (one.clone(), other.clone()) == (taken, Reply::Accepted),
        "{one:?}, {other:?}"
    );
}

#[tokio::test]
async fn every_request_can_be_repeated() {
    let pair = Pair::new().await;
    let (mut ada, mut phone, mut laptop) = ringing(&pair).await;
    assert_eq!(ada.asks(create(CALL, &pair.callee())).await, Reply::Created);
    for _ in 0..2 {
        assert_eq!(phone.asks(ClientFrame::Ringing { call: CALL }).await, Reply::Done);
    }
    for _ in 0..2 {
        assert_eq!(laptop.asks(decline(DeclineReason::Busy, DeclineScope::Device)).await, Reply::Done);
    }
    for _ in 0..2 {
        assert_eq!(phone.asks(accept(7)).await, Reply::Accepted);
    }
    for _ in 0..2 {
        assert_eq!(phone.asks(relay(&pair.ada, 0)).await, Reply::Done);
    }
    for _ in 0..2 {
        assert_eq!(phone.asks(end()).await, Reply::Done);
    }
    hears(&mut ada, Event::Ringing { call: CALL, device: pair.phone.device }).await;
    assert!(matches!(ada.event().await, Event::Accepted { .. }));
    assert!(matches!(ada.event().await, Event::Relay { seq: 0, .. }));
    hears_end(&mut ada, EndReason::HungUp).await;
    assert_eq!(ada.all_frames().await, [], "each was told once");
    assert_eq!(phone.all_frames().await, []);
    assert_eq!(ada.asks(create(CALL, &pair.callee())).await, Reply::Created, "the call that was");
}

#[tokio::test]
async fn a_decline_for_all_ends_it() {
    let pair = Pair::new().await;
    let (mut ada, mut phone, mut laptop) = ringing(&pair).await;
    assert_eq!(phone.asks(decline(DeclineReason::Declined, DeclineScope::All)).await, Reply::Done);
    hears_end(&mut ada, EndReason::Declined).await;
    hears(&mut laptop, Event::Taken { call: CALL, kind: TakenKind::Declined }).await;
    assert_eq!(laptop.asks(accept(7)).await, Reply::Taken(TakenKind::Declined));
    assert_eq!(missed(&pair.server, &pair.phone, MissedKind::Missed).await, 0);
}

#[tokio::test]
async fn it_is_busy_when_every_device_is() {
    let pair = Pair::new().await;
    let (mut ada, mut phone, mut laptop) = ringing(&pair).await;
    let busy = decline(DeclineReason::Busy, DeclineScope::Device);
    assert_eq!(phone.asks(busy.clone()).await, Reply::Done);
    assert_eq!(ada.all_frames().await, [], "the laptop still rings");
    assert_eq!(laptop.asks(busy).await, Reply::Done);
    hears_end(&mut ada, EndReason::Busy).await;
}

#[tokio::test]
async fn a_device_that_is_removed_while_it_rings_is_not_waited_for() {
    let pair = Pair::new().await;
    let (mut ada, mut phone, mut laptop) = ringing(&pair).await;
    assert_eq!(phone.asks(decline(DeclineReason::Busy, DeclineScope::Device)).await, Reply::Done);
    let path = format!("/v1/devices/{}", pair.laptop.device);
    assert_eq!(ask(&pair.server, &pair.phone, "DELETE", &path, "").await.0, 204);
    hears_end(&mut ada, EndReason::Busy).await;
    assert_eq!(laptop.refused().await, Code::DeviceRevoked);
    assert_eq!(missed(&pair.server, &pair.phone, MissedKind::Missed).await, 1);
}

#[tokio::test]
async fn of_two_who_call_each_other_neither_has_missed_the_other() {
    let pair = Pair::new().await;
    let (mut ada, mut phone, _) = ringing(&pair).await;
    let back = CallId::new([2; 16]);
    assert_eq!(phone.asks(create(back, &[&pair.ada])).await, Reply::Created);
    assert!(matches!(ada.event().await, Event::Ring { call, .. } if call == back));
    assert_eq!(phone.asks(ClientFrame::Cancel { call: back }).await, Reply::Done);
    hears(&mut ada, Event::Ended { call: back, reason: EndReason::Replaced }).await;
    assert_eq!(phone.asks(accept(7)).await, Reply::Accepted);
    assert!(matches!(ada.event().await, Event::Accepted { .. }));
    assert_eq!(ada.asks(end()).await, Reply::Done);
    for person in [&pair.ada, &pair.phone] {
        assert_eq!(missed(&pair.server, person, MissedKind::Missed).await, 0);
    }
}

#[tokio::test]
async fn a_cancelled_call_is_a_missed_one() {
    let pair = Pair::new().await;
    let (mut ada, mut phone, mut laptop) = ringing(&pair).await;
    assert_eq!(ada.asks(ClientFrame::Cancel { call: CALL }).await, Reply::Done);
    hears_end(&mut phone, EndReason::Cancelled).await;
    hears_end(&mut laptop, EndReason::Cancelled).await;
    assert_eq!(phone.asks(accept(7)).await, Reply::Taken(TakenKind::Over));
    assert_eq!(missed(&pair.server, &pair.phone, MissedKind::Missed).await, 1);
}

#[tokio::test]
async fn a_call_that_nobody_answers_expires() {
    let pair = Pair::new().await;
    let (mut ada, mut phone, mut laptop) = ringing(&pair).await;
    pair.server.pass(Millis(30_000));
    for client in [&mut ada, &mut phone, &mut laptop] {
        hears_end(client, EndReason::Expired).await;
    }
    assert_eq!(phone.asks(accept(7)).await, Reply::Taken(TakenKind::Over));
    assert_eq!(missed(&pair.server, &pair.phone, MissedKind::Missed).await, 1);
}

#[tokio::test]
async fn a_ring_lasts_as_long_as_asked_within_limits() {
    let pair = Pair::new().await;
    let (mut ada, _, _) = pair.connect().await;
    for (id, asked, granted) in [(1, 1, 5_000), (2, 7_000, 7_000), (3, 600_000, 60_000)] {
        let call = CallId::new([id; 16]);
        let created = ada.request(create_with(call, &pair.callee(), Millis(asked))).await;
        assert_eq!(created, ServerFrame::Created { call, expires_in: Millis(granted) });
    }
}

#[tokio::test]
async fn a_caller_whose_line_dropped_has_time_to_come_back() {
    let pair = Pair::new().await;
    let (ada, mut phone, _) = ringing(&pair).await;
    let seen = ada.seen;
    ada.drops();
    pair.server.pass(Millis(CALLER_GRACE.0 / 2));
    let mut ada = pair.server.resume(&pair.ada, seen).await;
    pair.server.pass(CALLER_GRACE);
    assert_eq!(phone.asks(accept(7)).await, Reply::Accepted);
    assert!(matches!(ada.event().await, Event::Accepted { .. }));
}

#[tokio::test]
async fn a_caller_who_does_not_come_back_is_lost() {
    let pair = Pair::new().await;
    let (ada, mut phone, _) = ringing(&pair).await;
    ada.drops();
    // The server notices the end of a line on its own.
    while pair.server.store().next_deadline().await.unwrap().unwrap()
        > pair.server.running().app().clock.now().after(CALLER_GRACE)
    {
        tokio::task::yield_now().await;
    }
    pair.server.pass(CALLER_GRACE);
    hears_end(&mut phone, EndReason::CallerLost).await;
    assert_eq!(missed(&pair.server, &pair.phone, MissedKind::Missed).await, 1);
}

#[tokio::test]
async fn a_lost_connection_never_ends_a_call_that_is_up() {
    let pair = Pair::new().await;
    let (ada, mut phone) = accepted(&pair).await;
    let seen = ada.seen;
    ada.drops();
    pair.server.pass(Millis(10 * CALLER_GRACE.0));
    assert_eq!(phone.asks(relay(&pair.ada, 0)).await, Reply::Done);
    let mut ada = pair.server.resume(&pair.ada, seen).await;
    assert!(matches!(ada.event().await, Event::Relay { seq: 0, .. }));
    assert_eq!(ada.asks(end()).await, Reply::Done);
    hears_end(&mut phone, EndReason::HungUp).await;
}

#[tokio::test]
async fn a_device_that_comes_while_it_rings_rings_too() {
    let pair = Pair::new().await;
    let mut ada = pair.server.connect(&pair.ada).await;
    let mut phone = pair.server.connect(&pair.phone).await;
    assert_eq!(ada.asks(create(CALL, &pair.callee())).await, Reply::Created);
    rings(&mut phone).await;
    pair.server.pass(Millis(10_000));
    let mut laptop = pair.server.connect(&pair.laptop).await;
    let Event::Ring { age, expires_in, .. } = laptop.event().await else { panic!("a ring") };
    assert!(age >= Millis(10_000) && expires_in <= Millis(20_000), "{age:?} {expires_in:?}");
    let busy = decline(DeclineReason::Busy, DeclineScope::Device);
    assert_eq!(phone.asks(busy).await, Reply::Done);
    assert_eq!(laptop.asks(accept(7)).await, Reply::Accepted, "the call waited for the laptop");
}

#[tokio::test]
async fn a_device_that_comes_after_the_end_does_not_ring() {
    let pair = Pair::new().await;
    let mut ada = pair.server.connect(&pair.ada).await;
    let _phone = pair.server.connect(&pair.phone).await;
    assert_eq!(ada.asks(create(CALL, &pair.callee())).await, Reply::Created);
    assert_eq!(ada.asks(ClientFrame::Cancel { call: CALL }).await, Reply::Done);
    let mut laptop = pair.server.connect(&pair.laptop).await;
    hears_end(&mut laptop, EndReason::Cancelled).await;
}

#[tokio::test]
async fn a_device_that_said_goodbye_is_not_reachable_and_one_that_was_lost_is() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let grace = server.somebody("grace").await;
    let mut caller = server.connect(&ada).await;
    let first = server.connect(&grace).await;
    first.drops();
    let call = CallId::new([2; 16]);
    assert_eq!(caller.asks(create(call, &[&grace])).await, Reply::Created, "it may come back");
    assert_eq!(caller.asks(ClientFrame::Cancel { call }).await, Reply::Done);
    let second = server.connect(&grace).await;
    second.goes_away().await;
    assert_eq!(caller.asks(create(CALL, &[&grace])).await, Reply::Refused);
    assert_eq!(missed(&server, &grace, MissedKind::Missed).await, 2);
}

#[tokio::test]
async fn a_lost_device_is_not_reachable_for_ever() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let grace = server.somebody("grace").await;
    let mut caller = server.connect(&ada).await;
    server.connect(&grace).await.drops();
    let app = server.running().app();
    while server.store().next_grace(app.clock.now()).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    server.pass(DEVICE_GRACE);
    assert_eq!(caller.asks(create(CALL, &[&grace])).await, Reply::Refused);
}

#[tokio::test]
async fn a_stranger_has_no_part_in_a_call() {
    let pair = Pair::new().await;
    let eve = pair.server.somebody("eve").await;
    let mut eve = pair.server.connect(&eve).await;
    let (_ada, mut phone, _) = ringing(&pair).await;
    for frame in [
        accept(6),
        ClientFrame::Ringing { call: CALL },
        decline(DeclineReason::Declined, DeclineScope::All),
        ClientFrame::Cancel { call: CALL },
        relay(&pair.ada, 0),
        end(),
    ] {
        assert_eq!(eve.asks(frame).await, Reply::Error(Code::CallUnknown));
    }
    assert_eq!(eve.asks(create(CALL, &pair.callee())).await, Reply::Error(Code::CallExists));
    assert_eq!(phone.asks(accept(7)).await, Reply::Accepted);
}

#[tokio::test]
async fn nothing_is_relayed_before_the_accept_or_past_the_two_ends() {
    let pair = Pair::new().await;
    let (mut ada, mut phone, mut laptop) = ringing(&pair).await;
    assert_eq!(ada.asks(relay(&pair.phone, 0)).await, Reply::Error(Code::CallState));
    assert_eq!(phone.asks(accept(7)).await, Reply::Accepted);
    assert_eq!(ada.asks(relay(&pair.laptop, 0)).await, Reply::Error(Code::CallState));
    assert_eq!(laptop.asks(relay(&pair.ada, 0)).await, Reply::Error(Code::CallState));
}
