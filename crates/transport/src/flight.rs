//! Repeats a flight of the DTLS handshake that is not answered (RFC 6347, section 4.2.4).
//!
//! The stack waits a second before it does, which a call can hear; and its server forgets the timer when the client
//! repeats its own flight first, so that one lost datagram of the server's ends the handshake. Here the datagrams
//! themselves are sent again after about a round trip. To whom they come twice they are replays, which DTLS drops.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::guard::datagram::{Protocol, protocol, unwrap};

/// How long an answer may take at first, while the round trip is unknown or short. libwebrtc begins with 50 ms.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Each wait is twice the last one, up to this.
const LONGEST_WAIT: Duration = Duration::from_millis(800);

/// Repetitions of one flight: about 8 s, after which the connection gives up anyway.
const MOST: u32 = 12;

/// Datagrams of a flight leave together. What leaves later and unasked is the stack's own repetition.
const TOGETHER: Duration = Duration::from_millis(50);

/// Datagrams of one flight, and messages that are told apart.
const MOST_DATAGRAMS: usize = 8;
const MOST_MESSAGES: usize = 64;

// Content types (RFC 5246, section 6.2.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;

/// What one socket sent last of a handshake, and whether that was answered.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    sent: Vec<(SocketAddr, Vec<u8>)>,
    last: Option<Instant>,
    next: Option<Instant>,
    repeated: u32,
    answered: bool,
    heard: HashSet<Message>,
}

/// A handshake message by its sequence, or a record by its own (RFC 6347, sections 4.1 and 4.2.2).
type Message = (u16, u64, u32);

impl Flight {
    /// A datagram has left, whatever it is.
    pub(crate) fn left(
        &mut self,
        datagram: &[u8],
        to: SocketAddr,
        round_trip: Option<Duration>,
        now: Instant,
    ) {
        if !matches!(dtls(datagram).and_then(<[u8]>::first), Some(&(HANDSHAKE | CHANGE_CIPHER_SPEC))) {
            return;
        }
        let apart = self.last.is_none_or(|last| now.saturating_duration_since(last) > TOGETHER);
        if self.answered {
            self.repeated = 0;
        }
        if self.answered || apart {
            self.sent.clear();
        }
        if self.sent.len() < MOST_DATAGRAMS {
            self.sent.push((to, datagram.to_vec()));
        }
        (self.answered, self.last) = (false, Some(now));
        self.next = (self.repeated < MOST).then(|| now + self.wait(round_trip));
    }

    /// A datagram has come, whatever it is. One that says nothing new is no answer.
    pub(crate) fn came(&mut self, datagram: &[u8]) {
        let Some(datagram) = dtls(datagram) else { return };
        for message in messages(datagram) {
            if self.heard.len() < MOST_MESSAGES && self.heard.insert(message) {
                (self.answered, self.next) = (true, None);
            }
        }
    }

    /// When something is to be sent again, if at all.
    pub(crate) const fn next(&self) -> Option<Instant> {
        self.next
    }

    /// What is to be sent again now.
    pub(crate) fn due(&mut self, round_trip: Option<Duration>, now: Instant) -> &[(SocketAddr, Vec<u8>)] {
        if self.next.is_none_or(|next| next > now) {
            return &[];
        }
        self.repeated += 1;
        self.next = (self.repeated < MOST).then(|| now + self.wait(round_trip));
        &self.sent
    }

    fn wait(&self, round_trip: Option<Duration>) -> Duration {
        let first = round_trip.map_or(FIRST_WAIT, |trip| FIRST_WAIT.max(trip * 2));
        first.saturating_mul(1 << self.repeated.min(3)).min(LONGEST_WAIT.max(first))
    }
}

/// DTLS, also inside of what a relay brings or takes.
fn dtls(datagram: &[u8]) -> Option<&[u8]> {
    match protocol(datagram)? {
        Protocol::Dtls => Some(datagram),
        outside if outside.is_wrapping() => dtls(unwrap(datagram)?.datagram),
        Protocol::Stun { .. } | Protocol::TurnChannel | Protocol::Srtp => None,
    }
}

/// The records of a datagram that can be told apart, up to one that is cut.
fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message> {
    std::iter::from_fn(move || {
        loop {
            let (header, rest) = datagram.split_first_chunk::<13>()?;
            let &[kind, _, _, e1, e0, s5, s4, s3, s2, s1, s0, l1, l0] = header;
            let (record, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([l1, l0])))?;
            datagram = rest;
            let epoch = u16::from_be_bytes([e1, e0]);
            match (kind, epoch, record.first_chunk::<12>()) {
                // Repeated messages keep their sequence, and repeated records don't.
                (HANDSHAKE, 0, Some(&[kind, _, _, _, m1, m0, f2, f1, f0, ..])) => {
                    let sequence = u64::from(u16::from_be_bytes([m1, m0])) << 8 | u64::from(kind);
                    return Some((0, sequence, u32::from_be_bytes([0, f2, f1, f0])));
                }
                // In the clear these say nothing, and anybody can send them.
                (_, 0, _) => {}
                _ => return Some((epoch, u64::from_be_bytes([0, 0, s5, s4, s3, s2, s1, s0]), 0)),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, epoch: u8, sequence: u8, message: u8) -> Vec<u8> {
        let mut record = vec![kind, 254, 253, 0, epoch, 0, 0, 0, 0, 0, sequence, 0, 12];
        record.extend([1, 0, 0, 0, 0, message, 0, 0, 0, 0, 0, 0]);
        record
    }

    struct World {
        flight: Flight,
        now: Instant,
    }

    impl World {
        fn new() -> Self {
            Self { flight: Flight::default(), now: Instant::now() }
        }

        fn leave(&mut self, datagram: &[u8]) {
            let to = SocketAddr::from(([192, 0, 2, 7], 7));
            self.flight.left(datagram, to, None, self.now);
        }

        /// Goes on to the next repetition: how many datagrams it has, and after how many milliseconds.
        fn repeat(&mut self) -> Option<(usize, u128)> {
            let next = self.flight.next()?;
            let waited = next.duration_since(self.now).as_millis();
            self.now = next;
            Some((self.flight.due(None, next).len(), waited))
        }
    }

    #[test]
    fn a_flight_is_repeated_whole_and_ever_more_slowly_until_it_is_given_up() {
        let mut world = World::new();
        world.leave(&record(HANDSHAKE, 0, 1, 1));
        world.leave(&record(HANDSHAKE, 0, 2, 2));
        let repeated: Vec<_> = std::iter::from_fn(|| world.repeat()).collect();
        assert_eq!(repeated[..5], [(2, 100), (2, 200), (2, 400), (2, 800), (2, 800)]);
        assert_eq!(repeated.len(), 12);
    }

    #[test]
    fn an_answer_ends_it_and_what_was_heard_before_is_none() {
        let mut world = World::new();
        world.leave(&record(HANDSHAKE, 0, 1, 1));
        world.flight.came(&record(HANDSHAKE, 0, 1, 0));
        assert_eq!(world.repeat(), None);
        world.leave(&record(HANDSHAKE, 0, 2, 2));
        // The same message in another record: the other side did not get ours.
        world.flight.came(&record(HANDSHAKE, 0, 9, 0));
        assert_eq!(world.repeat(), Some((1, 100)));
        world.flight.came(&record(23, 1, 1, 0));
        assert_eq!(world.repeat(), None);
    }

    #[test]
    fn what_a_flight_answers_is_no_answer_to_it_when_it_comes_again() {
        let mut world = World::new();
        world.flight.came(&record(HANDSHAKE, 0, 1, 1));
        world.leave(&record(HANDSHAKE, 0, 1, 1));
        world.flight.came(&record(HANDSHAKE, 0, 2, 1));
        assert_eq!(world.repeat(), Some((1, 100)));
    }

    #[test]
    fn the_stacks_own_repetition_takes_the_place_of_the_first() {
        let mut world = World::new();
        world.leave(&record(HANDSHAKE, 0, 1, 1));
        world.now += Duration::from_secs(1);
        world.leave(&record(HANDSHAKE, 0, 2, 1));
        assert_eq!(world.repeat(), Some((1, 100)));
    }

    #[test]
    fn what_is_no_handshake_is_not_repeated_and_what_is_cut_is_no_answer() {
        let mut world = World::new();
        for kind in [21, 23] {
            world.leave(&record(kind, 1, 1, 1));
        }
        world.leave(&[128; 40]);
        assert_eq!(world.repeat(), None);
        world.leave(&record(HANDSHAKE, 0, 1, 1));
        let answer = record(HANDSHAKE, 0, 1, 3);
        (0..answer.len()).for_each(|length| world.flight.came(&answer[..length]));
        assert_eq!(world.repeat(), Some((1, 100)));
    }
}
