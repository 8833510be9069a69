//! Round numbers along an axis.

/// An axis from `low` to `high`, and where its lines are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) step: f64,
}

impl Scale {
    /// Around these values, with about so many lines at multiples of 1, 2 or 5 times a power of ten. From zero where the
    /// values come near it.
    pub(super) fn around(values: impl IntoIterator<Item = f64>, lines: u32) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(|value| value.is_finite() && value.abs() < 1e15) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if low > 0.0 && low < 0.6 * high {
            low = 0.0;
        }
        if high < 0.0 && high > 0.6 * low {
            high = 0.0;
        }
        if high - low <= 1e-9 * high.abs().max(1e-3) {
            let room = high.abs().max(1.0) / 2.0;
            (low, high) = if low == 0.0 { (0.0, 1.0) } else { (low - room, high + room) };
        }
        let step = round_step((high - low) / f64::from(lines.max(1)));
        Self { low: (low / step).floor() * step, high: (high / step - 1e-9).ceil() * step, step }
    }

    /// From 0 to `end`, which is kept as it is.
    pub(super) fn time(end: f64, lines: u32) -> Self {
        let end = if end.is_finite() && end > 0.0 { end.min(1e15) } else { 1.0 };
        let step = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0]
            .into_iter()
            .find(|step| end / step <= f64::from(lines))
            .unwrap_or_else(|| round_step(end / f64::from(lines.max(1))));
        let step = if end < 2.0 { round_step(end / f64::from(lines.max(1))) } else { step };
        Self { low: 0.0, high: end, step }
    }

    /// 0 at `low`, 1 at `high`.
    pub(super) fn place(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Where the lines are.
    pub(super) fn lines(&self) -> impl Iterator<Item = f64> + use<> {
        let (low, step) = (self.low, self.step);
        let count = ((self.high - low) / step + 1e-6).floor().min(50.0) as u32;
        (0..=count).map(move |line| low + f64::from(line) * step)
    }

    /// Decimals that tell one line from the next.
    pub(super) fn decimals(&self) -> usize {
        (-self.step.log10().floor()).clamp(0.0, 9.0) as usize
    }
}

/// The next 1, 2 or 5 times a power of ten.
fn round_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.max(1e-12).log10().floor());
    let times = [1.0, 2.0, 5.0].into_iter().find(|times| times * power >= rough * 0.999_999);
    times.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_at_round_numbers() {
        let scale = Scale::around([3.0, 47.0], 5);
        assert_eq!((scale.low, scale.high, scale.step), (0.0, 50.0, 10.0));
        let scale = Scale::around([100.0, 101.0], 5);
        assert_eq!(scale.decimals(), 1);
        assert!(scale.low >= 99.0 && scale.high <= 102.0);
        let lines: Vec<f64> = Scale::time(62.0, 8).lines().collect();
        assert_eq!(lines, [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
    }

    #[test]
    fn nothing_or_always_the_same_still_has_a_scale() {
        for values in [vec![], vec![0.0], vec![5.0, 5.0], vec![-3.0], vec![f64::NAN]] {
            let scale = Scale::around(values.clone(), 5);
            assert!(scale.low < scale.high && scale.lines().count() >= 2, "{values:?} {scale:?}");
        }
    }

    proptest! {
        #[test]
        fn every_value_is_on_the_scale(values in prop::collection::vec(-1e12..1e12_f64, 1..20)) {
            let scale = Scale::around(values.clone(), 5);
            for value in values {
                let slack = 1e-6 * scale.step;
                prop_assert!(value >= scale.low - slack && value <= scale.high + slack, "{value} {scale:?}");
            }
            prop_assert!(scale.lines().count() <= 12, "{:?}", scale);
        }
    }
}
