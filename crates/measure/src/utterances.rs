//! A long recording cut into pieces that P.862 can score.

use std::ops::Range;

/// The level is taken of 10 ms at a time.
const FRAME: usize = 160;
/// P.862 is made for recordings of 8 to 12 s; pieces are about that long where the pauses allow.
const LONGEST: usize = 10 * 16_000;
/// A pause this long may end a piece.
const PAUSE: usize = 200 * 16;
/// What is quieter than the speech's loudest twentieth by more than this, in dB, is pause.
const DEPTH: f64 = 35.0;
/// And so is everything below this level, in dB of full scale.
const FLOOR: f64 = -65.0;
/// Kept of the pause before and behind.
const MARGIN: usize = 250 * 16;
/// With less speech than this there is nothing to score.
const LEAST: usize = 500 * 16;

/// The pieces of a 16 kHz recording with speech in them: cut in pauses, or at [`LONGEST`] where there are none. A margin
/// of the pause stays on both sides.
pub(crate) fn pieces(samples: &[f32]) -> Vec<Range<usize>> {
    let mut pieces: Vec<Range<usize>> = Vec::new();
    for speech in bursts(samples) {
        match pieces.last_mut() {
            Some(piece) if speech.end - piece.start <= LONGEST => piece.end = speech.end,
            _ => pieces.push(speech),
        }
    }
    pieces
        .into_iter()
        .flat_map(|piece| short_enough(&piece))
        .filter(|piece| piece.len() >= LEAST)
        .map(|piece| piece.start.saturating_sub(MARGIN)..(piece.end + MARGIN).min(samples.len()))
        .collect()
}

fn short_enough(piece: &Range<usize>) -> Vec<Range<usize>> {
    let parts = piece.len().div_ceil(LONGEST).max(1);
    let length = piece.len().div_ceil(parts);
    (0..parts)
        .map(|part| piece.start + part * length..(piece.start + (part + 1) * length).min(piece.end))
        .collect()
}

/// Speech without a pause in it.
fn bursts(samples: &[f32]) -> Vec<Range<usize>> {
    let levels: Vec<f64> = samples.chunks(FRAME).map(level).collect();
    let Some(loud) = crate::percentile(levels.iter().copied(), 95.0) else { return Vec::new() };
    let threshold = (loud - DEPTH).max(FLOOR);
    let mut bursts: Vec<Range<usize>> = Vec::new();
    for (index, _) in levels.iter().enumerate().filter(|(_, level)| **level > threshold) {
        let frame = index * FRAME..((index + 1) * FRAME).min(samples.len());
        match bursts.last_mut() {
            Some(burst) if frame.start - burst.end < PAUSE => burst.end = frame.end,
            _ => bursts.push(frame),
        }
    }
    bursts
}

/// In dB of full scale.
fn level(frame: &[f32]) -> f64 {
    let power =
        frame.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / frame.len().max(1) as f64;
    10.0 * (power + 1e-12).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of tone and of silence in turn.
    fn speech(turns: &[f64]) -> Vec<f32> {
        let mut samples = Vec::new();
        for (index, seconds) in turns.iter().enumerate() {
            for n in 0..(seconds * 16_000.0) as usize {
                samples.push(if index % 2 == 0 { 0.3 * (n as f32 * 0.4).sin() } else { 0.0 });
            }
        }
        samples
    }

    #[test]
    fn pieces_are_cut_in_pauses_and_are_not_too_long() {
        let samples = speech(&[4.0, 0.5, 4.0, 0.5, 4.0, 0.5, 4.0, 1.0]);
        let pieces = pieces(&samples);
        assert_eq!(pieces.len(), 2, "{pieces:?}");
        assert!(pieces[0].end.abs_diff(8_500 * 16 + MARGIN) <= FRAME, "{pieces:?}");
        assert!(pieces[1].start.abs_diff(9_000 * 16 - MARGIN) <= FRAME, "{pieces:?}");
    }

    #[test]
    fn speech_without_pauses_is_cut_into_equal_pieces() {
        let pieces = pieces(&speech(&[25.0]));
        assert_eq!(pieces.len(), 3);
        assert!(pieces.iter().all(|piece| piece.len() <= LONGEST + 2 * MARGIN));
    }

    #[test]
    fn silence_and_a_click_have_no_pieces() {
        assert_eq!(pieces(&[]), []);
        assert_eq!(pieces(&[0.0; 50_000]), []);
        assert_eq!(pieces(&speech(&[0.1, 3.0])), []);
    }
}
