//! For how long nothing was heard, by the time of the sound itself: whatever else the machine does, a recording tells
//! how long its silences are.

use std::fmt;
use std::time::Duration;

use carillon_client::chirp;
use carillon_measure::chirp::{Search, occurrences};

/// What is missing between the chirps of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaps {
    /// How many chirps were heard.
    pub chirps: usize,
    /// The four longest silences beyond the usual pause, the longest first, each with when it begins, from the first
    /// sample of the recording.
    pub silences: Vec<(Duration, Duration)>,
}

impl Gaps {
    /// Looks for chirps, of which one is spoken every so often, in mono sound at 48 kHz.
    pub fn of(sound: &[f32], every: Duration) -> Self {
        let chirps = occurrences(sound, &chirp(), Search::default().likeness);
        let silences = chirps
            .windows(2)
            .filter_map(|pair| {
                let &[from, to] = pair else { return None };
                let silence = Duration::from_secs_f64((to - from).max(0.0)).saturating_sub(every);
                Some((silence, Duration::from_secs_f64(from)))
            })
            .collect();
        Self { chirps: chirps.len(), silences: longest(silences) }
    }

    /// Looks for anything at all that is louder than a room. On a machine with so much else to do that chirps are torn,
    /// this still tells a device that is there from one that is not.
    pub fn of_any_sound(sound: &[f32], every: Duration) -> Self {
        const LOUD: f32 = 0.01;
        const PIECE: usize = 480;
        let loud = |piece: &[f32]| piece.iter().any(|sample| sample.abs() > LOUD);
        let pieces: Vec<_> =
            sound.chunks(PIECE).enumerate().filter(|(_, piece)| loud(piece)).map(|(n, _)| n).collect();
        let pause = every.saturating_sub(Duration::from_secs_f64(chirp().len() as f64 / 48_000.0));
        let at = |piece: usize| Duration::from_millis(10) * u32::try_from(piece).unwrap_or(u32::MAX);
        let between = pieces.windows(2).filter_map(|pair| {
            let &[from, to] = pair else { return None };
            Some(((at(to) - at(from)).saturating_sub(pause + at(1)), at(from)))
        });
        Self { chirps: Self::of(sound, every).chirps, silences: longest(between.collect()) }
    }

    /// The longest silence; for ever, where no two chirps were heard.
    pub fn longest(&self) -> Duration {
        self.silences.first().map_or(Duration::MAX, |(silence, _)| *silence)
    }
}

fn longest(mut silences: Vec<(Duration, Duration)>) -> Vec<(Duration, Duration)> {
    silences.sort_unstable_by(|one, other| other.cmp(one));
    silences.truncate(4);
    silences
}

impl fmt::Display for Gaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} chirps heard, nothing for", self.chirps)?;
        for (silence, from) in &self.silences {
            write!(f, " {:.2} s (from {:.2} s)", silence.as_secs_f64(), from.as_secs_f64())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_as_long_as_what_is_missing() {
        let every = Duration::from_millis(200);
        let mut one = chirp();
        one.resize(9_600, 0.0);
        let mut sound = one.repeat(5);
        sound.extend(vec![0.0; 48_000]);
        sound.extend(one.repeat(5));
        let gaps = Gaps::of(&sound, every);
        assert_eq!(gaps.chirps, 10);
        assert!(gaps.longest().abs_diff(Duration::from_secs(1)) < Duration::from_millis(1), "{gaps}");
        assert!(gaps.silences[1].0 < Duration::from_millis(1), "{gaps}");
        let any = Gaps::of_any_sound(&sound, every);
        assert_eq!(any.chirps, 10);
        assert!(any.longest().abs_diff(Duration::from_secs(1)) < Duration::from_millis(20), "{any}");
        assert_eq!(Gaps::of(&[0.0; 48_000], every).longest(), Duration::MAX);
        assert_eq!(Gaps::of_any_sound(&[0.0; 48_000], every).longest(), Duration::MAX);
    }
}
