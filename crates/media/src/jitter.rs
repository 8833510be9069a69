//! The jitter buffer: packets in as the network brings them, even sound out, 10 ms at a time.
//!
//! [`JitterBuffer::insert`] takes packets, [`JitterBuffer::next`] fills the next 10 ms and says how. Both take the time
//! as an argument, since any one moment of the caller's, and neither takes memory: all of it is taken when the buffer is
//! made.
//!
//! The parts: `packets` hold what waits, `timeline` unwraps numbers and finds jumps, `delay` says how long to wait,
//! `sound` is what was decoded and not yet played, `playout` fills it and makes up for what is missing, `drift` knows the
//! sender's clock and plays by it.

mod delay;
mod drift;
#[cfg(any(test, feature = "arbitrary"))]
pub mod operations;
mod packets;
mod playout;
mod sound;
mod stats;
#[cfg(test)]
mod tests;
mod timeline;

use std::time::Duration;

pub use packets::{MAX_PACKETS, MAX_PAYLOAD};
pub use stats::{Decision, Stats};

use crate::comfort::Background;
use crate::{Frame, SAMPLE_RATE, SpeechDecoder};
use delay::Delay;
use drift::Drift;
use packets::{Packets, Stored};
use sound::Sound;
use timeline::{Place, Timeline};

/// Time and timestamps, in samples.
type Samples = i64;
const SECOND: Samples = SAMPLE_RATE as Samples;
const MILLISECOND: Samples = SECOND / 1_000;
/// The shortest packet: 2.5 ms. Decoders make sound up in multiples of it.
const MIN_SAMPLES: usize = 120;
/// The longest packet: 120 ms (RFC 6716, section 3.2.5, R5).
const MAX_SAMPLES: usize = 5_760;
/// How many packets in a row without FEC say that the sender adds none.
const FEC_REFUSALS: u8 = 3;
/// For how many lost packets before one that came it is asked whether it can stand in.
const STOOD_IN: i64 = 50;

/// A packet as it came.
#[derive(Debug, Clone, Copy)]
pub struct ReceivedPacket<'a> {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, at 48 kHz (RFC 7587, section 4.1).
    pub timestamp: u32,
    /// When it came, by the clock that [`JitterBuffer::next`] is given.
    pub arrival: Duration,
    /// It was lost and asked for again. It may still be of use; but to wait for such would cost a round trip and, after a
    /// pause, in which a loss shows only with the next packet, far more.
    pub repaired: bool,
    /// The codec's packet; at most [`MAX_PAYLOAD`] bytes.
    pub payload: &'a [u8],
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receipt {
    /// It waits for its turn.
    Kept,
    /// Something was played in its place; what is left of it, if anything, waits.
    Late,
    /// It had come before.
    Duplicate,
    /// Its numbers don't fit the others'.
    OutOfWindow,
    /// Not a packet of the codec, or too long.
    Malformed,
}

/// Bounds of the playout delay, counted from the fastest packet of the last seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The least.
    pub min_delay: Duration,
    /// The most.
    pub max_delay: Duration,
    /// How much of it may be there for what later packets carry of lost ones.
    pub max_repair: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_delay: Duration::ZERO,
            max_delay: Duration::from_millis(400),
            max_repair: Duration::from_millis(120),
        }
    }
}

/// Turns packets of one RTP stream into even sound. See the module's head.
pub struct JitterBuffer<D> {
    decoder: D,
    min_delay: Samples,
    max_delay: Samples,
    max_repair: Samples,
    held: Samples,
    packets: Packets,
    timeline: Timeline,
    delay: Delay,
    drift: Drift,
    sound: Sound,
    background: Background,
    /// Which of the newest 128 sequence numbers have come: bit *i* is the newest − *i*.
    seen: u128,
    fec_refusals: u8,

    playing: bool,
    /// The latest moment given, and the same evened out: 10 ms a step.
    now: Samples,
    clock: Samples,
    /// The timestamp at which decoded sound ends.
    next_start: Samples,
    /// The sequence number of the packet decoded last, how long it was, and whether it said that silence follows.
    last_sequence: i64,
    last_samples: usize,
    last_says_silence: bool,
    /// Sound does not go on from what lies in the queue.
    seam: bool,
    wait: Wait,
    /// How much silence comes before the packet at `next_start`.
    pause: Samples,
    /// How much was made up since the last sound that came.
    made_up: usize,
    cooldown: u32,
    hold: Option<f64>,
    scratch: Vec<f32>,
    stats: Stats,
}

/// What was played while nothing was there to play, and no later packet said what it was in place of.
#[derive(Debug, Clone, Copy, Default)]
struct Wait {
    concealed: Samples,
    comfort: Samples,
}

impl Wait {
    fn samples(self) -> Samples {
        self.concealed.saturating_add(self.comfort)
    }
}

impl<D: SpeechDecoder> JitterBuffer<D> {
    /// An empty buffer. Takes all its memory.
    pub fn new(decoder: D, settings: Settings) -> Self {
        let min_delay = samples(settings.min_delay).min(10 * SECOND);
        Self {
            decoder,
            min_delay,
            max_delay: samples(settings.max_delay).clamp(min_delay, 10 * SECOND),
            max_repair: samples(settings.max_repair),
            held: 0,
            packets: Packets::new(),
            timeline: Timeline::default(),
            delay: Delay::new(),
            drift: Drift::new(),
            sound: Sound::new(),
            background: Background::new(),
            seen: 0,
            fec_refusals: FEC_REFUSALS,
            playing: false,
            now: 0,
            clock: 0,
            next_start: 0,
            last_sequence: 0,
            last_samples: 2 * crate::FRAME_SAMPLES,
            last_says_silence: false,
            seam: false,
            wait: Wait::default(),
            pause: 0,
            made_up: 0,
            cooldown: 0,
            hold: None,
            scratch: vec![0.0; MAX_SAMPLES],
            stats: Stats::default(),
        }
    }

    /// The decoder, to change its settings.
    pub fn decoder_mut(&mut self) -> &mut D {
        &mut self.decoder
    }

    /// Plays all so much later than it would: for pictures that take longer than their sound. Within the most that the delay
    /// may be.
    pub fn hold(&mut self, by: Duration) {
        self.held = samples(by).min(self.max_delay);
    }

    /// The timestamp of the sample after the last one that was filled in; `None` before the first packet, and while nobody
    /// knows whether a packet is late or the sender silent.
    pub fn next_timestamp(&self) -> Option<u32> {
        // Modulo 2³², as in RTP.
        (self.playing && self.wait.samples() == 0).then(|| self.position() as u32)
    }

    /// Counts since the start, and how it stands now.
    pub fn stats(&self) -> Stats {
        Stats {
            playout_delay: stats::duration(self.hold.unwrap_or(0.0) as Samples),
            target_delay: stats::duration(self.target().saturating_sub(self.delay.typical())),
            ..self.stats
        }
    }

    /// How many packets wait: at most [`MAX_PACKETS`].
    pub fn waiting(&self) -> usize {
        self.packets.len()
    }

    /// Takes a packet.
    pub fn insert(&mut self, packet: ReceivedPacket<'_>) -> Receipt {
        self.stats.received += 1;
        let receipt = self.place(packet);
        match receipt {
            Receipt::Kept => {}
            Receipt::Late => self.stats.late += 1,
            Receipt::Duplicate => self.stats.duplicate += 1,
            Receipt::OutOfWindow => self.stats.out_of_window += 1,
            Receipt::Malformed => self.stats.malformed += 1,
        }
        receipt
    }

    fn place(&mut self, packet: ReceivedPacket<'_>) -> Receipt {
        let length = match self.decoder.samples(packet.payload) {
            Ok(length) if packet.payload.len() <= MAX_PAYLOAD => length,
            Ok(_) | Err(_) => return Receipt::Malformed,
        };
        if !(MIN_SAMPLES..=MAX_SAMPLES).contains(&length) {
            return Receipt::Malformed;
        }
        let arrival = samples(packet.arrival);
        let newest = self.timeline.newest();
        let place = self.timeline.place(packet.sequence, packet.timestamp, arrival, self.delay.fastest());
        let (sequence, start) = match place {
            Place::Stray => return Receipt::OutOfWindow,
            Place::Within { sequence, start } => (sequence, start),
            Place::First { sequence, start } | Place::Anew { sequence, start } => {
                self.begin_anew(sequence, start, newest.is_some());
                (sequence, start)
            }
        };
        if self.has_come(sequence, newest.unwrap_or(sequence)) {
            return Receipt::Duplicate;
        }
        if !packet.repaired {
            self.delay.observe(arrival.saturating_sub(start), length, arrival);
            self.drift.observe(arrival.saturating_sub(start), arrival);
        }
        if let (Place::Within { .. }, Some(newest)) = (place, newest) {
            self.observe_stand_ins(packet.payload, sequence - newest - 1, (start, length), arrival);
        }
        self.keep(sequence, (start, length), arrival, packet.payload)
    }

    fn keep(
        &mut self,
        sequence: i64,
        (start, length): (Samples, usize),
        arrival: Samples,
        payload: &[u8],
    ) -> Receipt {
        if !self.playing {
            self.next_start = self.next_start.min(start);
            self.last_sequence = self.last_sequence.min(sequence - 1);
        }
        let late = self.is_late(sequence, start);
        if start.saturating_add(length as Samples) <= self.next_start {
            return Receipt::Late;
        }
        match self.packets.insert((start, length), sequence, arrival, payload) {
            Stored::Duplicate => Receipt::Duplicate,
            Stored::Kept if late => Receipt::Late,
            Stored::Kept => Receipt::Kept,
            Stored::InPlaceOfTheOldest => {
                self.stats.out_of_window += 1;
                Receipt::Kept
            }
        }
    }

    /// Whether something was played in its place. After a pause of the sender's nothing was.
    fn is_late(&self, sequence: i64, start: Samples) -> bool {
        let after_pause = sequence == self.last_sequence + 1 && start > self.next_start;
        start < self.next_start
            || (!after_pause && start < self.next_start.saturating_add(self.wait.samples()))
    }

    /// Marks a sequence number as come, and says whether it was. `newest` is the newest before it.
    fn has_come(&mut self, sequence: i64, newest: i64) -> bool {
        let ahead = sequence - newest;
        if ahead > 0 {
            let shift = u32::try_from(ahead).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(shift).unwrap_or(0) | 1;
            return false;
        }
        let Some(bit) = u32::try_from(-ahead).ok().and_then(|back| 1u128.checked_shl(back)) else {
            return false;
        };
        let had = self.seen & bit != 0;
        self.seen |= bit;
        had
    }

    /// A lost packet that a later one can restore has as good as come with that one: so that the target leaves time
    /// for it.
    fn observe_stand_ins(
        &mut self,
        payload: &[u8],
        missing: i64,
        (start, length): (Samples, usize),
        arrival: Samples,
    ) {
        if missing <= 0 {
            return;
        }
        let reach = self.decoder.dred_samples(payload) as Samples;
        let reach = if self.fec_refusals < FEC_REFUSALS { reach.max(length as Samples) } else { reach };
        let restored = missing.min(STOOD_IN).min(reach.min(self.max_repair) / length as Samples);
        let transit = |lost| arrival.saturating_sub(start).saturating_add(lost * length as Samples);
        for lost in 1..=restored {
            self.delay.observe(transit(lost), length, arrival);
        }
        if restored > 1 {
            self.delay.observe_repair(transit(restored), arrival);
        }
    }

    fn begin_anew(&mut self, sequence: i64, start: Samples, jumped: bool) {
        if jumped {
            self.stats.jumped += 1;
            self.delay.clear();
            self.drift.clear();
            self.packets.clear();
        }
        self.seen = 0;
        self.seam = true;
        self.wait = Wait::default();
        self.pause = 0;
        self.next_start = start;
        self.last_sequence = sequence - 1;
    }

    /// Fills the next 10 ms, to be played at `now`, and says with what. Call it once per 10 ms.
    ///
    /// Before the first packet has come there is silence, which counts as comfort noise.
    pub fn next(&mut self, now: Duration, out: &mut Frame) -> Decision {
        self.tick(samples(now));
        self.delay.shift(self.drift.grown());
        self.playing |= self.packets.len() > 0;
        let decision = if self.playing {
            let over = self.over();
            let wanted = self.drift.takes(over);
            self.fill(wanted);
            let scaled = self.adapt();
            let counts = self.drift.play(wanted, out, |piece| self.sound.take(piece));
            self.stats.count_samples(&counts);
            if counts
                .iter()
                .zip(sound::Origin::ALL)
                .all(|(count, origin)| *count == 0 || origin.is_received())
            {
                self.background.learn(out);
            }
            scaled.unwrap_or_else(|| playout::most_of(&counts))
        } else {
            out.fill(0.0);
            Decision::ComfortNoise
        };
        self.stats.count(decision);
        decision
    }

    /// By how much the sender's clock is faster than ours, in parts per million; `None` while that is not beyond doubt.
    pub fn drift_ppm(&self) -> Option<f64> {
        self.drift.ppm()
    }

    /// Takes the time. What the caller's timer is early or late by is evened out.
    fn tick(&mut self, now: Samples) {
        self.now = self.now.max(now);
        let expected = self.clock.saturating_add(crate::FRAME_SAMPLES as Samples);
        let late = self.now.saturating_sub(expected);
        self.clock = if late.abs() > 30 * MILLISECOND { self.now } else { expected + late / 8 };
    }
}

/// A time as samples. Times of more than a century are the same.
fn samples(time: Duration) -> Samples {
    let seconds = Samples::try_from(time.as_secs().min(1 << 32)).unwrap_or(0);
    seconds * SECOND + Samples::from(time.subsec_nanos()) * SECOND / 1_000_000_000
}
