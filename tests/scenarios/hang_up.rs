//! A call rings, is accepted, shows both the same seven emoji, and is hung up.

use anyhow::Result;
use carillon_client::{Phase, Why};
use carillon_tests::person::friends;
use carillon_tests::server::Server;

#[tokio::test]
async fn a_call_rings_is_accepted_and_hung_up() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (mut ada, mut grace) = friends(&server.url()).await?;
    let call = ada.dial(&grace).await?;
    let ring = grace.until_rung().await?;
    assert_eq!(ring.call, call);
    assert_eq!(ring.with.handle, ada.handle);
    ada.until(call, Phase::Ringing).await?;
    grace.client.accept(call, false).await?;
    let here = ada.until(call, Phase::Connected).await?;
    let there = grace.until(call, Phase::Connected).await?;
    assert!(here.emoji.is_some());
    assert_eq!(here.emoji, there.emoji);
    grace.client.hang_up(call).await?;
    assert_eq!(grace.until_ended(call).await?, Why::HungUpHere);
    assert_eq!(ada.until_ended(call).await?, Why::HungUpThere);
    Ok(())
}
