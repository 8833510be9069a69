//! Hands sound to the audio thread and pictures to the one that decodes, at the end of the chain and on the task that
//! read it off the socket.
//!
//! Nothing passes beyond it: the stack's own way to the application is a channel, a task and a log line for each
//! packet that finds no reader.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtp;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use carillon_media::video::VideoCodec;

use super::{Passing, ahead, is_audio, video_codec};
use crate::audio::{AudioReceiver, MAX_AUDIO_PAYLOAD, ReceivedAudio};
use crate::bucket::Bucket;
use crate::counters::Counters;
use crate::drops::Dropped;
use crate::engine::ORIENTATION;
use crate::video::{ReceivedVideo, VideoReceiver, rotation_of};

/// Packets of 10 ms are 100 a second; a burst after a stall of a second, with everything that is asked for again,
/// passes.
const AUDIO_RATE: (u32, u32) = (150, 200);

/// Packets of pictures: some 30 Mbit/s, and a keyframe of a megabyte at once.
const VIDEO_RATE: (u32, u32) = (3_500, 2_000);

/// See the module.
pub(crate) struct Inbound {
    counters: Arc<Counters>,
    audio: AudioReceiver,
    video: VideoReceiver,
    streams: HashMap<u32, Agreed>,
    rate: Bucket,
    video_rate: Bucket,
    recent: Recent,
    recent_video: Recent,
    passing: Passing,
}

#[derive(Debug, Clone, Copy)]
struct Agreed {
    payload_type: u8,
    medium: Medium,
}

#[derive(Debug, Clone, Copy)]
enum Medium {
    Audio,
    Video {
        codec: VideoCodec,
        /// Of the extension that tells the turn.
        orientation: Option<u8>,
    },
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
    pub(crate) fn new(counters: Arc<Counters>, audio: AudioReceiver, video: VideoReceiver) -> Self {
        Self {
            counters,
            audio,
            video,
            streams: HashMap::new(),
            rate: Bucket::new(AUDIO_RATE.0, AUDIO_RATE.1),
            video_rate: Bucket::new(VIDEO_RATE.0, VIDEO_RATE.1),
            recent: Recent::default(),
            recent_video: Recent::default(),
            passing: Passing::default(),
        }
    }

    fn take(&mut self, rtp: &rtp::Packet, repaired: bool, arrival: Instant) -> Result<(), Dropped> {
        if !self.counters.is_admitted() {
            return Err(Dropped::NotAdmitted);
        }
        let agreed = *self.streams.get(&rtp.header.ssrc).ok_or(Dropped::UnknownSource)?;
        if rtp.header.payload_type != agreed.payload_type {
            return Err(Dropped::UnknownPayloadType);
        }
        match agreed.medium {
            Medium::Audio => self.take_audio(rtp, repaired, arrival),
            Medium::Video { codec, orientation } => {
                self.take_video(rtp, repaired, arrival, codec, orientation)
            }
        }
    }

    fn take_video(
        &mut self,
        rtp: &rtp::Packet,
        repaired: bool,
        arrival: Instant,
        codec: VideoCodec,
        orientation: Option<u8>,
    ) -> Result<(), Dropped> {
        // The limit of a datagram was kept by whoever sent it.
        if rtp.payload.is_empty() {
            return Err(Dropped::UnusablePayload);
        }
        if !self.video_rate.take(arrival) {
            return Err(Dropped::TooMuchVideo);
        }
        if self.recent_video.is_duplicate(rtp.header.sequence_number) {
            return Err(Dropped::Duplicate);
        }
        let video = &self.counters.video;
        video.remote_source.store(rtp.header.ssrc, Ordering::Relaxed);
        Counters::add(&video.counts.packets_in, 1);
        Counters::add(&video.counts.bytes_in, rtp.payload.len());
        Counters::add(&video.counts.repaired, usize::from(repaired));
        let packet = ReceivedVideo {
            codec,
            sequence: rtp.header.sequence_number,
            timestamp: rtp.header.timestamp,
            marker: rtp.header.marker,
            rotation: orientation.and_then(|id| rotation_of(&rtp.header.get_extension(id)?)),
            payload: rtp.payload.clone(),
            arrival,
        };
        if self.video.push(packet) { Ok(()) } else { Err(Dropped::QueueFull) }
    }

    fn take_audio(&mut self, rtp: &rtp::Packet, repaired: bool, arrival: Instant) -> Result<(), Dropped> {
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
        if self.audio.push(packet) { Err(Dropped::QueueFull) } else { Ok(()) }
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
        let orientation = info.rtp_header_extensions.iter().find(|extension| extension.uri == ORIENTATION);
        let orientation = orientation.and_then(|extension| u8::try_from(extension.id).ok());
        let medium = match video_codec(info) {
            Some(codec) => Medium::Video { codec, orientation },
            None if is_audio(info) => Medium::Audio,
            None => return,
        };
        self.streams.insert(info.ssrc, Agreed { payload_type: info.payload_type, medium });
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
    }

    fn bind_local_stream(&mut self, _: &StreamInfo) {}

    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
}
