//! Echo, on a virtual clock.

use anyhow::Result;
use carillon_media::voice::{VoiceProcessor, VoiceSettings};
use carillon_media::{FRAME_SAMPLES, SAMPLE_RATE};

use super::speech;
use crate::bench::Row;

const SECONDS: usize = 12;
/// How long rooms ring, in seconds, until they are softer by 60 dB.
const ROOMS: [f64; 4] = [0.06, 0.09, 0.12, 0.15];

/// How much softer the echo of a talking far end is, from the third second on, while nobody talks here.
///
/// # Errors
/// None now; the others have.
pub fn removed(text: &[f32]) -> Result<Vec<Row>> {
    let far = speech::repeated(text, SECONDS);
    let alone = VoiceSettings { echo: true, noise: false, gain: false };
    let (mut usual, mut bare) = (f64::INFINITY, f64::INFINITY);
    for decay in ROOMS {
        let microphone = echo(&far, &room(decay));
        usual = usual.min(softer(&far, &microphone, VoiceSettings::default()));
        bare = bare.min(softer(&far, &microphone, alone));
    }
    Ok(vec![
        Row::higher(
            "echo removed, far end talking, after 2 s (worst of rooms of 60 to 150 ms)",
            bare,
            "dB",
            30.0,
        ),
        Row::plain("the same with noise and gain control on, which make soft sound louder", usual, "dB")
            .is_better_higher(),
    ])
}

/// By how many dB, from the third second on.
fn softer(far: &[f32], microphone: &[f32], settings: VoiceSettings) -> f64 {
    let mut processor = VoiceProcessor::new(settings);
    let (mut before, mut after) = (0.0, 0.0);
    let frames = far.as_chunks::<FRAME_SAMPLES>().0.iter().zip(microphone.as_chunks::<FRAME_SAMPLES>().0);
    for (number, (far, near)) in frames.enumerate() {
        let mut frame = *near;
        processor.render(far);
        processor.capture(&mut frame);
        if number >= 200 {
            before += energy(near);
            after += energy(&frame);
        }
    }
    10.0 * (before / after.max(1e-12)).log10()
}

fn energy(frame: &[f32]) -> f64 {
    frame.iter().map(|sample| f64::from(*sample).powi(2)).sum()
}

/// A room: the direct sound after 10 ms, then a tail of noise that falls by 60 dB in `decay` seconds. Where its taps
/// are and what they are.
fn room(decay: f64) -> Vec<(usize, f32)> {
    let mut state = 3_u32;
    let mut noise = || {
        // Numerical Recipes' quick generator.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 23) - 1.0
    };
    let long = (decay * f64::from(SAMPLE_RATE)) as usize;
    let tail = (0..long).step_by(8).map(|at| {
        let fallen = (-6.9 * at as f64 / long as f64).exp();
        (FRAME_SAMPLES + 1 + at, (0.05 * noise() * fallen) as f32)
    });
    std::iter::once((FRAME_SAMPLES, 0.4)).chain(tail).collect()
}

fn echo(far: &[f32], room: &[(usize, f32)]) -> Vec<f32> {
    let mut heard = vec![0.0; far.len()];
    for (at, tap) in room {
        for (sample, far) in heard.iter_mut().skip(*at).zip(far) {
            *sample += tap * far;
        }
    }
    heard
}
