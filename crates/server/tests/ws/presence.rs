//! Presence is shown to those who may ring, and to nobody else.

use carillon_wire::frame::{ClientFrame, ServerFrame};
use carillon_wire::limits::{DEVICE_GRACE, MAX_PRESENCE};
use carillon_wire::rest::CallSettingsChange;
use carillon_wire::{AccountId, Code};

use crate::support::{Client, Device, Reply, TestServer, ask};

async fn watch(client: &mut Client, accounts: &[&Device]) {
    let accounts = accounts.iter().map(|one| one.account).collect();
    assert_eq!(client.asks(ClientFrame::Presence { accounts }).await, Reply::Done);
}

#[tokio::test]
async fn who_may_ring_sees_them_come_and_go() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let grace = server.somebody("grace").await;
    let mut watcher = server.connect(&ada).await;
    watch(&mut watcher, &[&grace]).await;
    assert_eq!(watcher.presence().await, (grace.account, false));
    let client = server.connect(&grace).await;
    assert_eq!(watcher.presence().await, (grace.account, true));
    client.goes_away().await;
    assert_eq!(watcher.presence().await, (grace.account, false));
}

#[tokio::test]
async fn a_lost_line_shows_only_when_its_time_is_over() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let grace = server.somebody("grace").await;
    let mut watcher = server.connect(&ada).await;
    let client = server.connect(&grace).await;
    watch(&mut watcher, &[&grace]).await;
    assert_eq!(watcher.presence().await, (grace.account, true));
    client.drops();
    let app = server.running().app();
    while server.store().next_grace(app.clock.now()).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(watcher.all_frames().await, []);
    server.pass(DEVICE_GRACE);
    assert_eq!(watcher.presence().await, (grace.account, false));
}

#[tokio::test]
async fn who_may_not_ring_sees_nothing() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let closed = server.somebody_with_defaults("closed").await;
    let maybe = server.somebody_with_defaults("maybe").await;
    let change = CallSettingsChange { address_book: Some(true), ..CallSettingsChange::default() };
    server.store().change_call_settings(maybe.account, change).await.unwrap();
    let _closed = server.connect(&closed).await;
    let _maybe = server.connect(&maybe).await;
    let mut watcher = server.connect(&ada).await;
    watch(&mut watcher, &[&closed, &maybe]).await;
    assert_eq!(watcher.all_frames().await, []);
}

#[tokio::test]
async fn settings_and_blocks_change_what_is_seen() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let grace = server.somebody_with_defaults("grace").await;
    let _grace = server.connect(&grace).await;
    let mut watcher = server.connect(&ada).await;
    watch(&mut watcher, &[&grace]).await;
    let path = format!("/v1/following/{}", ada.account);
    assert_eq!(ask(&server, &grace, "PUT", &path, "").await.0, 204);
    assert_eq!(watcher.presence().await, (grace.account, true), "whom they follow may ring");
    let path = format!("/v1/blocks/{}", ada.account);
    assert_eq!(ask(&server, &grace, "PUT", &path, "").await.0, 204);
    assert_eq!(watcher.presence().await, (grace.account, false), "a block looks like going away");
}

#[tokio::test]
async fn a_list_replaces_the_one_before_and_has_a_limit() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let grace = server.somebody("grace").await;
    let mut watcher = server.connect(&ada).await;
    watch(&mut watcher, &[&grace]).await;
    assert_eq!(watcher.presence().await, (grace.account, false));
    watch(&mut watcher, &[]).await;
    let _grace = server.connect(&grace).await;
    assert_eq!(watcher.all_frames().await, []);
    let accounts = vec![AccountId::new([1; 16]); MAX_PRESENCE + 1];
    let reply: Reply = watcher.request(ClientFrame::Presence { accounts }).await.into();
    assert_eq!(reply, Reply::Error(Code::TooLarge));
}

#[tokio::test]
async fn turn_without_servers_is_an_empty_list() {
    let server = TestServer::start().await;
    let ada = server.somebody("ada").await;
    let mut client = server.connect(&ada).await;
    let reply = client.request(ClientFrame::Turn {}).await;
    assert!(matches!(reply, ServerFrame::Turn { servers, .. } if servers.is_empty()));
}
