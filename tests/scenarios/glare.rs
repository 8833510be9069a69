//! Both dial each other at the same moment: one call comes of it, without anybody pressing *accept*.

use anyhow::Result;
use carillon_client::Phase;
use carillon_tests::person::friends;
use carillon_tests::server::Server;

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
