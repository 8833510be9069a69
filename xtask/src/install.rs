//! What a task needs and how it gets onto the machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Failure, cargo, is_on_path, output, root, run};
use crate::say;

/// The version of cargo-deny that `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";

/// What to do where there is no `apt-get`.
#[cfg(target_os = "macos")]
const HINT: &str = "run `xcode-select --install`";
#[cfg(windows)]
const HINT: &str = "install the \"Desktop development with C++\" workload of the Visual Studio Build Tools";
#[cfg(not(any(target_os = "macos", windows)))]
const HINT: &str = "install them by the package manager of this system, which may name them otherwise";

/// What shows that a package is there.
enum Sign {
    /// A program on the `PATH`.
    Program(&'static str),
    /// A library that pkg-config knows.
    Library(&'static str),
    /// The library that bindgen loads, which pkg-config does not know.
    Libclang,
}

/// A package of Debian and Ubuntu.
struct Package {
    name: &'static str,
    sign: Sign,
    why: &'static str,
    /// Whether the other systems do without.
    linux_only: bool,
}

/// Needed to build the programs.
const FOR_BUILDING: &[Package] = &[
    Package {
        name: "build-essential",
        sign: Sign::Program("cc"),
        why: "a C compiler, for SQLite, libopus and the assembler parts of the cryptography",
        linux_only: false,
    },
    Package { name: "cmake", sign: Sign::Program("cmake"), why: "builds libopus", linux_only: false },
    Package {
        name: "nasm",
        sign: Sign::Program("nasm"),
        why: "the fast parts of OpenH264 for Intel and AMD; without it pictures cost several times as much",
        linux_only: false,
    },
    Package {
        name: "pkg-config",
        sign: Sign::Program("pkg-config"),
        why: "finds the libraries below",
        linux_only: true,
    },
    Package {
        name: "libclang-dev",
        sign: Sign::Libclang,
        why: "reads the headers of Linux for cameras",
        linux_only: true,
    },
    Package {
        name: "libasound2-dev",
        sign: Sign::Library("alsa"),
        why: "ALSA, for sound on machines without a sound server",
        linux_only: true,
    },
    Package {
        name: "libvpx-dev",
        sign: Sign::Library("vpx"),
        why: "libvpx, for pictures as VP8",
        linux_only: true,
    },
];

/// Needed to run calls on a machine without sound, beside what builds.
const FOR_SOUND: &[Package] = &[
    Package {
        name: "pulseaudio",
        sign: Sign::Program("pulseaudio"),
        why: "a sound server that needs no hardware, for tests and calls on this machine",
        linux_only: true,
    },
    Package {
        name: "pulseaudio-utils",
        sign: Sign::Program("pactl"),
        why: "plugs, pulls, feeds and hears the devices of that server",
        linux_only: true,
    },
];

/// Needed for the browser at the other end of a call. Ubuntu has it as a snap alone; see [`ensure_browser`].
const FOR_BROWSER: &[Package] = &[Package {
    name: "chromium",
    sign: Sign::Program("chromium"),
    why: "a browser, to be the other end of calls in tests and benchmarks",
    linux_only: false,
}];

/// What else will do, as `tests/src/browser.rs` looks for it: a browser that is named, on the `PATH`, or where macOS and
/// Windows have it.
const BROWSER: &str = "CARILLON_CHROMIUM";
const OTHER_BROWSERS: [&str; 2] = ["google-chrome", "google-chrome-stable"];
const BROWSERS_ELSEWHERE: [&str; 3] = [
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
];

/// What to do where no package manager of ours has it.
const BROWSER_HINT: &str = "install Google Chrome, or name another Chromium in CARILLON_CHROMIUM";

impl Package {
    fn is_there(&self) -> bool {
        if self.linux_only && !cfg!(target_os = "linux") {
            return true;
        }
        match self.sign {
            // What the `cc` crate would take instead of `cc`.
            Sign::Program("cc") => is_on_path("cc") || std::env::var_os("CC").is_some(),
            Sign::Program("cmake") => is_on_path("cmake") || std::env::var_os("CMAKE").is_some(),
            Sign::Program(program) => is_on_path(program),
            Sign::Library(library) => {
                output(Command::new("pkg-config").args(["--exists", library])).is_some()
            }
            Sign::Libclang => std::env::var_os("LIBCLANG_PATH").is_some() || has_libclang(Path::new("/usr")),
        }
    }
}

/// Whether libclang lies in one of the folders below `root` where distributions put it, in any version.
fn has_libclang(root: &Path) -> bool {
    let folders =
        |at: PathBuf| std::fs::read_dir(at).into_iter().flatten().flatten().map(|entry| entry.path());
    let below: Vec<_> = folders(root.join("lib")).collect();
    let places = below.iter().map(|at| at.join("lib")).chain(below.iter().cloned());
    places.chain(["lib", "lib64"].map(|name| root.join(name))).flat_map(folders).any(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let rest = name.strip_prefix("libclang").filter(|rest| !rest.starts_with("-cpp"));
        rest.is_some_and(|rest| rest.contains(".so"))
    })
}

/// Makes sure of a C compiler and of the system's libraries.
///
/// # Errors
/// A sentence with what to install, where that can't be done from here.
pub(crate) fn ensure_system_packages() -> Result<(), Failure> {
    // With Visual Studio, `cl` is found through the registry, not the `PATH`; rustc could not have linked this
    // program without it.
    if cfg!(all(windows, target_env = "msvc")) {
        return Ok(());
    }
    ensure(FOR_BUILDING)
}

/// Makes sure of a sound server without hardware. Only Linux needs one.
///
/// # Errors
/// A sentence with what to install, where that can't be done from here.
pub(crate) fn ensure_sound_server() -> Result<(), Failure> {
    ensure(FOR_SOUND)
}

/// Makes sure of a Chromium.
///
/// # Errors
/// A sentence with what to install, where that can't be done from here.
pub(crate) fn ensure_browser() -> Result<(), Failure> {
    let there = std::env::var_os(BROWSER).is_some()
        || OTHER_BROWSERS.into_iter().any(is_on_path)
        || BROWSERS_ELSEWHERE.into_iter().any(|program| Path::new(program).is_file());
    if there {
        return Ok(());
    }
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    if is_ubuntu(&release) {
        return Err(format!(
            "Ubuntu's Chromium is a snap, which can't see the files of the tests: {BROWSER_HINT}"
        ));
    }
    if !is_debian(&release) && !is_on_path("chromium") {
        return Err(format!("there is no Chromium: {BROWSER_HINT}"));
    }
    ensure(FOR_BROWSER)
}

fn ensure(packages: &[Package]) -> Result<(), Failure> {
    let missing: Vec<_> = packages.iter().filter(|package| !package.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    say("Missing on this machine:");
    for package in &missing {
        say(&format!("  {} ({})", package.name, package.why));
    }
    let names: Vec<_> = missing.iter().map(|package| package.name).collect();
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !(is_debian(&release) && is_on_path("apt-get")) {
        return Err(format!("{} missing: {HINT}", names.join(", ")));
    }
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

/// Packages of Debian and Ubuntu that some tests do without, and say so. With the first two, those of the key store have
/// a Secret Service of their own; with the last, those of relays have a TURN server.
const FOR_SOME_TESTS: [(&str, &str); 3] = [
    ("dbus-daemon", "dbus-run-session"),
    ("gnome-keyring", "gnome-keyring-daemon"),
    ("coturn", "turnserver"),
];

/// Installs what some tests need, where that can be done. They are skipped without it: nothing here ends a run.
pub(crate) fn offer_for_tests() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let missing: Vec<_> = FOR_SOME_TESTS
        .into_iter()
        .filter(|(_, program)| !is_on_path(program))
        .map(|(package, _)| package)
        .collect();
    if missing.is_empty() {
        return;
    }
    say(&format!("Missing on this machine: {} (a key store and a relay for the tests)", missing.join(" ")));
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let is_root = output(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    let prefix = root_prefix(is_root, is_on_path("sudo"));
    let Some(prefix) = prefix.filter(|_| is_debian(&release) && is_on_path("apt-get")) else {
        say("The tests that need them will be skipped");
        return;
    };
    let with_relay = missing.contains(&"coturn");
    let install: Vec<_> = ["install", "-y", "--no-install-recommends"].into_iter().chain(missing).collect();
    if let Err(failure) = run(&mut apt(prefix, &install)) {
        say(&format!("{failure}; the tests that need them will be skipped"));
    } else if with_relay && is_on_path("systemctl") {
        // Debian starts a relay for everybody with the package; the tests start their own.
        let mut words = prefix.iter().copied().chain(["systemctl", "disable", "--now", "coturn.service"]);
        let mut off = Command::new(words.next().unwrap_or("systemctl"));
        if let Err(failure) = run(off.args(words)) {
            say(&format!("{failure}; look whether a TURN server runs on this machine now"));
        }
    }
}

/// Whether the system installs by `apt-get`, from the text of `/etc/os-release`.
fn is_debian(release: &str) -> bool {
    ids(release).any(|id| matches!(id, "debian" | "ubuntu"))
}

/// Whether it is Ubuntu, or has its packages.
fn is_ubuntu(release: &str) -> bool {
    ids(release).any(|id| id == "ubuntu")
}

fn ids(release: &str) -> impl Iterator<Item = &str> {
    release
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(key, _)| matches!(*key, "ID" | "ID_LIKE"))
        .flat_map(|(_, value)| value.trim().trim_matches('"').split_whitespace())
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
        assert!(
            is_ubuntu("NAME=\"Ubuntu\"\nID=ubuntu\n")
                && is_ubuntu("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n")
        );
        assert!(!is_ubuntu("ID=debian\n"));
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
    fn a_package_is_there_when_its_sign_is() {
        let package = |sign| Package { name: "x", sign, why: "", linux_only: false };
        assert!(package(Sign::Program("cargo")).is_there());
        assert!(!package(Sign::Program("carillon-no-such-program")).is_there());
        assert!(!package(Sign::Library("carillon-no-such-library")).is_there());
    }

    #[test]
    fn libclang_is_found_in_any_version() {
        let root = std::env::temp_dir().join(format!("carillon-libclang-{}", std::process::id()));
        let folder = root.join("lib/llvm-99/lib");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("libclang-cpp.so.99"), "").unwrap();
        let without = has_libclang(&root);
        std::fs::write(folder.join("libclang-99.so.1"), "").unwrap();
        let with = has_libclang(&root);
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!((without, with), (false, true));
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
