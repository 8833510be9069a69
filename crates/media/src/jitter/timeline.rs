//! Sequence numbers and timestamps without wraps, and what is a jump in them.

use super::{SECOND, Samples};

/// How many packets may be missing, or how far back one may be (RFC 3550, appendix A.1: MAX_DROPOUT).
const MAX_DROPOUT: i16 = 3_000;
/// How far a packet may come before its time, by the fastest of the last seconds.
const AHEAD: Samples = 2 * SECOND;
/// How far after its time it may come and still belong to the same run of timestamps.
const BEHIND: Samples = 10 * SECOND;
/// The next packet of a new run comes at most this much later in it.
const STEP: u32 = SECOND as u32;

/// Where a packet belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The first there is.
    First { sequence: i64, start: Samples },
    /// Into the run of the packets before it.
    Within { sequence: i64, start: Samples },
    /// The second packet in a row of another run: the sender has started anew.
    Anew { sequence: i64, start: Samples },
    /// Nowhere: alone in what it says.
    Stray,
}

/// Follows one stream's sequence numbers and timestamps.
///
/// As in RFC 3550, appendix A.1, a packet out of line is believed only when the next one follows it.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// The newest: its sequence number and timestamp.
    newest: Option<(i64, Samples)>,
    suspect: Option<(u16, u32)>,
}

impl Timeline {
    /// The newest packet's sequence number.
    pub(super) fn newest(&self) -> Option<i64> {
        self.newest.map(|(sequence, _)| sequence)
    }

    /// Places a packet. `fastest` is the least transit (arrival − timestamp) of the last seconds.
    pub(super) fn place(
        &mut self,
        sequence: u16,
        timestamp: u32,
        arrival: Samples,
        fastest: Samples,
    ) -> Place {
        let Some((newest, newest_start)) = self.newest else {
            return self.begin(sequence, timestamp, |sequence, start| Place::First { sequence, start });
        };
        // Differences modulo 2¹⁶ and 2³²: the nearest way round.
        let steps = sequence.wrapping_sub(newest as u16) as i16;
        let samples = timestamp.wrapping_sub(newest_start as u32) as i32;
        let start = newest_start.saturating_add(samples.into());
        let deviation = arrival.saturating_sub(start).saturating_sub(fastest);
        let in_line = steps.unsigned_abs() <= MAX_DROPOUT.unsigned_abs()
            && i32::from(steps.signum()) == samples.signum()
            && (-AHEAD..=BEHIND).contains(&deviation);
        if in_line {
            self.suspect = None;
            let sequence = newest + i64::from(steps);
            if steps > 0 {
                self.newest = Some((sequence, start));
            }
            return Place::Within { sequence, start };
        }
        let follows = self.suspect.is_some_and(|(before, then)| {
            sequence == before.wrapping_add(1) && (1..=STEP).contains(&timestamp.wrapping_sub(then))
        });
        if follows {
            return self.begin(sequence, timestamp, |sequence, start| Place::Anew { sequence, start });
        }
        self.suspect = Some((sequence, timestamp));
        Place::Stray
    }

    fn begin(&mut self, sequence: u16, timestamp: u32, place: fn(i64, Samples) -> Place) -> Place {
        let (sequence, start) = (i64::from(sequence), Samples::from(timestamp));
        *self = Self { newest: Some((sequence, start)), suspect: None };
        place(sequence, start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(place: Place) -> (i64, Samples) {
        match place {
            Place::Within { sequence, start } => (sequence, start),
            Place::First { .. } | Place::Anew { .. } | Place::Stray => panic!("{place:?}"),
        }
    }

    #[test]
    fn both_numbers_wrap_and_go_on() {
        let mut timeline = Timeline::default();
        let timestamp = u32::MAX - 479;
        let transit = -Samples::from(timestamp);
        timeline.place(u16::MAX, timestamp, 0, 0);
        assert_eq!(within(timeline.place(0, 480, 960, transit)), (65_536, (1 << 32) + 480));
        assert_eq!(within(timeline.place(u16::MAX, timestamp, 970, transit)), (65_535, timestamp.into()));
    }

    #[test]
    fn one_packet_out_of_line_is_a_stray_and_two_in_a_row_begin_anew() {
        let mut timeline = Timeline::default();
        timeline.place(10, 10_000, 10_000, 0);
        assert_eq!(timeline.place(9_000, 77, 10_480, 0), Place::Stray);
        assert_eq!(within(timeline.place(11, 10_480, 10_480, 0)), (11, 10_480));
        // The stray's follower is no proof once the old run went on.
        assert_eq!(timeline.place(9_001, 557, 10_960, 0), Place::Stray);
        assert_eq!(timeline.place(9_002, 1_037, 11_440, 0), Place::Anew { sequence: 9_002, start: 1_037 });
        assert_eq!(within(timeline.place(9_003, 1_517, 11_920, 10_403)), (9_003, 1_517));
    }

    #[test]
    fn numbers_that_contradict_each_other_are_strays() {
        let mut timeline = Timeline::default();
        timeline.place(10, 10_000, 10_000, 0);
        assert_eq!(timeline.place(11, 10_000, 10_000, 0), Place::Stray, "later, and at the same time");
        assert_eq!(timeline.place(11, 9_520, 10_000, 0), Place::Stray, "later, and earlier");
        assert_eq!(timeline.place(9, 10_480, 10_000, 0), Place::Stray, "earlier, and later");
        assert_eq!(timeline.place(10, 10_480, 10_000, 0), Place::Stray, "the same, and later");
    }

    #[test]
    fn a_long_pause_of_the_sender_is_no_jump() {
        let mut timeline = Timeline::default();
        timeline.place(10, 10_000, 10_000, 0);
        let later = 10_000 + 600 * SECOND;
        assert_eq!(within(timeline.place(11, later as u32, later + 100, 0)), (11, later));
    }
}
