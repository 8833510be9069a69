//! Calls through the machine's real sound system, which is a private PulseAudio server here: people talk, a device is
//! pulled out and put back, and the sound server itself dies.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use carillon_client::peer::WebRtcPeers;
use carillon_client::{Phase, SoundChange, chirp};
use carillon_testkit::pulse::{Pulse, with_pulse};
use carillon_tests::person::Person;
use carillon_tests::server::Server;
use carillon_tests::talk::{CHIRPS_DBFS, on};
use carillon_wire::CallId;

/// A voice of five chirps a second, for five minutes.
fn voice() -> Vec<f32> {
    let mut one = chirp();
    one.resize(9_600, 0.0);
    one.repeat(1_500)
}

struct Talk {
    _server: Server,
    ada: Person,
    grace: Person,
    call: CallId,
}

/// Ada with the devices of end a, Grace with those of end b, in a call in which each has heard the other.
async fn talk() -> Result<Talk> {
    let server = Server::start(&[]).await?;
    let person = async |name: &str, end: &str| {
        let sound = on(SoundChange {
            microphone: Some(format!("pulseaudio:mic_{end}")),
            speaker: Some(format!("pulseaudio:spk_{end}")),
            ..SoundChange::default()
        });
        Person::online_with(&server.url(), name, |config| {
            config.peers = Arc::new(WebRtcPeers::loopback());
            config.sound = sound;
        })
        .await
    };
    let (mut ada, mut grace) = (person("ada", "a").await?, person("grace", "b").await?);
    grace.client.follow(ada.handle.clone()).await?;
    let call = ada.dial(&grace).await?;
    grace.until_rung().await?;
    grace.client.accept(call, false).await?;
    ada.until(call, Phase::Connected).await?;
    grace.until(call, Phase::Connected).await?;
    ada.until_sound(call).await?;
    grace.until_sound(call).await?;
    for person in [&mut ada, &mut grace] {
        person.until_second("a voice", |second| second.level_dbfs > CHIRPS_DBFS).await?;
    }
    Ok(Talk { _server: server, ada, grace, call })
}

/// Runs what a scenario waits for.
fn run<T>(scenario: impl Future<Output = Result<T>>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(scenario).unwrap()
}

/// Waits until this person hears a voice again, and how long that took.
async fn voice_is_back(person: &mut Person, since: Instant) -> Result<Duration> {
    // One second of silence shows that the old sound has gone.
    person.until_second("a voice again", |second| second.level_dbfs > CHIRPS_DBFS).await?;
    Ok(since.elapsed())
}

/// Plays into a microphone once it is there.
fn speak(pulse: &Pulse, end: &str) -> Result<carillon_testkit::pulse::Playing> {
    pulse.play_into(&format!("in_{end}"), &voice()).map_err(anyhow::Error::msg).context("speak")
}

#[test]
fn two_people_talk_through_the_sound_system() {
    with_pulse(&["a", "b"], |pulse| {
        run(async {
            let _voices = (speak(pulse, "a")?, speak(pulse, "b")?);
            let mut talk = talk().await?;
            voice_is_back(&mut talk.ada, Instant::now()).await?;
            voice_is_back(&mut talk.grace, Instant::now()).await?;
            talk.ada.client.hang_up(talk.call).await?;
            talk.grace.until_ended(talk.call).await?;
            Ok(())
        });
    });
}

#[test]
fn a_microphone_that_is_pulled_out_is_replaced_and_taken_again() {
    with_pulse(&["a", "b"], |pulse| {
        run(async {
            let _voices = (speak(pulse, "a")?, speak(pulse, "b")?);
            let mut talk = talk().await?;
            let uses = |pulse: &Pulse, device: &str| {
                pulse.in_use().is_ok_and(|all| all.iter().any(|one| one == device))
            };
            ensure!(uses(pulse, "mic_b"));
            pulse.unplug("mic_b").map_err(anyhow::Error::msg)?;
            // The default stands in: Grace now speaks with the voice that goes into the other microphone.
            let stands_in = until_named(&mut talk.grace, "Microphone-a").await?;
            println!("the default stands in after {stands_in:?}");
            voice_is_back(&mut talk.ada, Instant::now()).await?;
            pulse.plug("mic_b").map_err(anyhow::Error::msg)?;
            let again = until_named(&mut talk.grace, "Microphone-b").await?;
            println!("the own one is taken again after {again:?}");
            voice_is_back(&mut talk.ada, Instant::now()).await?;
            Ok(())
        });
    });
}

/// Waits until this person's sound says that it uses a device.
async fn until_named(person: &mut Person, wanted: &str) -> Result<Duration> {
    use carillon_client::{ClientEvent, SoundNews};
    let since = Instant::now();
    person
        .until_event(wanted, |event| match event {
            ClientEvent::Sound(SoundNews::Using { name, .. }) if name == wanted => Some(()),
            _ => None,
        })
        .await?;
    Ok(since.elapsed())
}

#[test]
fn the_sound_server_dies_and_is_started_again() {
    with_pulse(&["a", "b"], |pulse| {
        run(async {
            let voices = (speak(pulse, "a")?, speak(pulse, "b")?);
            let mut talk = talk().await?;
            pulse.kill();
            drop(voices);
            // The clients notice; the call goes on in silence.
            talk.ada.until_second("silence", |second| second.level_dbfs < CHIRPS_DBFS).await?;
            talk.grace.until_second("silence", |second| second.level_dbfs < CHIRPS_DBFS).await?;
            pulse.restart().map_err(anyhow::Error::msg)?;
            let since = Instant::now();
            let _voices = (speak(pulse, "a")?, speak(pulse, "b")?);
            let here = voice_is_back(&mut talk.ada, since).await?;
            let there = voice_is_back(&mut talk.grace, since).await?;
            println!("voices are back after {here:?} and {there:?}");
            Ok(())
        });
    });
}
