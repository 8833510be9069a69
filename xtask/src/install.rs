//! What a fresh machine lacks.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run;

/// The version of cargo-deny that the checks are written for.
const DENY: &str = "0.20.2";

/// Packages of Debian and Ubuntu that building needs: a C compiler for SQLite.
const PACKAGES: &[&str] = &["build-essential", "pkg-config"];

/// Makes sure that there is a C compiler.
///
/// # Errors
/// A sentence that names what to install.
pub(crate) fn compiler() -> Result<(), String> {
    if cfg!(windows) || run::output(Command::new("cc").arg("--version")).is_some() {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        return Err("A C compiler is missing. Install one (macOS: `xcode-select --install`; Fedora: \
                    `dnf install gcc pkgconf`) and run this again."
            .to_owned());
    }
    run::say(&format!("Installing by apt-get: {}", PACKAGES.join(", ")));
    let root = run::output(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    for step in [&["update", "-q"][..], &[&["install", "-y", "-q"][..], PACKAGES].concat()] {
        let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
        if !root {
            command.arg("apt-get");
        }
        run::run(command.args(step).env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    Ok(())
}

/// Makes sure that `rustfmt` and `clippy` are there.
///
/// # Errors
/// When rustup can't add them.
pub(crate) fn component(name: &str, subcommand: &str) -> Result<(), String> {
    if run::output(&mut run::cargo_command(&[subcommand, "--version"])).is_some() {
        return Ok(());
    }
    run::say(&format!("Installing {name}"));
    run::run(Command::new("rustup").args(["component", "add", name]))
}

/// The path of cargo-deny, installed below the target folder if this machine has no fitting one.
///
/// # Errors
/// When it can't be built.
pub(crate) fn deny() -> Result<PathBuf, String> {
    let own = run::target_folder().join("tools");
    let installed = own.join("bin").join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    for candidate in [PathBuf::from("cargo-deny"), installed.clone()] {
        let version = run::output(Command::new(&candidate).arg("--version"));
        if version.is_some_and(|text| is_version(&text, DENY)) {
            return Ok(candidate);
        }
    }
    run::say(&format!("Installing cargo-deny {DENY} (some minutes, once)"));
    let mut command = run::cargo_command(&["install", "cargo-deny", "--locked", "--version", DENY, "--root"]);
    run::run(command.arg(&own))?;
    Ok(installed)
}

/// Whether `cargo-deny 1.2.3` names this version.
fn is_version(text: &str, version: &str) -> bool {
    text.split_whitespace().nth(1) == Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_version_counts() {
        assert!(is_version("cargo-deny 0.20.2\n", "0.20.2"));
        assert!(!is_version("cargo-deny 0.20.20\n", "0.20.2"));
        assert!(!is_version("", "0.20.2"));
    }
}
