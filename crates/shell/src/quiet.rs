//! *Do not disturb*: a call that comes in is shown nowhere but in the app, without a sound.

use serde::{Deserialize, Serialize};

/// Minutes in a day.
const DAY: u16 = 24 * 60;

/// When not to disturb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct Quiet {
    /// By hand, until it is taken back.
    pub now: bool,
    /// Every day, in these hours.
    pub by_hours: bool,
    /// The hours.
    pub hours: Hours,
}

/// Hours of a day; past midnight when they end before they begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Hours {
    /// The first minute, counted from midnight by the clock on the wall.
    pub from: u16,
    /// The first minute after.
    pub to: u16,
}

impl Default for Hours {
    /// From ten in the evening to seven in the morning.
    fn default() -> Self {
        Self { from: 22 * 60, to: 7 * 60 }
    }
}

impl Hours {
    /// Whether a minute of the day lies within. Hours that end as they begin are the whole day.
    pub const fn hold(self, minute: u16) -> bool {
        let (from, to, minute) = (self.from % DAY, self.to % DAY, minute % DAY);
        if from < to { from <= minute && minute < to } else { from <= minute || minute < to }
    }
}

impl Quiet {
    /// Whether nobody is to be disturbed at this minute of the day, by the clock on the wall.
    pub const fn is_on(self, minute: u16) -> bool {
        self.now || (self.by_hours && self.hours.hold(minute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(hour: u16, minute: u16) -> u16 {
        hour * 60 + minute
    }

    #[test]
    fn a_night_reaches_past_midnight() {
        let night = Hours::default();
        assert!(!night.hold(at(21, 59)));
        assert!(night.hold(at(22, 0)));
        assert!(night.hold(at(0, 0)));
        assert!(night.hold(at(6, 59)));
        assert!(!night.hold(at(7, 0)));
    }

    #[test]
    fn an_afternoon_ends_before_its_last_minute() {
        let nap = Hours { from: at(13, 0), to: at(14, 30) };
        assert!(
            !nap.hold(at(12, 59)) && nap.hold(at(13, 0)) && nap.hold(at(14, 29)) && !nap.hold(at(14, 30))
        );
    }

    #[test]
    fn hours_that_end_as_they_begin_are_the_whole_day() {
        let always = Hours { from: at(8, 0), to: at(8, 0) };
        assert!((0..DAY).all(|minute| always.hold(minute)));
    }

    #[test]
    fn hours_count_only_while_they_are_on_and_the_hand_counts_always() {
        let off = Quiet { by_hours: false, ..Quiet::default() };
        assert!(!off.is_on(at(23, 0)));
        assert!(Quiet { now: true, ..off }.is_on(at(12, 0)));
        assert!(Quiet { by_hours: true, ..off }.is_on(at(23, 0)));
    }
}
