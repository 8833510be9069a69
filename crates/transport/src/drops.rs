//! What was thrown away, and why.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why something from the network, or for it, was thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Dropped {
    /// A datagram that is neither STUN, DTLS, TURN channel data, RTP nor RTCP (RFC 7983), or too short for it.
    Malformed,
    /// From an address with which no connectivity check was exchanged.
    Stranger,
    /// More datagrams than any call sends, or more requests for what was lost.
    Flood,
    /// RTP or RTCP that SRTP refused: not authentic, replayed, or truncated.
    Rejected,
    /// Media before the certificate of the other side was compared, or after the end.
    NotAdmitted,
    /// RTP of a source that was never described.
    UnknownSource,
    /// RTP of a payload type that was never agreed.
    UnknownPayloadType,
    /// RTP without a payload that anybody could play: padding, or larger than a datagram can be.
    UnusablePayload,
    /// More audio packets than the agreed packet time allows.
    TooFast,
    /// It had come before, by itself or when asked for again.
    Duplicate,
    /// The thread that plays or decodes did not take packets out in time.
    QueueFull,
    /// More packets of pictures than any call sends.
    TooMuchVideo,
    /// RTCP about, or from, a source that is none of this connection's.
    UnknownReport,
    /// Feedback about packets that never left, or that has less in it than it says.
    BadFeedback,
    /// A message on the data channel that is no payload, too long, or one of too many.
    BadMessage,
    /// A description that is too long or not one.
    BadDescription,
    /// A candidate that is too long or not one, or one too many.
    BadCandidate,
    /// A candidate for an address that nobody may be sent to: multicast, unspecified, broadcast, or loopback from
    /// outside.
    ForbiddenCandidate,
    /// A candidate that this side has no use for: TCP, an mDNS name, a link-local address.
    UnusableCandidate,
    /// A candidate of an earlier generation.
    StaleCandidate,
    /// Own audio that may not go out yet, or any longer.
    AudioNotSent,
    /// An own frame that may not go out yet, or any longer, or that found no room.
    VideoNotSent,
    /// A datagram that the system refused to send.
    NotSendable,
    /// A datagram for somebody else than a relay, where nobody else may learn an address of this machine.
    NotRelayed,
}

/// Every reason, in the order of the discriminants.
pub const REASONS: [Dropped; 24] = [
    Dropped::Malformed,
    Dropped::Stranger,
    Dropped::Flood,
    Dropped::Rejected,
    Dropped::NotAdmitted,
    Dropped::UnknownSource,
    Dropped::UnknownPayloadType,
    Dropped::UnusablePayload,
    Dropped::TooFast,
    Dropped::Duplicate,
    Dropped::QueueFull,
    Dropped::TooMuchVideo,
    Dropped::UnknownReport,
    Dropped::BadFeedback,
    Dropped::BadMessage,
    Dropped::BadDescription,
    Dropped::BadCandidate,
    Dropped::ForbiddenCandidate,
    Dropped::UnusableCandidate,
    Dropped::StaleCandidate,
    Dropped::AudioNotSent,
    Dropped::VideoNotSent,
    Dropped::NotSendable,
    Dropped::NotRelayed,
];

/// One counter for each reason.
#[derive(Debug, Default)]
pub(crate) struct Drops([AtomicU64; REASONS.len()]);

impl Drops {
    pub(crate) fn count(&self, reason: Dropped) {
        // The discriminants are the indices of `REASONS`, as a test holds.
        if let Some(counter) = self.0.get(reason as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn snapshot(&self) -> DropCounts {
        let mut counts = DropCounts::default();
        for (count, counter) in counts.0.iter_mut().zip(&self.0) {
            *count = counter.load(Ordering::Relaxed);
        }
        counts
    }
}

/// How often each reason has come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DropCounts([u64; REASONS.len()]);

impl DropCounts {
    /// How often this one has.
    pub fn of(&self, reason: Dropped) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or(0)
    }

    /// Those that have come up, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (Dropped, u64)> {
        REASONS.into_iter().zip(self.0).filter(|&(_, count)| count > 0)
    }

    pub(crate) fn set(&mut self, reason: Dropped, count: u64) {
        if let Some(place) = self.0.get_mut(reason as usize) {
            *place = count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_counter() {
        let drops = Drops::default();
        for (index, reason) in REASONS.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            drops.count(reason);
        }
        assert!(drops.snapshot().iter().map(|(_, count)| count).eq([1; REASONS.len()]));
    }
}
