//! What a camera sees, and how it writes it down.

use carillon_media::picture::Picture;
use carillon_media::picture::bar_code::{self, Mark};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// A drifting gradient under a bar code.
pub(crate) fn paint(picture: &mut Picture, mark: Mark) {
    let (width, shift) = (picture.width() as usize, 2 * mark.number as usize);
    let [luma, blue, red] = picture.planes_mut();
    for (y, row) in luma.chunks_exact_mut(width).enumerate() {
        for (x, sample) in row.iter_mut().enumerate() {
            *sample = 32 + ((x + y + shift) / 4 % 160) as u8;
        }
    }
    for (y, (blue, red)) in blue.chunks_exact_mut(width / 2).zip(red.chunks_exact_mut(width / 2)).enumerate()
    {
        for (x, (blue, red)) in blue.iter_mut().zip(red).enumerate() {
            (*blue, *red) = (64 + (x * 256 / width) as u8, 64 + (y / 4 % 128) as u8);
        }
    }
    bar_code::draw(picture, mark);
}

/// Writes the picture into a buffer, and tells how many bytes it took.
pub(crate) fn write(picture: &Picture, fourcc: [u8; 4], out: &mut [u8]) -> usize {
    let (width, half) = (picture.width() as usize, picture.width() as usize / 2);
    let [luma, blue, red] = picture.planes();
    match &fourcc {
        b"MJPG" => {
            let places =
                luma.iter().enumerate().map(|(at, sample)| (at / width / 2 * half + at % width / 2, sample));
            let samples: Vec<u8> = places.flat_map(|(at, luma)| [full(*luma), blue[at], red[at]]).collect();
            let mut coded = Vec::new();
            let mut encoder = Encoder::new(&mut coded, 85);
            // As cameras do.
            encoder.set_sampling_factor(SamplingFactor::R_4_2_2);
            let height = picture.height() as u16;
            encoder.encode(&samples, width as u16, height, ColorType::Ycbcr).expect("a JPEG");
            out[..coded.len()].copy_from_slice(&coded);
            coded.len()
        }
        b"NV12" => {
            let (to, colours) = out.split_at_mut(luma.len());
            to.copy_from_slice(luma);
            for (to, (blue, red)) in colours.chunks_exact_mut(2).zip(blue.iter().zip(red)) {
                to.copy_from_slice(&[*blue, *red]);
            }
            luma.len() / 2 * 3
        }
        _ => {
            for (y, (row, to)) in luma.chunks_exact(width).zip(out.chunks_exact_mut(2 * width)).enumerate() {
                let (blue, red) = (&blue[y / 2 * half..], &red[y / 2 * half..]);
                for (x, (pair, to)) in row.chunks_exact(2).zip(to.chunks_exact_mut(4)).enumerate() {
                    to.copy_from_slice(&[pair[0], blue[x], pair[1], red[x]]);
                }
            }
            luma.len() * 2
        }
    }
}

/// Luma of the limited range in the full one: JPEG knows only that.
fn full(luma: u8) -> u8 {
    ((i32::from(luma) - 16) * 255 / 219).clamp(0, 255) as u8
}
