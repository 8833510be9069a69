//! Asks for what is missing (generic NACK, RFC 4585, section 6.2.1), in time with the round trip.
//!
//! A packet that is only out of order gets a moment to come; how long is learnt from those that came late, for what is
//! asked for without need comes twice, and makes the other side believe in losses that stand alone. One that is lost is
//! asked for, and again when an answer should have come and has not: asking sooner brings it twice, asking later brings it too late. Audio is asked for
//! again only as long as the answer can come before its playout; it is asked for once in any case, because that tells
//! the sender in which bursts packets are lost.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::interceptor::{Attribute, AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{
    TransportLayerNack, nack_pairs_from_sequence_numbers,
};
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;
use rtc::shared::error::Error;

use super::{Passing, ahead, has_nack, is_audio};
use crate::counters::Counters;

/// What packets that are out of order get to come by themselves, at least and at most.
const REORDERING: Duration = Duration::from_millis(10);
const MOST_REORDERING: Duration = Duration::from_millis(80);

/// A late packet moves what is known of the reordering up by this share of what it is later, and each one down by the
/// other: so that most that are late come in time (RACK's reordering window, RFC 8985, section 6.2, has the same end).
const LATER: f64 = 0.5;
const SOONER: f64 = 0.02;

/// Until the round trip is known.
const ASSUMED_ROUND_TRIP: Duration = Duration::from_millis(100);

/// Two requests for one packet are never closer: retransmissions are sent in bursts and queue.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);

/// Pictures stand still until all packets are there, and a request or its answer may be lost like anything else. So the
/// first request for a packet of pictures is made twice, this far apart, where a round trip is so long that a third would
/// come too late to hide it: what it costs is as much as was lost.
const TWICE: Duration = Duration::from_millis(15);
const TWICE_FROM: Duration = Duration::from_millis(30);

/// How long after the gap was seen an audio packet is still of use: a playout delay that is long, but not unusual.
const AUDIO_AGE: Duration = Duration::from_millis(200);

/// The same for video, whose frames wait for each other.
const VIDEO_AGE: Duration = Duration::from_millis(1_000);

/// Most requests for one packet.
const MOST_REQUESTS: u8 = 10;

/// A longer gap is a jump of the numbers, or an outage after which the old is of no use.
const LONGEST_GAP: i16 = 256;

/// See the module.
pub(crate) struct Requests {
    counters: Arc<Counters>,
    streams: BTreeMap<u32, Stream>,
    passing: Passing,
}

#[derive(Debug)]
struct Stream {
    audio: bool,
    highest: Option<u16>,
    /// How long after their gap late packets come, nearly all of them.
    reordering: Duration,
    /// In the order in which they were found missing.
    missing: VecDeque<Missing>,
}

#[derive(Debug)]
struct Missing {
    sequence: u16,
    since: Instant,
    next: Instant,
    requests: u8,
}

impl Stream {
    const fn new(audio: bool) -> Self {
        Self { audio, highest: None, reordering: REORDERING, missing: VecDeque::new() }
    }

    /// A packet came; `again` if it was asked for.
    fn arrived(&mut self, sequence: u16, again: bool, now: Instant) {
        let Some(highest) = self.highest else {
            self.highest = Some(sequence);
            return;
        };
        let gap = ahead(sequence, highest);
        if gap <= 0 {
            if let Some(at) = self.missing.iter().position(|missing| missing.sequence == sequence)
                && let Some(missing) = self.missing.remove(at)
                && !again
            {
                self.came_late(now.saturating_duration_since(missing.since));
            }
            return;
        }
        self.highest = Some(sequence);
        if gap > LONGEST_GAP {
            self.missing.clear();
            return;
        }
        for back in (1..gap.unsigned_abs()).rev() {
            let sequence = sequence.wrapping_sub(back);
            // A quarter more than is known: what is on the edge should not flap.
            let next = now + self.reordering + (self.reordering - REORDERING) / 4;
            self.missing.push_back(Missing { sequence, since: now, next, requests: 0 });
        }
        while self.missing.len() > usize::from(LONGEST_GAP.unsigned_abs()) {
            self.missing.pop_front();
        }
    }

    fn came_late(&mut self, by: Duration) {
        let (known, by) = (self.reordering.as_secs_f64(), by.as_secs_f64());
        let share = if by > known { LATER } else { SOONER };
        self.reordering = Duration::from_secs_f64(share.mul_add(by - known, known).max(0.0))
            .clamp(REORDERING, MOST_REORDERING);
    }

    /// What to ask for now. What is of no use any longer is forgotten.
    fn due(&mut self, now: Instant, round_trip: Duration) -> Vec<u16> {
        let age = if self.audio { AUDIO_AGE } else { VIDEO_AGE };
        let wait = round_trip.saturating_add(REORDERING).max(SHORTEST_WAIT);
        let mut due = Vec::new();
        self.missing.retain_mut(|missing| {
            if missing.next > now {
                return true;
            }
            let in_time = now.saturating_duration_since(missing.since) + round_trip <= age;
            if missing.requests > 0 && (!in_time || missing.requests == MOST_REQUESTS) {
                return false;
            }
            missing.requests += 1;
            let twice = !self.audio && missing.requests == 1 && round_trip >= TWICE_FROM;
            missing.next = now + if twice { TWICE } else { wait };
            due.push(missing.sequence);
            true
        });
        due
    }

    fn next(&self) -> Option<Instant> {
        self.missing.iter().map(|missing| missing.next).min()
    }
}

impl Requests {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        Self { counters, streams: BTreeMap::new(), passing: Passing::default() }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Requests {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(rtp) = &packet.message.packet
            && let Some(stream) = self.streams.get_mut(&rtp.header.ssrc)
        {
            let again = packet.message.has(&Attribute::Retransmission);
            stream.arrived(rtp.header.sequence_number, again, packet.now);
        }
        self.passing.inbound.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.passing.inbound.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.passing.outbound.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.passing.outbound.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        let round_trip = self.counters.rtt().unwrap_or(ASSUMED_ROUND_TRIP);
        for (&media_ssrc, stream) in &mut self.streams {
            let due = stream.due(now, round_trip);
            if due.is_empty() {
                continue;
            }
            if stream.audio {
                self.counters.audio().requested += u64::try_from(due.len()).unwrap_or(0);
            }
            let nacks = nack_pairs_from_sequence_numbers(&due);
            // The sender of RTCP needs no stream of its own; nobody looks at who asks (RFC 4585, section 6.1).
            let request = TransportLayerNack { sender_ssrc: 1, media_ssrc, nacks };
            self.passing.outbound.push_back(TaggedPacket {
                now,
                transport: TransportContext::default(),
                message: AttributedPacket::new(Packet::Rtcp(vec![Box::new(request)])),
            });
        }
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.streams.values().filter_map(Stream::next).min()
    }
}

impl Interceptor for Requests {
    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        // Repair streams are bound too; they name no repair of their own.
        if has_nack(info) && info.ssrc_rtx.is_some() {
            self.streams.insert(info.ssrc, Stream::new(is_audio(info)));
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
    }

    fn bind_local_stream(&mut self, _: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(40);

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    struct World {
        stream: Stream,
        start: Instant,
        now: Instant,
    }

    impl World {
        fn new(audio: bool) -> Self {
            let start = Instant::now();
            Self { stream: Stream::new(audio), start, now: start }
        }

        fn arrive(&mut self, sequences: &[u16]) {
            for &sequence in sequences {
                self.stream.arrived(sequence, false, self.now);
            }
        }

        /// Runs until nothing is due any longer: when each request went out, and for what.
        fn run(&mut self) -> Vec<(u64, Vec<u16>)> {
            let mut asked = Vec::new();
            while let Some(next) = self.stream.next() {
                self.now = next;
                let due = self.stream.due(self.now, ROUND_TRIP);
                if !due.is_empty() {
                    let at = self.now.duration_since(self.start).as_millis();
                    asked.push((u64::try_from(at).unwrap(), due));
                }
            }
            asked
        }
    }

    #[test]
    fn a_lost_packet_is_asked_for_again_after_a_round_trip() {
        let mut world = World::new(false);
        world.arrive(&[1, 2, 4]);
        let asked = world.run();
        let times: Vec<_> = asked.iter().map(|(at, _)| *at).collect();
        assert_eq!(times[..4], [10, 25, 75, 125], "the first is made twice");
        assert!(asked.iter().all(|(_, what)| *what == [3]));
        assert_eq!(asked.len(), usize::from(MOST_REQUESTS));
    }

    #[test]
    fn on_a_short_way_and_for_sound_no_request_is_made_twice() {
        let mut world = World::new(false);
        world.arrive(&[1, 3]);
        world.now += millis(10);
        assert_eq!(world.stream.due(world.now, millis(10)), [2]);
        world.now += millis(15);
        assert!(world.stream.due(world.now, millis(10)).is_empty());
        let mut world = World::new(true);
        world.arrive(&[1, 3]);
        assert_eq!(world.run().iter().map(|(at, _)| *at).collect::<Vec<_>>()[..2], [10, 60]);
    }

    #[test]
    fn audio_is_not_asked_for_when_the_answer_would_come_too_late() {
        let mut world = World::new(true);
        world.arrive(&[65_534, 1]);
        let asked = world.run();
        assert_eq!(asked.first(), Some(&(10, vec![65_535, 0])));
        assert_eq!(asked.last().map(|(at, _)| *at), Some(160));
    }

    #[test]
    fn audio_is_asked_for_once_however_long_the_round_trip_is() {
        let mut world = World::new(true);
        world.arrive(&[1, 3]);
        world.now += millis(10);
        assert_eq!(world.stream.due(world.now, millis(900)), [2]);
        world.now += millis(2_000);
        assert!(world.stream.due(world.now, millis(900)).is_empty());
        assert!(world.stream.missing.is_empty());
    }

    #[test]
    fn a_packet_out_of_order_is_not_asked_for() {
        let mut world = World::new(true);
        world.arrive(&[1, 3]);
        world.now += millis(9);
        world.arrive(&[2]);
        assert!(world.run().is_empty());
    }

    #[test]
    fn a_line_that_reorders_is_asked_less_and_less_for_what_comes_by_itself() {
        let mut world = World::new(true);
        let mut asked = Vec::new();
        // Each second packet comes 20 ms after the one behind it.
        for n in (2..402_u16).step_by(2) {
            world.arrive(&[n]);
            world.now += millis(20);
            asked.push(world.stream.due(world.now, ROUND_TRIP).len());
            world.arrive(&[n - 1]);
        }
        let (first, last): (usize, usize) = (asked[..10].iter().sum(), asked[10..].iter().sum());
        assert!(first > 0, "nobody could know");
        assert!(last < 10, "{last} of 190 were asked for");
    }

    #[test]
    fn a_retransmission_says_nothing_about_reordering() {
        let mut world = World::new(true);
        world.arrive(&[1, 3]);
        world.now += millis(150);
        world.stream.arrived(2, true, world.now);
        assert!(world.stream.missing.is_empty());
        assert_eq!(world.stream.reordering, REORDERING);
    }

    #[test]
    fn a_jump_of_the_numbers_asks_for_nothing() {
        let mut world = World::new(false);
        world.arrive(&[1, 3, 20_000]);
        assert!(world.run().is_empty());
    }

    #[test]
    fn a_hostile_sequence_keeps_a_bounded_list() {
        let mut world = World::new(false);
        let sequences: Vec<_> = (0..4_000_u16).map(|n| n.wrapping_mul(200)).collect();
        world.arrive(&sequences);
        assert!(world.stream.missing.len() <= 256);
    }
}
