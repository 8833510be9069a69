//! The tasks that send: sound as it comes, pictures paced, and requests for keyframes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp;
use tokio::sync::mpsc;
use webrtc::media_stream::track_local::TrackLocal as _;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use crate::audio::OutgoingAudio;
use crate::chain::clock::Medium;
use crate::counters::Counters;
use crate::pacer::{Due, Pacer};
use crate::video::{OutgoingFrame, orientation};
use carillon_media::picture::Rotation;

/// Between two requests for a keyframe while none comes: about what one takes to be made and sent.
const ASK_AGAIN: Duration = Duration::from_millis(300);

/// What the media threads hand over.
pub(crate) struct Outgoing {
    pub(crate) audio: mpsc::Receiver<OutgoingAudio>,
    pub(crate) video: mpsc::Receiver<OutgoingFrame>,
}

/// One stream of RTP.
pub(crate) struct Stream {
    track: Arc<TrackLocalStaticRTP>,
    header: rtp::Header,
    /// What is added to the timestamps that come in.
    start: u32,
}

impl Stream {
    /// Sequence and timestamp start at random (RFC 3550, section 5.1); the sequence low enough not to go round in the first
    /// packets (RFC 3711, section 3.3.1).
    pub(crate) fn new(track: Arc<TrackLocalStaticRTP>, ssrc: u32, payload_type: u8, random: [u8; 6]) -> Self {
        let [high, low, time @ ..] = random;
        let sequence_number = u16::from_be_bytes([high & 0x7F, low]);
        let header = rtp::Header { version: 2, payload_type, sequence_number, ssrc, ..Default::default() };
        Self { track, header, start: u32::from_be_bytes(time) }
    }

    const fn timestamp(&self, timestamp: u32) -> u32 {
        timestamp.wrapping_add(self.start)
    }

    fn next(&mut self, timestamp: u32, marker: bool) -> rtp::Header {
        let timestamp = self.timestamp(timestamp);
        let header = rtp::Header { marker, timestamp, ..self.header.clone() };
        self.header.sequence_number = self.header.sequence_number.wrapping_add(1);
        header
    }
}

pub(crate) async fn audio(
    mut stream: Stream,
    mut outgoing: mpsc::Receiver<OutgoingAudio>,
    counters: Arc<Counters>,
) {
    while let Some(OutgoingAudio { timestamp, captured, marker, payload }) = outgoing.recv().await {
        if !counters.is_admitted() {
            continue;
        }
        let header = stream.next(timestamp, marker);
        counters.clock.taken(Medium::Audio, header.timestamp, captured);
        if stream.track.write_rtp(rtp::Packet { header, payload }).await.is_err() {
            break;
        }
    }
}

pub(crate) async fn video(
    mut stream: Stream,
    orientation_id: Option<u8>,
    mut outgoing: mpsc::Receiver<OutgoingFrame>,
    counters: Arc<Counters>,
) {
    let mut pacer = Pacer::new(Instant::now());
    loop {
        let next = pacer.next();
        tokio::select! {
            biased;
            frame = outgoing.recv() => {
                let Some(frame) = frame else { return };
                pacer.push(frame, Instant::now());
            }
            () = until(next) => {}
        }
        pacer.set_pace(counters.video.pace());
        pacer.set_stands_from(counters.video.stands_from().and_then(|at| counters.start.checked_add(at)));
        while let Some(due) = pacer.poll(Instant::now()) {
            if !counters.is_admitted() {
                continue;
            }
            if write(&mut stream, orientation_id, due, &counters).await.is_err() {
                return;
            }
        }
        counters.video.set_full(pacer.is_full(Instant::now()));
        let (dropped, broken) = pacer.take_dropped();
        counters.video.counts.frames_dropped.fetch_add(dropped, Ordering::Relaxed);
        if broken && dropped > 0 {
            counters.video.ask_for_keyframe();
        }
    }
}

async fn until(next: Option<Instant>) {
    match next {
        Some(next) => tokio::time::sleep_until(next.into()).await,
        None => std::future::pending().await,
    }
}

async fn write(
    stream: &mut Stream,
    orientation_id: Option<u8>,
    due: Due,
    counters: &Counters,
) -> Result<(), rtc::shared::error::Error> {
    let mut header = stream.next(due.timestamp, due.last);
    if due.first {
        counters.clock.taken(Medium::Video, header.timestamp, due.captured);
        Counters::add(&counters.video.counts.frames_out, 1);
    }
    // On the last packet of keyframes, and of every frame that is turned (3GPP TS 26.114, section 7.4.5).
    if let Some(id) = orientation_id.filter(|_| due.last && (due.keyframe || due.rotation != Rotation::None))
    {
        header.set_extension(id, Bytes::copy_from_slice(&[orientation(due.rotation)]))?;
    }
    Counters::add(&counters.video.counts.packets_out, 1);
    Counters::add(&counters.video.counts.bytes_out, due.payload.len());
    stream.track.write_rtp(rtp::Packet { header, payload: due.payload }).await
}

/// Asks for keyframes while one is wanted.
pub(crate) async fn keyframes(track: Arc<TrackLocalStaticRTP>, source: u32, counters: Arc<Counters>) {
    let video = &counters.video;
    loop {
        video.want.notified().await;
        while video.wanted.load(Ordering::Acquire) {
            let media_ssrc = video.remote_source.load(Ordering::Relaxed);
            if media_ssrc != 0 && counters.is_admitted() {
                Counters::add(&video.counts.keyframes_asked_here, 1);
                let ask = PictureLossIndication { sender_ssrc: source, media_ssrc };
                if track.write_rtcp(vec![Box::new(ask)]).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}
