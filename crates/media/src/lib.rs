//! Sound and pictures, pure: Opus, the jitter buffer, voice processing, drift, mixing, tones.
//!
//! Nothing here asks a clock, a file or a device: time is an argument. Sound is mono `f32` at [`SAMPLE_RATE`], in
//! [`Frame`]s of 10 ms, −1.0 to 1.0.

pub mod comfort;
mod decoder;
pub mod jitter;
pub mod level;
pub mod mix;
pub mod opus;
pub mod picture;
pub mod protection;
pub mod resample;
pub mod stretch;
pub mod tone;
pub mod video;
pub mod voice;

pub use decoder::{DecodeError, SpeechDecoder};

/// Samples a second, everywhere inside the app. The devices' edges convert.
pub const SAMPLE_RATE: u32 = 48_000;

/// Samples in 10 ms.
pub const FRAME_SAMPLES: usize = 480;

/// 10 ms of mono sound.
pub type Frame = [f32; FRAME_SAMPLES];
