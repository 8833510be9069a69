//! Tests that need a process of their own: because of its environment, which a program of many threads can't set
//! safely, or because what they count (memory, threads, open files) is that of the whole process, in which other tests
//! run beside.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use crate::Problem;

/// Tells the process that it is the test's own.
const ALONE: &str = "TEST_ALONE_OF_CARILLON";

/// Runs a test's body in a process of its own. `body` must be a closure written in the test itself: its type tells the
/// name of the test to run.
///
/// # Panics
/// When the body does. What it printed is shown.
pub fn alone<F: FnOnce()>(body: F) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let name = test_of(std::any::type_name::<F>());
    passed(&name, rerun(&name, vec![(ALONE, "1".into())]));
}

/// A test's place to fail.
#[track_caller]
pub(crate) fn passed(name: &str, outcome: Result<(), Problem>) {
    assert!(outcome.is_ok(), "{name} failed in its own process:\n{}", outcome.err().unwrap_or_default());
}

/// `my_crate::tests::a_test::{{closure}}` is the test `tests::a_test`.
pub(crate) fn test_of(closure: &str) -> String {
    let path = closure.trim_end_matches("::{{closure}}");
    path.split_once("::").map_or(path, |(_, path)| path).to_owned()
}

/// Runs the test of this name, and no other, in a new process with this added to its environment.
///
/// # Errors
/// All that it said.
pub(crate) fn rerun(name: &str, environment: Vec<(&'static str, OsString)>) -> Result<(), Problem> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(program)
        .args(["--exact", name, "--include-ignored", "--nocapture", "--test-threads=1"])
        .envs(environment)
        .stdin(Stdio::null())
        .output();
    let output = output.map_err(|error| error.to_string())?;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    // Shown by `--nocapture` and by a failure.
    #[expect(clippy::print_stdout, reason = "the output of a test")]
    {
        println!("{said}");
    }
    // A name that matches nothing would also succeed.
    if output.status.success() && said.contains("1 passed") { Ok(()) } else { Err(said) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_a_closure_tells_the_test_it_stands_in() {
        assert_eq!(test_of("a_crate::tests::pulse::a_test::{{closure}}"), "tests::pulse::a_test");
        assert_eq!(test_of("a_crate::a_test::{{closure}}"), "a_test");
    }

    #[test]
    fn nothing_else_runs_beside() {
        let here = std::process::id();
        alone(|| assert_eq!(std::env::var_os(ALONE).as_deref(), Some("1".as_ref()), "in {here}"));
    }
}
