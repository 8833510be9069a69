//! What a connection can't take from others.

use std::time::Duration;

use carillon_wire::CallId;
use carillon_wire::Code;
use carillon_wire::frame::{ClientFrame, Event, ServerFrame};
use carillon_wire::limits::MAX_FRAME_BYTES;
use futures_util::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::support::{Client, Reply, TestServer, code_in, create, soon, talk};

const CALL: CallId = CallId::new([1; 16]);

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_has_its_time() {
    let server = TestServer::start_with(|config| config.timings.header = Duration::from_secs(60)).await;
    let ada = server.somebody("ada").await;
    let mut other = server.connect(&ada).await;
    let mut stream = TcpStream::connect(server.authority()).await.unwrap();
    // A first request is answered, so the server now waits for the head of the second.
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    // A byte every five seconds of the server's time: each soon after the last, all of them far too late.
    for byte in b"GET /healthz HTTP" {
        if stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        server.hands.pass(Duration::from_secs(5));
        assert_eq!(other.request(ClientFrame::Ping {}).await, ServerFrame::Pong {}, "others go on");
    }
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = soon("the end", stream.read_to_end(&mut rest)).await;
    assert!(!String::from_utf8_lossy(&rest).contains("HTTP/1.1 200"), "the second head was never whole");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = TestServer::start().await;
    let mut request = b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: ".to_vec();
    request.resize(20 * 1024, b'a');
    let answer = talk(&server, &request).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn who_is_one_too_many_is_told_so() {
    let server = TestServer::start_with(|config| config.max_connections_per_address = 1).await;
    let ada = server.somebody("ada").await;
    let mut client = server.connect(&ada).await;
    let answer = talk(&server, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert_eq!(code_in(&answer), Code::Overloaded);
    assert_eq!(client.request(ClientFrame::Ping {}).await, ServerFrame::Pong {});
    assert!(server.counts("carillon_turned_away_total 1"));
}

#[tokio::test]
async fn a_message_of_a_megabyte_ends_the_connection_with_its_code() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let grace = server.somebody("grace").await;
    let mut other = server.connect(&grace).await;
    let mut client = server.connect(&ada).await;
    client.socket.send(Message::text("x".repeat(1 << 20))).await.unwrap();
    assert_eq!(client.end().await, Some(CloseCode::Size));
    assert_eq!(other.request(ClientFrame::Ping {}).await, ServerFrame::Pong {});
}

#[tokio::test]
async fn a_megabyte_in_small_pieces_is_no_smaller() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let grace = server.somebody("grace").await;
    let mut other = server.connect(&grace).await;
    let mut client = server.connect(&ada).await;
    // Text, then continuations, none of them the last; each of 1,024 bytes, masked with zeros (RFC 6455, section 5.4).
    let mut pieces = Vec::new();
    for piece in 0..1024 {
        pieces.extend_from_slice(&[u8::from(piece == 0), 0x80 | 126, 4, 0, 0, 0, 0, 0]);
        pieces.extend_from_slice(&[b'x'; 1024]);
    }
    // The server may have closed before it has heard the last of them.
    let _ = client.socket.get_mut().write_all(&pieces).await;
    assert_eq!(client.end().await, Some(CloseCode::Size));
    assert_eq!(other.request(ClientFrame::Ping {}).await, ServerFrame::Pong {});
}

#[tokio::test]
async fn a_message_of_the_largest_size_is_read() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let mut client = server.connect(&ada).await;
    let head = r#"{"type":"ping","ref":5,"padding":""#;
    let padding = "x".repeat(MAX_FRAME_BYTES - head.len() - 2);
    client.say(format!("{head}{padding}\"}}")).await;
    assert_eq!(client.reply_to(5).await, ServerFrame::Pong {});
}

#[tokio::test]
async fn frames_that_come_too_often_are_refused_and_the_connection_goes_on() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let mut client = server.connect(&ada).await;
    for reference in 0..300 {
        client.say(format!(r#"{{"type":"ping","ref":{reference}}}"#)).await;
    }
    let mut refused = Vec::new();
    for reference in 0..300 {
        match client.reply_to(reference).await {
            ServerFrame::Pong {} => {}
            ServerFrame::Error { code: Code::RateLimited, retry_after: Some(wait), .. } => refused.push(wait),
            other => panic!("{other:?}"),
        }
    }
    let wait = *refused.last().unwrap();
    server.pass(wait);
    assert_eq!(client.request(ClientFrame::Ping {}).await, ServerFrame::Pong {});
}

#[tokio::test]
async fn a_text_that_is_not_utf_8_ends_the_connection() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let mut client = server.connect(&ada).await;
    // A text frame of one byte, masked with zeros (RFC 6455, section 5.2).
    client.socket.get_mut().write_all(&[0x81, 0x81, 0, 0, 0, 0, 0xff]).await.unwrap();
    assert_eq!(client.end().await, Some(CloseCode::Protocol));
}

#[tokio::test]
async fn a_slow_reader_is_cut_off_and_its_mailbox_keeps_its_messages() {
    let server = TestServer::start_with(|config| config.timings.stall = Duration::from_millis(300)).await;
    let ada = server.somebody("ada").await;
    let grace = server.somebody("grace").await;
    let mut caller = server.connect(&ada).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = socket.connect(server.running().addr()).await.unwrap();
    let mut slow = Client::over(stream, &server).await;
    slow.sign_in(&server, &grace, None).await;
    // It asks and asks and never reads an answer, until the server has had enough.
    let flood = async {
        let mut sent = 0;
        while slow.socket.send(Message::text("?".repeat(8))).await.is_ok() {
            sent += 1;
            if server.counts("carillon_errors_total{code=\"slow_reader\"} 1") {
                break;
            }
            if sent % 1_000 == 0 {
                assert_eq!(caller.request(ClientFrame::Ping {}).await, ServerFrame::Pong {}, "others go on");
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), flood).await.unwrap();
    assert_eq!(caller.asks(create(CALL, &[&grace])).await, Reply::Created, "it may come back");
    let mut again = server.connect(&grace).await;
    assert!(matches!(again.event().await, Event::Ring { call: CALL, .. }));
}
