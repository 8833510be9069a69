//! Two people in a call with sound: each speaks chirps into a microphone and hears the other from a speaker that
//! records.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use carillon_client::peer::Detour;
use carillon_client::{
    CHIRP_EVERY, ClientConfig, EchoControl, EndState, MediaOn, Phase, SoundChange, SoundSetup, SoundSource,
    chirp,
};
use carillon_link::{End, Forwarder, Plan, Script, Settings};
use carillon_measure::chirp::{MouthToEar, Search, mouth_to_ear};
use carillon_measure::recording::Recording;
use carillon_wire::frame::Media;
use carillon_wire::{Bytes32, CallId};

use crate::eyes::Eyes;
use crate::person::Person;
use crate::server::Server;
use crate::wire_tap::{Tap, TappedPeers};

/// The sound is not looked at before: the jitter buffer finds its depth.
const SETTLE: Duration = Duration::from_secs(1);
/// A chirp that was spoken this shortly before the end may not have been heard.
const TAIL: Duration = Duration::from_millis(700);
/// A second that has chirps in it is louder.
pub const CHIRPS_DBFS: f64 = -45.0;

/// One call between the two, and the line that it goes over.
#[derive(Debug)]
pub struct Talk {
    /// Who calls; end A of the line.
    pub ada: Person,
    /// Who is called; end B of the line.
    pub grace: Person,
    /// Which call.
    pub call: CallId,
    /// The line.
    pub line: Arc<Forwarder>,
    /// From when on its time counts.
    pub line_since: Instant,
    /// What Ada's path carries.
    pub ada_tap: Tap,
    /// What Grace's path carries.
    pub grace_tap: Tap,
    /// What Ada sees of Grace.
    pub ada_sees: Eyes,
    /// What Grace sees of Ada.
    pub grace_sees: Eyes,
    folder: Folder,
    since: Instant,
}

/// How well each heard the other.
#[derive(Debug)]
pub struct Outcome {
    /// Grace's chirps, as Ada heard them.
    pub ada: MouthToEar,
    /// Ada's chirps, as Grace heard them.
    pub grace: MouthToEar,
}

/// The same thing at both ends.
#[derive(Debug, Clone, Copy)]
pub struct Ends<T> {
    /// Of who calls.
    pub ada: T,
    /// Of who is called.
    pub grace: T,
}

#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Talk {
    /// Signs both up, over a line that is like this; neither calls. With `forged`, that end seals this
    /// fingerprint in place of the one that its DTLS will show.
    ///
    /// # Errors
    /// When the server refuses, or the line can't be had.
    pub async fn ready(server: &Server, settings: Settings, forged: Option<(End, Bytes32)>) -> Result<Self> {
        Self::with_cameras(server, settings, forged, Ends { ada: "pattern", grace: "pattern" }).await
    }

    /// As [`Self::ready`], with these cameras.
    ///
    /// # Errors
    /// When the server refuses, or the line can't be had.
    pub async fn with_cameras(
        server: &Server,
        settings: Settings,
        forged: Option<(End, Bytes32)>,
        cameras: Ends<&str>,
    ) -> Result<Self> {
        let plan = Plan::new(settings, Script::default())?;
        let line = (Arc::new(Forwarder::start(plan, 7)?), Instant::now());
        Self::over(server, line, forged, Ends { ada: "ada", grace: "grace" }, cameras).await
    }

    /// Two other people, whose call goes over the same line as this one.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn beside(&self, server: &Server) -> Result<Self> {
        let line = (Arc::clone(&self.line), self.line_since);
        let (names, cameras) =
            (Ends { ada: "joan", grace: "mary" }, Ends { ada: "pattern", grace: "pattern" });
        Self::over(server, line, None, names, cameras).await
    }

    async fn over(
        server: &Server,
        (line, line_since): (Arc<Forwarder>, Instant),
        forged: Option<(End, Bytes32)>,
        names: Ends<&str>,
        cameras: Ends<&str>,
    ) -> Result<Self> {
        let random: u64 = rand::random();
        let folder = std::env::temp_dir().join(format!("carillon-talk-{}-{random:x}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let folder = Folder(folder);
        let (ada_tap, grace_tap) = (Tap::default(), Tap::default());
        let (ada_sees, grace_sees) = (Eyes::default(), Eyes::default());
        let with_sound = |name: &str, end: End, tap: &Tap, eyes: &Eyes, camera: &str| {
            let mut peers = TappedPeers::new(tap.clone());
            if let Some((_, fingerprint)) = forged.filter(|(liar, _)| *liar == end) {
                peers = peers.forged(fingerprint);
            }
            let (sound, video) = (chirps_into(&folder.record(name)), eyes.setup(camera));
            let (line, other) = (Arc::clone(&line), end.other());
            let stand_in = move |candidate: &str| line.stand_in(other, candidate);
            move |config: &mut ClientConfig| {
                config.peers = Arc::new(Detour::new(peers, stand_in));
                config.sound = sound;
                config.video = video;
            }
        };
        let (ada_with, grace_with) = (
            with_sound("ada", End::A, &ada_tap, &ada_sees, cameras.ada),
            with_sound("grace", End::B, &grace_tap, &grace_sees, cameras.grace),
        );
        let ada = Person::online_with(&server.url(), names.ada, ada_with).await?;
        let grace = Person::online_with(&server.url(), names.grace, grace_with).await?;
        ada.client.follow(grace.handle.clone()).await?;
        grace.client.follow(ada.handle.clone()).await?;
        let call = CallId::new([0; 16]);
        let since = Instant::now();
        Ok(Self {
            ada,
            grace,
            call,
            line,
            line_since,
            ada_tap,
            grace_tap,
            ada_sees,
            grace_sees,
            folder,
            since,
        })
    }

    /// Ada calls, and Grace accepts.
    ///
    /// # Errors
    /// When it does not come to that.
    pub async fn place(&mut self) -> Result<()> {
        self.call = self.ada.dial(&self.grace).await?;
        self.grace.until_rung().await?;
        self.grace.client.accept(self.call, false).await?;
        Ok(())
    }

    /// Ada calls with video, and Grace accepts with hers on.
    ///
    /// # Errors
    /// When it does not come to that.
    pub async fn place_with_video(&mut self) -> Result<()> {
        self.call = self.ada.client.dial(self.grace.handle.clone(), Media::Video).await?;
        self.grace.until_rung().await?;
        self.grace.client.accept(self.call, true).await?;
        Ok(())
    }

    /// Turns the cameras on or off.
    ///
    /// # Errors
    /// When the call is over.
    pub async fn switch_camera(&self, ada: bool, grace: bool) -> Result<()> {
        let media = |video| MediaOn { audio: true, video, screen: false };
        self.ada.client.set_media(self.call, media(ada)).await?;
        self.grace.client.set_media(self.call, media(grace)).await?;
        Ok(())
    }

    /// A call that is up, and each has heard the other.
    ///
    /// # Errors
    /// When it does not come to that.
    pub async fn begin(server: &Server, settings: Settings) -> Result<Self> {
        let mut talk = Self::ready(server, settings, None).await?;
        talk.place().await?;
        talk.until_both(Phase::Connected).await?;
        talk.ada.until_sound(talk.call).await?;
        talk.grace.until_sound(talk.call).await?;
        talk.since = Instant::now();
        Ok(talk)
    }

    /// Waits until both see the call in this phase.
    ///
    /// # Errors
    /// When it does not come in time.
    pub async fn until_both(&mut self, phase: Phase) -> Result<()> {
        self.ada.until(self.call, phase).await?;
        self.grace.until(self.call, phase).await?;
        Ok(())
    }

    /// When each speaker began, from which the times of what was heard count.
    ///
    /// # Errors
    /// When one does not run.
    pub async fn heard_since(&self) -> Result<Ends<Instant>> {
        let (ada, grace) = (self.ada.client.sound_state().await?, self.grace.client.sound_state().await?);
        Ok(Ends { ada: begun(&ada.speaker)?, grace: begun(&grace.speaker)? })
    }

    /// Closes both clients, whatever the call is in, and looks at what they heard since the first sound.
    ///
    /// # Errors
    /// When a recording is missing.
    pub async fn close(self) -> Result<Outcome> {
        let (until, states) =
            (Instant::now(), (self.ada.client.sound_state().await?, self.grace.client.sound_state().await?));
        // Closes the devices: what they recorded is complete then.
        self.ada.client.shutdown().await;
        self.grace.client.shutdown().await;
        let (ada, grace) = &states;
        let heard = |name: &str, speaker: &Option<EndState>, microphone: &Option<EndState>| {
            let (heard_from, spoken_from) = (begun(speaker)?, begun(microphone)?);
            let file = self.folder.record(name);
            let recording = Recording::read(&file).with_context(|| file.display().to_string())?.samples;
            anyhow::Ok(delays(&recording, heard_from, spoken_from, self.since + SETTLE, until))
        };
        Ok(Outcome {
            ada: heard("ada", &ada.speaker, &grace.microphone)?,
            grace: heard("grace", &grace.speaker, &ada.microphone)?,
        })
    }
}

impl Folder {
    fn record(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.wav"))
    }
}

/// Chirps into the microphone, the speaker into a file, and nothing in between that would change them. Both speak the
/// same chirps, which an echo control would rightly take for an echo.
pub fn chirps_into(record: &Path) -> SoundSetup {
    on(SoundChange {
        microphone: Some("chirps".to_owned()),
        speaker: Some(format!("wav:{}", record.display())),
        ..SoundChange::default()
    })
}

/// Sound as it is: no echo, noise and gain control.
pub fn on(change: SoundChange) -> SoundSetup {
    let change =
        SoundChange { echo: Some(EchoControl::Off), noise: Some(false), gain: Some(false), ..change };
    SoundSetup::On { change, source: SoundSource::Microphone }
}

fn begun(state: &Option<EndState>) -> Result<Instant> {
    state.as_ref().and_then(|end| end.started).context("the device does not run")
}

fn delays(
    heard: &[f32],
    heard_from: Instant,
    spoken_from: Instant,
    from: Instant,
    to: Instant,
) -> MouthToEar {
    let seconds = |from: Instant, to: Instant| {
        to.saturating_duration_since(from).as_secs_f64() - from.saturating_duration_since(to).as_secs_f64()
    };
    let (first, last) = (seconds(spoken_from, from), seconds(spoken_from, to) - TAIL.as_secs_f64());
    let (every, offset) = (CHIRP_EVERY.as_secs_f64(), seconds(heard_from, spoken_from));
    let spoken: Vec<_> = (0u32..)
        .map(|n| f64::from(n) * every)
        .skip_while(|at| *at < first)
        .take_while(|at| *at < last)
        .map(|at| at + offset)
        .collect();
    mouth_to_ear(heard, &chirp(), &spoken, &Search::default())
}
