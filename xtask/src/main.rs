//! Every task a person runs on this repository: `cargo xtask help` lists them.
//!
//! Uses the standard library alone, so that it builds in seconds and works on Linux, macOS and Windows.

mod args;
mod checks;
mod install;
mod run;

use std::process::ExitCode;

use args::Task;

fn main() -> ExitCode {
    let task = match args::parse(std::env::args().skip(1)) {
        Ok(task) => task,
        Err(message) => {
            run::say(&format!("{message}\n\n{}", args::HELP));
            return ExitCode::from(2);
        }
    };
    let done = match task {
        Task::Help => {
            run::say(args::HELP);
            Ok(())
        }
        Task::Call { rest } => call(&rest),
        Task::Test { only, keep_going } => checks::all(&only, keep_going),
        Task::Bench { part, json } => bench(&part, json.as_deref()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            run::say(&format!("\n{message}"));
            ExitCode::FAILURE
        }
    }
}

/// The main job: a server and two clients on this machine, and a call between them.
fn call(rest: &[String]) -> Result<(), String> {
    install::compiler()?;
    run::cargo(&["build", "--package", "carillon-cli"])?;
    let program =
        run::target_folder().join("debug").join(format!("carillon{}", std::env::consts::EXE_SUFFIX));
    let mut command = std::process::Command::new(program);
    command.arg("loopback").args(rest);
    run::run(&mut command)
}

/// Measures one part of the system in its release build.
fn bench(part: &str, json: Option<&str>) -> Result<(), String> {
    install::compiler()?;
    run::cargo(&[
        "build",
        "--release",
        "--bins",
        "--package",
        "carillon-server",
        "--package",
        "carillon-tests",
    ])?;
    let program =
        run::target_folder().join("release").join(format!("bench-{part}{}", std::env::consts::EXE_SUFFIX));
    let mut command = std::process::Command::new(program);
    if let Some(file) = json {
        command.args(["--json", file]);
    }
    run::run(&mut command)
}
