//! Packets of pictures, as they come, into frames in the order of decoding.
//!
//! A frame is given out as soon as it is whole and every frame that it refers to was given out before. Where packets are
//! missing, the frames after them wait: for a repair, for proof that nobody refers to what is missing (the numbers that
//! both codecs give the frames that others refer to), or for the next keyframe, whichever comes first. So nothing is ever
//! decoded that could show a broken picture.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use super::packets::{Joined, Peek, Place, join};
use super::{EncodedFrame, VideoCodec};

/// What is kept of a stream at most: far more than a second of 20 Mbit/s.
pub(super) const MAX_BYTES: usize = 4 << 20;
pub(super) const MAX_PACKETS: usize = 4_096;
/// A sequence number so far ahead or behind is that of another stream: it begins anew.
const JUMP: i64 = 3_000;
/// How long a repair is waited for before a keyframe is asked for.
const LEAST_WAIT: Duration = Duration::from_millis(80);
const MOST_WAIT: Duration = Duration::from_millis(400);
/// What a repair takes beside the round trip: until the gap is noticed and the request is sent.
const NOTICED: Duration = Duration::from_millis(30);

/// A packet of pictures.
#[derive(Debug, Clone)]
pub struct VideoPacket {
    /// How it is written down.
    pub codec: VideoCodec,
    /// Of RTP.
    pub sequence: u16,
    /// Of the picture, at 90 kHz, from an arbitrary start.
    pub timestamp: u32,
    /// The last of its frame.
    pub marker: bool,
    /// What RFC 6184 or RFC 7741 makes of it.
    pub payload: Bytes,
    /// When it came, since an arbitrary start.
    pub arrival: Duration,
}

/// A frame, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssembledFrame {
    /// What to decode.
    pub frame: EncodedFrame,
    /// Of the picture, at 90 kHz.
    pub timestamp: u32,
    /// When its last packet came.
    pub arrival: Duration,
    /// When its first packet came.
    pub began: Duration,
}

/// What became of the packets. Totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AssemblyStats {
    /// Frames given out.
    pub frames: u64,
    /// Of these, keyframes.
    pub keyframes: u64,
    /// Frames that were passed over because nobody refers to them, at least.
    pub skipped: u64,
    /// Packets thrown away: they came twice, or after their frame's turn.
    pub late: u64,
    /// Packets thrown away: no payload of their codec, or pieces that made no frame.
    pub malformed: u64,
    /// How often everything was thrown away: the stream jumped, or too much was waiting.
    pub resets: u64,
}

/// Assembles the frames of one stream.
#[derive(Debug)]
pub struct FrameAssembly {
    packets: BTreeMap<i64, Waiting>,
    bytes: usize,
    /// The highest number so far, gone on counting beyond 16 bits.
    highest: Option<i64>,
    /// The first packet that was not given out; `None`: a keyframe is waited for.
    next: Option<i64>,
    /// The newest frame given out that others refer to.
    base: Option<(VideoCodec, Place)>,
    frame_number_bits: Option<u8>,
    /// The number of the packet that is missing, and since when.
    gap: Option<(i64, Duration)>,
    wait: Duration,
    stats: AssemblyStats,
}

#[derive(Debug)]
struct Waiting {
    packet: VideoPacket,
    peek: Peek,
}

impl Default for FrameAssembly {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameAssembly {
    /// One that waits for a keyframe.
    pub fn new() -> Self {
        Self {
            packets: BTreeMap::new(),
            bytes: 0,
            highest: None,
            next: None,
            base: None,
            frame_number_bits: None,
            gap: None,
            wait: LEAST_WAIT,
            stats: AssemblyStats::default(),
        }
    }

    /// What became of the packets so far.
    pub const fn stats(&self) -> AssemblyStats {
        self.stats
    }

    /// How long a request for a packet and its answer take: repairs are waited for accordingly.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.wait = (round_trip.saturating_mul(3) / 2 + NOTICED).clamp(LEAST_WAIT, MOST_WAIT);
    }

    /// Takes a packet in.
    pub fn insert(&mut self, packet: VideoPacket) {
        let Some(peek) = Peek::at(packet.codec, &packet.payload) else {
            self.stats.malformed += 1;
            return;
        };
        let mut number = self.number(packet.sequence);
        if self.highest.is_some_and(|highest| (number - highest).abs() > JUMP) {
            self.reset();
            self.highest = None;
            number = i64::from(packet.sequence);
        }
        if self.next.is_some_and(|next| number < next) || self.packets.contains_key(&number) {
            self.stats.late += 1;
            return;
        }
        self.highest = self.highest.max(Some(number));
        self.bytes += packet.payload.len();
        self.packets.insert(number, Waiting { packet, peek });
        if self.packets.len() > MAX_PACKETS || self.bytes > MAX_BYTES {
            self.reset();
        }
    }

    /// The next frame, if it is whole. To be called until there is none, after each packet and whenever
    /// [`needs_keyframe`](Self::needs_keyframe) is asked.
    pub fn pop(&mut self, now: Duration) -> Option<AssembledFrame> {
        loop {
            let run = self.ready(now)?;
            self.gap = None;
            if let Some(frame) = self.take(run) {
                return Some(frame);
            }
        }
    }

    /// Whether only a keyframe helps, or one would come sooner than the repair that is waited for. While it is needed it
    /// has to be asked for again and again.
    pub fn needs_keyframe(&self, now: Duration) -> bool {
        self.next.is_none() || self.gap.is_some_and(|(_, since)| now.saturating_sub(since) >= self.wait)
    }

    /// The decoder has lost its thread: nothing but a keyframe is given out from here on.
    pub fn await_keyframe(&mut self) {
        self.next = None;
        self.base = None;
        self.gap = None;
    }

    /// Whether no more waits than may.
    #[cfg(any(test, feature = "arbitrary"))]
    pub(super) fn is_bounded(&self) -> bool {
        let bytes: usize = self.packets.values().map(|waiting| waiting.packet.payload.len()).sum();
        bytes == self.bytes && bytes <= MAX_BYTES && self.packets.len() <= MAX_PACKETS
    }

    /// Goes on counting where 16 bits begin anew.
    fn number(&self, sequence: u16) -> i64 {
        self.highest.map_or(i64::from(sequence), |highest| {
            // Of two's complement: the difference modulo 2^16, nearest to zero.
            let ahead = sequence.wrapping_sub(highest as u16) as i16;
            highest + i64::from(ahead)
        })
    }

    fn reset(&mut self) {
        self.packets.clear();
        self.bytes = 0;
        self.await_keyframe();
        self.stats.resets += 1;
    }

    /// The packets of the frame to give out now.
    fn ready(&mut self, now: Duration) -> Option<Range<i64>> {
        let Some(next) = self.next else {
            return self.keyframe_from(i64::MIN);
        };
        if let Some(end) = self.whole(next) {
            return Some(next..end);
        }
        let missing = self.first_missing(next);
        // Everything that came is there: the rest of the frame is on its way.
        self.packets.range(missing..).next()?;
        if self.gap.is_none_or(|(number, _)| number != missing) {
            self.gap = Some((missing, now));
        }
        self.keyframe_from(missing).or_else(|| self.independent(missing)).inspect(|_| self.stats.skipped += 1)
    }

    /// The first number from `from` on whose packet is not there.
    fn first_missing(&self, from: i64) -> i64 {
        let mut expected = from;
        for &number in self.packets.range(from..).map(|(number, _)| number) {
            if number != expected {
                break;
            }
            expected += 1;
        }
        expected
    }

    /// Where the frame that begins with this packet ends, if all of it is there.
    fn whole(&self, begin: i64) -> Option<i64> {
        let timestamp = self.packets.get(&begin)?.packet.timestamp;
        let mut expected = begin;
        for (&number, Waiting { packet, .. }) in self.packets.range(begin..) {
            if number != expected {
                return None;
            }
            if packet.timestamp != timestamp {
                return Some(number);
            }
            expected += 1;
            if packet.marker {
                return Some(expected);
            }
        }
        None
    }

    /// The newest keyframe that is whole, from this number on.
    fn keyframe_from(&self, from: i64) -> Option<Range<i64>> {
        self.packets
            .range(from..)
            .rev()
            .filter(|(number, waiting)| {
                waiting.peek.starts && waiting.peek.keyframe && self.begins(**number, waiting)
            })
            .find_map(|(&begin, _)| Some(begin..self.whole(begin)?))
    }

    /// A start may be told from the payload; of a frame of several units it is the first that counts.
    fn begins(&self, number: i64, waiting: &Waiting) -> bool {
        let before = number.checked_sub(1).and_then(|before| self.packets.get(&before));
        before.is_none_or(|before| before.packet.timestamp != waiting.packet.timestamp)
    }

    /// The first whole frame after the gap, if it refers to nothing that is missing.
    fn independent(&mut self, missing: i64) -> Option<Range<i64>> {
        let (codec, base) = self.base?;
        let (&begin, waiting) = self
            .packets
            .range(missing..)
            .find(|(number, waiting)| waiting.peek.starts && self.begins(**number, waiting))?;
        let range = begin..self.whole(begin)?;
        let same = waiting.packet.codec == codec;
        let mut bits = self.frame_number_bits;
        let payloads = self.packets.range(range.clone()).map(|(_, waiting)| &waiting.packet.payload);
        let place = join(codec, payloads, &mut bits)?.place?;
        (same && place.follows(codec, base)).then_some(range)
    }

    /// Takes a frame's packets out, and all before them. `None`: they make no frame.
    fn take(&mut self, run: Range<i64>) -> Option<AssembledFrame> {
        let after = self.packets.split_off(&run.end);
        let all = std::mem::replace(&mut self.packets, after);
        self.bytes = self.packets.values().map(|waiting| waiting.packet.payload.len()).sum();
        let goes_on = self.next == Some(run.start);
        self.next = Some(run.end);
        let parts: Vec<_> = all.range(run).map(|(_, waiting)| &waiting.packet).collect();
        let first = parts.first()?;
        let (codec, timestamp) = (first.codec, first.timestamp);
        let arrivals = || parts.iter().map(|packet| packet.arrival);
        let (began, arrival) = (arrivals().min()?, arrivals().max()?);
        let one_codec = parts.iter().all(|packet| packet.codec == codec);
        let payloads = parts.iter().map(|packet| &packet.payload);
        let joined = one_codec.then(|| join(codec, payloads, &mut self.frame_number_bits)).flatten();
        let Some(Joined { frame, place }) = joined else {
            self.stats.malformed += parts.len() as u64;
            self.await_keyframe();
            return None;
        };
        // The packets of a keyframe may hold less than they promise: parameters without a picture.
        let follows = || {
            self.base.zip(place).is_some_and(|((of, base), place)| of == codec && place.follows(codec, base))
        };
        if !(goes_on || frame.keyframe || follows()) {
            self.stats.malformed += parts.len() as u64;
            self.await_keyframe();
            return None;
        }
        if frame.keyframe {
            self.base = None;
            self.stats.keyframes += 1;
        }
        if let Some(place) = place.filter(|place| place.referred) {
            self.base = Some((codec, place));
        }
        self.stats.frames += 1;
        Some(AssembledFrame { frame, timestamp, arrival, began })
    }
}

#[cfg(test)]
mod tests;
