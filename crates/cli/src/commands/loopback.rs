//! `carillon loopback`: a server and two people in this process, one call from sign-up to hanging up.

use std::path::Path;
use std::time::Duration;

use carillon_client::{
    CallState, Client, ClientConfig, ClientError, ClientEvent, Emoji, NewAccount, Phase, Why,
};
use carillon_server::{Config, Server};
use carillon_wire::frame::Media;
use carillon_wire::{CallId, Handle};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::Outcome;
use super::call::CONNECT;
use super::story::Story;
use crate::exit::Exit;
use crate::output::{Failure, Output};

/// How long a step may take before the run is given up.
const LIMIT: Duration = Duration::from_secs(30);

/// What was not as it should be.
#[derive(Debug)]
enum Wrong {
    Client(ClientError),
    Said(String),
}

impl From<ClientError> for Wrong {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

/// How long a step took.
#[derive(Debug, Serialize)]
struct Step {
    step: &'static str,
    millis: u64,
}

#[derive(Serialize)]
struct Verdict<'a> {
    loopback: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrong: Option<&'a str>,
}

pub(crate) async fn run(output: Output) -> Outcome {
    match play(output).await {
        Ok(()) => {
            output.object(&Verdict { loopback: "ok", wrong: None });
            output.say(&output.lang.loopback_good());
            Ok(Exit::Done)
        }
        Err(wrong) => {
            let text = match wrong {
                Wrong::Client(error) => output.lang.error(&error),
                Wrong::Said(text) => text,
            };
            output.object(&Verdict { loopback: "failed", wrong: Some(&text) });
            output.say(&output.lang.loopback_bad(&text));
            Err(Failure(Exit::Failed))
        }
    }
}

async fn play(output: Output) -> Result<(), Wrong> {
    let home = tempfile::tempdir().map_err(|error| Wrong::Said(error.to_string()))?;
    let mut steps = Steps { output, since: Instant::now() };
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data_dir: home.path().join("server"),
        ..Config::default()
    };
    let server = Server::start(config).await.map_err(|error| Wrong::Said(error.to_string()))?;
    steps.done("server");
    let outcome = call(output, server.url(), home.path(), &mut steps).await;
    server.shutdown(Duration::from_secs(5)).await;
    outcome
}

/// Prints how long each step took.
struct Steps {
    output: Output,
    since: Instant,
}

impl Steps {
    fn done(&mut self, step: &'static str) {
        let millis = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.output.event(
            None,
            &Step { step, millis },
            Some(format!("-- {}", self.output.lang.loopback_step(step, millis))),
        );
        self.since = Instant::now();
    }
}

/// One call between two people who have just signed up at this server.
async fn call(output: Output, url: &str, home: &Path, steps: &mut Steps) -> Result<(), Wrong> {
    let (sender, events) = mpsc::unbounded_channel();
    let ada = person("ada", url, home, &sender).await?;
    let bob = person("bob", url, home, &sender).await?;
    steps.done("sign_up");
    let mut stage = Stage { output, events, told: [Story::default(), Story::default()] };
    // The usual settings let those call whom one follows.
    bob.follow(handle("ada")?).await?;
    ada.connect_within(CONNECT).await?;
    bob.connect_within(CONNECT).await?;
    stage.catch_up();
    steps.done("online");

    let call = ada.dial(handle("bob")?, Media::Audio).await?;
    stage
        .until("bob", "bob's device rings", |state| state.phase == Phase::Incoming && state.call == call)
        .await?;
    stage.until("ada", "ada hears that it rings", |state| state.phase == Phase::Ringing).await?;
    steps.done("ring");
    bob.accept(call, false).await?;
    let (mut hers, mut his) = (None, None);
    while hers.is_none() || his.is_none() {
        let (who, state) = stage.next("both are connected and see emoji").await?;
        if state.phase == Phase::Ended {
            return Err(Wrong::Said(format!("the call ended for {who} before both were connected")));
        }
        if let (Phase::Connected, Some(emoji)) = (state.phase, state.emoji) {
            if who == "ada" { hers = Some(emoji) } else { his = Some(emoji) }
        }
    }
    steps.done("connected");
    same_emoji(hers, his)?;

    ada.hang_up(call).await?;
    stage.ended(call).await?;
    steps.done("hang_up");
    for (client, who) in [(&ada, "ada"), (&bob, "bob")] {
        let recent = client.recent(10).await?;
        if recent.len() != 1 || recent.iter().any(|recent| recent.talked.is_none()) {
            return Err(Wrong::Said(format!("the call is not among the recent calls of {who}")));
        }
    }
    ada.shutdown().await;
    bob.shutdown().await;
    Ok(())
}

fn same_emoji(hers: Option<[Emoji; 7]>, his: Option<[Emoji; 7]>) -> Result<(), Wrong> {
    if hers == his { Ok(()) } else { Err(Wrong::Said("the emoji differ: somebody is in between".to_owned())) }
}

fn handle(name: &str) -> Result<Handle, Wrong> {
    Handle::parse(name).map_err(|error| Wrong::Said(error.to_string()))
}

type News = (&'static str, Instant, ClientEvent);

/// Signs somebody up in a profile of their own, and passes on what happens to them.
async fn person(
    who: &'static str,
    url: &str,
    home: &Path,
    news: &mpsc::UnboundedSender<News>,
) -> Result<Client, Wrong> {
    let config = ClientConfig { insecure_secrets: true, ..ClientConfig::new(home.join(who)).server(url) };
    let client = Client::open(config).await?;
    let mut events = client.events();
    let news = news.clone();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if news.send((who, Instant::now(), event)).is_err() {
                break;
            }
        }
    });
    client.sign_up(NewAccount { handle: who.to_owned(), ..NewAccount::default() }).await?;
    Ok(client)
}

/// Both ends' events, printed as they come.
struct Stage {
    output: Output,
    events: mpsc::UnboundedReceiver<News>,
    told: [Story; 2],
}

impl Stage {
    /// The next event about a call, at either end.
    async fn next(&mut self, expected: &str) -> Result<(&'static str, CallState), Wrong> {
        let late = || Wrong::Said(format!("waited in vain until {expected}"));
        loop {
            let news = timeout(LIMIT, self.events.recv()).await.map_err(|_| late())?.ok_or_else(late)?;
            let who = news.0;
            if let ClientEvent::Call(state) = self.tell(news) {
                return Ok((who, state));
            }
        }
    }

    /// Prints what has come so far.
    fn catch_up(&mut self) {
        while let Ok(news) = self.events.try_recv() {
            self.tell(news);
        }
    }

    fn tell(&mut self, (who, when, event): News) -> ClientEvent {
        let [ada, bob] = &mut self.told;
        let story = if who == "ada" { ada } else { bob };
        let text = story.tell(&event, self.output.lang);
        self.output.event_at(when, Some(who), &event, text);
        event
    }

    async fn until(
        &mut self,
        who: &str,
        expected: &str,
        is_it: impl Fn(&CallState) -> bool,
    ) -> Result<(), Wrong> {
        loop {
            let (at, state) = self.next(expected).await?;
            if at == who && is_it(&state) {
                return Ok(());
            }
            if state.phase == Phase::Ended {
                return Err(Wrong::Said(format!("the call ended for {at} before {expected}")));
            }
        }
    }

    /// Waits until the call is over at both ends: hung up here, hung up there.
    async fn ended(&mut self, call: CallId) -> Result<(), Wrong> {
        for _ in 0..2 {
            let (who, end) = loop {
                let (who, state) = self.next("the call is over at both ends").await?;
                if let (true, Some(end)) = (state.call == call, state.end) {
                    break (who, end);
                }
            };
            let expected = if who == "ada" { Why::HungUpHere } else { Why::HungUpThere };
            if end.why != expected {
                return Err(Wrong::Said(format!(
                    "the call ended for {who} in another way than by hanging up"
                )));
            }
        }
        Ok(())
    }
}
