//! The caller's line drops while it rings.

use anyhow::Result;
use carillon_client::{Phase, Why};
use carillon_tests::cable::Cable;
use carillon_tests::person::Person;
use carillon_tests::server::Server;

async fn ada_on_a_cable(server: &Server) -> Result<(Cable, Person, Person)> {
    let cable = Cable::to(server.audience()).await?;
    let ada = Person::online(&cable.url(), "ada").await?;
    let grace = Person::online(&server.url(), "grace").await?;
    grace.client.follow(ada.handle.clone()).await?;
    Ok((cable, ada, grace))
}

#[tokio::test]
async fn it_comes_back_and_the_call_is_answered() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (cable, mut ada, mut grace) = ada_on_a_cable(&server).await?;
    let call = ada.dial(&grace).await?;
    grace.until_rung().await?;
    ada.until(call, Phase::Ringing).await?;
    cable.pull();
    ada.until_line(false).await?;
    cable.plug();
    ada.until_line(true).await?;
    grace.client.accept(call, false).await?;
    ada.until(call, Phase::Connected).await?;
    grace.until(call, Phase::Connected).await?;
    Ok(())
}

#[tokio::test]
async fn it_stays_away_and_the_ring_ends() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (cable, mut ada, mut grace) = ada_on_a_cable(&server).await?;
    let call = ada.dial(&grace).await?;
    grace.until_rung().await?;
    ada.until(call, Phase::Ringing).await?;
    cable.pull();
    assert_eq!(grace.until_ended(call).await?, Why::CallerLost);
    Ok(())
}
