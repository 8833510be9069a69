//! Calls that do not ring.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use carillon_policy::rollout::Rollout;
use carillon_server::store::Verdict;
use carillon_wire::frame::{BoxFor, ClientFrame, EndReason, Event, Media, RefusedReason, ServerFrame};
use carillon_wire::limits::{MAX_BOX_BYTES, MAX_MAILBOX};
use carillon_wire::rest::{CallSettingsChange, MissedKind};
use carillon_wire::{AccountId, Blob, CallId, Code, Handle, Millis};

use crate::support::{Device, Pair, Reply, TestServer, ask, boxed, create};

const CALL: CallId = CallId::new([1; 16]);

fn number(number: u8) -> CallId {
    CallId::new([number; 16])
}

async fn list(server: &TestServer, of: &Device, kind: MissedKind) -> usize {
    server.store().missed_calls(of.account, kind, 0, 10).await.unwrap().len()
}

#[tokio::test]
async fn refused_blocked_and_offline_look_alike() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let closed = server.somebody_with_defaults("closed").await;
    let blocker = server.somebody("blocker").await;
    let away = server.somebody("away").await;
    let _closed = server.connect(&closed).await;
    let _blocker = server.connect(&blocker).await;
    assert!(server.store().block(blocker.account, ada.account).await.unwrap());
    let mut caller = server.connect(&ada).await;
    let shortest = server.running().app().config.timings.refusal.0;
    for callee in [&closed, &blocker, &away] {
        let started = Instant::now();
        let refused = caller.request(create(CALL, &[callee])).await;
        assert!(started.elapsed() >= shortest);
        assert_eq!(refused, ServerFrame::Refused { call: CALL, reason: RefusedReason::Unavailable });
        server.pass(Millis(121_000));
        server.store().forget_calls(server.running().app().clock.now()).await.unwrap();
    }
    assert_eq!(list(&server, &closed, MissedKind::Filtered).await, 1);
    assert_eq!(list(&server, &away, MissedKind::Missed).await, 1);
    for kind in [MissedKind::Filtered, MissedKind::Missed] {
        assert_eq!(list(&server, &blocker, kind).await, 0, "a blocked caller leaves no trace");
    }
}

#[tokio::test]
async fn a_refusal_waits_alone() {
    let server = TestServer::start_with(|config| {
        config.timings.refusal = (Duration::from_secs(60), Duration::from_secs(60));
    })
    .await;
    let ada = server.somebody("ada").await;
    let away = server.somebody("away").await;
    let mut caller = server.connect(&ada).await;
    caller.send(create(CALL, &[&away])).await;
    assert_eq!(caller.all_frames().await, [], "the pong does not wait for it");
}

#[tokio::test]
async fn a_refused_call_can_be_repeated_and_is_listed_once() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let away = server.somebody("away").await;
    let mut caller = server.connect(&ada).await;
    for _ in 0..2 {
        assert_eq!(caller.asks(create(CALL, &[&away])).await, Reply::Refused);
    }
    assert_eq!(list(&server, &away, MissedKind::Missed).await, 1);
    assert_eq!(caller.asks(ClientFrame::Cancel { call: CALL }).await, Reply::Error(Code::CallUnknown));
}

#[tokio::test]
async fn nobody_calls_themselves() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let tablet = server.further(&ada).await;
    let mut caller = server.connect(&ada).await;
    let mut other = server.connect(&tablet).await;
    assert_eq!(caller.asks(create(CALL, &[&ada, &tablet])).await, Reply::Error(Code::CallSelf));
    assert_eq!(other.all_frames().await, []);
}

#[tokio::test]
async fn an_account_that_is_not_there_can_not_be_called() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let mut caller = server.connect(&ada).await;
    let (callee, media, expires_in) = (AccountId::new([9; 16]), Media::Audio, Millis(30_000));
    let frame = ClientFrame::Create { call: CALL, callee, media, expires_in, boxes: Vec::new() };
    assert_eq!(caller.asks(frame).await, Reply::Error(Code::AccountUnknown));
}

#[tokio::test]
async fn boxes_must_be_for_exactly_the_callees_devices() {
    let pair = Pair::new().await;
    let (mut ada, mut phone, _) = pair.connect().await;
    let Pair { phone: first, laptop: second, .. } = &pair;
    for devices in [vec![first], vec![first, second, &pair.ada], vec![first, first]] {
        let reply = ada.request(create(CALL, &devices)).await;
        let ServerFrame::StaleDevices { call: CALL, devices } = reply else {
            panic!("stale devices, not {reply:?}")
        };
        assert_eq!(
            devices.into_iter().collect::<BTreeSet<_>>(),
            BTreeSet::from([first.device, second.device])
        );
    }
    assert_eq!(phone.all_frames().await, []);
    assert_eq!(ada.asks(create(CALL, &[second, first])).await, Reply::Created);
}

#[tokio::test]
async fn a_box_that_is_too_large_is_refused() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let grace = server.somebody("grace").await;
    let mut caller = server.connect(&ada).await;
    let sealed = Blob(vec![0; MAX_BOX_BYTES + 1]);
    let boxes = vec![BoxFor { device: grace.device, sealed }];
    let (callee, media, expires_in) = (grace.account, Media::Audio, Millis(30_000));
    let frame = ClientFrame::Create { call: CALL, callee, media, expires_in, boxes };
    assert_eq!(caller.asks(frame).await, Reply::Error(Code::TooLarge));
}

#[tokio::test]
async fn the_fifth_ring_to_the_same_person_must_wait() {
    let pair = Pair::new().await;
    let (mut ada, _phone, _laptop) = pair.connect().await;
    for id in 1..=4 {
        assert_eq!(ada.asks(create(number(id), &pair.callee())).await, Reply::Created);
        assert_eq!(ada.asks(create(number(id), &pair.callee())).await, Reply::Created, "the same ring");
    }
    let ServerFrame::Error { code, retry_after, call, .. } =
        ada.request(create(number(5), &pair.callee())).await
    else {
        panic!("an error")
    };
    assert_eq!((code, call), (Code::RateLimited, Some(number(5))));
    pair.server.pass(retry_after.unwrap());
    assert_eq!(ada.asks(create(number(5), &pair.callee())).await, Reply::Created);
}

#[tokio::test]
async fn a_create_that_is_sent_again_on_a_new_connection_is_the_same_ring() {
    let pair = Pair::new().await;
    let (mut ada, _phone, _laptop) = pair.connect().await;
    let yesterdays = [&pair.phone];
    for id in 1..=4 {
        let stale = ada.asks(create(number(id), &yesterdays)).await;
        assert!(matches!(stale, Reply::Other(ServerFrame::StaleDevices { .. })), "{stale:?}");
        ada = pair.server.connect(&pair.ada).await;
        assert_eq!(ada.asks(create(number(id), &pair.callee())).await, Reply::Created);
        ada = pair.server.connect(&pair.ada).await;
        assert_eq!(ada.asks(create(number(id), &pair.callee())).await, Reply::Created);
    }
    assert_eq!(ada.asks(create(number(5), &pair.callee())).await, Reply::Error(Code::RateLimited));
    ada = pair.server.connect(&pair.ada).await;
    assert_eq!(ada.asks(create(number(5), &pair.callee())).await, Reply::Error(Code::RateLimited));
    assert_eq!(ada.asks(create(number(4), &pair.callee())).await, Reply::Created, "it was let through");
}

#[tokio::test]
async fn the_rollout_decides_who_may_place_calls() {
    let pair = Pair::new().await;
    let (mut ada, mut phone, _) = pair.connect().await;
    pair.server.store().set_rollout(Rollout::VerifiedOnly).await.unwrap();
    assert_eq!(ada.asks(create(CALL, &pair.callee())).await, Reply::Error(Code::CallsNotAvailable));
    let now = pair.server.hands.date();
    let handle = Handle::parse("ada").unwrap();
    pair.server.store().judge(&handle, Verdict::Verified(true), now).await.unwrap();
    assert_eq!(ada.asks(create(CALL, &pair.callee())).await, Reply::Created);
    assert!(matches!(phone.event().await, Event::Ring { .. }));
}

#[tokio::test]
async fn where_only_the_address_book_lets_through_the_device_is_told() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let grace = server.somebody_with_defaults("grace").await;
    let change = CallSettingsChange { address_book: Some(true), ..CallSettingsChange::default() };
    server.store().change_call_settings(grace.account, change).await.unwrap();
    let mut caller = server.connect(&ada).await;
    let mut callee = server.connect(&grace).await;
    assert_eq!(caller.asks(create(CALL, &[&grace])).await, Reply::Created);
    let Event::Ring { from, .. } = callee.event().await else { panic!("a ring") };
    assert!(from.only_if_in_address_book);
}

#[tokio::test]
async fn settings_that_change_during_the_ring_count() {
    let pair = Pair::new().await;
    let (mut ada, mut phone, _) = pair.connect().await;
    assert_eq!(ada.asks(create(CALL, &pair.callee())).await, Reply::Created);
    assert!(matches!(phone.event().await, Event::Ring { .. }));
    let body = r#"{"enabled":false}"#;
    let (status, _) = ask(&pair.server, &pair.phone, "PATCH", "/v1/settings/calls", body).await;
    assert_eq!(status, 200);
    let ended = Event::Ended { call: CALL, reason: EndReason::Unavailable };
    assert_eq!(ada.event().await, ended);
    assert_eq!(phone.event().await, ended);
}

#[tokio::test]
async fn a_block_during_the_ring_counts() {
    let pair = Pair::new().await;
    let (mut ada, mut phone, _) = pair.connect().await;
    assert_eq!(ada.asks(create(CALL, &pair.callee())).await, Reply::Created);
    assert!(matches!(phone.event().await, Event::Ring { .. }));
    let path = format!("/v1/blocks/{}", pair.ada.account);
    assert_eq!(ask(&pair.server, &pair.phone, "PUT", &path, "").await.0, 204);
    let ended = Event::Ended { call: CALL, reason: EndReason::Unavailable };
    assert_eq!(ada.event().await, ended);
    assert_eq!(phone.event().await, ended);
}

#[tokio::test]
async fn a_device_whose_mailbox_is_full_can_not_be_rung() {
    let pair = Pair::new().await;
    let (mut ada, phone, laptop) = pair.connect().await;
    assert_eq!(ada.asks(create(CALL, &pair.callee())).await, Reply::Created);
    let mut phone = phone;
    assert!(matches!(phone.event().await, Event::Ring { .. }));
    assert_eq!(phone.asks(ClientFrame::Accept { call: CALL, sealed: boxed(7) }).await, Reply::Accepted);
    laptop.goes_away().await;
    // The phone handles nothing from here on.
    let mut told = 0;
    let refusal = loop {
        let relay =
            ClientFrame::Relay { call: CALL, to_device: pair.phone.device, seq: told, sealed: boxed(9) };
        match ada.asks(relay).await {
            Reply::Done => told += 1,
            Reply::Error(Code::RateLimited) => pair.server.pass(Millis(20)),
            other => break other,
        }
    };
    assert_eq!(refusal, Reply::Error(Code::MailboxFull));
    assert_eq!(told, MAX_MAILBOX as u64, "the ring was taken out when it was accepted");
    let eve = pair.server.somebody("eve").await;
    let mut eve = pair.server.connect(&eve).await;
    assert_eq!(eve.asks(create(number(2), &pair.callee())).await, Reply::Refused);
    assert_eq!(ada.asks(ClientFrame::End { call: CALL, reason: EndReason::HungUp }).await, Reply::Done);
    let mut resumed = pair.server.resume(&pair.phone, 0).await;
    let mut last = resumed.event().await;
    while !matches!(last, Event::Ended { .. }) {
        last = resumed.event().await;
    }
    assert_eq!(
        last,
        Event::Ended { call: CALL, reason: EndReason::HungUp },
        "how a call goes on gets through"
    );
}
