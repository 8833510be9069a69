//! Figures, for a person to read:
//! `cargo test --release -p carillon-devices --lib measure -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use carillon_media::FRAME_SAMPLES;
use carillon_testkit::pulse::with_pulse;

use crate::{MicrophoneChoice, Sound, SpeakerChoice, chirp, find_chirps};

/// Processor time of this process, all threads, in hundredths of a second (proc(5), fields 14 and 15).
fn processor_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn spread(name: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
    println!(
        "{name}: least {:.1}, median {:.1}, p95 {:.1}, most {:.1} ms of {}",
        at(0.0),
        at(0.5),
        at(0.95),
        at(1.0),
        values.len()
    );
}

/// From the speaker's feed through a sink without hardware to the microphone's feed, by the real streams.
#[test]
#[ignore = "a measurement: half a minute"]
fn the_way_from_the_speaker_s_feed_to_the_microphone_s() {
    const SECONDS: usize = 20;
    with_pulse(&["a"], |_| {
        let opening = Instant::now();
        let (sound, _events) = Sound::start().unwrap();
        let (_microphone, mut ear) = sound.microphone(MicrophoneChoice::Default).unwrap();
        let (_speaker, mut mouth) = sound.speaker(SpeakerChoice::Named("in_a".to_owned())).unwrap();
        println!("both open after {:.0} ms", opening.elapsed().as_secs_f64() * 1e3);
        let mut voice = chirp();
        voice.resize(24_000, 0.0);
        let (mut heard, mut times, mut said, mut fills) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (began, used) = (Instant::now(), processor_time());
        let mut at = 0;
        while heard.len() < SECONDS * 48_000 {
            ear.wait(Duration::from_millis(20));
            let mut frame = [0.0; FRAME_SAMPLES];
            while let Some(captured) = ear.take(&mut frame) {
                times.push((captured, Instant::now()));
                heard.extend_from_slice(&frame);
                let fill = mouth.fill().unwrap_or(0);
                fills.push(fill as f64 / 48.0);
                // What comes at once after a hiccup would wait in the ring for ever.
                if fill > 2 * FRAME_SAMPLES {
                    continue;
                }
                if at == 0 {
                    said.push(Instant::now());
                }
                frame.copy_from_slice(&voice[at..at + FRAME_SAMPLES]);
                at = (at + FRAME_SAMPLES) % voice.len();
                mouth.put(&frame);
            }
        }
        let share = (processor_time() - used) as f64 / began.elapsed().as_secs_f64();
        println!("processor {share:.1} % of a core: the monitor of a sink that we play into comes in crumbs");
        let (mut to_capture, mut to_take) = (Vec::new(), Vec::new());
        for start in find_chirps(&heard, 0.8) {
            let (captured, taken) = times[start / FRAME_SAMPLES];
            let into = Duration::from_secs_f64((start % FRAME_SAMPLES) as f64 / 48_000.0);
            let Some(put) = said.iter().rev().find(|put| **put < taken) else { continue };
            to_take.push((taken - *put).as_secs_f64() * 1e3);
            to_capture.push((captured + into).saturating_duration_since(*put).as_secs_f64() * 1e3);
        }
        spread("put to taken", to_take);
        spread("put to in the air, as the system reckons", to_capture);
        spread("in the speaker's ring", fills);
        println!(
            "underruns {}, speaker's own delay {:?}, overruns {}",
            mouth.underruns(),
            mouth.device_delay(),
            ear.overruns()
        );
    });
}

/// What the two streams of a call cost, on devices that have nothing to do with each other.
#[test]
#[ignore = "a measurement: half a minute"]
fn the_processor_time_of_both_streams() {
    const SECONDS: f64 = 15.0;
    with_pulse(&["a"], |pulse| {
        let (sound, _events) = Sound::start().unwrap();
        let (_microphone, mut ear) = sound.microphone(MicrophoneChoice::Default).unwrap();
        let _playing = pulse.play_into("in_a", &vec![0.1; 48_000 * 30]).unwrap();
        let mut measure = |name: &str, mouth: Option<&mut crate::SpeakerFeed>| {
            let (began, used, callbacks) = (Instant::now(), processor_time(), super::allocator::counts().0);
            let mut mouth = mouth;
            while began.elapsed().as_secs_f64() < SECONDS / 2.0 {
                ear.wait(Duration::from_millis(20));
                let mut frame = [0.0; FRAME_SAMPLES];
                while ear.take(&mut frame).is_some() {
                    if let Some(mouth) = mouth.as_mut()
                        && mouth.fill() < Some(960)
                    {
                        mouth.put(&frame);
                    }
                }
            }
            let seconds = began.elapsed().as_secs_f64();
            let share = (processor_time() - used) as f64 / seconds;
            let callbacks = (super::allocator::counts().0 - callbacks) as f64 / seconds;
            println!("{name}: {share:.1} % of a core, {callbacks:.0} callbacks a second");
        };
        measure("microphone", None);
        let (_speaker, mut mouth) = sound.speaker(SpeakerChoice::Default).unwrap();
        measure("microphone and speaker", Some(&mut mouth));
        println!("underruns {}", mouth.underruns());
    });
}
