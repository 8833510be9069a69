//! What reaches the WebRTC stack from the network, and what leaves.
//!
//! The stack reads a datagram from anybody: it hands DTLS and SRTP of any sender to the session once a path is up. Here
//! only those pass whose sender has taken part in connectivity checks, in bounds; everything is counted. What a relay
//! brings is looked at by what is inside. On the way out, checks of a pair that does not answer are thinned out: the
//! stack repeats each at its full pace for as long as it looks for a path. And where only relays may learn an address
//! of this machine, nothing leaves for anybody else, whatever the stack makes of its policy.

pub(crate) mod datagram;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::bucket::Bucket;
use crate::counters::Counters;
use crate::drops::Dropped;
use datagram::{Far, Protocol, protocol, unwrap};

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;

/// Most senders that are remembered: the candidates of two generations, as often as a NAT may change them.
const MAX_KNOWN: usize = 512;

/// Most pairs that are checked: what the stack makes of more senders than any side has is not sent.
const MAX_PAIRS: usize = 4 * MAX_KNOWN;

/// Most requests whose answers are awaited, for the round trip.
const MAX_AWAITED: usize = 64;

/// How often a pair is checked at full pace before the pace is halved.
const CHECKS_AT_FULL_PACE: u32 = 10;

/// The slowest pace of checks.
const SLOWEST_CHECK: Duration = Duration::from_millis(320);

/// Who is at the other end of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Remote {
    /// A candidate of the other side.
    Direct(SocketAddr),
    /// A TURN server that we asked for something.
    Relay(SocketAddr),
    /// A candidate of the other side, through this server.
    Behind(SocketAddr, Far),
}

/// Watches the sockets of one connection.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) counters: Arc<Counters>,
    check: Duration,
    relay_only: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Who takes part, with the generation in which we last turned to them.
    known: HashMap<Remote, u32>,
    generation: u32,
    checks: HashMap<(SocketAddr, Remote), Checks>,
    awaited: Vec<([u8; 12], Instant)>,
    media: Bucket,
    strange_stun: Bucket,
}

#[derive(Debug, Clone, Copy)]
struct Checks {
    sent: u32,
    last: Instant,
}

impl Guard {
    /// With `relay_only`, nothing leaves for, or comes from, anybody but a TURN server.
    pub(crate) fn new(counters: Arc<Counters>, check: Duration, relay_only: bool) -> Self {
        Self {
            counters,
            check,
            relay_only,
            state: Mutex::new(State {
                known: HashMap::new(),
                generation: 0,
                checks: HashMap::new(),
                awaited: Vec::new(),
                // Video at 8 Mbit/s with as much repair again is 1,700 a second.
                media: Bucket::new(3_000, 1_000),
                strange_stun: Bucket::new(500, 500),
            }),
        }
    }

    /// Nobody panics while holding it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a datagram may reach the stack.
    pub(crate) fn admits(&self, datagram: &[u8], from: SocketAddr, now: Instant) -> bool {
        Counters::add(&self.counters.datagrams_in, 1);
        Counters::add(&self.counters.bytes_in, datagram.len());
        let verdict = self.judge(datagram, from, now);
        match verdict {
            Ok(()) => true,
            Err(reason) => {
                self.counters.dropped(reason);
                false
            }
        }
    }

    fn judge(&self, datagram: &[u8], from: SocketAddr, now: Instant) -> Result<(), Dropped> {
        let outside = protocol(datagram).ok_or(Dropped::Malformed)?;
        let mut state = self.state();
        let relay = state.known.contains_key(&Remote::Relay(from));
        let (protocol, known) = if outside.is_wrapping() {
            if !relay {
                return Err(Dropped::Stranger);
            }
            let inside = unwrap(datagram).ok_or(Dropped::Malformed)?;
            // The server forwards from any port of an address that we let in, and everybody whom it serves has its
            // address. A channel has one sender.
            let known = matches!(inside.far, Far::Channel(_))
                || state.known.contains_key(&Remote::Behind(from, inside.far));
            (protocol(inside.datagram).ok_or(Dropped::Malformed)?, known)
        } else {
            (outside, relay || state.known.contains_key(&Remote::Direct(from)))
        };
        let checks = matches!(protocol, Protocol::Stun { .. });
        if known {
            if !state.media.take(now) {
                return Err(Dropped::Flood);
            }
        } else if self.relay_only && !relay || !checks {
            return Err(Dropped::Stranger);
        } else if state.known.len() >= MAX_KNOWN || !state.strange_stun.take(now) {
            // Anybody may check: a NAT gives the other side an address that no candidate named. But not everybody.
            return Err(Dropped::Flood);
        }
        match protocol {
            Protocol::Stun { kind: BINDING_SUCCESS, transaction } => {
                self.answered(&mut state, transaction, now);
            }
            Protocol::Srtp => Counters::add(&self.counters.srtp_in, 1),
            Protocol::Stun { .. } | Protocol::Dtls => {}
            // A relay in a relay: nobody asked for one.
            Protocol::TurnChannel => return Err(Dropped::Malformed),
        }
        if known {
            self.counters.hear(now);
        }
        Ok(())
    }

    fn answered(&self, state: &mut State, transaction: [u8; 12], now: Instant) {
        if let Some(at) = state.awaited.iter().position(|(sent, _)| *sent == transaction) {
            let (_, sent) = state.awaited.swap_remove(at);
            self.counters.round_trip(now.saturating_duration_since(sent));
        }
    }

    /// Whether a datagram may leave. One that may not counts as sent for the stack.
    pub(crate) fn lets_out(&self, datagram: &[u8], from: SocketAddr, to: SocketAddr, now: Instant) -> bool {
        let outside = protocol(datagram);
        let mut state = self.state();
        if outside.is_some_and(Protocol::asks_relay) {
            state.know(Remote::Relay(to));
        }
        let relay = state.known.contains_key(&Remote::Relay(to));
        if self.relay_only && !relay {
            self.counters.dropped(Dropped::NotRelayed);
            return false;
        }
        let inside = if relay { unwrap(datagram) } else { None };
        let (protocol, remote) = match inside {
            Some(inside) => (protocol(inside.datagram), Remote::Behind(to, inside.far)),
            None => (outside, Remote::Direct(to)),
        };
        let Some(Protocol::Stun { kind: kind @ (BINDING_REQUEST | BINDING_SUCCESS), transaction }) = protocol
        else {
            return true;
        };
        if kind == BINDING_REQUEST && !state.check_is_due((from, remote), transaction, now, self.check) {
            return false;
        }
        // The stack asks candidates that the sealed peer named, and answers only who knows the password of this
        // generation: both take part.
        state.know(remote);
        true
    }

    /// A datagram has left.
    pub(crate) fn sent(&self, bytes: usize) {
        Counters::add(&self.counters.datagrams_out, 1);
        Counters::add(&self.counters.bytes_out, bytes);
    }

    /// A new generation: pairs are checked at full pace again, and who took part two generations ago is forgotten.
    pub(crate) fn restarted(&self) {
        let mut state = self.state();
        state.checks.clear();
        let last = state.generation;
        state.generation = last.wrapping_add(1);
        state.known.retain(|_, &mut generation| generation == last);
    }

    /// What is kept stays in bounds, whatever comes.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn check_bounds(&self) {
        let state = self.state();
        assert!(state.known.len() <= MAX_KNOWN && state.checks.len() <= MAX_PAIRS);
        assert!(state.awaited.len() <= MAX_AWAITED);
    }
}

impl State {
    fn know(&mut self, remote: Remote) {
        if self.known.len() < MAX_KNOWN || self.known.contains_key(&remote) {
            self.known.insert(remote, self.generation);
        }
    }

    fn check_is_due(
        &mut self,
        pair: (SocketAddr, Remote),
        transaction: [u8; 12],
        now: Instant,
        full_pace: Duration,
    ) -> bool {
        if self.checks.len() == MAX_PAIRS && !self.checks.contains_key(&pair) {
            return false;
        }
        if !self.checks.entry(pair).or_insert(Checks { sent: 0, last: now }).due(now, full_pace) {
            return false;
        }
        if self.awaited.len() == MAX_AWAITED {
            self.awaited.remove(0);
        }
        self.awaited.push((transaction, now));
        true
    }
}

impl Checks {
    fn due(&mut self, now: Instant, full_pace: Duration) -> bool {
        let halvings = (self.sent / CHECKS_AT_FULL_PACE).min(8);
        let pace = full_pace.saturating_mul(1 << halvings).min(SLOWEST_CHECK);
        // The stack's timer comes a little early now and then.
        let slack = pace / 8;
        if self.sent > 0 && halvings > 0 && now.saturating_duration_since(self.last) + slack < pace {
            return false;
        }
        self.sent = self.sent.saturating_add(1);
        self.last = now;
        true
    }
}
