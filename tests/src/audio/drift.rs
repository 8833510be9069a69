//! Clocks that differ, for ten minutes on a virtual clock.

use std::time::Duration;

use anyhow::{Context as _, Result};
use carillon_media::jitter::{JitterBuffer, ReceivedPacket, Settings};
use carillon_media::opus::{Decoder, Encoder, EncoderSettings, MAX_PACKET_BYTES};
use carillon_media::{FRAME_SAMPLES, SAMPLE_RATE};

use super::{median, speech};
use crate::bench::Row;

const PPM: f64 = 200.0;
const SECONDS: usize = 600;
/// What is over before a call has found its delay.
const SETTLED: usize = 10;
/// How long packets travel.
const DELAY: f64 = 0.04;

/// What ten minutes with a clock that is off did.
struct Outcome {
    /// Samples made up since nothing had come.
    made_up: u64,
    /// How far the playout delay strayed from its median, in milliseconds.
    strayed: f64,
}

/// The other end's clock, 200 ppm fast and slow, against the clock by which it is played here, through the jitter buffer
/// of a call, whose part it is to even that out.
///
/// # Errors
/// When there is no memory for the codec.
pub fn ten_minutes(text: &[f32]) -> Result<Vec<Row>> {
    let packets = encode(text)?;
    let fast = run(&packets, PPM)?;
    let slow = run(&packets, -PPM)?;
    let even = run(&packets, 0.0)?;
    Ok(vec![
        Row::lower(
            "clock drift of 200 ppm for 10 minutes: sound that ran out",
            (fast.made_up + slow.made_up) as f64 * 1e3 / f64::from(SAMPLE_RATE),
            "ms",
            0.0,
        ),
        Row::lower(
            "clock drift of 200 ppm for 10 minutes: delay strays by (worse direction)",
            fast.strayed.max(slow.strayed),
            "ms",
            5.0,
        ),
        Row::plain("the same without drift", even.strayed, "ms"),
    ])
}

/// Packets of 20 ms, one after the other, without pauses in what is sent.
fn encode(text: &[f32]) -> Result<Vec<Vec<u8>>> {
    let mut encoder = Encoder::new(EncoderSettings { dtx: false, ..EncoderSettings::default() })?;
    let mut bytes = [0; MAX_PACKET_BYTES];
    let mut packets = Vec::new();
    for frame in speech::repeated(text, text.len() / SAMPLE_RATE as usize).as_chunks::<FRAME_SAMPLES>().0 {
        if let Some(encoded) = encoder.encode(frame, &mut bytes)? {
            packets.push(bytes.iter().take(encoded.bytes).copied().collect());
        }
    }
    Ok(packets)
}

/// Sends by a clock that is `ppm` fast, and plays by one that is right. A packet's delay is the time from the moment it
/// came to the moment it is played, looked at every second.
fn run(packets: &[Vec<u8>], ppm: f64) -> Result<Outcome> {
    let mut buffer = JitterBuffer::new(Decoder::new()?, Settings::default());
    let every = 0.02 / (1.0 + ppm * 1e-6);
    let (mut sent, mut delays) = (0_usize, Vec::new());
    let mut made_up_before = 0;
    let mut out = [0.0; FRAME_SAMPLES];
    let mut payloads = packets.iter().cycle();
    for tick in 0..SECONDS * 100 {
        let now = tick as f64 * 0.01 + 0.005;
        while (sent + 1) as f64 * every + DELAY <= now {
            let arrival = Duration::from_secs_f64((sent + 1) as f64 * every + DELAY);
            let payload = payloads.next().context("no packets")?;
            let (sequence, timestamp) = (sent as u64 & 0xffff, (sent as u64 * 960) & 0xffff_ffff);
            buffer.insert(ReceivedPacket {
                repaired: false,
                sequence: u16::try_from(sequence)?,
                timestamp: u32::try_from(timestamp)?,
                arrival,
                payload,
            });
            sent += 1;
        }
        buffer.next(Duration::from_secs_f64(now), &mut out);
        if tick == SETTLED * 100 {
            made_up_before = buffer.stats().concealed_samples;
        }
        if tick > SETTLED * 100 && tick % 100 == 0 {
            delays.push(buffer.stats().playout_delay.as_secs_f64() * 1e3);
        }
    }
    let middle = median(&delays).context("nothing was played")?;
    let strayed = delays.iter().map(|delay| (delay - middle).abs()).fold(0.0, f64::max);
    Ok(Outcome { made_up: buffer.stats().concealed_samples - made_up_before, strayed })
}
