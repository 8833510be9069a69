//! Both devices of a person ring; one answers, the other stops.

use anyhow::Result;
use carillon_client::{Phase, Why};
use carillon_tests::person::friends;
use carillon_tests::server::Server;

#[tokio::test]
async fn one_device_answers_and_the_other_stops() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (mut ada, mut grace) = friends(&server.url()).await?;
    let mut laptop = grace.further_device(&server.url()).await?;
    let call = ada.dial(&grace).await?;
    grace.until_rung().await?;
    laptop.until_rung().await?;
    laptop.client.accept(call, false).await?;
    assert_eq!(grace.until_ended(call).await?, Why::AnsweredElsewhere);
    ada.until(call, Phase::Connected).await?;
    laptop.until(call, Phase::Connected).await?;
    Ok(())
}
