//! The server is killed in the midst of a call: the two talk on, and hanging up still reaches the other end.

use anyhow::Result;
use carillon_client::Why;
use carillon_link::Settings;
use carillon_tests::server::Server;
use carillon_tests::talk::{CHIRPS_DBFS, Talk};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_call_goes_on_and_can_be_hung_up() -> Result<()> {
    let mut server = Server::start(&[]).await?;
    let mut talk = Talk::begin(&server, Settings::default()).await?;
    server.kill()?;
    talk.ada.until_line(false).await?;
    talk.grace.until_line(false).await?;
    for person in [&mut talk.ada, &mut talk.grace] {
        // The first may have begun before the server was killed.
        let seconds = person.seconds(4).await?;
        let heard = seconds.iter().skip(1).all(|second| second.level_dbfs > CHIRPS_DBFS);
        assert!(heard, "{}: {seconds:?}", person.handle);
    }
    talk.grace.client.hang_up(talk.call).await?;
    assert_eq!(talk.ada.until_ended(talk.call).await?, Why::HungUpThere);
    assert_eq!(talk.grace.until_ended(talk.call).await?, Why::HungUpHere);
    Ok(())
}
