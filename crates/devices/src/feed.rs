//! The ends that the audio worker thread holds: 48 kHz mono, 10 ms at a time, without a lock.
//!
//! A feed outlives its device. The supervisor hands it the line of each new stream through a ring of its own.

use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use carillon_media::{FRAME_SAMPLES, Frame, SAMPLE_RATE};
use rtrb::{Consumer, Producer, RingBuffer};

use crate::line::{MicrophoneLine, SpeakerLine};

/// Lines on their way to a feed. One that nobody reads makes the supervisor keep the newest back.
const HANDOVERS: usize = 4;

/// The longest a sleeping worker goes without looking for a new line.
const GLANCE: Duration = Duration::from_millis(10);

/// The supervisor's end: the line of a new stream, or `None` when there is no device.
pub(crate) type Handover<L> = Producer<Option<L>>;

/// What a microphone hears.
///
/// For one thread. It lives through every change of device; while there is none, nothing comes.
pub struct MicrophoneFeed {
    lines: Consumer<Option<MicrophoneLine>>,
    line: Option<MicrophoneLine>,
}

impl MicrophoneFeed {
    pub(crate) fn new() -> (Handover<MicrophoneLine>, Self) {
        let (handover, lines) = RingBuffer::new(HANDOVERS);
        (handover, Self { lines, line: None })
    }

    fn follow(&mut self) {
        while let Ok(line) = self.lines.pop() {
            self.line = line;
        }
    }

    /// Takes the next 10 ms, and tells when their first sample was in the air. `None`: not there yet. Never waits.
    ///
    /// A worker that was held up takes until `None`, so that what piled up is no delay for ever.
    pub fn take(&mut self, frame: &mut Frame) -> Option<Instant> {
        self.follow();
        let line = self.line.as_mut()?;
        let wanted = line.wanted();
        if line.samples.slots() < wanted {
            return None;
        }
        match line.converter.as_mut() {
            None => line.samples.pop_entire_slice(frame).ok()?,
            Some(converter) => {
                let samples = &mut line.samples;
                converter.frame(frame, |input| {
                    let _ = samples.pop_entire_slice(input);
                });
            }
        }
        Some(line.advance(wanted))
    }

    /// Waits until the next 10 ms are there: `true`; or until `limit` has passed: `false`.
    ///
    /// The device's callback wakes the thread that waits here first; the feed may be sent to another thread, which
    /// then looks every 10 ms.
    pub fn wait(&mut self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        loop {
            self.follow();
            if let Some(line) = &self.line {
                line.pulse.wake_me();
                if line.is_ready() {
                    return true;
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            thread::park_timeout(left.min(GLANCE));
        }
    }

    /// Whether the next 10 ms are there. If not, the device's callback will unpark the thread that first asked.
    pub fn is_ready(&mut self) -> bool {
        self.follow();
        self.line.as_ref().is_some_and(|line| {
            line.pulse.wake_me();
            line.is_ready()
        })
    }

    /// Sound that waits in the ring, in samples at 48 kHz.
    pub fn waiting(&self) -> usize {
        self.line.as_ref().map_or(0, |line| at_48_khz(line.samples.slots(), line.rate()))
    }

    /// Throws away all but the newest 10 ms, for a start without old sound.
    pub fn catch_up(&mut self) {
        self.follow();
        let Some(line) = self.line.as_mut() else { return };
        let stale = line.samples.slots().saturating_sub(line.wanted());
        if let Ok(chunk) = line.samples.read_chunk(stale) {
            chunk.commit_all();
            line.advance(stale);
        }
    }

    /// Samples lost because the worker came too late, on the device of now.
    pub fn overruns(&self) -> u64 {
        self.line.as_ref().map_or(0, |line| line.pulse.missed.load(Relaxed))
    }
}

/// What a speaker plays.
///
/// For one thread. It lives through every change of device; while there is none, what is put in is lost.
pub struct SpeakerFeed {
    lines: Consumer<Option<SpeakerLine>>,
    line: Option<SpeakerLine>,
}

impl SpeakerFeed {
    pub(crate) fn new() -> (Handover<SpeakerLine>, Self) {
        let (handover, lines) = RingBuffer::new(HANDOVERS);
        (handover, Self { lines, line: None })
    }

    fn follow(&mut self) {
        while let Ok(line) = self.lines.pop() {
            self.line = line;
        }
    }

    /// Puts 10 ms behind what waits. `false`: there is no device, or no room, and the frame is lost.
    pub fn put(&mut self, frame: &Frame) -> bool {
        self.follow();
        let Some(line) = self.line.as_mut() else { return false };
        match line.converter.as_mut() {
            None => line.samples.push_entire_slice(frame).is_ok(),
            Some(converter) => line.samples.push_entire_slice(converter.samples(frame)).is_ok(),
        }
    }

    /// Sound that waits in the ring, in samples at 48 kHz: what drift control steers. `None`: there is no device,
    /// so nothing to steer.
    pub fn fill(&mut self) -> Option<usize> {
        self.follow();
        let line = self.line.as_ref()?;
        let waiting = line.samples.buffer().capacity() - line.samples.slots();
        Some(at_48_khz(waiting, line.rate))
    }

    /// Whether less than `least` samples at 48 kHz wait in the ring. If not, the device's callback will unpark the
    /// thread that first asked as soon as it is so.
    pub fn is_short_of(&mut self, least: usize) -> bool {
        self.follow();
        if let Some(line) = &self.line {
            let samples = least as u64 * u64::from(line.rate) / u64::from(SAMPLE_RATE);
            line.pulse.least.store(samples, Relaxed);
            line.pulse.wake_me();
        }
        self.fill().is_some_and(|fill| fill < least)
    }

    /// From the callback to the air, as the system reckons it; to be added to [`SpeakerFeed::fill`].
    pub fn device_delay(&self) -> Duration {
        let delay = self.line.as_ref().map_or(0, |line| line.pulse.device_delay.load(Relaxed));
        Duration::from_nanos(delay)
    }

    /// The most that the device has asked for at once, in samples at 48 kHz. The ring must hold as much when it asks.
    pub fn device_period(&self) -> usize {
        self.line
            .as_ref()
            .map_or(FRAME_SAMPLES, |line| at_48_khz(line.pulse.largest.load(Relaxed) as usize, line.rate))
    }

    /// How often the device found too little, since sound first came to the device of now.
    pub fn underruns(&self) -> u64 {
        self.line.as_ref().map_or(0, |line| line.pulse.misses.load(Relaxed))
    }
}

fn at_48_khz(samples: usize, rate: u32) -> usize {
    (samples as u64 * u64::from(SAMPLE_RATE) / u64::from(rate.max(1))) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{microphone_line, speaker_line};

    fn chunk(samples: usize) -> impl ExactSizeIterator<Item = f32> {
        (0..samples).map(|n| n as f32 / 1_000.0)
    }

    #[test]
    fn chunks_of_any_size_become_frames_with_their_times() {
        let (mut handover, mut feed) = MicrophoneFeed::new();
        let (mut intake, line) = microphone_line(48_000).unwrap();
        handover.push(Some(line)).ok().unwrap();
        let start = Instant::now();
        let mut sent = 0u64;
        let mut frame = [0.0; FRAME_SAMPLES];
        let mut frames = 0u32;
        for size in [1, 7, 480, 23, 4_000, 961].into_iter().cycle().take(60) {
            let captured = start + Duration::from_secs_f64(sent as f64 / 48_000.0);
            intake.take_in(chunk(size), captured, captured);
            sent += size as u64;
            while let Some(captured) = feed.take(&mut frame) {
                let expected = start + Duration::from_millis(10) * frames;
                let off = captured.max(expected) - captured.min(expected);
                assert!(off < Duration::from_micros(2), "frame {frames}: {off:?}");
                frames += 1;
            }
        }
        assert_eq!(u64::from(frames), sent / 480);
        assert_eq!(feed.overruns(), 0);
    }

    #[test]
    fn what_nobody_takes_in_time_is_counted_and_the_oldest_is_kept() {
        let (mut handover, mut feed) = MicrophoneFeed::new();
        let (mut intake, line) = microphone_line(48_000).unwrap();
        handover.push(Some(line)).ok().unwrap();
        let now = Instant::now();
        (0..30).for_each(|_| intake.take_in(chunk(480), now, now));
        assert!(feed.take(&mut [0.0; FRAME_SAMPLES]).is_some());
        assert_eq!(feed.overruns(), 10 * 480);
        feed.catch_up();
        assert_eq!(feed.waiting(), 480);
    }

    #[test]
    fn a_new_device_takes_over_within_the_feed() {
        let (mut handover, mut feed) = MicrophoneFeed::new();
        let mut frame = [0.0; FRAME_SAMPLES];
        assert_eq!(feed.take(&mut frame), None);
        let now = Instant::now();
        for rate in [48_000, 44_100, 48_000] {
            let (mut intake, line) = microphone_line(rate).unwrap();
            handover.push(Some(line)).ok().unwrap();
            intake.take_in(chunk(1_000), now, now);
            assert!(feed.take(&mut frame).is_some(), "{rate}");
        }
        handover.push(None).ok().unwrap();
        assert_eq!(feed.take(&mut frame), None);
    }

    #[test]
    fn a_worker_that_waits_is_woken_by_the_callback() {
        let (mut handover, mut feed) = MicrophoneFeed::new();
        let (mut intake, line) = microphone_line(48_000).unwrap();
        handover.push(Some(line)).ok().unwrap();
        assert!(!feed.wait(Duration::ZERO));
        let waiting = thread::spawn(move || feed.wait(Duration::from_secs(60)));
        let now = Instant::now();
        intake.take_in(chunk(480), now, now);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn a_speaker_that_finds_too_little_counts_it_once_sound_has_come() {
        let (mut handover, mut feed) = SpeakerFeed::new();
        assert!(!feed.put(&[0.5; FRAME_SAMPLES]), "no device yet");
        assert_eq!(feed.fill(), None);
        let (mut outlet, line) = speaker_line(48_000).unwrap();
        handover.push(Some(line)).ok().unwrap();
        let now = Instant::now();
        let mut played = Vec::new();
        let mut pull = |frames| outlet.give_out(frames, Duration::ZERO, now, |_, sample| played.push(sample));
        pull(480);
        assert_eq!((feed.fill(), feed.underruns()), (Some(0), 0));
        assert!(feed.put(&[0.5; FRAME_SAMPLES]));
        assert_eq!(feed.fill(), Some(480));
        pull(300);
        pull(300);
        assert_eq!((feed.fill(), feed.underruns()), (Some(0), 1));
        assert_eq!(played.iter().filter(|sample| **sample == 0.5).count(), 480);
        assert_eq!(played.len(), 1_080);
        assert_eq!(feed.device_period(), 480);
    }

    #[test]
    fn a_worker_is_woken_by_a_speaker_that_has_too_little() {
        let (mut handover, mut feed) = SpeakerFeed::new();
        assert!(!feed.is_short_of(480), "no device yet");
        let (mut outlet, line) = speaker_line(48_000).unwrap();
        handover.push(Some(line)).ok().unwrap();
        assert!(feed.is_short_of(240));
        assert!(feed.put(&[0.5; FRAME_SAMPLES]));
        let asleep = thread::spawn(move || {
            let mut looks = 0u32;
            while !feed.is_short_of(240) {
                thread::park_timeout(Duration::from_secs(60));
                looks += 1;
            }
            looks
        });
        let now = Instant::now();
        // The first leaves 360, the next 120.
        outlet.give_out(120, Duration::ZERO, now, |_, _| {});
        outlet.give_out(240, Duration::ZERO, now, |_, _| {});
        assert!(asleep.join().unwrap() <= 2);
    }

    #[test]
    fn a_full_ring_refuses_a_frame_and_loses_nothing_before_it() {
        let (mut handover, mut feed) = SpeakerFeed::new();
        let (_outlet, line) = speaker_line(48_000).unwrap();
        handover.push(Some(line)).ok().unwrap();
        let taken = (0..30).filter(|_| feed.put(&[0.0; FRAME_SAMPLES])).count();
        assert_eq!((taken, feed.fill()), (20, Some(9_600)));
    }
}
