//! How bad a line is.

use crate::units::{BitRate, Percent, Span, number};

/// A line's properties. The default is a perfect line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How many packets are lost.
    pub loss: Percent,
    /// How many packets in a row a loss takes, on the mean: the Gilbert–Elliott model. Without it each packet is
    /// lost or not on its own.
    pub burst: Option<f64>,
    /// How long a packet travels.
    pub delay: Span,
    /// The standard deviation of the delay, normally distributed. No packet travels less than no time: with a delay
    /// below three times the jitter the curve is cut at the left.
    pub jitter: Span,
    /// Whether jitter may let a packet overtake another. Where it may not, one that is late holds up those behind it.
    pub in_order: bool,
    /// The bottleneck's rate. Without it bits take no time and nothing queues.
    pub rate: Option<BitRate>,
    /// How long a packet may wait in front of the bottleneck. One that would wait longer is dropped (drop tail).
    pub queue: Span,
    /// How many packets arrive twice.
    pub duplicate: Percent,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            loss: Percent::NONE,
            burst: None,
            delay: Span::default(),
            jitter: Span::default(),
            in_order: false,
            rate: None,
            queue: Span(std::time::Duration::from_millis(200)),
            duplicate: Percent::NONE,
        }
    }
}

impl Settings {
    /// The chances of Gilbert's chain for `loss` and `burst` exist only if the good times between two bursts hold at
    /// least one packet.
    pub(crate) fn check(&self) -> Result<(), SettingError> {
        let Some(burst) = self.burst else { return Ok(()) };
        let loss = self.loss.share();
        let least = loss / (1.0 - loss);
        // Binary fractions: 0.9 / (1 − 0.9) is a little more than 9.
        let slack = 1e-9 * least;
        if loss < 1.0 && burst < least - slack {
            return Err(SettingError::BurstTooShort { loss: self.loss, least: (least - slack).ceil() });
        }
        Ok(())
    }
}

/// Settings that change; those that are `None` stay. `Some(None)` takes a setting away.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Change {
    /// See [`Settings::loss`].
    pub loss: Option<Percent>,
    /// See [`Settings::burst`].
    pub burst: Option<Option<f64>>,
    /// See [`Settings::delay`].
    pub delay: Option<Span>,
    /// See [`Settings::jitter`].
    pub jitter: Option<Span>,
    /// See [`Settings::in_order`].
    pub in_order: Option<bool>,
    /// See [`Settings::rate`].
    pub rate: Option<Option<BitRate>>,
    /// See [`Settings::queue`].
    pub queue: Option<Span>,
    /// See [`Settings::duplicate`].
    pub duplicate: Option<Percent>,
    /// The line dies, or comes back.
    pub cut: Option<bool>,
}

/// The names [`Change::set`] knows.
const NAMES: &str = "loss, burst, delay, jitter, order, rate, queue, duplicate";

impl Change {
    /// Sets what `name` means to what `value` says, as on the command line and in a script. `none` takes `burst` and
    /// `rate` away; `order` is `keep` or `any`.
    ///
    /// # Errors
    /// An unknown name, or a value that is not of its kind.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
        match name {
            "loss" => self.loss = Some(value.parse()?),
            "burst" => self.burst = Some(burst(value)?),
            "delay" => self.delay = Some(value.parse()?),
            "jitter" => self.jitter = Some(value.parse()?),
            "order" => self.in_order = Some(order(value)?),
            "rate" => self.rate = Some(if value == "none" { None } else { Some(value.parse()?) }),
            "queue" => self.queue = Some(value.parse()?),
            "duplicate" => self.duplicate = Some(value.parse()?),
            _ => return Err(SettingError::Unknown(name.to_owned())),
        }
        Ok(())
    }

    /// Makes the change. Whether the line is cut is not among the settings.
    pub fn apply(&self, settings: &mut Settings) {
        let Self { loss, burst, delay, jitter, in_order, rate, queue, duplicate, cut: _ } = *self;
        settings.loss = loss.unwrap_or(settings.loss);
        settings.burst = burst.unwrap_or(settings.burst);
        settings.delay = delay.unwrap_or(settings.delay);
        settings.jitter = jitter.unwrap_or(settings.jitter);
        settings.in_order = in_order.unwrap_or(settings.in_order);
        settings.rate = rate.unwrap_or(settings.rate);
        settings.queue = queue.unwrap_or(settings.queue);
        settings.duplicate = duplicate.unwrap_or(settings.duplicate);
    }
}

fn burst(value: &str) -> Result<Option<f64>, SettingError> {
    if value == "none" {
        return Ok(None);
    }
    number(value)
        .filter(|burst| (1.0..=1e6).contains(burst))
        .map(Some)
        .ok_or_else(|| SettingError::Burst(value.to_owned()))
}

fn order(value: &str) -> Result<bool, SettingError> {
    match value {
        "keep" => Ok(true),
        "any" => Ok(false),
        _ => Err(SettingError::Order(value.to_owned())),
    }
}

/// Why a setting is refused. The text says what would do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SettingError {
    /// No such setting.
    #[error("there is no setting {0:?}; there are {NAMES}")]
    Unknown(String),
    /// Not `name=value`.
    #[error("{0:?} is not of the form name=value")]
    Form(String),
    /// A setting said twice in one line.
    #[error("{0} is set twice")]
    Twice(String),
    /// Not a share.
    #[error("{0:?} is no share between 0 and 100 percent; write for example 10 or 2.5%")]
    Percent(String),
    /// Not a length of time.
    #[error(
        "{0:?} is no length of time up to a day; write for example 40ms or 1.5s (a bare number is milliseconds)"
    )]
    Span(String),
    /// Not a rate.
    #[error("{0:?} is no rate; write for example 500k or 2.5M (bits a second)")]
    Rate(String),
    /// Not a burst length.
    #[error("{0:?} is no burst length; write the mean number of packets lost in a row, from 1 up, or none")]
    Burst(String),
    /// Not an order.
    #[error("{0:?} is no order; write keep or any")]
    Order(String),
    /// Bursts that can't make up that loss.
    #[error("{loss} lost needs bursts of at least {least} packets")]
    BurstTooShort {
        /// The loss asked for.
        loss: Percent,
        /// The shortest mean burst that can give it.
        least: f64,
    },
    /// A line of a script that does not start with `at TIME`.
    #[error("a step starts with a time, for example: at 10s rate=600k loss=2")]
    NoTime,
    /// A step without a change.
    #[error("the step changes nothing; say what, for example rate=600k, cut or mend")]
    Nothing,
    /// A step before the one above it.
    #[error("the step comes before the one above it; write the steps in the order of time")]
    Backwards,
}

impl SettingError {
    /// A name for it that does not change, for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "link_unknown_setting",
            Self::Form(_) => "link_not_name_value",
            Self::Twice(_) => "link_set_twice",
            Self::Percent(_) => "link_bad_percent",
            Self::Span(_) => "link_bad_time",
            Self::Rate(_) => "link_bad_rate",
            Self::Burst(_) => "link_bad_burst",
            Self::Order(_) => "link_bad_order",
            Self::BurstTooShort { .. } => "link_burst_too_short",
            Self::NoTime => "link_step_without_time",
            Self::Nothing => "link_empty_step",
            Self::Backwards => "link_steps_out_of_order",
        }
    }
}
