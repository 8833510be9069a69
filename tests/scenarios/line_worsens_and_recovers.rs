//! A line gets narrow in the middle of a call with pictures, and wide again: nothing builds up, nothing stands still for long.

use std::time::{Duration, Instant};

use anyhow::Result;
use carillon_client::{ClientEvent, Phase};
use carillon_link::{Change, Settings, Way};
use carillon_tests::server::Server;
use carillon_tests::talk::Talk;

async fn seconds(talk: &mut Talk, count: usize) -> Result<()> {
    talk.ada.seconds(count).await?;
    Ok(())
}

/// The bench holds the figures, on a machine that does nothing else; here the bounds are what nobody can overlook.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_follow_a_line_that_gets_narrow_and_wide_again() -> Result<()> {
    let server = Server::start(&[]).await?;
    let mut talk = Talk::ready(&server, Settings::default(), None).await?;
    let mut line = Change::default();
    for (name, value) in [("rate", "2M"), ("queue", "300ms"), ("delay", "10")] {
        line.set(name, value)?;
    }
    talk.line.change(Way::Both, &line);
    talk.place_with_video().await?;
    talk.until_both(Phase::Connected).await?;
    seconds(&mut talk, 8).await?;
    let wide = talk.grace_sees.pictures(30).await?;

    line.set("rate", "600k")?;
    talk.line.change(Way::AToB, &line);
    let fell = Instant::now();
    seconds(&mut talk, 8).await?;
    let narrow = talk.grace_sees.all();
    let after = |from: Duration| narrow.iter().filter(move |picture| picture.ready >= fell + from);
    let worst = after(Duration::ZERO).map(|picture| picture.age_ms).fold(0.0, f64::max);
    assert!(worst < 1_000.0, "{worst} ms late");
    // Three seconds after the fall the delay is that of the line again.
    let mut ages: Vec<_> = after(Duration::from_secs(3)).map(|picture| picture.age_ms).collect();
    ages.sort_by(f64::total_cmp);
    assert!(ages.len() > 40 && ages[ages.len() / 2] < 150.0, "{ages:?}");
    assert!(narrow.iter().all(|picture| picture.mark.is_some()), "no picture was broken");

    line.set("rate", "2M")?;
    talk.line.change(Way::AToB, &line);
    seconds(&mut talk, 10).await?;
    let again = talk.grace_sees.pictures(30).await?;
    let bytes = |pictures: &[carillon_tests::eyes::Picture]| -> usize {
        pictures.iter().map(|picture| picture.bytes).sum::<usize>() / pictures.len()
    };
    assert!(bytes(&again) * 2 > bytes(&wide), "{} of {} bytes a picture", bytes(&again), bytes(&wide));
    Ok(())
}

/// Whom the line leaves nothing but their voice is seen again when it is wide: nobody has to do anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_carries_no_pictures_shows_camera_off_until_it_does() -> Result<()> {
    let server = Server::start(&[]).await?;
    let mut talk = Talk::ready(&server, Settings::default(), None).await?;
    talk.place_with_video().await?;
    talk.until_both(Phase::Connected).await?;
    talk.grace_sees.pictures(30).await?;
    let mut line = Change::default();
    for (name, value) in [("rate", "60k"), ("queue", "200ms")] {
        line.set(name, value)?;
    }
    talk.line.change(Way::Both, &line);
    for on in [false, true] {
        if on {
            line.set("rate", "none")?;
            talk.line.change(Way::Both, &line);
        }
        talk.grace
            .until_event("the news that the camera is on or off", |event| match event {
                ClientEvent::Call(state) => state.remote.filter(|remote| remote.video == on).map(drop),
                _ => None,
            })
            .await?;
    }
    let seen = talk.grace_sees.pictures(90).await?;
    assert!(seen.iter().all(|picture| picture.mark.is_some()), "no picture was broken");
    Ok(())
}
