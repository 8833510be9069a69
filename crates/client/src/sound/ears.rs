//! Loudness at both ends, and what follows from it: *you are muted*, *nothing comes from your microphone*.

use carillon_media::Frame;
use carillon_media::level::{FLOOR_DBFS, Meter, Talk};

use super::second::Levels;
use super::{Line, SoundNews};

/// So many seconds of a microphone that gives nothing at all, not even the noise that every microphone has.
const DEAD_SECONDS: u32 = 4;
/// Softer than any microphone is.
const DEAD_DBFS: f32 = FLOOR_DBFS + 2.0;

#[derive(Debug, Default)]
pub(super) struct Ears {
    microphone: Meter,
    speaker: Meter,
    talk: Talk,
    told_muted: bool,
    dead_seconds: u32,
}

impl Ears {
    /// Takes 10 ms of the microphone as it came. Tells once, while muted, that the person talks.
    pub(super) fn hear_microphone(&mut self, frame: &Frame, line: Line) -> Option<SoundNews> {
        self.microphone.add(frame);
        let talks = self.talk.add(frame);
        if line.microphone {
            self.told_muted = false;
            return None;
        }
        (talks && !std::mem::replace(&mut self.told_muted, true))
            .then_some(SoundNews::TalkingWhileMuted { call: line.call })
    }

    pub(super) fn hear_speaker(&mut self, frame: &Frame) {
        self.speaker.add(frame);
    }

    pub(super) fn levels(&self) -> Levels {
        Levels {
            speaker_dbfs: f64::from(self.speaker.dbfs()),
            microphone_dbfs: f64::from(self.microphone.dbfs()),
        }
    }

    /// Once a second. Tells once that the microphone, though on, gives nothing.
    pub(super) fn second(&mut self, line: Line, has_microphone: bool) -> Option<SoundNews> {
        if has_microphone && line.microphone && self.microphone.dbfs() <= DEAD_DBFS {
            self.dead_seconds = self.dead_seconds.saturating_add(1);
        } else {
            self.dead_seconds = 0;
        }
        (self.dead_seconds == DEAD_SECONDS).then_some(SoundNews::NothingFromMicrophone { call: line.call })
    }
}

#[cfg(test)]
mod tests {
    use carillon_wire::CallId;

    use super::*;

    const CALL: CallId = CallId::new([1; 16]);

    fn line(microphone: bool) -> Line {
        Line { call: CALL, flows: true, microphone }
    }

    fn loud(number: u32) -> Frame {
        // Syllables: a steady tone would be taken for the background.
        let amplitude = if number % 20 < 14 { 0.3 } else { 0.001 };
        std::array::from_fn(|n| amplitude * (n as f32 * 0.13).sin())
    }

    #[test]
    fn who_talks_while_muted_is_told_once_for_each_time_of_muting() {
        let mut ears = Ears::default();
        let mut told = |range: std::ops::Range<u32>, on| {
            range.filter_map(|n| ears.hear_microphone(&loud(n), line(on))).count()
        };
        assert_eq!(told(0..200, false), 1);
        assert_eq!(told(0..200, true), 0);
        assert_eq!(told(0..200, false), 1);
    }

    #[test]
    fn a_microphone_that_gives_nothing_is_told_once() {
        let mut ears = Ears::default();
        ears.hear_microphone(&[0.0; 480], line(true));
        let told: Vec<_> = (0..10).filter_map(|_| ears.second(line(true), true)).collect();
        assert_eq!(told, [SoundNews::NothingFromMicrophone { call: CALL }]);
        assert_eq!((0..10).find_map(|_| Ears::default().second(line(false), true)), None, "muted");
    }
}
