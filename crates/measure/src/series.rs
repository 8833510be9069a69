//! Numbers in time.

use serde::Serialize;

use crate::Summary;

/// One value, so many seconds after the start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Since the start.
    pub seconds: f64,
    /// `None` is a gap: nothing was measured then.
    pub value: Option<f64>,
}

/// Values of one thing in time, in the order of time.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Series {
    /// What it is.
    pub name: String,
    /// In time.
    pub points: Vec<Point>,
}

impl Series {
    /// One without points.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), points: Vec::new() }
    }

    /// Adds a value. One that is not finite is a gap; one before the last is put at the last's time.
    pub fn push(&mut self, seconds: f64, value: f64) {
        self.add(seconds, value.is_finite().then_some(value));
    }

    /// From here nothing was measured.
    pub fn gap(&mut self, seconds: f64) {
        self.add(seconds, None);
    }

    fn add(&mut self, seconds: f64, value: Option<f64>) {
        let last = self.points.last().map_or(0.0, |point| point.seconds);
        let seconds = if seconds.is_finite() { seconds.max(last) } else { last };
        self.points.push(Point { seconds, value });
    }

    /// The values without the gaps.
    pub fn values(&self) -> impl Iterator<Item = f64> {
        self.points.iter().filter_map(|point| point.value)
    }

    /// What they are like.
    pub fn summary(&self) -> Option<Summary> {
        Summary::of(self.values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_back_and_what_is_no_number_is_a_gap() {
        let mut series = Series::new("delay");
        series.push(1.0, 5.0);
        series.push(0.5, 6.0);
        series.push(2.0, f64::NAN);
        series.gap(f64::NAN);
        let points: Vec<_> = series.points.iter().map(|point| (point.seconds, point.value)).collect();
        assert_eq!(points, [(1.0, Some(5.0)), (1.0, Some(6.0)), (2.0, None), (2.0, None)]);
        assert_eq!(series.summary().unwrap().count, 2);
    }
}
