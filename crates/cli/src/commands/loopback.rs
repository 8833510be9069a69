//! `carillon loopback`: a server and two people in this process, one call from sign-up to hanging up.

mod eyes;
mod line;
mod report;
mod studio;

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use carillon_client::{
    CallState, Client, ClientConfig, ClientError, ClientEvent, Emoji, NewAccount, Phase, Quality, SoundSetup,
    SoundSource, SoundState, VideoSetup, Why,
};
use carillon_link::Forwarder;
use carillon_measure::process::{Memory, ProcessMeter, ProcessorTime};
use carillon_server::{Config, Server};
use carillon_wire::frame::Media;
use carillon_wire::{CallId, Handle};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::Outcome;
use super::call::CONNECT;
use super::story::Story;
use crate::args::Loopback;
use crate::exit::Exit;
use crate::output::{Failure, Output};
use eyes::Eyes;
use studio::{Studio, Who};

/// How long a step may take before the run is given up.
const LIMIT: Duration = Duration::from_secs(30);

/// What is left of a call when it is over.
struct Talk {
    since: std::time::Instant,
    until: std::time::Instant,
    qualities: Vec<(&'static str, std::time::Instant, Quality)>,
    processor: Option<ProcessorTime>,
    memory: Option<Memory>,
    ada: SoundState,
    bob: SoundState,
}

/// What was not as it should be.
#[derive(Debug)]
enum Wrong {
    Client(ClientError),
    Said(String),
}

impl Wrong {
    fn said(error: impl Display) -> Self {
        Self::Said(error.to_string())
    }
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

pub(crate) async fn run(output: Output, how: &Loopback) -> Outcome {
    match play(output, how).await {
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

async fn play(output: Output, how: &Loopback) -> Result<(), Wrong> {
    let plan = line::plan(&how.line).map_err(Wrong::said)?;
    let home = tempfile::tempdir().map_err(Wrong::said)?;
    let studio = Studio::open(how, home.path()).map_err(Wrong::said)?;
    let forwarder = Arc::new(Forwarder::start(plan, how.line.seed).map_err(Wrong::said)?);
    let mut steps = Steps { output, since: Instant::now(), taken: Vec::new() };
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data_dir: home.path().join("server"),
        ..Config::default()
    };
    let server = Server::start(config).await.map_err(Wrong::said)?;
    steps.done("server");
    let eyes = Eyes::default();
    let url = server.url().to_owned();
    let setting = Setting { url, home: home.path(), studio: &studio, eyes: &eyes, line: &forwarder, how };
    let outcome = call(output, &setting, &mut steps).await;
    server.shutdown(Duration::from_secs(5)).await;
    let talk = outcome?;
    let line = forwarder.statistics();
    let report =
        report::make(output.lang, how, (&studio, &eyes), &talk, &steps.taken, &line).map_err(Wrong::said)?;
    output.show(&report, || report::text(&report));
    if let Some(file) = &how.html {
        std::fs::write(file, carillon_measure::report::html(&report))
            .map_err(|error| Wrong::Said(format!("{}: {error}", file.display())))?;
    }
    Ok(())
}

/// What the two are given.
struct Setting<'a> {
    url: String,
    home: &'a Path,
    studio: &'a Studio,
    eyes: &'a Eyes,
    line: &'a Arc<Forwarder>,
    how: &'a Loopback,
}

/// Prints how long each step took.
struct Steps {
    output: Output,
    since: Instant,
    taken: Vec<(&'static str, Duration)>,
}

impl Steps {
    fn done(&mut self, step: &'static str) {
        let took = self.since.elapsed();
        self.taken.push((step, took));
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.output.event(
            None,
            &Step { step, millis },
            Some(format!("-- {}", self.output.lang.loopback_step(step, millis))),
        );
        self.since = Instant::now();
    }
}

/// One call between two people who have just signed up at this server.
async fn call(output: Output, setting: &Setting<'_>, steps: &mut Steps) -> Result<Talk, Wrong> {
    let (sender, events) = mpsc::unbounded_channel();
    let ada = person(Who::Ada, setting, &sender).await?;
    let bob = person(Who::Bob, setting, &sender).await?;
    steps.done("sign_up");
    let told = [Story::default(), Story::default()];
    let mut stage = Stage { output, events, told, heard: [false; 2], qualities: Vec::new() };
    // The usual settings let those call whom one follows.
    bob.follow(handle("ada")?).await?;
    ada.connect_within(CONNECT).await?;
    bob.connect_within(CONNECT).await?;
    stage.catch_up();
    steps.done("online");

    let call = ada.dial(handle("bob")?, if setting.how.video { Media::Video } else { Media::Audio }).await?;
    let (mut rings, mut heard) = (false, false);
    while !(rings && heard) {
        let (who, state) = stage.next("bob's device rings and ada hears so").await?;
        match (who, state.phase) {
            ("bob", Phase::Incoming) if state.call == call => rings = true,
            ("ada", Phase::Ringing) => heard = true,
            (_, Phase::Ended) => {
                return Err(Wrong::Said(format!("the call ended for {who} before it was accepted")));
            }
            _ => {}
        }
    }
    steps.done("ring");
    bob.accept(call, setting.how.video).await?;
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
    let since = std::time::Instant::now();
    setting.line.restart();
    let mut meter = ProcessMeter::start();
    stage.first_sounds(setting.how).await?;
    steps.done("first_sound");
    output.say(&output.lang.loopback_talk(setting.how.seconds));
    stage.listen(Duration::from_secs(setting.how.seconds)).await?;
    let until = std::time::Instant::now();
    let processor = meter.as_mut().map(|meter| meter.read(report::PARTS));
    let memory = carillon_measure::process::memory();
    let states = (ada.sound_state().await?, bob.sound_state().await?);
    steps.since = Instant::now();

    ada.hang_up(call).await?;
    stage.ended(call).await?;
    steps.done("hang_up");
    for (client, who) in [(&ada, "ada"), (&bob, "bob")] {
        let recent = client.recent(10).await?;
        if recent.len() != 1 || recent.iter().any(|recent| recent.talked.is_none()) {
            return Err(Wrong::Said(format!("the call is not among the recent calls of {who}")));
        }
    }
    // Closes the devices: what they recorded is complete then.
    ada.shutdown().await;
    bob.shutdown().await;
    let (ada, bob) = states;
    Ok(Talk { since, until, qualities: stage.qualities, processor, memory, ada, bob })
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
    who: Who,
    setting: &Setting<'_>,
    news: &mpsc::UnboundedSender<News>,
) -> Result<Client, Wrong> {
    let change = setting.studio.sound(who, setting.how);
    let config = ClientConfig {
        insecure_secrets: true,
        peers: Arc::new(line::peers(Arc::clone(setting.line), who.end())),
        sound: SoundSetup::On { change, source: SoundSource::Microphone },
        video: if setting.how.video {
            VideoSetup::On { camera: Some("pattern".to_owned()), screen: setting.eyes.screen(who) }
        } else {
            VideoSetup::Off
        },
        ..ClientConfig::new(setting.home.join(who.name())).server(&setting.url)
    };
    let client = Client::open(config).await?;
    let mut events = client.events();
    let news = news.clone();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if news.send((who.name(), Instant::now(), event)).is_err() {
                break;
            }
        }
    });
    client.sign_up(NewAccount { handle: who.name().to_owned(), ..NewAccount::default() }).await?;
    Ok(client)
}

/// Both ends' events, printed as they come.
struct Stage {
    output: Output,
    events: mpsc::UnboundedReceiver<News>,
    told: [Story; 2],
    /// The first sound of the other has come to ada, to bob.
    heard: [bool; 2],
    /// Each second of the call, as each end had it.
    qualities: Vec<(&'static str, std::time::Instant, Quality)>,
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
        match &event {
            ClientEvent::FirstSound { .. } => self.heard[usize::from(who == "bob")] = true,
            ClientEvent::Quality(quality) => self.qualities.push((who, when.into_std(), quality.clone())),
            _ => {}
        }
        event
    }

    /// Waits until each has heard the other.
    async fn first_sounds(&mut self, how: &Loopback) -> Result<(), Wrong> {
        let limit = Instant::now() + LIMIT;
        // A caller who says nothing at all is not waited for.
        let silent = how.microphone.as_deref() == Some("silence");
        while !(self.heard[0] && (silent || self.heard[1])) {
            let late = || Wrong::Said("waited in vain until both hear each other".to_owned());
            let news = timeout_at(limit, self.events.recv()).await.map_err(|_| late())?.ok_or_else(late)?;
            self.still_on(news)?;
        }
        Ok(())
    }

    /// Lets the two talk.
    async fn listen(&mut self, time: Duration) -> Result<(), Wrong> {
        let end = Instant::now() + time;
        while let Ok(Some(news)) = timeout_at(end, self.events.recv()).await {
            self.still_on(news)?;
        }
        Ok(())
    }

    fn still_on(&mut self, news: News) -> Result<(), Wrong> {
        let who = news.0;
        match self.tell(news) {
            ClientEvent::Call(CallState { phase: Phase::Ended, .. }) => {
                Err(Wrong::Said(format!("the call ended for {who} while the two talked")))
            }
            _ => Ok(()),
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
