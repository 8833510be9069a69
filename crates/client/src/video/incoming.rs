//! From the path to the screen: packets into frames, frames into pictures, and each picture at its time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use carillon_media::picture::{PicturePool, Rotation};
use carillon_media::video::VideoDecoder;
use carillon_media::video::assembly::{AssembledFrame, FrameAssembly, VideoPacket};
use carillon_media::video::playout::{StreamClock, VideoPlayout};
use carillon_wire::CallId;

use super::{Screen, ShownPicture};
use crate::lips::Lips;
use crate::peer::{SenderClock, VideoIn};

/// How often a thread looks whether a repair took too long, while pictures come; and else.
const BUSY: Duration = Duration::from_millis(40);
const IDLE: Duration = Duration::from_millis(500);
/// Pictures come as long as the last packet is not older.
const FLOWS: Duration = Duration::from_secs(1);
/// A picture whose time comes so soon is shown now: a thread can't sleep for less.
const NOW: Duration = Duration::from_micros(500);
/// Pictures that wait at most. They wait for 200 ms at most; more are those of a sender that is too fast.
const WAITING: usize = 16;

/// See the module.
pub(super) struct Incoming {
    call: CallId,
    path: Box<dyn VideoIn>,
    lips: Lips,
    screen: Screen,
    stop: Arc<AtomicBool>,
    assembly: FrameAssembly,
    playout: VideoPlayout,
    decoder: Option<VideoDecoder>,
    pool: PicturePool,
    /// Decoded, and when to show them.
    waiting: VecDeque<(Instant, ShownPicture)>,
    rotation: Rotation,
    /// When the last packet came.
    last: Option<Instant>,
}

impl Incoming {
    pub(super) fn new(
        call: CallId,
        path: Box<dyn VideoIn>,
        lips: Lips,
        screen: Screen,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            call,
            path,
            lips,
            screen,
            stop,
            assembly: FrameAssembly::new(),
            playout: VideoPlayout::new(),
            decoder: None,
            pool: PicturePool::new(),
            waiting: VecDeque::new(),
            rotation: Rotation::None,
            last: None,
        }
    }

    pub(super) fn run(mut self) {
        self.path.wake(thread::current());
        while !self.stop.load(Ordering::Acquire) {
            while let Some(packet) = self.path.receive() {
                self.last = Some(packet.arrival);
                self.rotation = packet.rotation.unwrap_or(self.rotation);
                self.assembly.insert(VideoPacket {
                    codec: packet.codec,
                    sequence: packet.sequence,
                    timestamp: packet.timestamp,
                    marker: packet.marker,
                    payload: packet.payload,
                    arrival: self.lips.at(packet.arrival),
                });
                while let Some(frame) = self.assembly.pop(self.lips.at(Instant::now())) {
                    self.decode(frame);
                }
            }
            self.show_due();
            let flows = self.last.is_some_and(|last| last.elapsed() < FLOWS);
            if flows {
                if let Some(round_trip) = self.path.round_trip() {
                    self.assembly.set_round_trip(round_trip);
                }
                if self.assembly.needs_keyframe(self.lips.at(Instant::now())) {
                    self.path.request_keyframe();
                }
            }
            let next = self.waiting.front().map(|(at, _)| at.saturating_duration_since(Instant::now()));
            let look = if flows { BUSY } else { IDLE };
            thread::park_timeout(next.map_or(look, |next| next.min(look)));
        }
    }

    fn decode(&mut self, frame: AssembledFrame) {
        if frame.frame.keyframe {
            self.path.keyframe_came();
        }
        let decoder = match &mut self.decoder {
            Some(decoder) if decoder.codec() == frame.frame.codec => decoder,
            other => match VideoDecoder::new(frame.frame.codec) {
                Ok(decoder) => other.insert(decoder),
                Err(error) => {
                    tracing::error!(%error, "pictures can't be decoded");
                    return;
                }
            },
        };
        match decoder.decode(&frame.frame.data) {
            Ok(Some(picture)) => {
                let picture = self.pool.fill(|copy| copy.clone_from(picture));
                let at = self.time_of(&frame);
                if self.waiting.len() == WAITING
                    && let Some((_, shown)) = self.waiting.pop_front()
                {
                    self.show(shown);
                }
                let (call, rotation) = (self.call, self.rotation);
                self.waiting
                    .push_back((at, ShownPicture { call, encoded: frame, picture, rotation, ready: at }));
                self.show_due();
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "a frame was not shown");
                self.assembly.await_keyframe();
                self.path.request_keyframe();
            }
        }
    }

    /// When to show it.
    fn time_of(&mut self, frame: &AssembledFrame) -> Instant {
        let clock = |clock: SenderClock| StreamClock { ntp: clock.ntp, timestamp: clock.timestamp };
        let (sound, pictures) = self.path.sender_clocks();
        self.playout.set_clocks(sound.map(clock), pictures.map(clock));
        self.playout.played(self.lips.last_played());
        let at = self.playout.schedule(frame.timestamp, frame.arrival);
        self.lips.set_hold(self.playout.hold_sound());
        self.lips.moment(at)
    }

    fn show_due(&mut self) {
        while self.waiting.front().is_some_and(|(at, _)| *at <= Instant::now() + NOW) {
            let Some((_, shown)) = self.waiting.pop_front() else { return };
            self.show(shown);
        }
    }

    fn show(&self, shown: ShownPicture) {
        (self.screen)(ShownPicture { ready: Instant::now(), ..shown });
    }
}
