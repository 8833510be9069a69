//! Sender reports (RFC 3550, section 6.4.1) that tell when sound and pictures were taken, not when they were sent: by
//! them the other side brings lips and voice together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rtc::interceptor::{AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::sender_report::SenderReport;
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;
use rtc::shared::error::Error;

use super::{Passing, is_audio};
use crate::counters::Counters;

/// From the beginning of the NTP era to that of Unix time, in seconds (RFC 5905, section 6).
const NTP_BEFORE_UNIX: u64 = 2_208_988_800;

/// One of our two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Medium {
    Audio,
    Video,
}

/// Which timestamp was taken when, for each of the streams, and the clock that both are told by.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    /// The NTP time of `start`, in units of 2⁻³² s.
    ntp: u64,
    anchors: [Mutex<Option<(u32, Instant)>>; 2],
    /// What the other side said of its streams.
    heard: [Mutex<Option<SenderClock>>; 2],
}

/// What the last sender report of a stream said: its `timestamp` was taken at `ntp`, by a clock that all streams of the
/// sender have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderClock {
    /// In units of 2⁻³² s, from an arbitrary start.
    pub ntp: u64,
    /// Of RTP.
    pub timestamp: u32,
}

impl Clock {
    pub(crate) fn new(start: Instant) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ntp = fixed(unix).wrapping_add(NTP_BEFORE_UNIX << 32);
        Self { start, ntp, anchors: Default::default(), heard: Default::default() }
    }

    /// A sample or picture of this timestamp was taken at this moment.
    pub(crate) fn taken(&self, medium: Medium, timestamp: u32, at: Instant) {
        *lock(&self.anchors[medium as usize]) = Some((timestamp, at));
    }

    pub(crate) fn hear(&self, medium: Medium, clock: SenderClock) {
        *lock(&self.heard[medium as usize]) = Some(clock);
    }

    /// What the other side said last.
    pub(crate) fn heard(&self, medium: Medium) -> Option<SenderClock> {
        *lock(&self.heard[medium as usize])
    }

    fn ntp(&self, now: Instant) -> u64 {
        self.ntp.wrapping_add(fixed(now.saturating_duration_since(self.start)))
    }

    /// The timestamp of what is taken now. `None`: nothing was taken yet.
    fn timestamp(&self, medium: Medium, now: Instant, clock_rate: u32) -> Option<u32> {
        let (timestamp, at) = (*lock(&self.anchors[medium as usize]))?;
        let units = |span: Duration| (span.as_secs_f64() * f64::from(clock_rate)).round() as i64;
        let since = units(now.saturating_duration_since(at)) - units(at.saturating_duration_since(now));
        // Modulo 2³².
        Some(timestamp.wrapping_add(since as u32))
    }
}

/// In units of 2⁻³² s.
fn fixed(span: Duration) -> u64 {
    (span.as_secs() << 32) + (u64::from(span.subsec_nanos()) << 32) / 1_000_000_000
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See the module.
pub(crate) struct SenderReports {
    counters: Arc<Counters>,
    interval: Duration,
    streams: HashMap<u32, Stream>,
    next: Option<Instant>,
    passing: Passing,
}

#[derive(Debug)]
struct Stream {
    medium: Medium,
    clock_rate: u32,
    packets: u32,
    octets: u32,
    /// Something was sent since the last report.
    spoke: bool,
}

impl SenderReports {
    pub(crate) fn new(counters: Arc<Counters>, interval: Duration) -> Self {
        Self { counters, interval, streams: HashMap::new(), next: None, passing: Passing::default() }
    }

    fn report(&mut self, now: Instant) {
        let clock = &self.counters.clock;
        for (&ssrc, stream) in self.streams.iter_mut().filter(|(_, stream)| stream.spoke) {
            let Some(rtp_time) = clock.timestamp(stream.medium, now, stream.clock_rate) else { continue };
            stream.spoke = false;
            let report = SenderReport {
                ssrc,
                ntp_time: clock.ntp(now),
                rtp_time,
                packet_count: stream.packets,
                octet_count: stream.octets,
                ..Default::default()
            };
            self.passing.outbound.push_back(TaggedPacket {
                now,
                transport: TransportContext::default(),
                message: AttributedPacket::new(Packet::Rtcp(vec![Box::new(report)])),
            });
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for SenderReports {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.passing.inbound.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.passing.inbound.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(rtp) = &packet.message.packet
            && let Some(stream) = self.streams.get_mut(&rtp.header.ssrc)
        {
            stream.packets = stream.packets.wrapping_add(1);
            let length = u32::try_from(rtp.payload.len()).unwrap_or(0);
            stream.octets = stream.octets.wrapping_add(length);
            stream.spoke = true;
            // The first one soon: before it nobody can bring the two together.
            self.next.get_or_insert(packet.now + self.interval / 10);
        }
        self.passing.outbound.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.passing.outbound.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.next.is_some_and(|next| next <= now) {
            self.report(now);
            self.next = Some(now + self.interval);
        }
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.next
    }
}

impl Interceptor for SenderReports {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        let medium = if is_audio(info) { Medium::Audio } else { Medium::Video };
        let clock_rate = info.clock_rate;
        let stream = Stream { medium, clock_rate, packets: 0, octets: 0, spoke: false };
        self.streams.insert(info.ssrc, stream);
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
    }

    fn bind_remote_stream(&mut self, _: &StreamInfo) {}

    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_when_a_picture_was_taken_however_long_it_waited() {
        let start = Instant::now();
        let clock = Clock::new(start);
        assert_eq!(clock.timestamp(Medium::Video, start, 90_000), None);
        clock.taken(Medium::Video, 1_000, start + Duration::from_millis(100));
        clock.taken(Medium::Audio, u32::MAX, start + Duration::from_millis(200));
        let now = start + Duration::from_millis(300);
        assert_eq!(clock.timestamp(Medium::Video, now, 90_000), Some(1_000 + 18_000));
        assert_eq!(clock.timestamp(Medium::Audio, now, 48_000), Some(4_799));
        assert_eq!(clock.timestamp(Medium::Video, start, 90_000), Some(1_000u32.wrapping_sub(9_000)));
        let second = clock.ntp(now + Duration::from_secs(1)).wrapping_sub(clock.ntp(now));
        assert!(second.abs_diff(1 << 32) < 16, "{second}");
    }
}
