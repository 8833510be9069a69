//! What the crate promises, through the real sound path where it can.

pub(crate) mod allocator;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod measure;
mod synthetic;

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use crate::{MicrophoneFeed, SoundEvent, SpeakerFeed};

/// Far more than anything takes; a test that waits so long has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// Waits for an event, past others.
fn wait_for(events: &Receiver<SoundEvent>, wanted: impl Fn(&SoundEvent) -> bool) -> SoundEvent {
    let until = Instant::now() + LIMIT;
    let mut seen = Vec::new();
    while let Ok(event) = events.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if wanted(&event) {
            return event;
        }
        seen.push(event);
    }
    panic!("only these came: {seen:?}");
}

/// Hears until `enough` of it says so.
fn hear(feed: &mut MicrophoneFeed, enough: impl Fn(&[f32]) -> bool) -> Vec<f32> {
    let until = Instant::now() + LIMIT;
    let mut heard = Vec::new();
    let mut frame = [0.0; carillon_media::FRAME_SAMPLES];
    while !enough(&heard) {
        assert!(Instant::now() < until, "{} samples in {LIMIT:?} were not enough", heard.len());
        feed.wait(Duration::from_millis(100));
        while feed.take(&mut frame).is_some() {
            heard.extend_from_slice(&frame);
        }
    }
    heard
}

/// Plays `sound`, never more than 20 ms ahead, by the clock of `clock`.
fn play(feed: &mut SpeakerFeed, clock: &mut MicrophoneFeed, sound: &[f32]) {
    let mut frame = [0.0; carillon_media::FRAME_SAMPLES];
    let mut frames = sound.chunks(carillon_media::FRAME_SAMPLES);
    let until = Instant::now() + LIMIT;
    loop {
        assert!(Instant::now() < until, "the speaker does not take it");
        clock.wait(Duration::from_millis(10));
        while clock.take(&mut frame).is_some() {}
        while feed.fill().is_some_and(|fill| fill < 960) {
            let Some(chunk) = frames.next() else { return };
            frame.fill(0.0);
            frame.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            assert!(feed.put(&frame));
        }
    }
}

/// The loudest sample.
fn peak(sound: &[f32]) -> f32 {
    sound.iter().fold(0.0, |most, sample| most.max(sample.abs()))
}
