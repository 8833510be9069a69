//! From the path to the screen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use carillon_media::picture::{PicturePool, Rotation};
use carillon_media::video::VideoDecoder;
use carillon_media::video::assembly::{AssembledFrame, FrameAssembly, VideoPacket};
use carillon_wire::CallId;

use super::{Screen, ShownPicture};
use crate::peer::VideoIn;

/// How often a thread looks whether a repair took too long, while pictures come; and else.
const BUSY: Duration = Duration::from_millis(40);
const IDLE: Duration = Duration::from_millis(500);
/// Pictures come as long as the last packet is not older.
const FLOWS: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Incoming {
    call: CallId,
    path: Box<dyn VideoIn>,
    screen: Screen,
    stop: Arc<AtomicBool>,
    start: Instant,
    assembly: FrameAssembly,
    decoder: Option<VideoDecoder>,
    pool: PicturePool,
    rotation: Rotation,
    /// When the last packet came.
    last: Option<Instant>,
}

impl Incoming {
    pub(super) fn new(call: CallId, path: Box<dyn VideoIn>, screen: Screen, stop: Arc<AtomicBool>) -> Self {
        Self {
            call,
            path,
            screen,
            stop,
            start: Instant::now(),
            assembly: FrameAssembly::new(),
            decoder: None,
            pool: PicturePool::new(),
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
                    arrival: packet.arrival.saturating_duration_since(self.start),
                });
                while let Some(frame) = self.assembly.pop(self.start.elapsed()) {
                    self.show(frame);
                }
            }
            let flows = self.last.is_some_and(|last| last.elapsed() < FLOWS);
            if flows {
                if let Some(round_trip) = self.path.round_trip() {
                    self.assembly.set_round_trip(round_trip);
                }
                if self.assembly.needs_keyframe(self.start.elapsed()) {
                    self.path.request_keyframe();
                }
            }
            thread::park_timeout(if flows { BUSY } else { IDLE });
        }
    }

    fn show(&mut self, frame: AssembledFrame) {
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
                (self.screen)(ShownPicture {
                    call: self.call,
                    encoded: frame,
                    picture,
                    rotation: self.rotation,
                    ready: Instant::now(),
                });
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "a frame was not shown");
                self.assembly.await_keyframe();
                self.path.request_keyframe();
            }
        }
    }
}
