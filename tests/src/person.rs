//! A person with a client, as scenarios speak of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use carillon_client::peer::SignalingPeers;
use carillon_client::{
    CallState, Client, ClientConfig, ClientEvent, Connection, Direction, Events, NewAccount, Phase, Quality,
    SoundSetup, Why,
};
use carillon_wire::frame::Media;
use carillon_wire::{CallId, Handle};
use tokio::time::timeout;

/// How long a scenario waits for what has to come. Longer than the longest span of the protocol that it waits out.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// How long the line may take to come up.
const CONNECT: Duration = Duration::from_secs(20);

/// One device of a person: a client with its profile in a folder that goes with it.
#[derive(Debug)]
pub struct Person {
    /// The client.
    pub client: Client,
    /// Their handle.
    pub handle: Handle,
    /// The words that restore the account; empty on a further device.
    pub phrase: String,
    events: Events,
    profile: PathBuf,
    /// The calls whose first sound has come.
    heard: Vec<CallId>,
}

impl Person {
    /// Signs up, without a line to the server.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn away(server: &str, handle: &str) -> Result<Self> {
        Self::away_with(server, handle, |_| {}).await
    }

    /// The same with a client that is opened in another way.
    ///
    /// # Errors
    /// When the client can't be opened, or the server refuses.
    pub async fn away_with(
        server: &str,
        handle: &str,
        change: impl FnOnce(&mut ClientConfig),
    ) -> Result<Self> {
        let (client, profile) = open(server, handle, change).await?;
        let events = client.events();
        let new = NewAccount {
            handle: handle.to_owned(),
            name: None,
            invitation: None,
            device_name: Some(format!("{handle}'s computer")),
            french_phrase: false,
        };
        let (account, phrase) = client.sign_up(new).await?;
        let phrase = phrase.expose().to_owned();
        Ok(Self { client, handle: account.handle, phrase, events, profile, heard: Vec::new() })
    }

    /// Signs up and connects.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn online(server: &str, handle: &str) -> Result<Self> {
        Self::online_with(server, handle, |_| {}).await
    }

    /// The same with a client that is opened in another way: with sound, over real peers.
    ///
    /// # Errors
    /// When the client can't be opened, or the server refuses.
    pub async fn online_with(
        server: &str,
        handle: &str,
        change: impl FnOnce(&mut ClientConfig),
    ) -> Result<Self> {
        let person = Self::away_with(server, handle, change).await?;
        person.client.connect_within(CONNECT).await?;
        Ok(person)
    }

    /// A further device of the same account, connected.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn further_device(&self, server: &str) -> Result<Self> {
        let (client, profile) = open(server, "further", |_| {}).await?;
        let events = client.events();
        let account = client.recover(&self.phrase, Some("the other computer".to_owned())).await?;
        client.connect_within(CONNECT).await?;
        Ok(Self { client, handle: account.handle, phrase: String::new(), events, profile, heard: Vec::new() })
    }

    /// Closes the client and opens its profile again, as somebody does who starts Carillon anew; connected.
    ///
    /// # Errors
    /// When the profile can't be opened, or the server refuses.
    pub async fn reopen(&mut self) -> Result<()> {
        self.client.shutdown().await;
        self.client = Client::open(quiet(&self.profile)).await?;
        self.events = self.client.events();
        Ok(self.client.connect_within(CONNECT).await?)
    }

    /// Calls somebody.
    ///
    /// # Errors
    /// When the call can't be placed.
    pub async fn dial(&self, other: &Self) -> Result<CallId> {
        Ok(self.client.dial(other.handle.clone(), Media::Audio).await?)
    }

    /// Waits until this call is in this phase. Earlier phases are passed over; an end that was not waited for fails.
    ///
    /// # Errors
    /// When it ends before, or does not come in time.
    pub async fn until(&mut self, call: CallId, phase: Phase) -> Result<CallState> {
        self.seek(&format!("the phase {phase:?}"), |state| state.call == call, phase).await
    }

    /// Waits until somebody calls.
    ///
    /// # Errors
    /// When nobody does in time.
    pub async fn until_rung(&mut self) -> Result<CallState> {
        self.seek("a ring", |state| state.direction == Direction::Incoming, Phase::Incoming).await
    }

    /// Waits until this call is over, and says why.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn until_ended(&mut self, call: CallId) -> Result<Why> {
        let state = self.until(call, Phase::Ended).await?;
        Ok(state.end.context("an ended call without an end")?.why)
    }

    /// Waits until the line is up or down.
    ///
    /// # Errors
    /// When that does not come in time.
    pub async fn until_line(&mut self, up: bool) -> Result<()> {
        timeout(PATIENCE, async {
            loop {
                let now = self.client.state().await?.connection;
                if matches!(now, Connection::Online) == up {
                    return Ok(());
                }
                self.next().await?;
            }
        })
        .await
        .with_context(|| {
            format!("{:?}: the line did not come {}", self.handle, if up { "up" } else { "down" })
        })?
    }

    /// Waits until the other side's first sound has come.
    ///
    /// # Errors
    /// When it does not come in time.
    pub async fn until_sound(&mut self, call: CallId) -> Result<()> {
        while !self.has_heard(call) {
            self.until_event("the first sound", |event| {
                matches!(event, ClientEvent::FirstSound { .. }).then_some(())
            })
            .await?;
        }
        Ok(())
    }

    /// Whether sound of the other side has come, as far as events were read.
    pub fn has_heard(&self, call: CallId) -> bool {
        self.heard.contains(&call)
    }

    /// Who makes thousands of calls need not remember each.
    pub fn forget_sounds(&mut self) {
        self.heard.clear();
    }

    /// Reads the events that are there, and waits for the next second of a call.
    ///
    /// # Errors
    /// When it does not come in time.
    pub async fn catch_up(&mut self) -> Result<()> {
        let asked = std::time::Instant::now();
        loop {
            let waited = std::time::Instant::now();
            self.seconds(1).await?;
            // What was there already came at once.
            if waited.elapsed() > Duration::from_millis(100) || asked.elapsed() > PATIENCE {
                return Ok(());
            }
        }
    }

    /// Waits for the next so many seconds of a call, and gives back what they were like.
    ///
    /// # Errors
    /// When they do not come in time.
    pub async fn seconds(&mut self, count: usize) -> Result<Vec<Quality>> {
        let mut seconds = Vec::new();
        while seconds.len() < count {
            seconds.push(self.until_second("a second of the call", |_| true).await?);
        }
        Ok(seconds)
    }

    /// Waits for a second of a call that is like this.
    ///
    /// # Errors
    /// When it does not come in time.
    pub async fn until_second(&mut self, what: &str, like: impl Fn(&Quality) -> bool) -> Result<Quality> {
        self.until_event(what, |event| match event {
            ClientEvent::Quality(quality) if like(quality) => Some(quality.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for an event of which something can be picked.
    ///
    /// # Errors
    /// When it does not come in time.
    pub async fn until_event<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&ClientEvent) -> Option<T>,
    ) -> Result<T> {
        let found = timeout(PATIENCE, async {
            loop {
                if let Some(found) = pick(&self.next().await?) {
                    return Ok(found);
                }
            }
        });
        found
            .await
            .unwrap_or_else(|_| bail!("nothing for {PATIENCE:?}"))
            .with_context(|| format!("{} waits for {what}", self.handle))
    }

    async fn next(&mut self) -> Result<ClientEvent> {
        let event = self.events.next().await.context("the client ended")?;
        if let ClientEvent::FirstSound { call } = event {
            self.heard.push(call);
        }
        Ok(event)
    }

    async fn seek(&mut self, what: &str, of: impl Fn(&CallState) -> bool, phase: Phase) -> Result<CallState> {
        let found = timeout(PATIENCE, async {
            loop {
                let ClientEvent::Call(state) = self.next().await? else { continue };
                if !of(&state) {
                    continue;
                }
                if state.phase == phase {
                    return Ok(state);
                }
                if state.phase == Phase::Ended {
                    bail!("the call ended ({:?})", state.end);
                }
            }
        });
        found
            .await
            .unwrap_or_else(|_| bail!("nothing for {PATIENCE:?}"))
            .with_context(|| format!("{} waits for {what}", self.handle))
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// Without sound and without a real path: quick, and no machine is without it.
fn quiet(profile: &Path) -> ClientConfig {
    ClientConfig {
        peers: Arc::new(SignalingPeers),
        sound: SoundSetup::Off,
        insecure_secrets: true,
        ..ClientConfig::new(profile)
    }
}

async fn open(server: &str, name: &str, change: impl FnOnce(&mut ClientConfig)) -> Result<(Client, PathBuf)> {
    let random: u64 = rand::random();
    let profile = std::env::temp_dir().join(format!("carillon-{name}-{}-{random:x}", std::process::id()));
    let mut config = quiet(&profile).server(server);
    change(&mut config);
    Ok((Client::open(config).await?, profile))
}

/// Two people who follow each other, both connected.
///
/// # Errors
/// When the server refuses.
pub async fn friends(server: &str) -> Result<(Person, Person)> {
    let ada = Person::online(server, "ada").await?;
    let grace = Person::online(server, "grace").await?;
    ada.client.follow(grace.handle.clone()).await?;
    grace.client.follow(ada.handle.clone()).await?;
    Ok((ada, grace))
}
