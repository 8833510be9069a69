//! In steady state neither the jitter buffer nor the resampler takes or frees memory.

#[cfg(test)]
mod no_allocation {
    use std::time::Duration;

    use assert_no_alloc::{AllocDisabler, assert_no_alloc};
    use carillon_media::jitter::{JitterBuffer, ReceivedPacket, Settings};
    use carillon_media::resample::{Direction, EdgeResampler};
    use carillon_media::{DecodeError, FRAME_SAMPLES, SpeechDecoder};

    #[global_allocator]
    static ALLOCATOR: AllocDisabler = AllocDisabler;

    struct Tone(f32);

    impl Tone {
        fn go_on(&mut self, out: &mut [f32]) {
            for sample in out {
                self.0 = (self.0 + 0.02) % std::f32::consts::TAU;
                *sample = 0.3 * self.0.sin();
            }
        }
    }

    impl SpeechDecoder for Tone {
        fn samples(&self, _: &[u8]) -> Result<usize, DecodeError> {
            Ok(960)
        }

        fn decode(&mut self, _: &[u8], out: &mut [f32]) -> Result<(), DecodeError> {
            self.go_on(out);
            Ok(())
        }

        fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<(), DecodeError> {
            if next[0].is_multiple_of(2) {
                return Err(DecodeError::NotCarried);
            }
            self.go_on(out);
            Ok(())
        }

        fn dred_samples(&mut self, later: &[u8]) -> usize {
            usize::from(later[0] % 5) * 960
        }

        fn decode_dred(&mut self, _: &[u8], _: usize, out: &mut [f32]) -> Result<(), DecodeError> {
            self.go_on(out);
            Ok(())
        }

        fn conceal(&mut self, out: &mut [f32]) {
            self.go_on(out);
        }
    }

    #[test]
    fn packets_go_in_and_sound_comes_out_without_taking_memory() {
        let mut buffer = JitterBuffer::new(Tone(0.0), Settings::default());
        let mut noise = 1u32;
        let mut out = [0.0; FRAME_SAMPLES];
        assert_no_alloc(|| {
            for tick in 0..20_000u32 {
                let now = Duration::from_millis(10 * u64::from(tick));
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // A loss here, a flood there, a pause, and half of the rest out of order.
                let packets = match noise >> 24 {
                    0..20 => 0,
                    20 => 300,
                    _ if tick % 3_000 < 100 => 0,
                    _ => 1,
                };
                // At first all come 200 ms later than afterwards.
                let sent = (tick / 2).saturating_sub(if tick < 5_000 { 10 } else { 0 });
                for ahead in 0..packets {
                    let number = sent + ahead % 4 - (noise >> 20) % 4 % (sent + 1);
                    buffer.insert(ReceivedPacket {
                        repaired: false,
                        sequence: number as u16,
                        timestamp: number.wrapping_mul(960),
                        arrival: now,
                        payload: &[noise as u8; 100],
                    });
                }
                buffer.next(now, &mut out);
            }
        });
        let stats = buffer.stats();
        assert!(stats.decoded > 1_000 && stats.concealed > 100 && stats.duplicate > 100, "{stats:?}");
        assert!(stats.shrunk > 10 && stats.fec + stats.dred > 10, "{stats:?}");
    }

    #[test]
    fn a_clock_that_drifts_is_met_without_taking_memory() {
        let mut buffer = JitterBuffer::new(Tone(0.0), Settings::default());
        let mut out = [0.0; FRAME_SAMPLES];
        assert_no_alloc(|| {
            for tick in 0..20_000u32 {
                let now = Duration::from_micros(10_002 * u64::from(tick));
                if tick % 2 == 0 {
                    let sequence = (tick / 2) as u16;
                    let timestamp = tick / 2 * 960;
                    buffer.insert(ReceivedPacket {
                        repaired: false,
                        sequence,
                        timestamp,
                        arrival: now,
                        payload: &[7; 9],
                    });
                }
                buffer.next(Duration::from_millis(10 * u64::from(tick)), &mut out);
            }
        });
        assert!(buffer.drift_ppm().is_some_and(|ppm| (ppm + 200.0).abs() < 5.0), "{:?}", buffer.drift_ppm());
    }

    #[test]
    fn sound_goes_over_the_edge_without_taking_memory() {
        for rate in [44_100, 48_000] {
            let mut resampler = EdgeResampler::new(Direction::Playback, rate).unwrap();
            let mut out = vec![0.0; resampler.gives_at_most()];
            assert_no_alloc(|| {
                for tick in 0..1_000u16 {
                    resampler.correct(1.0 + f64::from(tick % 900) * 1e-6);
                    assert!(resampler.process(&[0.1; FRAME_SAMPLES], &mut out).is_ok());
                }
            });
        }
    }
}
