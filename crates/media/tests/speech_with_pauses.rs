//! Real Opus through the jitter buffer, as a call has it: speech with pauses in which next to nothing is sent.

use std::time::Duration;

use carillon_media::jitter::{JitterBuffer, ReceivedPacket, Settings};
use carillon_media::opus::{Decoder, Encoder, EncoderSettings, FrameLength, MAX_PACKET_BYTES};
use carillon_media::{FRAME_SAMPLES, Frame, SAMPLE_RATE};

const FRAME: Duration = Duration::from_millis(10);

/// Something that Opus takes for speech: harmonics of a gliding pitch in syllables; between phrases, silence.
fn speech(number: usize) -> Frame {
    std::array::from_fn(|n| {
        let at = (number * FRAME_SAMPLES + n) as f32 / SAMPLE_RATE as f32;
        // It begins with a pause, as when somebody answers and waits.
        let phrase = (at + 1.0) % 3.0;
        if phrase > 1.6 {
            return 0.0;
        }
        let pitch = 120.0 + 30.0 * (phrase * 2.0).sin();
        let syllable = (phrase * 4.0 * std::f32::consts::PI).sin().powi(2);
        let voice: f32 =
            (1..12u8).map(|h| (at * pitch * f32::from(h) * std::f32::consts::TAU).sin() / f32::from(h)).sum();
        0.15 * syllable * voice
    })
}

struct Outcome {
    /// The longest playout delay of the last seconds.
    delay: Duration,
    concealed: u64,
    sent: usize,
}

/// Twelve seconds over a line that delays nothing.
fn call(frame: FrameLength, switch_at: Option<usize>) -> Result<Outcome, Box<dyn std::error::Error>> {
    let mut settings = EncoderSettings { frame, ..EncoderSettings::default() };
    let mut encoder = Encoder::new(settings)?;
    let mut buffer = JitterBuffer::new(Decoder::new()?, Settings::default());
    let (mut packet, mut out) = ([0; MAX_PACKET_BYTES], [0.0; FRAME_SAMPLES]);
    let (mut sequence, mut sent, mut delay, mut paused) = (0u16, 0, Duration::ZERO, false);
    for number in 0..1_200 {
        let now = FRAME * number as u32;
        if switch_at == Some(number) {
            settings.frame = FrameLength::Ten;
            encoder.set(settings);
        }
        if let Some(encoded) = encoder.encode(&speech(number), &mut packet)?
            && !(encoded.may_be_left_out && std::mem::replace(&mut paused, encoded.may_be_left_out))
        {
            paused = encoded.may_be_left_out;
            let end = (number + 1) * FRAME_SAMPLES;
            buffer.insert(ReceivedPacket {
                repaired: false,
                sequence,
                timestamp: (end - encoded.samples) as u32,
                arrival: now,
                payload: &packet[..encoded.bytes],
            });
            sequence += 1;
            sent += 1;
        }
        buffer.next(now + Duration::from_millis(3), &mut out);
        if number > 800 {
            delay = delay.max(buffer.stats().playout_delay);
        }
    }
    Ok(Outcome { delay, concealed: buffer.stats().concealed_samples, sent })
}

#[test]
fn pauses_of_the_speaker_do_not_build_up_delay() -> Result<(), Box<dyn std::error::Error>> {
    for (frame, switch_at) in
        [(FrameLength::Twenty, None), (FrameLength::Ten, None), (FrameLength::Twenty, Some(103))]
    {
        let outcome = call(frame, switch_at)?;
        assert!(outcome.sent < 1_100, "it pauses: {}", outcome.sent);
        assert_eq!(outcome.concealed, 0, "{frame:?} {switch_at:?}");
        assert!(outcome.delay < Duration::from_millis(40), "{frame:?} {switch_at:?}: {:?}", outcome.delay);
    }
    Ok(())
}
