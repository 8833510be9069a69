//! Comfort noise: what a silent line sounds like, learned from the background of the speech that came before.
//!
//! The level and the spectrum come from the quietest stretches: an all-pole model (linear prediction, by the recursion
//! of Levinson and Durbin) of their smoothed autocorrelation, driven by white noise.

use crate::{FRAME_SAMPLES, Frame};

/// Poles of the model. At 48 kHz this shows the slope of a room's noise and a few humps, not its detail.
const ORDER: usize = 16;
/// The floor is the least power of the last [`WINDOWS`] × [`WINDOW_FRAMES`] frames: 1.6 s, longer than most words.
const WINDOWS: usize = 8;
const WINDOW_FRAMES: usize = 20;
/// What is at most this much over the floor is background: 6 dB.
const OVER_FLOOR: f32 = 4.0;
/// Nothing louder than this is background, however steady: −40 dB of full scale.
const LOUDEST: f32 = 1e-4;
/// What is below this is silence: −100 dB of full scale.
const SILENT: f32 = 1e-10;
/// How much a new frame of background counts.
const LEARN: f64 = 0.1;
/// Frames of background in a row, after which the speaker pauses.
const PAUSE_FRAMES: u32 = 5;

/// Learns the background of a voice and makes noise like it.
#[derive(Debug, Clone)]
pub struct Background {
    floors: [f32; WINDOWS],
    window: usize,
    in_window: usize,
    quiet_frames: u32,
    autocorrelation: Option<[f64; ORDER + 1]>,
    fresh: bool,
    coefficients: [f32; ORDER],
    gain: f32,
    past: [f32; ORDER],
    noise: u32,
}

impl Default for Background {
    fn default() -> Self {
        Self::new()
    }
}

impl Background {
    /// Nothing learned yet: the noise is silence.
    pub fn new() -> Self {
        Self {
            floors: [f32::INFINITY; WINDOWS],
            window: 0,
            in_window: 0,
            quiet_frames: 0,
            autocorrelation: None,
            fresh: false,
            coefficients: [0.0; ORDER],
            gain: 0.0,
            past: [0.0; ORDER],
            noise: 0x9e37_79b9,
        }
    }

    /// Learns from 10 ms of received sound, none of it made up.
    pub fn learn(&mut self, frame: &Frame) {
        let power = power(frame);
        if !power.is_finite() {
            return;
        }
        self.keep_floor(power);
        if !self.is_background(power) {
            self.quiet_frames = 0;
            return;
        }
        self.quiet_frames = self.quiet_frames.saturating_add(1);
        let new = autocorrelation(frame);
        let old = self.autocorrelation.get_or_insert(new);
        for (old, new) in old.iter_mut().zip(new) {
            *old += LEARN * (new - *old);
        }
        self.fresh = true;
    }

    fn keep_floor(&mut self, power: f32) {
        if self.in_window == WINDOW_FRAMES {
            self.window = (self.window + 1) % WINDOWS;
            self.floors[self.window] = f32::INFINITY;
            self.in_window = 0;
        }
        self.in_window += 1;
        self.floors[self.window] = self.floors[self.window].min(power);
    }

    fn is_background(&self, power: f32) -> bool {
        let floor = self.floors.iter().copied().fold(f32::INFINITY, f32::min);
        power <= SILENT || (power < LOUDEST && power <= OVER_FLOOR * floor)
    }

    /// Whether this sound is no more than the background.
    pub fn holds(&self, sound: &[f32]) -> bool {
        self.is_background(power(sound))
    }

    /// Whether the last 50 ms learned from were background: the speaker pauses.
    pub fn is_pause(&self) -> bool {
        self.quiet_frames >= PAUSE_FRAMES
    }

    /// Makes noise like the background, going on from the noise made before.
    pub fn fill(&mut self, out: &mut [f32]) {
        if std::mem::take(&mut self.fresh) {
            self.model();
        }
        for sample in out {
            let mut value = self.gain * self.white();
            for (past, coefficient) in self.past.iter().zip(&self.coefficients) {
                value -= coefficient * past;
            }
            self.past.copy_within(..ORDER - 1, 1);
            self.past[0] = value;
            *sample = value;
        }
    }

    /// Uniform noise of power 1 from a linear congruential generator: what is heard is its spectrum, and the same call
    /// sounds the same in each test.
    fn white(&mut self) -> f32 {
        self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.noise as f32 / u32::MAX as f32 - 0.5) * 12f32.sqrt()
    }

    fn model(&mut self) {
        let Some(autocorrelation) = self.autocorrelation else { return };
        let (coefficients, error) = levinson_durbin(&autocorrelation);
        self.coefficients = coefficients.map(|coefficient| coefficient as f32);
        self.gain = (error / FRAME_SAMPLES as f64).max(0.0).sqrt() as f32;
        if self.past.iter().any(|past| !past.is_finite()) {
            self.past = [0.0; ORDER];
        }
    }
}

fn power(sound: &[f32]) -> f32 {
    sound.iter().map(|sample| sample * sample).sum::<f32>() / sound.len().max(1) as f32
}

fn autocorrelation(frame: &Frame) -> [f64; ORDER + 1] {
    std::array::from_fn(|lag| {
        frame[lag..].iter().zip(frame).map(|(later, earlier)| later * earlier).sum::<f32>().into()
    })
}

/// The predictor's coefficients (of 1/A, without the leading 1) and the power it leaves.
///
/// A little white noise and a lag window keep the filter stable (RFC 6716, section 5.2.3.4.2 does the same).
fn levinson_durbin(autocorrelation: &[f64; ORDER + 1]) -> ([f64; ORDER], f64) {
    let mut r = *autocorrelation;
    r[0] = r[0] * 1.0001 + 1e-12;
    for (lag, value) in r.iter_mut().enumerate().skip(1) {
        *value *= (-0.5 * (0.01 * lag as f64).powi(2)).exp();
    }
    let (mut a, mut error) = ([0.0; ORDER], r[0]);
    for i in 0..ORDER {
        let sum = r[i + 1] + (0..i).map(|j| a[j] * r[i - j]).sum::<f64>();
        let reflection = (-sum / error).clamp(-0.999, 0.999);
        let before = a;
        for j in 0..i {
            a[j] += reflection * before[i - 1 - j];
        }
        a[i] = reflection;
        error *= 1.0 - reflection * reflection;
    }
    (a, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(state: &mut u32) -> f32 {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *state as f32 / u32::MAX as f32 - 0.5
    }

    /// Background that falls off towards high tones, at about −60 dB.
    fn room(frames: usize) -> Vec<Frame> {
        let (mut state, mut low) = (7, 0.0);
        let mut sample = || {
            low = 0.9 * low + 0.001 * noise(&mut state);
            low
        };
        (0..frames).map(|_| std::array::from_fn(|_| sample())).collect()
    }

    fn slope(sound: &[f32]) -> f32 {
        sound.windows(2).map(|two| two[0] * two[1]).sum::<f32>() / sound.iter().map(|s| s * s).sum::<f32>()
    }

    #[test]
    fn before_anything_is_learned_there_is_silence() {
        let mut out = [1.0; 480];
        Background::new().fill(&mut out);
        assert_eq!(out, [0.0; 480]);
    }

    #[test]
    fn the_noise_has_the_level_and_the_slope_of_the_background() {
        let mut background = Background::new();
        let room = room(200);
        room.iter().for_each(|frame| background.learn(frame));
        assert!(background.is_pause());

        let mut made = vec![0.0; 48_000];
        background.fill(&mut made);
        let heard: Vec<f32> = room.concat();
        let decibels = 10.0 * (power(&made) / power(&heard)).log10();
        assert!(decibels.abs() < 2.0, "{decibels} dB off");
        assert!((slope(&made) - slope(&heard)).abs() < 0.05, "{} {}", slope(&made), slope(&heard));
    }

    #[test]
    fn speech_over_the_background_is_neither_learned_nor_a_pause() {
        let mut background = Background::new();
        room(100).iter().for_each(|frame| background.learn(frame));
        let mut before = vec![0.0; 4_800];
        background.clone().fill(&mut before);

        let voice: Frame = std::array::from_fn(|i| 0.1 * (i as f32 * 0.03).sin());
        (0..50).for_each(|_| background.learn(&voice));
        assert!(!background.is_pause());
        assert!(!background.holds(&voice));
        let mut after = vec![0.0; 4_800];
        background.fill(&mut after);
        assert_eq!(before, after);
    }

    #[test]
    fn a_steady_loud_tone_is_no_background() {
        let mut background = Background::new();
        let tone: Frame = std::array::from_fn(|i| 0.1 * (i as f32 * 0.0785).sin());
        (0..500).for_each(|_| background.learn(&tone));
        assert!(!background.is_pause());
    }

    #[test]
    fn a_tone_or_a_broken_frame_does_not_make_the_filter_ring_for_ever() {
        let mut background = Background::new();
        let tone: Frame = std::array::from_fn(|i| 0.005 * (i as f32 * 0.1).sin());
        (0..100).for_each(|_| background.learn(&tone));
        background.learn(&[f32::NAN; 480]);
        background.learn(&[f32::MAX; 480]);
        let mut made = vec![0.0; 480_000];
        background.fill(&mut made);
        assert!(made.iter().all(|sample| sample.abs() < 0.1));
    }
}
