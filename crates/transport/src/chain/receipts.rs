//! Tells the other side when packets came (transport-wide feedback), as soon as it says something.
//!
//! The stack's own receiver tells at a fixed interval, and goes on when nothing comes. Here a report leaves with the end
//! of each picture, for that is when its packets tell what the line carries; and soon after any other packet, so that a
//! line that gets narrow is noticed before a queue has grown. Without packets there are no reports.

use std::time::{Duration, Instant};

use rtc::interceptor::{
    Interceptor, Packet, StreamInfo, TaggedPacket, TwccReceiverBuilder, TwccReceiverInterceptor,
};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

/// A packet is told of at latest after so long. 40 reports of some 90 bytes a second are 30 kbit/s.
const LATEST: Duration = Duration::from_millis(25);
/// Between two reports at least, whatever comes.
const LEAST: Duration = Duration::from_millis(12);

/// See the module.
pub(crate) struct Receipts {
    recorder: TwccReceiverInterceptor,
    /// When the next report leaves; `None`: nothing came that was not told.
    due: Option<Instant>,
    told: Option<Instant>,
}

impl Receipts {
    pub(crate) fn new() -> Self {
        // Whenever it is asked.
        let recorder = TwccReceiverBuilder::new().with_interval(Duration::ZERO).build();
        Self { recorder, due: None, told: None }
    }

    fn came(&mut self, ends_picture: bool, now: Instant) {
        let soonest = self.told.map_or(now, |told| now.max(told + LEAST));
        let due = if ends_picture { soonest } else { now + LATEST };
        self.due = Some(self.due.map_or(due, |before| before.min(due)));
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Receipts {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(rtp) = &packet.message.packet {
            let now = packet.now;
            // Sound has the bit too, at the begin of speech: one report more does no harm.
            self.came(rtp.header.marker, now);
        }
        self.recorder.handle_read(packet)
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.recorder.poll_read()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.recorder.handle_write(packet)
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.recorder.poll_write()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        if self.due.is_none_or(|due| due > now) {
            return Ok(());
        }
        (self.due, self.told) = (None, Some(now));
        self.recorder.handle_timeout(now)
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.due
    }
}

impl Interceptor for Receipts {
    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        self.recorder.bind_remote_stream(info);
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.recorder.unbind_remote_stream(info);
    }

    fn bind_local_stream(&mut self, info: &StreamInfo) {
        self.recorder.bind_local_stream(info);
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.recorder.unbind_local_stream(info);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rtc::interceptor::{AttributedPacket, RTPHeaderExtension};
    use rtc::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
    use rtc::rtp;
    use rtc::shared::TransportContext;

    use super::*;
    use crate::engine::TRANSPORT_CC;

    const MS: Duration = Duration::from_millis(1);
    const EXTENSION: u8 = 3;

    struct World {
        receipts: Receipts,
        start: Instant,
        now: Instant,
        number: u16,
        /// When a report left, in milliseconds, and of how many packets.
        reports: Vec<(u128, u16)>,
    }

    impl World {
        fn new() -> Self {
            let mut receipts = Receipts::new();
            let extension = RTPHeaderExtension { uri: TRANSPORT_CC.to_owned(), id: EXTENSION.into() };
            receipts.bind_remote_stream(&StreamInfo {
                ssrc: 1,
                rtp_header_extensions: vec![extension],
                ..StreamInfo::default()
            });
            let start = Instant::now();
            Self { receipts, start, now: start, number: 0, reports: Vec::new() }
        }

        fn comes(&mut self, marker: bool) {
            let mut header = rtp::Header { version: 2, ssrc: 1, marker, ..rtp::Header::default() };
            header.set_extension(EXTENSION, Bytes::copy_from_slice(&self.number.to_be_bytes())).unwrap();
            self.number += 1;
            let message = AttributedPacket::new(Packet::Rtp(rtp::Packet { header, payload: Bytes::new() }));
            let packet = TaggedPacket { now: self.now, transport: TransportContext::default(), message };
            self.receipts.handle_read(packet).unwrap();
            assert!(self.receipts.poll_read().is_some(), "it goes on");
            self.wait(Duration::ZERO);
        }

        fn wait(&mut self, time: Duration) {
            let end = self.now + time;
            while let Some(due) = self.receipts.poll_timeout().filter(|due| *due <= end) {
                self.now = self.now.max(due);
                self.receipts.handle_timeout(self.now).unwrap();
                while let Some(packet) = self.receipts.poll_write() {
                    let Packet::Rtcp(reports) = packet.message.packet else { panic!("it was no report") };
                    for report in reports {
                        let report = report.as_any().downcast_ref::<TransportLayerCc>().unwrap();
                        self.reports.push(((self.now - self.start).as_millis(), report.packet_status_count));
                    }
                }
            }
            self.now = end;
        }
    }

    #[test]
    fn the_end_of_a_picture_is_told_at_once_and_any_packet_soon() {
        let mut world = World::new();
        for packet in 0..4 {
            world.comes(packet == 3);
            world.wait(3 * MS);
        }
        assert_eq!(world.reports, [(9, 4)]);
        world.wait(30 * MS);
        world.comes(false);
        world.wait(40 * MS);
        assert_eq!(world.reports[1..], [(42 + 25, 1)]);
        world.wait(10_000 * MS);
        assert_eq!(world.reports.len(), 2, "nothing came");
    }

    #[test]
    fn whoever_ends_a_picture_with_each_packet_gets_no_report_for_each() {
        let mut world = World::new();
        for _ in 0..1_000 {
            world.comes(true);
            world.wait(MS);
        }
        world.wait(100 * MS);
        assert!(world.reports.len() <= 1_000 / 12 + 2, "{}", world.reports.len());
        assert_eq!(world.reports.iter().map(|(_, packets)| packets).sum::<u16>(), 1_000);
    }
}
