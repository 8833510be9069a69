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
        let mut silences: Vec<_> = chirps
            .windows(2)
            .filter_map(|pair| {
                let &[from, to] = pair else { return None };
                let silence = Duration::from_secs_f64((to - from).max(0.0)).saturating_sub(every);
                Some((silence, Duration::from_secs_f64(from)))
            })
            .collect();
        silences.sort_unstable_by(|one, other| other.cmp(one));
        silences.truncate(4);
        Self { chirps: chirps.len(), silences }
    }

    /// The longest silence; for ever, where no two chirps were heard.
    pub fn longest(&self) -> Duration {
        self.silences.first().map_or(Duration::MAX, |(silence, _)| *silence)
    }
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
        assert_eq!(Gaps::of(&[0.0; 48_000], every).longest(), Duration::MAX);
    }
}
