//! How loud it is.

use crate::Frame;

/// The lowest level that is told, in dB below full scale: what 16 bits can hold.
pub const FLOOR_DBFS: f32 = -96.0;

/// How much of the last level remains after each 10 ms of a softer one: a fall of 20 dB takes about 0.3 s, so the eye
/// can follow.
const RELEASE: f32 = 0.93;

/// The level of one frame: the root of its mean square, in dB below full scale (a full sine is −3.01).
/// Never below [`FLOOR_DBFS`]; samples that are no numbers count as silence.
pub fn dbfs(frame: &Frame) -> f32 {
    let power = frame.iter().filter(|sample| sample.is_finite()).map(|sample| sample * sample).sum::<f32>()
        / frame.len() as f32;
    to_dbfs(power)
}

fn to_dbfs(power: f32) -> f32 {
    // A comparison with no number gives the floor.
    if power > 0.0 { (10.0 * power.log10()).clamp(FLOOR_DBFS, 0.0) } else { FLOOR_DBFS }
}

/// A meter: rises at once, falls slowly.
#[derive(Debug, Clone, Copy, Default)]
pub struct Meter {
    power: f32,
}

impl Meter {
    /// Takes 10 ms.
    pub fn add(&mut self, frame: &Frame) {
        let power = frame.iter().map(|sample| sample * sample).sum::<f32>() / frame.len() as f32;
        let power = if power.is_finite() { power.min(1.0) } else { 0.0 };
        self.power = power.max(self.power * RELEASE);
    }

    /// The level, in dB below full scale.
    pub fn dbfs(&self) -> f32 {
        to_dbfs(self.power)
    }
}

/// Somebody speaks, as far as levels tell: well above the background, for a while.
///
/// The background is the softest of the last seconds, let up slowly.
#[derive(Debug, Clone, Copy)]
pub struct Talk {
    background: f32,
    /// 10 ms pieces that were loud, of late.
    loud: u32,
}

/// So much above the background counts as loud, in dB.
const ABOVE: f32 = 12.0;
/// Softer than this is never a voice.
const WHISPER_DBFS: f32 = -50.0;
/// The background rises by so much in 10 ms: 3 dB a second.
const RISE: f32 = 0.03;
/// Loud pieces that make a voice: 0.4 s in all.
const VOICE: u32 = 40;

impl Default for Talk {
    fn default() -> Self {
        Self { background: 0.0, loud: 0 }
    }
}

impl Talk {
    /// Takes 10 ms; whether somebody has been speaking.
    pub fn add(&mut self, frame: &Frame) -> bool {
        let level = dbfs(frame);
        self.background = level.min(self.background + RISE);
        if level > WHISPER_DBFS && level > self.background + ABOVE {
            self.loud = (self.loud + 1).min(2 * VOICE);
        } else {
            self.loud = self.loud.saturating_sub(1);
        }
        self.loud >= VOICE
    }

    /// Forgets what was said.
    pub const fn quiet(&mut self) {
        self.loud = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FRAME_SAMPLES, SAMPLE_RATE};

    fn sine(amplitude: f32) -> Frame {
        std::array::from_fn(|n| {
            amplitude * (n as f32 * 1_000.0 / SAMPLE_RATE as f32 * std::f32::consts::TAU).sin()
        })
    }

    #[test]
    fn a_full_sine_is_three_decibels_below_full_scale_and_silence_is_the_floor() {
        assert!((dbfs(&sine(1.0)) + 3.01).abs() < 0.01);
        assert!((dbfs(&sine(0.1)) + 23.01).abs() < 0.01);
        assert_eq!(dbfs(&[0.0; FRAME_SAMPLES]), FLOOR_DBFS);
        assert_eq!(dbfs(&[f32::NAN; FRAME_SAMPLES]), FLOOR_DBFS);
    }

    #[test]
    fn a_meter_rises_at_once_and_falls_slowly() {
        let mut meter = Meter::default();
        meter.add(&sine(0.5));
        let loud = meter.dbfs();
        meter.add(&[0.0; FRAME_SAMPLES]);
        assert!(meter.dbfs() < loud && meter.dbfs() > loud - 1.0);
        (0..200).for_each(|_| meter.add(&[0.0; FRAME_SAMPLES]));
        assert!(meter.dbfs() < loud - 50.0);
    }

    #[test]
    fn a_voice_over_a_fan_is_talk_and_the_fan_is_not() {
        let mut talk = Talk::default();
        assert!(!(0..500).any(|_| talk.add(&sine(0.02))), "a steady fan");
        let spoke = (0..100).any(|n| talk.add(&sine(if n % 10 < 7 { 0.3 } else { 0.02 })));
        assert!(spoke);
        talk.quiet();
        assert!(!talk.add(&sine(0.3)));
    }
}
