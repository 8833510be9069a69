//! Changes in time.
//!
//! A script is a text, one step a line, in the order of time:
//!
//! ```text
//! # A line that gets worse, dies and recovers.
//! at 0s    rate=2M queue=300ms
//! at 10s   rate=600k loss=2 burst=4
//! at 20s   cut
//! at 22.5s mend loss=0 burst=none rate=2M
//! ```
//!
//! What a step does not name stays. Times count from the start of the line. `#` starts a comment; empty lines are
//! passed over. Settings: `loss`, `duplicate` (percent), `burst` (packets, or `none`), `delay`, `jitter`, `queue`
//! (`40ms`, `1.5s`), `order` (`keep`, `any`), `rate` (`500k`, `2M`, or `none`), and the words `cut` and `mend`.

use std::time::Duration;

use crate::settings::{Change, SettingError, Settings};
use crate::units::Span;

/// What changes when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Counted from the start of the line.
    pub at: Duration,
    /// What changes then.
    pub change: Change,
}

/// Steps in the order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    steps: Vec<(usize, Step)>,
}

/// What is wrong in a script, and where.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ScriptError {
    /// The line in the text, counted from 1.
    pub line: usize,
    /// What is wrong there.
    #[source]
    pub reason: SettingError,
}

impl ScriptError {
    /// A name for it that does not change, for machines.
    pub fn code(&self) -> &'static str {
        self.reason.code()
    }
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// The first line that is not a step.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let mut steps: Vec<(usize, Step)> = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let line = index + 1;
            let step = text.split('#').next().unwrap_or_default().trim();
            if step.is_empty() {
                continue;
            }
            let step = parse_step(step).map_err(|reason| ScriptError { line, reason })?;
            if steps.last().is_some_and(|(_, before)| before.at > step.at) {
                return Err(ScriptError { line, reason: SettingError::Backwards });
            }
            steps.push((line, step));
        }
        Ok(Self { steps })
    }

    /// The steps, in the order of time.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().map(|(_, step)| step)
    }
}

fn parse_step(text: &str) -> Result<Step, SettingError> {
    let mut words = text.split_whitespace();
    if words.next() != Some("at") {
        return Err(SettingError::NoTime);
    }
    let at = words.next().ok_or(SettingError::NoTime)?.parse::<Span>()?.0;
    let mut change = Change::default();
    for word in words {
        let before = change;
        match word {
            "cut" | "mend" if change.cut.is_some() => {
                return Err(SettingError::Twice("cut or mend".to_owned()));
            }
            "cut" => change.cut = Some(true),
            "mend" => change.cut = Some(false),
            _ => {
                let (name, value) =
                    word.split_once('=').ok_or_else(|| SettingError::Form(word.to_owned()))?;
                let mut alone = Change::default();
                alone.set(name, value)?;
                change.set(name, value)?;
                if is_said(&before, &alone) {
                    return Err(SettingError::Twice(name.to_owned()));
                }
            }
        }
    }
    if change == Change::default() { Err(SettingError::Nothing) } else { Ok(Step { at, change }) }
}

/// Whether `change` already says what `alone` says.
fn is_said(change: &Change, alone: &Change) -> bool {
    (alone.loss.is_some() && change.loss.is_some())
        || (alone.burst.is_some() && change.burst.is_some())
        || (alone.delay.is_some() && change.delay.is_some())
        || (alone.jitter.is_some() && change.jitter.is_some())
        || (alone.in_order.is_some() && change.in_order.is_some())
        || (alone.rate.is_some() && change.rate.is_some())
        || (alone.queue.is_some() && change.queue.is_some())
        || (alone.duplicate.is_some() && change.duplicate.is_some())
}

/// Settings from the start, and what changes in time: all a line is told. Checked as a whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    settings: Settings,
    script: Script,
}

impl Plan {
    /// Puts both together.
    ///
    /// # Errors
    /// Bursts too short for the loss, from the start (line 0) or after a step (its line in the script).
    pub fn new(settings: Settings, script: Script) -> Result<Self, ScriptError> {
        settings.check().map_err(|reason| ScriptError { line: 0, reason })?;
        let mut then = settings;
        for (line, step) in &script.steps {
            step.change.apply(&mut then);
            then.check().map_err(|reason| ScriptError { line: *line, reason })?;
        }
        Ok(Self { settings, script })
    }

    /// From the start.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What changes in time.
    pub fn script(&self) -> &Script {
        &self.script
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> (usize, &'static str) {
        let error = Script::parse(text).unwrap_err();
        (error.line, error.code())
    }

    #[test]
    fn a_script_is_read_step_by_step() {
        let script = Script::parse(
            "# worse\n\nat 0s rate=2M queue=300ms\nat 10s rate=600k loss=2 # now\nat 12 mend rate=none\n",
        )
        .unwrap_err();
        // 12 is 12 ms.
        assert_eq!((script.line, script.code()), (5, "link_steps_out_of_order"));

        let script =
            Script::parse("at 0 rate=2M\nat 10s rate=600k loss=2\nat 10s cut\nat 20s mend rate=none")
                .unwrap();
        let steps: Vec<_> = script.steps().collect();
        assert_eq!(steps.len(), 4);
        assert_eq!(steps[1].at, Duration::from_secs(10));
        assert_eq!(steps[1].change.loss, Some("2".parse().unwrap()));
        assert_eq!(steps[2].change.cut, Some(true));
        assert_eq!(steps[3].change.rate, Some(None));
        assert_eq!(steps[3].change.cut, Some(false));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_a_code() {
        assert_eq!(wrong("at 1s loss=1\nrate=5k"), (2, "link_step_without_time"));
        assert_eq!(wrong("at"), (1, "link_step_without_time"));
        assert_eq!(wrong("\nat soon cut"), (2, "link_bad_time"));
        assert_eq!(wrong("at 1s"), (1, "link_empty_step"));
        assert_eq!(wrong("at 1s lost=5"), (1, "link_unknown_setting"));
        assert_eq!(wrong("at 1s loss"), (1, "link_not_name_value"));
        assert_eq!(wrong("at 1s loss=200"), (1, "link_bad_percent"));
        assert_eq!(wrong("at 1s rate=fast"), (1, "link_bad_rate"));
        assert_eq!(wrong("at 1s burst=0.5"), (1, "link_bad_burst"));
        assert_eq!(wrong("at 1s order=reverse"), (1, "link_bad_order"));
        assert_eq!(wrong("at 1s loss=1 loss=2"), (1, "link_set_twice"));
        assert_eq!(wrong("at 1s cut mend"), (1, "link_set_twice"));
    }

    #[test]
    fn the_text_of_an_error_says_where_and_what_would_do() {
        let error = Script::parse("at 1s loss=lots").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 1: \"lots\" is no share between 0 and 100 percent; write for example 10 or 2.5%"
        );
    }

    #[test]
    fn bursts_too_short_for_the_loss_are_told_at_the_step_that_makes_them_so() {
        let script = Script::parse("at 1s burst=4\n\nat 2s loss=90").unwrap();
        let error = Plan::new(Settings::default(), script).unwrap_err();
        assert_eq!((error.line, error.code()), (3, "link_burst_too_short"));
        assert!(error.to_string().contains("at least 9 packets"), "{error}");
    }
}
