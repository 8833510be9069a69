//! Tones, synthesised: nothing to ship, nobody's music.
//!
//! A tone is a bar of notes that repeats or ends. A note is a few harmonics under an envelope that begins and ends at 0,
//! so nothing clicks, and stopping fades out within 10 ms.

use std::f32::consts::TAU;

use crate::{FRAME_SAMPLES, Frame, SAMPLE_RATE};

/// What is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// The ringtone: two chords, rising, like bells.
    Ringtone,
    /// The soft tone for a second caller.
    Waiting,
    /// It rings at the other end: 425 Hz, 1 s on and 4 s off (ETSI TR 101 041-2, the usual one in Europe).
    Ringback,
    /// The call was hung up: two falling notes.
    HungUp,
    /// The call failed or was lost: three short low notes.
    Failed,
    /// For trying a speaker: one bar of the ringtone's bells, once.
    Test,
}

/// One note of a bar.
#[derive(Debug, Clone, Copy)]
struct Note {
    /// From the start of the bar, in milliseconds.
    at: u32,
    /// How long, in milliseconds.
    long: u32,
    /// In hertz.
    pitch: f32,
    /// 0 to 1.
    loud: f32,
    /// Like a bell, which fades from its beginning, or like a pipe, which stays.
    bell: bool,
}

const fn bell(at: u32, pitch: f32) -> Note {
    Note { at, long: 900, pitch, loud: 0.16, bell: true }
}

const fn pipe(at: u32, long: u32, pitch: f32, loud: f32) -> Note {
    Note { at, long, pitch, loud, bell: false }
}

/// D major 9, then G major 7 with its ninth on top; a bar of 3 s with a rest.
const RINGTONE: &[Note] = &[
    bell(0, 293.66),
    bell(110, 369.99),
    bell(220, 440.0),
    bell(330, 659.26),
    bell(660, 392.0),
    bell(770, 493.88),
    bell(880, 587.33),
    bell(990, 880.0),
];
const WAITING: &[Note] = &[
    Note { at: 0, long: 500, pitch: 587.33, loud: 0.07, bell: true },
    Note { at: 160, long: 500, pitch: 739.99, loud: 0.07, bell: true },
];
const RINGBACK: &[Note] = &[pipe(0, 1_000, 425.0, 0.12)];
const HUNG_UP: &[Note] = &[pipe(0, 120, 587.33, 0.14), pipe(130, 200, 440.0, 0.14)];
const FAILED: &[Note] =
    &[pipe(0, 140, 311.13, 0.16), pipe(200, 140, 311.13, 0.16), pipe(400, 240, 261.63, 0.16)];

impl Tone {
    const fn notes(self) -> &'static [Note] {
        match self {
            Self::Ringtone | Self::Test => RINGTONE,
            Self::Waiting => WAITING,
            Self::Ringback => RINGBACK,
            Self::HungUp => HUNG_UP,
            Self::Failed => FAILED,
        }
    }

    /// Length of a bar in milliseconds, and whether it comes again.
    const fn bar(self) -> (u32, bool) {
        match self {
            Self::Ringtone => (3_000, true),
            Self::Test => (2_000, false),
            Self::Waiting => (4_000, true),
            Self::Ringback => (5_000, true),
            Self::HungUp => (340, false),
            Self::Failed => (650, false),
        }
    }
}

/// Harmonics of a bell and of a pipe: their loudness against the first.
const BELL: [f32; 4] = [1.0, 0.35, 0.2, 0.08];
const PIPE: [f32; 4] = [1.0, 0.12, 0.05, 0.0];
/// How long a note takes to reach its loudness and, a pipe, to leave it, in seconds.
const ATTACK: f32 = 0.006;
const RELEASE: f32 = 0.02;

/// Plays tones, one at a time, 10 ms at a time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Player {
    playing: Option<(Tone, u64)>,
    stopping: bool,
}

impl Player {
    /// Starts a tone from its beginning, in place of whatever played. The same tone that plays already goes on.
    pub fn play(&mut self, tone: Tone) {
        if self.stopping || self.playing.is_none_or(|(playing, _)| playing != tone) {
            self.playing = Some((tone, 0));
            self.stopping = false;
        }
    }

    /// Fades out within the next 10 ms.
    pub const fn stop(&mut self) {
        self.stopping = true;
    }

    /// Which one plays.
    pub fn playing(&self) -> Option<Tone> {
        self.playing.map(|(tone, _)| tone)
    }

    /// Fills the next 10 ms; silence when nothing plays.
    pub fn next(&mut self, frame: &mut Frame) {
        *frame = [0.0; FRAME_SAMPLES];
        let Some((tone, position)) = self.playing else {
            self.stopping = false;
            return;
        };
        let (bar, again) = tone.bar();
        let bar = u64::from(bar) * u64::from(SAMPLE_RATE) / 1_000;
        for (index, sample) in frame.iter_mut().enumerate() {
            let mut at = position + index as u64;
            if again {
                at %= bar;
            }
            *sample = tone.notes().iter().map(|note| note.sample(at)).sum();
        }
        let position = position + FRAME_SAMPLES as u64;
        if self.stopping {
            for (index, sample) in frame.iter_mut().enumerate() {
                *sample *= 1.0 - index as f32 / FRAME_SAMPLES as f32;
            }
        }
        let over = self.stopping || (!again && position >= bar);
        self.playing = (!over).then_some((tone, position));
        self.stopping = false;
    }
}

impl Note {
    /// The note's part of the sample at this place in the bar.
    fn sample(&self, at: u64) -> f32 {
        let start = u64::from(self.at) * u64::from(SAMPLE_RATE) / 1_000;
        let Some(into) = at.checked_sub(start) else { return 0.0 };
        // Within a bar, which is short, a float holds every sample's number exactly.
        let time = into as f32 / SAMPLE_RATE as f32;
        let left = self.long as f32 / 1_000.0 - time;
        if left <= 0.0 {
            return 0.0;
        }
        let attack = (time / ATTACK).min(1.0);
        let (harmonics, body) = if self.bell { (BELL, (-5.0 * time).exp()) } else { (PIPE, 1.0) };
        let envelope = attack * body * (left / RELEASE).min(1.0);
        let wave: f32 = harmonics
            .iter()
            .zip(1u8..)
            .map(|(loud, number)| loud * (time * self.pitch * f32::from(number) * TAU).sin())
            .sum();
        self.loud * envelope * wave
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::dbfs;

    const ALL: [Tone; 6] =
        [Tone::Ringtone, Tone::Waiting, Tone::Ringback, Tone::HungUp, Tone::Failed, Tone::Test];

    fn sound(tone: Tone, frames: usize) -> Vec<f32> {
        let mut player = Player::default();
        player.play(tone);
        let mut frame = [0.0; FRAME_SAMPLES];
        (0..frames)
            .flat_map(|_| {
                player.next(&mut frame);
                frame
            })
            .collect()
    }

    #[test]
    fn no_tone_clips_or_clicks() {
        for tone in ALL {
            let sound = sound(tone, 1_000);
            let peak = sound.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
            assert!((0.05..0.9).contains(&peak), "{tone:?}: {peak}");
            let steepest = sound.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
            assert!(steepest < 0.12, "{tone:?}: {steepest}");
        }
    }

    #[test]
    fn ringtones_come_again_and_end_tones_end() {
        for (tone, again) in [(Tone::Ringtone, true), (Tone::Ringback, true), (Tone::HungUp, false)] {
            let late = &sound(tone, 3_000)[2_000 * FRAME_SAMPLES..];
            let silent = late.iter().all(|sample| *sample == 0.0);
            assert_eq!(silent, !again, "{tone:?}");
        }
    }

    #[test]
    fn the_ringback_is_one_second_in_five() {
        let sound = sound(Tone::Ringback, 1_000);
        let loud =
            sound.chunks(FRAME_SAMPLES).filter(|chunk| dbfs(&std::array::from_fn(|n| chunk[n])) > -40.0);
        assert_eq!(loud.count(), 200);
    }

    #[test]
    fn a_tone_that_is_stopped_fades_and_one_that_plays_goes_on() {
        let mut player = Player::default();
        player.play(Tone::Ringback);
        let (mut first, mut second) = ([0.0; FRAME_SAMPLES], [0.0; FRAME_SAMPLES]);
        player.next(&mut first);
        player.play(Tone::Ringback);
        player.next(&mut second);
        assert!((second[0] - first[FRAME_SAMPLES - 1]).abs() < 0.01, "it did not begin again");
        player.stop();
        player.next(&mut first);
        assert!(first[FRAME_SAMPLES - 1].abs() < 0.001);
        assert_eq!(player.playing(), None);
        player.next(&mut first);
        assert_eq!(first, [0.0; FRAME_SAMPLES]);
    }
}
