//! Trying the devices without a call: a tone from the speaker, a level from the microphone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use carillon_devices::{Microphone, MicrophoneFeed, Sound, Speaker, SpeakerFeed};
use carillon_media::FRAME_SAMPLES;
use carillon_media::level::{FLOOR_DBFS, Meter};
use carillon_media::tone::{Player, Tone};

use super::{SoundChange, SoundSettings};
use crate::error::{ClientError, LocalCode};

/// How long the thread sleeps at most.
const NAP: Duration = Duration::from_millis(5);

/// A microphone and a speaker that are being tried.
pub struct SoundTest {
    level: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Devices>>,
}

struct Devices {
    microphone: Microphone,
    speaker: Speaker,
    /// Last, so that the handles are closed before.
    _sound: Sound,
}

impl SoundTest {
    /// Opens the devices of the usual settings with this change, and plays the test tone once.
    ///
    /// # Errors
    /// `invalid` when a device is named by nothing; `sound`, with a sentence, when nothing can be opened at all.
    pub async fn start(change: SoundChange) -> Result<Self, ClientError> {
        let settings = SoundSettings::default().with(change)?;
        let (microphone, speaker) = settings.choices()?;
        let opened = tokio::task::spawn_blocking(move || {
            let (sound, _) = Sound::start()?;
            let speaker = sound.speaker(speaker)?;
            let microphone = sound.microphone(microphone)?;
            Ok((sound, microphone, speaker))
        });
        let opened = opened.await.map_err(|_| LocalCode::Stopped)?;
        let (sound, (microphone, heard), (speaker, played)) =
            opened.map_err(|error: carillon_devices::SoundError| wrong(&error.to_string()))?;
        let (level, stop) =
            (Arc::new(AtomicU32::new(FLOOR_DBFS.to_bits())), Arc::new(AtomicBool::new(false)));
        let devices = Devices { microphone, speaker, _sound: sound };
        let work = Work { heard, played, level: Arc::clone(&level), stop: Arc::clone(&stop) };
        let thread = thread::Builder::new()
            .name("sound-test".to_owned())
            .spawn(move || {
                work.run();
                devices
            })
            .map_err(|error| wrong(&error.to_string()))?;
        Ok(Self { level, stop, thread: Some(thread) })
    }

    /// How loud the microphone is, in dB below full scale.
    pub fn microphone_dbfs(&self) -> f64 {
        f64::from(f32::from_bits(self.level.load(Ordering::Relaxed)))
    }

    /// Closes the devices. Gives what was wrong with them, as sentences.
    pub async fn finish(mut self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return Vec::new() };
        let ended = tokio::task::spawn_blocking(move || {
            thread.join().ok().map(|devices| {
                [devices.microphone.status().problem, devices.speaker.status().problem]
                    .into_iter()
                    .flatten()
                    .map(|problem| format!("{problem}."))
                    .collect()
            })
        });
        ended.await.ok().flatten().unwrap_or_default()
    }
}

impl Drop for SoundTest {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Work {
    heard: MicrophoneFeed,
    played: SpeakerFeed,
    level: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
}

impl Work {
    fn run(mut self) {
        let (mut meter, mut tones, mut frame) = (Meter::default(), Player::default(), [0.0; FRAME_SAMPLES]);
        tones.play(Tone::Test);
        while !self.stop.load(Ordering::Relaxed) {
            self.heard.wait(NAP);
            while self.heard.take(&mut frame).is_some() {
                meter.add(&frame);
                self.level.store(meter.dbfs().to_bits(), Ordering::Relaxed);
            }
            while self.played.fill().is_some_and(|fill| fill <= FRAME_SAMPLES) {
                tones.next(&mut frame);
                if !self.played.put(&frame) {
                    break;
                }
            }
        }
    }
}

fn wrong(text: &str) -> ClientError {
    ClientError::saying(LocalCode::Sound, format!("{text}."))
}
