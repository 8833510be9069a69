//! The calls into libopus: all that is unsafe in this crate.
//!
//! Each type here owns one state of libopus from its creation to its destruction, hands it out to nobody, and gives
//! libopus only places and lengths of slices. That makes every method safe for whatever arguments; what libopus
//! refuses comes back as its error code.
#![expect(unsafe_code, reason = "libopus is C")]

use core::ffi::c_int;
use core::ptr::{self, NonNull};

use opusic_sys as sys;

use crate::SAMPLE_RATE;

/// An error code of libopus: below zero (`opus_defines.h`).
pub(super) type Code = c_int;

const RATE: i32 = SAMPLE_RATE as i32;
const MONO: c_int = 1;

/// A setting of the encoder that takes a number.
#[derive(Debug, Clone, Copy)]
pub(super) enum EncoderOption {
    Bitrate,
    MaxBandwidth,
    Complexity,
    Dtx,
    InbandFec,
    LossPercent,
    Signal,
    /// In units of 10 ms.
    DredDuration,
}

impl EncoderOption {
    /// Each of these takes one `opus_int32` (`opus_defines.h`), which is what [`RawEncoder::set`] relies on.
    const fn request(self) -> c_int {
        match self {
            Self::Bitrate => sys::OPUS_SET_BITRATE_REQUEST as c_int,
            Self::MaxBandwidth => sys::OPUS_SET_MAX_BANDWIDTH_REQUEST as c_int,
            Self::Complexity => sys::OPUS_SET_COMPLEXITY_REQUEST as c_int,
            Self::Dtx => sys::OPUS_SET_DTX_REQUEST as c_int,
            Self::InbandFec => sys::OPUS_SET_INBAND_FEC_REQUEST as c_int,
            Self::LossPercent => sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST as c_int,
            Self::Signal => sys::OPUS_SET_SIGNAL_REQUEST as c_int,
            Self::DredDuration => sys::OPUS_SET_DRED_DURATION_REQUEST as c_int,
        }
    }
}

/// What [`EncoderOption::Signal`] is set to.
pub(super) const SIGNAL_VOICE: i32 = sys::OPUS_SIGNAL_VOICE;
/// The same for sound of any kind: libopus then leaves its model of speech out, but at the lowest rates.
pub(super) const SIGNAL_ANY: i32 = sys::OPUS_SIGNAL_MUSIC;

/// What [`EncoderOption::MaxBandwidth`] is set to: tones up to 20 kHz.
pub(super) const FULL_BAND: i32 = sys::OPUS_BANDWIDTH_FULLBAND;
/// The same: up to 8 kHz.
pub(super) const WIDE_BAND: i32 = sys::OPUS_BANDWIDTH_WIDEBAND;

/// An `OpusEncoder` for speech, 48 kHz, mono.
#[derive(Debug)]
pub(super) struct RawEncoder(NonNull<sys::OpusEncoder>);

// SAFETY: the state is one block of memory that only this value points to; libopus keeps nothing about threads.
unsafe impl Send for RawEncoder {}

impl RawEncoder {
    pub(super) fn new() -> Result<Self, Code> {
        let mut code = 0;
        // SAFETY: `code` is a place for the error; the rest are numbers.
        let state = unsafe {
            sys::opus_encoder_create(RATE, MONO, sys::OPUS_APPLICATION_VOIP as c_int, &raw mut code)
        };
        NonNull::new(state).map(Self).ok_or(code)
    }

    pub(super) fn set(&mut self, option: EncoderOption, value: i32) -> Result<(), Code> {
        // SAFETY: the state is alive, and every request of `EncoderOption` reads one `opus_int32`.
        check(unsafe { sys::opus_encoder_ctl(self.0.as_ptr(), option.request(), value) }).map(drop)
    }

    /// Encodes all of `sound` as one frame; the number of bytes written.
    pub(super) fn encode(&mut self, sound: &[f32], packet: &mut [u8]) -> Result<usize, Code> {
        let samples = length(sound.len())?;
        let room = length(packet.len())?;
        // SAFETY: the state is alive. libopus reads `samples` floats and writes at most `room` bytes, which is how
        // long the two slices are.
        check(unsafe {
            sys::opus_encode_float(self.0.as_ptr(), sound.as_ptr(), samples, packet.as_mut_ptr(), room)
        })
    }
}

impl Drop for RawEncoder {
    fn drop(&mut self) {
        // SAFETY: made by `opus_encoder_create`, and not used after this.
        unsafe { sys::opus_encoder_destroy(self.0.as_ptr()) }
    }
}

/// An `OpusDecoder`, 48 kHz, mono.
#[derive(Debug)]
pub(super) struct RawDecoder {
    state: NonNull<sys::OpusDecoder>,
    /// What `opus_pcm_soft_clip` remembers from call to call.
    clip: f32,
}

// SAFETY: as for `RawEncoder`.
unsafe impl Send for RawDecoder {}

impl RawDecoder {
    /// `complexity` as in `OPUS_SET_COMPLEXITY`: from 5 on, losses are concealed by the neural vocoder.
    pub(super) fn new(complexity: i32) -> Result<Self, Code> {
        let mut code = 0;
        // SAFETY: `code` is a place for the error; the rest are numbers.
        let state = unsafe { sys::opus_decoder_create(RATE, MONO, &raw mut code) };
        let decoder = Self { state: NonNull::new(state).ok_or(code)?, clip: 0.0 };
        let request = sys::OPUS_SET_COMPLEXITY_REQUEST as c_int;
        // SAFETY: the state is alive, and the request reads one `opus_int32`.
        check(unsafe { sys::opus_decoder_ctl(decoder.state.as_ptr(), request, complexity) })?;
        Ok(decoder)
    }

    /// Decodes a packet; the number of samples.
    pub(super) fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, Code> {
        self.decode_float(packet.as_ptr(), length(packet.len())?, out, 0)
    }

    /// Decodes what a packet carries of the one before it, into the end of `out`.
    pub(super) fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<usize, Code> {
        self.decode_float(next.as_ptr(), length(next.len())?, out, 1)
    }

    /// Goes on without a packet. `out` is a multiple of 2.5 ms.
    pub(super) fn conceal(&mut self, out: &mut [f32]) -> Result<usize, Code> {
        self.decode_float(ptr::null(), 0, out, 0)
    }

    /// `data` points to `bytes` bytes, or is null.
    fn decode_float(
        &mut self,
        data: *const u8,
        bytes: i32,
        out: &mut [f32],
        fec: c_int,
    ) -> Result<usize, Code> {
        let room = length(out.len())?;
        // SAFETY: the state is alive; `data` comes from a slice of `bytes` bytes in the three callers above, or is
        // null, which asks for concealment; libopus writes at most `room` samples, which is how long `out` is.
        check(unsafe {
            sys::opus_decode_float(self.state.as_ptr(), data, bytes, out.as_mut_ptr(), room, fec)
        })
    }

    /// Decodes the piece of `out`'s length that begins `before` samples ahead of the packet that `dred` is from.
    pub(super) fn decode_dred(
        &mut self,
        dred: &RawDred,
        before: usize,
        out: &mut [f32],
    ) -> Result<usize, Code> {
        let before = length(before)?;
        let room = length(out.len())?;
        // SAFETY: both states are alive; libopus only reads from `dred`, whose memory was zeroed at its creation and
        // written by `opus_dred_parse` since; it writes at most `room` samples, which is how long `out` is.
        check(unsafe {
            sys::opus_decoder_dred_decode_float(
                self.state.as_ptr(),
                dred.data.as_ptr(),
                before,
                out.as_mut_ptr(),
                room,
            )
        })
    }

    /// Bends what is beyond ±1 back into it, smoothly over frames.
    pub(super) fn soft_clip(&mut self, sound: &mut [f32]) {
        let Ok(samples) = length(sound.len()) else { return };
        // SAFETY: `samples` floats are read and written, which is how long `sound` is, and one float of memory for
        // one channel.
        unsafe { sys::opus_pcm_soft_clip(sound.as_mut_ptr(), samples, MONO, &raw mut self.clip) }
    }
}

impl Drop for RawDecoder {
    fn drop(&mut self) {
        // SAFETY: made by `opus_decoder_create`, and not used after this.
        unsafe { sys::opus_decoder_destroy(self.state.as_ptr()) }
    }
}

/// The deep redundancy of one packet, and the model that reads it.
#[derive(Debug)]
pub(super) struct RawDred {
    model: NonNull<sys::OpusDREDDecoder>,
    data: NonNull<sys::OpusDRED>,
}

// SAFETY: as for `RawEncoder`, for both blocks of memory.
unsafe impl Send for RawDred {}

/// Which time a packet's redundancy covers, in samples ahead of the packet's own start: from `reach` down to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct DredSpan {
    /// Where the oldest sound in it begins.
    pub(super) reach: usize,
    /// Where the newest sound in it ends; not 0 when the speaker had fallen silent by then.
    pub(super) end: usize,
}

impl RawDred {
    pub(super) fn new() -> Result<Self, Code> {
        let mut code = 0;
        // SAFETY: `code` is a place for the error.
        let model = NonNull::new(unsafe { sys::opus_dred_decoder_create(&raw mut code) }).ok_or(code)?;
        // SAFETY: as above.
        let Some(data) = NonNull::new(unsafe { sys::opus_dred_alloc(&raw mut code) }) else {
            // SAFETY: made above, and not used after this.
            unsafe { sys::opus_dred_decoder_destroy(model.as_ptr()) }
            return Err(code);
        };
        // SAFETY: takes no arguments.
        let bytes = usize::try_from(unsafe { sys::opus_dred_get_size() }).unwrap_or(0);
        // libopus leaves this memory as it was found; zero means "nothing parsed yet".
        // SAFETY: `opus_dred_alloc` made room for as many bytes as `opus_dred_get_size` says.
        unsafe { ptr::write_bytes(data.as_ptr().cast::<u8>(), 0, bytes) }
        Ok(Self { model, data })
    }

    /// Reads a packet's redundancy, without the work of turning it into features; that is [`process`](Self::process).
    pub(super) fn parse(&mut self, packet: &[u8]) -> Result<DredSpan, Code> {
        let bytes = length(packet.len())?;
        let mut end: c_int = 0;
        // `opus_decoder.c`: what is returned reaches back to the oldest sound, counted from the packet's start,
        // whether or not the newest part is missing; `dred_end` is the length of that missing part.
        // SAFETY: both states are alive, `packet` has `bytes` bytes and is only read, `end` is a place for the number.
        let reach = check(unsafe {
            sys::opus_dred_parse(
                self.model.as_ptr(),
                self.data.as_ptr(),
                packet.as_ptr(),
                bytes,
                RATE, // all of it: up to 1 s
                RATE,
                &raw mut end,
                1,
            )
        })?;
        Ok(DredSpan { reach, end: usize::try_from(end).unwrap_or(0) })
    }

    /// Makes what was parsed ready for decoding.
    pub(super) fn process(&mut self) -> Result<(), Code> {
        let data = self.data.as_ptr();
        // SAFETY: both states are alive; libopus allows source and destination to be the same.
        check(unsafe { sys::opus_dred_process(self.model.as_ptr(), data, data) }).map(drop)
    }
}

impl Drop for RawDred {
    fn drop(&mut self) {
        // SAFETY: made by the functions that belong to these, and not used after this.
        unsafe {
            sys::opus_dred_free(self.data.as_ptr());
            sys::opus_dred_decoder_destroy(self.model.as_ptr());
        }
    }
}

/// How long a packet's sound is, in samples, and how long each frame in it.
///
/// # Errors
/// When its frames don't lie within it as its first byte says (RFC 6716, section 3.4).
pub(super) fn packet_samples(packet: &[u8]) -> Result<(usize, usize), Code> {
    let bytes = length(packet.len())?;
    if bytes == 0 {
        return Err(sys::OPUS_INVALID_PACKET as c_int);
    }
    let mut sizes = [0_i16; 48];
    // SAFETY: `packet` has `bytes` bytes, at least one. A packet has at most 48 frames, for which there is room in
    // `sizes`; the other places may be null (`opus_packet_parse_impl`).
    let frames = check(unsafe {
        sys::opus_packet_parse(
            packet.as_ptr(),
            bytes,
            ptr::null_mut(),
            ptr::null_mut(),
            sizes.as_mut_ptr(),
            ptr::null_mut(),
        )
    })?;
    // SAFETY: reads the first byte, which is there.
    let frame = check(unsafe { sys::opus_packet_get_samples_per_frame(packet.as_ptr(), RATE) })?;
    Ok((frames * frame, frame))
}

/// Whether a packet carries a coarse copy of the one before it (LBRR).
pub(super) fn has_fec(packet: &[u8]) -> bool {
    let Ok(bytes) = length(packet.len()) else { return false };
    // SAFETY: `packet` has `bytes` bytes, at least one.
    bytes > 0 && unsafe { sys::opus_packet_has_lbrr(packet.as_ptr(), bytes) } > 0
}

fn check(code: c_int) -> Result<usize, Code> {
    usize::try_from(code).map_err(|_| code)
}

fn length(samples_or_bytes: usize) -> Result<i32, Code> {
    i32::try_from(samples_or_bytes).map_err(|_| sys::OPUS_BAD_ARG as c_int)
}
