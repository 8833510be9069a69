//! A scene like that of a call: a person's head that moves and talks, in front of a still background, with the noise of
//! a sensor, under a bar code.

use std::f32::consts::TAU;

use carillon_media::picture::{Picture, PictureError};

use super::bar_code::{self, Mark};

/// So many pictures of the background, each with noise of its own, shown in turn.
const GRAINS: usize = 4;
/// So many mouths from shut to open.
const MOUTHS: usize = 6;

/// Draws the pictures of the scene.
pub struct Pattern {
    backgrounds: Vec<Picture>,
    heads: Vec<Head>,
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pattern")
    }
}

/// Rows of an ellipse: where each begins, in luma samples from the left of the sprite, and its samples.
struct Head {
    rows: Vec<(usize, Vec<u8>)>,
}

/// A pseudo-random number for a place (M. O'Neill's PCG output permutation over a linear step).
fn hash(x: usize, y: usize, salt: usize) -> u32 {
    let mut state = (x as u32).wrapping_mul(747_796_405).wrapping_add((y as u32).wrapping_mul(2_891_336_453));
    state = state.wrapping_add(salt as u32).wrapping_mul(277_803_737);
    (state >> ((state >> 28) + 4) ^ state).wrapping_mul(277_803_737) >> 16
}

impl Pattern {
    /// The scene at this size, in pixels.
    ///
    /// # Errors
    /// [`PictureError::Size`].
    pub fn new(width: u32, height: u32) -> Result<Self, PictureError> {
        let (columns, lines) = (width as usize, height as usize);
        let mut backgrounds = Vec::with_capacity(GRAINS);
        for grain in 0..GRAINS {
            let mut picture = Picture::black(width, height)?;
            let [luma, blue, red] = picture.planes_mut();
            for (y, line) in luma.chunks_exact_mut(columns).enumerate() {
                for (x, sample) in line.iter_mut().enumerate() {
                    *sample =
                        background(x, y, columns, lines).wrapping_add((hash(x, y, grain + 1) % 3) as u8);
                }
            }
            for (y, (blue, red)) in
                blue.chunks_exact_mut(columns / 2).zip(red.chunks_exact_mut(columns / 2)).enumerate()
            {
                for (x, (blue, red)) in blue.iter_mut().zip(red).enumerate() {
                    *blue = (118 + x * 20 / columns) as u8;
                    *red = (136 - y * 16 / lines) as u8;
                }
            }
            backgrounds.push(picture);
        }
        let heads = (0..MOUTHS).map(|mouth| Head::new(columns * 22 / 100, lines * 60 / 100, mouth)).collect();
        Ok(Self { backgrounds, heads })
    }

    /// Paints frame `number`, of a camera that gives `frame_rate` a second, over whatever is on `picture`.
    pub fn draw(&self, picture: &mut Picture, mark: Mark, frame_rate: u32) {
        let background = &self.backgrounds[mark.number as usize % GRAINS];
        let (columns, lines) = (background.width() as usize, background.height() as usize);
        picture.clone_from(background);
        let seconds = mark.number as f32 / frame_rate as f32;
        // A head sways and nods; a mouth opens some three times a second.
        let sway = (TAU * 0.23 * seconds).sin() * 0.05 + (TAU * 0.61 * seconds).sin() * 0.015;
        let nod = (TAU * 0.47 * seconds).sin() * 0.02;
        let open = ((TAU * 3.1 * seconds).sin() * 0.5 + 0.5) * (TAU * 0.3 * seconds).cos().abs();
        let head = &self.heads[(open * (MOUTHS - 1) as f32).round() as usize % MOUTHS];
        let left = ((0.39 + sway) * columns as f32) as usize;
        let top = ((0.27 + nod) * lines as f32) as usize;
        let [luma, blue, red] = picture.planes_mut();
        for (y, (begin, samples)) in head.rows.iter().enumerate() {
            let at = (top + y) * columns + left + begin;
            if let Some(to) = luma.get_mut(at..at + samples.len()) {
                to.copy_from_slice(samples);
            }
            if y % 2 == 0 {
                let at = (top + y) / 2 * (columns / 2) + (left + begin) / 2;
                let count = samples.len() / 2;
                for (plane, colour) in [(&mut *blue, 108), (&mut *red, 152)] {
                    if let Some(to) = plane.get_mut(at..at + count) {
                        to.fill(colour);
                    }
                }
            }
        }
        bar_code::draw(picture, mark);
    }
}

/// A wall with a shelf of books, and a window.
fn background(x: usize, y: usize, columns: usize, lines: usize) -> u8 {
    let (across, down) = (x * 1_000 / columns, y * 1_000 / lines);
    let grain = (hash(x / 2, y / 2, 0) % 5) as u8;
    if (620..940).contains(&across) && (200..620).contains(&down) {
        // Books: upright, of different brightness, with letters on their backs.
        if down % 140 < 8 {
            return 45 + grain;
        }
        let book = across / 18;
        let letters = u8::from(hash(x / 3, y / 4, book).is_multiple_of(7)) * 40;
        return 60 + (hash(book, down / 140, 7) % 110) as u8 + letters + grain;
    }
    if (60..300).contains(&across) && (190..560).contains(&down) {
        return if across % 120 < 6 || down % 180 < 8 { 70 + grain } else { 190 + (down / 40) as u8 + grain };
    }
    (80 + across / 25 + down / 30) as u8 + grain
}

impl Head {
    fn new(width: usize, height: usize, mouth: usize) -> Self {
        let (w, h) = (width as f32, height as f32);
        let rows = (0..height).map(|y| {
            // −1 to 1 from top to bottom.
            let down = 2.0 * (y as f32 + 0.5) / h - 1.0;
            let half = (1.0 - down * down).max(0.0).sqrt() * w / 2.0;
            let (begin, end) = ((w / 2.0 - half) as usize & !1, (w / 2.0 + half) as usize & !1);
            let samples = (begin..end).map(|x| {
                let across = 2.0 * (x as f32 + 0.5) / w - 1.0;
                face(across, down, mouth as f32 / (MOUTHS - 1) as f32, hash(x, y, 99))
            });
            (begin, samples.collect())
        });
        Self { rows: rows.collect() }
    }
}

fn face(across: f32, down: f32, open: f32, grain: u32) -> u8 {
    let inside = |x: f32, y: f32, w: f32, h: f32| ((across - x) / w).powi(2) + ((down - y) / h).powi(2) < 1.0;
    let grain = (grain % 4) as f32;
    // Hair, eyes, mouth; skin with light from the left.
    let luma = if down < -0.55 + 0.08 * (across * 9.0).sin() {
        38.0 + 3.0 * grain
    } else if inside(-0.38, -0.15, 0.13, 0.06) || inside(0.38, -0.15, 0.13, 0.06) {
        if inside(-0.38, -0.15, 0.05, 0.05) || inside(0.38, -0.15, 0.05, 0.05) { 30.0 } else { 210.0 }
    } else if inside(0.0, 0.5, 0.3, 0.03 + 0.11 * open) {
        55.0 + grain
    } else if inside(0.0, 0.5, 0.36, 0.07 + 0.12 * open) {
        120.0 + grain
    } else {
        175.0 - 35.0 * across - 20.0 * down * down + grain
    };
    luma.clamp(16.0, 235.0) as u8
}
