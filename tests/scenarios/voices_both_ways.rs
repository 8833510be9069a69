//! A chirp spoken into one end's microphone comes out of the other end's speaker, both ways at once.

use anyhow::Result;
use carillon_link::Settings;
use carillon_tests::server::Server;
use carillon_tests::talk::Talk;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_hears_what_the_other_says() -> Result<()> {
    let server = Server::start(&[]).await?;
    let mut talk = Talk::begin(&server, Settings::default()).await?;
    talk.ada.seconds(4).await?;
    talk.grace.seconds(4).await?;
    let outcome = talk.close().await?;
    for heard in [&outcome.ada, &outcome.grace] {
        println!("{:?}, {} of {} missed", heard.delays, heard.missed, heard.chirps.len());
        assert!(heard.chirps.len() >= 4 && heard.missed == 0, "{heard:?}");
    }
    Ok(())
}
