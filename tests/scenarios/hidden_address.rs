//! Who hides their address: the server names a relay, everything goes through it, and the other end learns no address.

use std::sync::Arc;

use anyhow::Result;
use carillon_client::peer::WebRtcPeers;
use carillon_client::{ClientConfig, Phase, SoundChange, SoundSetup, SoundSource, Why};
use carillon_testkit::turn::TurnServer;
use carillon_tests::person::Person;
use carillon_tests::server::Server;

const SECRET: &str = "shared by the two servers";

/// With sound that needs no device, over real peers.
fn speaking(hide: bool) -> impl FnOnce(&mut ClientConfig) {
    move |config| {
        config.peers = Arc::new(WebRtcPeers::new());
        config.hide_address = Some(hide);
        let (microphone, speaker) = (Some("chirps".to_owned()), Some("null".to_owned()));
        let change = SoundChange { microphone, speaker, ..SoundChange::default() };
        config.sound = SoundSetup::On { change, source: SoundSource::Microphone };
    }
}

async fn two(server: &Server, hide: bool) -> Result<(Person, Person)> {
    let ada = Person::online_with(&server.url(), "ada", speaking(hide)).await?;
    let grace = Person::online_with(&server.url(), "grace", speaking(hide)).await?;
    grace.client.follow(ada.handle.clone()).await?;
    Ok((ada, grace))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_hide_talk_through_the_relay_that_the_server_names() -> Result<()> {
    let Some(turn) = TurnServer::start_or_skip(SECRET) else { return Ok(()) };
    let server = Server::start(&[("TURN_URLS", &turn.url()), ("TURN_SECRET", SECRET)]).await?;
    let (mut ada, mut grace) = two(&server, true).await?;
    assert!(ada.client.state().await?.hide_address);
    let call = ada.dial(&grace).await?;
    grace.until_rung().await?;
    grace.client.accept(call, false).await?;
    ada.until(call, Phase::Connected).await?;
    grace.until(call, Phase::Connected).await?;
    ada.until_sound(call).await?;
    grace.until_sound(call).await?;
    // Without the relay there is no path: nothing went past it.
    drop(turn);
    ada.until(call, Phase::Reconnecting).await?;
    ada.client.hang_up(call).await?;
    assert_eq!(grace.until_ended(call).await?, Why::HungUpThere);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hides_and_has_no_relay_calls_nobody_until_they_hide_no_longer() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (mut ada, mut grace) = two(&server, true).await?;
    let call = ada.dial(&grace).await?;
    assert_eq!(ada.until_ended(call).await?, Why::Transport);
    for person in [&ada, &grace] {
        person.client.set_hide_address(false).await?;
        assert!(!person.client.state().await?.hide_address);
    }
    let call = ada.dial(&grace).await?;
    grace.until_rung().await?;
    grace.client.accept(call, false).await?;
    ada.until(call, Phase::Connected).await?;
    Ok(())
}
