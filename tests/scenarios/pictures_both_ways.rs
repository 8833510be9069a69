//! What a camera sees is seen at the other end, both ways, beside the sound.

use anyhow::{Context as _, Result};
use carillon_client::Phase;
use carillon_link::Settings;
use carillon_tests::eyes::Picture;
use carillon_tests::server::Server;
use carillon_tests::talk::Talk;

/// The bar codes can all be read, and the pictures are in order.
fn in_order(pictures: Vec<Picture>) -> Result<()> {
    let marks = pictures
        .into_iter()
        .map(|picture| picture.mark)
        .collect::<Option<Vec<_>>>()
        .context("a bar code can't be read")?;
    assert!(marks.windows(2).all(|pair| pair[0].number < pair[1].number), "{marks:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sees_the_other_and_hears_them() -> Result<()> {
    let server = Server::start(&[]).await?;
    let mut talk = Talk::ready(&server, Settings::default(), None).await?;
    talk.place_with_video().await?;
    talk.until_both(Phase::Connected).await?;
    let (ada, grace) = tokio::join!(talk.ada_sees.pictures(60), talk.grace_sees.pictures(60));
    in_order(ada?)?;
    in_order(grace?)?;
    talk.ada.until_sound(talk.call).await?;
    talk.grace.until_sound(talk.call).await?;
    Ok(())
}
