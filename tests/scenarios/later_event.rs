//! A message of a later version lies in a mailbox: the device acknowledges it, and what comes after it arrives.

use std::time::Duration;

use anyhow::{Context as _, Result};
use carillon_tests::person::{PATIENCE, Person};
use carillon_tests::server::Server;
use sqlx::{Connection as _, SqliteConnection};
use tokio::time::timeout;

#[tokio::test]
async fn an_event_of_a_later_version_does_not_stay_in_the_mailbox() -> Result<()> {
    let server = Server::start(&[]).await?;
    let ada = Person::online(&server.url(), "ada").await?;
    let mut grace = Person::away(&server.url(), "grace").await?;
    grace.client.follow(ada.handle.clone()).await?;
    let mut database =
        SqliteConnection::connect(&format!("sqlite://{}", server.data().join("carillon.db").display()))
            .await?;
    for statement in [
        "UPDATE devices SET mail_seq = mail_seq + 1 WHERE account = (SELECT id FROM accounts WHERE handle = 'grace')",
        "INSERT INTO mailbox (device, seq, call, is_ring, queued_at, expires_at, event) \
         SELECT id, mail_seq, x'00', 0, 0, 9000000000000, '{\"type\":\"hand_over\",\"to\":[1]}' FROM devices \
         WHERE account = (SELECT id FROM accounts WHERE handle = 'grace')",
    ] {
        assert_eq!(sqlx::query(statement).execute(&mut database).await?.rows_affected(), 1);
    }

    grace.client.connect_within(PATIENCE).await?;
    let gone = async {
        let mut every = tokio::time::interval(Duration::from_millis(50));
        loop {
            every.tick().await;
            let left: i64 =
                sqlx::query_scalar("SELECT count(*) FROM mailbox").fetch_one(&mut database).await?;
            if left == 0 {
                return anyhow::Ok(());
            }
        }
    };
    timeout(PATIENCE, gone).await.context("it was never acknowledged")??;
    let call = ada.dial(&grace).await?;
    assert_eq!(grace.until_rung().await?.call, call);
    Ok(())
}
