//! Unwraps retransmissions (RFC 4588) before anybody looks for gaps.
//!
//! The stack unwraps them too, but behind the whole chain: NACK would never learn that a packet has come, ask for it
//! until it gives up, and each answer would be delivered again.

use std::collections::HashMap;
use std::time::Instant;

use rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use super::Passing;

/// The source and payload type that a retransmission stands for.
#[derive(Debug, Clone, Copy)]
struct Original {
    source: u32,
    payload_type: u8,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Unwrap {
    originals: HashMap<u32, Original>,
    passing: Passing,
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Unwrap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(rtp) = &mut packet.message.packet
            && let Some(original) = self.originals.get(&rtp.header.ssrc)
        {
            // Padding alone, to probe: it stands for no packet.
            let Some((sequence, _)) = rtp.payload.split_first_chunk::<2>() else { return Ok(()) };
            rtp.header.sequence_number = u16::from_be_bytes(*sequence);
            rtp.header.ssrc = original.source;
            rtp.header.payload_type = original.payload_type;
            rtp.payload = rtp.payload.slice(2..);
            packet.message.add(Attribute::Retransmission);
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
}

impl Interceptor for Unwrap {
    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        if let Some(repair) = info.ssrc_rtx {
            self.originals.insert(repair, Original { source: info.ssrc, payload_type: info.payload_type });
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        if let Some(repair) = info.ssrc_rtx {
            self.originals.remove(&repair);
        }
    }

    fn bind_local_stream(&mut self, _: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
}
