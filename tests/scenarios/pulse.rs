//! Calls through the machine's real sound system, which is a private PulseAudio server here: people talk, a device is
//! pulled out and put back, and the sound server itself dies.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use carillon_client::peer::WebRtcPeers;
use carillon_client::{Phase, SoundChange, chirp};
use carillon_testkit::pulse::{Hearing, Pulse, with_pulse};
use carillon_tests::gaps::Gaps;
use carillon_tests::person::Person;
use carillon_tests::server::Server;
use carillon_tests::talk::{CHIRPS_DBFS, on};
use carillon_wire::CallId;

/// From one chirp of a voice to the next: silences are known to a fifth of a second.
const CHIRP_EVERY: Duration = Duration::from_millis(200);
/// How long two people are listened to.
const TALK: Duration = Duration::from_secs(8);
/// How many of the forty chirps that are spoken meanwhile must come through whole: on a machine with much else to do many
/// are torn, and noise holds none.
const WHOLE: usize = 3;
/// How long a device that goes may be missed.
const REPLACED_WITHIN: Duration = Duration::from_secs(2);

/// A voice of chirps, for five minutes.
fn voice() -> Vec<f32> {
    let mut one = chirp();
    one.resize((CHIRP_EVERY.as_secs_f64() * 48_000.0) as usize, 0.0);
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

/// Waits until this person hears a voice again.
async fn voice_is_back(person: &mut Person) -> Result<()> {
    // Two in a row: the first second may have begun with the old sound.
    for _ in 0..2 {
        person.until_second("a voice again", |second| second.level_dbfs > CHIRPS_DBFS).await?;
    }
    Ok(())
}

/// Hears what comes out of a speaker.
fn ear(pulse: &Pulse, end: &str) -> Result<Hearing> {
    let ear = pulse.hear(&format!("spk_{end}")).map_err(anyhow::Error::msg)?;
    // It runs before anything happens.
    ear.hear_on(CHIRP_EVERY).map_err(anyhow::Error::msg)?;
    Ok(ear)
}

/// What came out of a speaker meanwhile.
fn gaps(name: &str, ear: Hearing) -> Gaps {
    let heard = ear.stop();
    let seconds = heard.samples.len() as f64 / 48_000.0;
    let gaps = Gaps::of_any_sound(&heard.samples, CHIRP_EVERY);
    println!("{name} in {seconds:.2} s: {gaps}");
    gaps
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
            let ears = (ear(pulse, "a")?, ear(pulse, "b")?);
            for ear in [&ears.0, &ears.1] {
                ear.hear_on(TALK).map_err(anyhow::Error::msg)?;
            }
            for gaps in [gaps("ada", ears.0), gaps("grace", ears.1)] {
                ensure!(gaps.chirps >= WHOLE, "{gaps}");
            }
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
            let ear = ear(pulse, "a")?;
            pulse.unplug("mic_b").map_err(anyhow::Error::msg)?;
            // The default stands in: Grace now speaks with the voice that goes into the other microphone.
            let stands_in = until_named(&mut talk.grace, "Microphone-a").await?;
            println!("the default stands in after {stands_in:?}");
            voice_is_back(&mut talk.ada).await?;
            pulse.plug("mic_b").map_err(anyhow::Error::msg)?;
            let again = until_named(&mut talk.grace, "Microphone-b").await?;
            println!("the own one is taken again after {again:?}");
            voice_is_back(&mut talk.ada).await?;
            ensure!(uses(pulse, "mic_b"));
            let gaps = gaps("ada", ear);
            ensure!(gaps.longest() <= REPLACED_WITHIN, "{gaps}");
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
            let _voices = (speak(pulse, "a")?, speak(pulse, "b")?);
            let ears = (ear(pulse, "a")?, ear(pulse, "b")?);
            voice_is_back(&mut talk.ada).await?;
            voice_is_back(&mut talk.grace).await?;
            for ear in [&ears.0, &ears.1] {
                ear.hear_on(TALK).map_err(anyhow::Error::msg)?;
            }
            for gaps in [gaps("ada", ears.0), gaps("grace", ears.1)] {
                ensure!(gaps.chirps >= WHOLE, "{gaps}");
            }
            Ok(())
        });
    });
}
