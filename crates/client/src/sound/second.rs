//! One second of a call after the other, as figures.

use carillon_media::jitter;
use carillon_wire::CallId;

use crate::peer::PathStats;
use crate::quality::{Figures, Quality, verdict};

/// Silence on the path from which nothing counts as arriving. A sender that pauses still sends every 0.4 s, and the
/// path itself is asked as often.
const NOTHING_ARRIVES: std::time::Duration = std::time::Duration::from_millis(1_000);

/// What was counted until the last second.
#[derive(Debug, Default)]
pub(super) struct Seconds {
    path: PathStats,
    buffer: jitter::Stats,
}

/// What else belongs to a second: levels in dB below full scale.
#[derive(Debug, Clone, Copy)]
pub(super) struct Levels {
    pub(super) speaker_dbfs: f64,
    pub(super) microphone_dbfs: f64,
}

impl Seconds {
    /// The second that ends now.
    pub(super) fn next(
        &mut self,
        call: CallId,
        path: PathStats,
        buffer: jitter::Stats,
        levels: Levels,
    ) -> Quality {
        let came = path.received.packets.saturating_sub(self.path.received.packets);
        let lost = path.received.lost.saturating_sub(self.path.received.lost);
        let speech = buffer.speech_samples.saturating_sub(self.buffer.speech_samples);
        // What turns out to have been a pause is taken back: a second may have less than none.
        let concealed = buffer.concealed_samples.saturating_sub(self.buffer.concealed_samples);
        let millis = |span: std::time::Duration| span.as_secs_f64() * 1e3;
        let figures = Figures {
            round_trip_ms: path.round_trip.map(millis),
            jitter_ms: millis(path.received.jitter),
            playout_delay_ms: millis(buffer.playout_delay),
            concealed_percent: percent(concealed, speech),
            arriving: path.silence < NOTHING_ARRIVES,
        };
        let (word, reason) = verdict(&figures);
        let quality = Quality {
            call,
            round_trip_ms: figures.round_trip_ms,
            loss_percent: percent(lost, lost.saturating_add(came)),
            loss_there_percent: path.remote.map_or(0.0, |remote| f64::from(remote.fraction_lost) * 100.0),
            jitter_ms: figures.jitter_ms,
            playout_delay_ms: figures.playout_delay_ms,
            concealed_percent: figures.concealed_percent,
            concealed_ms: concealed as f64 * 1e3 / f64::from(carillon_media::SAMPLE_RATE),
            level_dbfs: levels.speaker_dbfs,
            microphone_dbfs: levels.microphone_dbfs,
            word,
            reason,
        };
        (self.path, self.buffer) = (path, buffer);
        quality
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::quality::Word;

    const CALL: CallId = CallId::new([1; 16]);
    const LEVELS: Levels = Levels { speaker_dbfs: -30.0, microphone_dbfs: -40.0 };

    fn path(packets: u64, lost: u64) -> PathStats {
        let mut path = PathStats { round_trip: Some(Duration::from_millis(40)), ..PathStats::default() };
        (path.received.packets, path.received.lost) = (packets, lost);
        path
    }

    #[test]
    fn a_second_tells_its_own_loss_and_not_that_of_the_seconds_before() {
        let mut seconds = Seconds::default();
        let first = seconds.next(CALL, path(40, 10), jitter::Stats::default(), LEVELS);
        let second = seconds.next(CALL, path(90, 10), jitter::Stats::default(), LEVELS);
        assert_eq!((first.loss_percent, second.loss_percent), (20.0, 0.0));
        assert_eq!(second.round_trip_ms, Some(40.0));
    }

    #[test]
    fn what_was_restored_makes_no_second_worse() {
        let mut seconds = Seconds::default();
        let buffer = jitter::Stats { speech_samples: 48_000, fec: 10, ..jitter::Stats::default() };
        let quality = seconds.next(CALL, path(45, 5), buffer, LEVELS);
        assert_eq!((quality.concealed_percent, quality.word), (0.0, Word::Good));
    }

    #[test]
    fn a_silent_path_is_poor_at_once() {
        let silent = PathStats { silence: Duration::from_secs(2), ..path(50, 0) };
        let quality = Seconds::default().next(CALL, silent, jitter::Stats::default(), LEVELS);
        assert_eq!(quality.word, Word::Poor);
    }
}
