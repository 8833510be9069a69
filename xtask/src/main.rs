//! Every task a person runs on this repository: `cargo xtask call`, `cargo xtask test`, `cargo xtask bench server`.
//!
//! Standard library alone, so that it builds in seconds on a fresh machine, and the same on Linux, macOS and Windows.
//! What a task needs and the machine lacks is installed first, or named.

#![forbid(unsafe_code)]

mod args;
mod checks;
mod install;
mod process;
mod tasks;

use std::io::Write as _;
use std::process::ExitCode;

use crate::args::Task;

/// The exit code for words that are no task (as in `sysexits.h`).
const EXIT_USAGE: u8 = 64;

fn main() -> ExitCode {
    let words = std::env::args().skip(1);
    let result = match args::parse(words) {
        Ok(Task::Help(topic)) => {
            say(topic.text());
            return ExitCode::SUCCESS;
        }
        Ok(Task::Call { arguments }) => tasks::call(&arguments),
        Ok(Task::Test(options)) => checks::test(&options),
        Ok(Task::Bench { part, arguments }) => tasks::bench(part, &arguments),
        Ok(Task::Soak { arguments }) => tasks::soak(&arguments),
        Ok(Task::Fuzz(options)) => tasks::fuzz(&options),
        Err(problem) => {
            say(&format!("xtask: {problem}\n\n{}", args::Topic::All.text()));
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            say(&format!("xtask: {problem}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints a line for the person who runs the task. Not with `println!`, which panics when the reader is gone.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody is left to tell when this fails.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
