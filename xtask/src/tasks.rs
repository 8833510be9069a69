//! `call` and `bench`: build, then run one of our programs.

use std::path::PathBuf;
use std::process::Command;

use crate::args::Part;
use crate::install::ensure_system_packages;
use crate::process::{Failure, cargo, root, run};

/// Builds programs. The person's working folder stays, so that file names they pass on mean what they think.
fn build(arguments: &[&str]) -> Result<(), Failure> {
    ensure_system_packages()?;
    run(cargo().arg("build").arg("--manifest-path").arg(root().join("Cargo.toml")).args(arguments))
}

/// A program that was built. Not by `cargo run`, which may choose other features and build everything again.
///
/// # Errors
/// A sentence, when this program does not know where it is itself.
fn built(profile: &str, program: &str) -> Result<Command, Failure> {
    let own =
        std::env::current_exe().map_err(|error| format!("the target folder can't be found: {error}"))?;
    // `target/debug/xtask`
    let target = own.ancestors().nth(2).map_or_else(|| root().join("target"), PathBuf::from);
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    Ok(Command::new(target.join(profile).join(file)))
}

/// Builds the client and rings one from another.
///
/// # Errors
/// A sentence, when something is missing, does not build, or the call fails.
pub(crate) fn call(arguments: &[String]) -> Result<(), Failure> {
    build(&["--package", "carillon-cli"])?;
    run(built("debug", "carillon")?.arg("loopback").args(arguments))
}

/// Builds with optimisation and measures.
///
/// # Errors
/// A sentence, when something is missing, does not build, or the measurement fails.
pub(crate) fn bench(part: Part, arguments: &[String]) -> Result<(), Failure> {
    let program = match part {
        Part::Server => "bench-server",
    };
    build(&["--release", "--bins", "--package", "carillon-server", "--package", "carillon-tests"])?;
    run(built("release", program)?.args(arguments))
}
