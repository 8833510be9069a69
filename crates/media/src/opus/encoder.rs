//! The sending side of Opus.

use core::ops::RangeInclusive;

use super::MAX_PACKET_BYTES;
use super::decoder::OutOfMemory;
use super::ffi::{EncoderOption, FULL_BAND, RawEncoder, SIGNAL_ANY, SIGNAL_VOICE, WIDE_BAND};
use crate::{FRAME_SAMPLES, Frame};

/// Which bitrates are of use for one voice, in bit/s. Settings beyond are moved to the nearest.
pub const BITRATES: RangeInclusive<u32> = 6_000..=128_000;

/// Beyond 1.04 s libopus takes no deep redundancy, in units of 10 ms.
const MAX_DRED: u8 = 104;

/// From this rate on a voice in packets of 10 ms sounds as good without libopus's model of speech, in bit/s: PESQ
/// (wide-band) of 4.08 at 56 and 4.17 at 64 kbit/s without it, 4.11 at 37 with it, 4.04 at 29 with packets of 20 ms.
const ENOUGH_WITHOUT_MODEL: u32 = 56_000;

/// libopus does nothing in the way of redundancy below this, in percent.
const MIN_LOSS_FOR_FEC: u8 = 10;

/// How much sound goes into one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameLength {
    /// 10 ms: 10 ms less delay, twice as many headers.
    Ten,
    /// 20 ms.
    Twenty,
}

impl FrameLength {
    /// In [`Frame`]s.
    const fn frames(self) -> usize {
        match self {
            Self::Ten => 1,
            Self::Twenty => 2,
        }
    }
}

/// What a packet carries of the sound before it.
///
/// With any of it the voice is kept to 8 kHz: neither kind restores more, so that the sound would change its colour with
/// each loss, and the bits are needed below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protection {
    /// Nothing.
    Plain,
    /// A coarse copy of the packet before (in-band FEC, LBRR; RFC 6716, section 2.1.7).
    Fec,
    /// A description of up to so much of what was said before, in units of 10 ms (DRED).
    Dred(u8),
}

/// How to encode. May change from one packet to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EncoderSettings {
    /// All that Opus may spend, redundancy included and headers not, in bit/s, on average. Within [`BITRATES`].
    pub bitrate: u32,
    /// How much sound goes into a packet.
    pub frame: FrameLength,
    /// Whether to send next to nothing while nobody speaks (discontinuous transmission).
    pub dtx: bool,
    /// What to do against loss.
    pub protection: Protection,
    /// The share of packets that is expected to be lost, in percent. Decides how much goes into the redundancy; with
    /// [`Protection::Fec`] it counts as at least 10, without which libopus would not even begin.
    pub loss_percent: u8,
    /// How hard to work for the sound, 0 to 10.
    pub complexity: u8,
}

impl Default for EncoderSettings {
    /// 32 kbit/s in packets of 20 ms, plain, with DTX: a good line.
    fn default() -> Self {
        Self {
            bitrate: 32_000,
            frame: FrameLength::Twenty,
            dtx: true,
            protection: Protection::Plain,
            loss_percent: 0,
            complexity: 9,
        }
    }
}

/// A packet that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoded {
    /// How many bytes it has.
    pub bytes: usize,
    /// How long its sound is, in samples.
    pub samples: usize,
    /// With DTX: that it need not be sent, since the other side makes the same silence by itself.
    pub may_be_left_out: bool,
}

/// A sound that could not be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("libopus did not encode (code {0})")]
pub struct EncodeError(i32);

/// An encoder of speech, 48 kHz, mono.
///
/// Nothing is allocated after [`new`](Self::new).
#[derive(Debug)]
pub struct Encoder {
    raw: RawEncoder,
    settings: EncoderSettings,
    /// The packet under way: how long it will be is settled with its first frame.
    sound: [f32; 2 * FRAME_SAMPLES],
    filled: usize,
    length: FrameLength,
}

impl Encoder {
    /// An encoder with these settings.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new(settings: EncoderSettings) -> Result<Self, OutOfMemory> {
        let mut encoder = Self {
            raw: RawEncoder::new().map_err(|_| OutOfMemory)?,
            settings,
            sound: [0.0; 2 * FRAME_SAMPLES],
            filled: 0,
            length: settings.frame,
        };
        encoder.apply(settings).map_err(|_| OutOfMemory)?;
        Ok(encoder)
    }

    /// The settings as they are now.
    pub const fn settings(&self) -> EncoderSettings {
        self.settings
    }

    /// Encodes from the next packet on with other settings. A packet under way keeps its length.
    pub fn set(&mut self, settings: EncoderSettings) {
        // Every value is brought into its range, so libopus has no reason to refuse.
        let applied = self.apply(settings);
        debug_assert_eq!(applied, Ok(()), "{settings:?}");
    }

    fn apply(&mut self, settings: EncoderSettings) -> Result<(), i32> {
        let bitrate = settings.bitrate.clamp(*BITRATES.start(), *BITRATES.end());
        let (fec, dred) = match settings.protection {
            Protection::Plain => (false, 0),
            Protection::Fec => (true, 0),
            Protection::Dred(duration) => (false, duration.min(MAX_DRED)),
        };
        // Short packets with nothing to protect come with bits enough to do without a model of speech, which costs more
        // processor time than all the rest of the encoder. Protection lives in that model.
        let plain_and_short = settings.frame == FrameLength::Ten && settings.protection == Protection::Plain;
        let signal =
            if plain_and_short && bitrate >= ENOUGH_WITHOUT_MODEL { SIGNAL_ANY } else { SIGNAL_VOICE };
        let least_loss = if fec { MIN_LOSS_FOR_FEC } else { 0 };
        self.settings = settings;
        for (option, value) in [
            (EncoderOption::Signal, signal),
            (EncoderOption::Bitrate, bitrate.cast_signed()),
            (EncoderOption::MaxBandwidth, if fec || dred > 0 { WIDE_BAND } else { FULL_BAND }),
            (EncoderOption::Complexity, settings.complexity.min(10).into()),
            (EncoderOption::Dtx, settings.dtx.into()),
            (EncoderOption::InbandFec, fec.into()),
            (EncoderOption::LossPercent, settings.loss_percent.clamp(least_loss, 100).into()),
            (EncoderOption::DredDuration, dred.into()),
        ] {
            self.raw.set(option, value)?;
        }
        Ok(())
    }

    /// Takes 10 ms of sound in; gives a packet when there is enough for one. Samples that are no numbers count as 0,
    /// those beyond ±1 as ±1.
    ///
    /// # Errors
    /// When libopus refuses. The sound of this packet is then lost.
    pub fn encode(
        &mut self,
        frame: &Frame,
        packet: &mut [u8; MAX_PACKET_BYTES],
    ) -> Result<Option<Encoded>, EncodeError> {
        if self.filled == 0 {
            self.length = self.settings.frame;
        }
        for (place, sample) in self.sound.iter_mut().skip(self.filled).zip(frame) {
            *place = if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) };
        }
        self.filled += FRAME_SAMPLES;
        let samples = self.length.frames() * FRAME_SAMPLES;
        if self.filled < samples {
            return Ok(None);
        }
        self.filled = 0;
        let sound = self.sound.get(..samples).unwrap_or(&self.sound);
        let bytes = self.raw.encode(sound, packet).map_err(EncodeError)?;
        // `opus_encode`: "if the return value is 2 bytes or less, the packet does not need to be transmitted (DTX)".
        Ok(Some(Encoded { bytes, samples, may_be_left_out: bytes <= 2 }))
    }
}
