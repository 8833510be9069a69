//! How large and how often: what size and frame rate fit what may be spent and what the machine can do.
//!
//! A small picture that moves is better than a large one that breaks into blocks. Down it goes at once; up only when
//! what is there has lasted, one step at a time, so that the picture doesn't change its size every few seconds.

use std::time::Duration;

/// A size and a frame rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Step {
    /// In pixels, of a picture of 16:9; other shapes get as many pixels.
    pub width: u32,
    /// See above.
    pub height: u32,
    /// Pictures a second at most.
    pub frame_rate: u32,
}

/// The steps, with the rate in bit/s from which each is better than the one below: where a talking head at that size has
/// no blocks to be seen.
const LADDER: [(Step, u32); 5] = [
    (Step { width: 1280, height: 720, frame_rate: 30 }, 900_000),
    (Step { width: 960, height: 540, frame_rate: 30 }, 500_000),
    (Step { width: 640, height: 360, frame_rate: 30 }, 250_000),
    (Step { width: 480, height: 270, frame_rate: 20 }, 140_000),
    (Step { width: 320, height: 180, frame_rate: 15 }, 70_000),
];
/// Below this the camera is off: what is left is for the voice. On again from the other.
const OFF: u32 = 55_000;
const ON: u32 = 100_000;
/// A step is left when there is so much less than it needs, and taken when there is so much more.
const LESS: f64 = 0.8;
const MORE: f64 = 1.1;
/// What is there must have lasted so long before a step up, and before the camera comes back.
const LASTED: Duration = Duration::from_secs(2);
/// A rate that falls below [`OFF`] for a moment, while the line is measured anew, turns nothing off.
const TOO_LITTLE: Duration = Duration::from_secs(1);
/// While no pictures leave, nobody learns what the line carries: so it is tried, for so long, after a pause that is twice as
/// long each time, up to the other. Pictures that last so long were no try any more.
const TRY: Duration = Duration::from_millis(2_500);
const TRY_AFTER: Duration = Duration::from_secs(5);
const TRY_AFTER_MOST: Duration = Duration::from_secs(40);
/// The share of a frame's time that encoding may take: beyond, the size falls. Under the other there is room.
const BUSY: f64 = 0.8;
const IDLE: f64 = 0.35;
/// How long a machine that was too slow is left alone.
const RECOVERED: Duration = Duration::from_secs(20);
/// How much one frame counts for the load.
const LOAD: f64 = 1.0 / 16.0;

/// Chooses the step.
#[derive(Debug, Clone)]
pub struct VideoAdaptation {
    /// Into [`LADDER`]; `None`: off.
    step: Option<usize>,
    /// No step above this: the machine is too slow.
    most: usize,
    /// Since when there has been enough for the next step up, or for the camera to come back.
    enough: Option<Duration>,
    little: Option<Duration>,
    /// Since when the camera is off, how long it stays so at most, and since when it is on by a try.
    off: Option<Duration>,
    try_after: Duration,
    trying: Option<Duration>,
    load: f64,
    /// When the machine was too slow last.
    slow: Option<Duration>,
}

impl VideoAdaptation {
    /// The best step for a rate in bit/s.
    pub fn new(bitrate: u32) -> Self {
        let step = LADDER.iter().position(|(_, needs)| bitrate >= *needs).unwrap_or(LADDER.len() - 1);
        Self {
            step: Some(step),
            most: 0,
            enough: None,
            little: None,
            off: None,
            try_after: TRY_AFTER,
            trying: None,
            load: 0.0,
            slow: None,
        }
    }

    /// What to encode now; `None`: nothing, the camera is off until there is more to spend.
    pub fn step(&self) -> Option<Step> {
        Some(LADDER.get(self.step?)?.0)
    }

    /// Takes in that a frame took `took` to encode at the present step.
    pub fn encoded(&mut self, took: Duration, now: Duration) {
        let Some(step) = self.step() else { return };
        let share = took.as_secs_f64() * f64::from(step.frame_rate);
        self.load += LOAD * (share.min(4.0) - self.load);
        if self.load > BUSY {
            self.most = (self.step.unwrap_or(0) + 1).min(LADDER.len() - 1);
            self.step = self.step.map(|step| step.max(self.most));
            self.slow = Some(now);
            // A smaller picture takes less; how much is to be seen.
            self.load = BUSY / 2.0;
            self.enough = None;
        } else if self.most > 0
            && self.load < IDLE
            && self.slow.is_some_and(|slow| now.saturating_sub(slow) >= RECOVERED)
        {
            self.most -= 1;
            self.slow = Some(now);
        }
    }

    /// Takes in what may be spent now, in bit/s. Says whether the step changed.
    pub fn spend(&mut self, bitrate: u32, now: Duration) -> bool {
        let before = self.step;
        let rate = f64::from(bitrate);
        match self.step {
            Some(step) => {
                let fits = |index: usize| rate >= f64::from(LADDER[index].1) * LESS;
                if bitrate < OFF {
                    let since = *self.little.get_or_insert(now);
                    let allowed = if self.trying.is_some() { TRY } else { TOO_LITTLE };
                    if now.saturating_sub(since) >= allowed {
                        (self.step, self.off, self.trying) = (None, Some(now), None);
                    }
                } else {
                    self.little = None;
                    if self.trying.is_some_and(|since| now.saturating_sub(since) >= 2 * TRY) {
                        (self.trying, self.try_after) = (None, TRY_AFTER);
                    }
                }
                if self.step.is_some() && !fits(step) {
                    let down = (step..LADDER.len()).find(|index| fits(*index));
                    self.step = Some(down.unwrap_or(LADDER.len() - 1));
                }
                let up = step.checked_sub(1).filter(|up| *up >= self.most);
                let room = up.is_some_and(|up| rate >= f64::from(LADDER[up].1) * MORE);
                if self.lasted(room, now) {
                    self.step = up;
                }
            }
            None => {
                let waited = self.off.is_none_or(|off| now.saturating_sub(off) >= self.try_after);
                if waited {
                    self.trying = Some(now);
                    self.try_after = (self.try_after * 2).min(TRY_AFTER_MOST);
                }
                if waited || self.lasted(bitrate >= ON, now) {
                    (self.step, self.little, self.off) = (Some(LADDER.len() - 1), None, None);
                }
            }
        }
        if self.step != before {
            self.enough = None;
        }
        self.step != before
    }

    fn lasted(&mut self, enough: bool, now: Duration) -> bool {
        if !enough {
            self.enough = None;
            return false;
        }
        let since = *self.enough.get_or_insert(now);
        now.saturating_sub(since) >= LASTED
    }
}

impl Step {
    /// The size for a camera of another shape: about as many pixels, even sides, never larger than the camera's.
    pub fn of_camera(self, width: u32, height: u32) -> (u32, u32) {
        if width == 0 || height == 0 {
            return (self.width, self.height);
        }
        let pixels = f64::from(self.width * self.height);
        let scale = (pixels / (f64::from(width) * f64::from(height))).sqrt().min(1.0);
        // A multiple of 16 would suit the encoder; even is what it needs. Sides are at least one block.
        let side = |side: u32| ((f64::from(side) * scale / 2.0).round() as u32 * 2).max(16);
        (side(width), side(height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(count: f64) -> Duration {
        Duration::from_secs_f64(count)
    }

    /// Ten times a second, the same rate.
    fn spend(adaptation: &mut VideoAdaptation, bitrate: u32, from: f64, to: f64) -> Vec<(f64, Option<u32>)> {
        let mut changes = Vec::new();
        let mut now = from;
        while now < to {
            if adaptation.spend(bitrate, seconds(now)) {
                changes.push((now, adaptation.step().map(|step| step.height)));
            }
            now += 0.1;
        }
        changes
    }

    fn height(adaptation: &VideoAdaptation) -> Option<u32> {
        adaptation.step().map(|step| step.height)
    }

    #[test]
    fn a_call_starts_with_what_fits() {
        for (bitrate, expected) in [(3_000_000, 720), (600_000, 540), (300_000, 360), (10_000, 180)] {
            assert_eq!(height(&VideoAdaptation::new(bitrate)), Some(expected));
        }
    }

    #[test]
    fn it_goes_down_at_once_and_up_step_by_step() {
        let mut adaptation = VideoAdaptation::new(2_000_000);
        assert_eq!(spend(&mut adaptation, 2_000_000, 0.0, 5.0), []);
        assert_eq!(spend(&mut adaptation, 300_000, 5.0, 10.0), [(5.0, Some(360))]);
        let up = spend(&mut adaptation, 2_000_000, 10.0, 20.0);
        let heights: Vec<_> = up.iter().map(|(_, height)| *height).collect();
        assert_eq!(heights, [Some(540), Some(720)]);
        assert!(up[0].0 > 11.9 && up[1].0 - up[0].0 > 1.9, "{up:?}");
    }

    #[test]
    fn the_voice_comes_first() {
        let mut adaptation = VideoAdaptation::new(600_000);
        let changes = spend(&mut adaptation, 40_000, 0.0, 1.5);
        assert_eq!(changes.last().map(|change| change.1), Some(None));
        assert_eq!(spend(&mut adaptation, 80_000, 1.5, 3.0), []);
        let back = spend(&mut adaptation, 120_000, 3.0, 8.0);
        assert!(back[0].1 == Some(180) && back[0].0 < 5.5, "{back:?}");
    }

    #[test]
    fn a_line_that_nothing_is_known_of_without_pictures_is_tried_now_and_then() {
        let mut adaptation = VideoAdaptation::new(600_000);
        let changes = spend(&mut adaptation, 20_000, 0.0, 240.0);
        let tries: Vec<_> =
            changes.iter().filter(|(_, height)| height.is_some()).map(|(at, _)| *at).collect();
        // The first change is to the smallest size.
        let pauses: Vec<_> = tries[1..].windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!((tries[1] - 6.0).abs() < 0.5, "{tries:?}");
        assert!(pauses[0] > 10.0 && pauses[0] < 14.0, "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause < 45.0) && pauses.last().is_some_and(|last| *last > 40.0));
        let shown: f64 = changes[1..]
            .windows(2)
            .filter(|pair| pair[0].1.is_some())
            .map(|pair| pair[1].0 - pair[0].0)
            .sum();
        assert!(shown < 20.0, "{shown} s of 240 took something from the voice");
    }

    #[test]
    fn a_try_that_finds_a_line_stays_and_the_next_pause_is_short_again() {
        let mut adaptation = VideoAdaptation::new(600_000);
        spend(&mut adaptation, 20_000, 0.0, 30.0);
        let until = (0..600).map(|tenth| 30.0 + 0.1 * f64::from(tenth)).find(|at| {
            adaptation.spend(20_000, seconds(*at));
            adaptation.step().is_some()
        });
        let on = until.unwrap();
        assert!(!spend(&mut adaptation, 300_000, on, on + 20.0).iter().any(|(_, height)| height.is_none()));
        let changes = spend(&mut adaptation, 20_000, on + 20.0, on + 40.0);
        let off = changes.iter().position(|(_, height)| height.is_none()).unwrap();
        assert!(changes[off + 1].0 - changes[off].0 < 5.5, "{changes:?}");
    }

    #[test]
    fn a_machine_that_is_too_slow_gets_a_smaller_picture_and_is_tried_again_later() {
        let mut adaptation = VideoAdaptation::new(2_000_000);
        let mut now = 0.0;
        let mut run = |adaptation: &mut VideoAdaptation, span: f64, cost: f64| {
            let end = now + span;
            while now < end {
                // The cost of a picture goes with its pixels.
                let pixels = adaptation.step().map_or(0, |step| step.width * step.height);
                adaptation.encoded(seconds(cost * f64::from(pixels) / 921_600.0), seconds(now));
                adaptation.spend(2_000_000, seconds(now));
                now += 1.0 / 30.0;
            }
        };
        run(&mut adaptation, 10.0, 0.040);
        let slow = height(&adaptation).unwrap();
        assert!(slow < 720);
        run(&mut adaptation, 10.0, 0.040);
        assert_eq!(height(&adaptation), Some(slow), "it stays there");
        run(&mut adaptation, 80.0, 0.005);
        assert_eq!(height(&adaptation), Some(720), "the machine has time again");
    }

    #[test]
    fn other_shapes_have_as_many_pixels() {
        let step = LADDER[1].0;
        assert_eq!(step.of_camera(1280, 720), (960, 540));
        assert_eq!(step.of_camera(640, 480), (640, 480), "never larger than the camera");
        assert_eq!(step.of_camera(1600, 1200), (832, 624));
        assert_eq!(step.of_camera(720, 1280), (540, 960));
        assert_eq!(step.of_camera(0, 0), (960, 540));
    }

    proptest! {
        /// A rate that wavers by a tenth makes no picture flap.
        #[test]
        fn a_wavering_rate_changes_the_size_once_at_most(
            rate in 120_000..2_500_000_u32,
            wavers in proptest::collection::vec(-0.08..0.08_f64, 600),
        ) {
            let mut adaptation = VideoAdaptation::new(rate);
            let mut directions = Vec::new();
            for (at, waver) in wavers.into_iter().enumerate() {
                let before = adaptation.step.unwrap_or(9);
                adaptation.spend((f64::from(rate) * (1.0 + waver)) as u32, seconds(at as f64 / 10.0));
                let after = adaptation.step.unwrap_or(9);
                if after != before {
                    directions.push(after < before);
                }
            }
            prop_assert!(directions.windows(2).all(|pair| pair[0] == pair[1]), "{directions:?}");
        }
    }
}
