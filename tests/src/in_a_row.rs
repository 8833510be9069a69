//! Calls in a row between the same two people, with sound, as fast as they can be made.

use std::sync::Arc;

use anyhow::{Result, ensure};
use carillon_client::peer::WebRtcPeers;
use carillon_client::{Phase, SoundChange, Why};

use crate::embedded::Embedded;
use crate::person::Person;
use crate::talk::on;

/// Two people, and a server in this process that lets them ring as often as they like.
pub struct InARow {
    server: Embedded,
    ada: Person,
    grace: Person,
    calls: u32,
}

impl InARow {
    /// Both signed up and connected; no call yet.
    ///
    /// # Errors
    /// When the server does not start, or refuses.
    pub async fn ready() -> Result<Self> {
        let server = Embedded::start().await?;
        let (ada, grace) = (person(&server, "ada").await?, person(&server, "grace").await?);
        ada.client.follow(grace.handle.clone()).await?;
        grace.client.follow(ada.handle.clone()).await?;
        Ok(Self { server, ada, grace, calls: 0 })
    }

    /// How many calls there were.
    pub const fn calls(&self) -> u32 {
        self.calls
    }

    /// One call, from dialling until it is over at both ends; each has heard the other. They call each other in turn.
    ///
    /// # Errors
    /// When it does not come to that.
    pub async fn call(&mut self) -> Result<()> {
        self.server.grant_a_ring();
        self.calls += 1;
        let (caller, callee) = if self.calls.is_multiple_of(2) {
            (&mut self.ada, &mut self.grace)
        } else {
            (&mut self.grace, &mut self.ada)
        };
        let call = caller.dial(callee).await?;
        callee.until_rung().await?;
        callee.client.accept(call, false).await?;
        for person in [&mut *caller, &mut *callee] {
            person.until(call, Phase::Connected).await?;
            person.until_sound(call).await?;
            person.forget_sounds();
        }
        caller.client.hang_up(call).await?;
        let why = (caller.until_ended(call).await?, callee.until_ended(call).await?);
        ensure!(why == (Why::HungUpHere, Why::HungUpThere), "it ended by {why:?}");
        Ok(())
    }

    /// Both go, and so does the server.
    pub async fn close(self) {
        self.ada.client.shutdown().await;
        self.grace.client.shutdown().await;
        self.server.shutdown().await;
    }
}

/// Somebody who says chirps and hears what comes on a speaker that nobody listens to.
async fn person(server: &Embedded, handle: &str) -> Result<Person> {
    let sound = on(SoundChange {
        microphone: Some("chirps".to_owned()),
        speaker: Some("null".to_owned()),
        ..SoundChange::default()
    });
    Person::online_with(server.url(), handle, |config| {
        config.peers = Arc::new(WebRtcPeers::loopback());
        config.sound = sound;
    })
    .await
}
