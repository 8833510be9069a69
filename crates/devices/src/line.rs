//! A line: the ring between a device's callback and the audio worker, with what both sides want to know.
//!
//! A line lives as long as one stream. When the supervisor replaces a stream, the feed gets a new line.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::*};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer, RingBuffer};

use crate::convert::Converter;
use crate::meter::{Meter, Tally};
use crate::problem::Problem;

/// How much sound a ring holds: a worker that was held up this long loses some.
const RING: Duration = Duration::from_millis(200);

/// Chunks whose times are remembered. A device that calls more often than once a millisecond loses some times, and
/// the feed counts on from the last it knows.
const MARKS: usize = 256;

/// What a stream's callbacks tell, by atomics alone.
pub(crate) struct Pulse {
    born: Instant,
    /// Nanoseconds after `born`; 0 before the first callback.
    moved: AtomicU64,
    pub(crate) meter: Meter,
    /// Samples that came while the ring was full, or were asked for while it was empty.
    pub(crate) missed: AtomicU64,
    /// Callbacks in which that happened.
    pub(crate) misses: AtomicU64,
    /// Between the callback and the air, in nanoseconds, as the system reckons it.
    pub(crate) device_delay: AtomicU64,
    /// Frames of the largest callback yet.
    pub(crate) largest: AtomicU64,
    /// A [`Fault`], as a number.
    fault: AtomicU8,
    /// The system changed something: look at the devices.
    pub(crate) nudge: AtomicBool,
    /// Woken by the callback when there is something to do.
    worker: OnceLock<Thread>,
    /// Samples that shall wait in a speaker's ring after each callback; below that the worker is woken.
    pub(crate) least: AtomicU64,
}

/// Why a stream ended, as the error callback saw it.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Fault {
    None,
    Gone,
    Permission,
    Busy,
    Stopped,
    File,
}

impl Pulse {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            born: Instant::now(),
            moved: AtomicU64::new(0),
            meter: Meter::default(),
            missed: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            device_delay: AtomicU64::new(0),
            largest: AtomicU64::new(0),
            fault: AtomicU8::new(Fault::None as u8),
            nudge: AtomicBool::new(false),
            worker: OnceLock::new(),
            least: AtomicU64::new(0),
        })
    }

    fn beat(&self, now: Instant, frames: usize) {
        let age = now.saturating_duration_since(self.born).as_nanos() as u64;
        self.moved.store(age.max(1), Relaxed);
        self.largest.fetch_max(frames as u64, Relaxed);
    }

    /// How long ago the last callback was; `None` before the first.
    pub(crate) fn silent_for(&self, now: Instant) -> Option<Duration> {
        let moved = self.moved.load(Relaxed);
        (moved != 0).then(|| now.saturating_duration_since(self.born + Duration::from_nanos(moved)))
    }

    /// What the error callback of a stream does.
    pub(crate) fn fail(&self, kind: cpal::ErrorKind) {
        use cpal::ErrorKind as Kind;
        let fault = match kind {
            // Counted by what it does to the ring.
            Kind::Xrun | Kind::RealtimeDenied => return,
            Kind::DeviceChanged => return self.nudge.store(true, Relaxed),
            Kind::DeviceNotAvailable => Fault::Gone,
            Kind::PermissionDenied => Fault::Permission,
            Kind::DeviceBusy => Fault::Busy,
            _ => Fault::Stopped,
        };
        self.fault.store(fault as u8, Relaxed);
    }

    /// What the error callback saw, if it was the end of the stream.
    pub(crate) fn fault(&self) -> Option<Problem> {
        match self.fault.load(Relaxed) {
            fault if fault == Fault::None as u8 => None,
            fault if fault == Fault::Gone as u8 => Some(Problem::NoDevice),
            fault if fault == Fault::Permission as u8 => Some(Problem::PermissionDenied),
            fault if fault == Fault::Busy as u8 => Some(Problem::Busy),
            fault if fault == Fault::File as u8 => {
                Some(Problem::File("the recording can't be written: is the disk full?".to_owned()))
            }
            _ => Some(Problem::Stopped),
        }
    }

    /// Has the callbacks wake this thread.
    pub(crate) fn wake_me(&self) {
        if self.worker.get().is_none() {
            let _ = self.worker.set(std::thread::current());
        }
    }

    fn wake(&self) {
        if let Some(worker) = self.worker.get() {
            worker.unpark();
        }
    }

    fn miss(&self, samples: usize) {
        self.missed.fetch_add(samples as u64, Relaxed);
        self.misses.fetch_add(1, Relaxed);
    }
}

/// A driver may deliver anything, and no filter behind this recovers from what is not a number.
fn finite(sample: f32) -> f32 {
    if sample.is_finite() { sample } else { 0.0 }
}

fn capacity(rate: u32) -> usize {
    (RING.as_secs_f64() * f64::from(rate)) as usize
}

/// When a sample was in the air.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Counted from the start of the line, at the device's rate.
    sample: u64,
    captured: Instant,
}

/// The callback's end of a microphone's line.
pub(crate) struct Intake {
    samples: Producer<f32>,
    marks: Producer<Mark>,
    written: u64,
    /// 10 ms at the device's rate.
    frame: usize,
    pulse: Arc<Pulse>,
}

impl Intake {
    /// Takes in one chunk of mono sound. `captured`: when its first sample was in the air.
    pub(crate) fn take_in(
        &mut self,
        chunk: impl ExactSizeIterator<Item = f32>,
        captured: Instant,
        now: Instant,
    ) {
        let length = chunk.len();
        self.pulse.beat(now, length);
        self.pulse.device_delay.store(now.saturating_duration_since(captured).as_nanos() as u64, Relaxed);
        let room = self.samples.slots().min(length);
        let mut tally = Tally::default();
        if let Ok(slots) = self.samples.write_chunk_uninit(room) {
            // The mark goes first: a reader that sees the samples shall know their time.
            let _ = self.marks.push(Mark { sample: self.written, captured });
            let chunk = chunk.map(finite).inspect(|sample| tally.add(*sample));
            let written = slots.fill_from_iter(chunk.take(room));
            self.written += written as u64;
        }
        self.pulse.meter.add(tally);
        if room < length {
            self.pulse.miss(length - room);
        }
        // A worker that found less than a frame would only sleep again.
        if self.samples.buffer().capacity() - self.samples.slots() >= self.frame {
            self.pulse.wake();
        }
    }
}

/// The worker's end of a microphone's line.
pub(crate) struct MicrophoneLine {
    pub(crate) samples: Consumer<f32>,
    marks: Consumer<Mark>,
    mark: Option<Mark>,
    read: u64,
    rate: u32,
    pub(crate) converter: Option<Converter>,
    pub(crate) pulse: Arc<Pulse>,
}

/// A microphone's line for a device of this rate.
///
/// # Errors
/// When nothing converts between this rate and 48 kHz.
pub(crate) fn microphone_line(rate: u32) -> Result<(Intake, MicrophoneLine), Problem> {
    let (samples_in, samples) = RingBuffer::new(capacity(rate));
    let (marks_in, marks) = RingBuffer::new(MARKS);
    let pulse = Pulse::new();
    let converter = Converter::from_device(rate)?;
    let frame = (rate / 100) as usize;
    let intake = Intake { samples: samples_in, marks: marks_in, written: 0, frame, pulse: pulse.clone() };
    Ok((intake, MicrophoneLine { samples, marks, mark: None, read: 0, rate, converter, pulse }))
}

impl MicrophoneLine {
    /// Samples of the device that the next frame takes.
    pub(crate) fn wanted(&self) -> usize {
        self.converter.as_ref().map_or(carillon_media::FRAME_SAMPLES, Converter::wanted)
    }

    /// Whether the next frame is there.
    pub(crate) fn is_ready(&self) -> bool {
        self.samples.slots() >= self.wanted()
    }

    /// The rate of the samples in the ring.
    pub(crate) const fn rate(&self) -> u32 {
        self.rate
    }

    fn span(&self, samples: f64) -> Duration {
        Duration::from_secs_f64((samples / f64::from(self.rate)).max(0.0))
    }

    /// Counts samples as read, and tells when the first of them was in the air.
    pub(crate) fn advance(&mut self, samples: usize) -> Instant {
        while let Ok(mark) = self.marks.peek() {
            if mark.sample > self.read {
                break;
            }
            self.mark = self.marks.pop().ok();
        }
        let captured = self.mark.map(|mark| mark.captured + self.span((self.read - mark.sample) as f64));
        self.read += samples as u64;
        let captured = captured.unwrap_or_else(Instant::now);
        let delay = self.converter.as_ref().map_or(Duration::ZERO, Converter::delay);
        captured.checked_sub(delay).unwrap_or(captured)
    }
}

/// The callback's end of a speaker's line.
pub(crate) struct Outlet {
    samples: Consumer<f32>,
    /// Whether sound has come: before that, an empty ring is nothing to count.
    begun: bool,
    pulse: Arc<Pulse>,
}

impl Outlet {
    /// Gives out `frames` samples to `put`, silence where there are none. `delay`: until the first is in the air.
    pub(crate) fn give_out(
        &mut self,
        frames: usize,
        delay: Duration,
        now: Instant,
        mut put: impl FnMut(usize, f32),
    ) {
        self.pulse.beat(now, frames);
        self.pulse.device_delay.store(delay.as_nanos() as u64, Relaxed);
        let there = self.samples.slots().min(frames);
        let mut tally = Tally::default();
        if let Ok(chunk) = self.samples.read_chunk(there) {
            for (at, sample) in chunk.into_iter().map(finite).enumerate() {
                tally.add(sample);
                put(at, sample);
            }
        }
        for at in there..frames {
            tally.add(0.0);
            put(at, 0.0);
        }
        self.pulse.meter.add(tally);
        self.begun |= there > 0;
        if self.begun && there < frames {
            self.pulse.miss(frames - there);
        }
        if (self.samples.slots() as u64) < self.pulse.least.load(Relaxed) {
            self.pulse.wake();
        }
    }
}

impl Outlet {
    /// What is played is no longer kept.
    pub(crate) fn lose_file(&self) {
        self.pulse.fault.store(Fault::File as u8, Relaxed);
    }
}

/// The worker's end of a speaker's line.
pub(crate) struct SpeakerLine {
    pub(crate) samples: Producer<f32>,
    pub(crate) rate: u32,
    pub(crate) converter: Option<Converter>,
    pub(crate) pulse: Arc<Pulse>,
}

/// A speaker's line for a device of this rate.
///
/// # Errors
/// When nothing converts between 48 kHz and this rate.
pub(crate) fn speaker_line(rate: u32) -> Result<(Outlet, SpeakerLine), Problem> {
    let (samples_in, samples) = RingBuffer::new(capacity(rate));
    let pulse = Pulse::new();
    let converter = Converter::to_device(rate)?;
    let outlet = Outlet { samples, begun: false, pulse: pulse.clone() };
    Ok((outlet, SpeakerLine { samples: samples_in, rate, converter, pulse }))
}
