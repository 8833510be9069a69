//! Answers requests for what was lost, through a stream of repair (RFC 4588) and in no other way.
//!
//! The stack's own responder does the work. It is told of the repair of our audio, which the stack does not know, and
//! of no stream that has no repair: that it would send again as it was, and a packet sealed twice under one nonce with
//! another transport-wide number in it gives the key of AES-GCM's authentication away (RFC 7714, section 8.3).

use std::sync::Arc;
use std::time::Instant;

use rtc::interceptor::{
    Interceptor, NackResponderBuilder, NackResponderInterceptor, StreamInfo, TaggedPacket,
};
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use crate::counters::Counters;

/// Packets that are kept: more than a second of video at 8 Mbit/s.
const HISTORY: u16 = 1024;

/// See the module.
pub(crate) struct Answers {
    counters: Arc<Counters>,
    responder: NackResponderInterceptor,
}

impl Answers {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        Self { counters, responder: NackResponderBuilder::new().with_size(HISTORY).build() }
    }
}

/// What is known of a stream of ours, with the repair of audio.
pub(super) fn with_repair(counters: &Counters, info: &StreamInfo) -> StreamInfo {
    let mut info = info.clone();
    if let (None, Some((repair, payload_type))) = (info.ssrc_rtx, counters.repair.of(info.ssrc)) {
        info.ssrc_rtx = Some(repair);
        info.payload_type_rtx = Some(payload_type);
    }
    info
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Answers {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.responder.handle_read(packet)
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.responder.poll_read()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.responder.handle_write(packet)
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.responder.poll_write()
    }
}

impl Interceptor for Answers {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        let info = with_repair(&self.counters, info);
        if info.ssrc_rtx.is_some() && info.payload_type_rtx.is_some() {
            self.responder.bind_local_stream(&info);
        }
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.responder.unbind_local_stream(info);
    }

    fn bind_remote_stream(&mut self, _: &StreamInfo) {}

    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
