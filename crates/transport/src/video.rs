//! Pictures between the connection and the threads that encode and decode, which must never wait.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use carillon_media::picture::Rotation;
use carillon_media::video::VideoCodec;
use crossbeam_queue::ArrayQueue;
use tokio::sync::{Notify, mpsc};

use crate::chain::clock::{Medium, SenderClock};
use crate::counters::Counters;
use crate::drops::Dropped;
use crate::rate::FIRST;

/// Packets the decoding thread may be behind: a keyframe of 1 MB and more.
const RECEIVED: usize = 1_024;

/// Frames the connection may be behind. What waits longer is dropped by the pacer, and a keyframe asked for.
pub(crate) const OUTGOING: usize = 8;

/// Largest payload: what fits into a datagram of 1,200 bytes beside RTP with its extensions, SRTP, and the number that a
/// retransmission adds.
pub const MAX_VIDEO_PAYLOAD: usize = 1_130;

/// Most packets of one frame: a megabyte.
const MOST_PAYLOADS: usize = 1_000;

/// An encoded picture, cut into payloads.
#[derive(Debug, Clone)]
pub struct OutgoingFrame {
    /// Of the picture, at 90 kHz. Only differences count.
    pub timestamp: u32,
    /// When it was taken.
    pub captured: Instant,
    /// It can be decoded without any before it.
    pub keyframe: bool,
    /// 0 is the base; a frame of layer 1 is needed by no other and is the first to be left out.
    pub layer: u8,
    /// The turn that it needs to be upright.
    pub rotation: Rotation,
    /// Payloads of RTP, in order, each at most [`MAX_VIDEO_PAYLOAD`] bytes.
    pub payloads: Vec<Bytes>,
}

/// What the encoder is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoDemand {
    /// What it may spend, in bit/s.
    pub bitrate: u32,
    /// The other side, or the pacer, needs a keyframe. Asking has been answered once this was read.
    pub keyframe: bool,
    /// What was encoded before has not left yet: another picture would only wait, and had better not be encoded.
    pub full: bool,
}

/// Shared by both ends of the pictures' way out.
#[derive(Debug)]
pub(crate) struct VideoState {
    /// 0: not agreed yet; 1: H.264; 2: VP8.
    codec: AtomicU8,
    keyframe: AtomicBool,
    bitrate: AtomicU32,
    /// How fast packets of pictures leave, in bit/s.
    pace: AtomicU32,
    /// In microseconds.
    queue: AtomicU32,
    /// Pictures wait from then on, in microseconds since the start; the greatest number: never.
    stands_from: AtomicU64,
    /// The pacer has as much as it should have.
    full: AtomicBool,
    /// The source that the other side sends pictures from; 0: none yet.
    pub(crate) remote_source: AtomicU32,
    /// A keyframe of the other side is needed.
    pub(crate) wanted: AtomicBool,
    pub(crate) want: Notify,
    pub(crate) counts: VideoCounts,
}

/// Totals.
#[derive(Debug, Default)]
pub(crate) struct VideoCounts {
    pub(crate) frames_out: AtomicU64,
    pub(crate) packets_out: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) frames_dropped: AtomicU64,
    pub(crate) packets_in: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) repaired: AtomicU64,
    pub(crate) keyframes_asked_there: AtomicU64,
    pub(crate) keyframes_asked_here: AtomicU64,
    /// Share lost between the other side's last two reports, in 1/256.
    pub(crate) fraction_lost: AtomicU8,
}

impl VideoState {
    pub(crate) fn new() -> Self {
        Self {
            codec: AtomicU8::new(0),
            keyframe: AtomicBool::new(false),
            bitrate: AtomicU32::new(FIRST as u32),
            pace: AtomicU32::new(2 * FIRST as u32),
            queue: AtomicU32::new(0),
            stands_from: AtomicU64::new(u64::MAX),
            full: AtomicBool::new(false),
            remote_source: AtomicU32::new(0),
            wanted: AtomicBool::new(false),
            want: Notify::new(),
            counts: VideoCounts::default(),
        }
    }

    pub(crate) fn agreed(&self, codec: VideoCodec) {
        let code = match codec {
            VideoCodec::H264 => 1,
            VideoCodec::Vp8 => 2,
        };
        self.codec.store(code, Ordering::Release);
    }

    fn codec(&self) -> Option<VideoCodec> {
        match self.codec.load(Ordering::Acquire) {
            1 => Some(VideoCodec::H264),
            2 => Some(VideoCodec::Vp8),
            _ => None,
        }
    }

    /// What the encoder may spend, in bit/s.
    pub(crate) fn bitrate(&self) -> u32 {
        self.bitrate.load(Ordering::Relaxed)
    }

    /// What may be spent now, how fast packets may leave, and how long the line's queue is.
    pub(crate) fn set_bitrate(&self, bitrate: u32, pace: f64, queue: Duration) {
        self.bitrate.store(bitrate, Ordering::Relaxed);
        // Saturates.
        self.pace.store(pace as u32, Ordering::Relaxed);
        let micros = u32::try_from(queue.as_micros()).unwrap_or(u32::MAX);
        self.queue.store(micros, Ordering::Relaxed);
    }

    /// How fast packets of pictures may leave, in bit/s with all headers.
    pub(crate) fn pace(&self) -> f64 {
        self.pace.load(Ordering::Relaxed).into()
    }

    /// How long the line's queue is.
    pub(crate) fn queue(&self) -> Duration {
        Duration::from_micros(self.queue.load(Ordering::Relaxed).into())
    }

    /// From then on, since the start, nothing leaves: something should have been heard of what left before.
    pub(crate) fn set_stands_from(&self, at: Option<Duration>) {
        let micros = at.and_then(|at| u64::try_from(at.as_micros()).ok()).unwrap_or(u64::MAX);
        self.stands_from.store(micros, Ordering::Relaxed);
    }

    /// The same.
    pub(crate) fn stands_from(&self) -> Option<Duration> {
        let micros = self.stands_from.load(Ordering::Relaxed);
        (micros < u64::MAX).then(|| Duration::from_micros(micros))
    }

    /// Whether another picture would only wait.
    pub(crate) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// The encoder has to begin anew.
    pub(crate) fn ask_for_keyframe(&self) {
        self.keyframe.store(true, Ordering::Release);
    }
}

/// Takes pictures for the other side. Clones are cheap and all send into the same stream.
#[derive(Debug, Clone)]
pub struct VideoSender {
    sender: mpsc::Sender<OutgoingFrame>,
    counters: Arc<Counters>,
}

impl VideoSender {
    pub(crate) fn new(counters: Arc<Counters>) -> (Self, mpsc::Receiver<OutgoingFrame>) {
        let (sender, receiver) = mpsc::channel(OUTGOING);
        (Self { sender, counters }, receiver)
    }

    /// Sends, from any thread and without waiting. What may not go out, or finds no room, is counted as
    /// [`Dropped::VideoNotSent`]; a frame that others refer to then has a keyframe asked for.
    pub fn send(&self, frame: OutgoingFrame) {
        let fits = (1..=MOST_PAYLOADS).contains(&frame.payloads.len())
            && frame.payloads.iter().all(|payload| (1..=MAX_VIDEO_PAYLOAD).contains(&payload.len()));
        let referred = frame.layer == 0;
        if !fits || !self.counters.is_admitted() || self.sender.try_send(frame).is_err() {
            self.counters.dropped(Dropped::VideoNotSent);
            if referred {
                self.counters.video.ask_for_keyframe();
            }
        }
    }

    /// What was agreed to encode with; `None` before, or where the other side takes no pictures.
    pub fn codec(&self) -> Option<VideoCodec> {
        self.counters.video.codec()
    }

    /// What the encoder is asked for, before each picture. Reading it takes a request for a keyframe, unless no picture is
    /// to be encoded.
    pub fn demand(&self) -> VideoDemand {
        let video = &self.counters.video;
        let full = video.full.load(Ordering::Relaxed);
        let keyframe = !full && video.keyframe.swap(false, Ordering::AcqRel);
        VideoDemand { bitrate: video.bitrate(), keyframe, full }
    }
}

/// A packet of the other side's pictures.
#[derive(Debug, Clone)]
pub struct ReceivedVideo {
    /// How it is written down.
    pub codec: VideoCodec,
    /// Of RTP.
    pub sequence: u16,
    /// Of the picture, at 90 kHz, from an arbitrary start.
    pub timestamp: u32,
    /// The last of its frame.
    pub marker: bool,
    /// The turn that its picture needs; packets may leave it out.
    pub rotation: Option<Rotation>,
    /// Of RFC 6184 or RFC 7741, not empty.
    pub payload: Bytes,
    /// When it was read off the socket.
    pub arrival: Instant,
}

/// The other side's pictures in the order of arrival, as a queue without locks.
#[derive(Debug, Clone)]
pub struct VideoReceiver {
    queue: Arc<Queue>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Queue {
    packets: ArrayQueue<ReceivedVideo>,
    reader: OnceLock<Thread>,
}

impl VideoReceiver {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        let queue = Queue { packets: ArrayQueue::new(RECEIVED), reader: OnceLock::new() };
        Self { queue: Arc::new(queue), counters }
    }

    /// The next packet, or none. Never waits.
    pub fn pop(&self) -> Option<ReceivedVideo> {
        self.queue.packets.pop()
    }

    /// The thread to unpark when a packet has come: the first that is named.
    pub fn wake(&self, reader: Thread) {
        let _ = self.queue.reader.set(reader);
    }

    /// What the other side's reports say of the time of its sound and of its pictures, each as soon as one came.
    pub fn sender_clocks(&self) -> (Option<SenderClock>, Option<SenderClock>) {
        let clock = &self.counters.clock;
        (clock.heard(Medium::Audio), clock.heard(Medium::Video))
    }

    /// Asks the other side for a keyframe (PLI: RFC 4585, section 6.3.1), as often as is sensible until
    /// [`keyframe_came`](Self::keyframe_came).
    pub fn request_keyframe(&self) {
        if !self.counters.video.wanted.swap(true, Ordering::AcqRel) {
            self.counters.video.want.notify_one();
        }
    }

    /// A keyframe came.
    pub fn keyframe_came(&self) {
        self.counters.video.wanted.store(false, Ordering::Release);
    }

    /// Puts a packet in. A reader that is behind loses the newest: the ones before may still make frames. Returns whether
    /// there was room.
    pub(crate) fn push(&self, packet: ReceivedVideo) -> bool {
        let fits = self.queue.packets.push(packet).is_ok();
        if let Some(reader) = self.queue.reader.get() {
            reader.unpark();
        }
        fits
    }
}

/// The turn in the extension of 3GPP TS 26.114, section 7.4.5 (`urn:3gpp:video-orientation`): its last two bits, clockwise.
pub(crate) fn rotation_of(extension: &[u8]) -> Option<Rotation> {
    extension.first().map(|byte| match byte & 3 {
        0 => Rotation::None,
        1 => Rotation::Quarter,
        2 => Rotation::Half,
        _ => Rotation::ThreeQuarters,
    })
}

/// See [`rotation_of`].
pub(crate) const fn orientation(rotation: Rotation) -> u8 {
    match rotation {
        Rotation::None => 0,
        Rotation::Quarter => 1,
        Rotation::Half => 2,
        Rotation::ThreeQuarters => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(layer: u8, payloads: Vec<Bytes>) -> OutgoingFrame {
        let captured = Instant::now();
        OutgoingFrame { timestamp: 0, captured, keyframe: false, layer, rotation: Rotation::None, payloads }
    }

    #[test]
    fn a_frame_that_may_not_go_out_is_counted_and_a_keyframe_asked_for_where_others_refer_to_it() {
        let counters = Arc::new(Counters::new(Instant::now()));
        let (sender, mut receiver) = VideoSender::new(Arc::clone(&counters));
        let good = || vec![Bytes::from_static(&[1])];
        sender.send(frame(1, good()));
        assert!(!sender.demand().keyframe);
        sender.send(frame(0, good()));
        assert!(sender.demand().keyframe && !sender.demand().keyframe, "asked for once");
        counters.admitted.store(true, Ordering::Release);
        sender.send(frame(0, good()));
        assert!(receiver.try_recv().is_ok());
        for wrong in [vec![], vec![Bytes::new()], vec![vec![0; MAX_VIDEO_PAYLOAD + 1].into()]] {
            sender.send(frame(0, wrong));
        }
        assert_eq!(counters.drops.snapshot().of(Dropped::VideoNotSent), 5);
        (0..=OUTGOING).for_each(|_| sender.send(frame(0, good())));
        assert_eq!(counters.drops.snapshot().of(Dropped::VideoNotSent), 6);
    }

    #[test]
    fn turns_are_written_as_they_are_read() {
        for rotation in [Rotation::None, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters] {
            assert_eq!(rotation_of(&[orientation(rotation)]), Some(rotation));
            assert_eq!(rotation_of(&[orientation(rotation) | 0x0C]), Some(rotation));
        }
        assert_eq!(rotation_of(&[]), None);
    }
}
