//! A call to somebody whose device is off waits for them as a missed call.

use anyhow::Result;
use carillon_client::Why;
use carillon_tests::person::{PATIENCE, Person};
use carillon_tests::server::Server;
use carillon_wire::rest::MissedKind;

#[tokio::test]
async fn a_device_that_was_off_finds_the_missed_call() -> Result<()> {
    let server = Server::start(&[]).await?;
    let mut ada = Person::online(&server.url(), "ada").await?;
    let grace = Person::away(&server.url(), "grace").await?;
    grace.client.follow(ada.handle.clone()).await?;
    let call = ada.dial(&grace).await?;
    assert_eq!(ada.until_ended(call).await?, Why::Unavailable);
    grace.client.connect_within(PATIENCE).await?;
    let missed = grace.client.missed(MissedKind::Missed, 0).await?.items;
    assert_eq!(missed.len(), 1);
    assert_eq!(missed[0].from.handle, ada.handle);
    assert!(grace.client.missed(MissedKind::Filtered, 0).await?.items.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_call_that_the_settings_filter_is_on_the_other_list() -> Result<()> {
    let server = Server::start(&[]).await?;
    let mut ada = Person::online(&server.url(), "ada").await?;
    let grace = Person::online(&server.url(), "grace").await?;
    let call = ada.dial(&grace).await?;
    assert_eq!(ada.until_ended(call).await?, Why::Unavailable);
    assert!(grace.client.missed(MissedKind::Missed, 0).await?.items.is_empty());
    let filtered = grace.client.missed(MissedKind::Filtered, 0).await?.items;
    assert_eq!(filtered.len(), 1);
    assert_eq!(filtered[0].from.handle, ada.handle);
    Ok(())
}
