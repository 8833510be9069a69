//! The interceptors in their order, without a network.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::interceptor::{AttributedPacket, Interceptor, Packet, RTCPFeedback, StreamInfo, TaggedPacket};
use rtc::rtcp::payload_feedbacks::full_intra_request::{FirEntry, FullIntraRequest};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};
use rtc::rtp;
use rtc::sansio::Protocol as _;
use rtc::shared::TransportContext;

use super::build;
use super::clock::Medium;
use crate::audio::AudioReceiver;
use crate::counters::Counters;
use crate::drops::Dropped;
use crate::video::{VideoReceiver, VideoSender};

const OURS: (u32, u32) = (1, 2);
const THEIRS: (u32, u32) = (3, 4);
const AUDIO: u8 = 111;
const REPAIR: u8 = 112;

fn stream((ssrc, repair): (u32, u32), repaired: bool) -> StreamInfo {
    StreamInfo {
        ssrc,
        ssrc_rtx: repaired.then_some(repair),
        payload_type: AUDIO,
        payload_type_rtx: repaired.then_some(REPAIR),
        mime_type: "audio/opus".to_owned(),
        clock_rate: 48_000,
        rtcp_feedback: vec![RTCPFeedback { typ: "nack".to_owned(), parameter: String::new() }],
        ..StreamInfo::default()
    }
}

fn rtp(ssrc: u32, payload_type: u8, sequence_number: u16, payload: &[u8]) -> Packet {
    let header = rtp::Header { version: 2, payload_type, sequence_number, ssrc, ..rtp::Header::default() };
    Packet::Rtp(rtp::Packet { header, payload: Bytes::copy_from_slice(payload) })
}

struct World {
    chain: Box<dyn Interceptor>,
    counters: Arc<Counters>,
    received: AudioReceiver,
    now: Instant,
}

impl World {
    /// A connection with audio both ways; whether ours can be sent again is as was agreed.
    fn new(repaired: bool) -> Self {
        let now = Instant::now();
        let counters = Arc::new(Counters::new(now));
        counters.admitted.store(true, Ordering::Relaxed);
        let received = AudioReceiver::new();
        let mut chain: Box<dyn Interceptor> =
            Box::new(build(&counters, &received, &VideoReceiver::new(Arc::clone(&counters))).build());
        chain.bind_local_stream(&stream(OURS, repaired));
        chain.bind_remote_stream(&stream(THEIRS, true));
        Self { chain, counters, received, now }
    }

    fn tagged(&self, packet: Packet) -> TaggedPacket {
        let message = AttributedPacket::new(packet);
        TaggedPacket { now: self.now, transport: TransportContext::default(), message }
    }

    fn came(&mut self, packet: Packet) {
        let packet = self.tagged(packet);
        self.chain.handle_read(packet).unwrap();
        while self.chain.poll_read().is_some() {}
    }

    fn spoke(&mut self, sequence: u16) {
        let packet = self.tagged(rtp(OURS.0, AUDIO, sequence, &[1, 2, 3]));
        self.chain.handle_write(packet).unwrap();
        self.left();
    }

    /// What leaves, RTP and RTCP apart.
    fn left(&mut self) -> (Vec<rtp::Header>, usize) {
        let (mut packets, mut reports) = (Vec::new(), 0);
        while let Some(packet) = self.chain.poll_write() {
            match packet.message.packet {
                Packet::Rtp(packet) => packets.push(packet.header),
                Packet::Rtcp(all) => {
                    reports += all.iter().filter(|one| one.as_any().is::<TransportLayerNack>()).count();
                }
                _ => {}
            }
        }
        (packets, reports)
    }

    fn wait(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while self.now < end {
            self.now += Duration::from_millis(1);
            self.chain.handle_timeout(self.now).unwrap();
        }
    }

    fn heard(&mut self) -> Vec<(u16, bool)> {
        std::iter::from_fn(|| self.received.pop()).map(|packet| (packet.sequence, packet.repaired)).collect()
    }
}

fn request(media_ssrc: u32, packet_id: u16) -> Packet {
    let nacks = vec![NackPair { packet_id, lost_packets: 0 }];
    Packet::Rtcp(vec![Box::new(TransportLayerNack { sender_ssrc: THEIRS.0, media_ssrc, nacks })])
}

#[test]
fn a_repaired_packet_is_asked_for_once_and_heard_once() {
    let mut world = World::new(true);
    for sequence in [1, 2, 4] {
        world.came(rtp(THEIRS.0, AUDIO, sequence, b"speech"));
    }
    world.wait(15);
    assert_eq!(world.left().1, 1);
    world.came(rtp(THEIRS.1, REPAIR, 700, b"\0\x03speech"));
    world.wait(400);
    assert_eq!(world.left().1, 0, "it has come");
    world.came(rtp(THEIRS.1, REPAIR, 701, b"\0\x03speech"));
    assert_eq!(world.heard(), [(1, false), (2, false), (4, false), (3, true)]);
    assert_eq!(world.counters.drops.snapshot().of(Dropped::Duplicate), 1);
}

#[test]
fn what_is_asked_for_is_sent_through_its_repair() {
    let mut world = World::new(true);
    world.spoke(5);
    world.came(request(OURS.0, 5));
    let (sent, _) = world.left();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].ssrc, sent[0].payload_type), (OURS.1, REPAIR));
}

/// A packet that is sealed a second time under the same source and number has the same nonce (RFC 7714, section 8.1).
#[test]
fn without_a_repair_nothing_is_ever_sent_a_second_time() {
    let mut world = World::new(false);
    world.spoke(5);
    world.came(request(OURS.0, 5));
    assert_eq!(world.left().0, []);
    assert_eq!(world.counters.drops.snapshot().of(Dropped::UnknownReport), 1);
}

#[test]
fn a_flood_of_requests_is_answered_in_bounds() {
    let mut world = World::new(true);
    (0..1_000).for_each(|sequence| world.spoke(sequence));
    let mut answers = 0;
    for _ in 0..20 {
        for first in (0..1_000).step_by(17) {
            let nacks = vec![NackPair { packet_id: first, lost_packets: 0xFFFF }];
            let all = TransportLayerNack { sender_ssrc: THEIRS.0, media_ssrc: OURS.0, nacks };
            world.came(Packet::Rtcp(vec![Box::new(all)]));
            answers += world.left().0.len();
        }
    }
    assert!((1_000..2_500).contains(&answers), "{answers} of 20,000");
    assert!(world.counters.drops.snapshot().of(Dropped::Flood) > 0);
}

#[test]
fn the_round_trip_is_read_off_receiver_reports() {
    let mut world = World::new(true);
    world.counters.clock.taken(Medium::Audio, 0, world.counters.start);
    world.spoke(1);
    let sent = (0..40).find_map(|_| {
        world.wait(50);
        let packets = std::iter::from_fn(|| world.chain.poll_write()).collect::<Vec<_>>();
        packets.into_iter().find_map(|packet| match packet.message.packet {
            Packet::Rtcp(all) => {
                all.iter().find_map(|one| Some(one.as_any().downcast_ref::<SenderReport>()?.ntp_time))
            }
            _ => None,
        })
    });
    let middle = u32::try_from((sent.expect("a sender report") >> 16) & 0xFFFF_FFFF).unwrap();
    // Polled up to 50 ms after it was made.
    world.wait(100);
    let block = ReceptionReport {
        ssrc: OURS.0,
        last_sender_report: middle,
        delay: 65_536 * 60 / 1_000,
        fraction_lost: 64,
        ..ReceptionReport::default()
    };
    world.came(Packet::Rtcp(vec![Box::new(ReceiverReport {
        ssrc: THEIRS.0,
        reports: vec![block],
        ..ReceiverReport::default()
    })]));
    let round_trip = world.counters.rtt().expect("a round trip");
    assert!((Duration::from_millis(35)..=Duration::from_millis(91)).contains(&round_trip), "{round_trip:?}");
    let remote = world.counters.snapshot(world.now).remote.expect("a report");
    assert!((remote.fraction_lost - 0.25).abs() < 1e-6);
}

#[test]
fn a_storm_of_requests_for_keyframes_gets_one_each_quarter_of_a_second() {
    let mut world = World::new(true);
    let pictures = StreamInfo { mime_type: "video/H264".to_owned(), ..stream((7, 8), true) };
    world.chain.bind_local_stream(&pictures);
    let (sender, _outgoing) = VideoSender::new(Arc::clone(&world.counters));
    let ask = |media_ssrc| -> Packet {
        Packet::Rtcp(vec![Box::new(PictureLossIndication { sender_ssrc: THEIRS.0, media_ssrc })])
    };
    world.came(ask(OURS.0));
    assert!(!sender.demand().keyframe, "sound has no keyframes");
    let mut keyframes = 0;
    for n in 0..100 {
        let fir = FullIntraRequest {
            sender_ssrc: THEIRS.0,
            media_ssrc: 0,
            fir: vec![FirEntry { ssrc: 7, sequence_number: n }],
        };
        world.came(if n % 2 == 0 { ask(7) } else { Packet::Rtcp(vec![Box::new(fir)]) });
        keyframes += u32::from(sender.demand().keyframe);
        world.now += Duration::from_millis(10);
    }
    assert_eq!(keyframes, 4);
    assert_eq!(world.counters.snapshot(world.now).video.keyframes_asked_there, 100);
}
