//! The machine's sound, through cpal and a PulseAudio server without hardware.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use carillon_testkit::pulse::{Pulse, with_pulse};

use super::{LIMIT, allocator, hear, peak, play, wait_for};
use crate::{
    MicrophoneChoice, Problem, Sound, SoundEvent, SoundKind, SpeakerChoice, chirp, find_chirps, sound_devices,
};

/// The bound that the product names: a device that dies is replaced, a server that returns is found.
const REPLACED: Duration = Duration::from_secs(2);

/// Chirps, five a second.
fn chirps(count: usize) -> Vec<f32> {
    let mut one = chirp();
    one.resize(9_600, 0.0);
    one.repeat(count)
}

fn named(device: &str) -> MicrophoneChoice {
    MicrophoneChoice::Named(format!("pulseaudio:{device}"))
}

fn changed_to(events: &Receiver<SoundEvent>, wanted: &str) {
    wait_for(
        events,
        |event| matches!(event, SoundEvent::DeviceChanged { device, .. } if device.as_str() == format!("pulseaudio:{wanted}")),
    );
}

/// Waits until a stream is on the device, as the server tells.
fn in_use(pulse: &Pulse, device: &str) {
    let until = Instant::now() + LIMIT;
    while !pulse.in_use().unwrap().iter().any(|used| used == device) {
        assert!(Instant::now() < until, "nothing uses {device}");
    }
}

fn no_allocation_in_callbacks() {
    let (callbacks, caught) = allocator::counts();
    println!("{callbacks} callbacks");
    assert!(callbacks > 20);
    assert_eq!(caught, 0, "allocations in callbacks");
}

#[test]
fn devices_are_listed_with_their_default_and_without_monitors() {
    with_pulse(&["a", "b"], |pulse| {
        pulse.set_default("mic_b").unwrap();
        let devices = sound_devices().unwrap();
        let microphones: Vec<_> = devices
            .iter()
            .filter(|device| device.kind == SoundKind::Microphone)
            .map(|device| (device.id.as_str(), device.name.as_str(), device.is_default))
            .collect();
        let expected =
            [("pulseaudio:mic_a", "Microphone-a", false), ("pulseaudio:mic_b", "Microphone-b", true)];
        assert_eq!(microphones, expected);
        let speakers = devices.iter().filter(|device| device.kind == SoundKind::Speaker);
        assert!(speakers.clone().any(|device| device.id.as_str() == "pulseaudio:spk_a" && device.is_default));
        assert!(speakers.clone().all(|device| !device.id.as_str().contains("monitor")));
    });
}

#[test]
fn a_chirp_into_the_microphone_is_heard_in_the_feed() {
    with_pulse(&["a", "b"], |pulse| {
        let (sound, _events) = Sound::start().unwrap();
        let (microphone, mut feed) = sound.microphone(named("mic_b")).unwrap();
        assert_eq!(microphone.status().device.unwrap().name, "Microphone-b");
        in_use(pulse, "mic_b");
        let _playing = pulse.play_into("in_b", &chirps(50)).unwrap();
        hear(&mut feed, |heard| find_chirps(heard, 0.9).len() >= 3);
        assert!(microphone.level().peak > 0.1);
        assert_eq!(microphone.status().rate, 48_000);
        no_allocation_in_callbacks();
    });
}

#[test]
fn what_is_fed_comes_out_of_the_speaker() {
    with_pulse(&["a"], |pulse| {
        let (sound, _events) = Sound::start().unwrap();
        let (_clock, mut clock) = sound.microphone(MicrophoneChoice::Silence).unwrap();
        let (speaker, mut feed) = sound.speaker(SpeakerChoice::Default).unwrap();
        in_use(pulse, "spk_a");
        let hearing = pulse.hear("spk_a").unwrap();
        in_use(pulse, "spk_a.monitor");
        play(&mut feed, &mut clock, &chirps(8));
        let heard = hearing.stop();
        assert!(find_chirps(&heard.samples, 0.9).len() >= 3, "loudest {}", peak(&heard.samples));
        assert!(speaker.level().peak > 0.1);
        no_allocation_in_callbacks();
    });
}

#[test]
fn a_microphone_that_is_pulled_is_replaced_by_the_default_and_returned_to() {
    with_pulse(&["a", "b"], |pulse| {
        let (sound, events) = Sound::start().unwrap();
        let (_microphone, mut feed) = sound.microphone(named("mic_b")).unwrap();
        changed_to(&events, "mic_b");
        let _playing = pulse.play_into("in_a", &chirps(100)).unwrap();
        hear(&mut feed, |heard| heard.len() > 9_600);

        pulse.unplug("mic_b").unwrap();
        let pulled = Instant::now();
        wait_for(
            &events,
            |event| matches!(event, SoundEvent::DeviceLost { name, .. } if name == "Microphone-b"),
        );
        changed_to(&events, "mic_a");
        let took = pulled.elapsed();
        println!("replaced after {took:?}");
        hear(&mut feed, |heard| find_chirps(heard, 0.9).len() >= 2);
        assert!(took < REPLACED, "{took:?}");

        pulse.plug("mic_b").unwrap();
        let plugged = Instant::now();
        changed_to(&events, "mic_b");
        println!("returned to after {:?}", plugged.elapsed());
        let heard = hear(&mut feed, |heard| heard.len() > 24_000);
        assert_eq!(peak(&heard[heard.len() - 9_600..]), 0.0, "nobody speaks into b");
    });
}

#[test]
fn a_speaker_that_is_pulled_is_replaced_by_the_default() {
    with_pulse(&["a", "b"], |pulse| {
        let (sound, events) = Sound::start().unwrap();
        let (_clock, mut clock) = sound.microphone(MicrophoneChoice::Silence).unwrap();
        let choice = SpeakerChoice::Named("Speaker-b".to_owned());
        let (speaker, mut feed) = sound.speaker(choice).unwrap();
        changed_to(&events, "spk_b");
        play(&mut feed, &mut clock, &chirps(2));
        pulse.unplug("spk_b").unwrap();
        let pulled = Instant::now();
        changed_to(&events, "spk_a");
        let took = pulled.elapsed();
        println!("replaced after {took:?}");
        assert!(took < REPLACED, "{took:?}");
        in_use(pulse, "spk_a");
        let hearing = pulse.hear("spk_a").unwrap();
        in_use(pulse, "spk_a.monitor");
        play(&mut feed, &mut clock, &chirps(8));
        assert!(!find_chirps(&hearing.stop().samples, 0.9).is_empty());
        assert_eq!(speaker.status().device.unwrap().name, "Speaker-a");
    });
}

#[test]
fn two_speakers_play_at_once() {
    with_pulse(&["a", "b"], |pulse| {
        let (sound, _events) = Sound::start().unwrap();
        let (_clock, mut clock) = sound.microphone(MicrophoneChoice::Silence).unwrap();
        let on = |name: &str| sound.speaker(SpeakerChoice::Named(name.to_owned())).unwrap();
        let (call, _call_feed) = on("Speaker-a");
        let (ringtone, mut ringtone_feed) = on("Speaker-b");
        assert_eq!(call.status().device.unwrap().name, "Speaker-a");
        assert_eq!(ringtone.status().device.unwrap().name, "Speaker-b");
        let hearing = pulse.hear("spk_b").unwrap();
        in_use(pulse, "spk_b.monitor");
        play(&mut ringtone_feed, &mut clock, &chirps(8));
        assert!(!find_chirps(&hearing.stop().samples, 0.9).is_empty());
    });
}

#[test]
fn the_default_is_followed_and_a_chosen_device_is_not_left() {
    with_pulse(&["a", "b"], |pulse| {
        let (sound, events) = Sound::start().unwrap();
        let (_followed, _feed) = sound.microphone(MicrophoneChoice::Default).unwrap();
        changed_to(&events, "mic_a");
        let (kept, _kept_feed) = sound.speaker(SpeakerChoice::Named("pulseaudio:spk_a".to_owned())).unwrap();
        changed_to(&events, "spk_a");
        pulse.set_default("mic_b").unwrap();
        changed_to(&events, "mic_b");
        pulse.set_default("spk_b").unwrap();
        wait_for(&events, |event| *event == SoundEvent::DevicesChanged);
        assert_eq!(kept.status().device.unwrap().name, "Speaker-a");
    });
}

#[test]
fn a_server_that_is_killed_is_found_again_when_it_returns() {
    with_pulse(&["a"], |pulse| {
        let (sound, events) = Sound::start().unwrap();
        let (microphone, mut feed) = sound.microphone(MicrophoneChoice::Default).unwrap();
        let (_speaker, mut speaker) = sound.speaker(SpeakerChoice::Default).unwrap();
        changed_to(&events, "spk_a");
        pulse.kill();
        wait_for(&events, |event| {
            matches!(event, SoundEvent::NoDevice { kind: SoundKind::Microphone, problem: Problem::NoServer })
        });
        wait_for(&events, |event| matches!(event, SoundEvent::NoDevice { kind: SoundKind::Speaker, .. }));
        assert_eq!(microphone.status().problem, Some(Problem::NoServer));
        assert_eq!(speaker.fill(), None);

        pulse.restart().unwrap();
        let returned = Instant::now();
        let mut waited_for = vec!["pulseaudio:mic_a", "pulseaudio:spk_a"];
        while !waited_for.is_empty() {
            wait_for(&events, |event| {
                let SoundEvent::DeviceChanged { device, .. } = event else { return false };
                waited_for.contains(&device.as_str())
            });
            let running = [microphone.status(), _speaker.status()];
            waited_for.retain(|id| {
                !running.iter().flat_map(|status| &status.device).any(|device| device.id.as_str() == *id)
            });
        }
        let took = returned.elapsed();
        println!("found again after {took:?}");
        assert!(took < REPLACED, "{took:?}");
        let _playing = pulse.play_into("in_a", &chirps(100)).unwrap();
        hear(&mut feed, |heard| find_chirps(heard, 0.9).len() >= 2);
        assert!(speaker.put(&[0.0; 480]));
        no_allocation_in_callbacks();
    });
}

#[test]
fn a_server_that_hangs_holds_nobody_up() {
    with_pulse(&["a"], |pulse| {
        let (sound, events) = Sound::start().unwrap();
        let (microphone, _feed) = sound.microphone(MicrophoneChoice::Default).unwrap();
        changed_to(&events, "mic_a");
        pulse.freeze().unwrap();
        let frozen = Instant::now();
        wait_for(&events, |event| matches!(event, SoundEvent::NoDevice { problem: Problem::NoAnswer, .. }));
        println!("told after {:?}", frozen.elapsed());
        let closing = Instant::now();
        microphone.switch(&MicrophoneChoice::Silence).unwrap();
        drop(microphone);
        drop(sound);
        let took = closing.elapsed();
        println!("closed after {took:?}");
        assert!(took < REPLACED, "{took:?}");
        pulse.thaw().unwrap();
    });
}

#[test]
fn a_server_that_hung_is_used_again_when_it_answers() {
    with_pulse(&["a"], |pulse| {
        let (sound, events) = Sound::start().unwrap();
        let (_microphone, mut feed) = sound.microphone(MicrophoneChoice::Default).unwrap();
        changed_to(&events, "mic_a");
        pulse.freeze().unwrap();
        wait_for(&events, |event| matches!(event, SoundEvent::NoDevice { problem: Problem::NoAnswer, .. }));
        pulse.thaw().unwrap();
        changed_to(&events, "mic_a");
        let _playing = pulse.play_into("in_a", &chirps(100)).unwrap();
        hear(&mut feed, |heard| find_chirps(heard, 0.9).len() >= 2);
    });
}

#[test]
fn without_a_microphone_the_monitor_of_a_speaker_is_none() {
    with_pulse(&["a"], |pulse| {
        pulse.unplug("mic_a").unwrap();
        let (sound, events) = Sound::start().unwrap();
        let (microphone, _feed) = sound.microphone(MicrophoneChoice::Default).unwrap();
        assert_eq!(microphone.status().problem, Some(Problem::NoDevice));
        pulse.plug("mic_a").unwrap();
        changed_to(&events, "mic_a");
        assert_eq!(microphone.status().problem, None);
    });
}

#[test]
fn a_machine_without_a_sound_server_says_what_is_missing() {
    with_pulse(&["a"], |pulse| {
        pulse.kill();
        let devices = sound_devices();
        println!("{devices:?}");
        let (sound, _events) = Sound::start().unwrap();
        let (microphone, _feed) = sound.microphone(MicrophoneChoice::Default).unwrap();
        let problem = microphone.status().problem;
        println!("{problem:?}");
        assert!(devices.is_ok() || devices.unwrap_err().to_string().contains("start PulseAudio or PipeWire"));
    });
}

#[test]
fn devices_opened_and_closed_many_times_leave_nothing_behind() {
    with_pulse(&["a"], |pulse| {
        let (sound, _events) = Sound::start().unwrap();
        let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let once = || {
            let microphone = sound.microphone(MicrophoneChoice::Default).unwrap();
            let speaker = sound.speaker(SpeakerChoice::Default).unwrap();
            assert!(microphone.0.status().device.is_some() && speaker.0.status().device.is_some());
        };
        let idle = |limit: usize| {
            let until = Instant::now() + LIMIT;
            while threads() > limit || !pulse.in_use().unwrap().is_empty() {
                assert!(Instant::now() < until, "{} threads, {:?} in use", threads(), pulse.in_use());
            }
        };
        once();
        idle(16);
        let before = (descriptors(), threads());
        (0..20).for_each(|_| once());
        idle(before.1 + 1);
        let after = (descriptors(), threads());
        println!("before {before:?}, after {after:?}");
        // A look at the devices may be under way.
        assert!(after.0 <= before.0 + 3, "{before:?} {after:?}");
    });
}
