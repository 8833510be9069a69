//! One way of a call on a virtual clock: encoder, line, jitter buffer, decoder; and the reports that go back.

use std::time::{Duration, Instant};

use anyhow::Result;
use carillon_link::{Fate, Line, Plan};
use carillon_media::jitter::{JitterBuffer, ReceivedPacket, Settings, Stats};
use carillon_media::opus::{
    Concealment, Decoder, Encoder, EncoderSettings, LOOKAHEAD_SAMPLES, MAX_PACKET_BYTES,
};
use carillon_media::protection::{Protector, Report};
use carillon_media::{FRAME_SAMPLES, Frame, SAMPLE_RATE};

const FRAME_TIME: Duration = Duration::from_millis(10);
/// When in its 10 ms the player looks, for the two ends have clocks of their own.
const PHASE: Duration = Duration::from_millis(5);
/// What headers cost beside a packet: RTP, SRTP, UDP and IPv4, in bytes.
const HEADERS: usize = 12 + 16 + 8 + 20;

/// What is done against loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As a call does it: chosen live from the other end's reports.
    Protected,
    /// Nothing is sent against loss; what is lost is made up by the neural vocoder.
    Plain,
    /// The same, made up as libopus did before it had one.
    Classic,
}

/// One way of a call.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The line. Retransmission is no part of it: what is lost stays lost.
    pub plan: Plan,
    /// What is done against loss.
    pub way: Way,
    /// There and back, as the other end's reports tell.
    pub round_trip: Duration,
    /// The longest playout delay.
    pub bound: Duration,
    /// The same losses again.
    pub seed: u64,
    /// Seconds at the start whose bits don't count: the protection knows nothing of the line yet.
    pub warm_up: usize,
}

/// What was heard, and what it cost.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// Mono at 48 kHz; the first sample is heard [`offset_ms`](Self::offset_ms) after the first one was spoken.
    pub sound: Vec<f32>,
    /// What the jitter buffer counted at the end.
    pub stats: Stats,
    /// How much was made up in each second, in percent of it.
    pub concealed: Vec<f64>,
    /// The playout delay once a second, in milliseconds.
    pub delays: Vec<f64>,
    /// Bits a second of Opus while the voice was sent: pauses that cost nothing don't count.
    pub bitrate: f64,
    /// The same with the headers of RTP, SRTP, UDP and IPv4.
    pub bitrate_with_headers: f64,
}

impl Heard {
    /// See [`sound`](Self::sound).
    pub const fn offset_ms() -> f64 {
        PHASE.as_millis() as f64
    }

    /// The delay between mouth and ear on a line that takes no time, with a buffer that holds nothing: a packet of 20 ms
    /// is gathered, and Opus looks ahead.
    pub fn least_delay_ms() -> f64 {
        20.0 + LOOKAHEAD_SAMPLES as f64 * 1e3 / f64::from(SAMPLE_RATE)
    }
}

/// An RTP packet.
#[derive(Debug, Clone)]
struct Packet {
    sequence: u16,
    timestamp: u32,
    payload: Vec<u8>,
}

/// Counts of the receiver, as its reports have them.
#[derive(Debug, Clone, Copy, Default)]
struct Losses {
    sent: u64,
    lost: u64,
    runs: u64,
    in_run: bool,
}

/// The sending end.
struct Sender {
    encoder: Encoder,
    protector: Option<Protector>,
    sequence: u16,
    silent: bool,
    bytes: usize,
    packets: usize,
    samples: usize,
}

impl Sender {
    fn new(way: Way) -> Result<Self> {
        let protector = (way == Way::Protected).then(|| Protector::new(false));
        let settings = protector.as_ref().map_or_else(EncoderSettings::default, Protector::settings);
        let encoder = Encoder::new(settings)?;
        Ok(Self { encoder, protector, sequence: 0, silent: true, bytes: 0, packets: 0, samples: 0 })
    }

    /// What goes out after this frame. Of a pause, the first packet alone does, as in a call.
    fn frame(&mut self, number: usize, frame: &Frame) -> Result<Option<Packet>> {
        let mut packet = [0; MAX_PACKET_BYTES];
        let Some(encoded) = self.encoder.encode(frame, &mut packet)? else { return Ok(None) };
        let left_out = self.silent && encoded.may_be_left_out;
        self.silent = encoded.may_be_left_out;
        if left_out {
            return Ok(None);
        }
        self.bytes += encoded.bytes;
        self.packets += 1;
        self.samples += encoded.samples;
        if let Some(protector) = &mut self.protector {
            protector.sent(encoded.bytes, encoded.samples);
        }
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        let end = (number + 1) * FRAME_SAMPLES;
        let timestamp = u32::try_from(end.saturating_sub(encoded.samples)).unwrap_or(u32::MAX);
        Ok(Some(Packet {
            sequence,
            timestamp,
            payload: packet.iter().take(encoded.bytes).copied().collect(),
        }))
    }

    fn report(&mut self, report: &Report) {
        if let Some(protector) = &mut self.protector {
            protector.report(report);
            self.encoder.set(protector.settings());
        }
    }
}

/// Says `sound` from one end to the other.
///
/// # Errors
/// When there is no memory for the codec, or it refuses.
pub fn say(sound: &[f32], trial: &Trial) -> Result<Heard> {
    let decoder = match trial.way {
        Way::Protected | Way::Plain => Decoder::new()?,
        Way::Classic => Decoder::with_concealment(Concealment::Classic)?,
    };
    let settings = Settings { max_delay: trial.bound, ..Settings::default() };
    let mut buffer = JitterBuffer::new(decoder, settings);
    let mut sender = Sender::new(trial.way)?;
    let start = Instant::now();
    let mut line = Line::new(trial.plan.clone(), trial.seed, start);
    let (mut heard, mut losses, mut reported) = (Heard::default(), Losses::default(), Losses::default());
    let (warm, mut concealed) = (trial.warm_up * 100, 0);
    for (number, frame) in sound.as_chunks::<FRAME_SAMPLES>().0.iter().enumerate() {
        if number == warm {
            (sender.bytes, sender.packets, sender.samples) = (0, 0, 0);
        }
        let played = FRAME_TIME * u32::try_from(number)? + PHASE;
        take(&mut line, &mut buffer, start, played);
        let mut out = [0.0; FRAME_SAMPLES];
        buffer.next(played, &mut out);
        heard.sound.extend_from_slice(&out);
        if let Some(packet) = sender.frame(number, frame)? {
            let bytes = packet.payload.len() + HEADERS;
            let said = start + FRAME_TIME * u32::try_from(number + 1)?;
            let arrives = matches!(line.send(said, bytes, packet), Fate::UnderWay);
            losses.count(arrives);
        }
        if number % 100 == 99 {
            sender.report(&losses.since(&reported, trial.round_trip));
            reported = losses;
            let made_up = buffer.stats().concealed_samples;
            heard.concealed.push(made_up.saturating_sub(concealed) as f64 / f64::from(SAMPLE_RATE) * 100.0);
            concealed = made_up;
            heard.delays.push(buffer.stats().playout_delay.as_secs_f64() * 1e3);
        }
    }
    heard.stats = buffer.stats();
    let seconds = sender.samples.max(1) as f64 / f64::from(SAMPLE_RATE);
    heard.bitrate = 8.0 * sender.bytes as f64 / seconds;
    heard.bitrate_with_headers = 8.0 * (sender.bytes + sender.packets * HEADERS) as f64 / seconds;
    Ok(heard)
}

/// Everything that has come by now.
fn take(line: &mut Line<Packet>, buffer: &mut JitterBuffer<Decoder>, start: Instant, now: Duration) {
    while let Some((due, packet)) = line.poll_due(start + now) {
        buffer.insert(ReceivedPacket {
            repaired: false,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            arrival: due.saturating_duration_since(start),
            payload: &packet.payload,
        });
    }
}

impl Losses {
    const fn count(&mut self, arrives: bool) {
        self.sent += 1;
        if !arrives {
            self.lost += 1;
            if !self.in_run {
                self.runs += 1;
            }
        }
        self.in_run = !arrives;
    }

    /// What the other end reports once a second.
    fn since(&self, before: &Self, round_trip: Duration) -> Report {
        let (sent, lost, runs) = (self.sent - before.sent, self.lost - before.lost, self.runs - before.runs);
        Report {
            lost: Some(lost as f64 / sent.max(1) as f64),
            burst: if runs == 0 { 1.0 } else { lost as f64 / runs as f64 },
            round_trip: Some(round_trip),
            limit: None,
        }
    }
}
