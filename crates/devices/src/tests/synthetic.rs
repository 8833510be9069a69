//! Devices that are none.

use std::path::PathBuf;
use std::time::Duration;

use super::{allocator, hear, peak, play};
use crate::{CHIRP_EVERY, MicrophoneChoice, Problem, Sound, SoundError, SpeakerChoice, chirp, find_chirps};

/// A file that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("carillon-devices-{}-{name}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn chirps_start_when_they_should() {
    let (sound, _events) = Sound::start().unwrap();
    let (microphone, mut feed) = sound.microphone(MicrophoneChoice::Chirps).unwrap();
    let started = microphone.status().started.unwrap();
    let mut frame = [0.0; carillon_media::FRAME_SAMPLES];
    assert!(feed.wait(Duration::from_secs(20)));
    assert_eq!(feed.take(&mut frame), Some(started), "the first frame was in the air at the start");
    let heard = hear(&mut feed, |heard| heard.len() > 60_000);
    let heard = [frame.as_slice(), &heard].concat();
    let every = (CHIRP_EVERY.as_secs_f64() * 48_000.0) as usize;
    assert_eq!(find_chirps(&heard, 0.9), [0, every, 2 * every]);
    assert_eq!(microphone.status().problem, None);
}

#[test]
fn a_tone_is_metered_and_silence_is_silent() {
    let (sound, _events) = Sound::start().unwrap();
    let (microphone, mut feed) = sound.microphone(MicrophoneChoice::Tone).unwrap();
    hear(&mut feed, |heard| heard.len() > 4_800);
    let level = microphone.level();
    assert!((level.peak - 0.2).abs() < 0.01 && (level.rms - 0.1414).abs() < 0.01, "{level:?}");
    microphone.switch(&MicrophoneChoice::Silence).unwrap();
    let heard = hear(&mut feed, |heard| heard.len() > 4_800);
    assert_eq!(peak(&heard[heard.len() - 480..]), 0.0);
}

#[test]
fn what_is_played_into_a_file_is_read_from_it_again_and_again() {
    let file = Scratch::new("loop.wav");
    let (sound, _events) = Sound::start().unwrap();
    let (_clock, mut clock) = sound.microphone(MicrophoneChoice::Silence).unwrap();
    let (speaker, mut feed) = sound.speaker(SpeakerChoice::Wav(file.0.clone())).unwrap();
    assert!(speaker.status().started.is_some());
    let mut voice = chirp();
    voice.resize(9_600, 0.0);
    play(&mut feed, &mut clock, &voice);
    play(&mut feed, &mut clock, &[0.0; 4_800]);
    drop(speaker);
    assert!(!feed.put(&[0.0; 480]), "a feed without its speaker takes nothing");

    let (microphone, mut feed) = sound.microphone(MicrophoneChoice::Wav(file.0.clone())).unwrap();
    let heard = hear(&mut feed, |heard| find_chirps(heard, 0.9).len() >= 3);
    let chirps = find_chirps(&heard, 0.9);
    assert_eq!(chirps[1] - chirps[0], chirps[2] - chirps[1], "{chirps:?}");
    drop(microphone);
}

#[test]
fn files_that_are_no_sound_are_refused_with_their_name() {
    let (sound, _events) = Sound::start().unwrap();
    let file = Scratch::new("no.wav");
    for bytes in [&b""[..], b"RIFF", b"not a wav file at all, but long enough to hold a header of one"] {
        std::fs::write(&file.0, bytes).unwrap();
        let refused = sound.microphone(MicrophoneChoice::Wav(file.0.clone())).map(drop).unwrap_err();
        assert!(refused.to_string().contains("no.wav"), "{refused}");
    }
    let folder = SpeakerChoice::Wav(std::env::temp_dir());
    assert!(matches!(sound.speaker(folder).map(drop), Err(SoundError::File { .. })));
}

#[test]
fn a_switch_to_a_bad_file_leaves_what_was() {
    let (sound, _events) = Sound::start().unwrap();
    let (microphone, mut feed) = sound.microphone(MicrophoneChoice::Tone).unwrap();
    assert!(microphone.switch(&MicrophoneChoice::Wav("/no/such/file.wav".into())).is_err());
    let heard = hear(&mut feed, |heard| heard.len() > 4_800);
    assert!(peak(&heard) > 0.1);
}

#[test]
fn a_speaker_that_is_none_plays_in_time() {
    let (sound, _events) = Sound::start().unwrap();
    let (_clock, mut clock) = sound.microphone(MicrophoneChoice::Silence).unwrap();
    let (speaker, mut feed) = sound.speaker(SpeakerChoice::Null).unwrap();
    play(&mut feed, &mut clock, &[0.25; 9_600]);
    assert!((speaker.level().peak - 0.25).abs() < 1e-6);
    assert_eq!(feed.device_period(), 480);
}

#[test]
fn handles_outlive_their_supervisor_without_harm() {
    let (sound, _events) = Sound::start().unwrap();
    let (microphone, mut feed) = sound.microphone(MicrophoneChoice::Tone).unwrap();
    drop(sound);
    assert!(matches!(microphone.switch(&MicrophoneChoice::Tone), Err(SoundError::ShutDown)));
    while feed.take(&mut [0.0; 480]).is_some() {}
    assert!(!feed.wait(Duration::ZERO));
    assert_eq!(microphone.status().problem, None::<Problem>);
}

#[test]
fn an_allocation_in_a_callback_would_be_caught() {
    let (_, before) = allocator::counts();
    crate::callback::in_callback(|| drop(std::hint::black_box(vec![1u8; 100])));
    let (_, after) = allocator::counts();
    allocator::forgive(2);
    assert!(after >= before + 2);
}
