//! Opus (RFC 6716), with in-band FEC and deep redundancy, through libopus 1.6.
//!
//! [`Encoder`] and [`Decoder`] are all there is to see; what is unsafe stands in one private module. Both belong to
//! one stream: their state can't be cloned, but may be moved to the thread that does the work.
//!
//! libopus is built with its `dred` feature: the neural concealment and the deep redundancy.

mod decoder;
mod encoder;
mod ffi;

pub use decoder::{Concealment, Decoder, OutOfMemory};
pub use encoder::{BITRATES, EncodeError, Encoded, Encoder, EncoderSettings, FrameLength, Protection};

/// No packet is longer, sent or received: fits into one datagram of an Ethernet, with room for the headers.
pub const MAX_PACKET_BYTES: usize = 1_275;

/// How much later than the sound that went into the encoder the decoder's sound comes: 6.5 ms of lookahead (RFC 6716,
/// section 2; libopus's `OPUS_GET_LOOKAHEAD` for speech at 48 kHz).
pub const LOOKAHEAD_SAMPLES: usize = 312;

#[cfg(test)]
mod tests;
