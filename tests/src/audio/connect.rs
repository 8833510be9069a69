//! How fast a call is up, by clients in this process over loopback sockets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use carillon_client::peer::WebRtcPeers;
use carillon_client::{Client, ClientEvent, Direction, Events, Phase, SoundChange, SoundSetup, SoundSource};
use carillon_measure::Summary;
use carillon_wire::CallId;
use carillon_wire::frame::Media;
use tokio::time::timeout;

use crate::bench::Row;
use crate::person::Person;
use crate::server::Server;

/// One account may ring another four times in a row.
const CALLS_EACH: usize = 4;
const CALLERS: usize = 5;
/// How long what has to come may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// When what came, for one end, counted from the moment the call was accepted.
#[derive(Debug, Default, Clone, Copy)]
struct Times {
    connected: Option<f64>,
    first_sound: Option<f64>,
}

/// Accept → up, and accept → the other side's first sound played; of both ends the later one counts. Or why they could
/// not be measured.
pub async fn rows() -> Vec<Row> {
    times().await.unwrap_or_else(|error| {
        let reason = format!("{error:#}");
        [("accept → DTLS up, loopback", 100.0), ("accept → first sound of the other side played", 200.0)]
            .map(|(name, goal)| Row::unmeasured(name, "ms", goal, reason.as_str()))
            .into()
    })
}

async fn times() -> Result<Vec<Row>> {
    let server = Server::start(&[]).await?;
    let callee = person(&server, "grace").await?;
    let (mut up, mut heard) = (Vec::new(), Vec::new());
    for number in 0..CALLERS {
        let caller = person(&server, &format!("caller{number}")).await?;
        caller.client.follow(callee.handle.clone()).await?;
        callee.client.follow(caller.handle.clone()).await?;
        for _ in 0..CALLS_EACH {
            let (there, here) = call(&caller, &callee).await?;
            let later = |of: fn(&Times) -> Option<f64>| Some(of(&there)?.max(of(&here)?));
            up.push(later(|times| times.connected).context("not connected")?);
            heard.push(later(|times| times.first_sound).context("no sound")?);
        }
        caller.client.shutdown().await;
    }
    callee.client.shutdown().await;
    let (up, heard) = (of(up)?, of(heard)?);
    Ok(vec![
        Row::lower(
            format!("accept → DTLS up, loopback, median of {} (the later end)", up.count),
            up.median,
            "ms",
            100.0,
        ),
        Row::plain("the same, p95", up.p95, "ms"),
        Row::plain("the same, longest", up.greatest, "ms"),
        Row::lower(
            "accept → first sound of the other side played, devices warm, median (the later end)",
            heard.median,
            "ms",
            200.0,
        ),
        Row::plain("the same, p95", heard.p95, "ms"),
        Row::plain("the same, longest", heard.greatest, "ms"),
    ])
}

fn of(values: Vec<f64>) -> Result<Summary> {
    Summary::of(values).context("no call was made")
}

/// Somebody who says chirps and hears nothing of it: devices without a sound system.
async fn person(server: &Server, handle: &str) -> Result<Person> {
    let person = Person::away_with(&server.url(), handle, |config| {
        config.peers = Arc::new(WebRtcPeers::loopback());
        let change = SoundChange {
            microphone: Some("chirps".to_owned()),
            speaker: Some("null".to_owned()),
            ..SoundChange::default()
        };
        config.sound = SoundSetup::On { change, source: SoundSource::Microphone };
    })
    .await?;
    person.client.connect_within(PATIENCE).await?;
    Ok(person)
}

/// One call; what each end saw.
async fn call(caller: &Person, callee: &Person) -> Result<(Times, Times)> {
    let (mut there, mut here) = (caller.client.events(), callee.client.events());
    let call = caller.client.dial(callee.handle.clone(), Media::Audio).await?;
    until_rung(&mut here, call).await?;
    until_warm(&caller.client).await?;
    until_warm(&callee.client).await?;
    let accepted = Instant::now();
    callee.client.accept(call, false).await?;
    let (at_caller, at_callee) =
        tokio::try_join!(watch(&mut there, call, accepted), watch(&mut here, call, accepted))?;
    hang_up(&caller.client, &mut here, call).await?;
    Ok((at_caller, at_callee))
}

async fn until_rung(events: &mut Events, call: CallId) -> Result<()> {
    until(events, |event| {
        matches!(event, ClientEvent::Call(state)
            if state.call == call && state.direction == Direction::Incoming && state.phase == Phase::Incoming)
    })
    .await
    .context("it did not ring")
}

/// Waits until the speaker of somebody who hears it ring runs.
async fn until_warm(client: &Client) -> Result<()> {
    let warm = async {
        let mut every = tokio::time::interval(Duration::from_millis(5));
        loop {
            every.tick().await;
            if client.sound_state().await?.speaker.is_some_and(|speaker| speaker.started.is_some()) {
                return Ok(());
            }
        }
    };
    timeout(PATIENCE, warm).await.context("the speaker did not start")?
}

async fn watch(events: &mut Events, of: CallId, accepted: Instant) -> Result<Times> {
    let mut times = Times::default();
    until(events, |event| {
        let after = accepted.elapsed().as_secs_f64() * 1e3;
        match event {
            ClientEvent::Call(state) if state.call == of && state.phase == Phase::Connected => {
                times.connected.get_or_insert(after);
            }
            ClientEvent::FirstSound { call } if *call == of => {
                times.first_sound.get_or_insert(after);
            }
            _ => {}
        }
        times.connected.is_some() && times.first_sound.is_some()
    })
    .await
    .context("no connection, or no sound")?;
    Ok(times)
}

async fn hang_up(caller: &Client, at_callee: &mut Events, call: CallId) -> Result<()> {
    caller.hang_up(call).await?;
    until(at_callee, |event| {
        matches!(event, ClientEvent::Call(state) if state.call == call && state.phase == Phase::Ended)
    })
    .await
    .context("it did not end")
}

async fn until(events: &mut Events, mut found: impl FnMut(&ClientEvent) -> bool) -> Result<()> {
    let looked = async {
        loop {
            match events.next().await {
                Some(event) if found(&event) => return Ok(()),
                Some(_) => {}
                None => bail!("the client ended"),
            }
        }
    };
    timeout(PATIENCE, looked).await.unwrap_or_else(|_| bail!("nothing for {PATIENCE:?}"))
}
