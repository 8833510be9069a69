//! Real UDP ports between the two ends of a call on this machine.
//!
//! For each candidate of one end the forwarder opens a port that stands for it, and the other end is told that port
//! in its place ([`Forwarder::stand_in`]). What B sends to the port that stands for A's candidate comes out of the
//! line at A's real address, sent from the port that stands for B's. So neither end ever hears of or sees a real
//! address of the other, and ICE finds no way round, not by peer-reflexive candidates either: what an end might
//! learn from a packet's source is again a stand-in.
//!
//! Threads: one that receives for each port, one that delivers for each way. A packet that is due at once is delivered
//! by the thread that received it.

mod ports;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::chance::Chance;
use crate::script::Plan;
use crate::settings::Change;
use crate::statistics::{DelayHistogram, Statistics};
use ports::Ports;
use wire::Wire;

/// One end of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// The one.
    A,
    /// The other.
    B,
}

impl End {
    /// The end it talks to.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// Which way packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// What A sends.
    AToB,
    /// What B sends.
    BToA,
    /// Either.
    Both,
}

impl Way {
    fn holds(self, sender: End) -> bool {
        match self {
            Self::AToB => sender == End::A,
            Self::BToA => sender == End::B,
            Self::Both => true,
        }
    }
}

/// Why there is no forwarder.
#[derive(Debug, thiserror::Error)]
pub enum ForwarderError {
    /// The system gives no thread.
    #[error("the emulated line gets no thread: {0}")]
    Thread(#[source] std::io::Error),
}

/// What a forwarder did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ForwarderStatistics {
    /// The line for what A sends.
    pub a_to_b: Statistics,
    /// The line for what B sends.
    pub b_to_a: Statistics,
    /// Packets from an address that is no candidate of the end that should send there: dropped.
    pub strangers: u64,
    /// Packets that the system refused to send.
    pub unsendable: u64,
    /// How much later than due packets were sent: the forwarder's own delay, apart from the kernel's.
    pub lag: DelayHistogram,
}

/// An emulated line between the ends of one call, or of several that share it. Dropping it closes its ports.
#[derive(Debug)]
pub struct Forwarder {
    a_to_b: Arc<Wire>,
    b_to_a: Arc<Wire>,
    strangers: Arc<AtomicU64>,
    ports: Ports,
}

impl Forwarder {
    /// The same line both ways; losses are drawn apart. Its time starts now; see [`restart`](Self::restart).
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(plan: Plan, seed: u64) -> Result<Self, ForwarderError> {
        Self::start_uneven(plan.clone(), plan, seed)
    }

    /// A line for what A sends, another for what B sends.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start_uneven(a_to_b: Plan, b_to_a: Plan, seed: u64) -> Result<Self, ForwarderError> {
        let now = Instant::now();
        let seed_of = |way| Chance::new(seed, way).bits();
        let a_to_b = Wire::start("link-to-b", a_to_b, seed_of(10), now)?;
        let b_to_a = match Wire::start("link-to-a", b_to_a, seed_of(11), now) {
            Ok(wire) => wire,
            Err(error) => {
                a_to_b.close();
                return Err(error);
            }
        };
        let strangers = Arc::new(AtomicU64::new(0));
        let ports = Ports::new(strangers.clone());
        Ok(Self { a_to_b, b_to_a, strangers, ports })
    }

    /// The `candidate:` line that the other end is told in place of this one of `end`. `None` if it can't be stood in
    /// for and must not be told: TCP, a name in place of an address, or no port to be had.
    pub fn stand_in(&self, end: End, candidate: &str) -> Option<String> {
        self.ports.stand_in(end, candidate, self.wire(end.other()))
    }

    /// The script and the statistics start again, from now.
    pub fn restart(&self) {
        let now = Instant::now();
        self.a_to_b.restart(now);
        self.b_to_a.restart(now);
        self.strangers.store(0, Ordering::Relaxed);
    }

    /// Changes the line from now on. The caller sees to it that bursts are long enough for the loss.
    pub fn change(&self, way: Way, change: &Change) {
        for sender in [End::A, End::B].into_iter().filter(|sender| way.holds(*sender)) {
            self.wire(sender).change(Instant::now(), change);
        }
    }

    /// The network dies: what is sent from now on is lost.
    pub fn cut(&self, way: Way) {
        self.change(way, &Change { cut: Some(true), ..Change::default() });
    }

    /// The network is back.
    pub fn mend(&self, way: Way) {
        self.change(way, &Change { cut: Some(false), ..Change::default() });
    }

    /// What it did so far.
    pub fn statistics(&self) -> ForwarderStatistics {
        let (a_to_b, b_to_a) = (self.a_to_b.statistics(), self.b_to_a.statistics());
        let mut lag = a_to_b.lag;
        lag.merge(&b_to_a.lag);
        ForwarderStatistics {
            a_to_b: a_to_b.line,
            b_to_a: b_to_a.line,
            strangers: self.strangers.load(Ordering::Relaxed),
            unsendable: a_to_b.unsendable + b_to_a.unsendable,
            lag,
        }
    }

    /// The line for what this end sends.
    fn wire(&self, sender: End) -> &Arc<Wire> {
        match sender {
            End::A => &self.a_to_b,
            End::B => &self.b_to_a,
        }
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.ports.close();
        self.a_to_b.close();
        self.b_to_a.close();
    }
}
