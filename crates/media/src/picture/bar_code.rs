//! A number and a time that a picture carries through scaling and coding, so that a test reads off the other end which
//! frame it sees and how old it is.
//!
//! Two rows of blocks in the top eighth, dark and bright, luma alone: 4 that never change, 24 of the number, 40 of the
//! time, 8 of a check.

use super::Picture;

const COLUMNS: usize = 38;
const ROWS: usize = 2;
const BITS: usize = COLUMNS * ROWS;
/// Each row is so much of the height.
const ROW_OF_HEIGHT: usize = 16;
const DARK: u8 = 32;
const BRIGHT: u8 = 220;
const FIXED: u128 = 0b1010;
const NUMBER_BITS: usize = 24;
const TIME_BITS: usize = 40;

/// What the bar code of a picture says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Of the frame, modulo 2²⁴.
    pub number: u32,
    /// When it was drawn, in microseconds, modulo 2⁴⁰ (12 days).
    pub micros: u64,
}

impl Mark {
    /// How many microseconds after this was drawn `micros` is, where both count from the same start.
    pub const fn age_at(self, micros: u64) -> u64 {
        micros.wrapping_sub(self.micros) & ((1 << TIME_BITS) - 1)
    }

    fn bits(self) -> u128 {
        let number = u128::from(self.number & ((1 << NUMBER_BITS) - 1));
        let micros = u128::from(self.micros & ((1 << TIME_BITS) - 1));
        let body = number << TIME_BITS | micros;
        FIXED << (BITS - 4) | body << 8 | u128::from(check(body))
    }

    fn of(bits: u128) -> Option<Self> {
        let body = bits >> 8 & ((1 << (NUMBER_BITS + TIME_BITS)) - 1);
        if bits >> (BITS - 4) != FIXED || bits & 0xFF != u128::from(check(body)) {
            return None;
        }
        // Cut to their bits.
        let number = (body >> TIME_BITS) as u32;
        let micros = (body & ((1 << TIME_BITS) - 1)) as u64;
        Some(Self { number, micros })
    }
}

/// CRC-8 of the 64 bits (polynomial x⁸ + x² + x + 1: ITU-T I.432.1, section 4.3.2).
fn check(body: u128) -> u8 {
    let mut sum = 0u8;
    for byte in (body as u64).to_be_bytes() {
        sum ^= byte;
        for _ in 0..8 {
            sum = if sum & 0x80 != 0 { sum << 1 ^ 0x07 } else { sum << 1 };
        }
    }
    sum
}

/// Paints the bar code over the top eighth of a picture.
pub fn draw(picture: &mut Picture, mark: Mark) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let bits = mark.bits();
    let [luma, blue, red] = picture.planes_mut();
    for row in 0..ROWS {
        let mut line = vec![0; width];
        for (x, sample) in line.iter_mut().enumerate() {
            let cell = row * COLUMNS + x * COLUMNS / width;
            *sample = if bits >> (BITS - 1 - cell) & 1 == 1 { BRIGHT } else { DARK };
        }
        let rows = row * height / ROW_OF_HEIGHT..(row + 1) * height / ROW_OF_HEIGHT;
        for to in luma.chunks_exact_mut(width).skip(rows.start).take(rows.len()) {
            to.copy_from_slice(&line);
        }
    }
    let grey = (width / 2) * (ROWS * height / ROW_OF_HEIGHT / 2);
    for plane in [blue, red] {
        plane.iter_mut().take(grey).for_each(|sample| *sample = 128);
    }
}

/// Reads the bar code. `None`: there is none, or not all of it can be told.
pub fn read(picture: &Picture) -> Option<Mark> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let [luma, ..] = picture.planes();
    let mut bits = 0u128;
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            // The middle half of the block: edges are smeared.
            let across = |quarter: usize| (4 * column + quarter) * width / (4 * COLUMNS);
            let down = |quarter: usize| (4 * row + quarter) * height / (4 * ROW_OF_HEIGHT);
            let (left, right) = (across(1), across(3).max(across(1) + 1));
            let (top, bottom) = (down(1), down(3).max(down(1) + 1));
            let (mut sum, mut count) = (0u32, 0u32);
            for line in luma.chunks_exact(width).take(bottom).skip(top) {
                let block = line.get(left..right)?;
                sum += block.iter().map(|sample| u32::from(*sample)).sum::<u32>();
                count += u32::try_from(block.len()).ok()?;
            }
            bits = bits << 1 | u128::from(sum / count.max(1) > u32::from(DARK / 2 + BRIGHT / 2));
        }
    }
    Mark::of(bits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::picture::Scaler;

    const MARK: Mark = Mark { number: 0xA5_5A_3C, micros: 0x12_3456_789A };

    #[test]
    fn what_is_drawn_is_read_at_any_size() {
        for (width, height) in [(1280, 720), (640, 360), (320, 180), (160, 120), (1920, 1080)] {
            let mut picture = Picture::black(width, height).unwrap();
            draw(&mut picture, MARK);
            assert_eq!(read(&picture), Some(MARK), "{width} × {height}");
        }
    }

    #[test]
    fn it_survives_scaling_noise_and_a_dull_picture() {
        let mut picture = Picture::black(1280, 720).unwrap();
        draw(&mut picture, MARK);
        let mut small = Picture::black(320, 180).unwrap();
        for y in 0..180 {
            for x in 0..320 {
                let bright = u32::from(picture.planes()[0][y * 4 * 1280 + x * 4]);
                let noise = ((x * 31 + y * 17) % 41) as u32;
                small.planes_mut()[0][y * 320 + x] = (bright * 6 / 10 + 30 + noise) as u8;
            }
        }
        assert_eq!(read(&small), Some(MARK));
    }

    #[test]
    fn a_picture_without_one_says_nothing() {
        assert_eq!(read(&Picture::black(1280, 720).unwrap()), None);
        let mut picture = Picture::black(1280, 720).unwrap();
        draw(&mut picture, MARK);
        // One block turned round.
        for line in picture.planes_mut()[0].chunks_exact_mut(1280).take(45) {
            line[340..365].iter_mut().for_each(|sample| *sample = 255 - *sample);
        }
        assert_eq!(read(&picture), None);
        assert_eq!(read(&Picture::black(2, 2).unwrap()), None);
    }

    #[test]
    fn age_is_told_across_the_end_of_the_count() {
        let mark = Mark { number: 0, micros: (1 << TIME_BITS) - 10 };
        assert_eq!(mark.age_at(5), 15);
        assert_eq!(mark.age_at((1 << 50) + 5), 15);
    }

    /// The mean of the places at most `reach` to the left and to the right.
    fn blur(picture: &mut Picture, reach: usize) {
        let width = picture.width() as usize;
        for row in picture.planes_mut()[0].chunks_exact_mut(width) {
            let sharp = row.to_vec();
            for (x, sample) in row.iter_mut().enumerate() {
                let around = &sharp[x.saturating_sub(reach)..(x + reach + 1).min(width)];
                *sample = (around.iter().map(|s| usize::from(*s)).sum::<usize>() / around.len()) as u8;
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn scaled_blurred_and_noisy_it_is_read_right_or_not_at_all(
            number in any::<u32>(), micros in any::<u64>(), reach in 0..4usize, noise in 0..70i16, seed in any::<u64>(),
        ) {
            let mark = Mark { number, micros };
            let read_back = Mark::of(mark.bits()).unwrap();
            let mut picture = Picture::black(1280, 720).unwrap();
            draw(&mut picture, mark);
            let mut small = Picture::black(320, 180).unwrap();
            Scaler::new().scale(&picture, &mut small);
            blur(&mut small, reach);
            let mut state = seed | 1;
            for sample in small.planes_mut()[0].iter_mut() {
                // Xorshift (Marsaglia, 2003).
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let off = (state >> 40) as i16 % (noise + 1);
                *sample = (i16::from(*sample) + off).clamp(0, 255) as u8;
            }
            let found = read(&small);
            prop_assert!(found.is_none() || found == Some(read_back));
            if reach < 3 {
                prop_assert_eq!(found, Some(read_back));
            }
        }
    }
}
