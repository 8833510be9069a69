//! A sender, a seeded network and a listener on a virtual clock.

mod network;
mod order;
mod pauses;
mod repair;
mod walk;

use std::collections::BinaryHeap;
use std::f64::consts::TAU;
use std::sync::LazyLock;

use super::*;
use crate::{DecodeError, FRAME_SAMPLES};

/// What the sender says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// Each sample is its own number, so that a sample played tells where it came from.
    Numbers,
    /// A voice: a vowel whose pitch wanders.
    Vowel,
    /// The same, a second at a time, with half a second of a quiet room between.
    Sentences,
}

/// Decodes packets that say what sound they are: the first sample's number, the length, and what they carry of the
/// packets before.
struct Fake {
    says: Says,
    concealed: Vec<usize>,
}

impl Fake {
    fn saying(says: Says) -> Self {
        Self { says, concealed: Vec::new() }
    }

    fn speak(&self, first: u64, out: &mut [f32]) {
        for (i, sample) in out.iter_mut().enumerate() {
            let n = first + i as u64;
            *sample = match self.says {
                Says::Numbers => (n % (1 << 24)) as f32,
                Says::Vowel => vowel(n),
                Says::Sentences if n % 72_000 < 48_000 => vowel(n),
                Says::Sentences => room(n),
            };
        }
    }
}

/// A second of a vowel whose pitch wanders and comes back, in a quiet room.
static VOWEL: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let sample = |n: u64| {
        let t = n as f64 / 48_000.0;
        let phase = TAU * (140.0 * t + 0.6 * (TAU * t).sin());
        (1..=8).map(|k| 0.2 / f64::from(k) * (f64::from(k) * phase).sin()).sum::<f64>() as f32 + room(n)
    };
    (0..48_000).map(sample).collect()
});

fn vowel(n: u64) -> f32 {
    VOWEL[(n % 48_000) as usize]
}

fn room(n: u64) -> f32 {
    0.002 * (Random(n ^ 0x5555).next() as f32 - 0.5)
}

const LOST: f32 = -1.0;

impl SpeechDecoder for Fake {
    fn samples(&self, packet: &[u8]) -> Result<usize, DecodeError> {
        let length = packet.get(8..10).ok_or(DecodeError::Malformed)?;
        Ok(u16::from_be_bytes(length.try_into().unwrap()).into())
    }

    fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<(), DecodeError> {
        self.speak(u64::from_be_bytes(packet[..8].try_into().unwrap()), out);
        Ok(())
    }

    fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<(), DecodeError> {
        if next[10] == 0 {
            return Err(DecodeError::NotCarried);
        }
        self.speak(u64::from_be_bytes(next[..8].try_into().unwrap()) - out.len() as u64, out);
        Ok(())
    }

    fn dred_samples(&mut self, later: &[u8]) -> usize {
        usize::from(later[11]) * 480
    }

    fn decode_dred(&mut self, later: &[u8], before: usize, out: &mut [f32]) -> Result<(), DecodeError> {
        if self.dred_samples(later) < before {
            return Err(DecodeError::NotCarried);
        }
        self.speak(u64::from_be_bytes(later[..8].try_into().unwrap()) - before as u64, out);
        Ok(())
    }

    fn conceal(&mut self, out: &mut [f32]) {
        self.concealed.push(out.len());
        out.fill(if self.says == Says::Numbers { LOST } else { 0.0 });
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    /// 0.0 to 1.0.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Gaussian, of mean 0 and deviation 1 (Box and Muller, 1958).
    fn gauss(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.next()).ln()).sqrt();
        radius * (TAU * self.next()).cos()
    }
}

/// A packet on its way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct OnItsWay {
    /// In microseconds. The heap gives the greatest first: so turned round.
    arrival: std::cmp::Reverse<u64>,
    sequence: u16,
    timestamp: u32,
    payload: Vec<u8>,
}

struct Call {
    buffer: JitterBuffer<Fake>,
    on_its_way: BinaryHeap<OnItsWay>,
    /// In microseconds; the sender's clock may go at another pace.
    now: u64,
    sender_ppm: f64,
    sequence: u16,
    first_timestamp: u32,
    /// The next sample to send, and how many a packet takes.
    next_sample: u64,
    packet: u64,
    fec: bool,
    dred: u8,
    played: Vec<f32>,
    decisions: Vec<Decision>,
}

impl Call {
    fn saying(says: Says) -> Self {
        Self {
            buffer: JitterBuffer::new(Fake::saying(says), Settings::default()),
            on_its_way: BinaryHeap::new(),
            now: 1_000_000,
            sender_ppm: 0.0,
            sequence: 65_500,
            first_timestamp: u32::MAX - 100_000,
            next_sample: 0,
            packet: 960,
            fec: false,
            dred: 0,
            played: Vec::new(),
            decisions: Vec::new(),
        }
    }

    /// Runs for a time. `network` gives each packet's delay in milliseconds, or loses it.
    fn run(&mut self, seconds: f64, mut network: impl FnMut(u64) -> Option<f64>) {
        let end = self.now + (seconds * 1e6) as u64;
        while self.now < end {
            self.send(&mut network);
            self.tick();
        }
    }

    /// Sends the packets whose last sample has been spoken.
    fn send(&mut self, network: &mut impl FnMut(u64) -> Option<f64>) {
        loop {
            let spoken = (self.next_sample + self.packet) as f64 / 48_000.0 * (1.0 + self.sender_ppm * 1e-6);
            let sent = 1_000_000 + (spoken * 1e6) as u64;
            if sent > self.now {
                return;
            }
            if let Some(delay) = network(self.next_sample / self.packet) {
                let payload = self.payload();
                let arrival = std::cmp::Reverse(sent + (delay * 1e3) as u64);
                self.on_its_way.push(OnItsWay {
                    arrival,
                    sequence: self.sequence,
                    timestamp: self.timestamp(),
                    payload,
                });
            }
            self.skip();
        }
    }

    fn timestamp(&self) -> u32 {
        self.first_timestamp.wrapping_add(self.next_sample as u32)
    }

    fn payload(&self) -> Vec<u8> {
        let mut payload = self.next_sample.to_be_bytes().to_vec();
        payload.extend((self.packet as u16).to_be_bytes());
        payload.extend([u8::from(self.fec), self.dred]);
        payload
    }

    fn skip(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
        self.next_sample += self.packet;
    }

    fn tick(&mut self) {
        while let Some(packet) = self.on_its_way.peek().filter(|packet| packet.arrival.0 <= self.now) {
            self.buffer.insert(ReceivedPacket {
                repaired: false,
                sequence: packet.sequence,
                timestamp: packet.timestamp,
                arrival: Duration::from_micros(packet.arrival.0),
                payload: &packet.payload,
            });
            self.on_its_way.pop();
        }
        let mut frame = [0.0; FRAME_SAMPLES];
        self.decisions.push(self.buffer.next(Duration::from_micros(self.now), &mut frame));
        self.played.extend_from_slice(&frame);
        self.now += 10_000;
    }

    fn stats(&self) -> Stats {
        self.buffer.stats()
    }
}
