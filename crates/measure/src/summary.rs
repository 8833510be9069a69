//! Many numbers in few.

use serde::Serialize;

/// What many values are like.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// How many there are.
    pub count: usize,
    /// The mean.
    pub mean: f64,
    /// The smallest.
    pub least: f64,
    /// The one in the middle.
    pub median: f64,
    /// What 95 of 100 don't exceed.
    pub p95: f64,
    /// What 99 of 100 don't exceed.
    pub p99: f64,
    /// The greatest.
    pub greatest: f64,
}

impl Summary {
    /// Of these values; those that are no finite number are left out. `None` if nothing is left.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let sorted = sorted(values);
        let (least, greatest) = (*sorted.first()?, *sorted.last()?);
        Some(Self {
            count: sorted.len(),
            mean: sorted.iter().sum::<f64>() / sorted.len() as f64,
            least,
            median: within(&sorted, 50.0)?,
            p95: within(&sorted, 95.0)?,
            p99: within(&sorted, 99.0)?,
            greatest,
        })
    }
}

/// What `percent` of the finite values don't exceed, on a straight line between the two nearest (R-7 of Hyndman and
/// Fan, "Sample quantiles in statistical packages", 1996). `None` without values.
pub fn percentile(values: impl IntoIterator<Item = f64>, percent: f64) -> Option<f64> {
    within(&sorted(values), percent)
}

fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn within(sorted: &[f64], percent: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = percent.clamp(0.0, 100.0) / 100.0 * last as f64;
    let below = place.floor();
    let (left, right) = (sorted.get(below as usize)?, sorted.get(place.ceil() as usize)?);
    Some(left + (right - left) * (place - below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentiles_lie_between_the_nearest_values() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(percentile(values, 0.0), Some(1.0));
        assert_eq!(percentile(values, 50.0), Some(2.5));
        assert_eq!(percentile(values, 100.0), Some(4.0));
        assert_eq!(percentile([], 50.0), None);
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let summary = Summary::of([1.0, f64::NAN, f64::INFINITY, 3.0]).unwrap();
        assert_eq!((summary.count, summary.mean, summary.median), (2, 2.0, 2.0));
        assert_eq!(Summary::of([f64::NAN]), None);
    }

    proptest! {
        #[test]
        fn a_summary_is_in_order(values in prop::collection::vec(-1e9..1e9_f64, 1..50)) {
            let s = Summary::of(values).unwrap();
            prop_assert!(s.least <= s.median && s.median <= s.p95 && s.p95 <= s.p99 && s.p99 <= s.greatest);
            prop_assert!(s.least <= s.mean + 1e-6 && s.mean <= s.greatest + 1e-6);
        }
    }
}
