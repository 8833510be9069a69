//! Two UDP ports that stand for the two ends: what is sent to the one comes to the end it stands for, from the other.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use carillon_transport::Interfaces;
use carillon_transport::candidate::Candidate;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::Side;

/// Datagrams that are kept to be sent again.
const KEPT: usize = 64;

struct Port {
    socket: UdpSocket,
    /// The end that it stands for.
    end: Mutex<Option<SocketAddr>>,
    /// What went to that end last.
    passed: Mutex<VecDeque<Vec<u8>>>,
    /// When connectivity checks for that end came.
    checks: Checks,
}

/// See [`Line::checks`].
pub(crate) type Checks = Arc<Mutex<Vec<Instant>>>;

struct Inner {
    ports: [Port; 2],
    blocked: AtomicBool,
    /// In milliseconds.
    delay: AtomicU32,
    /// Of 1,000 RTP packets.
    loss: AtomicU32,
    burst: AtomicU32,
    /// Of the datagrams of a handshake for each end: how many came, and the one that is lost.
    handshake: [AtomicU32; 2],
    lost_of_handshake: Mutex<Option<(Side, u32)>>,
    random: Mutex<Random>,
    lost: AtomicU32,
}

struct Random {
    state: u64,
    losing: u32,
}

impl Random {
    /// xorshift64 (Marsaglia 2003).
    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }
}

pub(crate) struct Line {
    inner: Arc<Inner>,
    tasks: Vec<JoinHandle<()>>,
}

/// RTP, not RTCP (RFC 5761, section 4).
fn is_rtp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, second, ..] if !(192..=223).contains(second))
}

impl Line {
    pub(crate) async fn new(seed: u64) -> Self {
        let port = async || Port {
            socket: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(),
            end: Mutex::new(None),
            passed: Mutex::default(),
            checks: Checks::default(),
        };
        let inner = Arc::new(Inner {
            ports: [port().await, port().await],
            blocked: AtomicBool::new(false),
            delay: AtomicU32::new(0),
            loss: AtomicU32::new(0),
            burst: AtomicU32::new(1),
            handshake: Default::default(),
            lost_of_handshake: Mutex::default(),
            random: Mutex::new(Random { state: seed | 1, losing: 0 }),
            lost: AtomicU32::new(0),
        });
        let tasks = [0, 1].map(|to| tokio::spawn(Arc::clone(&inner).forward(to))).into();
        Self { inner, tasks }
    }

    fn port(&self, side: Side) -> &Port {
        &self.inner.ports[side as usize]
    }

    /// The candidate to give out instead of an end's own.
    pub(crate) fn instead_of(&self, side: Side, candidate: &str) -> String {
        let own = Candidate::parse(candidate, Interfaces::Loopback).unwrap().address;
        let port = self.port(side);
        *port.end.lock().unwrap() = Some(own);
        let here = port.socket.local_addr().unwrap();
        format!("candidate:1 1 udp 2130706431 {} {} typ host", here.ip(), here.port())
    }

    /// Loses everything, or nothing more than before.
    pub(crate) fn block(&self, blocked: bool) {
        self.inner.blocked.store(blocked, Ordering::Relaxed);
    }

    /// Delays everything by so many milliseconds each way.
    pub(crate) fn delay(&self, millis: u32) {
        self.inner.delay.store(millis, Ordering::Relaxed);
    }

    /// When connectivity checks for this end came, whether they were lost or not.
    pub(crate) fn checks(&self, to: Side) -> Checks {
        Arc::clone(&self.port(to).checks)
    }

    /// Loses so many of 1,000 RTP packets, in bursts of this length.
    pub(crate) fn lose(&self, of_a_thousand: u32, burst: u32) {
        self.inner.loss.store(of_a_thousand, Ordering::Relaxed);
        self.inner.burst.store(burst, Ordering::Relaxed);
    }

    /// Loses this one of the DTLS datagrams for an end, counted from 0.
    pub(crate) fn lose_of_handshake(&self, to: Side, number: u32) {
        *self.inner.lost_of_handshake.lock().unwrap() = Some((to, number));
    }

    pub(crate) fn lost(&self) -> u32 {
        self.inner.lost.load(Ordering::Relaxed)
    }

    /// What went to this end last.
    pub(crate) fn passed(&self, to: Side) -> Vec<Vec<u8>> {
        self.port(to).passed.lock().unwrap().iter().cloned().collect()
    }

    /// Sends to this end what nobody sent, from where the other end's datagrams come.
    pub(crate) async fn inject(&self, to: Side, datagram: &[u8]) {
        let end = self.end(to);
        self.port(to.other()).socket.send_to(datagram, end).await.unwrap();
    }

    /// Where this end really is.
    pub(crate) fn end(&self, side: Side) -> SocketAddr {
        self.port(side).end.lock().unwrap().expect("its candidate was seen")
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Inner {
    async fn forward(self: Arc<Self>, to: usize) {
        let (port, back) = (&self.ports[to], &self.ports[1 - to]);
        let mut buffer = vec![0; 2048];
        loop {
            let Ok((length, _)) = port.socket.recv_from(&mut buffer).await else { continue };
            let datagram = &buffer[..length];
            // A Binding request (RFC 8489, section 5).
            if datagram.starts_with(&[0, 1]) {
                port.checks.lock().unwrap().push(Instant::now());
            }
            if self.loses(datagram) || self.loses_of_handshake(to, datagram) {
                continue;
            }
            let Some(end) = *port.end.lock().unwrap() else { continue };
            {
                let mut passed = port.passed.lock().unwrap();
                if passed.len() == KEPT {
                    passed.pop_front();
                }
                passed.push_back(datagram.to_vec());
            }
            match self.delay.load(Ordering::Relaxed) {
                0 => drop(back.socket.send_to(datagram, end).await),
                millis => {
                    let (line, datagram) = (Arc::clone(&self), datagram.to_vec());
                    let there = tokio::time::Instant::now() + Duration::from_millis(millis.into());
                    tokio::spawn(async move {
                        tokio::time::sleep_until(there).await;
                        let _ = line.ports[1 - to].socket.send_to(&datagram, end).await;
                    });
                }
            }
        }
    }

    fn loses_of_handshake(&self, to: usize, datagram: &[u8]) -> bool {
        // DTLS (RFC 7983, section 7).
        if !matches!(datagram, [20..=63, ..]) {
            return false;
        }
        let number = self.handshake[to].fetch_add(1, Ordering::Relaxed);
        self.lost_of_handshake
            .lock()
            .unwrap()
            .is_some_and(|(side, lost)| side as usize == to && lost == number)
    }

    fn loses(&self, datagram: &[u8]) -> bool {
        if self.blocked.load(Ordering::Relaxed) {
            return true;
        }
        if !is_rtp(datagram) {
            return false;
        }
        let mut random = self.random.lock().unwrap();
        let loss = u64::from(self.loss.load(Ordering::Relaxed));
        let burst = self.burst.load(Ordering::Relaxed);
        if random.losing == 0 && random.next() % (1_000 * u64::from(burst)) < loss {
            random.losing = burst;
        }
        let loses = random.losing > 0;
        random.losing = random.losing.saturating_sub(1);
        self.lost.fetch_add(u32::from(loses), Ordering::Relaxed);
        loses
    }
}
