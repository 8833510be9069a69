//! The sender's clock against ours, and sound played by so much faster or slower.
//!
//! Two crystals differ by up to some hundred parts per million: at 200 ppm ten samples a second too many or too few come.
//! Cutting or repeating pieces evens that out in steps of whole periods of a voice; this does it without a step. The
//! difference is the slope of the packets' transits, by a least-squares line that forgets; once it is beyond doubt, every
//! 10 ms are resampled from as much of the sender's sound as belongs to them.

use super::{SECOND, Samples};
use crate::resample::{Direction, EdgeResampler, MOST};
use crate::{FRAME_SAMPLES, Frame, SAMPLE_RATE};

/// A second counts 1/e of a new one after so many.
const FORGET: f64 = 60.0;
/// Fewer packets say nothing of their second: the sender pauses.
const PACKETS: u32 = 5;
/// Seconds before a slope is believed.
const SECONDS: u32 = 6;
/// A slope counts from here on: what is less makes 10 ms in eight minutes.
const LEAST: f64 = 20e-6;
/// How many of its standard errors it must be, where there are many seconds. Many, for jitter in a queue is no white noise.
const SURE: f64 = 5.0;
/// With few seconds the error itself is a guess: so many more (about Student's distribution at one in 100,000).
const UNSURE: f64 = 4.0;
/// A second so far off the line, and so many deviations, is another path: the line begins anew.
const STEP: f64 = 0.015 * SECOND as f64;
const DEVIATIONS: f64 = 5.0;
/// No pair of crystals differs by more.
const FASTEST: f64 = 500e-6;
/// What is off the target is made good within this many seconds, as far as resampling can.
const PATIENCE: f64 = 10.0;

/// A weighted line through transits over time, the newest at time 0.
#[derive(Debug, Clone, Default)]
struct Line {
    seconds: u32,
    /// Weighted sums of 1, t, t², x, t·x and x².
    sums: [f64; 6],
}

impl Line {
    /// Lets time pass: what lies there moves back and counts less.
    fn age(&mut self, seconds: f64) {
        let [w, t, tt, x, tx, xx] = self.sums;
        self.sums =
            [w, t - seconds * w, tt - 2.0 * seconds * t + seconds * seconds * w, x, tx - seconds * x, xx];
        let kept = (-seconds / FORGET).exp();
        self.sums.iter_mut().for_each(|sum| *sum *= kept);
    }

    fn add(&mut self, x: f64) {
        self.seconds = self.seconds.saturating_add(1);
        self.sums[0] += 1.0;
        self.sums[3] += x;
        self.sums[5] += x * x;
    }

    /// The line's value at time 0, its slope by the second, the slope's standard error, and the deviation from the line.
    fn fit(&self) -> Option<(f64, f64, f64, f64)> {
        let [w, t, tt, x, tx, xx] = self.sums;
        let spread = tt - t * t / w;
        if self.seconds < 3 || spread <= f64::EPSILON {
            return None;
        }
        let slope = (tx - t * x / w) / spread;
        let value = (x - slope * t) / w;
        let rest = (xx - x * x / w - slope * slope * spread).max(0.0);
        let deviation = (rest / (w - 2.0).max(1.0)).sqrt();
        Some((value, slope, deviation / spread.sqrt(), deviation))
    }
}

/// Knows how far the sender's clock is off, and takes it out of the sound.
pub(super) struct Drift {
    line: Line,
    /// Transits are counted from the first, so that their squares keep their digits.
    zero: Option<Samples>,
    second_began: Samples,
    sum: f64,
    packets: u32,
    /// By how much transits grow in a second, in seconds; `None` while it is not known to matter.
    slope: Option<f64>,
    /// Growth of the transits not yet told, under one sample.
    part: f64,
    /// None but where memory was refused: then pieces alone even the clocks out.
    resampler: Option<EdgeResampler>,
    /// The next frame blends from the bare sound into the resampled.
    begins: bool,
    piece: Vec<f32>,
}

impl Drift {
    pub(super) fn new() -> Self {
        let resampler = EdgeResampler::new(Direction::Capture, SAMPLE_RATE).ok();
        let piece = vec![0.0; resampler.as_ref().map_or(FRAME_SAMPLES, EdgeResampler::takes_at_most)];
        Self {
            line: Line::default(),
            zero: None,
            second_began: 0,
            sum: 0.0,
            packets: 0,
            slope: None,
            part: 0.0,
            resampler,
            begins: false,
            piece,
        }
    }

    /// The sender's numbers began anew: its transits can't be compared with those before. Its clock is the same.
    pub(super) fn clear(&mut self) {
        (self.line, self.zero) = (Line::default(), None);
        (self.sum, self.packets) = (0.0, 0);
    }

    /// Whether sound is resampled, so that its delay holds still between the pulls' 10 ms.
    pub(super) const fn is_met(&self) -> bool {
        self.slope.is_some() && self.resampler.is_some()
    }

    /// Takes in the transit of a packet that came by itself.
    pub(super) fn observe(&mut self, transit: Samples, arrival: Samples) {
        let zero = *self.zero.get_or_insert_with(|| {
            self.second_began = arrival;
            transit
        });
        self.sum += transit.saturating_sub(zero) as f64;
        self.packets += 1;
        let passed = arrival.saturating_sub(self.second_began);
        if passed >= SECOND {
            self.end_second(passed as f64 / SECOND as f64);
            self.second_began = arrival;
        }
    }

    fn end_second(&mut self, passed: f64) {
        self.line.age(passed);
        let (sum, packets) = (std::mem::take(&mut self.sum), std::mem::take(&mut self.packets));
        if packets < PACKETS {
            return;
        }
        let mean = sum / f64::from(packets);
        if let Some((value, _, _, deviation)) = self.line.fit()
            && (mean - value).abs() > STEP + DEVIATIONS * deviation
        {
            self.line = Line::default();
        }
        self.line.add(mean);
        let Some((_, slope, error, _)) = self.line.fit() else { return };
        let (slope, error) = (slope / SECOND as f64, error / SECOND as f64);
        let freedom = f64::from(self.line.seconds.saturating_sub(2).max(1));
        let sure = slope.abs() > SURE * (1.0 + UNSURE / freedom).powi(2) * error;
        let sure = sure && self.line.seconds >= SECONDS && slope.abs() >= LEAST;
        if sure || (self.is_met() && f64::from(self.line.seconds) >= FORGET) {
            self.begins |= self.slope.is_none();
            self.slope = Some(slope.clamp(-FASTEST, FASTEST));
        }
    }

    /// By how much the sender's clock is faster, in parts per million.
    pub(super) fn ppm(&self) -> Option<f64> {
        self.slope.map(|slope| -slope * 1e6)
    }

    /// By how many samples transits have grown in the 10 ms that pass: what was learned of them moves along.
    pub(super) fn grown(&mut self) -> Samples {
        self.part += self.slope.unwrap_or(0.0) * FRAME_SAMPLES as f64;
        let whole = self.part.trunc();
        self.part -= whole;
        whole as Samples
    }

    /// How many samples of the sender's the next 10 ms take, when they are `over` their target.
    pub(super) fn takes(&mut self, over: Samples) -> usize {
        let (Some(slope), Some(resampler)) = (self.slope, &mut self.resampler) else { return FRAME_SAMPLES };
        let correction = slope - over as f64 / (PATIENCE * SECOND as f64);
        resampler.correct(1.0 + correction.clamp(-MOST, MOST));
        resampler.takes().min(self.piece.len())
    }

    /// Fills 10 ms from what [`takes`](Self::takes) said; `take` writes it.
    pub(super) fn play<R>(
        &mut self,
        wanted: usize,
        out: &mut Frame,
        take: impl FnOnce(&mut [f32]) -> R,
    ) -> R {
        let (Some(_), Some(resampler)) = (self.slope, &mut self.resampler) else { return take(out) };
        let piece = &mut self.piece[..wanted];
        let taken = take(piece);
        // It is given what it asked for, which is all that it can complain about.
        let done = resampler.process(piece, out).is_ok();
        if std::mem::take(&mut self.begins) || !done {
            // What is resampled comes some samples later, and begins with silence.
            for (index, (sample, bare)) in out.iter_mut().zip(&*piece).enumerate() {
                let share = if done { index as f32 / FRAME_SAMPLES as f32 } else { 0.0 };
                *sample = *bare + (*sample - *bare) * share;
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 20 ms for some seconds; the mean of the transits grows by `ppm`, and trembles evenly by `jitter` ms.
    fn watch(drift: &mut Drift, seconds: std::ops::Range<u32>, ppm: f64, jitter: f64) {
        let mut state = 1u32;
        for packet in seconds.start * 50..seconds.end * 50 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(state >> 8) / f64::from(1 << 24) - 0.5;
            let sent = f64::from(packet) * 960.0;
            let transit = 7e9 + sent * ppm * 1e-6 + noise * jitter * 48.0;
            drift.observe(transit as Samples, (sent + transit) as Samples);
        }
    }

    #[test]
    fn a_clock_that_is_off_is_known_within_seconds_on_an_even_line() {
        for ppm in [-200.0, -30.0, 30.0, 200.0] {
            let mut drift = Drift::new();
            watch(&mut drift, 0..8, ppm, 0.2);
            let slope = drift.slope.unwrap() * 1e6;
            assert!((slope - ppm).abs() < 8.0, "{ppm}: {slope}");
        }
    }

    #[test]
    fn what_jitter_feigns_is_not_believed() {
        let mut drift = Drift::new();
        watch(&mut drift, 0..300, 0.0, 100.0);
        assert_eq!(drift.slope, None);
        watch(&mut drift, 300..600, 200.0, 60.0);
        let slope = drift.slope.unwrap() * 1e6;
        assert!((slope - 200.0).abs() < 100.0, "{slope}");
    }

    #[test]
    fn another_path_is_no_drift() {
        let mut drift = Drift::new();
        for second in 0..60i64 {
            let transit = if second < 30 { 1_000 } else { 3_400 };
            for packet in 0..50 {
                drift.observe(transit, second * SECOND + packet * 960);
            }
        }
        assert_eq!(drift.slope, None);
    }

    #[test]
    fn equal_clocks_leave_every_sample_as_it_is() {
        let mut drift = Drift::new();
        watch(&mut drift, 0..60, 0.0, 0.0);
        let mut out = [0.0; FRAME_SAMPLES];
        assert_eq!(drift.takes(4_000), FRAME_SAMPLES);
        drift.play(FRAME_SAMPLES, &mut out, |piece| piece.fill(0.25));
        assert_eq!(out, [0.25; FRAME_SAMPLES]);
        assert_eq!(drift.grown(), 0);
    }

    #[test]
    fn a_fast_sender_is_played_faster_without_a_click() {
        let mut drift = Drift::new();
        watch(&mut drift, 0..60, -200.0, 0.2);
        let tone = |n: usize| (0.5 * (n as f64 * 0.02).sin()) as f32;
        let (mut taken, mut last, mut steepest) = (0, 0.0, 0.0f32);
        for frame in 0..6_000 {
            let wanted = drift.takes(0);
            let mut out = [0.0; FRAME_SAMPLES];
            drift.play(wanted, &mut out, |piece| {
                piece.iter_mut().enumerate().for_each(|(n, sample)| *sample = tone(taken + n));
            });
            taken += wanted;
            for sample in out {
                if frame > 0 {
                    steepest = steepest.max((sample - last).abs());
                }
                last = sample;
            }
        }
        let more = taken as f64 / (6_000.0 * FRAME_SAMPLES as f64) - 1.0;
        assert!((more * 1e6 - 200.0).abs() < 5.0, "{more}");
        assert!(steepest < 0.0105, "{steepest}");
    }
}
