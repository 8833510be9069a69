//! Hands audio to the audio thread, at the end of the chain and on the task that read it off the socket.
//!
//! Nothing passes beyond it: the stack's own way to the application is a channel, a task and a log line for each
//! packet that finds no reader.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtp;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use super::{Passing, ahead, is_audio};
use crate::audio::{AudioReceiver, MAX_AUDIO_PAYLOAD, ReceivedAudio};
use crate::bucket::Bucket;
use crate::counters::Counters;
use crate::drops::Dropped;

/// Packets of 10 ms are 100 a second; a burst after a stall of a second, with everything that is asked for again,
/// passes.
const AUDIO_RATE: (u32, u32) = (150, 200);

/// See the module.
pub(crate) struct Inbound {
    counters: Arc<Counters>,
    received: AudioReceiver,
    streams: HashMap<u32, Agreed>,
    rate: Bucket,
    recent: Recent,
    passing: Passing,
}

#[derive(Debug, Clone, Copy)]
struct Agreed {
    payload_type: u8,
    audio: bool,
}

/// Which of the last sequence numbers have come.
#[derive(Debug, Default)]
struct Recent {
    highest: Option<u16>,
    /// Bit n: the one n before the highest.
    came: u128,
}

impl Recent {
    /// Whether it has come before, as far as is remembered.
    fn is_duplicate(&mut self, sequence: u16) -> bool {
        let Some(highest) = self.highest else {
            (self.highest, self.came) = (Some(sequence), 1);
            return false;
        };
        let step = ahead(sequence, highest);
        if step > 0 {
            let step = u32::from(step.unsigned_abs());
            self.came = self.came.checked_shl(step).unwrap_or(0) | 1;
            self.highest = Some(sequence);
            return false;
        }
        let bit = 1_u128.checked_shl(u32::from(step.unsigned_abs())).unwrap_or(0);
        let before = self.came & bit != 0;
        self.came |= bit;
        before
    }
}

impl Inbound {
    pub(crate) fn new(counters: Arc<Counters>, received: AudioReceiver) -> Self {
        let (per_second, burst) = AUDIO_RATE;
        Self {
            counters,
            received,
            streams: HashMap::new(),
            rate: Bucket::new(per_second, burst),
            recent: Recent::default(),
            passing: Passing::default(),
        }
    }

    fn take(&mut self, rtp: &rtp::Packet, repaired: bool, arrival: Instant) -> Result<(), Dropped> {
        if !self.counters.is_admitted() {
            return Err(Dropped::NotAdmitted);
        }
        let agreed = self.streams.get(&rtp.header.ssrc).ok_or(Dropped::UnknownSource)?;
        if rtp.header.payload_type != agreed.payload_type {
            return Err(Dropped::UnknownPayloadType);
        }
        if !agreed.audio {
            return Err(Dropped::UnwantedVideo);
        }
        if !(1..=MAX_AUDIO_PAYLOAD).contains(&rtp.payload.len()) {
            return Err(Dropped::UnusablePayload);
        }
        if !self.rate.take(arrival) {
            return Err(Dropped::TooFast);
        }
        let duplicate = self.recent.is_duplicate(rtp.header.sequence_number);
        {
            let mut audio = self.counters.audio();
            audio.duplicates += u64::from(duplicate);
            audio.repaired += u64::from(repaired && !duplicate);
        }
        if duplicate {
            return Err(Dropped::Duplicate);
        }
        let packet = ReceivedAudio {
            sequence: rtp.header.sequence_number,
            timestamp: rtp.header.timestamp,
            marker: rtp.header.marker,
            repaired,
            payload: rtp.payload.clone(),
            arrival,
        };
        if self.received.push(packet) { Err(Dropped::QueueFull) } else { Ok(()) }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Inbound {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtp(rtp) = &packet.message.packet {
            let repaired = packet.message.has(&Attribute::Retransmission);
            if let Err(reason) = self.take(rtp, repaired, packet.now) {
                self.counters.dropped(reason);
            }
        }
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        None
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.passing.outbound.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.passing.outbound.pop_front()
    }
}

impl Interceptor for Inbound {
    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        let agreed = Agreed { payload_type: info.payload_type, audio: is_audio(info) };
        self.streams.insert(info.ssrc, agreed);
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
    }

    fn bind_local_stream(&mut self, _: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
}
