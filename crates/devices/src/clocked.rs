//! Synthetic devices: a thread of their own is their clock, 10 ms by absolute deadlines.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use carillon_media::{FRAME_SAMPLES, SAMPLE_RATE};

use crate::chirp::{CHIRP_EVERY, chirp};
use crate::choice::{MicrophoneChoice, SpeakerChoice};
use crate::line::{Intake, MicrophoneLine, Outlet, SpeakerLine, microphone_line, speaker_line};
use crate::problem::SoundError;
use crate::wav::{self, Recording};

const PERIOD: Duration = Duration::from_millis(10);

/// Further behind than this, after a machine slept, the clock starts anew and does not make up for it.
const HOPELESS: Duration = Duration::from_secs(1);

/// A synthetic device that runs. Dropping it ends its thread within 10 ms.
pub(crate) struct Clocked {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// When its first sample was, or is, in the air.
    pub(crate) started: Instant,
}

impl Drop for Clocked {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// Runs `each` at every deadline. It gets the deadline; `last` runs at the end.
fn run<S: Send + 'static>(
    name: &str,
    mut state: S,
    each: fn(&mut S, Instant),
    last: fn(S),
) -> io::Result<Clocked> {
    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let stopped = stop.clone();
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let mut deadline = started + PERIOD;
        while !stopped.load(Relaxed) {
            let left = deadline.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                thread::park_timeout(left);
                continue;
            }
            each(&mut state, deadline);
            deadline += PERIOD;
            if deadline.elapsed() > HOPELESS {
                deadline = Instant::now();
            }
        }
        last(state);
    })?;
    Ok(Clocked { stop, thread: Some(thread), started })
}

/// Sound that repeats.
fn loop_of(choice: &MicrophoneChoice) -> Result<Option<Vec<f32>>, SoundError> {
    Ok(match choice {
        MicrophoneChoice::Default | MicrophoneChoice::Named(_) => None,
        MicrophoneChoice::Wav(file) => Some(wav::read(file)?),
        MicrophoneChoice::Tone => Some(tone()),
        MicrophoneChoice::Chirps => {
            let mut sound = chirp();
            sound.resize((CHIRP_EVERY.as_secs_f64() * f64::from(SAMPLE_RATE)) as usize, 0.0);
            Some(sound)
        }
        MicrophoneChoice::Silence => Some(vec![0.0; FRAME_SAMPLES]),
    })
}

/// A second of 440 Hz at a fifth of full scale: a whole number of waves, so it repeats without a click.
fn tone() -> Vec<f32> {
    let turn = std::f32::consts::TAU / SAMPLE_RATE as f32;
    // Within a turn, so that the float stays exact.
    (0..SAMPLE_RATE).map(|n| (turn * (n * 440 % SAMPLE_RATE) as f32).sin() * 0.2).collect()
}

struct Source {
    sound: Vec<f32>,
    at: usize,
    intake: Intake,
}

/// A synthetic microphone that runs; `None` when the choice is a device of the machine.
///
/// # Errors
/// When a file can't be read or no thread can be had.
pub(crate) fn microphone(choice: &MicrophoneChoice) -> Result<Option<(Clocked, MicrophoneLine)>, SoundError> {
    let Some(sound) = loop_of(choice)? else { return Ok(None) };
    let (intake, line) = microphone_line(SAMPLE_RATE)?;
    let source = Source { sound, at: 0, intake };
    let clocked = run(
        "synthetic mic",
        source,
        |source, deadline| {
            let Source { sound, at, intake } = source;
            let length = sound.len().max(1);
            let frame = (0..FRAME_SAMPLES).map(|n| sound.get((*at + n) % length).copied().unwrap_or(0.0));
            // The whole frame has been heard at its deadline.
            intake.take_in(frame, deadline.checked_sub(PERIOD).unwrap_or(deadline), Instant::now());
            *at = (*at + FRAME_SAMPLES) % length;
        },
        drop,
    )?;
    Ok(Some((clocked, line)))
}

struct Sink {
    outlet: Outlet,
    recording: Option<Recording>,
}

/// A synthetic speaker that runs; `None` when the choice is a device of the machine.
///
/// # Errors
/// When a file can't be written or no thread can be had.
pub(crate) fn speaker(choice: &SpeakerChoice) -> Result<Option<(Clocked, SpeakerLine)>, SoundError> {
    let recording = match choice {
        SpeakerChoice::Default | SpeakerChoice::Named(_) => return Ok(None),
        SpeakerChoice::Wav(file) => Some(Recording::create(file)?),
        SpeakerChoice::Null => None,
    };
    let (outlet, line) = speaker_line(SAMPLE_RATE)?;
    let clocked = run("synthetic speaker", Sink { outlet, recording }, play, |sink| {
        if let Some(recording) = sink.recording {
            // Nobody is left to be told.
            let _ = recording.finish();
        }
    })?;
    Ok(Some((clocked, line)))
}

/// What is taken at a deadline plays in the 10 ms before it, so that the first sample of a file is that of the start.
fn play(sink: &mut Sink, _: Instant) {
    let mut frame = [0.0; FRAME_SAMPLES];
    sink.outlet.give_out(FRAME_SAMPLES, Duration::ZERO, Instant::now(), |at, sample| {
        if let Some(slot) = frame.get_mut(at) {
            *slot = sample;
        }
    });
    if sink.recording.as_mut().is_some_and(|recording| recording.write(&frame).is_err()) {
        // The speaker goes on as one without a file, and the supervisor tells.
        sink.recording = None;
        sink.outlet.lose_file();
    }
}
