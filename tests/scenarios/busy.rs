//! A second caller is shown on the device that is in a call, and is told busy when it is declined there as busy or let ring.

use anyhow::Result;
use carillon_client::{Phase, Why};
use carillon_tests::person::{Person, friends};
use carillon_tests::server::Server;
use carillon_wire::frame::DeclineScope;

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
    assert!(matches!(why, Why::Busy | Why::Declined), "{why:?}");
    let calls = grace.client.state().await?.calls;
    assert_eq!(calls.len(), 1);
    assert_eq!((calls[0].call, calls[0].phase), (first, Phase::Connected));
    Ok(())
}

#[tokio::test]
async fn a_device_of_an_account_in_a_call_on_another_device_is_silent_and_the_caller_hears_busy() -> Result<()>
{
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
