//! How good a call is, and a page that shows it.
//!
//! - [`chirp`]: mouth-to-ear, from chirps found in a recording;
//! - [`quality`]: how good speech sounds, by ITU-T P.862.2 (wide-band PESQ);
//! - [`process`]: processor time of each thread, and memory, of this process;
//! - [`recording`]: sound out of files;
//! - [`Summary`], [`Series`]: numbers, and numbers in time;
//! - [`report`]: all of it as one self-contained HTML page, or as JSON by serde.
//!
//! All but [`process`] is pure, and of [`recording`] all but the reading of a file.

#![forbid(unsafe_code)]

pub mod chirp;
mod correlation;
pub mod pictures;
pub mod process;
pub mod quality;
pub mod recording;
pub mod report;
mod resample;
mod series;
mod summary;
mod utterances;

pub use series::{Point, Series};
pub use summary::{Summary, percentile};
