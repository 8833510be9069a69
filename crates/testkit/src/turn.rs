//! A TURN server of the test's own: coturn on loopback, with the secret of the TURN REST scheme.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How often it is asked whether it is there, until it gives up.
const TRIES: u32 = 200;

/// Between two of these.
const PATIENCE: Duration = Duration::from_millis(50);

/// A Binding request (RFC 8489, section 5), which every STUN server answers.
const BINDING: [u8; 20] =
    [0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, b'c', b'a', b'r', b'i', b'l', b'l', b'o', b'n', 0, 0, 0, 1];

/// coturn, killed when dropped. Its relay addresses are on loopback, and so are those that it lets in.
#[derive(Debug)]
pub struct TurnServer {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// coturn is not installed. A test that is skipped because of it says so.
    #[error("there is no `turnserver` on this machine (Debian's package is coturn)")]
    Missing,
    /// It can't be started.
    #[error("`turnserver` can't be started: {0}")]
    Start(#[from] io::Error),
    /// It runs, and does not answer.
    #[error("`turnserver` does not answer")]
    Silent,
}

impl TurnServer {
    /// Starts one that shares this secret with whoever makes credentials, and waits until it answers.
    ///
    /// # Errors
    /// See [`TurnError`].
    pub fn start(secret: &str) -> Result<Self, TurnError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("carillon-turn-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        // Freed again at once: coturn takes no port 0.
        let address = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let child = Command::new("turnserver")
            .args(["-n", "--no-cli", "--no-tls", "--no-dtls", "--no-tcp", "--no-tcp-relay", "--simple-log"])
            .args(["--use-auth-secret", "--realm=carillon.test", "--allow-loopback-peers"])
            .args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--log-file=stdout"])
            .arg(format!("--listening-port={}", address.port()))
            .arg(format!("--static-auth-secret={secret}"))
            .arg(format!("--pidfile={}", folder.join("pid").display()))
            .arg(format!("--userdb={}", folder.join("users").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = match child {
            Ok(child) => child,
            Err(error) => {
                let _ = std::fs::remove_dir_all(&folder);
                let missing = error.kind() == io::ErrorKind::NotFound;
                return Err(if missing { TurnError::Missing } else { error.into() });
            }
        };
        let server = Self { child, address, folder };
        server.wait_until_up()?;
        Ok(server)
    }

    /// The same, or `None` where it is not installed, which is said on standard error.
    ///
    /// # Panics
    /// When it is installed and does not run.
    #[expect(clippy::panic, clippy::print_stderr, reason = "for tests alone")]
    pub fn start_or_skip(secret: &str) -> Option<Self> {
        match Self::start(secret) {
            Ok(server) => Some(server),
            Err(error @ TurnError::Missing) => {
                eprintln!("SKIPPED: {error}");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Where it listens, by UDP.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// As a client is given it (RFC 7065).
    pub fn url(&self) -> String {
        format!("turn:{}?transport=udp", self.address)
    }

    /// The same as a STUN server (RFC 7064).
    pub fn stun_url(&self) -> String {
        format!("stun:{}", self.address)
    }

    fn wait_until_up(&self) -> Result<(), TurnError> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(self.address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut answer = [0; 512];
        for _ in 0..TRIES {
            // A port at which nobody listens yet refuses, at once.
            let answered = socket.send(&BINDING).and_then(|_| socket.recv(&mut answer));
            match answered {
                Ok(20..) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    std::thread::sleep(PATIENCE);
                }
                Ok(_) | Err(_) => {}
            }
        }
        Err(TurnError::Silent)
    }
}

impl Drop for TurnServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
