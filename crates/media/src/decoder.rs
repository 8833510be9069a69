//! What the jitter buffer asks of a codec.

/// A decoder of speech packets that can also make up for packets that did not come.
///
/// All lengths are samples at [`SAMPLE_RATE`](crate::SAMPLE_RATE), mono. Sound comes out in the order of the calls: each
/// call continues the one before it, as the decoder's state does.
pub trait SpeechDecoder {
    /// How long the sound in this packet is, without decoding it.
    ///
    /// # Errors
    /// When it is no packet of this codec.
    fn samples(&self, packet: &[u8]) -> Result<usize, DecodeError>;

    /// Decodes a packet into `out`, whose length is what [`samples`](Self::samples) said.
    ///
    /// # Errors
    /// When it is no packet of this codec, or `out` has another length. `out` is then silent.
    fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<(), DecodeError>;

    /// Decodes, from the packet right after a lost one, what it carries of the lost one (in-band FEC; RFC 6716, section
    /// 2.1.7). `out` is as long as the lost packet.
    ///
    /// # Errors
    /// When the packet carries nothing of it. `out` is then silent and the decoder's state as it was.
    fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<(), DecodeError>;

    /// How much of the time before its own start a packet can restore by deep redundancy (DRED, as in libopus 1.6).
    /// 0 where it carries none.
    fn dred_samples(&mut self, later: &[u8]) -> usize;

    /// Restores, from a later packet's deep redundancy, the piece that begins `before` samples ahead of that packet's own
    /// start. `out` is what to fill.
    ///
    /// # Errors
    /// When the packet's redundancy does not reach that far back. `out` is then silent and the decoder's state as it was.
    fn decode_dred(&mut self, later: &[u8], before: usize, out: &mut [f32]) -> Result<(), DecodeError>;

    /// Goes on from what was heard last, in place of a packet that is lost: packet loss concealment.
    fn conceal(&mut self, out: &mut [f32]);
}

/// A packet that could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not a packet of this codec, or a damaged one.
    #[error("not a packet of this codec, or a damaged one")]
    Malformed,
    /// The place to decode into does not have the length of the sound.
    #[error("the sound has another length than the place for it")]
    Length,
    /// The packet does not carry what was asked for.
    #[error("the packet does not carry what was asked for")]
    NotCarried,
}
