//! Sound decoded and not yet played, with a little of what was played.

use std::ops::RangeInclusive;

use crate::FRAME_SAMPLES;
use crate::stretch::{self, LAG_MAX, OVERLAP};

/// What is kept of the sound played: enough to find a pitch in and to go back by one period of it.
const HISTORY: usize = 1_440;
/// The most that waits: the longest packet on top of what stretching and shortening look ahead.
pub(super) const ROOM: usize = super::MAX_SAMPLES + 3 * FRAME_SAMPLES + 2 * LAG_MAX;

/// Where a sample came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Decoded,
    Fec,
    Dred,
    Concealed,
    Comfort,
}

impl Origin {
    pub(super) const ALL: [Self; 5] = [Self::Decoded, Self::Fec, Self::Dred, Self::Concealed, Self::Comfort];

    /// Whether it is what was said, and not made up.
    pub(super) fn is_received(self) -> bool {
        match self {
            Self::Decoded | Self::Fec | Self::Dred => true,
            Self::Concealed | Self::Comfort => false,
        }
    }
}

/// A queue of samples in one piece of memory, taken when it is made.
pub(super) struct Sound {
    samples: Vec<f32>,
    origins: Vec<Origin>,
    /// Where what is to be played begins; before it lies what was.
    head: usize,
}

impl Sound {
    pub(super) fn new() -> Self {
        let mut samples = Vec::with_capacity(2 * HISTORY + ROOM);
        let mut origins = Vec::with_capacity(2 * HISTORY + ROOM);
        samples.resize(HISTORY, 0.0);
        origins.resize(HISTORY, Origin::Comfort);
        Self { samples, origins, head: HISTORY }
    }

    pub(super) fn pending(&self) -> usize {
        self.samples.len() - self.head
    }

    /// Where the newest sample came from.
    pub(super) fn newest(&self) -> Origin {
        self.origins.last().copied().unwrap_or(Origin::Comfort)
    }

    /// Where the sample came from that is played next.
    pub(super) fn next(&self) -> Origin {
        self.origins.get(self.head).copied().unwrap_or(self.newest())
    }

    /// Adds what goes on seamlessly from the sound before.
    pub(super) fn push(&mut self, sound: &[f32], origin: Origin) {
        let sound = &sound[..sound.len().min(ROOM.saturating_sub(self.pending()))];
        self.samples.extend_from_slice(sound);
        self.origins.resize(self.samples.len(), origin);
    }

    /// Adds what does not go on from the sound before: blends it in over a continuation of that, made by repeating its
    /// last period.
    pub(super) fn join(&mut self, sound: &[f32], origin: Origin) {
        let from = self.samples.len();
        self.push(sound, origin);
        let (before, after) = self.samples.split_at_mut(from);
        let length = OVERLAP.min(after.len());
        let mut continued = [0.0; OVERLAP];
        let continued = &mut continued[..length];
        go_on(before, continued);
        let likeness = stretch::correlation(continued, &after[..length]);
        stretch::blend(continued, &mut after[..length], likeness);
    }

    /// What is to be played.
    pub(super) fn ahead(&self) -> &[f32] {
        &self.samples[self.head..]
    }

    /// Whether all of the next 10 ms came from the sender.
    pub(super) fn next_is_received(&self) -> bool {
        let end = (self.head + FRAME_SAMPLES).min(self.origins.len());
        self.origins[self.head..end].iter().all(|origin| origin.is_received())
    }

    /// Drops all that is to be played.
    pub(super) fn drop_pending(&mut self) {
        self.samples.truncate(self.head);
        self.origins.truncate(self.head);
    }

    /// Leaves out a number of samples within `lags` where the sound resembles itself by at least `likeness`. Gives how many.
    pub(super) fn shrink(&mut self, lags: RangeInclusive<usize>, likeness: f32) -> usize {
        let ahead = &mut self.samples[self.head..];
        let compared = ahead.len().min(LAG_MAX + stretch::COMPARED);
        let Some(found) = stretch::similar(&ahead[..compared], lags) else {
            return 0;
        };
        if found.correlation < likeness {
            return 0;
        }
        let (fading, rising) = ahead.split_at_mut(found.lag);
        let mut old = [0.0; OVERLAP];
        let first = OVERLAP.min(found.lag);
        old[..first].copy_from_slice(&fading[..first]);
        // Where the lag is shorter than the seam, the sound that fades goes on into the one that rises.
        old[first..].copy_from_slice(&rising[..OVERLAP - first]);
        stretch::blend(&old, &mut rising[..OVERLAP], found.correlation);
        self.samples.drain(self.head..self.head + found.lag);
        self.origins.drain(self.head..self.head + found.lag);
        found.lag
    }

    /// Repeats up to `most` samples of the last played ones where the sound resembles itself by at least `likeness`.
    /// Gives how many.
    pub(super) fn stretch(&mut self, most: usize, likeness: f32) -> usize {
        let compared = stretch::COMPARED;
        if self.pending() < compared || self.pending() + LAG_MAX > ROOM {
            return 0;
        }
        // Backwards in time: how far before its start the sound resembles its start.
        let mut reversed = [0.0; LAG_MAX + stretch::COMPARED];
        let window = &self.samples[self.head - LAG_MAX..self.head + compared];
        for (to, from) in reversed.iter_mut().zip(window.iter().rev()) {
            *to = *from;
        }
        let Some(found) = stretch::similar(&reversed, 0..=most) else { return 0 };
        if found.correlation < likeness {
            return 0;
        }
        let mut old = [0.0; OVERLAP];
        old.copy_from_slice(&self.samples[self.head..self.head + OVERLAP]);
        let (length, origin) = (self.samples.len(), self.next());
        self.samples.resize(length + found.lag, 0.0);
        self.samples.copy_within(self.head - found.lag..length, self.head);
        stretch::blend(&old, &mut self.samples[self.head..self.head + OVERLAP], found.correlation);
        let origins = self.origins.len();
        self.origins.resize(origins + found.lag, origin);
        self.origins[self.head..].rotate_right(found.lag);
        found.lag
    }

    /// Takes what `out` holds, and says how many samples of each origin they are. What is missing is silent.
    pub(super) fn take(&mut self, out: &mut [f32]) -> [usize; Origin::ALL.len()] {
        let taken = out.len().min(self.pending());
        let (there, missing) = out.split_at_mut(taken);
        there.copy_from_slice(&self.samples[self.head..self.head + taken]);
        missing.fill(0.0);
        let mut counts = [0; Origin::ALL.len()];
        for origin in &self.origins[self.head..self.head + taken] {
            counts[*origin as usize] += 1;
        }
        self.head += taken;
        if self.head >= 2 * HISTORY {
            let gone = self.head - HISTORY;
            self.samples.drain(..gone);
            self.origins.drain(..gone);
            self.head = HISTORY;
        }
        counts
    }
}

/// Goes on from the end of `before` by repeating its last period.
fn go_on(before: &[f32], out: &mut [f32]) {
    let mut reversed = [0.0; LAG_MAX + stretch::COMPARED];
    for (to, from) in reversed.iter_mut().zip(before.iter().rev()) {
        *to = *from;
    }
    let lag = stretch::similar(&reversed, 0..=LAG_MAX).map_or(LAG_MAX, |found| found.lag);
    let Some(period) = before.len().checked_sub(lag).and_then(|from| before.get(from..)) else { return };
    for (to, from) in out.iter_mut().zip(period.iter().cycle()) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(samples: usize) -> Vec<f32> {
        (0..samples).map(|i| 0.5 * (TAU * 200.0 * i as f32 / 48_000.0).sin()).collect()
    }

    fn play(sound: &mut Sound) -> Vec<f32> {
        let mut played = Vec::new();
        while sound.pending() > 0 {
            let mut frame = [0.0; FRAME_SAMPLES];
            let there = sound.take(&mut frame).iter().sum();
            played.extend_from_slice(&frame[..there]);
        }
        played
    }

    /// The steepest step between two samples; for `tone` itself 0.0131.
    fn steepest(sound: &[f32]) -> f32 {
        sound.windows(2).map(|two| (two[1] - two[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn shrinking_a_voice_leaves_out_whole_periods_without_a_click() {
        let mut sound = Sound::new();
        sound.push(&tone(2_400), Origin::Decoded);
        let gone = sound.shrink(0..=LAG_MAX, 0.9);
        assert_eq!(gone % 240, 0, "200 Hz has a period of 240 samples");
        assert!(gone > 0);
        let played = play(&mut sound);
        assert_eq!(played.len(), 2_400 - gone);
        assert!(steepest(&played) < 0.014, "{}", steepest(&played));
    }

    #[test]
    fn stretching_a_voice_repeats_whole_periods_without_a_click() {
        let mut sound = Sound::new();
        sound.push(&tone(2_400), Origin::Decoded);
        let mut played = Vec::new();
        for _ in 0..2 {
            let mut frame = [0.0; FRAME_SAMPLES];
            sound.take(&mut frame);
            played.extend_from_slice(&frame);
        }
        let more = sound.stretch(LAG_MAX, 0.9);
        assert!(more > 0 && more.is_multiple_of(240), "{more}");
        assert!(sound.origins.iter().skip(HISTORY).all(|origin| *origin == Origin::Decoded));
        played.extend(play(&mut sound));
        assert_eq!(played.len(), 2_400 + more);
        assert!(steepest(&played) < 0.014, "{}", steepest(&played));
    }

    #[test]
    fn a_join_between_strangers_makes_no_click() {
        let mut sound = Sound::new();
        let tone = tone(2_400);
        sound.push(&tone[..1_300], Origin::Decoded);
        sound.join(&tone[1_420..], Origin::Decoded);
        let played = play(&mut sound);
        assert!(steepest(&played) < 0.02, "{}", steepest(&played));
        assert!(steepest(&[&tone[..1_300], &tone[1_420..]].concat()) > 0.1, "the bare splice clicks");
    }

    #[test]
    fn the_queue_never_outgrows_its_room() {
        let mut sound = Sound::new();
        let room = sound.samples.capacity();
        for _ in 0..10 {
            sound.push(&[0.5; super::super::MAX_SAMPLES], Origin::Concealed);
            sound.stretch(LAG_MAX, -1.0);
            sound.take(&mut [0.0; FRAME_SAMPLES]);
        }
        assert_eq!((sound.samples.capacity(), sound.origins.capacity()), (room, room));
    }
}
