//! From the camera to the path.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use carillon_devices::camera::{CameraFrame, FrameSlot};
use carillon_media::picture::{Picture, Scaler};
use carillon_media::video::adaptation::{Step, VideoAdaptation};
use carillon_media::video::packets::Packetiser;
use carillon_media::video::{Content, EncodeError, EncoderSettings, VideoEncoder};

use crate::peer::{MAX_VIDEO_PAYLOAD, OutgoingFrame, VideoOut};

/// How often a thread without pictures looks whether it is to end.
const IDLE: Duration = Duration::from_millis(200);

/// What an encoder gets even where less may be spent, in bit/s: it is a try then, and short.
const LEAST_BITRATE: u32 = 30_000;

/// See the module.
pub(super) struct Outgoing {
    path: Box<dyn VideoOut>,
    slot: FrameSlot,
    sends: Arc<AtomicBool>,
    /// The line carries no pictures: none are sent.
    starved: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    start: Instant,
    adaptation: Option<VideoAdaptation>,
    encoder: Option<VideoEncoder>,
    packetiser: Packetiser,
    scaler: Scaler,
    scaled: Option<Picture>,
    /// Until then no picture is due: the frame rate is lower than the camera's.
    due: Option<Instant>,
    was_sending: bool,
}

impl Outgoing {
    pub(super) fn new(
        path: Box<dyn VideoOut>,
        slot: FrameSlot,
        sends: Arc<AtomicBool>,
        starved: Arc<AtomicBool>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            path,
            slot,
            sends,
            starved,
            stop,
            start: Instant::now(),
            adaptation: None,
            encoder: None,
            packetiser: Packetiser::new(),
            scaler: Scaler::new(),
            scaled: None,
            due: None,
            was_sending: false,
        }
    }

    pub(super) fn run(mut self) {
        while !self.stop.load(Ordering::Acquire) {
            let Some(frame) = self.slot.take(IDLE) else { continue };
            let sends = self.sends.load(Ordering::Acquire);
            if sends && let Err(error) = self.send(&frame) {
                tracing::warn!(%error, "a picture could not be encoded");
                self.encoder = None;
            }
            self.was_sending = sends;
        }
    }

    fn send(&mut self, frame: &CameraFrame) -> Result<(), EncodeError> {
        let Some(codec) = self.path.codec() else { return Ok(()) };
        let demand = self.path.demand();
        if demand.full {
            return Ok(());
        }
        let now = self.start.elapsed();
        let adaptation = self.adaptation.get_or_insert_with(|| VideoAdaptation::new(demand.bitrate));
        adaptation.spend(demand.bitrate, now);
        let step = adaptation.step();
        self.starved.store(step.is_none(), Ordering::Release);
        let Some(step) = step else { return Ok(()) };
        if !is_due(&mut self.due, frame.captured, step) {
            if demand.keyframe
                && let Some(encoder) = &mut self.encoder
            {
                encoder.request_keyframe();
            }
            return Ok(());
        }
        let (width, height) = step.of_camera(frame.picture.width(), frame.picture.height());
        let settings = EncoderSettings {
            width,
            height,
            frame_rate: step.frame_rate,
            bitrate: demand.bitrate.max(LEAST_BITRATE),
            content: Content::Camera,
        };
        let encoder = match &mut self.encoder {
            Some(encoder) if encoder.codec() == codec => {
                encoder.set(settings)?;
                encoder
            }
            other => other.insert(VideoEncoder::new(codec, settings)?),
        };
        // One that begins again after a pause is not known to the other side's decoder any more.
        if demand.keyframe || !self.was_sending {
            encoder.request_keyframe();
        }
        let began = Instant::now();
        let picture = if (frame.picture.width(), frame.picture.height()) == (width, height) {
            &*frame.picture
        } else {
            let scaled = match &mut self.scaled {
                Some(scaled) => scaled,
                none => none.insert(Picture::black(2, 2).map_err(|_| EncodeError::Size { width, height })?),
            };
            scaled.resize(width, height).map_err(|_| EncodeError::Size { width, height })?;
            self.scaler.scale(&frame.picture, scaled);
            scaled
        };
        let taken = frame.captured.saturating_duration_since(self.start);
        let encoded = encoder.encode(picture, taken)?;
        adaptation.encoded(began.elapsed(), self.start.elapsed());
        let Some(encoded) = encoded else { return Ok(()) };
        let payloads = self.packetiser.packetise(&encoded, MAX_VIDEO_PAYLOAD);
        // Modulo 2³².
        let timestamp = (taken.as_micros() * 9 / 100) as u32;
        self.path.send(OutgoingFrame {
            timestamp,
            captured: frame.captured,
            keyframe: encoded.keyframe,
            layer: encoded.layer,
            rotation: frame.rotation,
            payloads,
        });
        encoder.recycle(encoded);
        Ok(())
    }
}

/// Whether the picture is to be encoded, where the frame rate is lower than the camera's. `next`: until then none is due.
fn is_due(next: &mut Option<Instant>, captured: Instant, step: Step) -> bool {
    let every = Duration::from_secs(1) / step.frame_rate.max(1);
    // A quarter early is on time: the camera's clock is another.
    if next.is_some_and(|due| captured + every / 4 < due) {
        return false;
    }
    let due = next.filter(|due| captured < *due + every).unwrap_or(captured);
    *next = Some(due + every);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_thinned_out_evenly_to_the_frame_rate() {
        let start = Instant::now();
        for (frame_rate, expected) in [(30, 300), (20, 200), (15, 150), (10, 100)] {
            let (mut next, step) = (None, Step { width: 0, height: 0, frame_rate });
            let due: Vec<_> = (0..300u32)
                .filter(|n| {
                    let trembles = Duration::from_millis(u64::from(n * 7 % 5));
                    is_due(&mut next, start + Duration::from_secs(1) * *n / 30 + trembles, step)
                })
                .collect();
            assert!(due.len().abs_diff(expected) <= 3, "{frame_rate}: {}", due.len());
            let longest = due.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
            assert!(longest <= 30u32.div_ceil(frame_rate), "{frame_rate}: {longest}");
        }
    }
}
