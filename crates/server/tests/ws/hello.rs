//! From the challenge to the welcome.

use carillon_server::store::Verdict;
use carillon_wire::frame::{ClientFrame, ServerFrame};
use carillon_wire::{Code, DeviceId, Handle, PROTOCOL, PROTOCOLS_SERVED};
use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, Device, TestServer, talk};

async fn hello_as(server: &TestServer, device: &Device, proto: u16, audience: &str) -> Client {
    let mut client = Client::open(server).await;
    let nonce = client.challenge().await;
    let signature = device.sign(&nonce, proto, audience);
    client.send(ClientFrame::Hello { proto, device: device.device, signature, resume: None }).await;
    client
}

#[tokio::test]
async fn a_version_that_is_not_served_is_refused_with_those_that_are() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let mut client = hello_as(&server, &ada, 99, &server.authority()).await;
    let ServerFrame::Error { code, protocols, .. } = client.refusal().await else { panic!("an error") };
    assert_eq!(code, Code::ProtocolUnsupported);
    assert_eq!(protocols.as_deref(), Some(PROTOCOLS_SERVED));
    client.end().await;
}

#[tokio::test]
async fn a_signature_for_another_server_does_not_count() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let mut client = hello_as(&server, &ada, PROTOCOL, "calls.example.org").await;
    assert_eq!(client.refused().await, Code::BadSignature);
}

#[tokio::test]
async fn with_a_public_url_that_is_the_audience() {
    let server =
        TestServer::start_with(|config| config.public_url = Some("https://Calls.example.org".into())).await;
    let ada = server.somebody("ada").await;
    let mut client = hello_as(&server, &ada, PROTOCOL, "calls.example.org").await;
    assert!(matches!(client.frame().await, ServerFrame::Welcome { .. }));
}

#[tokio::test]
async fn a_device_that_nobody_added_is_unknown() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let mut client = Client::open(&server).await;
    let nonce = client.challenge().await;
    let signature = ada.hello(&nonce, &server.authority());
    let device = DeviceId::new([7; 16]);
    client.send(ClientFrame::Hello { proto: PROTOCOL, device, signature, resume: None }).await;
    assert_eq!(client.refused().await, Code::DeviceUnknown);
}

#[tokio::test]
async fn a_revoked_device_and_a_suspended_account_are_told_so() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let grace = server.somebody("grace").await;
    let now = server.hands.date();
    assert!(server.store().revoke_device(ada.account, ada.device, now).await.unwrap().is_some());
    let mut client = hello_as(&server, &ada, PROTOCOL, &server.authority()).await;
    assert_eq!(client.refused().await, Code::DeviceRevoked);
    let handle = Handle::parse("grace").unwrap();
    server.store().judge(&handle, Verdict::Suspended(true), now).await.unwrap();
    let mut client = hello_as(&server, &grace, PROTOCOL, &server.authority()).await;
    assert_eq!(client.refused().await, Code::AccountSuspended);
}

#[tokio::test]
async fn who_does_not_say_hello_in_time_is_told_so() {
    let server =
        TestServer::start_with(|config| config.timings.hello = std::time::Duration::from_millis(100)).await;
    let mut client = Client::open(&server).await;
    client.challenge().await;
    assert_eq!(client.refused().await, Code::HelloTimeout);
}

#[tokio::test]
async fn before_hello_nothing_else_is_done() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let mut client = Client::open(&server).await;
    let nonce = client.challenge().await;
    for (text, code) in [
        (r#"{"type":"ping","ref":1}"#, Code::NotSignedIn),
        (r#"{"type":"conquer","ref":2}"#, Code::UnknownFrame),
        ("hello?", Code::Malformed),
    ] {
        client.say(text).await;
        assert!(matches!(client.frame().await, ServerFrame::Error { code: it, .. } if it == code), "{text}");
    }
    let signature = ada.hello(&nonce, &server.authority());
    let hello = ClientFrame::Hello { proto: PROTOCOL, device: ada.device, signature, resume: None };
    assert!(matches!(client.request(hello).await, ServerFrame::Welcome { .. }));
}

#[tokio::test]
async fn who_says_everything_but_hello_is_sent_away() {
    let server = TestServer::start().await;
    let mut client = Client::open(&server).await;
    for _ in 0..8 {
        client.say(r#"{"type":"ping"}"#).await;
    }
    client.end().await;
    assert!(server.counts("carillon_errors_total{code=\"not_signed_in\"} 9"));
}

#[tokio::test]
async fn a_frame_that_can_not_be_read_does_not_end_the_connection() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let mut client = server.connect(&ada).await;
    for (text, code, reference) in [
        (r#"{"type":"conquer","ref":70,"x":1}"#, Code::UnknownFrame, Some(70)),
        (r#"{"type":"ack","ref":71}"#, Code::Malformed, Some(71)),
        (r#"{"type":"accept","ref":72,"call":"short","box":""}"#, Code::Malformed, Some(72)),
        ("not JSON at all", Code::Malformed, None),
    ] {
        client.say(text).await;
        let numbered = client.read().await.unwrap();
        assert_eq!(numbered.reference, reference, "{text}");
        assert!(matches!(numbered.frame, ServerFrame::Error { code: it, .. } if it == code), "{text}");
    }
    client.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert!(matches!(client.frame().await, ServerFrame::Error { code: Code::Malformed, .. }));
    client.say(r#"{"type":"ping","ref":73,"colour":"red","nested":{"a":[1]}}"#).await;
    assert_eq!(client.reply_to(73).await, ServerFrame::Pong {});
}

#[tokio::test]
async fn hello_again_is_welcomed_again() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let mut client = server.connect(&ada).await;
    let signature = ada.hello(&[0; 32].into(), &server.authority());
    let hello = ClientFrame::Hello { proto: PROTOCOL, device: ada.device, signature, resume: None };
    assert!(
        matches!(client.request(hello).await, ServerFrame::Welcome { account, .. } if account == ada.account)
    );
}

#[tokio::test]
async fn a_second_connection_replaces_the_first() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let mut first = server.connect(&ada).await;
    let mut second = server.connect(&ada).await;
    assert_eq!(first.refused().await, Code::Replaced);
    assert_eq!(second.request(ClientFrame::Ping {}).await, ServerFrame::Pong {});
    let now = server.running().app().clock.now();
    let reachable = server.store().reachable_devices(ada.account, server.running().app().node, now).await;
    assert_eq!(reachable.unwrap(), [ada.device]);
}

#[tokio::test]
async fn a_request_that_is_no_websocket_is_answered() {
    let server = TestServer::start().await;
    let answer = talk(&server, b"GET /v1/socket HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(crate::support::code_in(&answer), Code::Malformed);
}
