//! A second caller is shown on the devices that are in a call, and is told busy when all of them say so.

use anyhow::Result;
use carillon_client::{Phase, Why};
use carillon_tests::person::{Person, friends};
use carillon_tests::server::Server;
use carillon_wire::CallId;
use carillon_wire::frame::DeclineScope;
use carillon_wire::rest::MissedKind;

#[tokio::test]
async fn a_second_caller_is_shown_as_waiting_and_the_first_call_goes_on() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (mut ada, mut grace) = friends(&server.url()).await?;
    let mut mary = Person::online(&server.url(), "mary").await?;
    grace.client.follow(mary.handle.clone()).await?;
    let first = ada.dial(&grace).await?;
    grace.until_rung().await?;
    grace.client.accept(first, false).await?;
    ada.until(first, Phase::Connected).await?;
    grace.until(first, Phase::Connected).await?;
    let second = mary.dial(&grace).await?;
    grace.until(second, Phase::Waiting).await?;
    grace.client.decline(second, DeclineScope::Device).await?;
    let why = mary.until_ended(second).await?;
    assert_eq!(why, Why::Busy);
    let calls = grace.client.state().await?.calls;
    assert_eq!(calls.len(), 1);
    assert_eq!((calls[0].call, calls[0].phase), (first, Phase::Connected));
    Ok(())
}

#[tokio::test]
async fn a_second_caller_can_be_taken_in_place_of_the_first() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (mut ada, mut grace) = friends(&server.url()).await?;
    let mut mary = Person::online(&server.url(), "mary").await?;
    ada.client.follow(mary.handle.clone()).await?;
    // Ada is the one who placed the call: she is as busy as Grace.
    let first = ada.dial(&grace).await?;
    grace.until_rung().await?;
    grace.client.accept(first, false).await?;
    ada.until(first, Phase::Connected).await?;
    let second = mary.dial(&ada).await?;
    ada.until(second, Phase::Waiting).await?;
    // Hang up and accept.
    ada.client.accept(second, false).await?;
    mary.until(second, Phase::Connected).await?;
    assert_eq!(grace.until_ended(first).await?, Why::HungUpThere);
    Ok(())
}

/// Grace talks to Ada on her phone and to Hedy on her laptop, and Mary's call is shown on both as waiting.
struct Calls {
    _server: Server,
    ada: Person,
    hedy: Person,
    mary: Person,
    phone: Person,
    laptop: Person,
    waiting: CallId,
}

async fn two_calls_and_one_waiting() -> Result<Calls> {
    let server = Server::start(&[]).await?;
    let (mut ada, mut phone) = friends(&server.url()).await?;
    let mut laptop = phone.further_device(&server.url()).await?;
    let mut hedy = Person::online(&server.url(), "hedy").await?;
    let mut mary = Person::online(&server.url(), "mary").await?;
    hedy.client.follow(phone.handle.clone()).await?;
    phone.client.follow(mary.handle.clone()).await?;
    let on_the_phone = ada.dial(&phone).await?;
    phone.until_rung().await?;
    phone.client.accept(on_the_phone, false).await?;
    ada.until(on_the_phone, Phase::Connected).await?;
    laptop.until_ended(on_the_phone).await?;
    let on_the_laptop = laptop.dial(&hedy).await?;
    hedy.until_rung().await?;
    hedy.client.accept(on_the_laptop, false).await?;
    laptop.until(on_the_laptop, Phase::Connected).await?;
    let waiting = mary.dial(&phone).await?;
    phone.until(waiting, Phase::Waiting).await?;
    laptop.until(waiting, Phase::Waiting).await?;
    mary.until(waiting, Phase::Ringing).await?;
    Ok(Calls { _server: server, ada, hedy, mary, phone, laptop, waiting })
}

#[tokio::test]
async fn with_every_rung_device_busy_the_caller_hears_busy_and_the_call_is_missed() -> Result<()> {
    let mut calls = two_calls_and_one_waiting().await?;
    for device in [&calls.phone, &calls.laptop] {
        device.client.decline(calls.waiting, DeclineScope::Device).await?;
    }
    assert_eq!(calls.mary.until_ended(calls.waiting).await?, Why::Busy);
    let missed = calls.phone.client.missed(MissedKind::Missed, 0).await?.items;
    assert_eq!(missed.iter().map(|call| &call.from.handle).collect::<Vec<_>>(), [&calls.mary.handle]);
    for person in [&calls.ada, &calls.hedy, &calls.phone, &calls.laptop] {
        let state = person.client.state().await?.calls;
        assert_eq!(state.iter().map(|call| call.phase).collect::<Vec<_>>(), [Phase::Connected], "it goes on");
    }
    Ok(())
}

#[tokio::test]
async fn with_one_device_busy_the_other_one_rings_on() -> Result<()> {
    let mut calls = two_calls_and_one_waiting().await?;
    calls.phone.client.decline(calls.waiting, DeclineScope::Device).await?;
    calls.phone.until_ended(calls.waiting).await?;
    // Hang up and accept.
    calls.laptop.client.accept(calls.waiting, false).await?;
    calls.mary.until(calls.waiting, Phase::Connected).await?;
    assert_eq!(calls.phone.client.state().await?.calls.len(), 1, "Ada is still there");
    assert_eq!(calls.phone.client.missed(MissedKind::Missed, 0).await?.items, []);
    Ok(())
}
