//! A database without room, and what the operator's tools say.

use carillon_wire::frame::{BoxFor, ClientFrame, Media};
use carillon_wire::{Blob, CallId, Code, Millis};

use crate::support::{Reply, TestServer, talk};

#[tokio::test]
async fn a_full_disk_is_told_and_ends_no_connection() {
    let server = TestServer::start_with(|config| config.database_max_mib = Some(1)).await;
    let ada = server.somebody("ada").await;
    let grace = server.somebody("grace").await;
    let mut caller = server.connect(&ada).await;
    let mut callee = server.connect(&grace).await;
    // A picture takes what room there is.
    let mut room = 1 << 20;
    while server.store().set_picture(ada.account, Some((&[1; 32].into(), &vec![0; room]))).await.is_err() {
        room -= 4096;
    }
    let sealed = Blob(vec![0; 9 * 1024]);
    let boxes = vec![BoxFor { device: grace.device, sealed }];
    let (call, callee_account, media) = (CallId::new([1; 16]), grace.account, Media::Audio);
    let frame =
        ClientFrame::Create { call, callee: callee_account, media, expires_in: Millis(30_000), boxes };
    assert_eq!(caller.asks(frame.clone()).await, Reply::Error(Code::StorageFull));
    assert_eq!(callee.all_frames().await, []);
    server.store().set_picture(ada.account, None).await.unwrap();
    assert_eq!(caller.asks(frame).await, Reply::Created, "as soon as there is room");
}

#[tokio::test]
async fn healthz_and_metrics_are_there_for_the_operator() {
    let server = TestServer::start().await;
    let answer = talk(&server, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = talk(&server, b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.contains("carillon_connections 1"), "{answer}");
}

#[tokio::test]
async fn metrics_are_not_for_the_public() {
    let server = TestServer::start_with(|config| {
        config.public_url = Some("https://calls.example.org".into());
        config.metrics_listen = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = talk(&server, request).await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(server.running().metrics_addr().is_some());
}
