//! Pictures, turned.

use super::{Picture, Rotation};

/// So many samples by so many at a time, so that what is read and what is written both stay in the cache.
const TILE: usize = 32;

/// Fills `to` with what is on `from`, turned clockwise by `rotation`. The size of `to` follows; its memory is used again.
pub fn rotate(from: &Picture, rotation: Rotation, to: &mut Picture) {
    let (width, height) = rotation.size(from.width(), from.height());
    let fits = to.resize(width, height);
    debug_assert!(fits.is_ok(), "a size that is turned is one too: {fits:?}");
    let width = from.width() as usize;
    for ((from, to), width) in
        from.planes().into_iter().zip(to.planes_mut()).zip([width, width / 2, width / 2])
    {
        turn(from, width, rotation, to);
    }
}

impl Rotation {
    /// The size of a picture of this width and height after the turn.
    pub const fn size(self, width: u32, height: u32) -> (u32, u32) {
        match self {
            Self::None | Self::Half => (width, height),
            Self::Quarter | Self::ThreeQuarters => (height, width),
        }
    }
}

/// Turns a plane whose rows are `width` long into one of as many samples.
fn turn(from: &[u8], width: usize, rotation: Rotation, to: &mut [u8]) {
    match rotation {
        Rotation::None => to.copy_from_slice(from),
        Rotation::Half => to.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = *from),
        Rotation::Quarter => transpose(from, width, to, |column, row, height| (column, height - 1 - row)),
        Rotation::ThreeQuarters => transpose(from, width, to, |column, row, _| (width - 1 - column, row)),
    }
}

/// Writes the sample of each column and row to the row and column that `place` says, of rows as long as `from` is high.
fn transpose(
    from: &[u8],
    width: usize,
    to: &mut [u8],
    place: impl Fn(usize, usize, usize) -> (usize, usize),
) {
    let height = from.len() / width;
    for top in (0..height).step_by(TILE) {
        for left in (0..width).step_by(TILE) {
            let right = (left + TILE).min(width);
            for row in top..(top + TILE).min(height) {
                let samples = &from[row * width + left..row * width + right];
                for (column, sample) in (left..right).zip(samples) {
                    let (row, column) = place(column, row, height);
                    to[row * height + column] = *sample;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbered(width: u32, height: u32) -> Picture {
        let mut picture = Picture::black(width, height).unwrap();
        for plane in picture.planes_mut() {
            plane.iter_mut().enumerate().for_each(|(at, sample)| *sample = (at * 7 % 251) as u8);
        }
        picture
    }

    fn turned(from: &Picture, rotation: Rotation) -> Picture {
        let mut to = Picture::black(2, 2).unwrap();
        rotate(from, rotation, &mut to);
        to
    }

    #[test]
    fn a_turn_goes_clockwise() {
        let from = Picture::new(4, 2, vec![1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 20, 21]).unwrap();
        let quarter = turned(&from, Rotation::Quarter);
        assert_eq!((quarter.width(), quarter.height()), (2, 4));
        assert_eq!(quarter.data(), [5, 1, 6, 2, 7, 3, 8, 4, 10, 11, 20, 21]);
        let half = turned(&from, Rotation::Half);
        assert_eq!(half.data(), [8, 7, 6, 5, 4, 3, 2, 1, 11, 10, 21, 20]);
        let three = turned(&from, Rotation::ThreeQuarters);
        assert_eq!(three.data(), [4, 8, 3, 7, 2, 6, 1, 5, 11, 10, 21, 20]);
        assert_eq!(turned(&from, Rotation::None), from);
    }

    proptest! {
        #[test]
        fn turns_add_up(width in 1..80_u32, height in 1..80_u32) {
            let from = numbered(2 * width, 2 * height);
            let quarter = turned(&from, Rotation::Quarter);
            let half = turned(&quarter, Rotation::Quarter);
            prop_assert_eq!(&half, &turned(&from, Rotation::Half));
            prop_assert_eq!(&turned(&half, Rotation::Quarter), &turned(&from, Rotation::ThreeQuarters));
            prop_assert_eq!(turned(&quarter, Rotation::ThreeQuarters), from);
        }
    }
}
