//! From the microphone to packets.

use std::time::{Duration, Instant};

use bytes::Bytes;
use carillon_media::opus::{Encoder, EncoderSettings, MAX_PACKET_BYTES};
use carillon_media::{FRAME_SAMPLES, Frame, SAMPLE_RATE};

use crate::peer::OutgoingAudio;

/// Frames that were captured this much after their turn may follow a gap.
const GAP: Duration = Duration::from_millis(60);
/// One that was captured this much before or after its turn certainly does not follow the one before.
const CERTAIN: Duration = Duration::from_millis(250);
/// So many late frames in a row are a gap. Fewer are a busy machine: a sound system reckons the time of capture from when
/// it last looked at its clocks, up to 100 ms ago, and delivers late what it then delivers at once. A gap that was none
/// would delay the other end's sound for good.
const GAP_FRAMES: u32 = 10;
/// How much of a frame's distance from its turn moves the turn of the next, for clocks of devices drift against ours.
const DRIFT: u32 = 64;
/// 10 ms.
const FRAME_TIME: Duration = Duration::from_millis(10);

/// Encodes one end's voice. Timestamps follow the time of capture: a gap in the sound is a gap in them, so the other
/// end neither waits for what was never said nor plays late what came after.
#[derive(Debug)]
pub(super) struct Outgoing {
    encoder: Encoder,
    packet: [u8; MAX_PACKET_BYTES],
    /// Of the next frame.
    timestamp: u32,
    /// When the next frame should have been captured.
    due: Option<Instant>,
    /// Frames in a row that were captured too late, and by how much the least late was.
    late: Option<(u32, Duration)>,
    /// The next frame follows a gap, if its time says so.
    may_follow_gap: bool,
    /// The last packet was left out, or there was none: the next one begins a talk spurt.
    silent: bool,
    /// How much of the microphone the last sample let through, 0 or 1: muting fades over a frame.
    opening: f32,
}

/// A packet, and what became of the frames so far.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) audio: OutgoingAudio,
    /// How long its sound is.
    pub(super) samples: usize,
    /// With DTX: it need not be sent. The first of a pause is: it says that silence follows, so that the other end does
    /// not take the pause for a loss.
    pub(super) may_be_left_out: bool,
}

impl Outgoing {
    /// Begins at this RTP timestamp, which should be random (RFC 3550, section 5.1).
    pub(super) fn new(
        settings: EncoderSettings,
        timestamp: u32,
    ) -> Result<Self, carillon_media::opus::OutOfMemory> {
        Ok(Self {
            encoder: Encoder::new(settings)?,
            packet: [0; MAX_PACKET_BYTES],
            timestamp,
            due: None,
            late: None,
            may_follow_gap: true,
            silent: true,
            opening: 0.0,
        })
    }

    pub(super) fn set(&mut self, settings: EncoderSettings) {
        self.encoder.set(settings);
    }

    pub(super) const fn settings(&self) -> EncoderSettings {
        self.encoder.settings()
    }

    /// Takes the next 10 ms, captured at `captured`. Muted, it encodes silence: not a sample of the microphone leaves,
    /// and the other end hears a pause instead of a loss.
    pub(super) fn frame(&mut self, frame: &Frame, captured: Instant, muted: bool) -> Option<Piece> {
        self.keep_time(captured);
        let sound = self.through_the_switch(frame, muted);
        let begins = self.timestamp;
        self.timestamp = self.timestamp.wrapping_add(FRAME_SAMPLES as u32);
        let encoded = match self.encoder.encode(&sound, &mut self.packet) {
            Ok(encoded) => encoded?,
            Err(error) => {
                tracing::warn!(%error, "10 ms of the microphone could not be encoded");
                return None;
            }
        };
        let length = u32::try_from(encoded.samples).unwrap_or(FRAME_SAMPLES as u32);
        let timestamp = begins.wrapping_add(FRAME_SAMPLES as u32).wrapping_sub(length);
        let payload = Bytes::copy_from_slice(self.packet.get(..encoded.bytes)?);
        let marker = self.silent && !encoded.may_be_left_out;
        let may_be_left_out = self.silent && encoded.may_be_left_out;
        self.silent = encoded.may_be_left_out;
        // `due` is when the sound that follows this frame is captured.
        let samples = begins.wrapping_add(FRAME_SAMPLES as u32).wrapping_sub(timestamp);
        let since = Duration::from_micros(u64::from(samples) * 1_000_000 / u64::from(SAMPLE_RATE));
        let captured = self.due.unwrap_or(captured).checked_sub(since).unwrap_or(captured);
        let audio = OutgoingAudio { timestamp, captured, marker, payload };
        Some(Piece { audio, samples: encoded.samples, may_be_left_out })
    }

    /// Nothing of what comes next belongs to what was: the path was down, or the microphone away.
    pub(super) const fn interrupted(&mut self) {
        self.silent = true;
        self.may_follow_gap = true;
    }

    fn keep_time(&mut self, captured: Instant) {
        let may_follow_gap = std::mem::take(&mut self.may_follow_gap);
        let Some(due) = self.due else {
            self.due = Some(captured + FRAME_TIME);
            return;
        };
        let late = captured.saturating_duration_since(due);
        let early = due.saturating_duration_since(captured);
        if late <= GAP {
            self.late = None;
            let turn = if early > CERTAIN { captured } else { due + late / DRIFT - early.min(GAP) / DRIFT };
            self.due = Some(turn + FRAME_TIME);
            return;
        }
        let (count, least) = self.late.map_or((1, late), |(count, least)| (count + 1, least.min(late)));
        if may_follow_gap || late > CERTAIN || count >= GAP_FRAMES {
            self.skip(least);
            self.late = None;
            self.due = Some(due + least + FRAME_TIME);
        } else {
            self.late = Some((count, least));
            self.due = Some(due + FRAME_TIME);
        }
    }

    /// Leaves out this much time, in whole frames.
    fn skip(&mut self, gap: Duration) {
        let frames = gap.as_millis() / FRAME_TIME.as_millis();
        let samples = frames.saturating_mul(FRAME_SAMPLES as u128) & u128::from(u32::MAX);
        self.timestamp = self.timestamp.wrapping_add(u32::try_from(samples).unwrap_or(0));
        self.silent = true;
    }

    fn through_the_switch(&mut self, frame: &Frame, muted: bool) -> Frame {
        let target = if muted { 0.0 } else { 1.0 };
        let (from, step) = (self.opening, (target - self.opening) / FRAME_SAMPLES as f32);
        self.opening = target;
        if step == 0.0 {
            return if muted { [0.0; FRAME_SAMPLES] } else { *frame };
        }
        let mut sound = *frame;
        for (index, sample) in sound.iter_mut().enumerate() {
            *sample *= from + step * index as f32;
        }
        sound
    }
}

#[cfg(test)]
mod tests {
    use carillon_media::opus::Decoder;
    use carillon_media::{SAMPLE_RATE, SpeechDecoder as _};

    use super::*;

    /// Samples in a span of time, at 48 kHz.
    fn samples(span: Duration) -> u32 {
        u32::try_from(span.as_micros() * u128::from(SAMPLE_RATE) / 1_000_000).unwrap_or(u32::MAX)
    }

    fn tone(index: usize) -> Frame {
        std::array::from_fn(|n| {
            let at = (index * FRAME_SAMPLES + n) as f32 / SAMPLE_RATE as f32;
            0.3 * (at * 440.0 * std::f32::consts::TAU).sin()
        })
    }

    fn plain() -> Outgoing {
        Outgoing::new(EncoderSettings { dtx: false, ..EncoderSettings::default() }, u32::MAX - 1_000).unwrap()
    }

    #[test]
    fn two_frames_make_a_packet_and_timestamps_count_samples_across_the_wrap() {
        let (mut outgoing, start) = (plain(), Instant::now());
        let pieces: Vec<_> =
            (0..8).filter_map(|n| outgoing.frame(&tone(n), start + FRAME_TIME * n as u32, false)).collect();
        let stamps: Vec<_> = pieces.iter().map(|piece| piece.audio.timestamp).collect();
        let first = u32::MAX - 1_000;
        assert_eq!(stamps, [0, 960, 1_920, 2_880].map(|n| first.wrapping_add(n)));
        let markers: Vec<_> = pieces.iter().map(|piece| piece.audio.marker).collect();
        assert_eq!(markers, [true, false, false, false]);
    }

    #[test]
    fn a_gap_in_the_sound_is_a_gap_in_the_timestamps() {
        let (mut outgoing, start) = (plain(), Instant::now());
        let mut at =
            |n: usize, millis| outgoing.frame(&tone(n), start + Duration::from_millis(millis), false);
        at(0, 0);
        let before = at(1, 10).unwrap().audio;
        at(2, 1_020);
        let after = at(3, 1_030).unwrap().audio;
        assert_eq!(after.timestamp.wrapping_sub(before.timestamp), samples(Duration::from_millis(1_020)));
        assert!(after.marker);
    }

    #[test]
    fn a_device_whose_clock_drifts_makes_no_gaps() {
        let (mut outgoing, start) = (plain(), Instant::now());
        let mut last = None;
        // 1 % slow: far worse than any device, for ten seconds.
        for n in 0..1_000u32 {
            let captured = start + Duration::from_micros(10_100) * n;
            if let Some(piece) = outgoing.frame(&tone(n as usize), captured, false) {
                if let Some(last) = last {
                    assert_eq!(piece.audio.timestamp.wrapping_sub(last), 960);
                }
                last = Some(piece.audio.timestamp);
            }
        }
    }

    /// The timestamps that come of 10 ms pieces which were captured at these times, from the first on.
    fn stamps(captured: impl Iterator<Item = Duration>) -> Vec<u32> {
        let (mut outgoing, start) = (plain(), Instant::now());
        let pieces = captured
            .enumerate()
            .filter_map(|(n, at)| outgoing.frame(&tone(n), start + at, false))
            .map(|piece| piece.audio.timestamp.wrapping_sub(u32::MAX - 1_000));
        pieces.collect()
    }

    fn without_gaps(count: usize) -> Vec<u32> {
        (0..count as u32 / 2).map(|n| n * 960).collect()
    }

    #[test]
    fn times_that_a_sound_system_only_reckons_make_no_gaps() {
        // Up to 100 ms too early, in the shape of a saw; it never goes back.
        let mut last = Duration::ZERO;
        let saw = (0..2_000u32).map(|n| {
            let true_time = Duration::from_millis(200) + FRAME_TIME * n;
            last = last.max(true_time - Duration::from_millis(u64::from(n * 7 % 100)));
            last
        });
        assert_eq!(stamps(saw), without_gaps(2_000));
    }

    #[test]
    fn what_is_delivered_late_and_then_at_once_makes_no_gap() {
        // A standstill of 90 ms every second, after which frames come until none is missing.
        let at = (0..2_000u64).map(|n| {
            let (second, frame) = (n / 100, n % 100);
            Duration::from_millis(second * 1_000 + if frame < 9 { 90 } else { frame * 10 })
        });
        assert_eq!(stamps(at), without_gaps(2_000));
    }

    #[test]
    fn a_short_gap_that_stays_is_found_within_a_tenth_of_a_second() {
        let gap = |n: u64| if n < 100 { 0 } else { 100 };
        let found = stamps((0..400).map(|n| Duration::from_millis(n * 10 + gap(n))));
        assert_eq!(found[50..54], [50, 51, 52, 53].map(|n| n * 960), "not yet sure");
        // Less than a frame's worth is lost to the tracking of drift.
        assert_eq!(found[56..199], without_gaps(400)[56..199].iter().map(|n| n + 4_800).collect::<Vec<_>>());
    }

    #[test]
    fn after_an_interruption_a_short_gap_is_believed_at_once() {
        let (mut outgoing, start) = (plain(), Instant::now());
        let mut stamps = Vec::new();
        for n in 0..40u32 {
            let gap = Duration::from_millis(if n < 20 { 0 } else { 80 });
            if n == 20 {
                outgoing.interrupted();
            }
            let piece = outgoing.frame(&tone(n as usize), start + FRAME_TIME * n + gap, false);
            stamps.extend(piece.map(|piece| piece.audio.timestamp.wrapping_sub(u32::MAX - 1_000)));
        }
        assert_eq!(stamps[9..12], [9 * 960, 10 * 960 + 3_840, 11 * 960 + 3_840]);
    }

    #[test]
    fn muted_not_a_sample_of_the_microphone_is_encoded() {
        let (mut outgoing, start) = (plain(), Instant::now());
        let mut decoder = Decoder::new().unwrap();
        let mut peaks = Vec::new();
        for n in 0..60u32 {
            let muted = n >= 20;
            if let Some(piece) = outgoing.frame(&tone(n as usize), start + FRAME_TIME * n, muted) {
                let mut sound = [0.0; 960];
                decoder.decode(&piece.audio.payload, &mut sound).unwrap();
                peaks.push(sound.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs())));
            }
        }
        assert!(peaks[5] > 0.2, "{peaks:?}");
        // The decoder's own tail takes a packet or two.
        assert!(peaks[14..].iter().all(|peak| *peak < 1e-3), "{peaks:?}");
    }
}
