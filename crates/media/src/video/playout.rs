//! When a picture is shown: as soon as it is there, but smoothly, and with the sound that belongs to it.
//!
//! Two things may hold a picture up. Large frames come later than small ones: a light delay, out of how much the way
//! varies, shows them at the pace at which they were taken. And sound waits in its jitter buffer: lips wait for it.
//! Where it is the pictures that are late, sound may wait a little too; never long, for a talk suffers more from delay
//! than from lips.
//!
//! Lips are seen to be wrong from about 45 ms before the sound and 125 ms after it (ITU-R BT.1359-1, figure 2). The aim
//! here is ±40 ms.

use std::collections::VecDeque;
use std::time::Duration;

/// RTP's ticks a second, of pictures (RFC 6184, RFC 7741) and of sound (RFC 7587).
const VIDEO_RATE: i64 = 90_000;
const AUDIO_RATE: i64 = 48_000;
/// No picture waits longer than that from when it came.
const MOST_ADDED: Micros = 200_000;
/// No picture waits longer than that to be smooth.
const MOST_SMOOTH: Micros = 50_000;
/// A frame that comes later than others by so much waited for a repair: that is no measure for the rest.
const REPAIRED: Micros = 100_000;
/// So many frames tell how much the way varies, and so many of a hundred come in time.
const VARIATIONS: usize = 64;
const IN_TIME: usize = 90;
/// The delay to be smooth falls by this share with each frame.
const CALMER: Micros = 32;
/// The fastest way is one of the last two spans of this length: clocks drift apart.
const SPAN: Micros = 5_000_000;
/// Timestamps that jump farther than this are those of another stream.
const JUMP: Micros = 5_000_000;
/// A picture may be this much before its sound: half of what is allowed, so that a frame's length does no harm.
const EARLY: Micros = 20_000;
/// Pictures that are later than this after their sound make the sound wait, up to the other.
const LATE: Micros = 30_000;
const MOST_HELD: Micros = 80_000;
/// The wait of the sound changes by less than this not at all.
const STEADY: Micros = 10_000;
/// How much one frame counts for how late pictures are, as a share.
const LATENESS: Micros = 16;
/// Sound that was played longer ago tells nothing.
const STALE: Micros = 2_000_000;
/// Clocks that put a picture so far from its sound are wrong.
const ABSURD: Micros = 2_000_000;

/// In millionths of a second, since an arbitrary start.
type Micros = i64;

/// What a sender report says of a stream (RFC 3550, section 6.4.1): `timestamp` was taken at `ntp`, by a clock that sound
/// and pictures of the sender have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamClock {
    /// In units of 2⁻³² s, from an arbitrary start.
    pub ntp: u64,
    /// Of RTP.
    pub timestamp: u32,
}

/// How far the sound is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoundPlayed {
    /// Of RTP, at 48 kHz: the sample that leaves the speaker…
    pub timestamp: u32,
    /// …at this time, since the same start as the arrivals of the frames. A moment to come will do.
    pub at: Duration,
    /// How long this sound was held up on behalf of the pictures, of what [`VideoPlayout::hold_sound`] said.
    pub held: Duration,
}

/// Says when each frame is shown.
#[derive(Debug, Clone, Default)]
pub struct VideoPlayout {
    /// Of sound, of pictures.
    clocks: Option<(StreamClock, StreamClock)>,
    sound: Option<SoundPlayed>,
    timeline: Option<Timeline>,
    /// Added to the fastest way, to be smooth.
    delay: Micros,
    /// How much later than the fastest each of the last frames came.
    variations: VecDeque<Micros>,
    /// When the last frame is shown.
    last: Micros,
    /// How late the pictures would be after their sound if nothing were held, on average.
    lateness: Option<Micros>,
    held: Micros,
    offset: Option<Micros>,
}

/// The way of the frames: their arrival, less the time that their timestamps tell.
#[derive(Debug, Clone, Copy)]
struct Timeline {
    timestamp: u32,
    /// The time of `timestamp`, from the first frame on.
    taken: Micros,
    /// The fastest of this span and of the one before, and when this one began.
    fastest: [Micros; 2],
    began: Micros,
}

impl VideoPlayout {
    /// One that knows nothing yet: the first frame is shown at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// The latest sender reports. Until both are there pictures and sound go each their own way.
    pub fn set_clocks(&mut self, sound: Option<StreamClock>, pictures: Option<StreamClock>) {
        self.clocks = sound.zip(pictures);
    }

    /// How far the sound is now; `None`: there is none.
    pub const fn played(&mut self, sound: Option<SoundPlayed>) {
        self.sound = sound;
    }

    /// When to show the frame of this timestamp that was whole at `arrival`: never before `arrival`, at most 200 ms after
    /// it unless an earlier frame is, and never before an earlier frame. Frames are given in the order of decoding.
    pub fn schedule(&mut self, timestamp: u32, arrival: Duration) -> Duration {
        let arrival = micros(arrival);
        let smooth = self.smooth(timestamp, arrival);
        let sound = self.sound_at(timestamp, arrival);
        let wanted = sound.map_or(smooth, |sound| smooth.max(sound - EARLY));
        let show = wanted.clamp(arrival, arrival + MOST_ADDED).max(self.last);
        self.last = show;
        self.offset = sound.map(|sound| show - sound);
        self.weigh(sound.map(|sound| smooth.max(arrival) - sound));
        Duration::from_micros(u64::try_from(show).unwrap_or(0))
    }

    /// How long sound should be held up so that lips fit; at most 80 ms, and mostly nothing.
    pub fn hold_sound(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.held).unwrap_or(0))
    }

    /// How long after its sound the last picture is shown, in seconds; below 0: before it. `None`: it can't be told.
    pub fn lips(&self) -> Option<f64> {
        Some(self.offset? as f64 / 1e6)
    }

    /// When the frame would be shown if there were no sound.
    fn smooth(&mut self, timestamp: u32, arrival: Micros) -> Micros {
        let Some(timeline) = self.timeline.as_mut().filter(|timeline| timeline.fits(timestamp, arrival))
        else {
            self.timeline = Some(Timeline::new(timestamp, arrival));
            self.variations.clear();
            return arrival + self.delay;
        };
        let fastest = timeline.follow(timestamp, arrival);
        let earliest = timeline.taken + fastest;
        let variation = arrival - earliest;
        if variation < REPAIRED {
            if self.variations.len() == VARIATIONS {
                self.variations.pop_front();
            }
            self.variations.push_back(variation);
        }
        let calmer = self.delay - self.delay / CALMER - 1;
        self.delay = self.variation().max(calmer).clamp(0, MOST_SMOOTH);
        earliest + self.delay
    }

    /// What most of the frames keep within.
    fn variation(&self) -> Micros {
        let mut sorted: Vec<_> = self.variations.iter().copied().collect();
        sorted.sort_unstable();
        let index = (sorted.len() * IN_TIME / 100).min(sorted.len().saturating_sub(1));
        sorted.get(index).copied().unwrap_or(0)
    }

    /// When the sound of this picture leaves the speaker.
    fn sound_at(&self, timestamp: u32, arrival: Micros) -> Option<Micros> {
        let (sound_clock, picture_clock) = self.clocks?;
        let sound = self.sound?;
        let at = micros(sound.at);
        if arrival - at > STALE {
            return None;
        }
        // All three are short against the whole of an `i64`.
        let between = ntp_micros(picture_clock.ntp.wrapping_sub(sound_clock.ntp));
        let picture = ticks(timestamp, picture_clock.timestamp, VIDEO_RATE);
        let heard = ticks(sound.timestamp, sound_clock.timestamp, AUDIO_RATE);
        let when = at + between + picture - heard;
        ((when - arrival).abs() < ABSURD).then_some(when)
    }

    /// How long the sound should wait. What it already waits is part of how late the pictures seem.
    fn weigh(&mut self, late: Option<Micros>) {
        let Some((late, sound)) = late.zip(self.sound) else {
            (self.lateness, self.held) = (None, 0);
            return;
        };
        let late = late + micros(sound.held);
        let average = self.lateness.map_or(late, |average| average + (late - average) / LATENESS);
        self.lateness = Some(average);
        let wanted = (average - LATE).clamp(0, MOST_HELD);
        if (wanted - self.held).abs() >= STEADY || wanted == 0 {
            self.held = wanted;
        }
    }
}

impl Timeline {
    const fn new(timestamp: u32, arrival: Micros) -> Self {
        Self { timestamp, taken: 0, fastest: [arrival; 2], began: arrival }
    }

    /// Whether a frame can be one of these: it is neither far from the last in its own time nor against the arrivals.
    fn fits(&self, timestamp: u32, arrival: Micros) -> bool {
        let step = ticks(timestamp, self.timestamp, VIDEO_RATE);
        let way = arrival - (self.taken + step);
        let fastest = self.fastest[0].min(self.fastest[1]);
        step >= 0 && (way - fastest).abs() < JUMP
    }

    /// The fastest way by now.
    fn follow(&mut self, timestamp: u32, arrival: Micros) -> Micros {
        self.taken += ticks(timestamp, self.timestamp, VIDEO_RATE);
        self.timestamp = timestamp;
        let way = arrival - self.taken;
        if arrival - self.began > SPAN {
            self.fastest = [way, self.fastest[0]];
            self.began = arrival;
        }
        self.fastest[0] = self.fastest[0].min(way);
        self.fastest[0].min(self.fastest[1])
    }
}

fn micros(time: Duration) -> Micros {
    // Within ±2⁶¹, so that a few of them can be added.
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX).min(1 << 61)
}

/// From one timestamp to another, on the shorter way round.
fn ticks(to: u32, from: u32, rate: i64) -> Micros {
    i64::from(to.wrapping_sub(from).cast_signed()) * 1_000_000 / rate
}

fn ntp_micros(span: u64) -> Micros {
    let wide = (i128::from(span.cast_signed()) * 1_000_000) >> 32;
    // At most 2³¹ s.
    i64::try_from(wide).unwrap_or(0)
}

#[cfg(test)]
mod tests;
