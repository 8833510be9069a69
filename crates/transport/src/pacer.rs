//! Spreads the packets of pictures over time, and leaves out what has waited too long.
//!
//! A frame handed to the network at once would stand in the line's queue in front of the sound. Sound never passes here.
//! What waits is counted from the moment the frame was handed over: a frame that can't leave in time is dropped whole,
//! with all that refers to it, and a keyframe is asked for; the delay of the pictures can't build up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::video::OutgoingFrame;

/// Never slower than that, in bit/s: a keyframe at a low rate.
const LEAST: f64 = 100_000.0;
/// What may leave at once.
const BURST: Duration = Duration::from_millis(10);
/// What a packet has beside its payload: RTP with extensions, SRTP, UDP and IP, in bytes.
const OVERHEAD: usize = 12 + 12 + 16 + 8 + 20;
/// A frame that waited so long before its first packet left is dropped. Half of that for one that nobody refers to.
const MOST_WAIT: Duration = Duration::from_millis(350);
/// A frame that is under way for so long is cut off.
const MOST_LEAVING: Duration = Duration::from_millis(450);

/// How often it is looked whether the line moves again.
const LOOK: Duration = Duration::from_millis(3);

/// A line that stands for longer has to be tried: maybe it is the news alone that gets lost.
const LONGEST_STAND: Duration = Duration::from_millis(600);

/// A packet whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) payload: Bytes,
    pub(crate) timestamp: u32,
    pub(crate) captured: Instant,
    pub(crate) first: bool,
    pub(crate) last: bool,
    pub(crate) keyframe: bool,
    pub(crate) rotation: carillon_media::picture::Rotation,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Pacer {
    frames: VecDeque<Waiting>,
    /// Bytes that may leave now; negative after a burst.
    budget: f64,
    filled: Instant,
    /// In bytes a second.
    pace: f64,
    /// From then on pictures wait.
    stands_from: Option<Instant>,
    /// Everything up to a keyframe refers to something that was dropped.
    broken: bool,
    dropped: u64,
}

#[derive(Debug)]
struct Waiting {
    frame: OutgoingFrame,
    since: Instant,
    next: usize,
}

impl Pacer {
    pub(crate) const fn new(now: Instant) -> Self {
        let frames = VecDeque::new();
        Self {
            frames,
            budget: 0.0,
            filled: now,
            pace: LEAST / 8.0,
            stands_from: None,
            broken: false,
            dropped: 0,
        }
    }

    /// How fast packets leave, in bit/s with all headers.
    pub(crate) fn set_pace(&mut self, pace: f64) {
        self.pace = pace.max(LEAST) / 8.0;
    }

    /// Nothing leaves from then on, until another time is given: the line stands.
    pub(crate) const fn set_stands_from(&mut self, at: Option<Instant>) {
        self.stands_from = at;
    }

    /// Whether another picture would only wait: it had better not be encoded.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.frames.len() > usize::from(!self.stands(now))
    }

    fn stands(&self, now: Instant) -> bool {
        self.stands_from
            .is_some_and(|from| from <= now && now.saturating_duration_since(from) < LONGEST_STAND)
    }

    /// Takes a frame in.
    pub(crate) fn push(&mut self, frame: OutgoingFrame, now: Instant) {
        if frame.keyframe {
            // What waits before it is of no use: the keyframe begins anew, and sooner without.
            self.dropped += self.frames.iter().filter(|waiting| waiting.next == 0).count() as u64;
            self.frames.retain(|waiting| waiting.next > 0);
            self.broken = false;
        } else if self.broken {
            self.dropped += 1;
            return;
        }
        self.frames.push_back(Waiting { frame, since: now, next: 0 });
    }

    /// The next packet, if it may leave. To be called until there is none.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Due> {
        self.drop_late(now);
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.budget = (self.budget + since * self.pace).min(BURST.as_secs_f64() * self.pace);
        self.filled = now;
        if self.budget < 0.0 || self.stands(now) {
            return None;
        }
        let waiting = self.frames.front_mut()?;
        let frame = &waiting.frame;
        let index = waiting.next;
        let last = index + 1 >= frame.payloads.len();
        let due = frame.payloads.get(index).map(|payload| Due {
            payload: payload.clone(),
            timestamp: frame.timestamp,
            captured: frame.captured,
            first: index == 0,
            last,
            keyframe: frame.keyframe,
            rotation: frame.rotation,
        });
        waiting.next += 1;
        if last {
            self.frames.pop_front();
        }
        if let Some(due) = &due {
            self.budget -= (due.payload.len() + OVERHEAD) as f64;
        }
        due
    }

    /// When to ask again; `None`: after the next frame came.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.frames.front()?;
        if self.stands(self.filled) {
            return Some(self.filled + LOOK);
        }
        let missing = (-self.budget).max(0.0) / self.pace;
        Some(self.filled + Duration::from_secs_f64(missing).max(Duration::from_millis(1)))
    }

    /// How many frames were dropped since this was asked last, and whether a keyframe is needed for it.
    pub(crate) fn take_dropped(&mut self) -> (u64, bool) {
        (std::mem::take(&mut self.dropped), self.broken)
    }

    fn drop_late(&mut self, now: Instant) {
        while let Some(waiting) = self.frames.front() {
            let waited = now.saturating_duration_since(waiting.since);
            let referred = waiting.frame.layer == 0;
            let most = match (waiting.next > 0, referred) {
                (true, _) => MOST_LEAVING,
                (false, true) => MOST_WAIT,
                (false, false) => MOST_WAIT / 2,
            };
            if waited <= most {
                return;
            }
            self.frames.pop_front();
            self.dropped += 1;
            if referred {
                self.dropped +=
                    self.frames.iter().take_while(|waiting| !waiting.frame.keyframe).count() as u64;
                let keep = self.frames.iter().position(|waiting| waiting.frame.keyframe);
                self.frames.drain(..keep.unwrap_or(self.frames.len()));
                self.broken = keep.is_none();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carillon_media::picture::Rotation;

    const FRAME: Duration = Duration::from_millis(33);

    struct World {
        pacer: Pacer,
        start: Instant,
        now: Instant,
        sent: Vec<(Duration, Due)>,
    }

    impl World {
        fn at(bitrate: u32) -> Self {
            let now = Instant::now();
            let mut pacer = Pacer::new(now);
            pacer.set_pace(2.0 * f64::from(bitrate));
            Self { pacer, start: now, now, sent: Vec::new() }
        }

        fn push(&mut self, number: u32, packets: usize, keyframe: bool, layer: u8) {
            let payloads = vec![Bytes::from(vec![0; 1_000]); packets];
            let rotation = Rotation::None;
            let captured = self.now;
            let frame = OutgoingFrame { timestamp: number, captured, keyframe, layer, rotation, payloads };
            self.pacer.push(frame, self.now);
        }

        /// Lets time go by, and sends what may leave.
        fn run(&mut self, span: Duration) {
            let end = self.now + span;
            loop {
                while let Some(due) = self.pacer.poll(self.now) {
                    self.sent.push((self.now - self.start, due));
                }
                match self.pacer.next().filter(|next| *next < end) {
                    Some(next) => self.now = next.max(self.now),
                    None => break,
                }
            }
            self.now = end;
        }

        fn timestamps(&self) -> Vec<u32> {
            self.sent.iter().filter(|(_, due)| due.last).map(|(_, due)| due.timestamp).collect()
        }
    }

    #[test]
    fn packets_are_spread_at_twice_the_rate() {
        let mut world = World::at(1_000_000);
        world.push(1, 50, true, 0);
        world.run(Duration::from_secs(1));
        let (first, last) = (world.sent[0].0, world.sent[49].0);
        // 50 packets of 1,068 bytes at 2 Mbit/s, less the burst.
        let expected = 50.0 * 1_068.0 * 8.0 / 2e6 - 0.01;
        assert!(((last - first).as_secs_f64() - expected).abs() < 0.02, "{last:?}");
        assert!(world.sent[0].1.first && world.sent[49].1.last && !world.sent[48].1.last);
    }

    #[test]
    fn frames_that_fit_leave_at_once_and_in_order() {
        let mut world = World::at(1_000_000);
        for number in 0..30 {
            world.push(number, 4, number == 0, (number % 2) as u8);
            world.run(FRAME);
        }
        assert_eq!(world.timestamps(), (0..30).collect::<Vec<_>>());
        assert_eq!(world.pacer.take_dropped(), (0, false));
    }

    #[test]
    fn what_waited_too_long_is_dropped_with_all_that_refers_to_it() {
        let mut world = World::at(500_000);
        for number in 0..40 {
            world.push(number, 10, number == 0, (number % 2) as u8);
            world.run(FRAME);
        }
        let (dropped, broken) = world.pacer.take_dropped();
        assert!(dropped > 0 && broken);
        let sent = world.timestamps().len();
        world.push(40, 2, false, 0);
        world.run(FRAME);
        assert_eq!(world.timestamps().len(), sent, "it refers to what was dropped");
        world.push(41, 2, true, 0);
        world.push(42, 2, false, 1);
        world.run(FRAME * 3);
        assert_eq!(world.timestamps()[sent..], [41, 42]);
        assert_eq!(world.pacer.take_dropped(), (1, false));
        // Nothing left later than allowed.
        for (at, due) in world.sent.iter().filter(|(_, due)| due.first) {
            assert!(*at - (due.captured - world.start) <= MOST_WAIT);
        }
    }

    #[test]
    fn a_frame_that_nobody_refers_to_is_dropped_alone() {
        let mut world = World::at(150_000);
        world.push(0, 8, true, 0);
        world.push(1, 4, false, 1);
        world.push(2, 1, false, 0);
        world.run(Duration::from_millis(800));
        assert_eq!(world.timestamps(), [0, 2]);
        assert_eq!(world.pacer.take_dropped(), (1, false));
    }

    #[test]
    fn on_a_line_that_stands_pictures_wait_and_no_more_are_wanted() {
        let mut world = World::at(1_000_000);
        world.push(0, 3, true, 0);
        world.run(FRAME);
        world.pacer.set_stands_from(Some(world.now));
        assert!(!world.pacer.is_full(world.now), "one may wait");
        world.push(1, 3, false, 0);
        assert!(world.pacer.is_full(world.now));
        world.run(FRAME * 5);
        assert_eq!(world.timestamps(), [0]);
        world.pacer.set_stands_from(Some(world.now + FRAME));
        world.run(FRAME);
        assert_eq!(world.timestamps(), [0, 1]);
        assert_eq!(world.pacer.take_dropped(), (0, false));
    }

    #[test]
    fn a_line_of_which_nothing_is_heard_is_tried_again() {
        let mut world = World::at(1_000_000);
        world.pacer.set_stands_from(Some(world.now));
        world.run(LONGEST_STAND);
        world.push(0, 3, true, 0);
        world.run(FRAME);
        assert_eq!(world.timestamps(), [0]);
    }

    #[test]
    fn a_pacer_with_a_picture_on_its_way_takes_one_more() {
        let mut world = World::at(100_000);
        world.push(0, 20, true, 0);
        world.run(FRAME);
        assert!(!world.pacer.is_full(world.now));
        world.push(1, 1, false, 0);
        assert!(world.pacer.is_full(world.now));
    }

    #[test]
    fn a_keyframe_overtakes_what_has_not_begun_to_leave() {
        let mut world = World::at(300_000);
        for number in 0..4 {
            world.push(number, 5, number == 0, 0);
        }
        world.run(Duration::from_millis(20));
        world.push(9, 1, true, 0);
        world.run(Duration::from_secs(1));
        assert_eq!(world.timestamps(), [0, 9]);
    }
}
