//! What reaches the WebRTC stack from the network, and what leaves.
//!
//! The stack reads a datagram from anybody: it hands DTLS and SRTP of any sender to the session once a path is up. Here
//! only those pass whose sender has taken part in connectivity checks, in bounds; everything is counted. On the way
//! out, checks of a pair that does not answer are thinned out: the stack repeats each at its full pace for as long as
//! it looks for a path.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::bucket::Bucket;
use crate::counters::Counters;
use crate::drops::Dropped;

/// Of every STUN message (RFC 8489, section 5).
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;

/// Most addresses that are remembered: the candidates of some generations.
const MAX_KNOWN: usize = 512;

/// Most requests whose answers are awaited, for the round trip.
const MAX_AWAITED: usize = 64;

/// How often a pair is checked at full pace before the pace is halved.
const CHECKS_AT_FULL_PACE: u32 = 10;

/// The slowest pace of checks.
const SLOWEST_CHECK: Duration = Duration::from_millis(320);

/// What a datagram is, by its first byte (RFC 7983, section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Stun { kind: u16, transaction: [u8; 12] },
    Dtls,
    TurnChannel,
    Srtp,
}

fn protocol(datagram: &[u8]) -> Option<Protocol> {
    match *datagram.first()? {
        0..=3 => {
            let (header, _) = datagram.split_first_chunk::<20>()?;
            let (start, transaction) = header.split_first_chunk::<8>()?;
            let kind = u16::from_be_bytes([start[0], start[1]]);
            let transaction = transaction.first_chunk::<12>()?;
            (start[4..] == MAGIC_COOKIE).then_some(Protocol::Stun { kind, transaction: *transaction })
        }
        20..=63 => (datagram.len() >= 13).then_some(Protocol::Dtls),
        64..=79 => (datagram.len() >= 4).then_some(Protocol::TurnChannel),
        // The shortest SRTCP has 8 bytes of header, 4 of index and 10 of tag; the shortest SRTP is longer.
        128..=191 => (datagram.len() >= 20).then_some(Protocol::Srtp),
        _ => None,
    }
}

/// Watches the sockets of one connection.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) counters: Arc<Counters>,
    check: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    known: HashMap<SocketAddr, ()>,
    checks: HashMap<(SocketAddr, SocketAddr), Checks>,
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
    pub(crate) fn new(counters: Arc<Counters>, check: Duration) -> Self {
        Self {
            counters,
            check,
            state: Mutex::new(State {
                known: HashMap::new(),
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
        let protocol = protocol(datagram).ok_or(Dropped::Malformed)?;
        let mut state = self.state();
        let known = state.known.contains_key(&from);
        match protocol {
            Protocol::Stun { kind, transaction } => {
                // Anybody may check: a NAT gives the other side an address that no candidate named.
                if !known && !state.strange_stun.take(now) {
                    return Err(Dropped::Flood);
                }
                if kind == BINDING_SUCCESS {
                    self.answered(&mut state, transaction, now);
                }
            }
            Protocol::Dtls | Protocol::TurnChannel | Protocol::Srtp => {
                if !known {
                    return Err(Dropped::Stranger);
                }
                if !state.media.take(now) {
                    return Err(Dropped::Flood);
                }
                if protocol == Protocol::Srtp {
                    Counters::add(&self.counters.srtp_in, 1);
                }
            }
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
        if let Some(Protocol::Stun { kind, transaction }) = protocol(datagram) {
            let mut state = self.state();
            if kind == BINDING_REQUEST {
                let check = self.check;
                if !state.checks.entry((from, to)).or_insert(Checks { sent: 0, last: now }).due(now, check) {
                    return false;
                }
                if state.awaited.len() == MAX_AWAITED {
                    state.awaited.remove(0);
                }
                state.awaited.push((transaction, now));
            }
            // The stack asks candidates that the sealed peer named, and answers only who knows the password of this
            // generation: both take part.
            if state.known.len() < MAX_KNOWN && matches!(kind, BINDING_REQUEST | BINDING_SUCCESS)
                || is_relay_request(kind)
            {
                state.known.insert(to, ());
            }
        }
        true
    }

    /// A datagram has left.
    pub(crate) fn sent(&self, bytes: usize) {
        Counters::add(&self.counters.datagrams_out, 1);
        Counters::add(&self.counters.bytes_out, bytes);
    }

    /// A new generation: pairs are checked at full pace again.
    pub(crate) fn restarted(&self) {
        self.state().checks.clear();
    }
}

/// Allocate, Refresh, CreatePermission and ChannelBind requests (RFC 8656): they go to the relay alone, which then
/// sends what the other side sent.
const fn is_relay_request(kind: u16) -> bool {
    matches!(kind, 0x0003 | 0x0004 | 0x0008 | 0x0009)
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

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "192.168.1.2:5000";
    const THEIRS: &str = "192.168.1.3:6000";

    struct World {
        guard: Guard,
        now: Instant,
    }

    impl World {
        fn new() -> Self {
            let now = Instant::now();
            Self { guard: Guard::new(Arc::new(Counters::new(now)), Duration::from_millis(20)), now }
        }

        fn admits(&self, datagram: &[u8], from: &str) -> bool {
            self.guard.admits(datagram, from.parse().unwrap(), self.now)
        }

        fn sends(&self, datagram: &[u8]) -> bool {
            self.guard.lets_out(datagram, OURS.parse().unwrap(), THEIRS.parse().unwrap(), self.now)
        }

        fn dropped(&self, reason: Dropped) -> u64 {
            self.guard.counters.drops.snapshot().of(reason)
        }
    }

    fn stun(kind: u16, transaction: u8) -> Vec<u8> {
        let mut message = kind.to_be_bytes().to_vec();
        message.extend([0, 0]);
        message.extend(MAGIC_COOKIE);
        message.extend([transaction; 12]);
        message
    }

    fn rtp() -> Vec<u8> {
        let mut packet = vec![0x80, 111];
        packet.resize(60, 7);
        packet
    }

    #[test]
    fn media_of_a_stranger_does_not_reach_the_stack() {
        let world = World::new();
        assert!(!world.admits(&rtp(), THEIRS));
        assert!(!world.admits(&[22; 60], THEIRS));
        assert_eq!(world.dropped(Dropped::Stranger), 2);
        assert!(world.sends(&stun(BINDING_SUCCESS, 1)), "whom the stack answers knows the password");
        assert!(world.admits(&rtp(), THEIRS));
        assert!(!world.admits(&rtp(), "192.168.1.3:6001"));
    }

    #[test]
    fn asking_a_candidate_makes_it_known_but_being_asked_does_not() {
        let world = World::new();
        assert!(world.admits(&stun(BINDING_REQUEST, 1), THEIRS));
        assert!(!world.admits(&rtp(), THEIRS));
        assert!(world.sends(&stun(BINDING_REQUEST, 2)));
        assert!(world.admits(&rtp(), THEIRS));
    }

    #[test]
    fn what_is_none_of_the_protocols_is_malformed() {
        let world = World::new();
        for datagram in [&[][..], &[0; 19], &[0; 40], &[5; 40], &[22; 12], &[0x80; 19], &[64; 3], &[255; 40]]
        {
            assert!(!world.admits(datagram, THEIRS));
        }
        assert_eq!(world.dropped(Dropped::Malformed), 8);
    }

    #[test]
    fn ten_times_the_rate_is_cut_to_the_rate() {
        let mut world = World::new();
        world.sends(&stun(BINDING_REQUEST, 1));
        let mut passed = 0;
        for _ in 0..3_000 {
            world.now += Duration::from_micros(100);
            passed += u32::from(world.admits(&rtp(), THEIRS));
        }
        assert!((1_800..2_000).contains(&passed), "{passed}");
        assert_eq!(world.dropped(Dropped::Flood), u64::from(3_000 - passed));
    }

    #[test]
    fn an_answer_gives_the_round_trip_once() {
        let mut world = World::new();
        world.sends(&stun(BINDING_REQUEST, 9));
        world.now += Duration::from_millis(40);
        assert!(world.admits(&stun(BINDING_SUCCESS, 9), THEIRS));
        assert_eq!(world.guard.counters.rtt(), Some(Duration::from_millis(40)));
        world.now += Duration::from_secs(3);
        assert!(world.admits(&stun(BINDING_SUCCESS, 9), THEIRS));
        assert_eq!(world.guard.counters.rtt(), Some(Duration::from_millis(40)));
    }

    #[test]
    fn a_pair_that_does_not_answer_is_asked_ever_less_often() {
        let mut world = World::new();
        let sent = |world: &mut World, seconds: u64| {
            let rounds = seconds * 50;
            (0..rounds)
                .filter(|_| {
                    world.now += Duration::from_millis(20);
                    world.sends(&stun(BINDING_REQUEST, 1))
                })
                .count()
        };
        let first = sent(&mut world, 1);
        assert!((20..35).contains(&first), "{first}");
        sent(&mut world, 5);
        let later = sent(&mut world, 4);
        assert!((10..15).contains(&later), "{later}");
        world.guard.restarted();
        assert!(sent(&mut world, 1) >= first);
    }

    #[test]
    fn silence_is_since_something_known_came() {
        let mut world = World::new();
        world.sends(&stun(BINDING_REQUEST, 1));
        world.admits(&rtp(), THEIRS);
        world.now += Duration::from_millis(700);
        world.admits(&stun(BINDING_REQUEST, 3), "203.0.113.1:9");
        assert_eq!(world.guard.counters.silence(world.now), Duration::from_millis(700));
    }
}
