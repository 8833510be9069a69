//! Where the estimate of what the line carries meets the packets: each that leaves gets its transport-wide number and is
//! remembered, what the other side says of them becomes what pictures may take, and how fast they may leave.
//!
//! In place of the stack's three interceptors for it: those number no retransmissions, and unfold a report as far as it
//! says, which may be millions of packets in one datagram.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc::rtp;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use rtc::shared::marshal::MarshalSize as _;

use super::answers::with_repair;
use super::{Passing, is_audio};
use crate::bucket::Bucket;
use crate::counters::Counters;
use crate::drops::Dropped;
use crate::engine::TRANSPORT_CC;
use crate::rate::history::History;
use crate::rate::{Estimator, MOST, Report};

/// What a packet has on the wire beside RTP: the tag of SRTP, UDP and IP, in bytes.
const BENEATH: usize = 16 + 8 + 20;
/// Of what pictures may take, so much is payload at least.
const PAYLOAD: f64 = 0.94;
/// Pictures of 1280×720 at 30 a second need no more, in bit/s.
const ENOUGH: u32 = 2_500_000;
/// How often it is looked whether anything is heard, and over which time the rate of sound is taken.
const LOOK: Duration = Duration::from_millis(100);
/// Sound gets numbers while pictures are sent and so long after. Alone it has nothing to learn from them: its rate is
/// chosen by losses.
const AFTER_PICTURES: Duration = Duration::from_secs(1);
/// Reports in a second. Browsers send up to 20.
const REPORTS: (u32, u32) = (100, 200);
/// Most reports that are looked through in one datagram.
const MOST_AT_ONCE: usize = 8;

/// See the module.
pub(crate) struct Congestion {
    counters: Arc<Counters>,
    estimator: Estimator,
    history: History,
    /// Our sources that have numbers.
    streams: HashMap<u32, Stream>,
    rate: Bucket,
    /// Kept for its room.
    reports: Vec<Report>,
    /// When a picture's packet left last.
    pictures: Option<Instant>,
    look: Option<Instant>,
    /// Bytes of sound since the last look, and the rate of sound in bit/s.
    sound_bytes: usize,
    sound_rate: f64,
    looked: Instant,
    passing: Passing,
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    extension: u8,
    medium: Medium,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Medium {
    Sound,
    Pictures,
    Repair,
}

impl Congestion {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        let start = counters.start;
        Self {
            counters,
            estimator: Estimator::new(start),
            history: History::default(),
            streams: HashMap::new(),
            rate: Bucket::new(REPORTS.0, REPORTS.1),
            reports: Vec::new(),
            pictures: None,
            look: None,
            sound_bytes: 0,
            sound_rate: 0.0,
            looked: start,
            passing: Passing::default(),
        }
    }

    fn leaves(&mut self, rtp: &mut rtp::Packet, again: bool, now: Instant) {
        let Some(&Stream { extension, medium }) = self.streams.get(&rtp.header.ssrc) else { return };
        if medium == Medium::Pictures && !again {
            self.pictures = Some(now);
            if self.look.is_none() {
                (self.look, self.looked, self.sound_bytes) = (Some(now + LOOK), now, 0);
            }
        }
        let with_pictures =
            self.pictures.is_some_and(|at| now.saturating_duration_since(at) < AFTER_PICTURES);
        if medium == Medium::Sound && !with_pictures {
            return;
        }
        // The number's place is taken before the size.
        if rtp.header.set_extension(extension, Bytes::from_static(&[0, 0])).is_err() {
            return;
        }
        let size = rtp.payload.len() + rtp.header.marshal_size() + BENEATH;
        let train = (medium == Medium::Pictures && !again).then_some(rtp.header.timestamp);
        let number = self.history.leaves(now, size, train);
        let _ = rtp.header.set_extension(extension, Bytes::copy_from_slice(&number.to_be_bytes()));
        self.wait_for_news();
        if medium == Medium::Sound {
            self.sound_bytes = self.sound_bytes.saturating_add(size);
        }
    }

    fn heard(&mut self, feedback: &TransportLayerCc, now: Instant) {
        if !self.rate.take(now) {
            self.counters.dropped(Dropped::Flood);
            return;
        }
        self.reports.clear();
        if self.history.feedback(now, feedback, &mut self.reports).is_err() {
            self.counters.dropped(Dropped::BadFeedback);
        }
        self.estimator.on_reports(now, &self.reports);
        if self.estimator.take_overrun() {
            self.counters.video.ask_for_keyframe();
        }
        self.tell();
    }

    /// Tells the pacer from when on nothing is usual any more.
    fn wait_for_news(&self) {
        let left = self.history.unheard();
        let until = left.and_then(|left| left.checked_add(self.estimator.patience()));
        let since = until.map(|until| until.saturating_duration_since(self.counters.start));
        self.counters.video.set_stands_from(since);
    }

    fn tell(&self) {
        self.wait_for_news();
        let target = ((self.estimator.target() - self.sound_rate) * PAYLOAD).max(0.0);
        // Within the bounds of the estimator.
        let bitrate = (target as u32).min(ENOUGH);
        let limit = self.counters.limit.load(Ordering::Relaxed);
        let bitrate = if limit > 0 { bitrate.min(limit) } else { bitrate };
        let pace = self.estimator.pace().min(MOST);
        self.counters.video.set_bitrate(bitrate, pace, self.estimator.queue());
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Congestion {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &mut packet.message.packet {
            let mut heard = 0;
            let now = packet.now;
            packets.retain(|packet| {
                let Some(feedback) = packet.as_any().downcast_ref::<TransportLayerCc>() else { return true };
                heard += 1;
                if heard <= MOST_AT_ONCE {
                    self.heard(feedback, now);
                } else {
                    self.counters.dropped(Dropped::Flood);
                }
                false
            });
            if packets.is_empty() {
                return Ok(());
            }
        }
        self.passing.inbound.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.passing.inbound.pop_front()
    }

    fn handle_write(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        let again = packet.message.has(&Attribute::Retransmission);
        if let Packet::Rtp(rtp) = &mut packet.message.packet {
            self.leaves(rtp, again, packet.now);
        }
        self.passing.outbound.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.passing.outbound.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.look.is_none_or(|look| look > now) {
            return Ok(());
        }
        let sending = self.pictures.is_some_and(|at| now.saturating_duration_since(at) < 2 * LOOK);
        self.estimator.look(now, sending);
        let elapsed = now.saturating_duration_since(self.looked).as_secs_f64();
        let rate = std::mem::take(&mut self.sound_bytes) as f64 * 8.0 / elapsed.max(1e-3);
        self.sound_rate += 0.2 * (rate - self.sound_rate);
        self.looked = now;
        self.tell();
        // After a pause the next picture looks again.
        self.look = sending.then(|| now + LOOK);
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.look
    }
}

impl Interceptor for Congestion {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        let info = with_repair(&self.counters, info);
        let extension = info.rtp_header_extensions.iter().find(|extension| extension.uri == TRANSPORT_CC);
        let Some(extension) = extension.and_then(|extension| u8::try_from(extension.id).ok()) else { return };
        if extension == 0 {
            return;
        }
        let medium = if is_audio(&info) { Medium::Sound } else { Medium::Pictures };
        self.streams.insert(info.ssrc, Stream { extension, medium });
        if let Some(repair) = info.ssrc_rtx {
            self.streams.insert(repair, Stream { extension, medium: Medium::Repair });
        }
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        let info = with_repair(&self.counters, info);
        self.streams.remove(&info.ssrc);
        if let Some(repair) = info.ssrc_rtx {
            self.streams.remove(&repair);
        }
    }

    fn bind_remote_stream(&mut self, _: &StreamInfo) {}

    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use rtc::interceptor::{AttributedPacket, RTPHeaderExtension};
    use rtc::rtcp::transport_feedbacks::transport_layer_cc::{
        PacketStatusChunk, RecvDelta, RunLengthChunk, StatusChunkTypeTcc, SymbolTypeTcc,
    };
    use rtc::shared::TransportContext;

    use super::*;
    use crate::rate::FIRST;

    const MS: Duration = Duration::from_millis(1);
    const EXTENSION: u8 = 3;
    const SOUND: u32 = 1;
    const PICTURES: u32 = 2;
    const REPAIR: u32 = 3;

    struct World {
        congestion: Congestion,
        counters: Arc<Counters>,
        now: Instant,
        /// By the other side's clock, in milliseconds.
        told: u32,
    }

    impl World {
        fn new() -> Self {
            let now = Instant::now();
            let counters = Arc::new(Counters::new(now));
            let mut congestion = Congestion::new(Arc::clone(&counters));
            for (ssrc, mime, repair) in [(SOUND, "audio/opus", None), (PICTURES, "video/H264", Some(REPAIR))]
            {
                let extension = RTPHeaderExtension { uri: TRANSPORT_CC.to_owned(), id: EXTENSION.into() };
                congestion.bind_local_stream(&StreamInfo {
                    ssrc,
                    ssrc_rtx: repair,
                    payload_type_rtx: repair.map(|_| 103),
                    mime_type: mime.to_owned(),
                    rtp_header_extensions: vec![extension],
                    ..StreamInfo::default()
                });
            }
            Self { congestion, counters, now, told: 0 }
        }

        fn tagged(&self, packet: Packet) -> TaggedPacket {
            let message = AttributedPacket::new(packet);
            TaggedPacket { now: self.now, transport: TransportContext::default(), message }
        }

        /// The number that it left with.
        fn leaves(&mut self, ssrc: u32, timestamp: u32, bytes: usize) -> Option<u16> {
            let header = rtp::Header { version: 2, ssrc, timestamp, ..rtp::Header::default() };
            let packet = Packet::Rtp(rtp::Packet { header, payload: vec![0; bytes].into() });
            let packet = self.tagged(packet);
            self.congestion.handle_write(packet).unwrap();
            let Packet::Rtp(rtp) = self.congestion.poll_write().unwrap().message.packet else {
                panic!("it was RTP")
            };
            let number = rtp.header.get_extension(EXTENSION)?;
            Some(u16::from_be_bytes([number[0], number[1]]))
        }

        /// These came, each so many milliseconds after the one before.
        fn came(&mut self, base: u16, packets: u16, apart: u32) {
            let symbol = SymbolTypeTcc::PacketReceivedLargeDelta;
            let chunk = RunLengthChunk {
                type_tcc: StatusChunkTypeTcc::RunLengthChunk,
                packet_status_symbol: symbol,
                run_length: packets,
            };
            let mut delta = 1_000 * i64::from(self.told % 64);
            let mut recv_deltas = Vec::new();
            let reference_time = self.told / 64;
            for _ in 0..packets {
                delta += i64::from(apart) * 1_000;
                recv_deltas.push(RecvDelta { type_tcc_packet: symbol, delta });
                delta = 0;
            }
            self.told += u32::from(packets) * apart;
            let feedback = TransportLayerCc {
                base_sequence_number: base,
                packet_status_count: packets,
                reference_time,
                packet_chunks: vec![PacketStatusChunk::RunLengthChunk(chunk)],
                recv_deltas,
                ..TransportLayerCc::default()
            };
            let packet = self.tagged(Packet::Rtcp(vec![Box::new(feedback)]));
            self.congestion.handle_read(packet).unwrap();
            assert!(self.congestion.poll_read().is_none(), "it goes no further");
        }

        fn wait(&mut self, time: Duration) {
            self.now += time;
            while self.congestion.poll_timeout().is_some_and(|due| due <= self.now) {
                self.congestion.handle_timeout(self.now).unwrap();
            }
        }

        /// Pictures of five packets each 33 ms, which come as they left.
        fn call(&mut self, pictures: u32) {
            for picture in 0..pictures {
                let first = self.leaves(PICTURES, picture, 1_000).unwrap();
                for _ in 1..5 {
                    self.wait(3 * MS);
                    self.leaves(PICTURES, picture, 1_000);
                }
                self.wait(21 * MS);
                self.told += 21;
                self.came(first, 5, 3);
                self.told -= 3;
            }
        }
    }

    #[test]
    fn whatever_leaves_is_numbered_but_sound_without_pictures() {
        let mut world = World::new();
        assert_eq!(world.leaves(SOUND, 0, 80), None);
        assert_eq!(world.leaves(PICTURES, 0, 1_000), Some(0));
        assert_eq!(world.leaves(SOUND, 960, 80), Some(1));
        assert_eq!(world.leaves(REPAIR, 0, 1_000), Some(2));
        assert_eq!(world.leaves(99, 0, 80), None, "it is none of ours");
        world.wait(AFTER_PICTURES);
        assert_eq!(world.leaves(SOUND, 1_920, 80), None);
    }

    #[test]
    fn what_comes_through_raises_what_pictures_may_take() {
        let mut world = World::new();
        world.call(60);
        assert!(f64::from(world.counters.video.bitrate()) > FIRST, "{}", world.counters.video.bitrate());
        world.counters.limit.store(200_000, Ordering::Relaxed);
        world.call(1);
        assert_eq!(world.counters.video.bitrate(), 200_000);
    }

    #[test]
    fn where_nothing_is_heard_less_and_less_is_sent() {
        let mut world = World::new();
        world.call(30);
        let before = world.counters.video.bitrate();
        for picture in 0..90 {
            world.leaves(PICTURES, picture, 1_000);
            world.wait(33 * MS);
        }
        assert!(world.counters.video.bitrate() < before / 8);
        world.wait(Duration::from_secs(5));
        assert_eq!(world.congestion.poll_timeout(), None, "no timer without pictures");
    }

    #[test]
    fn feedback_about_what_never_left_and_too_much_of_it_is_counted_and_of_no_effect() {
        let mut world = World::new();
        world.call(30);
        let before = world.counters.video.bitrate();
        for _ in 0..500 {
            world.came(30_000, 100, 1);
        }
        let dropped = world.counters.drops.snapshot();
        assert!(dropped.of(Dropped::BadFeedback) >= 100 && dropped.of(Dropped::Flood) >= 250, "{dropped:?}");
        assert_eq!(world.counters.video.bitrate(), before);
    }

    #[test]
    fn feedback_that_repeats_or_lies_stays_within_bounds() {
        let mut world = World::new();
        for picture in 0..200 {
            let first = world.leaves(PICTURES, picture, 1_000).unwrap();
            (1..5).for_each(|_| {
                world.leaves(PICTURES, picture, 1_000);
            });
            world.wait(33 * MS);
            for apart in [0, 0, 7_000] {
                world.came(first, 5, apart);
            }
            assert!(f64::from(world.counters.video.bitrate()) <= MOST);
        }
    }
}
