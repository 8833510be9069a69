//! What a far end that means harm, or is broken, sends into the jitter buffer with the real codec behind it.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::time::Duration;

use carillon_media::jitter::{JitterBuffer, MAX_PACKETS, ReceivedPacket, Settings, Stats};
use carillon_media::opus::{Decoder, Encoder, EncoderSettings, FrameLength, MAX_PACKET_BYTES, Protection};
use carillon_media::{FRAME_SAMPLES, Frame};
use proptest::prelude::*;

fn voice(n: usize) -> Frame {
    std::array::from_fn(|i| {
        let t = (n * FRAME_SAMPLES + i) as f32 / 48_000.0;
        let syllable = 0.6 + 0.4 * (20.0 * t).sin();
        (1..12).map(|k| 0.08 * syllable * (k as f32 * 880.0 * t).sin()).sum()
    })
}

/// Two seconds of a voice, in packets of 10 ms.
fn packets(protection: Protection) -> Vec<Vec<u8>> {
    let settings = EncoderSettings {
        protection,
        frame: FrameLength::Ten,
        loss_percent: 20,
        dtx: false,
        ..EncoderSettings::default()
    };
    let mut encoder = Encoder::new(settings).unwrap();
    let mut packet = [0; MAX_PACKET_BYTES];
    (0..200)
        .filter_map(|n| {
            let encoded = encoder.encode(&voice(n), &mut packet).unwrap()?;
            Some(packet[..encoded.bytes].to_vec())
        })
        .collect()
}

struct Stream {
    buffer: JitterBuffer<Decoder>,
    now: Duration,
    sequence: u16,
    timestamp: u32,
}

impl Stream {
    fn new() -> Self {
        let buffer = JitterBuffer::new(Decoder::new().unwrap(), Settings::default());
        Self { buffer, now: Duration::ZERO, sequence: u16::MAX - 30, timestamp: u32::MAX - 30_000 }
    }

    /// The sender's next packet, which claims 10 ms whatever is in it.
    fn send(&mut self, payload: &[u8]) {
        self.buffer.insert(ReceivedPacket {
            sequence: self.sequence,
            timestamp: self.timestamp,
            arrival: self.now,
            repaired: false,
            payload,
        });
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(480);
        assert!(self.buffer.waiting() <= MAX_PACKETS);
    }

    fn play(&mut self) -> Frame {
        let mut out = [f32::NAN; FRAME_SAMPLES];
        self.buffer.next(self.now, &mut out);
        self.now += Duration::from_millis(10);
        assert!(
            out.iter().all(|sample| sample.abs() <= 1.5),
            "finite, and no louder than a blend of two sounds"
        );
        out
    }

    /// The call goes on with honest packets: how loud its last half second is, and the counts.
    fn goes_on(mut self, honest: &[Vec<u8>]) -> (f32, Stats) {
        let mut power = 0.0;
        for (n, packet) in honest.iter().enumerate() {
            self.send(packet);
            let frame = self.play();
            if n + 50 >= honest.len() {
                power += frame.iter().map(|sample| sample * sample).sum::<f32>() / 24_000.0;
            }
        }
        (power, self.buffer.stats())
    }
}

#[test]
fn after_a_second_of_another_codec_the_voice_is_heard() {
    let honest = packets(Protection::Plain);
    let mut stream = Stream::new();
    // What G.711 silence and text look like: some of it parses as Opus, most does not.
    for n in 0..100u8 {
        let foreign = if n % 2 == 0 { vec![0xff; 80] } else { b"v=0 o=- 1 1 IN IP4 ".repeat(4) };
        stream.send(&foreign);
        stream.play();
    }
    let (power, stats) = stream.goes_on(&honest);
    assert!(stats.malformed > 0, "{stats:?}");
    assert!(power > 1e-3, "{power}: {stats:?}");
}

#[test]
fn ten_times_the_rate_is_bounded_and_the_voice_is_heard_after_it() {
    let honest = packets(Protection::Plain);
    let mut stream = Stream::new();
    for round in 0..200 {
        (0..10).for_each(|n| stream.send(&honest[(round + n) % honest.len()]));
        stream.play();
    }
    // The sender's clock is now 18 s ahead of its time: it begins anew.
    (stream.sequence, stream.timestamp) = (7, 7);
    let (power, stats) = stream.goes_on(&honest);
    assert!(stats.out_of_window > 0 && stats.jumped > 0, "{stats:?}");
    assert!(power > 1e-3, "{power}: {stats:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Bytes at random, packets bent in one byte, jumps of both numbers: and then the voice again.
    #[test]
    fn whatever_came_before_the_voice_is_heard_again(
        steps in prop::collection::vec(
            (0u8..6, any::<u16>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..60)),
            0..120,
        ),
        deep in any::<bool>(),
    ) {
        let honest = packets(if deep { Protection::Dred(30) } else { Protection::Fec });
        let mut stream = Stream::new();
        for (n, (kind, number, samples, bytes)) in steps.iter().enumerate() {
            let mut packet = honest[n % honest.len()].clone();
            match kind {
                0 => stream.send(bytes),
                1 => {
                    let at = usize::from(*number) % packet.len();
                    packet[at] ^= 1 << (number % 8);
                    stream.send(&packet);
                }
                2 => {
                    stream.sequence = stream.sequence.wrapping_add(*number);
                    stream.timestamp = stream.timestamp.wrapping_add(*samples);
                }
                3 => stream.sequence = stream.sequence.wrapping_add(number % 12),
                4 => {
                    packet.truncate(usize::from(*number) % packet.len());
                    stream.send(&packet);
                }
                _ => stream.send(&packet),
            }
            stream.play();
        }
        let (power, stats) = stream.goes_on(&honest);
        prop_assert!(power > 1e-4, "{}: {:?}", power, stats);
    }
}
