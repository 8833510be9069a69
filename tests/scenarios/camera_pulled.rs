//! A camera is pulled out in the middle of a call: the other side sees *camera off* at once, hears on, and sees again when
//! the camera is back.

use std::time::{Duration, Instant};

use anyhow::Result;
use carillon_client::{ClientEvent, Phase};
use carillon_link::Settings;
use carillon_testkit::fake_camera::{FakeCameras, with_fake_cameras};
use carillon_tests::person::Person;
use carillon_tests::server::Server;
use carillon_tests::talk::{Ends, Talk};

/// What a person may be shown a picture that stands still.
const AT_ONCE: Duration = Duration::from_secs(1);

async fn hears_of_camera(person: &mut Person, on: bool) -> Result<Instant> {
    person
        .until_event("the news that the camera is on or off", |event| match event {
            ClientEvent::Call(state) => {
                state.remote.filter(|remote| remote.video == on).map(|_| Instant::now())
            }
            _ => None,
        })
        .await
}

async fn pulled_and_plugged_in(cameras: &FakeCameras) -> Result<()> {
    let server = Server::start(&[]).await?;
    let ends = Ends { ada: "default", grace: "pattern" };
    let mut talk = Talk::with_cameras(&server, Settings::default(), None, ends).await?;
    talk.place_with_video().await?;
    talk.until_both(Phase::Connected).await?;
    talk.grace_sees.pictures(30).await?;
    for _ in 0..2 {
        let pulled = Instant::now();
        cameras.pull("video0");
        let told = hears_of_camera(&mut talk.grace, false).await?;
        assert!(told - pulled <= AT_ONCE, "{:?}", told - pulled);
        // Two seconds in which the sound is as before.
        for second in talk.grace.seconds(2).await? {
            assert!(second.concealed_percent < 5.0, "{second:?}");
        }
        cameras.plug("video0", "name=Desk camera");
        hears_of_camera(&mut talk.grace, true).await?;
        let seen = talk.grace_sees.pictures(30).await?;
        assert!(seen.iter().all(|picture| picture.mark.is_some()), "{seen:?}");
    }
    let calls = talk.ada.client.state().await?.calls;
    assert!(calls.len() == 1 && calls[0].local.video, "it is wanted all the time");
    Ok(())
}

#[test]
fn a_camera_that_is_pulled_out_is_off_for_the_other_side_and_comes_back() {
    with_fake_cameras(|cameras| {
        cameras.plug("video0", "name=Desk camera");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let outcome =
            runtime.map_err(anyhow::Error::from).and_then(|it| it.block_on(pulled_and_plugged_in(cameras)));
        outcome.unwrap_or_else(|error| panic!("{error:#}"));
    });
}
