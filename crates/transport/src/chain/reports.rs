//! What the other side says about our streams, and what it may say.
//!
//! Next to SRTP, so it sees every packet as it came. The stack's own statistics leave loss and round trip at zero; here
//! they are read off the receiver reports (RFC 3550, section 6.4).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::TransportLayerNack;
use rtc::rtcp::{Packet as Rtcp, goodbye::Goodbye, source_description::SourceDescription};
use rtc::rtp;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use super::answers::with_repair;
use super::clock::{Medium, SenderClock};
use super::{Passing, ahead, is_audio, video_codec};
use crate::bucket::Bucket;
use crate::counters::{Counters, RemoteReport};
use crate::drops::Dropped;

/// Sender reports that may still be answered.
const REMEMBERED: usize = 16;

/// Packets that the other side may ask for again in a second: a fifth of a video at 8 Mbit/s twice over.
const REQUESTS: (u32, u32) = (500, 1_500);

/// Pictures that are sent again may take so much of what may be spent on them; while the line's queue is drained, so little.
/// What was lost because a queue ran over would keep it full.
const REPAIR: f64 = 0.4;
const REPAIR_DRAINING: f64 = 0.05;
const QUEUE: Duration = Duration::from_millis(80);
/// What a packet of pictures counts for, in bytes. At once may be sent again what may be spent in so many seconds, and in any
/// case so much: repair is not paced, and stands in the line's queue in front of sound.
const REPAIR_BYTES: f64 = 1_200.0;
const REPAIR_BURST: f64 = 0.06;
const LEAST_REPAIR_BURST: f64 = 6_000.0;

/// Between two keyframes for requests: less than what we wait before we ask again, for requests come unevenly.
const KEYFRAMES: Duration = Duration::from_millis(250);

/// A round trip that is longer is a mistake, or an attempt to make us wait.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(30);

/// See the module.
pub(crate) struct Reports {
    counters: Arc<Counters>,
    /// Our sources, with whether they can be asked for retransmission.
    local: HashMap<u32, Local>,
    remote: HashSet<u32>,
    remote_audio: Option<(u32, Arrivals)>,
    remote_video: HashSet<u32>,
    /// The middle of the NTP time of each sender report (RFC 3550: LSR), and when it went out.
    sent: VecDeque<(u32, Instant)>,
    /// The latest of our audio packets that were asked for again.
    lost: Option<u16>,
    requests: Bucket,
    /// When the last request for a keyframe was passed on.
    keyframe: Option<Instant>,
    /// Bytes of pictures that may be sent again, and as of when.
    repair: (f64, Option<Instant>),
    passing: Passing,
}

#[derive(Debug, Clone, Copy)]
struct Local {
    audio: bool,
    repair: bool,
}

/// Sequence numbers and times of arrival (RFC 3550, appendix A.3 and A.8).
#[derive(Debug, Default)]
struct Arrivals {
    first: Option<u64>,
    highest: u64,
    transit: Option<f64>,
}

impl Arrivals {
    /// How many should have come by now, and the change of the transit time in units of the RTP clock.
    fn note(&mut self, header: &rtp::Header, arrival: Duration) -> (u64, Option<f64>) {
        let sequence = header.sequence_number;
        match self.first {
            None => {
                // One cycle ahead, so that an earlier packet does not fall below zero.
                self.highest = (1 << 16) + u64::from(sequence);
                self.first = Some(self.highest);
            }
            Some(_) => {
                // The low 16 bits are the sequence number.
                let low = (self.highest & 0xFFFF) as u16;
                if let Ok(step @ 1..) = u64::try_from(ahead(sequence, low)) {
                    self.highest += step;
                }
            }
        }
        let transit = arrival.as_secs_f64() * 48_000.0 - f64::from(header.timestamp);
        let change = self.transit.replace(transit).map(|last| (transit - last).abs());
        let expected = self.highest + 1 - self.first.unwrap_or(self.highest);
        // The timestamp went round, or the sender began anew.
        (expected, change.filter(|&change| change < 48_000.0 * 10.0))
    }
}

impl Reports {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        Self {
            counters,
            local: HashMap::new(),
            remote: HashSet::new(),
            remote_audio: None,
            remote_video: HashSet::new(),
            sent: VecDeque::new(),
            lost: None,
            requests: Bucket::new(REQUESTS.0, REQUESTS.1),
            keyframe: None,
            repair: (LEAST_REPAIR_BURST, None),
            passing: Passing::default(),
        }
    }

    fn audio_came(&mut self, packet: &rtp::Packet, now: Instant) {
        let Some((source, arrivals)) = &mut self.remote_audio else { return };
        if *source != packet.header.ssrc {
            return;
        }
        let (expected, change) =
            arrivals.note(&packet.header, now.saturating_duration_since(self.counters.start));
        let mut audio = self.counters.audio();
        audio.packets_in += 1;
        audio.bytes_in += u64::try_from(packet.payload.len()).unwrap_or(0);
        audio.expected = expected;
        if let Some(change) = change {
            audio.jitter += (change - audio.jitter) / 16.0;
        }
    }

    fn judge(&mut self, packet: &dyn Rtcp, now: Instant) -> Result<(), Dropped> {
        if !self.is_ours(packet) {
            return Err(Dropped::UnknownReport);
        }
        let Some(request) = packet.as_any().downcast_ref::<TransportLayerNack>() else { return Ok(()) };
        let mut asked = request.nacks.iter().flat_map(|pair| pair.packet_list());
        let pictures = self.local.get(&request.media_ssrc).is_some_and(|local| !local.audio);
        if pictures && !self.may_repair(request.nacks.iter().map(|pair| pair.packet_list().len()).sum(), now)
        {
            return Err(Dropped::Flood);
        }
        if asked.all(|_| self.requests.take(now)) { Ok(()) } else { Err(Dropped::Flood) }
    }

    /// Whether so many packets of pictures may be sent again now.
    fn may_repair(&mut self, packets: usize, now: Instant) -> bool {
        let video = &self.counters.video;
        let share = if video.queue() > QUEUE { REPAIR_DRAINING } else { REPAIR };
        let bytes_a_second = f64::from(video.bitrate()) / 8.0;
        let burst = (bytes_a_second * REPAIR_BURST).max(LEAST_REPAIR_BURST);
        let (bytes, since) = &mut self.repair;
        let elapsed = since.replace(now).map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        *bytes = (*bytes + elapsed.as_secs_f64() * bytes_a_second * share).min(burst);
        let costs = packets as f64 * REPAIR_BYTES;
        // A request that is larger than the whole burst is answered when there is nothing else.
        let enough = *bytes >= costs.min(burst);
        if enough {
            *bytes -= costs;
        }
        enough
    }

    /// Whether RTCP is about our streams or from a source of the other side's.
    fn is_ours(&self, packet: &dyn Rtcp) -> bool {
        let any = packet.as_any();
        if let Some(report) = any.downcast_ref::<SenderReport>() {
            return self.remote.contains(&report.ssrc) || self.counters.declared().contains(&report.ssrc);
        }
        if any.is::<SourceDescription>() || any.is::<Goodbye>() {
            return true;
        }
        if let Some(request) = any.downcast_ref::<TransportLayerNack>() {
            // Nobody answers without a stream of repair.
            return self.local.get(&request.media_ssrc).is_some_and(|local| local.repair);
        }
        let about = packet.destination_ssrc();
        if any.is::<TransportLayerCc>() && about == [0] {
            return true;
        }
        // An empty report is a sign of life.
        about.iter().all(|source| self.local.contains_key(source))
    }

    fn read(&mut self, packet: &dyn Rtcp, now: Instant) {
        let any = packet.as_any();
        if let Some(report) = any.downcast_ref::<ReceiverReport>() {
            report.reports.iter().for_each(|block| self.reported(block, now));
        } else if let Some(report) = any.downcast_ref::<SenderReport>() {
            self.told(report);
            let ours = |block: &&ReceptionReport| self.local.contains_key(&block.ssrc);
            let blocks: Vec<_> = report.reports.iter().filter(ours).cloned().collect();
            blocks.iter().for_each(|block| self.reported(block, now));
        } else if let Some(request) = any.downcast_ref::<TransportLayerNack>()
            && self.local.get(&request.media_ssrc).is_some_and(|local| local.audio)
        {
            self.asked(request);
        } else if any.is::<PictureLossIndication>() || any.is::<FullIntraRequest>() {
            self.keyframe_asked(packet, now);
        }
    }

    /// A keyframe costs as much as several pictures, so a storm of requests gets no more of them than one that waits for
    /// the answer.
    fn keyframe_asked(&mut self, request: &dyn Rtcp, now: Instant) {
        let pictures = |source| self.local.get(source).is_some_and(|local| !local.audio);
        if !request.destination_ssrc().iter().any(pictures) {
            return;
        }
        Counters::add(&self.counters.video.counts.keyframes_asked_there, 1);
        if self.keyframe.is_none_or(|at| now.saturating_duration_since(at) >= KEYFRAMES) {
            self.keyframe = Some(now);
            self.counters.video.ask_for_keyframe();
        }
    }

    /// When the other side's streams were taken.
    fn told(&self, report: &SenderReport) {
        let medium = if self.remote_audio.as_ref().is_some_and(|(source, _)| *source == report.ssrc) {
            Medium::Audio
        } else if self.remote_video.contains(&report.ssrc) {
            Medium::Video
        } else {
            return;
        };
        let clock = SenderClock { ntp: report.ntp_time, timestamp: report.rtp_time };
        self.counters.clock.hear(medium, clock);
    }

    fn reported(&mut self, block: &ReceptionReport, now: Instant) {
        if let Some(round_trip) = self.round_trip(block, now) {
            self.counters.round_trip(round_trip);
        }
        if self.local.get(&block.ssrc).is_some_and(|local| local.audio) {
            self.counters.audio().remote = Some(RemoteReport {
                fraction_lost: f32::from(block.fraction_lost) / 256.0,
                total_lost: block.total_lost,
                jitter: block.jitter,
                at: now,
            });
        } else {
            self.counters.video.counts.fraction_lost.store(block.fraction_lost, Ordering::Relaxed);
        }
    }

    /// `A - LSR - DLSR` of RFC 3550, section 6.4.1; A and LSR by our own clock.
    fn round_trip(&self, block: &ReceptionReport, now: Instant) -> Option<Duration> {
        if block.last_sender_report == 0 {
            return None;
        }
        let (_, sent) = self.sent.iter().rev().find(|(time, _)| *time == block.last_sender_report)?;
        let held = Duration::from_secs_f64(f64::from(block.delay) / 65_536.0);
        let round_trip = now.saturating_duration_since(*sent).checked_sub(held)?;
        (round_trip < LONGEST_ROUND_TRIP).then_some(round_trip)
    }

    /// The other side asks for audio again: these are lost, in these runs.
    fn asked(&mut self, request: &TransportLayerNack) {
        let mut audio = self.counters.audio();
        for sequence in request.nacks.iter().flat_map(|pair| pair.packet_list()) {
            let step = self.lost.map(|lost| ahead(sequence, lost));
            if step.is_none_or(|step| step > 0) {
                audio.lost_there += 1;
                audio.lost_runs_there += u64::from(step != Some(1));
                self.lost = Some(sequence);
            }
        }
    }

    fn leaves(&mut self, packet: &TaggedPacket) {
        match &packet.message.packet {
            Packet::Rtcp(packets) => {
                for report in
                    packets.iter().filter_map(|packet| packet.as_any().downcast_ref::<SenderReport>())
                {
                    if self.sent.len() == REMEMBERED {
                        self.sent.pop_front();
                    }
                    // The middle 32 bits of 64.
                    let middle = ((report.ntp_time >> 16) & 0xFFFF_FFFF) as u32;
                    self.sent.push_back((middle, packet.now));
                }
            }
            Packet::Rtp(rtp) => {
                let audio = self.local.get(&rtp.header.ssrc).is_some_and(|local| local.audio);
                let again = packet.message.has(&Attribute::Retransmission);
                if audio || again {
                    let mut counts = self.counters.audio();
                    counts.retransmitted += u64::from(again);
                    if audio {
                        counts.packets_out += 1;
                        counts.bytes_out += u64::try_from(rtp.payload.len()).unwrap_or(0);
                    }
                }
            }
            _ => {}
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Reports {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        Counters::add(&self.counters.srtp_opened, 1);
        let now = packet.now;
        match &mut packet.message.packet {
            Packet::Rtp(rtp) => self.audio_came(rtp, now),
            Packet::Rtcp(packets) => {
                packets.retain(|packet| match self.judge(packet.as_ref(), now) {
                    Ok(()) => true,
                    Err(reason) => {
                        self.counters.dropped(reason);
                        false
                    }
                });
                for packet in packets.iter() {
                    self.read(packet.as_ref(), now);
                }
                if packets.is_empty() {
                    return Ok(());
                }
            }
            _ => {}
        }
        self.passing.inbound.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.passing.inbound.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.leaves(&packet);
        self.passing.outbound.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.passing.outbound.pop_front()
    }
}

impl Interceptor for Reports {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        let info = with_repair(&self.counters, info);
        let local = Local { audio: is_audio(&info), repair: info.ssrc_rtx.is_some() };
        self.local.insert(info.ssrc, local);
        if let Some(repair) = info.ssrc_rtx {
            self.local.insert(repair, Local { audio: false, repair: false });
        }
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        let info = with_repair(&self.counters, info);
        self.local.remove(&info.ssrc);
        if let Some(repair) = info.ssrc_rtx {
            self.local.remove(&repair);
        }
    }

    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        self.remote.insert(info.ssrc);
        self.remote.extend(info.ssrc_rtx);
        if video_codec(info).is_some() {
            self.remote_video.insert(info.ssrc);
        }
        let known = self.remote_audio.as_ref().is_some_and(|(source, _)| *source == info.ssrc);
        // A repair stream is bound with the codec that it repairs, and without a repair of its own.
        if is_audio(info) && !known && (info.ssrc_rtx.is_some() || self.remote_audio.is_none()) {
            self.remote_audio = Some((info.ssrc, Arrivals::default()));
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.remote.remove(&info.ssrc);
        self.remote_video.remove(&info.ssrc);
    }
}
