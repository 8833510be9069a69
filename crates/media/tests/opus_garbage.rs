//! What somebody sends in place of speech, through the jitter buffer and real Opus: refused and counted, or played as the
//! noise that it is, and what comes after is heard.

#[cfg(test)]
mod opus_garbage {
    use std::time::Duration;

    use carillon_media::FRAME_SAMPLES;
    use carillon_media::jitter::{JitterBuffer, ReceivedPacket, Settings};
    use carillon_media::opus::{Decoder, Encoder, EncoderSettings, MAX_PACKET_BYTES};

    const FRAME: Duration = Duration::from_millis(20);

    struct Listener {
        buffer: JitterBuffer<Decoder>,
        number: u16,
    }

    impl Listener {
        /// One packet, and the sound of the time until the next.
        fn hear(&mut self, payload: &[u8]) -> f32 {
            let now = FRAME * u32::from(self.number);
            self.buffer.insert(ReceivedPacket {
                repaired: false,
                sequence: self.number,
                timestamp: u32::from(self.number) * 960,
                arrival: now,
                payload,
            });
            self.number += 1;
            // Sounds that are faded into each other may add up to a little more than either.
            let (mut out, mut loudest) = ([0.0_f32; FRAME_SAMPLES], 0.0_f32);
            for half in 0..2 {
                self.buffer.next(now + Duration::from_millis(10 * half), &mut out);
                assert!(out.iter().all(|sample| sample.is_finite() && sample.abs() <= 2.0), "{out:?}");
                loudest = out.iter().fold(loudest, |loudest, sample| loudest.max(sample.abs()));
            }
            loudest
        }
    }

    #[test]
    fn garbage_is_counted_and_speech_after_it_is_heard() {
        let mut listener =
            Listener { buffer: JitterBuffer::new(Decoder::new().unwrap(), Settings::default()), number: 0 };
        let mut noise = 1_u32;
        for round in 0..500_usize {
            let garbage: Vec<u8> = (0..round % 300)
                .map(|_| {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (noise >> 24) as u8
                })
                .collect();
            listener.hear(&garbage);
        }
        let after_garbage = listener.buffer.stats();
        // Some of it looks like packets, by the count of frames and their lengths (RFC 6716, section 3).
        assert!(after_garbage.malformed > 50, "{after_garbage:?}");
        assert_eq!(after_garbage.received, 500);

        let mut encoder = Encoder::new(EncoderSettings::default()).unwrap();
        let mut packet = [0; MAX_PACKET_BYTES];
        let mut loudest = 0.0_f32;
        for number in 0..200_usize {
            let tone: [f32; FRAME_SAMPLES] = std::array::from_fn(|n| {
                0.4 * ((number * FRAME_SAMPLES + n) as f32 * 440.0 / 48_000.0 * std::f32::consts::TAU).sin()
            });
            if let Some(encoded) = encoder.encode(&tone, &mut packet).unwrap() {
                let heard = listener.hear(&packet[..encoded.bytes]);
                if number > 150 {
                    loudest = loudest.max(heard);
                }
            }
        }
        assert!(loudest > 0.2, "{loudest}");
        assert_eq!(listener.buffer.stats().malformed, after_garbage.malformed);
    }
}
