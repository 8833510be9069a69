//! Mute is silence on the wire, not only on the other end's speaker.

use anyhow::Result;
use carillon_client::{ClientEvent, MediaOn};
use carillon_link::Settings;
use carillon_tests::server::Server;
use carillon_tests::talk::{CHIRPS_DBFS, Talk};

/// Softer than any room is.
const SILENCE_DBFS: f64 = -75.0;

async fn switch_ada(talk: &mut Talk, on: bool) -> Result<()> {
    let media = MediaOn { audio: on, video: false, screen: false };
    talk.ada.client.set_media(talk.call, media).await?;
    talk.grace
        .until_event("the news that Ada is muted or not", |event| match event {
            ClientEvent::Call(state) => state.remote.filter(|remote| remote.audio == on).map(drop),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_muted_sends_next_to_nothing_and_is_heard_again_after() -> Result<()> {
    let server = Server::start(&[]).await?;
    let mut talk = Talk::begin(&server, Settings::default()).await?;
    talk.grace.until_second("chirps", |second| second.level_dbfs > CHIRPS_DBFS).await?;

    switch_ada(&mut talk, false).await?;
    talk.grace.until_second("silence", |second| second.level_dbfs < SILENCE_DBFS).await?;
    talk.line.restart();
    let (ada, grace) = (talk.ada_tap.look(), talk.grace_tap.look());
    let seconds = talk.grace.seconds(3).await?;
    let wire = talk.line.statistics();
    let (ada_later, grace_later) = (talk.ada_tap.look(), talk.grace_tap.look());
    let speech = (ada_later.sent_bytes - ada.sent_bytes, grace_later.sent_bytes - grace.sent_bytes);
    println!(
        "muted, 3 s: {} packets of {} bytes of speech; the wire: {} of {} bytes; the other way {} of {} bytes",
        ada_later.sent - ada.sent,
        speech.0,
        wire.a_to_b.sent,
        wire.a_to_b.sent_bytes,
        wire.b_to_a.sent,
        wire.b_to_a.sent_bytes,
    );
    assert!(seconds.iter().all(|second| second.level_dbfs < SILENCE_DBFS), "{seconds:?}");
    // With DTX a sign of life every 400 ms, and one packet after it that says so.
    assert!(ada_later.sent - ada.sent <= 24 && speech.0 * 10 < speech.1, "{speech:?}");
    // Reports and connectivity checks are all that is left.
    assert!(
        wire.a_to_b.sent_bytes * 3 < wire.b_to_a.sent_bytes,
        "{} {}",
        wire.a_to_b.sent_bytes,
        wire.b_to_a.sent_bytes
    );

    switch_ada(&mut talk, true).await?;
    talk.grace.until_second("chirps again", |second| second.level_dbfs > CHIRPS_DBFS).await?;
    Ok(())
}
