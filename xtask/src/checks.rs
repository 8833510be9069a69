//! `cargo xtask test`: the steps, in the order of what fails soonest.

use std::process::Command;
use std::time::Instant;

use crate::{install, run};

/// One step.
struct Step {
    name: &'static str,
    run: fn() -> Result<(), String>,
    /// What to do when it fails.
    advice: &'static str,
}

const STEPS: &[Step] = &[
    Step { name: "format", run: format, advice: "Run `cargo fmt --all`." },
    Step { name: "clippy", run: clippy, advice: "Mend what clippy names; an exception carries its reason." },
    Step { name: "deny", run: deny, advice: "See deny.toml for what may come into the tree, and why." },
    Step { name: "docs", run: docs, advice: "Mend the links and the comments that rustdoc names." },
    Step { name: "build", run: build, advice: "Mend the build." },
    Step {
        name: "tests",
        run: tests,
        advice: "Run the test that failed alone: `cargo test -p PACKAGE NAME`.",
    },
];

/// The names of the steps.
pub(crate) fn names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}

/// Runs the steps named, or all, and says how long each took.
///
/// # Errors
/// A sentence that names the steps that failed.
pub(crate) fn all(only: &[String], keep_going: bool) -> Result<(), String> {
    install::compiler()?;
    let mut summary = Vec::new();
    let mut failed = Vec::new();
    for step in STEPS.iter().filter(|step| only.is_empty() || only.iter().any(|name| name == step.name)) {
        run::say(&format!("\n── {} ──", step.name));
        let started = Instant::now();
        let result = (step.run)();
        let seconds = started.elapsed().as_secs();
        summary.push(format!(
            "{:<8} {:>5} s  {}",
            step.name,
            seconds,
            if result.is_ok() { "ok" } else { "FAILED" }
        ));
        if let Err(message) = result {
            run::say(&format!("{message} {}", step.advice));
            failed.push(step.name);
            if !keep_going {
                break;
            }
        }
    }
    run::say(&format!("\n{}", summary.join("\n")));
    if failed.is_empty() { Ok(()) } else { Err(format!("Failed: {}.", failed.join(", "))) }
}

fn format() -> Result<(), String> {
    install::component("rustfmt", "fmt")?;
    run::cargo(&["fmt", "--all", "--check"])
}

fn clippy() -> Result<(), String> {
    install::component("clippy", "clippy")?;
    run::cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
}

/// Advisories need a database from the network, so only the workflow, which has one, checks them.
fn deny() -> Result<(), String> {
    let mut command = Command::new(install::deny()?);
    command.current_dir(run::root()).args(["check", "bans", "licenses", "sources"]);
    if std::env::var_os("CARILLON_ADVISORIES").is_some() {
        command.arg("advisories");
    }
    run::run(&mut command)
}

fn docs() -> Result<(), String> {
    let mut command = run::cargo_command(&["doc", "--workspace", "--no-deps", "--quiet"]);
    run::run(command.env("RUSTDOCFLAGS", "-D warnings"))
}

/// The scenarios start the real programs, which `cargo test` alone would not build.
fn build() -> Result<(), String> {
    run::cargo(&["build", "--workspace", "--bins"])
}

fn tests() -> Result<(), String> {
    run::cargo(&["test", "--workspace"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_step() {
        for name in names() {
            assert!(crate::args::HELP.contains(name), "{name}");
        }
    }
}
