//! A decline for one device leaves the other ringing; a decline for all ends the call.

use anyhow::Result;
use carillon_client::{Phase, Why};
use carillon_tests::person::friends;
use carillon_tests::server::Server;
use carillon_wire::frame::DeclineScope;

#[tokio::test]
async fn the_other_device_goes_on_ringing() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (mut ada, mut grace) = friends(&server.url()).await?;
    let mut laptop = grace.further_device(&server.url()).await?;
    let call = ada.dial(&grace).await?;
    grace.until_rung().await?;
    laptop.until_rung().await?;
    grace.client.decline(call, DeclineScope::Device).await?;
    grace.until_ended(call).await?;
    laptop.client.accept(call, false).await?;
    ada.until(call, Phase::Connected).await?;
    Ok(())
}

#[tokio::test]
async fn a_decline_for_all_ends_the_call_everywhere() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (mut ada, mut grace) = friends(&server.url()).await?;
    let mut laptop = grace.further_device(&server.url()).await?;
    let call = ada.dial(&grace).await?;
    grace.until_rung().await?;
    laptop.until_rung().await?;
    grace.client.decline(call, DeclineScope::All).await?;
    assert_eq!(laptop.until_ended(call).await?, Why::DeclinedElsewhere);
    assert_eq!(ada.until_ended(call).await?, Why::Declined);
    Ok(())
}
