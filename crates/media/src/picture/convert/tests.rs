use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;

use super::*;

const WIDTH: u32 = 48;
const HEIGHT: u32 = 32;

/// Luma rises to the right, blue downwards, red falls to the right.
fn at(x: usize, y: usize) -> [u8; 3] {
    [(20 + 4 * x) as u8, (60 + 4 * (y / 2)) as u8, (200 - 4 * (x / 2)) as u8]
}

fn is_near(picture: &Picture, expected: impl Fn(usize, usize) -> [u8; 3], tolerance: u8) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let [luma, blue, red] = picture.planes();
    for y in 0..height {
        for x in 0..width {
            let colour = y / 2 * (width / 2) + x / 2;
            let found = [luma[y * width + x], blue[colour], red[colour]];
            let wanted = expected(x, y);
            for (found, wanted) in found.iter().zip(wanted) {
                assert!(found.abs_diff(wanted) <= tolerance, "at {x}, {y}: {found} for {wanted}");
            }
        }
    }
}

fn places() -> impl Iterator<Item = (usize, usize)> {
    (0..HEIGHT as usize).flat_map(|y| (0..WIDTH as usize).map(move |x| (x, y)))
}

/// The values of [`at`] as those of a JPEG: in the full range.
fn full(x: usize, y: usize) -> [u8; 3] {
    let [luma, blue, red] = at(x, y).map(f64::from);
    let spread = |value: f64| ((value - 128.0) * 255.0 / 224.0 + 127.5) as u8;
    [((luma - 16.0) * 255.0 / 219.0).round() as u8, spread(blue), spread(red)]
}

fn jpeg(sampling: SamplingFactor) -> Vec<u8> {
    let mut coded = Vec::new();
    let mut encoder = Encoder::new(&mut coded, 95);
    encoder.set_sampling_factor(sampling);
    let samples: Vec<u8> = places().flat_map(|(x, y)| full(x, y)).collect();
    encoder.encode(&samples, WIDTH as u16, HEIGHT as u16, ColorType::Ycbcr).unwrap();
    coded
}

#[test]
fn a_packed_frame_becomes_planes() {
    let frame: Vec<u8> = places()
        .flat_map(|(x, y)| {
            let [luma, blue, red] = at(x, y);
            [luma, if x % 2 == 0 { blue } else { red }]
        })
        .collect();
    let mut picture = Picture::least();
    yuyv(&frame, WIDTH, HEIGHT, &mut picture).unwrap();
    is_near(&picture, at, 0);
}

#[test]
fn an_interleaved_frame_becomes_planes() {
    let mut frame: Vec<u8> = places().map(|(x, y)| at(x, y)[0]).collect();
    for y in (0..HEIGHT as usize).step_by(2) {
        frame.extend((0..WIDTH as usize).step_by(2).flat_map(|x| [at(x, y)[1], at(x, y)[2]]));
    }
    let mut picture = Picture::least();
    nv12(&frame, WIDTH, HEIGHT, &mut picture).unwrap();
    is_near(&picture, at, 0);
}

#[test]
fn what_lies_behind_a_frame_in_its_buffer_is_ignored() {
    let frame = vec![77; 4 * 4 * 2 + 4096];
    let mut picture = Picture::least();
    yuyv(&frame, 4, 4, &mut picture).unwrap();
    assert_eq!(picture.data(), [77; 24]);
    nv12(&frame, 4, 4, &mut picture).unwrap();
    assert_eq!(picture.data(), [77; 24]);
}

#[test]
fn a_short_frame_is_refused() {
    let mut picture = Picture::least();
    let short = ConvertError::Picture(PictureError::Length { expected: 32, given: 31 });
    assert_eq!(yuyv(&[0; 31], 4, 4, &mut picture), Err(short));
    let short = ConvertError::Picture(PictureError::Length { expected: 24, given: 23 });
    assert_eq!(nv12(&[0; 23], 4, 4, &mut picture), Err(short));
}

#[test]
fn a_jpeg_of_any_subsampling_comes_into_the_limited_range() {
    for sampling in [SamplingFactor::R_4_2_0, SamplingFactor::R_4_2_2, SamplingFactor::R_4_4_4] {
        let mut picture = Picture::least();
        Jpeg::new().decode(&jpeg(sampling), &mut picture).unwrap();
        assert_eq!((picture.width(), picture.height()), (WIDTH, HEIGHT));
        is_near(&picture, at, 6);
    }
}

#[test]
fn the_ends_of_the_ranges_meet() {
    let [luma, colour] = Jpeg::new().limited;
    assert_eq!((luma[0], luma[255]), (16, 235));
    assert_eq!((colour[0], colour[128], colour[255]), (16, 128, 240));
}

#[test]
fn a_grey_jpeg_has_no_colour() {
    let mut coded = Vec::new();
    let samples: Vec<u8> = places().map(|(x, y)| full(x, y)[0]).collect();
    Encoder::new(&mut coded, 95).encode(&samples, WIDTH as u16, HEIGHT as u16, ColorType::Luma).unwrap();
    let mut picture = Picture::least();
    Jpeg::new().decode(&coded, &mut picture).unwrap();
    is_near(&picture, |x, y| [at(x, y)[0], 128, 128], 4);
}

#[test]
fn a_jpeg_is_cut_at_its_end() {
    let whole = jpeg(SamplingFactor::R_4_2_2);
    let mut padded = whole.clone();
    padded.extend([0; 5_000]);
    // The rest of an older frame.
    padded.extend_from_slice(&whole[whole.len() / 2..]);
    assert_eq!(up_to_end(&padded), Some(&whole[..]));
    let mut decoder = Jpeg::new();
    let (mut one, mut other) = (Picture::least(), Picture::least());
    decoder.decode(&whole, &mut one).unwrap();
    decoder.decode(&padded, &mut other).unwrap();
    assert_eq!(one, other);
}

#[test]
fn a_jpeg_that_was_cut_off_is_refused() {
    let whole = jpeg(SamplingFactor::R_4_2_2);
    let mut picture = Picture::least();
    assert_eq!(Jpeg::new().decode(&whole[..whole.len() - 40], &mut picture), Err(ConvertError::NoEnd));
    let mut ended = whole[..whole.len() / 2].to_vec();
    ended.extend([0xFF, 0xD9]);
    assert!(matches!(Jpeg::new().decode(&ended, &mut picture), Err(ConvertError::Jpeg(_))));
}

#[test]
fn a_jpeg_of_giant_size_is_refused_before_memory_is_taken() {
    let mut giant = jpeg(SamplingFactor::R_4_2_0);
    let frame = giant.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    giant[frame + 5..frame + 9].fill(0xFF);
    let mut decoder = Jpeg::new();
    assert!(decoder.decode(&giant, &mut Picture::least()).is_err());
    assert_eq!(decoder.samples.capacity(), 0);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        width in any::<u32>(), height in any::<u32>(),
    ) {
        let mut picture = Picture::least();
        for (width, height) in [(width, height), (width % 20, height % 20)] {
            let _ = yuyv(&bytes, width, height, &mut picture);
            let _ = nv12(&bytes, width, height, &mut picture);
        }
        let _ = Jpeg::new().decode(&bytes, &mut picture);
    }

    #[test]
    fn no_damage_makes_it_panic(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..12),
        grey in any::<bool>(),
    ) {
        let mut coded = jpeg(if grey { SamplingFactor::R_4_2_0 } else { SamplingFactor::R_4_2_2 });
        for (at, byte) in damage {
            let at = at.index(coded.len());
            coded[at] = byte;
        }
        let _ = Jpeg::new().decode(&coded, &mut Picture::least());
    }
}
