//! `call`, `bench`, `soak` and `fuzz`: build, then run one of our programs.

use std::path::PathBuf;
use std::process::Command;

use crate::args::{FuzzOptions, Part};
use crate::install::{ensure_browser, ensure_sound_server, ensure_system_packages};
use crate::process::{Failure, cargo, output, root, run};
use crate::say;

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
    let (program, packages): (_, &[&str]) = match part {
        Part::Server => ("bench-server", &["carillon-server", "carillon-tests"]),
        Part::Audio => {
            offer_sound_server();
            ("bench-audio", &["carillon-cli", "carillon-server", "carillon-tests"])
        }
        Part::Video => {
            if arguments.iter().any(|argument| argument == "--against") {
                ensure_browser()?;
            }
            ("bench-video", &["carillon-server", "carillon-tests"])
        }
    };
    let packages = packages.iter().flat_map(|package| ["--package", package]);
    build(&["--release", "--bins"].into_iter().chain(packages).collect::<Vec<_>>())?;
    run(built("release", program)?.args(arguments))
}

/// Builds with optimisation and calls for long.
///
/// # Errors
/// A sentence, when something is missing, does not build, or has grown.
pub(crate) fn soak(arguments: &[String]) -> Result<(), Failure> {
    build(&["--release", "--bins", "--package", "carillon-server", "--package", "carillon-tests"])?;
    run(built("release", "soak")?.args(arguments))
}

/// The rows that need a sound server are reported as not measured where there is none.
fn offer_sound_server() {
    if let Err(failure) = ensure_sound_server() {
        say(&format!("{failure}; going on without a sound server"));
    }
}

/// Runs the fuzz targets, one after the other.
///
/// # Errors
/// A sentence, when the tools are missing, there is no such target, or one of them fails.
pub(crate) fn fuzz(options: &FuzzOptions) -> Result<(), Failure> {
    ensure_fuzzer()?;
    let known = targets()?;
    let wanted: Vec<_> = match &options.target {
        None => known,
        Some(target) if known.contains(target) => vec![target.clone()],
        Some(target) => {
            return Err(format!("there is no target `{target}`; there are {}", known.join(", ")));
        }
    };
    let fuzz = root().join("fuzz");
    for target in wanted {
        // What is found goes there: the committed corpus is small, and stays so.
        let grown = fuzz.join("target").join("corpus").join(&target);
        std::fs::create_dir_all(&grown).map_err(|error| format!("{}: {error}", grown.display()))?;
        let mut command = Command::new("cargo");
        command.current_dir(root()).args(["+nightly", "fuzz", "run", &target]);
        command.arg(grown).arg(fuzz.join("corpus").join(&target)).arg("--");
        // The cargo that runs this task names its own compiler in the environment, which is not the nightly one.
        command.env_remove("CARGO").env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
        run(command.arg(format!("-max_total_time={}", options.seconds)))?;
    }
    Ok(())
}

/// By the files in `fuzz/fuzz_targets`.
fn targets() -> Result<Vec<String>, Failure> {
    let folder = root().join("fuzz").join("fuzz_targets");
    let files = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut targets: Vec<String> = files
        .filter_map(|file| Some(file.ok()?.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    targets.sort();
    Ok(targets)
}

fn ensure_fuzzer() -> Result<(), Failure> {
    let there = |words: &[&str]| {
        output(Command::new("cargo").args(words).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO")).is_some()
    };
    if !there(&["+nightly", "--version"]) {
        return Err("fuzzing needs a nightly compiler: `rustup toolchain install nightly`".to_owned());
    }
    if !there(&["+nightly", "fuzz", "--version"]) {
        return Err("fuzzing needs cargo-fuzz: `cargo install cargo-fuzz --locked`".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_are_those_that_cargo_fuzz_knows() {
        let manifest = std::fs::read_to_string(root().join("fuzz").join("Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        assert!(!targets.is_empty());
        for target in targets {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
        }
    }
}
