//! A picture as cameras give it to the codecs and decoders to the screen: I420.
//!
//! Three planes, one after the other in one piece of memory: luma, then the two colour planes of half the width and
//! half the height. Values are those of BT.601 in its limited range (16 to 235), as cameras and browsers have them.

pub mod bar_code;
pub mod convert;
mod pool;
mod rotate;
mod scale;

pub use pool::PicturePool;
pub use rotate::rotate;
pub use scale::Scaler;

/// The longest side of a picture that anything here takes, in pixels.
pub const MAX_SIDE: u32 = 4_096;

/// What is wrong with a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// A side is odd, zero, or longer than [`MAX_SIDE`].
    #[error("{width} × {height} is not the size of a picture")]
    Size {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// The bytes are fewer or more than a picture of that size has.
    #[error("a picture of this size has {expected} bytes, not {given}")]
    Length {
        /// What the size asks for.
        expected: usize,
        /// What was there.
        given: usize,
    },
}

/// Clockwise turn that a picture needs before it is shown upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Rotation {
    /// Upright as it is.
    #[default]
    None,
    /// A quarter turn, clockwise.
    Quarter,
    /// A half turn.
    Half,
    /// Three quarters, clockwise.
    ThreeQuarters,
}

/// An I420 picture. Both sides are even.
#[derive(PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    data: Vec<u8>,
}

impl Clone for Picture {
    fn clone(&self) -> Self {
        Self { width: self.width, height: self.height, data: self.data.clone() }
    }

    /// Without taking memory anew where there is enough.
    fn clone_from(&mut self, from: &Self) {
        (self.width, self.height) = (from.width, from.height);
        self.data.clone_from(&from.data);
    }
}

impl std::fmt::Debug for Picture {
    /// Without what is to be seen on it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picture").field("width", &self.width).field("height", &self.height).finish()
    }
}

impl Picture {
    /// The smallest there is.
    pub(crate) fn least() -> Self {
        Self { width: 2, height: 2, data: vec![16, 16, 16, 16, 128, 128] }
    }

    /// A black one.
    ///
    /// # Errors
    /// [`PictureError::Size`].
    pub fn black(width: u32, height: u32) -> Result<Self, PictureError> {
        let (luma, chroma) = lengths(width, height)?;
        let mut data = vec![16; luma];
        data.resize(luma + 2 * chroma, 128);
        Ok(Self { width, height, data })
    }

    /// One of these bytes: the planes one after the other, without gaps.
    ///
    /// # Errors
    /// [`PictureError`].
    pub fn new(width: u32, height: u32, data: Vec<u8>) -> Result<Self, PictureError> {
        let (luma, chroma) = lengths(width, height)?;
        let expected = luma + 2 * chroma;
        if data.len() != expected {
            return Err(PictureError::Length { expected, given: data.len() });
        }
        Ok(Self { width, height, data })
    }

    /// Changes the size. What is on it afterwards is undefined; the memory is used again where it is enough.
    ///
    /// # Errors
    /// [`PictureError::Size`]; the picture is as before.
    pub fn resize(&mut self, width: u32, height: u32) -> Result<(), PictureError> {
        let (luma, chroma) = lengths(width, height)?;
        self.data.resize(luma + 2 * chroma, 128);
        (self.width, self.height) = (width, height);
        Ok(())
    }

    /// In pixels, even.
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// In pixels, even.
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// All three planes, one after the other.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Luma, and the two colours, each row after row without gaps.
    pub fn planes(&self) -> [&[u8]; 3] {
        let (luma, chroma) = self.split();
        let (y, rest) = self.data.split_at(luma);
        let (u, v) = rest.split_at(chroma);
        [y, u, v]
    }

    /// The planes, to be painted.
    pub fn planes_mut(&mut self) -> [&mut [u8]; 3] {
        let (luma, chroma) = self.split();
        let (y, rest) = self.data.split_at_mut(luma);
        let (u, v) = rest.split_at_mut(chroma);
        [y, u, v]
    }

    const fn split(&self) -> (usize, usize) {
        let luma = self.width as usize * self.height as usize;
        (luma, luma / 4)
    }
}

fn lengths(width: u32, height: u32) -> Result<(usize, usize), PictureError> {
    let fits = |side: u32| (2..=MAX_SIDE).contains(&side) && side.is_multiple_of(2);
    if !fits(width) || !fits(height) {
        return Err(PictureError::Size { width, height });
    }
    let luma = width as usize * height as usize;
    Ok((luma, luma / 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_even_sides_within_bounds() {
        for (width, height) in [(0, 2), (2, 0), (3, 2), (2, 5), (MAX_SIDE + 2, 2), (u32::MAX, u32::MAX)] {
            assert_eq!(Picture::black(width, height), Err(PictureError::Size { width, height }));
        }
        assert!(Picture::black(MAX_SIDE, MAX_SIDE).is_ok());
    }

    #[test]
    fn its_planes_cover_its_bytes() {
        let picture = Picture::black(6, 4).unwrap();
        let [y, u, v] = picture.planes();
        assert_eq!((y.len(), u.len(), v.len()), (24, 6, 6));
        assert_eq!([y, u, v].concat(), picture.data());
        assert_eq!(Picture::new(6, 4, vec![0; 35]), Err(PictureError::Length { expected: 36, given: 35 }));
    }

    #[test]
    fn a_picture_that_can_not_be_resized_stays_as_it_is() {
        let mut picture = Picture::black(6, 4).unwrap();
        assert!(picture.resize(5, 4).is_err());
        assert_eq!(picture, Picture::black(6, 4).unwrap());
        picture.resize(8, 2).unwrap();
        assert_eq!(picture.data().len(), 24);
    }
}
