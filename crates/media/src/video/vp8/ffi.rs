//! The calls into libvpx, through the functions in `native/vp8.c`: all that is unsafe about VP8.
//!
//! Each type here owns one coder from its creation to its destruction and hands it out to nobody. What goes in are
//! pictures whose planes are as long as their size says; what comes out is copied before the next call.
#![expect(unsafe_code, reason = "libvpx is C")]

use core::ffi::c_int;
use core::ptr::{self, NonNull};

use crate::picture::Picture;
use crate::video::Content;

/// A code of libvpx that is not zero (`vpx_codec_err_t`); below zero, one of `native/vp8.c`.
pub(super) type Code = i64;

/// Where neither has one.
const NO_CODE: Code = -1;

/// `encoder` in `native/vp8.c`.
#[repr(C)]
struct EncoderState {
    _opaque: [u8; 0],
}

/// `decoder` in `native/vp8.c`.
#[repr(C)]
struct DecoderState {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    /// Null where it failed, with the reason in `code`.
    fn carillon_vp8_encoder_open(
        width: u32,
        height: u32,
        frame_rate: u32,
        bitrate: u32,
        speed: c_int,
        screen: c_int,
        code: *mut c_int,
    ) -> *mut EncoderState;
    fn carillon_vp8_encoder_set_bitrate(encoder: *mut EncoderState, bitrate: u32) -> c_int;
    /// Reads planes of the size that the encoder was opened with, without gaps between the rows. `data` stands until the
    /// next call, and is null where there is no frame.
    fn carillon_vp8_encode(
        encoder: *mut EncoderState,
        y: *const u8,
        u: *const u8,
        v: *const u8,
        time: i64,
        duration: u32,
        layer: c_int,
        keyframe: c_int,
        data: *mut *const u8,
        length: *mut usize,
        is_keyframe: *mut c_int,
    ) -> c_int;
    fn carillon_vp8_encoder_close(encoder: *mut EncoderState);
    /// Null where it failed, with the reason in `code`.
    fn carillon_vp8_decoder_open(code: *mut c_int) -> *mut DecoderState;
    /// The planes have `height` rows of `width` bytes, of the colours half of both rounded up, and stand until the next
    /// call; they are null where there is no picture.
    fn carillon_vp8_decode(
        decoder: *mut DecoderState,
        data: *const u8,
        length: u32,
        planes: *mut *const u8,
        strides: *mut c_int,
        width: *mut u32,
        height: *mut u32,
    ) -> c_int;
    fn carillon_vp8_decoder_close(decoder: *mut DecoderState);
}

/// What an encoder is set up with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) frame_rate: u32,
    pub(super) bitrate: u32,
    /// 1 to 16: the higher, the cheaper and the worse (`VP8E_SET_CPUUSED`, negated).
    pub(super) speed: u8,
    pub(super) content: Content,
}

/// A picture to be encoded, at units of 1/90,000 s.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// After that of the picture before.
    pub(super) time: i64,
    pub(super) duration: u32,
}

/// An encoder of libvpx.
pub(super) struct RawEncoder {
    state: NonNull<EncoderState>,
    size: (u32, u32),
}

// SAFETY: the encoder is one object that only this value points to; with one thread asked for it starts none.
unsafe impl Send for RawEncoder {}

impl RawEncoder {
    pub(super) fn open(setup: &Setup) -> Result<Self, Code> {
        let &Setup { width, height, frame_rate, bitrate, speed, content } = setup;
        let mut code = 0;
        let screen = c_int::from(content == Content::Screen);
        // SAFETY: numbers, and a place for the code.
        let state = unsafe {
            carillon_vp8_encoder_open(width, height, frame_rate, bitrate, speed.into(), screen, &raw mut code)
        };
        check(code)?;
        Ok(Self { state: NonNull::new(state).ok_or(NO_CODE)?, size: (width, height) })
    }

    pub(super) fn set_bitrate(&mut self, bitrate: u32) -> Result<(), Code> {
        // SAFETY: the encoder is alive.
        check(unsafe { carillon_vp8_encoder_set_bitrate(self.state.as_ptr(), bitrate) })
    }

    /// Adds the frame to `out`, and says whether it is a keyframe. `None`: the rate allowed none.
    pub(super) fn encode(
        &mut self,
        picture: &Picture,
        timing: Timing,
        (layer, keyframe): (u8, bool),
        out: &mut Vec<u8>,
    ) -> Result<Option<bool>, Code> {
        if (picture.width(), picture.height()) != self.size {
            return Err(NO_CODE);
        }
        let [y, u, v] = picture.planes().map(<[u8]>::as_ptr);
        let (mut data, mut length, mut is_keyframe) = (ptr::null(), 0, 0);
        // SAFETY: the encoder is alive; the picture has the size that it was opened with, its planes have no gaps.
        check(unsafe {
            carillon_vp8_encode(
                self.state.as_ptr(),
                y,
                u,
                v,
                timing.time,
                timing.duration,
                layer.into(),
                keyframe.into(),
                &raw mut data,
                &raw mut length,
                &raw mut is_keyframe,
            )
        })?;
        if data.is_null() || length == 0 {
            return Ok(None);
        }
        // SAFETY: so many bytes are there until the next call.
        out.extend_from_slice(unsafe { core::slice::from_raw_parts(data, length) });
        Ok(Some(is_keyframe != 0))
    }
}

impl Drop for RawEncoder {
    fn drop(&mut self) {
        // SAFETY: it was opened by the same library, and nothing points to it from here on.
        unsafe { carillon_vp8_encoder_close(self.state.as_ptr()) };
    }
}

/// A decoder of libvpx.
pub(super) struct RawDecoder(NonNull<DecoderState>);

// SAFETY: as for the encoder.
unsafe impl Send for RawDecoder {}

impl RawDecoder {
    pub(super) fn open() -> Result<Self, Code> {
        let mut code = 0;
        // SAFETY: a place for the code.
        let state = unsafe { carillon_vp8_decoder_open(&raw mut code) };
        check(code)?;
        Ok(Self(NonNull::new(state).ok_or(NO_CODE)?))
    }

    /// Decodes one frame and copies the picture, if it is one to be shown. Where anything about it was wrong there is a
    /// code, and nothing was copied.
    pub(super) fn decode(&mut self, frame: &[u8], picture: &mut Picture) -> Result<bool, Code> {
        let length = u32::try_from(frame.len()).map_err(|_| NO_CODE)?;
        let (mut planes, mut strides) = ([ptr::null(); 3], [0; 3]);
        let (mut width, mut height) = (0, 0);
        // SAFETY: the decoder is alive and reads `length` bytes; there are places for three planes and strides.
        check(unsafe {
            carillon_vp8_decode(
                self.0.as_ptr(),
                frame.as_ptr(),
                length,
                planes.as_mut_ptr(),
                strides.as_mut_ptr(),
                &raw mut width,
                &raw mut height,
            )
        })?;
        if planes.iter().any(|plane| plane.is_null()) {
            return Ok(false);
        }
        // An odd side can't be; one pixel of it is cut off.
        let (width, height) = (width & !1, height & !1);
        picture.resize(width, height).map_err(|_| NO_CODE)?;
        let (columns, rows) = (width as usize, height as usize);
        let sizes = [(columns, rows), (columns / 2, rows / 2), (columns / 2, rows / 2)];
        for (((to, from), stride), (width, height)) in
            picture.planes_mut().into_iter().zip(planes).zip(strides).zip(sizes)
        {
            let stride = usize::try_from(stride).unwrap_or(0);
            if stride < width {
                return Err(NO_CODE);
            }
            // SAFETY: the decoder's plane has `height` rows of `width` bytes, `stride` apart, until its next call; the
            // last row ends after `width`. Both are at least 1, for sides of a picture are at least 2.
            let plane = unsafe { core::slice::from_raw_parts(from, stride * (height - 1) + width) };
            for (to, from) in to.chunks_exact_mut(width).zip(plane.chunks(stride)) {
                to.copy_from_slice(&from[..width]);
            }
        }
        Ok(true)
    }
}

impl Drop for RawDecoder {
    fn drop(&mut self) {
        // SAFETY: it was opened by the same library, and nothing points to it from here on.
        unsafe { carillon_vp8_decoder_close(self.0.as_ptr()) };
    }
}

fn check(code: c_int) -> Result<(), Code> {
    match code {
        0 => Ok(()),
        code => Err(code.into()),
    }
}
