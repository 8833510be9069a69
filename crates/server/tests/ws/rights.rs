//! Connections that lose their right, and topics that changed.

use std::time::Duration;

use carillon_server::store::Verdict;
use carillon_wire::frame::{ServerFrame, Topic};
use carillon_wire::{Code, Handle};

use crate::support::{TestServer, ask};

#[tokio::test]
async fn a_revoked_device_is_sent_away_at_once() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let tablet = server.further(&ada).await;
    let mut first = server.connect(&ada).await;
    let mut second = server.connect(&tablet).await;
    let path = format!("/v1/devices/{}", tablet.device);
    assert_eq!(ask(&server, &ada, "DELETE", &path, "").await.0, 204);
    assert_eq!(second.refused().await, Code::DeviceRevoked);
    assert_eq!(first.frame().await, ServerFrame::Changed { topics: vec![Topic::Devices] });
    let (status, body) = ask(&server, &tablet, "GET", "/v1/me", "").await;
    assert_eq!(status, 401);
    assert!(body.contains("device_revoked"), "{body}");
}

#[tokio::test]
async fn a_suspended_account_is_sent_away() {
    let server = TestServer::start_with(|config| config.timings.operator = Duration::from_millis(20)).await;
    let ada = server.somebody("ada").await;
    let mut client = server.connect(&ada).await;
    let handle = Handle::parse("ada").unwrap();
    server.store().judge(&handle, Verdict::Suspended(true), server.hands.date()).await.unwrap();
    assert_eq!(client.refused().await, Code::AccountSuspended);
}

#[tokio::test]
async fn the_other_devices_hear_of_a_change() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let tablet = server.further(&ada).await;
    let mut client = server.connect(&tablet).await;
    let (status, _) = ask(&server, &ada, "PATCH", "/v1/settings/calls", r#"{"verified":true}"#).await;
    assert_eq!(status, 200);
    assert_eq!(client.frame().await, ServerFrame::Changed { topics: vec![Topic::Settings] });
}
