//! Opus as the rest of the app sees it.

use proptest::prelude::*;

use super::*;
use crate::{DecodeError, FRAME_SAMPLES, Frame, SpeechDecoder};

const PACKET: usize = 2 * FRAME_SAMPLES;

/// A voice that is no one's: a buzz at 140 Hz with two formants, in syllables of uneven length
/// with no silence between.
fn voice(samples: usize) -> Vec<f32> {
    let rate = 48_000.0;
    (0..samples)
        .map(|n| {
            let t = n as f32 / rate;
            let buzz: f32 = (1..20)
                .map(|k| {
                    let f = 140.0 * k as f32;
                    let formants = (-((f - 600.0) / 250.0).powi(2)).exp()
                        + 0.5 * (-((f - 1_500.0) / 300.0).powi(2)).exp();
                    formants * (core::f32::consts::TAU * f * t).sin()
                })
                .sum();
            let syllable =
                (core::f32::consts::TAU * 3.1 * t).sin() + 0.7 * (core::f32::consts::TAU * 5.3 * t).sin();
            0.2 * buzz * (0.2 + syllable.max(0.0))
        })
        .collect()
}

fn packets(sound: &[f32], settings: EncoderSettings) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(settings).unwrap();
    let mut packet = [0; MAX_PACKET_BYTES];
    let mut all = Vec::new();
    for chunk in sound.chunks_exact(FRAME_SAMPLES) {
        let frame: &Frame = chunk.try_into().unwrap();
        if let Some(encoded) = encoder.encode(frame, &mut packet).unwrap() {
            all.push(packet[..encoded.bytes].to_vec());
        }
    }
    all
}

fn settings(protection: Protection) -> EncoderSettings {
    EncoderSettings { protection, loss_percent: 20, dtx: false, ..EncoderSettings::default() }
}

/// The loudness of each 2.5 ms.
fn envelope(sound: &[f32]) -> Vec<f32> {
    sound.chunks(120).map(|piece| piece.iter().map(|s| s * s).sum::<f32>().sqrt()).collect()
}

/// How much two envelopes go up and down together: their correlation, 1 at most.
fn likeness(a: &[f32], b: &[f32]) -> f32 {
    let mean = |x: &[f32]| x.iter().sum::<f32>() / x.len() as f32;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let dot: f32 = a.iter().zip(b).map(|(x, y)| (x - mean_a) * (y - mean_b)).sum();
    let energy = |x: &[f32], mean: f32| x.iter().map(|s| (s - mean).powi(2)).sum::<f32>();
    dot / (energy(a, mean_a) * energy(b, mean_b)).sqrt().max(1e-6)
}

/// By how many steps `heard` must be moved back to be most like `said`, within ±`most`; `said` begins `most` earlier
/// and ends `most` later than `heard`.
fn lag(said: &[f32], heard: &[f32], most: usize) -> isize {
    let likeness = |at: usize| likeness(&said[at..at + heard.len()], heard);
    let best = (0..=2 * most).max_by(|&x, &y| likeness(x).total_cmp(&likeness(y))).unwrap();
    most as isize - best as isize
}

#[test]
fn what_is_said_is_heard_after_the_lookahead() {
    let said = voice(48_000);
    for frame in [FrameLength::Ten, FrameLength::Twenty] {
        let mut decoder = Decoder::new().unwrap();
        let mut heard = Vec::new();
        for packet in packets(&said, EncoderSettings { frame, dtx: false, ..EncoderSettings::default() }) {
            let mut out = vec![0.0; decoder.samples(&packet).unwrap()];
            decoder.decode(&packet, &mut out).unwrap();
            heard.extend(out);
        }
        assert_eq!(heard.len(), said.len());
        let (a, b) = (&said[20_000..40_000], &heard[20_000 + LOOKAHEAD_SAMPLES..40_000 + LOOKAHEAD_SAMPLES]);
        let dot: f32 = a.iter().zip(b).map(|(x, y)| x * y).sum();
        let power = |x: &[f32]| x.iter().map(|s| s * s).sum::<f32>().sqrt();
        assert!(dot / (power(a) * power(b)) > 0.9, "{frame:?}: {}", dot / (power(a) * power(b)));
    }
}

#[test]
fn the_length_of_packets_changes_at_once_and_loses_nothing() {
    let mut encoder = Encoder::new(EncoderSettings { dtx: false, ..EncoderSettings::default() }).unwrap();
    let mut packet = [0; MAX_PACKET_BYTES];
    let mut lengths = Vec::new();
    for (at, chunk) in voice(8 * FRAME_SAMPLES).chunks_exact(FRAME_SAMPLES).enumerate() {
        // In the middle of a packet of 20 ms, and back.
        let frame = if (1..5).contains(&at) { FrameLength::Ten } else { FrameLength::Twenty };
        encoder.set(EncoderSettings { frame, ..encoder.settings() });
        lengths.extend(encoder.encode(chunk.try_into().unwrap(), &mut packet).unwrap().map(|e| e.samples));
    }
    assert_eq!(lengths, [960, 480, 480, 480, 960]);
}

/// [`voice`] in bursts of 30 to 90 ms of uneven length, between which it is faint: easy to tell where it stands.
fn staccato(samples: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut left = 0;
    let mut loud = false;
    let mut gain = 0.0;
    let mut sound = voice(samples);
    for sample in &mut sound {
        if left == 0 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            left = 1_440 + state as usize % 2_880;
            loud = !loud;
        }
        left -= 1;
        gain += (if loud { 1.0 } else { 0.05 } - gain) * 0.01;
        *sample *= gain;
    }
    sound
}

#[test]
fn deep_redundancy_is_put_where_it_was_said() {
    let said = staccato(480_000);
    let packets = packets(&said, settings(Protection::Dred(20)));
    let mut decoder = Decoder::new().unwrap();
    let (every, burst, most) = (20, 5, 24);
    let mut heard = Vec::new();
    let mut bursts = Vec::new();
    for (at, packet) in packets.iter().enumerate() {
        let mut out = [0.0; PACKET];
        let ahead = burst - (at % every).min(burst);
        let later = packets.get(at + ahead).filter(|_| at >= every && ahead > 0);
        match later {
            Some(later) => match decoder.decode_dred(later, ahead * PACKET, &mut out) {
                Ok(()) if ahead == 1 => bursts.push(heard.len() + PACKET - burst * PACKET),
                Ok(()) => {}
                Err(_) => decoder.conceal(&mut out),
            },
            None => decoder.decode(packet, &mut out).unwrap(),
        }
        heard.extend(out);
    }
    assert!(bursts.len() > 15, "{}", bursts.len());
    let mut around = Vec::new();
    let mut restored = Vec::new();
    for from in bursts {
        let to = from + burst * PACKET;
        around.push(envelope(
            &said[from - LOOKAHEAD_SAMPLES - most * 120..to - LOOKAHEAD_SAMPLES + most * 120],
        ));
        restored.push(envelope(&heard[from..to]));
    }
    let likeness = |at: usize| -> f32 {
        around.iter().zip(&restored).map(|(said, heard)| likeness(&said[at..at + heard.len()], heard)).sum()
    };
    let best = (0..=2 * most).max_by(|&x, &y| likeness(x).total_cmp(&likeness(y))).unwrap();
    // libopus places it on a grid of 10 ms.
    assert!(most.abs_diff(best) <= 2, "{} ms away", (most as f32 - best as f32) * 2.5);
}

#[test]
fn deep_redundancy_reaches_as_far_as_it_says_and_no_further() {
    let packets = packets(&voice(96_000), settings(Protection::Dred(20)));
    let mut decoder = Decoder::new().unwrap();
    let reach = decoder.dred_samples(&packets[70]);
    assert!((5_760..=12_000).contains(&reach), "{reach}");
    let mut out = [0.5; FRAME_SAMPLES];
    assert_eq!(decoder.decode_dred(&packets[70], reach + 1, &mut out), Err(DecodeError::NotCarried));
    assert_eq!(out, [0.0; FRAME_SAMPLES]);
    assert_eq!(decoder.decode_dred(&packets[70], 0, &mut out), Err(DecodeError::NotCarried));
    assert_eq!(decoder.decode_dred(&packets[70], reach, &mut out), Ok(()));
    assert_eq!(decoder.decode_dred(&packets[70], reach, &mut [0.0; 100]), Err(DecodeError::Length));
}

#[test]
fn in_band_fec_brings_the_packet_before_back() {
    let said = voice(96_000);
    let packets = packets(&said, settings(Protection::Fec));
    let mut decoder = Decoder::new().unwrap();
    let mut heard = Vec::new();
    let mut restored = 0;
    for (at, packet) in packets.iter().enumerate() {
        let mut out = [0.0; PACKET];
        // Every fifth packet is lost. What the encoder takes for noise gets no copy. In the gaps between syllables there is nothing worth a copy.
        match packets.get(at + 1) {
            Some(next) if at % 5 == 4 => match decoder.decode_fec(next, &mut out) {
                Ok(()) => restored += 1,
                Err(_) => decoder.conceal(&mut out),
            },
            _ => decoder.decode(packet, &mut out).unwrap(),
        }
        heard.extend(out);
    }
    assert!(restored >= 5, "{restored}");
    let most = 24;
    let range = 30_000..90_000;
    let around =
        &said[range.start - LOOKAHEAD_SAMPLES - most * 120..range.end - LOOKAHEAD_SAMPLES + most * 120];
    assert!(lag(&envelope(around), &envelope(&heard[range]), most).abs() <= 1);
}

#[test]
fn a_packet_without_redundancy_says_so() {
    let packets = packets(&voice(48_000), settings(Protection::Plain));
    let mut decoder = Decoder::new().unwrap();
    let mut out = [0.5; PACKET];
    decoder.decode(&packets[20], &mut out).unwrap();
    assert_eq!(decoder.dred_samples(&packets[22]), 0);
    assert_eq!(decoder.decode_fec(&packets[22], &mut out), Err(DecodeError::NotCarried));
    assert_eq!(decoder.decode_dred(&packets[22], PACKET, &mut out), Err(DecodeError::NotCarried));
    assert_eq!(out, [0.0; PACKET]);
}

#[test]
fn silence_costs_next_to_nothing_with_dtx() {
    let mut encoder = Encoder::new(EncoderSettings::default()).unwrap();
    let mut packet = [0; MAX_PACKET_BYTES];
    let sent = (0..200).filter_map(|_| encoder.encode(&[0.0; FRAME_SAMPLES], &mut packet).unwrap());
    assert!(sent.filter(|encoded| !encoded.may_be_left_out).count() < 40);
}

#[test]
fn short_packets_with_bits_enough_do_without_the_model_of_speech_and_pause_too() {
    let short = EncoderSettings { bitrate: 64_000, frame: FrameLength::Ten, ..EncoderSettings::default() };
    let mut sound = voice(48_000);
    let spoken = packets(&sound, short);
    // RFC 6716, table 2: from 16 on a configuration is CELT alone.
    assert!(spoken.iter().skip(10).all(|packet| packet[0] >> 3 >= 16));
    sound.resize(96_000, 0.0);
    assert!(packets(&sound, short)[150..].iter().filter(|packet| packet.len() > 2).count() <= 5);
    let long = EncoderSettings { frame: FrameLength::Twenty, ..short };
    let narrow = EncoderSettings { bitrate: 32_000, ..short };
    for settings in [long, narrow] {
        assert!(packets(&voice(48_000), settings).iter().skip(10).all(|packet| packet[0] >> 3 < 16));
    }
}

#[test]
fn sound_that_is_no_number_does_not_spoil_what_follows() {
    let mut encoder = Encoder::new(settings(Protection::Dred(20))).unwrap();
    let mut decoder = Decoder::new().unwrap();
    let mut packet = [0; MAX_PACKET_BYTES];
    let said = voice(48_000);
    let mut loudest = 0.0_f32;
    for (at, chunk) in said.chunks_exact(FRAME_SAMPLES).enumerate() {
        let mut frame: Frame = chunk.try_into().unwrap();
        if at < 10 {
            frame = [[f32::NAN, f32::INFINITY, 1e30, -1e30][at % 4]; FRAME_SAMPLES];
        }
        if let Some(encoded) = encoder.encode(&frame, &mut packet).unwrap() {
            let mut out = [0.0; PACKET];
            decoder.decode(&packet[..encoded.bytes], &mut out).unwrap();
            assert!(out.iter().all(|s| s.abs() <= 1.0));
            if at > 50 {
                loudest = out.iter().fold(loudest, |most, s| most.max(s.abs()));
            }
        }
    }
    assert!(loudest > 0.1, "{loudest}");
}

#[test]
fn settings_out_of_range_are_moved_into_it() {
    let mut encoder = Encoder::new(EncoderSettings::default()).unwrap();
    for bitrate in [0, u32::MAX] {
        for protection in [Protection::Plain, Protection::Fec, Protection::Dred(255)] {
            encoder.set(EncoderSettings {
                bitrate,
                protection,
                loss_percent: 255,
                complexity: 255,
                ..encoder.settings()
            });
        }
    }
}

#[test]
fn codecs_may_be_moved_to_another_thread() {
    fn movable<T: Send>() {}
    movable::<Encoder>();
    movable::<Decoder>();
}

#[test]
fn packets_that_are_empty_or_too_long_are_refused() {
    let mut decoder = Decoder::new().unwrap();
    for packet in [vec![], vec![0x78; MAX_PACKET_BYTES + 1]] {
        let mut out = [0.5; PACKET];
        assert_eq!(decoder.samples(&packet), Err(DecodeError::Malformed));
        assert_eq!(decoder.decode(&packet, &mut out), Err(DecodeError::Malformed));
        assert_eq!(out, [0.0; PACKET]);
        assert_eq!(decoder.dred_samples(&packet), 0);
        assert!(decoder.decode_fec(&packet, &mut out).is_err());
        assert!(decoder.decode_dred(&packet, PACKET, &mut out).is_err());
    }
}

/// Does everything with a packet that the jitter buffer may do.
fn use_in_every_way(decoder: &mut Decoder, packet: &[u8], steps: usize) {
    let mut out = vec![0.0; steps * 120];
    let heard = |out: &[f32]| assert!(out.iter().all(|s| s.abs() <= 1.0));
    let _ = decoder.decode_fec(packet, &mut out);
    heard(&out);
    let reach = decoder.dred_samples(packet);
    let _ = decoder.decode_dred(packet, reach, &mut out);
    heard(&out);
    if let Ok(samples) = decoder.samples(packet) {
        let mut out = vec![0.0; samples];
        let _ = decoder.decode(packet, &mut out);
        heard(&out);
    }
    decoder.conceal(&mut out);
    heard(&out);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_bytes_never_harm(
        garbage in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..12),
        steps in 1..60_usize,
    ) {
        let mut decoder = Decoder::new().unwrap();
        for packet in &garbage {
            use_in_every_way(&mut decoder, packet, steps);
        }
    }

    #[test]
    fn damaged_packets_never_harm(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<prop::sample::Index>()), 1..10),
        steps in 1..60_usize,
    ) {
        let packets = packets(&voice(24_000), settings(Protection::Dred(20)));
        let mut decoder = Decoder::new().unwrap();
        for (packet, (at, bits, end)) in packets.iter().skip(10).zip(&cuts) {
            let mut damaged = packet.clone();
            let at = at.index(damaged.len());
            damaged[at] ^= bits;
            use_in_every_way(&mut decoder, &damaged, steps);
            damaged.truncate(end.index(damaged.len()));
            use_in_every_way(&mut decoder, &damaged, steps);
        }
    }
}
