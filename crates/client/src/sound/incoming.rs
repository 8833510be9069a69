//! From packets to the speaker.

use std::time::{Duration, Instant};

use carillon_media::jitter::{JitterBuffer, ReceivedPacket, Settings, Stats};
use carillon_media::opus::{Decoder, OutOfMemory};
use carillon_media::{FRAME_SAMPLES, Frame};

use crate::peer::ReceivedAudio;

/// Turns the other end's packets into even sound.
pub(super) struct Incoming {
    buffer: JitterBuffer<Decoder>,
    /// The buffer's time begins here.
    epoch: Instant,
    /// Something came.
    heard: bool,
}

impl Incoming {
    pub(super) fn new(now: Instant) -> Result<Self, OutOfMemory> {
        let buffer = JitterBuffer::new(Decoder::new()?, Settings::default());
        Ok(Self { buffer, epoch: now, heard: false })
    }

    pub(super) fn packet(&mut self, packet: &ReceivedAudio) {
        self.heard = true;
        // What became of it is in the buffer's counts.
        self.buffer.insert(ReceivedPacket {
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            arrival: self.at(packet.arrival),
            repaired: packet.repaired,
            payload: &packet.payload,
        });
    }

    /// The next 10 ms; whether anything has come yet. Silent before the first packet.
    pub(super) fn frame(&mut self, now: Instant, frame: &mut Frame) -> bool {
        if self.heard {
            self.buffer.next(self.at(now), frame);
        } else {
            *frame = [0.0; FRAME_SAMPLES];
        }
        self.heard
    }

    /// The timestamp of the sample after the last that was given out.
    pub(super) fn next_timestamp(&self) -> Option<u32> {
        self.buffer.next_timestamp()
    }

    /// Plays so much later than needed.
    pub(super) fn hold(&mut self, by: Duration) {
        self.buffer.hold(by);
    }

    pub(super) fn stats(&self) -> Stats {
        self.buffer.stats()
    }

    fn at(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.epoch)
    }
}
