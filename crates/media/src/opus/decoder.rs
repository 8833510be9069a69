//! The receiving side of Opus.

use super::MAX_PACKET_BYTES;
use super::ffi::{self, DredSpan, RawDecoder, RawDred};
use crate::{DecodeError, SAMPLE_RATE, SpeechDecoder};

/// libopus conceals and restores in steps of 2.5 ms.
const STEP: usize = SAMPLE_RATE as usize / 400;

/// No packet is longer than 120 ms (RFC 6716, section 3.2.5).
const MAX_PACKET_SAMPLES: usize = SAMPLE_RATE as usize / 1_000 * 120;

/// How to go on where a packet is lost and nothing brings it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Concealment {
    /// By pitch and spectrum, as libopus did before 1.5. The cheapest; also what deep redundancy falls back to.
    Classic,
    /// By the neural vocoder, which deep redundancy needs too.
    Neural,
}

impl Concealment {
    /// `OPUS_SET_COMPLEXITY` of the decoder: from 5 on it is neural, from 6 on it would use OSCE.
    const fn complexity(self) -> i32 {
        match self {
            Self::Classic => 0,
            Self::Neural => 5,
        }
    }
}

/// A decoder of Opus, 48 kHz, mono: what is sent in stereo is mixed down (RFC 6716, section 2.1.2).
///
/// Nothing is allocated after [`new`](Self::new). What comes out is finite and within ±1, whatever comes in.
#[derive(Debug)]
pub struct Decoder {
    raw: RawDecoder,
    redundancy: Redundancy,
    /// Whether the packet decoded last was one of the mode that can't take up from FEC.
    celt_was_last: bool,
}

impl Decoder {
    /// A decoder that has heard nothing yet, with neural concealment.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new() -> Result<Self, OutOfMemory> {
        Self::with_concealment(Concealment::Neural)
    }

    /// A decoder that has heard nothing yet.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn with_concealment(concealment: Concealment) -> Result<Self, OutOfMemory> {
        Ok(Self {
            raw: RawDecoder::new(concealment.complexity()).map_err(|_| OutOfMemory)?,
            redundancy: Redundancy::new()?,
            celt_was_last: true,
        })
    }

    /// Makes `out` fit to be heard, or silent if it isn't filled.
    fn finish<E>(&mut self, decoded: Result<usize, E>, out: &mut [f32]) -> Result<(), DecodeError> {
        if decoded.is_ok_and(|samples| samples == out.len()) {
            for sample in &mut *out {
                if !sample.is_finite() {
                    *sample = 0.0;
                }
            }
            self.raw.soft_clip(out);
            Ok(())
        } else {
            out.fill(0.0);
            Err(DecodeError::Malformed)
        }
    }
}

impl SpeechDecoder for Decoder {
    fn samples(&self, packet: &[u8]) -> Result<usize, DecodeError> {
        parse(packet).map(|(samples, _)| samples)
    }

    fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<(), DecodeError> {
        let samples = self.samples(packet).inspect_err(|_| out.fill(0.0))?;
        if samples != out.len() {
            out.fill(0.0);
            return Err(DecodeError::Length);
        }
        self.celt_was_last = is_celt(packet);
        let decoded = self.raw.decode(packet, out);
        self.finish(decoded, out)
    }

    fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<(), DecodeError> {
        let carried = parse(next).and_then(|(_, frame)| {
            // `opus_decode_native` would conceal in these cases and not say so.
            let carries = ffi::has_fec(next) && !self.celt_was_last && frame <= out.len();
            if !carries {
                Err(DecodeError::NotCarried)
            } else if is_whole(out.len()) {
                Ok(())
            } else {
                Err(DecodeError::Length)
            }
        });
        carried.inspect_err(|_| out.fill(0.0))?;
        let decoded = self.raw.decode_fec(next, out);
        self.finish(decoded, out)
    }

    fn dred_samples(&mut self, later: &[u8]) -> usize {
        self.redundancy.read(later).reach
    }

    fn decode_dred(&mut self, later: &[u8], before: usize, out: &mut [f32]) -> Result<(), DecodeError> {
        let span = self.redundancy.read(later);
        let refused = if !is_whole(out.len()) {
            Some(DecodeError::Length)
        } else if before > span.reach || before <= span.end || before < out.len() {
            Some(DecodeError::NotCarried)
        } else {
            self.redundancy.make_ready().err()
        };
        if let Some(error) = refused {
            out.fill(0.0);
            return Err(error);
        }
        let decoded = self.raw.decode_dred(&self.redundancy.raw, before, out);
        self.finish(decoded, out)
    }

    fn conceal(&mut self, out: &mut [f32]) {
        let (whole, rest) = out.split_at_mut(out.len() - out.len() % STEP);
        rest.fill(0.0);
        for piece in whole.chunks_mut(MAX_PACKET_SAMPLES) {
            let decoded = self.raw.conceal(piece);
            // Silence is all there is to say where even concealment fails.
            let _ = self.finish(decoded, piece);
        }
    }
}

/// The deep redundancy that was looked at last. A burst is restored piece by piece out of one packet: what that packet
/// carries is worked out once.
#[derive(Debug)]
struct Redundancy {
    raw: RawDred,
    /// The packet it is from.
    packet: Vec<u8>,
    span: DredSpan,
    is_ready: bool,
}

impl Redundancy {
    fn new() -> Result<Self, OutOfMemory> {
        Ok(Self {
            raw: RawDred::new().map_err(|_| OutOfMemory)?,
            packet: Vec::with_capacity(MAX_PACKET_BYTES),
            span: DredSpan::default(),
            is_ready: false,
        })
    }

    /// Which time this packet's redundancy covers; none if it has none or is no packet.
    fn read(&mut self, packet: &[u8]) -> DredSpan {
        if parse(packet).is_err() {
            return DredSpan::default();
        }
        if self.packet != packet {
            self.packet.clear();
            self.packet.extend_from_slice(packet);
            self.is_ready = false;
            self.span = self.raw.parse(packet).unwrap_or_default();
        }
        self.span
    }

    fn make_ready(&mut self) -> Result<(), DecodeError> {
        if !self.is_ready {
            self.raw.process().map_err(|_| DecodeError::Malformed)?;
            self.is_ready = true;
        }
        Ok(())
    }
}

/// There was no memory for a codec's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no memory for the codec")]
pub struct OutOfMemory;

/// The samples of a packet and of each frame in it.
fn parse(packet: &[u8]) -> Result<(usize, usize), DecodeError> {
    if packet.len() > MAX_PACKET_BYTES {
        return Err(DecodeError::Malformed);
    }
    let (samples, frame) = ffi::packet_samples(packet).map_err(|_| DecodeError::Malformed)?;
    if samples > MAX_PACKET_SAMPLES { Err(DecodeError::Malformed) } else { Ok((samples, frame)) }
}

/// Whether the first byte names a mode of CELT alone: configurations 16 to 31 (RFC 6716, section 3.1).
fn is_celt(packet: &[u8]) -> bool {
    packet.first().is_some_and(|toc| toc & 0x80 != 0)
}

const fn is_whole(samples: usize) -> bool {
    samples > 0 && samples <= MAX_PACKET_SAMPLES && samples.is_multiple_of(STEP)
}
