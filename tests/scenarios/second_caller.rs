//! Somebody calls a person who is in a call: that device alone shows it, and the person's other devices keep silent.

use anyhow::Result;
use carillon_client::{Phase, Why};
use carillon_tests::person::{Person, friends};
use carillon_tests::server::Server;
use carillon_wire::CallId;
use carillon_wire::frame::DeclineScope;
use carillon_wire::rest::MissedKind;

/// Ada calls Grace, who answers on this device.
async fn talk(ada: &mut Person, grace: &mut Person) -> Result<CallId> {
    let call = ada.dial(grace).await?;
    grace.until_rung().await?;
    grace.client.accept(call, false).await?;
    ada.until(call, Phase::Connected).await?;
    grace.until(call, Phase::Connected).await?;
    Ok(call)
}

#[tokio::test]
async fn the_device_in_the_call_shows_it_and_the_other_one_stays_silent() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (mut ada, mut phone) = friends(&server.url()).await?;
    let mut laptop = phone.further_device(&server.url()).await?;
    let mut mary = Person::online(&server.url(), "mary").await?;
    phone.client.follow(mary.handle.clone()).await?;
    let first = talk(&mut ada, &mut phone).await?;
    assert_eq!(laptop.until_ended(first).await?, Why::AnsweredElsewhere);

    let second = mary.dial(&phone).await?;
    phone.until(second, Phase::Waiting).await?;
    mary.until(second, Phase::Ringing).await?;
    phone.client.decline(second, DeclineScope::Device).await?;
    assert_eq!(mary.until_ended(second).await?, Why::Busy);
    let missed = phone.client.missed(MissedKind::Missed, 0).await?.items;
    assert_eq!(missed.iter().map(|call| &call.from.handle).collect::<Vec<_>>(), [&mary.handle]);

    // With the call over, all devices ring again: for the laptop it is the first thing that it hears of Mary.
    phone.client.hang_up(first).await?;
    ada.until_ended(first).await?;
    let third = mary.dial(&phone).await?;
    phone.until(third, Phase::Incoming).await?;
    assert_eq!(laptop.until_rung().await?.call, third);
    laptop.client.accept(third, false).await?;
    mary.until(third, Phase::Connected).await?;
    let recent = laptop.client.recent(10).await?;
    assert!(recent.iter().all(|call| call.call != second), "{recent:?}");
    Ok(())
}

#[tokio::test]
async fn it_is_the_same_for_who_placed_the_call() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (mut ada, mut grace) = friends(&server.url()).await?;
    let laptop = ada.further_device(&server.url()).await?;
    let mut mary = Person::online(&server.url(), "mary").await?;
    ada.client.follow(mary.handle.clone()).await?;
    talk(&mut ada, &mut grace).await?;
    let second = mary.dial(&ada).await?;
    ada.until(second, Phase::Waiting).await?;
    ada.client.accept(second, false).await?;
    mary.until(second, Phase::Connected).await?;
    assert_eq!(laptop.client.recent(10).await?, [], "it never rang");
    Ok(())
}
