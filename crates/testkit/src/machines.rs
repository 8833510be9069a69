//! Networks without hardware: machines that are nothing but a network namespace of Linux each (`network_namespaces(7)`),
//! and cables between them.
//!
//! Nothing of it has a name outside, so nothing is left behind: a namespace is gone with its last process, and its
//! keeper ends with the test's process, whatever ends that.
//!
//! Root may make namespaces; others may where the kernel lets them have user namespaces (`user_namespaces(7)`).

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::Problem;

/// Keeps a namespace as long as its standard input is open.
const KEEPER: &str = "ip link set lo up && echo up && exec cat >/dev/null";

/// A machine. Dropping it pulls its cables; what still runs on it loses its network no earlier than it ends.
pub struct Machine {
    keeper: Child,
    /// Inside a user namespace.
    unprivileged: bool,
}

impl Machine {
    /// A machine without any cable.
    ///
    /// # Errors
    /// A sentence that says why this system does not let us.
    pub fn new() -> Result<Self, Problem> {
        let privileged = Self::keep(Command::new("unshare").arg("--net"), false);
        privileged.or_else(|root| {
            let mut unshare = Command::new("unshare");
            unshare.args(["--user", "--map-root-user", "--net"]);
            Self::keep(&mut unshare, true)
                .map_err(|user| format!("no network namespace can be had: {root}; {user}"))
        })
    }

    /// Another machine, which cables can join with this one.
    ///
    /// # Errors
    /// A sentence.
    pub fn another(&self) -> Result<Self, Problem> {
        Self::keep(self.command("unshare").arg("--net"), self.unprivileged)
    }

    fn keep(unshare: &mut Command, unprivileged: bool) -> Result<Self, Problem> {
        let unshare = unshare.args(["sh", "-c", KEEPER]);
        unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let keeper = unshare.spawn().map_err(|error| format!("`unshare` can't be started: {error}"))?;
        let mut machine = Self { keeper, unprivileged };
        let mut line = String::new();
        if let Some(said) = machine.keeper.stdout.take() {
            let _ = BufReader::new(said).read_line(&mut line);
        }
        if line.trim() == "up" {
            return Ok(machine);
        }
        let mut why = String::new();
        if let Some(said) = machine.keeper.stderr.take() {
            let _ = BufReader::new(said).read_line(&mut why);
        }
        Err(why.trim().to_owned())
    }

    /// A program on this machine, to be started.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        // It becomes the program: same process, same ends.
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.keeper.id().to_string()).arg("--net");
        if self.unprivileged {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program);
        command
    }

    /// Runs `ip` (`ip(8)`) on this machine, with these words.
    ///
    /// # Errors
    /// What it complains about.
    pub fn ip(&self, words: &str) -> Result<(), Problem> {
        let output = self.command("ip").args(words.split_whitespace()).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("install the package `iproute2`: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("ip {words}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// A switch on this machine (`bridge(8)`), on which it is itself.
    ///
    /// # Errors
    /// A sentence.
    pub fn switch(&self, name: &str) -> Result<(), Problem> {
        self.ip(&format!("link add {name} type bridge forward_delay 0"))?;
        self.ip(&format!("link set {name} up"))
    }

    /// Lays a cable (`veth(4)`) from a socket of another machine, an interface that gets this name, to a switch of this
    /// one, where its end is called `port`.
    ///
    /// # Errors
    /// A sentence.
    pub fn cable(&self, switch: &str, port: &str, other: &Self, interface: &str) -> Result<(), Problem> {
        let there = other.keeper.id();
        self.ip(&format!("link add {port} type veth peer name {interface} netns {there}"))?;
        self.ip(&format!("link set {port} master {switch} up"))?;
        other.ip(&format!("link set {interface} up"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
