//! Other sizes of a picture.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeError, ResizeOptions, Resizer};

use super::Picture;

/// Scales pictures; keeps the memory that takes.
pub struct Scaler {
    resizer: Resizer,
    options: ResizeOptions,
}

impl Default for Scaler {
    fn default() -> Self {
        Self::new()
    }
}

impl Scaler {
    /// One that has scaled nothing yet.
    pub fn new() -> Self {
        // Every pixel counts, so that fine patterns don't shimmer.
        let alg = ResizeAlg::Convolution(FilterType::Bilinear);
        Self { resizer: Resizer::new(), options: ResizeOptions::new().resize_alg(alg).use_alpha(false) }
    }

    /// Fills `to`, of the size that it has, with what is on `from`.
    pub fn scale(&mut self, from: &Picture, to: &mut Picture) {
        let sides = |picture: &Picture| {
            let (width, height) = (picture.width(), picture.height());
            [(width, height), (width / 2, height / 2), (width / 2, height / 2)]
        };
        let (from_sides, to_sides) = (sides(from), sides(to));
        for (((from, (from_width, from_height)), to), (to_width, to_height)) in
            from.planes().into_iter().zip(from_sides).zip(to.planes_mut()).zip(to_sides)
        {
            let scaled = self.plane((from, from_width, from_height), (to, to_width, to_height));
            debug_assert!(scaled.is_ok(), "planes are as long as their sides say: {scaled:?}");
        }
    }

    fn plane(
        &mut self,
        (from, from_width, from_height): (&[u8], u32, u32),
        (to, to_width, to_height): (&mut [u8], u32, u32),
    ) -> Result<(), ResizeError> {
        let Ok(from) = ImageRef::new(from_width, from_height, from, PixelType::U8) else { return Ok(()) };
        let Ok(mut to) = Image::from_slice_u8(to_width, to_height, to, PixelType::U8) else { return Ok(()) };
        self.resizer.resize(&from, &mut to, &self.options)
    }
}

impl std::fmt::Debug for Scaler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scaler")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Luma rises from left to right, one colour from top to bottom.
    fn slope(width: u32, height: u32) -> Picture {
        let mut picture = Picture::black(width, height).unwrap();
        let [luma, blue, _] = picture.planes_mut();
        for (at, sample) in (0..).zip(luma.iter_mut()) {
            *sample = (20 + 200 * (at % width) / width) as u8;
        }
        for (at, sample) in (0..).zip(blue.iter_mut()) {
            *sample = (40 + 150 * (at / (width / 2)) / (height / 2)) as u8;
        }
        picture
    }

    #[test]
    fn what_is_to_be_seen_stays_at_its_place() {
        let from = slope(1280, 720);
        let mut scaler = Scaler::new();
        for (width, height) in [(640, 360), (320, 180), (1920, 1080), (480, 270), (1280, 720)] {
            let mut to = Picture::black(width, height).unwrap();
            scaler.scale(&from, &mut to);
            let expected = slope(width, height);
            for (one, other) in to.planes().into_iter().zip(expected.planes()) {
                let most = one.iter().zip(other).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                assert!(most <= 3, "{width} × {height}: {most}");
            }
        }
    }

    #[test]
    fn fine_stripes_become_grey_instead_of_shimmering() {
        let mut from = Picture::black(640, 360).unwrap();
        for (at, sample) in from.planes_mut()[0].iter_mut().enumerate() {
            *sample = if at % 2 == 0 { 40 } else { 200 };
        }
        let mut to = Picture::black(160, 90).unwrap();
        Scaler::new().scale(&from, &mut to);
        assert!(to.planes()[0].iter().all(|sample| sample.abs_diff(120) < 12));
    }
}
