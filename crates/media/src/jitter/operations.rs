//! What can be done to a jitter buffer, as data: for fuzzing, and for the walk over it in the tests.

use std::time::Duration;

use arbitrary::Arbitrary;

use super::{Decision, JitterBuffer, MAX_PACKETS, ReceivedPacket, Settings};
use crate::{DecodeError, FRAME_SAMPLES, SpeechDecoder};

/// One thing done.
#[derive(Debug, Clone, PartialEq, Eq, Arbitrary)]
pub enum Operation {
    /// A packet that says what it likes.
    Insert {
        /// RTP sequence number.
        sequence: u16,
        /// RTP timestamp.
        timestamp: u32,
        /// Arrival, counted from now.
        late_ms: u16,
        /// The payload, for the toy decoder below.
        payload: Vec<u8>,
    },
    /// The next packet of a sender that behaves, but for what it skips.
    Follow {
        /// How many packets are lost before it.
        lost: u8,
        /// The payload's first byte, for the toy decoder below.
        kind: u8,
        /// How many samples the timestamp jumps on top, × 120.
        silence: u16,
    },
    /// 10 ms are played.
    Next,
    /// Time passes.
    Wait {
        /// How much.
        ms: u16,
    },
    /// The sender's numbers go on elsewhere.
    Jump {
        /// How far on, in sequence numbers.
        sequence: u16,
        /// How far on, in samples.
        timestamp: u32,
    },
    /// Many packets are sent and nothing is played.
    Flood {
        /// Half of how many.
        packets: u8,
    },
}

/// Does it all to a buffer.
///
/// # Panics
/// When what holds of every buffer does not hold of this one: its memory is bounded, its sound finite, its counts add up.
pub fn run(operations: &[Operation]) {
    let mut buffer = JitterBuffer::new(Toy::default(), Settings::default());
    let mut now = Duration::ZERO;
    // Both wrap soon.
    let (mut sequence, mut timestamp) = (u16::MAX - 20, u32::MAX - 100_000);
    let mut ticks = 0;
    let follow = |buffer: &mut JitterBuffer<Toy>,
                  (sequence, timestamp): (&mut u16, &mut u32),
                  now: Duration,
                  lost: u8,
                  kind: u8,
                  silence: u16| {
        let length = LENGTHS[usize::from(kind) % LENGTHS.len()] as u32;
        buffer.insert(ReceivedPacket {
            repaired: false,
            sequence: *sequence,
            timestamp: *timestamp,
            arrival: now,
            payload: &[kind, 7, 7, 7],
        });
        *sequence = sequence.wrapping_add(1 + u16::from(lost));
        let on = length.wrapping_mul(1 + u32::from(lost)).wrapping_add(u32::from(silence).wrapping_mul(120));
        *timestamp = timestamp.wrapping_add(on);
    };
    for operation in operations {
        match operation {
            Operation::Insert { sequence, timestamp, late_ms, payload } => {
                let arrival = now + Duration::from_millis((*late_ms).into());
                buffer.insert(ReceivedPacket {
                    repaired: false,
                    sequence: *sequence,
                    timestamp: *timestamp,
                    arrival,
                    payload,
                });
            }
            Operation::Follow { lost, kind, silence } => {
                follow(&mut buffer, (&mut sequence, &mut timestamp), now, *lost, *kind, *silence);
            }
            Operation::Jump { sequence: steps, timestamp: samples } => {
                sequence = sequence.wrapping_add(*steps);
                timestamp = timestamp.wrapping_add(*samples);
            }
            Operation::Flood { packets } => {
                (0..u16::from(*packets) * 2)
                    .for_each(|i| follow(&mut buffer, (&mut sequence, &mut timestamp), now, 0, i as u8, 0));
            }
            Operation::Next => {
                let mut out = [f32::NAN; FRAME_SAMPLES];
                let _: Decision = buffer.next(now, &mut out);
                assert!(out.iter().all(|sample| sample.is_finite()), "sound is finite");
                now += Duration::from_millis(10);
                ticks += 1;
            }
            Operation::Wait { ms } => now += Duration::from_millis((*ms).into()),
        }
        assert!(buffer.waiting() <= MAX_PACKETS, "memory is bounded");
    }
    let stats = buffer.stats();
    let decisions = stats.decoded
        + stats.fec
        + stats.dred
        + stats.concealed
        + stats.stretched
        + stats.shrunk
        + stats.comfort_noise;
    assert_eq!(decisions, ticks, "each 10 ms was filled once");
    let refused = stats.late + stats.duplicate + stats.malformed;
    assert!(stats.jumped + refused <= 2 * stats.received, "nothing is counted out of nothing");
    assert!(stats.concealed_samples <= stats.speech_samples, "what was made up is a part");
}

/// Lengths of Opus packets, and some that are none.
const LENGTHS: [usize; 10] = [120, 240, 480, 960, 1_920, 2_880, 5_760, 0, 7, 100_000];

/// A decoder that takes a packet's first byte for all it is: its length, whether it decodes, what it carries.
#[derive(Debug, Default)]
struct Toy {
    phase: f32,
}

impl Toy {
    fn make(&mut self, out: &mut [f32]) {
        for sample in out {
            self.phase = (self.phase + 0.02) % std::f32::consts::TAU;
            *sample = 0.3 * self.phase.sin();
        }
    }
}

impl SpeechDecoder for Toy {
    fn samples(&self, packet: &[u8]) -> Result<usize, DecodeError> {
        let first = packet.first().ok_or(DecodeError::Malformed)?;
        Ok(LENGTHS[usize::from(*first) % LENGTHS.len()])
    }

    fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<(), DecodeError> {
        if self.samples(packet)? != out.len() {
            return Err(DecodeError::Length);
        }
        if packet[0] >= 250 {
            return Err(DecodeError::Malformed);
        }
        self.make(out);
        Ok(())
    }

    fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<(), DecodeError> {
        if next.first().is_none_or(|first| first % 3 == 0) {
            return Err(DecodeError::NotCarried);
        }
        self.make(out);
        Ok(())
    }

    fn dred_samples(&mut self, later: &[u8]) -> usize {
        later.first().map_or(0, |first| usize::from(first % 4) * 4_800)
    }

    fn decode_dred(&mut self, later: &[u8], before: usize, out: &mut [f32]) -> Result<(), DecodeError> {
        if self.dred_samples(later) < before || later.len() % 2 == 1 {
            return Err(DecodeError::NotCarried);
        }
        self.make(out);
        Ok(())
    }

    fn conceal(&mut self, out: &mut [f32]) {
        assert!(out.len().is_multiple_of(120), "decoders conceal multiples of 2.5 ms");
        self.make(out);
    }
}
