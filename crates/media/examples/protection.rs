//! What protection against loss is worth: PESQ (P.862.2, wideband) of speech after loss, for each kind of protection.
//!
//! `cargo run --release -p carillon-media --example protection -- SPEECH.wav…`
//!
//! The files are speech at 48 kHz, mono, 16 bit; 8 to 20 s each, since PESQ is made for sentences. Every number is the
//! mean over all files and seeds. Losses are drawn from a fixed seed: independent ones, or by Gilbert's model with the
//! mean burst named. A packet helps a lost one only if it is sent at most 160 ms after it: later, the sound has been
//! played.
#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use std::error::Error;
use std::time::Duration;

use carillon_media::opus::{
    Concealment, Decoder, Encoder, EncoderSettings, LOOKAHEAD_SAMPLES, MAX_PACKET_BYTES, Protection,
};
use carillon_media::{FRAME_SAMPLES, Frame, SpeechDecoder};

/// Later than this, redundancy comes too late.
const PLAYOUT_DELAY: Duration = Duration::from_millis(160);
const PACKET: usize = 2 * FRAME_SAMPLES;
const SEEDS: u64 = 3;

/// What is done about losses.
#[derive(Clone, Copy)]
enum Way {
    /// Nothing but libopus's concealment without neural parts: what "plain concealment" means in the goal.
    Classic,
    Fixed(Protection),
}

struct Loss {
    share: f64,
    burst: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let speech: Vec<_> = std::env::args().skip(1).map(|path| read(&path)).collect::<Result<_, _>>()?;
    if speech.is_empty() {
        return Err("name at least one WAV file: speech, 48 kHz, mono, 16 bit".into());
    }
    let ways = [
        ("classic", Way::Classic),
        ("plain", Way::Fixed(Protection::Plain)),
        ("FEC", Way::Fixed(Protection::Fec)),
        ("DRED 80", Way::Fixed(Protection::Dred(8))),
        ("DRED 160", Way::Fixed(Protection::Dred(16))),
        ("DRED 240", Way::Fixed(Protection::Dred(24))),
    ];
    let losses = [
        (0.0, 1.0),
        (0.03, 1.0),
        (0.10, 1.0),
        (0.20, 1.0),
        (0.10, 1.5),
        (0.10, 2.0),
        (0.10, 4.0),
        (0.20, 4.0),
    ];
    for bitrate in [24_000, 32_000] {
        println!("\n{} kbit/s", bitrate / 1_000);
        print!("{:>18}", "loss");
        for (name, _) in ways {
            print!("{name:>16}");
        }
        println!();
        for (share, burst) in losses {
            let loss = Loss { share, burst };
            print!("{:>9.0} % × {burst:<4}", share * 100.0);
            for (_, way) in ways {
                let (score, rate) = score(&speech, bitrate, way, &loss)?;
                print!("{:>16}", format!("{score:.2} ({rate:.1}k)"));
            }
            println!();
        }
    }
    Ok(())
}

/// The mean score and the mean bitrate in kbit/s.
fn score(speech: &[Vec<f32>], bitrate: u32, way: Way, loss: &Loss) -> Result<(f64, f64), Box<dyn Error>> {
    let seeds = if loss.share > 0.0 { SEEDS } else { 1 };
    let (mut sum, mut bits, mut seconds, mut runs) = (0.0, 0, 0.0, 0.0);
    for (number, sound) in speech.iter().enumerate() {
        let packets = encode(sound, bitrate, way, loss)?;
        bits += packets.iter().map(|packet| packet.len() * 8).sum::<usize>();
        seconds += sound.len() as f64 / 48_000.0;
        for seed in 0..seeds {
            let lost = draw(packets.len(), loss, seed * 1_000 + number as u64);
            let heard = decode(&packets, &lost, way)?;
            sum += f64::from(pesq::pesq_wb(
                &narrow(sound),
                &narrow(heard.get(LOOKAHEAD_SAMPLES..).unwrap_or(&[])),
            )?);
            runs += 1.0;
        }
    }
    Ok((sum / runs, bits as f64 / seconds / 1_000.0))
}

fn encode(sound: &[f32], bitrate: u32, way: Way, loss: &Loss) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let protection = match way {
        Way::Classic => Protection::Plain,
        Way::Fixed(protection) => protection,
    };
    let settings = EncoderSettings {
        bitrate,
        protection,
        loss_percent: (loss.share * 100.0) as u8,
        dtx: false,
        ..EncoderSettings::default()
    };
    let mut encoder = Encoder::new(settings)?;
    let mut packets = Vec::new();
    let mut packet = [0; MAX_PACKET_BYTES];
    for chunk in sound.chunks_exact(FRAME_SAMPLES) {
        let frame: &Frame = chunk.try_into()?;
        if let Some(encoded) = encoder.encode(frame, &mut packet)? {
            packets.push(packet.iter().take(encoded.bytes).copied().collect());
        }
    }
    Ok(packets)
}

fn decode(packets: &[Vec<u8>], lost: &[bool], way: Way) -> Result<Vec<f32>, Box<dyn Error>> {
    let mut decoder = match way {
        Way::Classic => Decoder::with_concealment(Concealment::Classic)?,
        Way::Fixed(_) => Decoder::new()?,
    };
    let in_time = PLAYOUT_DELAY.as_millis() as usize / 20;
    let mut sound = Vec::with_capacity(packets.len() * PACKET);
    let mut out = [0.0; PACKET];
    for (at, packet) in packets.iter().enumerate() {
        if !lost.get(at).copied().unwrap_or(false) {
            decoder.decode(packet, &mut out)?;
        } else {
            let later = (1..=in_time).find(|ahead| lost.get(at + ahead) == Some(&false));
            let later = later.and_then(|ahead| Some((ahead, packets.get(at + ahead)?)));
            let restored = later.is_some_and(|(ahead, later)| {
                (ahead == 1 && decoder.decode_fec(later, &mut out).is_ok())
                    || decoder.decode_dred(later, ahead * PACKET, &mut out).is_ok()
            });
            if !restored {
                decoder.conceal(&mut out);
            }
        }
        sound.extend_from_slice(&out);
    }
    Ok(sound)
}

/// Which packets are lost: independently, or in bursts by Gilbert's model. The first ten never are.
fn draw(packets: usize, loss: &Loss, seed: u64) -> Vec<bool> {
    let mut state = seed;
    let mut uniform = || {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let leave = 1.0 / loss.burst;
    let enter = if loss.burst > 1.0 { loss.share * leave / (1.0 - loss.share) } else { loss.share };
    let mut bad = false;
    (0..packets)
        .map(|at| {
            bad = if loss.burst > 1.0 && bad { uniform() >= leave } else { uniform() < enter };
            bad && at >= 10
        })
        .collect()
}

/// 48 to 16 kHz, as 16 bit: a windowed sinc of 96 taps, cut at 7.2 kHz.
fn narrow(sound: &[f32]) -> Vec<i16> {
    const HALF: i32 = 48;
    let taps: Vec<f32> = (-HALF..=HALF)
        .map(|n| {
            let x = n as f32;
            let cut = 2.0 * 7_200.0 / 48_000.0;
            let sinc = if n == 0 {
                cut
            } else {
                (std::f32::consts::PI * cut * x).sin() / (std::f32::consts::PI * x)
            };
            sinc * (0.5 + 0.5 * (std::f32::consts::PI * x / HALF as f32).cos())
        })
        .collect();
    (0..sound.len() / 3)
        .map(|at| {
            let from = 3 * at as i32 - HALF;
            let sum: f32 = taps
                .iter()
                .zip(from..)
                .filter_map(|(tap, index)| Some(tap * sound.get(usize::try_from(index).ok()?)?))
                .sum();
            (sum * 32_767.0) as i16
        })
        .collect()
}

fn read(path: &str) -> Result<Vec<f32>, Box<dyn Error>> {
    let mut reader = hound::WavReader::open(path)?;
    let spec = reader.spec();
    if (spec.sample_rate, spec.channels, spec.bits_per_sample) != (48_000, 1, 16) {
        return Err(format!("{path}: not 48 kHz, mono, 16 bit").into());
    }
    let samples: Result<Vec<_>, _> =
        reader.samples::<i16>().map(|s| s.map(|s| f32::from(s) / 32_768.0)).collect();
    Ok(samples?)
}
