//! The server is killed while a call rings, and started again: the call can still be accepted, once.

use anyhow::Result;
use carillon_client::{Phase, Why};
use carillon_tests::person::friends;
use carillon_tests::server::Server;

#[tokio::test]
async fn the_call_is_accepted_after_the_restart_by_exactly_one_device() -> Result<()> {
    let mut server = Server::start(&[]).await?;
    let (mut ada, mut grace) = friends(&server.url()).await?;
    let mut laptop = grace.further_device(&server.url()).await?;
    let call = ada.dial(&grace).await?;
    grace.until_rung().await?;
    laptop.until_rung().await?;
    ada.until(call, Phase::Ringing).await?;
    server.kill()?;
    grace.until_line(false).await?;
    server.start_again().await?;
    grace.until_line(true).await?;
    ada.until_line(true).await?;
    grace.client.accept(call, false).await?;
    ada.until(call, Phase::Connected).await?;
    grace.until(call, Phase::Connected).await?;
    assert_eq!(laptop.until_ended(call).await?, Why::AnsweredElsewhere);
    Ok(())
}
