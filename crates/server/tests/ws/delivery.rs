//! The mailbox: at least once, in order, with numbers.

use std::time::Duration;

use carillon_wire::CallId;
use carillon_wire::frame::{ClientFrame, Event, ServerFrame};
use carillon_wire::limits::MAILBOX_TTL;
use tokio::io::AsyncReadExt;

use crate::support::{Client, Device, Pair, Reply, TestServer, boxed, create, soon};

const CALL: CallId = CallId::new([1; 16]);

/// An accepted call of which the phone has handled everything.
async fn accepted(pair: &Pair) -> (Client, Client) {
    let (mut ada, mut phone, _) = pair.connect().await;
    assert_eq!(ada.asks(create(CALL, &pair.callee())).await, Reply::Created);
    assert!(matches!(phone.event().await, Event::Ring { .. }));
    assert_eq!(phone.asks(ClientFrame::Accept { call: CALL, sealed: boxed(7) }).await, Reply::Accepted);
    (ada, phone)
}

async fn relay(from: &mut Client, to: &Device, seq: u64) {
    let frame = ClientFrame::Relay { call: CALL, to_device: to.device, seq, sealed: boxed(9) };
    assert_eq!(from.asks(frame).await, Reply::Done);
}

async fn relayed(client: &mut Client) -> (u64, u64) {
    match client.letter().await {
        (number, Event::Relay { seq, .. }) => (number, seq),
        (_, other) => panic!("a relay, not {other:?}"),
    }
}

#[tokio::test]
async fn what_was_not_handled_comes_again_and_what_was_does_not() {
    let pair = Pair::new().await;
    let (mut ada, mut phone) = accepted(&pair).await;
    for seq in 0..3 {
        relay(&mut ada, &pair.phone, seq).await;
    }
    let (first, _) = relayed(&mut phone).await;
    phone.drops();
    let mut phone = pair.server.resume(&pair.phone, first).await;
    assert_eq!(relayed(&mut phone).await, (first + 1, 1));
    assert_eq!(relayed(&mut phone).await, (first + 2, 2));
    relay(&mut ada, &pair.phone, 3).await;
    assert_eq!(relayed(&mut phone).await, (first + 3, 3), "a number is never used twice");
}

#[tokio::test]
async fn an_acknowledgement_outlives_the_connection() {
    let pair = Pair::new().await;
    let (mut ada, mut phone) = accepted(&pair).await;
    relay(&mut ada, &pair.phone, 0).await;
    relay(&mut ada, &pair.phone, 1).await;
    let (first, _) = relayed(&mut phone).await;
    phone.send(ClientFrame::Ack { seq: first }).await;
    // Acknowledgements are collected for a moment.
    let app = pair.server.running().app();
    let written = async {
        while app.store.mail(pair.phone.device, 0, 10, app.clock.now()).await.unwrap().len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    soon("the acknowledgement", written).await;
    let mut again = pair.server.connect(&pair.phone).await;
    assert_eq!(relayed(&mut again).await, (first + 1, 1));
}

#[tokio::test]
async fn an_acknowledgement_of_what_was_never_sent_forgets_nothing() {
    let pair = Pair::new().await;
    let (mut ada, mut phone) = accepted(&pair).await;
    phone.send(ClientFrame::Ack { seq: 1 << 50 }).await;
    assert_eq!(phone.request(ClientFrame::Ping {}).await, ServerFrame::Pong {});
    let seen = phone.seen;
    phone.drops();
    relay(&mut ada, &pair.phone, 0).await;
    let mut phone = pair.server.resume(&pair.phone, seen).await;
    assert_eq!(relayed(&mut phone).await.1, 0);
}

#[tokio::test]
async fn a_device_is_told_when_messages_were_dropped() {
    let pair = Pair::new().await;
    let (mut ada, phone) = accepted(&pair).await;
    let seen = phone.seen;
    phone.goes_away().await;
    relay(&mut ada, &pair.phone, 0).await;
    pair.server.pass(MAILBOX_TTL);
    relay(&mut ada, &pair.phone, 1).await;
    let mut phone = Client::open(&pair.server).await;
    let welcome = phone.sign_in(&pair.server, &pair.phone, Some(seen)).await;
    assert!(matches!(welcome, ServerFrame::Welcome { lost: true, .. }));
    let (number, seq) = relayed(&mut phone).await;
    assert_eq!(seq, 1);
    phone.drops();
    let mut phone = Client::open(&pair.server).await;
    let welcome = phone.sign_in(&pair.server, &pair.phone, Some(number)).await;
    assert!(matches!(welcome, ServerFrame::Welcome { lost: false, .. }), "once is enough");
}

#[tokio::test]
async fn numbers_go_on_from_what_a_device_has_handled() {
    let pair = Pair::new().await;
    let (mut ada, phone) = accepted(&pair).await;
    phone.drops();
    // As after a restored backup: the device has seen more than the server knows of.
    let mut phone = Client::open(&pair.server).await;
    let welcome = phone.sign_in(&pair.server, &pair.phone, Some(1_000)).await;
    assert!(matches!(welcome, ServerFrame::Welcome { lost: true, .. }));
    relay(&mut ada, &pair.phone, 0).await;
    assert_eq!(relayed(&mut phone).await, (1_001, 0));
}

#[tokio::test]
async fn a_resume_that_no_mailbox_gave_out_is_refused() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let mut client = Client::open(&server).await;
    let nonce = client.challenge().await;
    let signature = ada.hello(&nonce, &server.authority());
    let (proto, resume) = (carillon_wire::PROTOCOL, Some(u64::MAX));
    client.send(ClientFrame::Hello { proto, device: ada.device, signature, resume }).await;
    assert_eq!(client.refused().await, carillon_wire::Code::Malformed);
}

#[tokio::test]
async fn a_silent_line_is_pinged_and_then_counts_as_lost() {
    let server = TestServer::start_with(|config| config.timings.heartbeat = Duration::from_millis(100)).await;
    let ada = server.somebody("ada").await;
    let mut client = server.connect(&ada).await;
    // Nobody answers the pings here: the bytes are read past the WebSocket.
    let mut bytes = Vec::new();
    soon("the end", client.socket.get_mut().read_to_end(&mut bytes)).await.unwrap();
    assert!(bytes.starts_with(&[0x89, 0x00]), "a ping first (RFC 6455, section 5.5.2): {bytes:?}");
    let app = server.running().app();
    let reachable = server.store().reachable_devices(ada.account, app.node, app.clock.now()).await.unwrap();
    assert_eq!(reachable, [ada.device], "for a while");
}

#[tokio::test]
async fn who_answers_pings_stays() {
    let server = TestServer::start_with(|config| config.timings.heartbeat = Duration::from_millis(50)).await;
    let ada = server.somebody("ada").await;
    let mut client = server.connect(&ada).await;
    let reading = tokio::time::timeout(Duration::from_millis(500), client.read());
    assert!(reading.await.is_err(), "pongs go out while it reads, and the line holds");
    assert_eq!(client.request(ClientFrame::Ping {}).await, ServerFrame::Pong {});
}
