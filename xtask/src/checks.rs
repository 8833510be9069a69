//! `test`: the steps, their order, and what to do when one fails.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::args::TestOptions;
use crate::install::{
    ensure_browser, ensure_cargo_deny, ensure_component, ensure_sound_server, ensure_system_packages,
    offer_for_tests,
};
use crate::process::{Failure, cargo, root, run};
use crate::say;

/// With this set to 1, `deny` asks the advisory database too. It changes from day to day, so the same commit could
/// pass today and fail tomorrow: that is for continuous integration, not for everybody's machine.
const ADVISORIES: &str = "CARILLON_ADVISORIES";

/// One step of `test`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// rustfmt.
    Format,
    /// clippy.
    Clippy,
    /// cargo-deny.
    Deny,
    /// rustdoc.
    Docs,
    /// The programs.
    Build,
    /// The tests.
    Tests,
}

impl Check {
    /// In the order in which they run: what is quick and often fails comes first.
    pub(crate) const ALL: [Self; 6] =
        [Self::Format, Self::Clippy, Self::Deny, Self::Docs, Self::Build, Self::Tests];

    /// The name for `--only`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Clippy => "clippy",
            Self::Deny => "deny",
            Self::Docs => "docs",
            Self::Build => "build",
            Self::Tests => "tests",
        }
    }

    /// The step of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.name() == name)
    }

    /// What to do when it fails.
    const fn advice(self) -> &'static str {
        match self {
            Self::Format => "run `cargo fmt --all`",
            Self::Clippy => {
                "each warning above names its line; an exception is a local #[expect(..., reason = \"...\")]"
            }
            Self::Deny => "choose another crate, or write the exception and its reason into deny.toml",
            Self::Docs => "each warning above names the line of documentation to correct",
            Self::Build => "the first error above is the one to correct",
            Self::Tests => "`cargo test -p PACKAGE NAME` runs one test alone",
        }
    }

    /// Installs what the step needs, then runs it.
    fn run(self, options: &TestOptions) -> Result<(), Failure> {
        let mut command = match self {
            Self::Format => {
                ensure_component("rustfmt", "fmt")?;
                cargo_with(&["fmt", "--all", "--check"])
            }
            Self::Clippy => {
                ensure_system_packages()?;
                ensure_component("clippy", "clippy")?;
                cargo_with(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
            }
            Self::Deny => {
                let mut command = Command::new(ensure_cargo_deny()?);
                command.args(deny_arguments(std::env::var(ADVISORIES).as_deref() == Ok("1")));
                command
            }
            Self::Docs => {
                ensure_system_packages()?;
                let mut command = cargo_with(&["doc", "--workspace", "--no-deps"]);
                command.env("RUSTDOCFLAGS", "-D warnings");
                command
            }
            Self::Build => {
                ensure_system_packages()?;
                // Without this program: Windows can't replace one that runs.
                cargo_with(&["build", "--workspace", "--bins", "--exclude", "xtask"])
            }
            Self::Tests => {
                ensure_system_packages()?;
                offer_for_tests();
                ensure_sound_server()?;
                ensure_browser()?;
                let mut command = cargo_with(&["test", "--workspace"]);
                if options.keep_going {
                    command.arg("--no-fail-fast");
                }
                command
            }
        };
        run(command.current_dir(root()))
    }
}

fn cargo_with(arguments: &[&str]) -> Command {
    let mut command = cargo();
    command.args(arguments);
    command
}

fn deny_arguments(advisories: bool) -> Vec<&'static str> {
    let checks: &[_] = if advisories {
        &["advisories", "bans", "licenses", "sources"]
    } else {
        &["bans", "licenses", "sources"]
    };
    ["check", "--hide-inclusion-graph"].iter().chain(checks).copied().collect()
}

/// The steps to run. The whole-system tests start the programs, so `tests` brings `build` with it.
fn chosen(options: &TestOptions) -> Vec<Check> {
    let wanted = |check: &Check| {
        options.only.is_empty()
            || options.only.contains(check)
            || (*check == Check::Build && options.only.contains(&Check::Tests))
    };
    Check::ALL.into_iter().filter(wanted).collect()
}

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    check: Check,
    /// `None` for one that was not reached.
    took: Option<Duration>,
    failure: Option<Failure>,
}

/// Runs the steps that were asked for.
///
/// # Errors
/// A sentence that names the steps that failed.
pub(crate) fn test(options: &TestOptions) -> Result<(), Failure> {
    in_order(options, |check| check.run(options))
}

/// Runs the steps and prints a table of them.
///
/// # Errors
/// A sentence that names the steps that failed.
fn in_order(
    options: &TestOptions,
    mut step: impl FnMut(Check) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let start = Instant::now();
    let mut outcomes: Vec<Outcome> = Vec::new();
    for check in chosen(options) {
        if !options.keep_going && outcomes.iter().any(|outcome| outcome.failure.is_some()) {
            outcomes.push(Outcome { check, took: None, failure: None });
            continue;
        }
        say(&format!("\n=== {} (after {})", check.name(), time(start.elapsed())));
        let began = Instant::now();
        let failure = step(check).err();
        if let Some(failure) = &failure {
            say(&format!("\n{} failed: {failure}\n→ {}", check.name(), check.advice()));
        }
        outcomes.push(Outcome { check, took: Some(began.elapsed()), failure });
    }
    say(&table(&outcomes, start.elapsed()));
    let failed: Vec<_> =
        outcomes.iter().filter(|outcome| outcome.failure.is_some()).map(|outcome| outcome.check).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let advice = failed.iter().map(|check| format!("{} failed: {}", check.name(), check.advice()));
    Err(advice.collect::<Vec<_>>().join("\n       "))
}

fn table(outcomes: &[Outcome], total: Duration) -> String {
    let mut lines = vec![String::new()];
    for outcome in outcomes {
        let (word, took) = match (&outcome.failure, outcome.took) {
            (Some(_), Some(took)) => ("FAILED", time(took)),
            (None, Some(took)) => ("ok", time(took)),
            (_, None) => ("not run", String::new()),
        };
        lines.push(format!("  {:<8} {word:<8} {took:>8}", outcome.check.name()).trim_end().to_owned());
    }
    lines.push(format!("  {:<8} {:<8} {:>8}", "total", "", time(total)));
    lines.join("\n")
}

/// `12.3 s`, or from a minute on `3:07 min`.
fn time(span: Duration) -> String {
    let seconds = span.as_secs();
    if seconds < 60 {
        format!("{}.{} s", seconds, span.subsec_millis() / 100)
    } else {
        format!("{}:{:02} min", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(only: &[Check], keep_going: bool) -> TestOptions {
        TestOptions { only: only.to_vec(), keep_going }
    }

    #[test]
    fn every_step_has_its_own_name() {
        for check in Check::ALL {
            assert_eq!(Check::named(check.name()), Some(check));
        }
        assert_eq!(Check::named("everything"), None);
    }

    #[test]
    fn the_tests_bring_the_programs_with_them_and_the_order_stays() {
        assert_eq!(chosen(&options(&[], false)), Check::ALL);
        assert_eq!(
            chosen(&options(&[Check::Tests, Check::Clippy], false)),
            [Check::Clippy, Check::Build, Check::Tests]
        );
        assert_eq!(chosen(&options(&[Check::Docs], false)), [Check::Docs]);
    }

    #[test]
    fn the_first_failure_stops_the_rest_and_says_what_to_do() {
        let mut ran = Vec::new();
        let result = in_order(&options(&[], false), |check| {
            ran.push(check);
            if check == Check::Clippy { Err("clippy is unhappy".to_owned()) } else { Ok(()) }
        });
        assert_eq!(ran, [Check::Format, Check::Clippy]);
        assert!(result.unwrap_err().starts_with("clippy failed: each warning above names its line"));
    }

    #[test]
    fn keep_going_runs_everything_and_names_every_failure() {
        let mut ran = 0;
        let result = in_order(&options(&[], true), |check| {
            ran += 1;
            if matches!(check, Check::Format | Check::Docs) { Err("no".to_owned()) } else { Ok(()) }
        });
        assert_eq!(ran, Check::ALL.len());
        let failure = result.unwrap_err();
        assert!(failure.contains("format failed") && failure.contains("docs failed"), "{failure}");
    }

    #[test]
    fn all_steps_that_pass_are_a_success() {
        assert_eq!(in_order(&options(&[], false), |_| Ok(())), Ok(()));
    }

    #[test]
    fn the_table_has_a_line_for_each_step() {
        let outcome = |check, took: Option<u64>, failure: Option<&str>| Outcome {
            check,
            took: took.map(Duration::from_millis),
            failure: failure.map(str::to_owned),
        };
        let outcomes = [
            outcome(Check::Format, Some(1_250), None),
            outcome(Check::Clippy, Some(187_000), Some("no")),
            outcome(Check::Deny, None, None),
        ];
        assert_eq!(
            table(&outcomes, Duration::from_secs(188)),
            "\n  format   ok          1.2 s\n  clippy   FAILED   3:07 min\n  deny     not run\n  total             3:08 min"
        );
    }

    #[test]
    fn advisories_are_asked_for_only_on_demand() {
        assert!(deny_arguments(true).contains(&"advisories"));
        assert!(!deny_arguments(false).contains(&"advisories"));
    }
}
