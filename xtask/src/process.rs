//! Running other programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::say;

/// Why a task failed, as a sentence that says what to do.
pub(crate) type Failure = String;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The cargo that started this task.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    // `/home/…/bin/cargo` and `cargo.exe` are both `cargo` to the reader.
    let program = program.file_stem().unwrap_or(OsStr::new(""));
    let words = std::iter::once(program).chain(command.get_args());
    let words = words.map(|word| {
        let word = word.to_string_lossy();
        if word.contains(' ') { format!("\"{word}\"") } else { word.into_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Runs a command with this terminal, after showing it. Its output passes through untouched.
///
/// # Errors
/// A sentence, when it can't be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let shown = shown(command);
    say(&format!("$ {shown}"));
    let status = command.status().map_err(|error| format!("`{shown}` can't be started: {error}"))?;
    if status.success() {
        return Ok(());
    }
    Err(match status.code() {
        Some(code) => format!("`{shown}` failed with exit code {code}"),
        None => format!("`{shown}` was ended by a signal"),
    })
}

/// What a command prints on standard output, if it can be started and succeeds. Nothing is shown.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program of this name can be started from the `PATH`.
pub(crate) fn is_on_path(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&path).any(|folder| folder.join(&file).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_folder_with_the_lock_file() {
        assert!(root().join("Cargo.lock").is_file());
    }

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("/opt/rust/bin/cargo");
        command.args(["run", "--", "a b"]);
        assert_eq!(shown(&command), "cargo run -- \"a b\"");
    }

    #[test]
    fn a_program_that_is_there_is_found_and_one_that_is_not_is_not() {
        assert!(is_on_path("cargo"));
        assert!(!is_on_path("carillon-no-such-program"));
    }

    #[test]
    fn a_failing_command_says_so() {
        let failure = run(cargo().arg("no-such-subcommand")).unwrap_err();
        assert!(failure.starts_with("`cargo no-such-subcommand` failed with exit code"), "{failure}");
        assert!(run(&mut Command::new("carillon-no-such-program")).unwrap_err().contains("can't be started"));
    }

    #[test]
    fn the_output_of_a_failing_command_is_none() {
        assert!(output(cargo().arg("--version")).unwrap().starts_with("cargo "));
        assert_eq!(output(cargo().arg("no-such-subcommand")), None);
    }
}
