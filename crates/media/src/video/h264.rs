//! H.264 (ITU-T Rec. H.264; RFC 6184), constrained baseline, through OpenH264 built from source.

mod decoder;
mod encoder;
mod ffi;
pub(crate) mod parameters;
pub(crate) mod units;

pub use decoder::Decoder;
pub use encoder::Encoder;

#[cfg(test)]
mod tests;
