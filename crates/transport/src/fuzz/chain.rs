//! Packets that SRTP let through: the other side has the keys, and may still send anything.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::interceptor::{
    AttributedPacket, Interceptor, Packet, RTCPFeedback, RTPHeaderExtension, StreamInfo, TaggedPacket,
};
use rtc::shared::TransportContext;
use rtc::shared::marshal::Unmarshal as _;
use rtc::{rtcp, rtp};

use super::Steps;
use crate::audio::AudioReceiver;
use crate::chain;
use crate::counters::Counters;
use crate::drops::Dropped;
use crate::engine::TRANSPORT_CC;
use crate::video::VideoReceiver;

/// Sources as a call has them, close together so that a fuzzer finds them.
const OUR_AUDIO: (u32, u32) = (1, 2);
const THEIR_AUDIO: (u32, u32) = (3, 4);
const THEIR_VIDEO: (u32, u32) = (5, 6);
const OUR_VIDEO: (u32, u32) = (7, 8);

/// Timers that may be due at one moment. More would be a loop that never ends.
const MOST_TIMERS: usize = 64;

fn stream(mime: &str, sources: (u32, u32), payload_types: (u8, u8), clock_rate: u32) -> StreamInfo {
    let (ssrc, repair) = sources;
    let (payload_type, repair_type) = payload_types;
    StreamInfo {
        ssrc,
        ssrc_rtx: Some(repair),
        payload_type,
        payload_type_rtx: Some(repair_type),
        mime_type: mime.to_owned(),
        clock_rate,
        rtcp_feedback: vec![RTCPFeedback { typ: "nack".to_owned(), parameter: String::new() }],
        rtp_header_extensions: vec![RTPHeaderExtension { uri: TRANSPORT_CC.to_owned(), id: 1 }],
        ..StreamInfo::default()
    }
}

struct World<C> {
    chain: C,
    counters: Arc<Counters>,
    received: AudioReceiver,
    now: Instant,
}

impl<C: Interceptor> World<C> {
    fn came(&mut self, packet: Packet) {
        let message = AttributedPacket::new(packet);
        let packet = TaggedPacket { now: self.now, transport: TransportContext::default(), message };
        // What an interceptor refuses, it has dropped.
        let _ = self.chain.handle_read(packet);
        self.drain();
    }

    /// Sound if the number is even, else a packet of a picture; with the transport-wide numbers 0, 1, 2 …
    fn send(&mut self, number: u8) {
        let (payload_type, ssrc) =
            if number.is_multiple_of(2) { (111, OUR_AUDIO.0) } else { (102, OUR_VIDEO.0) };
        let header = rtp::Header {
            version: 2,
            payload_type,
            sequence_number: number.into(),
            ssrc,
            ..rtp::Header::default()
        };
        let packet = rtp::Packet { header, payload: Bytes::from_static(&[1, 2, 3]) };
        let message = AttributedPacket::new(Packet::Rtp(packet));
        let packet = TaggedPacket { now: self.now, transport: TransportContext::default(), message };
        let _ = self.chain.handle_write(packet);
        self.drain();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        let mut timers = 0;
        while self.chain.poll_timeout().is_some_and(|due| due <= self.now) {
            timers += 1;
            assert!(timers <= MOST_TIMERS, "a timer that is always due");
            let _ = self.chain.handle_timeout(self.now);
            self.drain();
        }
    }

    fn drain(&mut self) {
        // What comes for one packet: an answer to each of 17 × 65,535 at most, and no more than is remembered.
        let mut out = 0;
        while self.chain.poll_write().is_some() {
            out += 1;
            assert!(out <= 4_096, "one packet made more than {out}");
        }
        while self.chain.poll_read().is_some() {}
        while let Some(audio) = self.received.pop() {
            assert!((1..=crate::MAX_AUDIO_PAYLOAD).contains(&audio.payload.len()));
        }
    }
}

/// A walk: RTP and RTCP that come, sound and pictures that leave, time that passes.
pub fn chain(data: &[u8]) {
    let now = Instant::now();
    let counters = Arc::new(Counters::new(now));
    counters.admitted.store(true, Ordering::Relaxed);
    counters.repair.source.store(OUR_AUDIO.0, Ordering::Relaxed);
    counters.repair.repair.store(OUR_AUDIO.1, Ordering::Relaxed);
    counters.repair.payload_type.store(112, Ordering::Relaxed);
    let received = AudioReceiver::new();
    let mut chain = chain::build(&counters, &received, &VideoReceiver::new(Arc::clone(&counters))).build();
    chain.bind_local_stream(&stream("audio/opus", OUR_AUDIO, (111, 112), 48_000));
    chain.bind_local_stream(&stream("video/H264", OUR_VIDEO, (102, 103), 90_000));
    chain.bind_remote_stream(&stream("audio/opus", THEIR_AUDIO, (111, 112), 48_000));
    chain.bind_remote_stream(&stream("video/H264", THEIR_VIDEO, (102, 103), 90_000));
    let mut world = World { chain, counters, received, now };
    let mut packets = 0;
    for (kind, number, bytes) in Steps(data) {
        let mut raw = Bytes::copy_from_slice(bytes);
        match kind % 8 {
            0..3 => {
                if let Ok(packet) = rtp::Packet::unmarshal(&mut raw) {
                    packets += 1;
                    world.came(Packet::Rtp(packet));
                }
            }
            3..6 => {
                if let Ok(reports) = rtcp::packet::unmarshal(&mut raw) {
                    world.came(Packet::Rtcp(reports));
                }
            }
            6 => world.send(number),
            _ => world.wait(Duration::from_millis(u64::from(number) * 4)),
        }
    }
    world.wait(Duration::from_secs(2));
    let stats = world.counters.snapshot(world.now);
    assert!(stats.received.packets <= packets);
    let mut unheard = stats.dropped.iter().map(|(_, count)| count).sum::<u64>();
    for report in [Dropped::UnknownReport, Dropped::Rejected, Dropped::BadFeedback, Dropped::Flood] {
        unheard -= stats.dropped.of(report);
    }
    let most = (crate::rate::MOST * 3.0) as u32;
    assert!(world.counters.video.bitrate() <= most && world.counters.video.pace() <= f64::from(most));
    assert!(unheard <= packets, "each is dropped once");
}
