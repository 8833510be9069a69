//! A device is added between the offer and the ring: the caller seals again, and both devices ring.

use anyhow::Result;
use carillon_client::{Phase, Why};
use carillon_tests::cable::Cable;
use carillon_tests::person::Person;
use carillon_tests::server::Server;

/// What the server answers to boxes for yesterday's devices.
const STALE: &str = r#""type":"stale_devices""#;

#[tokio::test]
async fn a_device_that_is_added_while_the_offer_is_on_its_way_rings_too() -> Result<()> {
    let server = Server::start(&[]).await?;
    let cable = Cable::to(server.audience()).await?;
    let mut ada = Person::online(&cable.url(), "ada").await?;
    let mut grace = Person::online(&server.url(), "grace").await?;
    grace.client.follow(ada.handle.clone()).await?;

    // The offer is sealed for the one device that there is, and does not get through.
    cable.hold();
    let call = ada.dial(&grace).await?;
    let mut laptop = grace.further_device(&server.url()).await?;
    assert!(!cable.has_heard(STALE));
    cable.release();

    assert_eq!(grace.until_rung().await?.call, call);
    assert_eq!(laptop.until_rung().await?.call, call);
    assert!(cable.has_heard(STALE), "the first boxes were refused");
    laptop.client.accept(call, false).await?;
    let here = ada.until(call, Phase::Connected).await?;
    let there = laptop.until(call, Phase::Connected).await?;
    assert_eq!(here.emoji, there.emoji);
    assert_eq!(grace.until_ended(call).await?, Why::AnsweredElsewhere);
    Ok(())
}
