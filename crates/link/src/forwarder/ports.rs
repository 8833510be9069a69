//! The ports that stand for candidates.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::End;
use super::wire::{Datagram, Wire, lock};
use crate::candidate::Candidate;

/// How long a thread may stay in `recv` before it looks whether it is to end. It is woken before, by a datagram;
/// this is for one that gets lost.
const LOOK_UP: Duration = Duration::from_millis(250);

/// As big as a UDP datagram gets.
const LARGEST: usize = 65_535;

/// By the end and the real address they stand for.
type Known = BTreeMap<(End, SocketAddr), Port>;

#[derive(Clone)]
struct Port {
    socket: Arc<UdpSocket>,
    address: SocketAddr,
}

pub(super) struct Ports {
    known: Arc<RwLock<Known>>,
    closed: Arc<AtomicBool>,
    strangers: Arc<AtomicU64>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Ports {
    pub(super) fn new(strangers: Arc<AtomicU64>) -> Self {
        Self { known: Arc::default(), closed: Arc::default(), strangers, threads: Mutex::default() }
    }

    /// `wire` is the one for what comes in at this port.
    pub(super) fn stand_in(&self, end: End, line: &str, wire: &Arc<Wire>) -> Option<String> {
        let candidate = Candidate::parse(line)?;
        let key = (end, candidate.address);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = known.get(&key) {
            return Some(candidate.at(port.address));
        }
        match self.open(key, wire) {
            Ok(port) => {
                let line = candidate.at(port.address);
                known.insert(key, port);
                Some(line)
            }
            Err(error) => {
                tracing::warn!(%error, "no port to stand in for a candidate");
                None
            }
        }
    }

    fn open(&self, (end, real): (End, SocketAddr), wire: &Arc<Wire>) -> io::Result<Port> {
        let socket = Arc::new(bind(real.ip())?);
        socket.set_read_timeout(Some(LOOK_UP))?;
        let port = Port { address: socket.local_addr()?, socket };
        let receiver = Receiver {
            socket: port.socket.clone(),
            real,
            sender: end.other(),
            wire: wire.clone(),
            known: self.known.clone(),
            closed: self.closed.clone(),
            strangers: self.strangers.clone(),
        };
        let name = format!("link-port-{}", port.address.port());
        let thread = thread::Builder::new().name(name).spawn(move || receiver.run())?;
        lock(&self.threads).push(thread);
        Ok(port)
    }

    /// Ends the threads and closes the ports.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let known = std::mem::take(&mut *self.known.write().unwrap_or_else(PoisonError::into_inner));
        for port in known.values() {
            // If it fails, the thread looks up on its own.
            let _ = port.socket.send_to(&[], port.address);
        }
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            if thread.join().is_err() {
                tracing::error!("a thread that receives panicked");
            }
        }
    }
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}

/// On the candidate's own address where it is this machine's, so that whoever can reach the one can reach the other;
/// else (a relay's, one seen from outside) on the loopback address.
fn bind(ip: IpAddr) -> io::Result<UdpSocket> {
    UdpSocket::bind((ip, 0)).or_else(|_| match ip {
        IpAddr::V4(_) => UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)),
        IpAddr::V6(_) => UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)),
    })
}

/// The thread of one port.
struct Receiver {
    socket: Arc<UdpSocket>,
    /// What the port stands for: where its datagrams go in the end.
    real: SocketAddr,
    /// Who may send here.
    sender: End,
    wire: Arc<Wire>,
    known: Arc<RwLock<Known>>,
    closed: Arc<AtomicBool>,
    strangers: Arc<AtomicU64>,
}

impl Receiver {
    fn run(self) {
        let mut buffer = vec![0; LARGEST];
        loop {
            let received = self.socket.recv_from(&mut buffer);
            let now = Instant::now();
            if self.closed.load(Ordering::Acquire) {
                return;
            }
            match received {
                Ok((length, source)) => {
                    if let Some(bytes) = buffer.get(..length) {
                        self.forward(now, bytes, source);
                    }
                }
                Err(error) if is_passing(error.kind()) => {}
                Err(error) => {
                    tracing::warn!(%error, "a port of the emulated line is gone");
                    return;
                }
            }
        }
    }

    fn forward(&self, now: Instant, bytes: &[u8], source: SocketAddr) {
        let from = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.get(&(self.sender, source)).map(|port| port.socket.clone())
        };
        match from {
            Some(from) => self.wire.send(now, Datagram { bytes: bytes.into(), from, to: self.real }),
            None => {
                self.strangers.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Time to look up, or (on Windows) news that an earlier datagram was not wanted.
fn is_passing(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock
            | ErrorKind::TimedOut
            | ErrorKind::Interrupted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
    )
}
