//! Who may call changes while somebody rings: it takes effect at once.

use anyhow::Result;
use carillon_client::{Phase, Why};
use carillon_tests::person::friends;
use carillon_tests::server::Server;
use carillon_wire::rest::CallSettingsChange;

#[tokio::test]
async fn calls_switched_off_end_the_ring() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (mut ada, mut grace) = friends(&server.url()).await?;
    let call = ada.dial(&grace).await?;
    grace.until_rung().await?;
    ada.until(call, Phase::Ringing).await?;
    let off = CallSettingsChange { enabled: Some(false), ..CallSettingsChange::default() };
    grace.client.change_settings(off).await?;
    assert_eq!(ada.until_ended(call).await?, Why::Unavailable);
    grace.until_ended(call).await?;
    Ok(())
}

#[tokio::test]
async fn a_block_ends_the_ring() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (mut ada, mut grace) = friends(&server.url()).await?;
    let call = ada.dial(&grace).await?;
    grace.until_rung().await?;
    grace.client.block(ada.handle.clone()).await?;
    assert_eq!(ada.until_ended(call).await?, Why::Unavailable);
    grace.until_ended(call).await?;
    Ok(())
}
