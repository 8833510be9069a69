//! The interceptors of one connection: what each RTP and RTCP packet passes between SRTP and the threads that play
//! and decode.
//!
//! | slot | what | leg |
//! |---|---|---|
//! | 600 | [`reports`]: lets only RTCP pass that is ours, reads reports | both |
//! | 2,000 | [`congestion`]: numbers what leaves, and makes of what is told of it what may be sent | both |
//! | 4,000 | [`answers`]: sends again what the other side asks for | both |
//! | 6,200 | receiver reports, of what came before any repair | both |
//! | 6,500 | [`retransmission`]: unwraps RTX | in |
//! | 7,000 | [`nack`]: asks for what is missing, in time with the round trip | both |
//! | 8,000 | [`receipts`]: transport-wide feedback | both |
//! | 11,000 | [`clock`]: sender reports | out |
//! | 14,000 | [`inbound`]: hands sound and pictures to the threads that play and decode | in |
//!
//! Inbound packets pass from the top of the table to its end, outbound ones the other way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use carillon_media::video::VideoCodec;
use rtc::interceptor::{ReceiverReportBuilder, Registry, Slot, StreamInfo, TaggedPacket};

use crate::audio::AudioReceiver;
use crate::counters::Counters;
use crate::video::VideoReceiver;

pub(crate) mod answers;
pub(crate) mod clock;
mod congestion;
pub(crate) mod inbound;
pub(crate) mod nack;
pub(crate) mod receipts;
pub(crate) mod reports;
pub(crate) mod retransmission;
#[cfg(test)]
mod tests;

/// Between two reports. RFC 3550, section 6.2, allows less than 5 s where RTCP stays below 5 % of the bandwidth; two
/// reports of some 100 bytes a second do, and the choice between FEC and DRED hangs on them.
const REPORTS: Duration = Duration::from_millis(500);

/// The chain in the order of the table above.
pub(crate) fn build(counters: &Arc<Counters>, audio: &AudioReceiver, video: &VideoReceiver) -> Registry {
    Registry::new()
        .with(Slot::from(600), reports::Reports::new(Arc::clone(counters)))
        .with(Slot::TwccSender, congestion::Congestion::new(Arc::clone(counters)))
        .with(Slot::NackResponder, answers::Answers::new(Arc::clone(counters)))
        .with(Slot::from(6_200), ReceiverReportBuilder::new().with_interval(REPORTS).build())
        .with(Slot::from(6_500), retransmission::Unwrap::default())
        .with(Slot::NackGenerator, nack::Requests::new(Arc::clone(counters)))
        .with(Slot::TwccReceiver, receipts::Receipts::new())
        .with(Slot::SenderReport, clock::SenderReports::new(Arc::clone(counters), REPORTS))
        .with(Slot::from(14_000), inbound::Inbound::new(Arc::clone(counters), audio.clone(), video.clone()))
}

/// Whether generic NACK was agreed for a stream (RFC 4585, section 4.2).
fn has_nack(info: &StreamInfo) -> bool {
    info.rtcp_feedback.iter().any(|feedback| feedback.typ == "nack" && feedback.parameter.is_empty())
}

fn is_audio(info: &StreamInfo) -> bool {
    info.mime_type.eq_ignore_ascii_case("audio/opus")
}

fn video_codec(info: &StreamInfo) -> Option<VideoCodec> {
    match info.mime_type.to_ascii_lowercase().as_str() {
        "video/h264" => Some(VideoCodec::H264),
        "video/vp8" => Some(VideoCodec::Vp8),
        _ => None,
    }
}

/// How far `sequence` is ahead of `of`, in the arithmetic of RFC 1982; negative when it is behind.
fn ahead(sequence: u16, of: u16) -> i16 {
    sequence.wrapping_sub(of).cast_signed()
}

/// Packets on their way through an interceptor.
#[derive(Default)]
struct Passing {
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}
