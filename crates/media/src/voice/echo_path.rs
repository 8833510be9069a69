//! Whether what the speaker plays comes back through the microphone at all.
//!
//! An echo canceller that hears the other side and a voice here at once takes pieces out of the voice, also where nothing
//! comes back: on a headset that the system does not know as one, or with the speaker turned down. So it is looked for,
//! by the correlation of the two, smoothed over some seconds and evened out by both powers (the smoothed coherence
//! transform: G. C. Carter, A. H. Nuttall and P. G. Cable, 1973): where there is a path, its delay stands out as a peak,
//! and a voice over it is only noise beside it.

use sonora_fft::pffft::{FftType, Pffft, PffftBuffer};

use crate::{FRAME_SAMPLES, Frame, SAMPLE_RATE};

/// Down to 4 kHz: below 2 kHz voices have their power, and loudspeakers too.
const DOWN: usize = 12;
const RATE: usize = SAMPLE_RATE as usize / DOWN;
const FRAME: usize = FRAME_SAMPLES / DOWN;
/// Looked at together: 1.024 s, anew every 0.512 s.
const WINDOW: usize = 4_096;
const HOP: usize = WINDOW / 2;
/// How much of the past counts at each look.
const KEPT: f32 = 0.7;
/// Bins looked at: 100 Hz to 1,900 Hz.
const BINS: std::ops::Range<usize> = 100 * WINDOW / RATE..1_900 * WINDOW / RATE;
/// The other side talks from here on, and a microphone that is softer is none: mean squares.
const TALKS: f32 = 1e-5;
const DEAD: f32 = 1e-9;
/// A peak so many times the mean height is a path. Two voices at once reach 8, an echo 19 dB under a voice 13 and more.
const PEAK: f32 = 9.0;
/// After so many looks without one, while the other side talks, there is none: after 2 to 3 s of its voice.
const LOOKS: u32 = 4;
/// Sound on its way to the speaker and from the microphone is moved in frames: their ends tremble against each other. What
/// was learned holds as long as that is less than this, in samples.
const TREMBLES: u64 = 3 * FRAME as u64;

/// Looks for a path from the speaker to the microphone.
pub(super) struct EchoPath {
    transform: Pffft,
    time: PffftBuffer,
    far: PffftBuffer,
    near: PffftBuffer,
    shape: Vec<f32>,
    rendered: Ring,
    captured: Ring,
    /// How much later the window over the speaker ends, in samples of the two counts.
    ahead: u64,
    next_look: u64,
    far_power: Vec<f32>,
    near_power: Vec<f32>,
    /// Real and imaginary parts.
    cross: Vec<[f32; 2]>,
    looks_without: u32,
}

/// The newest samples, and how many there ever were.
struct Ring {
    samples: Vec<f32>,
    count: u64,
}

impl Ring {
    fn new() -> Self {
        Self { samples: vec![0.0; 2 * WINDOW], count: 0 }
    }

    fn add(&mut self, frame: &Frame) {
        let (pieces, _) = frame.as_chunks::<DOWN>();
        for piece in pieces {
            let at = self.at(self.count);
            self.samples[at] = piece.iter().sum::<f32>() / DOWN as f32;
            self.count += 1;
        }
    }

    const fn at(&self, number: u64) -> usize {
        (number % (2 * WINDOW) as u64) as usize
    }

    /// Writes the window that ends before sample number `end`, shaped, and gives its mean square.
    fn window(&self, end: u64, shape: &[f32], out: &mut [f32]) -> f32 {
        let begin = end.saturating_sub(WINDOW as u64);
        let mut power = 0.0;
        for (number, (out, shape)) in (begin..end).zip(out.iter_mut().zip(shape)) {
            let sample = self.samples[self.at(number)];
            power += sample * sample;
            *out = sample * shape;
        }
        power / WINDOW as f32
    }
}

impl EchoPath {
    pub(super) fn new() -> Self {
        let transform = Pffft::new(WINDOW, FftType::Real);
        let buffer = || transform.create_buffer();
        let shape = |n| 0.5 - 0.5 * (std::f32::consts::TAU * n as f32 / WINDOW as f32).cos();
        Self {
            time: buffer(),
            far: buffer(),
            near: buffer(),
            shape: (0..WINDOW).map(shape).collect(),
            rendered: Ring::new(),
            captured: Ring::new(),
            ahead: 0,
            next_look: WINDOW as u64,
            far_power: vec![0.0; WINDOW / 2],
            near_power: vec![0.0; WINDOW / 2],
            cross: vec![[0.0; 2]; WINDOW / 2],
            looks_without: 0,
            transform,
        }
    }

    /// What goes to the speaker.
    pub(super) fn render(&mut self, frame: &Frame) {
        self.rendered.add(frame);
    }

    /// What comes from the microphone.
    pub(super) fn capture(&mut self, frame: &Frame) {
        self.captured.add(frame);
        if self.captured.count >= self.next_look && self.rendered.count >= WINDOW as u64 {
            self.next_look = self.captured.count + HOP as u64;
            self.look();
        }
    }

    /// Nothing of the speaker is in the microphone, as far as can be told.
    pub(super) const fn is_absent(&self) -> bool {
        self.looks_without >= LOOKS
    }

    fn look(&mut self) {
        // One frame less than there is, so that the next look finds its window full too.
        let newest = self.rendered.count - FRAME as u64;
        let end = self.captured.count.wrapping_add(self.ahead);
        if end > self.rendered.count || newest.abs_diff(end) > TREMBLES {
            self.ahead = newest.wrapping_sub(self.captured.count);
            self.far_power.fill(0.0);
            self.near_power.fill(0.0);
            self.cross.fill([0.0; 2]);
        }
        let end = self.captured.count.wrapping_add(self.ahead);
        let talks = self.rendered.window(end, &self.shape, self.time.as_mut_slice());
        if talks < TALKS {
            return;
        }
        self.transform.forward(&self.time, &mut self.far, true);
        let heard = self.captured.window(self.captured.count, &self.shape, self.time.as_mut_slice());
        if heard < DEAD {
            return;
        }
        self.transform.forward(&self.time, &mut self.near, true);
        if self.peak() >= PEAK {
            self.looks_without = 0;
        } else {
            self.looks_without = self.looks_without.saturating_add(1);
        }
    }

    /// Takes the two spectra in, and gives the height of the highest peak of their correlation over the mean height.
    fn peak(&mut self) -> f32 {
        let (far, _) = self.far.as_slice().as_chunks::<2>();
        let (near, _) = self.near.as_slice().as_chunks::<2>();
        let (out, _) = self.time.as_mut_slice().as_chunks_mut::<2>();
        out.fill([0.0; 2]);
        let averages = self.cross.iter_mut().zip(&mut self.far_power).zip(&mut self.near_power);
        let spectra = out.iter_mut().zip(far.iter().zip(near));
        for (((cross, far_power), near_power), (out, ([a, b], [c, d]))) in
            averages.zip(spectra).take(BINS.end).skip(BINS.start)
        {
            // The far end's conjugate times the near end.
            *cross = [KEPT * cross[0] + a * c + b * d, KEPT * cross[1] + a * d - b * c];
            *far_power = KEPT * *far_power + a * a + b * b;
            *near_power = KEPT * *near_power + c * c + d * d;
            let even = (*far_power * *near_power).sqrt();
            if even > 0.0 {
                *out = [cross[0] / even, cross[1] / even];
            }
        }
        self.transform.backward(&self.time, &mut self.far, true);
        let heights = self.far.as_slice();
        let mean = heights.iter().map(|height| height * height).sum::<f32>() / WINDOW as f32;
        let highest = heights.iter().fold(0.0f32, |most, height| most.max(height.abs()));
        if mean > 0.0 { highest / mean.sqrt() } else { 0.0 }
    }
}
