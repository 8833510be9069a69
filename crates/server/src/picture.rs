//! Profile pictures: whatever was uploaded becomes a small JPEG of our own.
//!
//! The kind is told by the first bytes, never by what the upload says of itself. A picture's sides are read and
//! checked before a pixel is decoded, and decoders get a limit for their memory: a few bytes can claim to be many
//! gigabytes. Nothing of the upload but its pixels is kept, so no place, no camera and no name travels with it.

use std::io::Cursor;

use carillon_wire::limits::{MAX_PICTURE_SIDE, PICTURE_SIDE};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

/// Most memory a decoder may take: 4096 × 4096 pixels of 4 bytes, and some to work with.
const MAX_DECODER_BYTES: u64 = 96 << 20;

const JPEG_QUALITY: u8 = 85;

/// Why a picture is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// Not a PNG, JPEG or WebP picture, or a broken one.
    #[error("not a picture that can be read")]
    Invalid,
    /// Too many pixels.
    #[error("too many pixels")]
    TooLarge,
}

impl From<ImageError> for PictureError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Limits(_) => Self::TooLarge,
            _ => Self::Invalid,
        }
    }
}

/// The middle of a picture, upright, as a JPEG of [`PICTURE_SIDE`] × [`PICTURE_SIDE`] pixels on white. Takes up to a
/// second of one core: not for an async task.
///
/// # Errors
/// [`PictureError`], without having decoded a picture that is too large.
pub fn normalise(bytes: &[u8]) -> Result<Vec<u8>, PictureError> {
    let (picture, orientation) = decode(bytes)?;
    let mut square = crop(&picture).resize_exact(PICTURE_SIDE, PICTURE_SIDE, FilterType::CatmullRom);
    square.apply_orientation(orientation);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY).encode_image(&on_white(&square))?;
    Ok(jpeg)
}

fn decode(bytes: &[u8]) -> Result<(DynamicImage, Orientation), PictureError> {
    let format = image::guess_format(bytes).map_err(|_| PictureError::Invalid)?;
    if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP) {
        return Err(PictureError::Invalid);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_PICTURE_SIDE);
    limits.max_image_height = Some(MAX_PICTURE_SIDE);
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(PictureError::Invalid);
    }
    limits.check_dimensions(width, height)?;
    limits.reserve(decoder.total_bytes())?;
    decoder.set_limits(limits)?;
    // A broken orientation is no reason to refuse the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((DynamicImage::from_decoder(decoder)?, orientation))
}

/// The largest square around the middle; it stays the same square however the picture is turned.
fn crop(picture: &DynamicImage) -> DynamicImage {
    let side = picture.width().min(picture.height());
    picture.crop_imm((picture.width() - side) / 2, (picture.height() - side) / 2, side, side)
}

/// JPEG has no transparency: what is transparent becomes white.
fn on_white(picture: &DynamicImage) -> DynamicImage {
    let pixels = picture.to_rgba8();
    let mut flat = RgbImage::new(pixels.width(), pixels.height());
    for (to, from) in flat.pixels_mut().zip(pixels.pixels()) {
        let [red, green, blue, alpha] = from.0.map(u16::from);
        to.0 = [red, green, blue].map(|colour| {
            let mixed = (colour * alpha + 255 * (255 - alpha) + 127) / 255;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        });
    }
    flat.into()
}

#[cfg(test)]
mod tests {
    use image::{Rgba, RgbaImage};

    use super::*;

    fn encoded(picture: &RgbaImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        match format {
            ImageFormat::Jpeg => DynamicImage::from(picture.clone()).to_rgb8().write_to(&mut bytes, format),
            _ => picture.write_to(&mut bytes, format),
        }
        .unwrap();
        bytes.into_inner()
    }

    /// A PNG that says it has these sides and has no pixels.
    fn claimed(width: u32, height: u32) -> Vec<u8> {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        png.extend(width.to_be_bytes());
        png.extend(height.to_be_bytes());
        png.extend([8, 6, 0, 0, 0]);
        let crc = png[12..].iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(
                crc ^ u32::from(byte),
                |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
            )
        });
        png.extend((!crc).to_be_bytes());
        png.extend(b"\0\0\0\x01IDAT\0\0\0\0\0");
        png
    }

    #[test]
    fn every_kind_becomes_a_small_jpeg() {
        let picture = RgbaImage::from_pixel(40, 30, Rgba([200, 100, 50, 255]));
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let jpeg = normalise(&encoded(&picture, format)).unwrap();
            assert_eq!(image::guess_format(&jpeg).unwrap(), ImageFormat::Jpeg);
            let decoded = image::load_from_memory(&jpeg).unwrap().to_rgb8();
            assert_eq!(decoded.dimensions(), (PICTURE_SIDE, PICTURE_SIDE));
            let [red, green, blue] = decoded.get_pixel(128, 128).0.map(i32::from);
            assert!((red - 200).abs() < 8 && (green - 100).abs() < 8 && (blue - 50).abs() < 8, "{format:?}");
        }
    }

    #[test]
    fn the_middle_is_kept_and_what_is_transparent_is_white() {
        let picture = RgbaImage::from_fn(300, 100, |x, _| match x {
            0..100 => Rgba([255, 0, 0, 255]),
            100..200 => Rgba([0, 0, 0, 0]),
            _ => Rgba([0, 0, 255, 255]),
        });
        let decoded =
            image::load_from_memory(&normalise(&encoded(&picture, ImageFormat::Png)).unwrap()).unwrap();
        for (x, y) in [(40, 40), (128, 128), (215, 215)] {
            assert!(decoded.to_rgb8().get_pixel(x, y).0.iter().all(|&colour| colour > 245));
        }
    }

    #[test]
    fn a_picture_that_was_taken_sideways_is_turned_upright_and_loses_its_exif() {
        let picture =
            RgbaImage::from_fn(64, 64, |_, y| if y < 32 { Rgba([255; 4]) } else { Rgba([0, 0, 0, 255]) });
        let mut jpeg = encoded(&picture, ImageFormat::Jpeg);
        // Orientation 6: turn it by 90° clockwise (TIFF tag 0x0112).
        let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        let segment = [&[0xff, 0xe1], &length[..], exif].concat();
        jpeg.splice(2..2, segment);
        let upright = normalise(&jpeg).unwrap();
        assert!(!upright.windows(4).any(|window| window == b"Exif"));
        let decoded = image::load_from_memory(&upright).unwrap().to_luma8();
        assert!(decoded.get_pixel(230, 128).0[0] > 200, "what was above is now at the right");
        assert!(decoded.get_pixel(20, 128).0[0] < 50);
    }

    #[test]
    fn bombs_are_refused_before_they_are_decoded() {
        assert_eq!(normalise(&claimed(100_000, 100_000)), Err(PictureError::TooLarge));
        assert_eq!(normalise(&claimed(MAX_PICTURE_SIDE + 1, 1)), Err(PictureError::TooLarge));
        assert_eq!(normalise(&claimed(u32::MAX, u32::MAX)), Err(PictureError::TooLarge));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let whole = encoded(&RgbaImage::new(64, 64), ImageFormat::Png);
        let gif = b"GIF89a\x01\0\x01\0\0\0\0;";
        for bytes in [&b""[..], b"hello", gif, &whole[..20], &whole[..whole.len() / 2], &claimed(16, 16)] {
            assert_eq!(normalise(bytes), Err(PictureError::Invalid));
        }
    }
}
