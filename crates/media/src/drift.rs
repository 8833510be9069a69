//! Keeps a sound device's clock and ours together.
//!
//! Two crystals differ by up to some hundred parts per million: at 200 ppm a ring between them fills or empties by 10
//! samples a second. [`DriftControl`] watches the ring's fill and names the ratio by which to resample, so that the fill,
//! and with it the delay, stays where it should.
//!
//! A callback moves many samples at once, so that the bare fill is a saw, and where the worker's 10 ms and the device's
//! are nearly equal, it drifts through the whole height of the saw within minutes. So the fill is evened out by the time
//! since the callback (the idea of F. Adriaensen, "Using a DLL to filter time", 2005): between two callbacks a playing
//! device is as good as taking one sample after the other.

use std::time::Duration;

/// Which way the sound goes through the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From us to a speaker.
    Playback,
    /// From a microphone to us.
    Capture,
}

/// The ring as it is when the worker is about to move its 10 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Samples in the ring.
    pub fill: usize,
    /// How long ago the device's last callback moved samples.
    pub since_callback: Duration,
}

/// The most that is corrected: 1,000 ppm, under 2 cents of pitch. No crystal is that far off.
pub const MOST: f64 = 1e-3;

/// Natural frequency of the loop, in radians a second, critically damped. A clock off by 200 ppm (9.6 samples a second)
/// then moves the fill by at most 9.6 / (0.1 · e) = 35 samples, 0.7 ms, and is met after a minute.
const FREQUENCY: f64 = 0.1;
/// The fill is averaged over this many seconds: ten times faster than the loop, and slow against late callbacks.
const AVERAGE: f64 = 1.0;
/// A reading longer after its callback than this says that the device stands still, not how full the ring is.
const STANDS_STILL: Duration = Duration::from_millis(200);
/// Beyond this, resampling would take too long: samples are to be dropped or added.
const OFF_COURSE: Duration = Duration::from_millis(20);

/// Steers the ratio of one ring's resampler. See the module's head.
#[derive(Debug, Clone)]
pub struct DriftControl {
    direction: Direction,
    rate: f64,
    target: f64,
    level: Option<f64>,
    last: Duration,
    /// The integral's part: the clocks' difference as it is believed to be.
    drift: f64,
    correction: f64,
}

impl DriftControl {
    /// For a ring of `rate` samples a second.
    ///
    /// `target` is the fill right after a callback, on average: the delay it stands for is that and half a callback.
    pub fn new(direction: Direction, rate: u32, target: usize) -> Self {
        Self {
            direction,
            rate: f64::from(rate.max(1)),
            target: target as f64,
            level: None,
            last: Duration::ZERO,
            drift: 0.0,
            correction: 0.0,
        }
    }

    /// Takes a reading, about every 10 ms, and gives the resampler's ratio: samples out for a sample in, over its nominal
    /// ratio; 1.0 ± [`MOST`]. `now` counts from any one moment.
    pub fn update(&mut self, now: Duration, reading: Reading) -> f64 {
        if reading.since_callback > STANDS_STILL {
            self.last = now;
            return self.ratio();
        }
        let moved = self.rate * reading.since_callback.as_secs_f64();
        let level = match self.direction {
            Direction::Playback => reading.fill as f64 - moved,
            Direction::Capture => reading.fill as f64 + moved,
        };
        let Some(average) = &mut self.level else {
            (self.level, self.last) = (Some(level), now);
            return self.ratio();
        };
        let step = now.saturating_sub(self.last).min(STANDS_STILL).as_secs_f64();
        self.last = now;
        *average += (level - *average) * (step / AVERAGE).min(1.0);

        // de/dt = rate · (drift − correction), with correction = P·e + I·∫e: P = 2ζω/rate with ζ = 1, I = ω²/rate.
        let error = *average - self.target;
        let proportional = 2.0 * FREQUENCY / self.rate * error;
        let drift = self.drift + FREQUENCY * FREQUENCY / self.rate * error * step;
        let wanted = proportional + drift;
        // At the bound the integral stands still, or it would overshoot afterwards.
        if wanted.abs() < MOST {
            self.drift = drift;
        }
        self.correction = wanted.clamp(-MOST, MOST);
        self.ratio()
    }

    fn ratio(&self) -> f64 {
        1.0 - self.correction
    }

    /// By how much the device's clock is believed to be off ours, in parts per million: positive where the ring would
    /// fill up.
    pub fn drift_ppm(&self) -> f64 {
        self.drift * 1e6
    }

    /// How many samples the fill is over (or under) its target, when that is too many for resampling: drop as many, or
    /// add as many, and call [`reset_level`](Self::reset_level).
    pub fn off_course(&self) -> Option<i64> {
        let error = self.level? - self.target;
        (error.abs() > OFF_COURSE.as_secs_f64() * self.rate).then_some(error as i64)
    }

    /// Forgets the fill, not what is known of the clocks: after samples were dropped or added, or a stream was rebuilt.
    pub fn reset_level(&mut self) {
        self.level = None;
        self.correction = self.drift;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device and the worker on one virtual clock, in seconds of the worker's.
    struct Pair {
        control: DriftControl,
        direction: Direction,
        callback: f64,
        device_rate: f64,
        target: f64,
        tremble: f64,
        noise: u32,
        corrects: bool,
    }

    impl Pair {
        fn new(direction: Direction, callback: usize, ppm: f64) -> Self {
            // Whoever takes must find what it takes at once: the device a callback, the worker 480.
            let target = match direction {
                Direction::Playback => callback + 96,
                Direction::Capture => 480 + callback + 96,
            };
            Self {
                control: DriftControl::new(direction, 48_000, target),
                direction,
                callback: callback as f64,
                device_rate: 48_000.0 * (1.0 + ppm * 1e-6),
                target: target as f64,
                tremble: 0.001,
                noise: 1,
                corrects: true,
            }
        }

        fn random(&mut self) -> f64 {
            self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(self.noise >> 8) / f64::from(1 << 24)
        }

        /// Runs for a time; gives how often the ring ran dry, and how far the even fill strayed from the target, in
        /// milliseconds.
        fn run(&mut self, seconds: f64) -> (usize, f64) {
            let (mut callbacks, mut fraction) = (0u64, 0.0);
            let (mut dry, mut strayed) = (0, 0.0f64);
            let mut last_callback = 0.0;
            let mut next_callback = self.callback / self.device_rate;
            // At the first tick the device has moved 480.
            let mut fill = match self.direction {
                Direction::Playback => self.target + 480.0,
                Direction::Capture => self.target - 480.0,
            };
            for tick in 1..(seconds * 100.0) as u64 {
                let due = tick as f64 * 0.01;
                let now = due + self.tremble * self.random();
                while next_callback < now {
                    last_callback = next_callback;
                    match self.direction {
                        Direction::Playback if fill < self.callback => dry += 1,
                        Direction::Playback => fill -= self.callback,
                        Direction::Capture => fill += self.callback,
                    }
                    callbacks += 1;
                    let ideal = (callbacks + 1) as f64 * self.callback / self.device_rate;
                    next_callback = (ideal + self.tremble * self.random()).max(last_callback);
                }
                let since = now - last_callback;
                let reading = Reading { fill: fill as usize, since_callback: Duration::from_secs_f64(since) };
                let wanted = self.control.update(Duration::from_secs_f64(now), reading);
                let ratio = if self.corrects { wanted } else { 1.0 };
                let moved = self.device_rate * since;
                let even = match self.direction {
                    Direction::Playback => fill - moved,
                    Direction::Capture => fill + moved,
                };
                strayed = strayed.max((even - self.target).abs() / 48.0);
                match self.direction {
                    Direction::Playback => {
                        fraction += 480.0 * ratio;
                        fill += fraction.floor();
                    }
                    Direction::Capture => {
                        fraction += 480.0 / ratio;
                        if fill < fraction.floor() {
                            dry += 1;
                            continue;
                        }
                        fill -= fraction.floor();
                    }
                }
                fraction -= fraction.floor();
            }
            (dry, strayed)
        }
    }

    #[test]
    fn at_200_ppm_for_10_minutes_nothing_runs_dry_and_the_delay_stays_within_5_ms() {
        for direction in [Direction::Playback, Direction::Capture] {
            for callback in [128, 441, 480, 1_024] {
                for ppm in [-200.0, 200.0] {
                    let mut pair = Pair::new(direction, callback, ppm);
                    let (dry, strayed) = pair.run(600.0);
                    println!(
                        "{direction:?} {callback} {ppm} ppm: strayed {strayed:.2} ms, {:.1}",
                        pair.control.drift_ppm()
                    );
                    assert_eq!(dry, 0, "{direction:?} {callback} {ppm}");
                    assert!(strayed <= 5.0, "{direction:?} {callback} {ppm}: {strayed} ms");
                    let known = (pair.control.drift_ppm().abs() - 200.0).abs();
                    assert!(known < 10.0, "{direction:?} {callback} {ppm}: {}", pair.control.drift_ppm());
                }
            }
        }
    }

    #[test]
    fn without_the_correction_the_ring_would_run_dry() {
        let mut pair = Pair::new(Direction::Playback, 480, 200.0);
        pair.corrects = false;
        let (dry, _) = pair.run(600.0);
        assert!(dry > 0);
    }

    #[test]
    fn a_correction_is_never_more_than_1000_ppm() {
        let mut control = DriftControl::new(Direction::Playback, 48_000, 480);
        for tick in 0..10_000 {
            let reading = Reading { fill: 48_000, since_callback: Duration::ZERO };
            let ratio = control.update(Duration::from_millis(10 * tick), reading);
            assert!((ratio - 1.0).abs() <= MOST + 1e-12);
        }
        assert_eq!(control.off_course(), Some(48_000 - 480));
        control.reset_level();
        assert_eq!(control.off_course(), None);
    }

    #[test]
    fn a_device_that_stands_still_says_nothing_of_its_clock() {
        let mut control = DriftControl::new(Direction::Playback, 48_000, 480);
        for tick in 0..1_000 {
            let now = Duration::from_millis(10 * tick);
            control.update(now, Reading { fill: 9_600, since_callback: now + STANDS_STILL });
        }
        assert_eq!(control.drift_ppm(), 0.0);
    }
}
