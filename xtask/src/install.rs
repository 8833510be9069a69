//! What a task needs and how it gets onto the machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Failure, cargo, is_on_path, output, root, run};
use crate::say;

/// The version of cargo-deny that `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";

/// How to get a C compiler where there is no `apt-get`.
#[cfg(target_os = "macos")]
const COMPILER_HINT: &str = "run `xcode-select --install`";
#[cfg(windows)]
const COMPILER_HINT: &str =
    "install the \"Desktop development with C++\" workload of the Visual Studio Build Tools";
#[cfg(not(any(target_os = "macos", windows)))]
const COMPILER_HINT: &str = "install gcc or clang by the package manager of this system";

/// A package of Debian and Ubuntu, and the program that shows that it is there.
struct Package {
    name: &'static str,
    program: &'static str,
    why: &'static str,
    /// What to do where there is no `apt-get`.
    elsewhere: &'static str,
}

const PACKAGES: &[Package] = &[
    Package {
        name: "build-essential",
        program: "cc",
        why: "a C compiler, for SQLite, libopus and the assembler parts of the cryptography",
        elsewhere: COMPILER_HINT,
    },
    Package {
        name: "cmake",
        program: "cmake",
        why: "builds libopus",
        elsewhere: "install CMake (cmake.org, or by a package manager) and put it on the PATH",
    },
];

/// Makes sure of a C compiler and of CMake.
///
/// # Errors
/// A sentence with what to install, where that can't be done from here.
pub(crate) fn ensure_system_packages() -> Result<(), Failure> {
    // What the `cc` and `cmake` crates would take instead of `cc` and `cmake`. With Visual Studio, `cl` is found
    // through the registry, not the `PATH`; rustc could not have linked this program without it.
    let named = |program| match program {
        "cc" => cfg!(all(windows, target_env = "msvc")) || std::env::var_os("CC").is_some(),
        "cmake" => std::env::var_os("CMAKE").is_some(),
        _ => false,
    };
    let missing: Vec<_> =
        PACKAGES.iter().filter(|package| !(is_on_path(package.program) || named(package.program))).collect();
    if missing.is_empty() {
        return Ok(());
    }
    say("Missing on this machine:");
    for package in &missing {
        say(&format!("  {} ({})", package.name, package.why));
    }
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !(is_debian(&release) && is_on_path("apt-get")) {
        let hints: Vec<_> = missing.iter().map(|package| package.elsewhere).collect();
        return Err(hints.join("; "));
    }
    let names: Vec<_> = missing.iter().map(|package| package.name).collect();
    let is_root = output(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    let Some(prefix) = root_prefix(is_root, is_on_path("sudo")) else {
        return Err(format!("as root, run `apt-get install {}`", names.join(" ")));
    };
    // A fresh container has no lists yet; with old ones the install may still work.
    if let Err(failure) = run(&mut apt(prefix, &["update"])) {
        say(&format!("{failure}; going on with the package lists that are there"));
    }
    let install: Vec<_> = ["install", "-y", "--no-install-recommends"].into_iter().chain(names).collect();
    run(&mut apt(prefix, &install))
}

/// Whether the system installs by `apt-get`, from the text of `/etc/os-release`.
fn is_debian(release: &str) -> bool {
    release
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(key, _)| matches!(*key, "ID" | "ID_LIKE"))
        .flat_map(|(_, value)| value.trim().trim_matches('"').split_whitespace())
        .any(|id| matches!(id, "debian" | "ubuntu"))
}

/// What to put in front of a command to run it as root; `None` if it can't be done.
const fn root_prefix(is_root: bool, has_sudo: bool) -> Option<&'static [&'static str]> {
    match (is_root, has_sudo) {
        (true, _) => Some(&[]),
        (false, true) => Some(&["sudo"]),
        (false, false) => None,
    }
}

fn apt(prefix: &[&str], arguments: &[&str]) -> Command {
    // Through `env`, since sudo does not pass variables on.
    let words = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
    let mut words = prefix.iter().chain(&words).chain(arguments);
    let mut command = Command::new(words.next().copied().unwrap_or("env"));
    command.args(words);
    command
}

/// Makes sure of a component of the toolchain: `rustfmt` or `clippy`.
///
/// # Errors
/// A sentence with what to do, where rustup can't add it.
pub(crate) fn ensure_component(component: &str, subcommand: &str) -> Result<(), Failure> {
    let is_there = || output(cargo().args([subcommand, "--version"])).is_some();
    if is_there() {
        return Ok(());
    }
    if !is_on_path("rustup") {
        return Err(format!("{component} is missing: install it the way Rust was installed on this machine"));
    }
    run(Command::new("rustup").current_dir(root()).args(["component", "add", component]))?;
    if is_there() {
        Ok(())
    } else {
        Err(format!("{component} is installed, but `cargo {subcommand}` does not run"))
    }
}

/// Makes sure of cargo-deny in the right version, and says where it is.
///
/// # Errors
/// A sentence, when it can't be installed.
pub(crate) fn ensure_cargo_deny() -> Result<PathBuf, Failure> {
    let own = root().join("target").join("tools");
    let candidates = [
        own.join("bin").join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX)),
        PathBuf::from("cargo-deny"),
    ];
    if let Some(found) = candidates.iter().find(|program| is_cargo_deny(program)) {
        return Ok(found.clone());
    }
    say(&format!("Installing cargo-deny {CARGO_DENY} into target/tools; this takes some minutes, once."));
    run(cargo()
        .args(["install", "cargo-deny", "--locked", "--version", CARGO_DENY, "--root"])
        .arg(&own)
        // Its build has nothing to share with ours.
        .env_remove("CARGO_TARGET_DIR"))?;
    let [own, _] = candidates;
    if is_cargo_deny(&own) { Ok(own) } else { Err("cargo-deny was installed but does not run".to_owned()) }
}

fn is_cargo_deny(program: &Path) -> bool {
    output(Command::new(program).arg("--version")).is_some_and(|text| is_version(&text, CARGO_DENY))
}

/// Whether a program that prints its name and version has exactly this version.
fn is_version(printed: &str, version: &str) -> bool {
    printed.split_whitespace().nth(1) == Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::shown;

    #[test]
    fn debian_and_what_comes_from_it_install_by_apt() {
        for release in
            ["ID=debian\n", "NAME=\"Ubuntu\"\nID=ubuntu\n", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"]
        {
            assert!(is_debian(release), "{release}");
        }
        for release in
            ["", "ID=fedora\n", "ID=\"opensuse\"\nID_LIKE=\"suse\"\n", "PRETTY_NAME=debian\n", "garbage"]
        {
            assert!(!is_debian(release), "{release}");
        }
    }

    #[test]
    fn packages_are_installed_as_root_or_by_sudo_or_not_at_all() {
        let shown_with = |is_root, has_sudo| {
            root_prefix(is_root, has_sudo)
                .map(|prefix| shown(&apt(prefix, &["install", "-y", "build-essential"])))
        };
        let install = "env DEBIAN_FRONTEND=noninteractive apt-get install -y build-essential";
        assert_eq!(shown_with(true, false).as_deref(), Some(install));
        assert_eq!(shown_with(false, true), Some(format!("sudo {install}")));
        assert_eq!(shown_with(false, false), None);
    }

    #[test]
    fn only_the_exact_version_of_a_tool_will_do() {
        assert!(is_version("cargo-deny 0.20.2\n", "0.20.2"));
        assert!(is_version("cargo-deny 0.20.2 (abc 2026-01-01)", "0.20.2"));
        for printed in ["", "cargo-deny", "cargo-deny 0.20.20", "cargo-deny 0.19.0", "0.20.2"] {
            assert!(!is_version(printed, "0.20.2"), "{printed}");
        }
    }
}
