//! A real Chromium at the other end of `carillon_transport`: it calls and is called, with either codec, over a good line
//! and over one that loses packets.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use carillon_call::{Role, Transport};
use carillon_link::{Change, End, Forwarder, Plan, Script, Settings};
use carillon_media::video::VideoCodec;
use carillon_tests::bare_end::{BareEnd, FILMED, Noticed};
use carillon_tests::browser::{Browser, Capture, State, Told};
use carillon_tests::film;
use carillon_tests::person::PATIENCE;
use carillon_wire::payload::{Payload, SdpKind};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// One browser at a time: each takes a core.
static TURN: Mutex<()> = Mutex::const_new(());

/// So many pictures have to be decoded at either end.
const PICTURES: u64 = 90;
/// Of these, so many have bar codes that were read and tell them apart.
const READ: u64 = 45;
/// Packets of the browser's beep, of which there is one each second.
const LOUD: u64 = 8;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Ours,
    Chromium,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    caller: Caller,
    codec: VideoCodec,
    /// In percent.
    loss: &'static str,
}

impl Case {
    fn loses(self) -> bool {
        self.loss != "0"
    }

    /// For the page: with H.264 it offers all that it has, as any browser would.
    fn settings(self) -> serde_json::Value {
        match self.codec {
            VideoCodec::H264 => json!({}),
            VideoCodec::Vp8 => json!({ "codec": "VP8" }),
        }
    }

    async fn run(self) -> Result<()> {
        let _turn = TURN.lock().await;
        let folder = Folder::new()?;
        let film = folder.0.join("scene.y4m");
        film::write(&film, FILMED, 60)?;
        let mut browser = Browser::start(&Capture { film: Some(film), voice: None }).await?;
        let outcome = self.call(&mut browser).await;
        outcome.with_context(|| browser.log())?;
        browser.close().await
    }

    async fn call(self, browser: &mut Browser) -> Result<()> {
        let mut change = Change::default();
        change.set("loss", self.loss)?;
        let mut settings = Settings::default();
        change.apply(&mut settings);
        let line = Forwarder::start(Plan::new(settings, Script::default())?, 11)?;
        let page = self.settings();
        let (mut ours, shown) = match self.caller {
            Caller::Ours => {
                let mut ours = BareEnd::open(Role::Caller)?;
                let answer = browser.answer(&ours.described().await?, &page).await?;
                let shown = ours.apply(SdpKind::Answer, &answer)?;
                (ours, shown)
            }
            Caller::Chromium => {
                let offer = browser.offer(&page).await?;
                let mut ours = BareEnd::open(Role::Callee)?;
                let shown = ours.apply(SdpKind::Offer, &offer)?;
                browser.answered(&ours.described().await?).await?;
                (ours, shown)
            }
        };
        let mut watch = Watch { case: self, fingerprint: shown.fingerprint, up: false, data: false, came: 0 };
        let mut state = State::default();
        let talking = async {
            let mut looks = interval(Duration::from_millis(100));
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            browser.ask::<serde_json::Value>("watch", &[]).await?;
            loop {
                tokio::select! {
                    said = ours.next() => watch.heed(said?, &line, &ours, browser).await?,
                    told = browser.told() => {
                        if let Told::Candidate(candidate) = told?
                            && let Some(candidate) = line.stand_in(End::B, &candidate)
                        {
                            ours.candidate(candidate);
                        }
                    }
                    _ = looks.tick() => {
                        state = browser.state().await?;
                        if watch.is_enough(&state, &ours, &line) {
                            return anyhow::Ok(());
                        }
                    }
                }
            }
        };
        let talking = timeout(PATIENCE, talking).await;
        let noticed = ours.noticed();
        let account = || {
            let Noticed { codec, pictures, size, marks, undecodable, packets, loud, no_sound } = &noticed;
            let marks = marks.len();
            format!(
                "{watch:?}\nthere: {state:?}\nhere: {codec:?}, {pictures} pictures of {size:?}, {marks} of them read, \
                 {undecodable} undecodable; {packets} packets of sound, {loud} of them loud, {no_sound} none\n{:?}",
                ours.stats()
            )
        };
        talking.with_context(account)?.with_context(account)?;
        watch.check(&state, &noticed).with_context(account)
    }
}

/// What has to come about in a call.
#[derive(Debug)]
struct Watch {
    case: Case,
    fingerprint: carillon_wire::Bytes32,
    up: bool,
    data: bool,
    /// Payloads that the browser sent.
    came: u32,
}

impl Watch {
    async fn heed(
        &mut self,
        said: Transport,
        line: &Forwarder,
        ours: &BareEnd,
        browser: &Browser,
    ) -> Result<()> {
        match said {
            Transport::LocalCandidates { candidates, .. } => {
                for candidate in candidates.iter().filter_map(|own| line.stand_in(End::A, own)) {
                    browser.candidate(&candidate).await?;
                }
            }
            Transport::DtlsUp { fingerprint } => {
                ensure!(fingerprint == self.fingerprint, "another certificate was shown");
                self.up = true;
            }
            Transport::DataOpen => {
                self.data = true;
                ours.say(Payload::MaxRate { bits_per_second: 2_000_000 });
                browser
                    .ask::<serde_json::Value>("say", &[&json!({"type": "max_rate", "bits_per_second": 1})])
                    .await?;
            }
            Transport::Data(Payload::MaxRate { .. }) => self.came += 1,
            Transport::Failed | Transport::IceFailed => anyhow::bail!("our end says {said:?}"),
            _ => {}
        }
        Ok(())
    }

    fn is_enough(&self, page: &State, ours: &BareEnd, line: &Forwarder) -> bool {
        let noticed = ours.noticed();
        let lost = line.statistics();
        let repaired = page.repaired > 0 && ours.stats().video.repaired > 0;
        self.up
            && self.data
            && self.came > 0
            && page.messages > 0
            && page.frames_decoded >= PICTURES
            && page.pictures_read >= READ
            && page.audio_energy > 0.01
            && noticed.pictures >= PICTURES
            && noticed.marks.len() as u64 >= READ
            && noticed.loud >= LOUD
            && (!self.case.loses() || repaired && lost.a_to_b.lost > 0 && lost.b_to_a.lost > 0)
    }

    fn check(&self, page: &State, noticed: &Noticed) -> Result<()> {
        let mime = match self.case.codec {
            VideoCodec::H264 => "video/H264",
            VideoCodec::Vp8 => "video/VP8",
        };
        ensure!(page.received_codec.as_deref() == Some(mime), "the browser receives another codec");
        ensure!(page.sent_codec.as_deref() == Some(mime), "the browser sends another codec");
        ensure!(page.sound_codec.as_deref() == Some("audio/opus"), "the sound is not Opus");
        ensure!(noticed.codec == Some(self.case.codec), "we receive another codec");
        ensure!(
            (page.width, page.height) == (FILMED.width, FILMED.height),
            "there, a picture of another size"
        );
        ensure!(noticed.size == (FILMED.width, FILMED.height), "here, a picture of another size");
        ensure!(noticed.no_sound == 0, "packets that are no Opus");
        let changes = noticed.marks.windows(2).filter(|pair| pair[0].number != pair[1].number).count();
        ensure!(changes as u64 >= READ / 2, "the pictures that come hardly change");
        if !self.case.loses() {
            ensure!(noticed.undecodable == 0, "pictures that can't be decoded");
        }
        Ok(())
    }
}

struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let random: u64 = rand::random();
        let path = std::env::temp_dir().join(format!("carillon-film-{}-{random:x}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

macro_rules! cases {
    ($($name:ident: $caller:ident, $codec:ident, $loss:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() -> Result<()> {
            Case { caller: Caller::$caller, codec: VideoCodec::$codec, loss: $loss }.run().await
        }
    )*};
}

cases! {
    it_is_called_with_h264: Ours, H264, "0";
    it_is_called_with_vp8: Ours, Vp8, "0";
    it_calls_with_h264: Chromium, H264, "0";
    it_calls_with_vp8: Chromium, Vp8, "0";
    it_is_called_with_h264_and_five_percent_are_lost: Ours, H264, "5";
    it_is_called_with_vp8_and_five_percent_are_lost: Ours, Vp8, "5";
    it_calls_with_h264_and_five_percent_are_lost: Chromium, H264, "5";
    it_calls_with_vp8_and_five_percent_are_lost: Chromium, Vp8, "5";
}
