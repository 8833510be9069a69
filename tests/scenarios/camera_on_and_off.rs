//! A call with sound alone becomes one with pictures and back, without a new call and without a new description.

use anyhow::Result;
use carillon_client::{ClientEvent, MediaOn};
use carillon_link::Settings;
use carillon_tests::person::Person;
use carillon_tests::server::Server;
use carillon_tests::talk::Talk;

async fn hears_of_camera(person: &mut Person, on: bool) -> Result<()> {
    person
        .until_event("the news that the camera is on or off", |event| match event {
            ClientEvent::Call(state) => state.remote.filter(|remote| remote.video == on).map(drop),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_camera_goes_on_and_off_three_times() -> Result<()> {
    let server = Server::start(&[]).await?;
    let mut talk = Talk::begin(&server, Settings::default()).await?;
    assert_eq!(talk.grace_sees.all().len(), 0, "a call with sound alone shows nothing");
    for _ in 0..3 {
        talk.switch_camera(true, false).await?;
        hears_of_camera(&mut talk.grace, true).await?;
        talk.grace_sees.pictures(20).await?;
        talk.switch_camera(false, false).await?;
        // *Camera off*, and not a picture that stands still.
        hears_of_camera(&mut talk.grace, false).await?;
    }
    let sound = talk.ada.client.state().await?.calls;
    assert_eq!(sound.len(), 1, "it is the same call");
    talk.grace.until_second("chirps", |second| second.level_dbfs > carillon_tests::talk::CHIRPS_DBFS).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_turn_their_cameras_on_at_the_same_moment() -> Result<()> {
    let server = Server::start(&[]).await?;
    let mut talk = Talk::begin(&server, Settings::default()).await?;
    let on = MediaOn { audio: true, video: true, screen: false };
    let (ada, grace) =
        tokio::join!(talk.ada.client.set_media(talk.call, on), talk.grace.client.set_media(talk.call, on));
    ada?;
    grace?;
    let (ada, grace) =
        tokio::join!(hears_of_camera(&mut talk.ada, true), hears_of_camera(&mut talk.grace, true));
    ada?;
    grace?;
    let (ada, grace) = tokio::join!(talk.ada_sees.pictures(20), talk.grace_sees.pictures(20));
    assert!(ada?.iter().chain(&grace?).all(|picture| picture.mark.is_some()));
    Ok(())
}
