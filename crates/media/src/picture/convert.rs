//! What cameras give, made into I420: YUYV (4:2:2, packed), NV12 (4:2:0, the colours interleaved) and JPEG.
//!
//! Each function paints over a [`Picture`] and uses its memory again. A frame that is too short, has no end or is
//! broken gives an error; what is on the picture then is undefined.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{MAX_SIDE, Picture, PictureError};

/// Why a frame is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// Of a size, or a length for its size, that can't be.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A JPEG without its end marker: cut off on the way.
    #[error("the JPEG has no end")]
    NoEnd,
    /// A JPEG that can't be decoded.
    #[error("the JPEG is broken: {0}")]
    Jpeg(String),
    /// A JPEG in colours that no camera has.
    #[error("the JPEG is in colours that are not taken")]
    Colours,
}

/// The frame without what the driver's buffer has behind it.
fn cut(frame: &[u8], expected: usize) -> Result<&[u8], PictureError> {
    frame.get(..expected).ok_or(PictureError::Length { expected, given: frame.len() })
}

/// Paints a YUYV frame: for two samples beside each other luma, blue, luma, red. Two rows share the mean of their
/// colours. Bytes behind the frame are ignored.
///
/// # Errors
/// [`ConvertError::Picture`].
pub fn yuyv(frame: &[u8], width: u32, height: u32, picture: &mut Picture) -> Result<(), ConvertError> {
    picture.resize(width, height)?;
    let width = width as usize;
    let frame = cut(frame, 2 * width * height as usize)?;
    let [luma, blue, red] = picture.planes_mut();
    let pairs = frame.chunks_exact(4 * width).zip(luma.chunks_exact_mut(2 * width));
    let colours = blue.chunks_exact_mut(width / 2).zip(red.chunks_exact_mut(width / 2));
    for ((rows, luma), (blue, red)) in pairs.zip(colours) {
        for (to, from) in luma.chunks_exact_mut(2).zip(rows.chunks_exact(4)) {
            to.copy_from_slice(&[from[0], from[2]]);
        }
        let (upper, lower) = rows.split_at(2 * width);
        let both = upper.chunks_exact(4).zip(lower.chunks_exact(4));
        for ((upper, lower), (blue, red)) in both.zip(blue.iter_mut().zip(red)) {
            *blue = mean(upper[1], lower[1]);
            *red = mean(upper[3], lower[3]);
        }
    }
    Ok(())
}

const fn mean(a: u8, b: u8) -> u8 {
    // At most 255.
    (a as u16 + b as u16).div_ceil(2) as u8
}

/// Paints an NV12 frame: the plane of luma, then one of blue and red in turn. Bytes behind the frame are ignored.
///
/// # Errors
/// [`ConvertError::Picture`].
pub fn nv12(frame: &[u8], width: u32, height: u32, picture: &mut Picture) -> Result<(), ConvertError> {
    picture.resize(width, height)?;
    let samples = width as usize * height as usize;
    let (from, colours) = cut(frame, samples / 2 * 3)?.split_at(samples);
    let [luma, blue, red] = picture.planes_mut();
    luma.copy_from_slice(from);
    for (from, (blue, red)) in colours.chunks_exact(2).zip(blue.iter_mut().zip(red)) {
        [*blue, *red] = [from[0], from[1]];
    }
    Ok(())
}

/// The JPEG in a driver's buffer: up to and with its end marker (ITU-T T.81, B.1.1.3), which nothing that is coded
/// can contain. `None`: it has none.
pub fn up_to_end(frame: &[u8]) -> Option<&[u8]> {
    // Padding is zeros or the rest of an older, longer frame; the first end is that of this one. Thumbnails, which
    // have one too, are in no camera's stream.
    let end = frame.windows(2).position(|pair| pair == [0xFF, 0xD9])?;
    frame.get(..end + 2)
}

/// Decodes JPEG frames, and keeps its memory from one to the next.
#[derive(Debug)]
pub struct Jpeg {
    /// Samples as the decoder gives them: luma, blue and red of each place, or luma alone.
    samples: Vec<u8>,
    /// Luma, and colour, of the full range in the limited one.
    limited: [[u8; 256]; 2],
}

impl Default for Jpeg {
    fn default() -> Self {
        Self::new()
    }
}

impl Jpeg {
    /// A decoder.
    pub fn new() -> Self {
        // JFIF, 7: values go from 0 to 255. BT.601-7, 2.5.3: luma has 219 steps above 16, colour 224 around 128.
        let table = |spread: i32, low: i32| {
            std::array::from_fn(|value| (low + (spread * value as i32 + 127) / 255).clamp(0, 255) as u8)
        };
        Self { samples: Vec::new(), limited: [table(219, 16), table(224, 16)] }
    }

    /// Paints a JPEG frame of any subsampling, in colour or in grey, at the size that it has. A picture of odd sides
    /// loses its last column or row. Bytes behind the end marker are ignored.
    ///
    /// # Errors
    /// [`ConvertError`]. What was coded badly is an error too: a broken picture is never given out.
    pub fn decode(&mut self, frame: &[u8], picture: &mut Picture) -> Result<(), ConvertError> {
        let frame = up_to_end(frame).ok_or(ConvertError::NoEnd)?;
        let side = MAX_SIDE as usize;
        let options =
            DecoderOptions::default().set_max_width(side).set_max_height(side).set_strict_mode(true);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(frame), options);
        decoder.decode_headers().map_err(|error| ConvertError::Jpeg(format!("{error:?}")))?;
        let colours = decoder.input_colorspace().ok_or(ConvertError::Colours)?;
        let depth = match colours {
            ColorSpace::YCbCr => 3,
            ColorSpace::Luma => 1,
            _ => return Err(ConvertError::Colours),
        };
        decoder.set_options(options.jpeg_set_out_colorspace(colours));
        let info = decoder.info().ok_or(ConvertError::Colours)?;
        picture.resize(u32::from(info.width) & !1, u32::from(info.height) & !1)?;
        let width = usize::from(info.width);
        self.samples.resize(width * usize::from(info.height) * depth, 0);
        decoder.decode_into(&mut self.samples).map_err(|error| ConvertError::Jpeg(format!("{error:?}")))?;
        if depth == 3 {
            self.paint(width, picture);
        } else {
            self.paint_grey(width, picture);
        }
        Ok(())
    }

    fn paint(&self, width: usize, picture: &mut Picture) {
        let [of_luma, of_colour] = &self.limited;
        let even = width & !1;
        let [luma, blue, red] = picture.planes_mut();
        let rows = self.samples.chunks_exact(2 * 3 * width).zip(luma.chunks_exact_mut(2 * even));
        let colours = blue.chunks_exact_mut(even / 2).zip(red.chunks_exact_mut(even / 2));
        for ((rows, luma), (blue, red)) in rows.zip(colours) {
            let (upper, lower) = rows.split_at(3 * width);
            for (row, luma) in [upper, lower].into_iter().zip(luma.chunks_exact_mut(even)) {
                for (from, to) in row.chunks_exact(3).zip(luma) {
                    *to = of_luma[usize::from(from[0])];
                }
            }
            let both = upper.chunks_exact(6).zip(lower.chunks_exact(6));
            for ((upper, lower), (blue, red)) in both.zip(blue.iter_mut().zip(red)) {
                let mean = |at: usize| {
                    let sum = [upper[at], upper[at + 3], lower[at], lower[at + 3]].map(usize::from);
                    of_colour[(sum.iter().sum::<usize>() + 2) / 4]
                };
                (*blue, *red) = (mean(1), mean(2));
            }
        }
    }

    fn paint_grey(&self, width: usize, picture: &mut Picture) {
        let even = width & !1;
        let [luma, blue, red] = picture.planes_mut();
        for (row, luma) in self.samples.chunks_exact(width).zip(luma.chunks_exact_mut(even)) {
            for (from, to) in row.iter().zip(luma) {
                *to = self.limited[0][usize::from(*from)];
            }
        }
        blue.fill(128);
        red.fill(128);
    }
}

#[cfg(test)]
mod tests;
