//! VP8 (RFC 6386; RFC 7741), through the libvpx of the system. Behind the feature `vp8`.

mod decoder;
mod encoder;
mod ffi;
mod header;

pub use decoder::Decoder;
pub use encoder::Encoder;

#[cfg(test)]
mod tests;
