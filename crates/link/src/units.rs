//! Values as people write them: `10%`, `40ms`, `500k`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::settings::SettingError;

/// The longest [`Span`]: a day. Longer is a slip of the pen, and sums of spans stay within what a clock can say.
const LONGEST: f64 = 86_400.0;

/// A share, written in percent: `10`, `2.5`, `10%`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Percent(f64);

impl Percent {
    /// Nothing.
    pub const NONE: Self = Self(0.0);
    /// All.
    pub const ALL: Self = Self(100.0);

    /// `percent` of 100, or nothing if it is not between 0 and 100.
    pub fn new(percent: f64) -> Option<Self> {
        (0.0..=100.0).contains(&percent).then_some(Self(percent))
    }

    /// Between 0 and 1.
    pub fn share(self) -> f64 {
        self.0 / 100.0
    }
}

impl FromStr for Percent {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        number(text.strip_suffix('%').unwrap_or(text))
            .and_then(Self::new)
            .ok_or_else(|| SettingError::Percent(text.to_owned()))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// A length of time: `200ms`, `1.5s`, `2min`; a bare number is milliseconds. A day at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let (digits, seconds) = split_unit(text, &[("ms", 0.001), ("min", 60.0), ("s", 1.0)], 0.001);
        number(digits)
            .map(|number| number * seconds)
            .filter(|seconds| (0.0..=LONGEST).contains(seconds))
            .map(|seconds| Self(Duration::from_secs_f64(seconds)))
            .ok_or_else(|| SettingError::Span(text.to_owned()))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0.as_secs_f64() * 1000.0)
    }
}

/// Bits a second, from 1 up: `64000`, `500k`, `2.5M`. Thousands are thousands, not 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BitRate(u64);

impl BitRate {
    /// `bits` a second, or nothing for 0: a line that carries nothing is one that is cut.
    pub fn new(bits: u64) -> Option<Self> {
        (bits > 0).then_some(Self(bits))
    }

    /// Bits a second.
    pub fn bits(self) -> u64 {
        self.0
    }
}

impl FromStr for BitRate {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let bare = text.strip_suffix("bit/s").unwrap_or(text);
        let (digits, bits) =
            split_unit(bare, &[("k", 1e3), ("K", 1e3), ("M", 1e6), ("m", 1e6), ("G", 1e9)], 1.0);
        number(digits)
            .map(|number| number * bits)
            .filter(|bits| (1.0..=1e12).contains(bits))
            .and_then(|bits| Self::new(bits.round() as u64))
            .ok_or_else(|| SettingError::Rate(text.to_owned()))
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kbit/s", self.0 as f64 / 1000.0)
    }
}

/// The digits of `text`, and what one of its unit is worth.
fn split_unit<'a>(text: &'a str, units: &[(&str, f64)], bare: f64) -> (&'a str, f64) {
    for (unit, worth) in units {
        if let Some(digits) = text.strip_suffix(unit) {
            return (digits, *worth);
        }
    }
    (text, bare)
}

/// A plain number: no sign, no exponent, no `inf`.
pub(crate) fn number(text: &str) -> Option<f64> {
    let text = text.trim_end();
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_milliseconds_unless_a_unit_says_otherwise() {
        let millis = |text: &str| text.parse::<Span>().unwrap().0.as_secs_f64() * 1e3;
        assert_eq!(millis("40"), 40.0);
        assert_eq!(millis("200ms"), 200.0);
        assert_eq!(millis("1.5s"), 1500.0);
        assert_eq!(millis("2min"), 120_000.0);
        assert_eq!(millis("0.25"), 0.25);
    }

    #[test]
    fn rates_are_bits_a_second() {
        let bits = |text: &str| text.parse::<BitRate>().unwrap().bits();
        assert_eq!(bits("500k"), 500_000);
        assert_eq!(bits("2.5M"), 2_500_000);
        assert_eq!(bits("64000"), 64_000);
        assert_eq!(bits("64kbit/s"), 64_000);
    }

    #[test]
    fn shares_are_percent() {
        assert_eq!("10".parse::<Percent>().unwrap().share(), 0.1);
        assert_eq!("2.5%".parse::<Percent>().unwrap().share(), 0.025);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["", "-1", "101", "1e1", "NaN", "inf", "ten", "1 0"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
        for text in ["", "-1", "2d", "1e9", "86401s", "ms", "NaNs", "999999999999999999999999s"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        for text in ["", "0", "-5k", "k", "0.0001", "9999999G"] {
            assert!(text.parse::<BitRate>().is_err(), "{text}");
        }
    }
}
