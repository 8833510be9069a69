//! The network dies in the midst of a call: that is said, nobody speaks to nowhere, and the call comes back or ends.

use anyhow::Result;
use carillon_client::{Phase, Why};
use carillon_link::{Settings, Way};
use carillon_tests::server::Server;
use carillon_tests::talk::{CHIRPS_DBFS, Talk};

/// Waits until so many more packets ran into the cut line from each end: time passes on it, and it stays dead.
async fn until_more_are_lost(talk: &Talk, count: u64) {
    let lost = || {
        let line = talk.line.statistics();
        (line.a_to_b.cut, line.b_to_a.cut)
    };
    let before = lost();
    let mut every = tokio::time::interval(std::time::Duration::from_millis(20));
    while lost().0 < before.0 + count || lost().1 < before.1 + count {
        every.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconnecting_is_said_and_the_call_comes_back() -> Result<()> {
    let server = Server::start(&[]).await?;
    let mut talk = Talk::begin(&server, Settings::default()).await?;
    talk.line.cut(Way::Both);
    talk.until_both(Phase::Reconnecting).await?;
    let spoken = |talk: &Talk| (talk.ada_tap.look().sent, talk.grace_tap.look().sent);
    let before = spoken(&talk);
    // Connectivity checks go on.
    until_more_are_lost(&talk, 20).await;
    assert_eq!(spoken(&talk), before, "somebody speaks to nowhere");
    talk.line.mend(Way::Both);
    talk.until_both(Phase::Connected).await?;
    talk.ada.until_second("chirps again", |second| second.level_dbfs > CHIRPS_DBFS).await?;
    talk.grace.until_second("chirps again", |second| second.level_dbfs > CHIRPS_DBFS).await?;
    talk.ada.client.hang_up(talk.call).await?;
    assert_eq!(talk.grace.until_ended(talk.call).await?, Why::HungUpThere);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_stays_dead_ends_the_call_as_lost() -> Result<()> {
    let server = Server::start(&[]).await?;
    let mut talk = Talk::begin(&server, Settings::default()).await?;
    talk.line.cut(Way::Both);
    assert_eq!(talk.ada.until_ended(talk.call).await?, Why::Lost);
    assert_eq!(talk.grace.until_ended(talk.call).await?, Why::Lost);
    Ok(())
}
