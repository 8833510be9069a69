//! What a person types after `cargo xtask`.

/// Printed by `cargo xtask help`.
pub(crate) const HELP: &str = "\
cargo xtask call [-- ARGUMENTS]           a server and two clients on this machine, and a call between them
cargo xtask test [--only STEP]… [--keep-going]
                                          everything: format, lints, licenses, docs, tests
                                          (steps: format, clippy, deny, docs, build, tests)
cargo xtask bench PART [--json FILE]      measures one part (server) in its release build
cargo xtask help                          this text";

/// The parts that `bench` knows.
pub(crate) const PARTS: &[&str] = &["server"];

/// A task with its options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Shows [`HELP`].
    Help,
    /// Runs a call on this machine.
    Call {
        /// Passed on to `carillon loopback`.
        rest: Vec<String>,
    },
    /// Runs the checks.
    Test {
        /// The steps to run; all if empty.
        only: Vec<String>,
        /// Goes on after a step that failed.
        keep_going: bool,
    },
    /// Runs a benchmark.
    Bench {
        /// One of [`PARTS`].
        part: String,
        /// Where to write the rows as JSON.
        json: Option<String>,
    },
}

/// Reads the arguments.
///
/// # Errors
/// A sentence that says what was not understood.
pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Task, String> {
    let Some(task) = args.next() else { return Ok(Task::Help) };
    match task.as_str() {
        "help" | "--help" | "-h" => Ok(Task::Help),
        "call" => Ok(Task::Call { rest: args.skip_while(|arg| arg == "--").collect() }),
        "test" => test(args),
        "bench" => bench(args),
        other => Err(format!("There is no task {other}.")),
    }
}

fn test(mut args: impl Iterator<Item = String>) -> Result<Task, String> {
    let (mut only, mut keep_going) = (Vec::new(), false);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--keep-going" => keep_going = true,
            "--only" => {
                let step = args.next().ok_or("--only needs the name of a step.")?;
                if !crate::checks::names().contains(&step.as_str()) {
                    return Err(format!("There is no step {step}: {}.", crate::checks::names().join(", ")));
                }
                only.push(step);
            }
            other => return Err(format!("test does not know {other}.")),
        }
    }
    Ok(Task::Test { only, keep_going })
}

fn bench(mut args: impl Iterator<Item = String>) -> Result<Task, String> {
    let part = args.next().ok_or_else(|| format!("bench needs a part: {}.", PARTS.join(", ")))?;
    if !PARTS.contains(&part.as_str()) {
        return Err(format!("There is no part {part}: {}.", PARTS.join(", ")));
    }
    let mut json = None;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--json" => json = Some(args.next().ok_or("--json needs a file.")?),
            other => return Err(format!("bench does not know {other}.")),
        }
    }
    Ok(Task::Bench { part, json })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn nothing_and_help_show_the_help() {
        assert_eq!(parsed(""), Ok(Task::Help));
        assert_eq!(parsed("--help"), Ok(Task::Help));
    }

    #[test]
    fn call_passes_on_what_follows() {
        assert_eq!(parsed("call -- --json"), Ok(Task::Call { rest: vec!["--json".to_owned()] }));
        assert_eq!(parsed("call --json"), Ok(Task::Call { rest: vec!["--json".to_owned()] }));
    }

    #[test]
    fn test_takes_several_steps() {
        let only = vec!["docs".to_owned(), "deny".to_owned()];
        assert_eq!(
            parsed("test --only docs --keep-going --only deny"),
            Ok(Task::Test { only, keep_going: true })
        );
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (line, word) in [
            ("dance", "dance"),
            ("test --only lint", "lint"),
            ("test --only", "--only"),
            ("bench", "server"),
            ("bench moon", "moon"),
            ("bench server --json", "--json"),
            ("bench server --fast", "--fast"),
        ] {
            let message = parsed(line).unwrap_err();
            assert!(message.contains(word), "{line}: {message}");
        }
    }
}
