//! The calls into OpenH264: all that is unsafe about pictures.
//!
//! Each type here owns one coder from its creation to its destruction and hands it out to nobody. What goes in are
//! pictures whose planes are as long as their size says; what comes out is copied before the next call.
#![expect(unsafe_code, reason = "OpenH264 is C++ behind tables of functions")]

use core::ffi::{c_int, c_void};
use core::ptr::{self, NonNull};

use openh264_sys2 as sys;
use sys::source::APILoader;

use crate::picture::Picture;
use crate::video::Content;

/// A code of OpenH264 that is not zero (`codec_app_def.h`: `CM_RETURN`, `DECODING_STATE`), or −1 where it has none.
pub(super) type Code = i64;

const NO_CODE: Code = -1;

/// What an encoder is set up with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) frame_rate: u32,
    pub(super) bitrate: u32,
    pub(super) content: Content,
    /// 1 or 2.
    pub(super) layers: u8,
}

/// What became of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coded {
    Frame {
        keyframe: bool,
        layer: u8,
    },
    /// The rate allowed none.
    Skipped,
}

/// An `ISVCEncoder`.
pub(super) struct RawEncoder(NonNull<sys::ISVCEncoder>);

// SAFETY: the encoder is one object that only this value points to; it has no threads of its own with one asked for.
unsafe impl Send for RawEncoder {}

impl RawEncoder {
    pub(super) fn open(setup: &Setup) -> Result<Self, Code> {
        let mut encoder = ptr::null_mut();
        // SAFETY: `encoder` is a place for the pointer.
        let code = unsafe { APILoader::WelsCreateSVCEncoder(&raw mut encoder) };
        let encoder = NonNull::new(encoder).filter(|_| code == 0).ok_or(NO_CODE)?;
        let this = Self(encoder);
        let mut parameters = sys::SEncParamExt::default();
        let table = this.table();
        let defaults = table.GetDefaultParams.ok_or(NO_CODE)?;
        // SAFETY: the encoder is alive, and `parameters` is a place for its defaults.
        check(unsafe { defaults(encoder.as_ptr(), &raw mut parameters) })?;
        fill(&mut parameters, setup);
        let initialize = table.InitializeExt.ok_or(NO_CODE)?;
        // SAFETY: the encoder is alive and reads the parameters, which hold no pointers.
        check(unsafe { initialize(encoder.as_ptr(), &raw const parameters) })?;
        this.set(sys::ENCODER_OPTION_TRACE_LEVEL, sys::WELS_LOG_QUIET as c_int)?;
        Ok(this)
    }

    /// Encodes a picture of the size of the setup. The frame is added to `out`.
    pub(super) fn encode(
        &mut self,
        picture: &Picture,
        milliseconds: i64,
        out: &mut Vec<u8>,
    ) -> Result<Coded, Code> {
        let (width, height) = (size(picture.width()), size(picture.height()));
        let [y, u, v] = picture.planes().map(|plane| plane.as_ptr().cast_mut());
        let source = sys::SSourcePicture {
            iColorFormat: sys::videoFormatI420 as c_int,
            iStride: [width, width / 2, width / 2, 0],
            pData: [y, u, v, ptr::null_mut()],
            iPicWidth: width,
            iPicHeight: height,
            uiTimeStamp: milliseconds,
            ..Default::default()
        };
        let mut info = sys::SFrameBSInfo::default();
        let encode = self.table().EncodeFrame.ok_or(NO_CODE)?;
        // SAFETY: the encoder is alive; it only reads the planes, which are as long as the sides say, and fills `info`.
        check(unsafe { encode(self.0.as_ptr(), &raw const source, &raw mut info) })?;
        if info.eFrameType == sys::videoFrameTypeSkip || info.eFrameType == sys::videoFrameTypeInvalid {
            return Ok(Coded::Skipped);
        }
        let mut layer = 0;
        let layers = usize::try_from(info.iLayerNum).unwrap_or(0);
        for part in info.sLayerInfo.iter().take(layers) {
            let count = usize::try_from(part.iNalCount).unwrap_or(0);
            if count == 0 || part.pNalLengthInByte.is_null() || part.pBsBuf.is_null() {
                continue;
            }
            // SAFETY: the encoder wrote so many lengths there, and they stand until its next call.
            let lengths = unsafe { core::slice::from_raw_parts(part.pNalLengthInByte, count) };
            let bytes = lengths.iter().map(|length| usize::try_from(*length).unwrap_or(0)).sum();
            // SAFETY: the units lie one after the other from there on, as long as the lengths say together.
            out.extend_from_slice(unsafe { core::slice::from_raw_parts(part.pBsBuf, bytes) });
            if u32::from(part.uiLayerType) == sys::VIDEO_CODING_LAYER as u32 {
                layer = part.uiTemporalId;
            }
        }
        let keyframe = info.eFrameType == sys::videoFrameTypeIDR;
        Ok(Coded::Frame { keyframe, layer })
    }

    pub(super) fn set_bitrate(&mut self, bitrate: u32) -> Result<(), Code> {
        let mut rate = sys::SBitrateInfo { iLayer: sys::SPATIAL_LAYER_ALL, iBitrate: size(bitrate) };
        self.set_from(sys::ENCODER_OPTION_BITRATE, (&raw mut rate).cast())
    }

    pub(super) fn set_frame_rate(&mut self, frame_rate: u32) -> Result<(), Code> {
        let mut rate = frame_rate as f32;
        self.set_from(sys::ENCODER_OPTION_FRAME_RATE, (&raw mut rate).cast())
    }

    /// The next frame is a keyframe.
    pub(super) fn force_keyframe(&mut self) -> Result<(), Code> {
        let force = self.table().ForceIntraFrame.ok_or(NO_CODE)?;
        // SAFETY: the encoder is alive.
        check(unsafe { force(self.0.as_ptr(), true) })
    }

    fn set(&self, option: sys::ENCODER_OPTION, mut value: c_int) -> Result<(), Code> {
        self.set_from(option, (&raw mut value).cast())
    }

    /// `value` is what the option takes, as `codec_app_def.h` says.
    fn set_from(&self, option: sys::ENCODER_OPTION, value: *mut c_void) -> Result<(), Code> {
        let set = self.table().SetOption.ok_or(NO_CODE)?;
        // SAFETY: the encoder is alive; the callers, all above, give what the option takes.
        check(unsafe { set(self.0.as_ptr(), option, value) })
    }

    const fn table(&self) -> &sys::ISVCEncoderVtbl {
        // SAFETY: an object begins with the pointer to its table, which lives as long as the program.
        unsafe { &**self.0.as_ptr() }
    }
}

impl Drop for RawEncoder {
    fn drop(&mut self) {
        if let Some(end) = self.table().Uninitialize {
            // SAFETY: the encoder is alive; ending one that was never set up does nothing.
            unsafe { end(self.0.as_ptr()) };
        }
        // SAFETY: it was created by the same library, and nothing points to it from here on.
        unsafe { APILoader::WelsDestroySVCEncoder(self.0.as_ptr()) };
    }
}

fn fill(parameters: &mut sys::SEncParamExt, setup: &Setup) {
    let (width, height) = (size(setup.width), size(setup.height));
    let rate = setup.frame_rate as f32;
    parameters.iUsageType = match setup.content {
        Content::Camera => sys::CAMERA_VIDEO_REAL_TIME,
        Content::Screen => sys::SCREEN_CONTENT_REAL_TIME,
    };
    parameters.iPicWidth = width;
    parameters.iPicHeight = height;
    parameters.iTargetBitrate = size(setup.bitrate);
    parameters.iMaxBitrate = sys::UNSPECIFIED_BIT_RATE as c_int;
    parameters.iRCMode = sys::RC_BITRATE_MODE;
    parameters.fMaxFrameRate = rate;
    parameters.iTemporalLayerNum = c_int::from(setup.layers);
    parameters.iSpatialLayerNum = 1;
    parameters.iComplexityMode = sys::LOW_COMPLEXITY;
    // Keyframes come when they are asked for.
    parameters.uiIntraPeriod = 0;
    parameters.bEnableSceneChangeDetect = false;
    parameters.iNumRefFrame = 1;
    parameters.eSpsPpsIdStrategy = sys::CONSTANT_ID;
    parameters.bEnableFrameSkip = true;
    parameters.iMultipleThreadIdc = 1;
    parameters.bEnableDenoise = false;
    parameters.bEnableBackgroundDetection = true;
    parameters.bEnableAdaptiveQuant = false;
    parameters.bEnableLongTermReference = false;
    parameters.iEntropyCodingModeFlag = 0;
    let layer = &mut parameters.sSpatialLayers[0];
    layer.iVideoWidth = width;
    layer.iVideoHeight = height;
    layer.fFrameRate = rate;
    layer.iSpatialBitrate = size(setup.bitrate);
    layer.iMaxSpatialBitrate = sys::UNSPECIFIED_BIT_RATE as c_int;
    layer.uiProfileIdc = sys::PRO_BASELINE;
    layer.sSliceArgument.uiSliceMode = sys::SM_SINGLE_SLICE;
}

/// An `ISVCDecoder`.
pub(super) struct RawDecoder(NonNull<sys::ISVCDecoder>);

// SAFETY: the decoder is one object that only this value points to; it has no threads of its own unless asked for.
unsafe impl Send for RawDecoder {}

impl RawDecoder {
    pub(super) fn open() -> Result<Self, Code> {
        let mut decoder = ptr::null_mut();
        // SAFETY: `decoder` is a place for the pointer.
        let code = unsafe { APILoader::WelsCreateDecoder(&raw mut decoder) };
        let decoder = NonNull::new(decoder).filter(|_| code == 0).ok_or(NO_CODE)?;
        let this = Self(decoder);
        let mut parameters = sys::SDecodingParam {
            uiTargetDqLayer: u8::MAX,
            // A picture that is made up is never shown.
            eEcActiveIdc: sys::ERROR_CON_DISABLE,
            ..Default::default()
        };
        parameters.sVideoProperty.eVideoBsType = sys::VIDEO_BITSTREAM_AVC;
        let initialize = this.table().Initialize.ok_or(NO_CODE)?;
        // SAFETY: the decoder is alive and reads the parameters; the one pointer in them is null, which it allows.
        check(unsafe { initialize(decoder.as_ptr(), &raw const parameters) })?;
        let mut quiet = sys::WELS_LOG_QUIET as c_int;
        let set = this.table().SetOption.ok_or(NO_CODE)?;
        // SAFETY: the decoder is alive; this option takes one `int`.
        check(unsafe { set(decoder.as_ptr(), sys::DECODER_OPTION_TRACE_LEVEL, (&raw mut quiet).cast()) })?;
        Ok(this)
    }

    /// Decodes one frame (Annex B) and copies the picture, if it gave one. The state is not zero where anything about it
    /// was wrong; then nothing was copied.
    pub(super) fn decode(&mut self, frame: &[u8], picture: &mut Picture) -> Result<bool, Code> {
        let length = c_int::try_from(frame.len()).map_err(|_| NO_CODE)?;
        let mut planes = [ptr::null_mut::<u8>(); 3];
        let mut info = sys::SBufferInfo::default();
        let decode = self.table().DecodeFrameNoDelay.ok_or(NO_CODE)?;
        // SAFETY: the decoder is alive, reads `length` bytes, and fills `planes` and `info`.
        let state =
            unsafe { decode(self.0.as_ptr(), frame.as_ptr(), length, planes.as_mut_ptr(), &raw mut info) };
        check(state as i64)?;
        if info.iBufferStatus != 1 {
            return Ok(false);
        }
        // SAFETY: the union has one variant.
        let buffer = unsafe { info.UsrData.sSystemBuffer };
        // An odd side can't be; one pixel of it is cut off.
        let even = |side: c_int| u32::try_from(side).unwrap_or(0) & !1;
        let (width, height) = (even(buffer.iWidth), even(buffer.iHeight));
        picture.resize(width, height).map_err(|_| NO_CODE)?;
        let strides = [buffer.iStride[0], buffer.iStride[1], buffer.iStride[1]];
        let rows = [(width, height), (width / 2, height / 2), (width / 2, height / 2)];
        for (((to, from), stride), (width, height)) in
            picture.planes_mut().into_iter().zip(planes).zip(strides).zip(rows)
        {
            let (width, height) = (width as usize, height as usize);
            let stride = usize::try_from(stride).unwrap_or(0);
            if from.is_null() || stride < width {
                return Err(NO_CODE);
            }
            // SAFETY: the decoder's plane has `height` rows of `width` bytes, `stride` apart, until its next call; the
            // last row ends after `width`.
            let plane = unsafe { core::slice::from_raw_parts(from, stride * (height - 1) + width) };
            for (to, from) in to.chunks_exact_mut(width).zip(plane.chunks(stride)) {
                to.copy_from_slice(&from[..width]);
            }
        }
        Ok(true)
    }

    const fn table(&self) -> &sys::ISVCDecoderVtbl {
        // SAFETY: as for the encoder.
        unsafe { &**self.0.as_ptr() }
    }
}

impl Drop for RawDecoder {
    fn drop(&mut self) {
        if let Some(end) = self.table().Uninitialize {
            // SAFETY: the decoder is alive; ending one that was never set up does nothing.
            unsafe { end(self.0.as_ptr()) };
        }
        // SAFETY: it was created by the same library, and nothing points to it from here on.
        unsafe { APILoader::WelsDestroyDecoder(self.0.as_ptr()) };
    }
}

fn check(code: impl Into<i64>) -> Result<(), Code> {
    match code.into() {
        0 => Ok(()),
        code => Err(code),
    }
}

fn size(number: u32) -> c_int {
    c_int::try_from(number).unwrap_or(c_int::MAX)
}
