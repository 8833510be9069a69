//! Taking the echo out: AEC3 of WebRTC, as `sonora-aec3` has it, by three bands of 16 kHz.

use sonora::three_band_filter_bank::ThreeBandFilterBank;
use sonora_aec3::block::Block;
use sonora_aec3::block_framer::BlockFramer;
use sonora_aec3::block_processor::BlockProcessor;
use sonora_aec3::common::SUB_FRAME_LENGTH;
use sonora_aec3::config::EchoCanceller3Config;
use sonora_aec3::frame_blocker::FrameBlocker;

use super::echo_path::EchoPath;
use super::{BANDS, Bands, FULL_SCALE};
use crate::{FRAME_SAMPLES, Frame, SAMPLE_RATE};

/// A microphone that is louder is at its end: what is cut off there no filter can follow.
const SATURATED: f32 = 32_700.0;

/// The most that the filter itself is trusted to take out of an echo's power, under 4 kHz and above; what is left, as far as
/// that goes, is suppressed together with the voice over it. The usual 4 and 1.5 are for filters that follow badly and cost
/// more of the voice; the echo alone is as soft with these.
const MOST_REMOVED_LOW: f32 = 16.0;
const MOST_REMOVED_HIGH: f32 = 8.0;

/// Frames for which nothing has come back until the canceller rests.
const REST_AFTER: u32 = 300;

/// Takes the echo out while there is one.
pub(super) struct EchoStage {
    canceller: Canceller,
    delay_ms: Option<u16>,
    path: EchoPath,
    /// How much of what is heard went through the canceller, 0 or 1.
    share: f32,
    /// Frames since nothing has come back. From [`REST_AFTER`] on the canceller rests: it is the dearest part of an audio
    /// call. One that wakes up begins anew.
    absent: u32,
}

/// The canceller with its ways in and out.
struct Canceller {
    processor: BlockProcessor,
    /// The speaker's way into the processor.
    split: ThreeBandFilterBank,
    far: FrameBlocker,
    /// The microphone's, and out of it.
    near: FrameBlocker,
    framer: BlockFramer,
    block: Block,
    half: Vec<Vec<Vec<f32>>>,
}

impl Canceller {
    fn new() -> Self {
        let mut config = EchoCanceller3Config::default();
        (config.erle.max_l, config.erle.max_h) = (MOST_REMOVED_LOW, MOST_REMOVED_HIGH);
        Self {
            processor: BlockProcessor::new(&config, SAMPLE_RATE as usize, 1, 1),
            split: ThreeBandFilterBank::new(),
            far: FrameBlocker::new(BANDS, 1),
            near: FrameBlocker::new(BANDS, 1),
            framer: BlockFramer::new(BANDS, 1),
            block: Block::new(BANDS, 1),
            half: vec![vec![vec![0.0; SUB_FRAME_LENGTH]; 1]; BANDS],
        }
    }

    fn render(&mut self, frame: &Frame) {
        let mut bands: Bands = [[0.0; FRAME_SAMPLES / BANDS]; BANDS];
        self.split.analysis(&frame.map(|sample| sample * FULL_SCALE), &mut bands);
        for half in 0..2 {
            self.far.insert_sub_frame_and_extract_block(&halves(&bands, half), &mut self.block);
            self.processor.buffer_render(&self.block);
        }
        if self.far.is_block_available() {
            self.far.extract_block(&mut self.block);
            self.processor.buffer_render(&self.block);
        }
    }

    fn capture(&mut self, saturated: bool, bands: &mut Bands) {
        for half in 0..2 {
            self.near.insert_sub_frame_and_extract_block(&halves(bands, half), &mut self.block);
            self.processor.process_capture(false, saturated, None, &mut self.block);
            self.framer.insert_block_and_extract_sub_frame(&self.block, &mut self.half);
            for (band, cleaned) in bands.iter_mut().zip(&self.half) {
                let to = band.iter_mut().skip(half * SUB_FRAME_LENGTH);
                to.zip(cleaned.iter().flatten()).for_each(|(to, from)| *to = *from);
            }
        }
        if self.near.is_block_available() {
            self.near.extract_block(&mut self.block);
            self.processor.process_capture(false, saturated, None, &mut self.block);
            self.framer.insert_block(&self.block);
        }
    }
}

impl EchoStage {
    pub(super) fn new() -> Self {
        Self { canceller: Canceller::new(), delay_ms: None, path: EchoPath::new(), share: 1.0, absent: 0 }
    }

    /// How long sound takes from the speaker's frames to the microphone's, in milliseconds.
    pub(super) fn set_delay_ms(&mut self, delay: u16) {
        self.delay_ms = Some(delay);
        self.canceller.processor.set_audio_buffer_delay(i32::from(delay));
    }

    /// Whether what is heard goes past the canceller, for nothing comes back.
    #[cfg(test)]
    pub(super) fn is_past(&self) -> bool {
        self.share == 0.0
    }

    pub(super) const fn rests(&self) -> bool {
        self.absent >= REST_AFTER
    }

    /// What goes to the speaker.
    pub(super) fn render(&mut self, frame: &Frame) {
        self.path.render(frame);
        if !self.rests() {
            self.canceller.render(frame);
        }
    }

    /// Takes the echo out of 10 ms of the microphone: `frame` as it came, `bands` of it to be cleaned.
    pub(super) fn capture(&mut self, frame: &Frame, bands: &mut Bands) {
        self.path.capture(frame);
        if self.path.is_absent() {
            self.absent = self.absent.saturating_add(1);
        } else {
            if self.rests() {
                self.wake();
            }
            self.absent = 0;
        }
        if self.rests() {
            return;
        }
        let saturated = frame.iter().any(|sample| sample.abs() * FULL_SCALE >= SATURATED);
        let bare = *bands;
        self.canceller.capture(saturated, bands);
        self.choose(&bare, bands);
    }

    fn wake(&mut self) {
        self.canceller = Canceller::new();
        if let Some(delay) = self.delay_ms {
            self.set_delay_ms(delay);
        }
    }

    /// Goes over within a frame, past the canceller or back into it.
    fn choose(&mut self, bare: &Bands, bands: &mut Bands) {
        let (from, to) = (self.share, if self.path.is_absent() { 0.0 } else { 1.0 });
        self.share = to;
        if from == 1.0 && to == 1.0 {
            return;
        }
        for (band, bare) in bands.iter_mut().zip(bare) {
            let step = (to - from) / band.len() as f32;
            for (index, (sample, bare)) in band.iter_mut().zip(bare).enumerate() {
                *sample = bare + (*sample - bare) * (from + step * index as f32);
            }
        }
    }
}

/// The first or second 5 ms of each band.
fn halves(bands: &Bands, half: usize) -> [Vec<&[f32]>; BANDS] {
    let from = half * SUB_FRAME_LENGTH;
    bands.each_ref().map(|band| vec![band.get(from..from + SUB_FRAME_LENGTH).unwrap_or_default()])
}
