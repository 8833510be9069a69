//! Both dial each other at the same moment: one call comes of it, without anybody pressing *accept*.

use anyhow::Result;
use carillon_client::{Outcome, Phase};
use carillon_tests::person::friends;
use carillon_tests::server::Server;
use carillon_wire::rest::MissedKind;

#[tokio::test]
async fn two_who_call_each_other_are_in_one_call() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (mut ada, mut grace) = friends(&server.url()).await?;
    let (from_ada, from_grace) = tokio::join!(ada.dial(&grace), grace.dial(&ada));
    let goes_on = from_ada?.min(from_grace?);
    ada.until(goes_on, Phase::Connected).await?;
    grace.until(goes_on, Phase::Connected).await?;
    for person in [&ada, &grace] {
        let calls = person.client.state().await?.calls;
        assert_eq!(calls.iter().map(|call| call.call).collect::<Vec<_>>(), [goes_on]);
    }
    Ok(())
}

#[tokio::test]
async fn neither_has_missed_the_other_on_whatever_device() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (mut ada, mut grace) = friends(&server.url()).await?;
    let adas = ada.further_device(&server.url()).await?;
    let graces = grace.further_device(&server.url()).await?;
    let (from_ada, from_grace) = tokio::join!(ada.dial(&grace), grace.dial(&ada));
    let goes_on = from_ada?.min(from_grace?);
    ada.until(goes_on, Phase::Connected).await?;
    grace.until(goes_on, Phase::Connected).await?;
    ada.client.hang_up(goes_on).await?;
    grace.until_ended(goes_on).await?;
    for person in [&ada, &grace, &adas, &graces] {
        assert_eq!(person.client.missed(MissedKind::Missed, 0).await?.items, []);
        assert_eq!(person.client.state().await?.unread_missed, 0);
        let recent = person.client.recent(10).await?;
        assert!(recent.iter().all(|call| call.outcome != Outcome::Missed), "{recent:?}");
    }
    Ok(())
}
