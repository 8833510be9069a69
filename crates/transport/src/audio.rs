//! Audio packets between the connection and the audio thread, which must never wait.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use crossbeam_queue::ArrayQueue;
use tokio::sync::mpsc;

use crate::counters::Counters;
use crate::drops::Dropped;

/// Packets the audio thread may be behind: more than a second of 10 ms packets.
const RECEIVED: usize = 128;

/// Packets the connection may be behind. What waits longer is of no use to anybody.
pub(crate) const OUTGOING: usize = 16;

/// Largest payload: what fits into a datagram of 1,200 bytes beside RTP and SRTP. Opus needs at most 1,275 for 20 ms,
/// at a rate that no call uses (RFC 6716, section 3.4).
pub const MAX_AUDIO_PAYLOAD: usize = 1_150;

/// An encoded piece of speech to send.
#[derive(Debug, Clone)]
pub struct OutgoingAudio {
    /// Of its first sample, at 48 kHz. Only differences count; gaps in the sound are gaps in it.
    pub timestamp: u32,
    /// When its first sample was spoken, as well as is known: by it the other side brings lips and voice together.
    pub captured: Instant,
    /// The first packet after silence (RFC 7587, section 4.1: the marker bit of a talk spurt).
    pub marker: bool,
    /// One Opus packet.
    pub payload: Bytes,
}

/// Takes audio for the other side. Clones are cheap and all send into the same stream.
#[derive(Debug, Clone)]
pub struct AudioSender {
    sender: mpsc::Sender<OutgoingAudio>,
    counters: Arc<Counters>,
}

impl AudioSender {
    pub(crate) fn new(counters: Arc<Counters>) -> (Self, mpsc::Receiver<OutgoingAudio>) {
        let (sender, receiver) = mpsc::channel(OUTGOING);
        (Self { sender, counters }, receiver)
    }

    /// Sends, from any thread and without waiting. What may not go out (before the other side's certificate was
    /// compared, or after the end) or finds no room is counted as [`Dropped::AudioNotSent`].
    pub fn send(&self, audio: OutgoingAudio) {
        let fits = (1..=MAX_AUDIO_PAYLOAD).contains(&audio.payload.len());
        if !fits || !self.counters.is_admitted() || self.sender.try_send(audio).is_err() {
            self.counters.dropped(Dropped::AudioNotSent);
        }
    }
}

/// An audio packet of the other side.
#[derive(Debug, Clone)]
pub struct ReceivedAudio {
    /// Of RTP.
    pub sequence: u16,
    /// Of its first sample, at 48 kHz, from an arbitrary start.
    pub timestamp: u32,
    /// The first packet after silence.
    pub marker: bool,
    /// It came when it was asked for again.
    pub repaired: bool,
    /// One Opus packet, not empty.
    pub payload: Bytes,
    /// When it was read off the socket.
    pub arrival: Instant,
}

/// Audio of the other side in the order of arrival, as a queue without locks.
#[derive(Debug, Clone)]
pub struct AudioReceiver(Arc<ArrayQueue<ReceivedAudio>>);

impl AudioReceiver {
    pub(crate) fn new() -> Self {
        Self(Arc::new(ArrayQueue::new(RECEIVED)))
    }

    /// The next packet, or none. Never waits, never allocates.
    pub fn pop(&self) -> Option<ReceivedAudio> {
        self.0.pop()
    }

    /// Puts a packet in. When the audio thread is behind, the oldest gives way: it is the one that is too late.
    /// Returns whether one did.
    pub(crate) fn push(&self, packet: ReceivedAudio) -> bool {
        self.0.force_push(packet).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    fn packet(sequence: u16) -> ReceivedAudio {
        let arrival = Instant::now();
        ReceivedAudio {
            sequence,
            timestamp: 0,
            marker: false,
            repaired: false,
            payload: Bytes::new(),
            arrival,
        }
    }

    #[test]
    fn an_audio_thread_that_is_behind_loses_the_oldest() {
        let received = AudioReceiver::new();
        let gave_way =
            (0..u16::try_from(RECEIVED).unwrap() + 3).filter(|&n| received.push(packet(n))).count();
        assert_eq!(gave_way, 3);
        assert_eq!(received.pop().map(|packet| packet.sequence), Some(3));
    }

    #[test]
    fn audio_that_may_not_go_out_is_counted() {
        let counters = Arc::new(Counters::new(Instant::now()));
        let (sender, mut receiver) = AudioSender::new(Arc::clone(&counters));
        let audio = |length| OutgoingAudio {
            timestamp: 0,
            captured: Instant::now(),
            marker: false,
            payload: vec![1; length].into(),
        };
        sender.send(audio(10));
        assert_eq!(counters.drops.snapshot().of(Dropped::AudioNotSent), 1);
        counters.admitted.store(true, Ordering::Release);
        sender.send(audio(10));
        assert!(receiver.try_recv().is_ok());
        sender.send(audio(0));
        sender.send(audio(MAX_AUDIO_PAYLOAD + 1));
        assert_eq!(counters.drops.snapshot().of(Dropped::AudioNotSent), 3);
        (0..=OUTGOING).for_each(|_| sender.send(audio(10)));
        assert_eq!(counters.drops.snapshot().of(Dropped::AudioNotSent), 4);
    }
}
