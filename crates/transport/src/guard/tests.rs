//! Who is heard, what leaves, and in which bounds.

use super::datagram::MAGIC_COOKIE;
use super::*;

const OURS: &str = "192.168.1.2:5000";
const THEIRS: &str = "192.168.1.3:6000";
const RELAY: &str = "203.0.113.5:3478";

const ALLOCATE: u16 = 0x0003;
const SEND: u16 = 0x0016;
const DATA: u16 = 0x0017;

struct World {
    guard: Guard,
    now: Instant,
}

impl World {
    fn new() -> Self {
        Self::with(false)
    }

    fn with(relay_only: bool) -> Self {
        let now = Instant::now();
        let counters = Arc::new(Counters::new(now));
        Self { guard: Guard::new(counters, Duration::from_millis(20), relay_only), now }
    }

    fn admits(&self, datagram: &[u8], from: &str) -> bool {
        self.guard.admits(datagram, from.parse().unwrap(), self.now)
    }

    fn sends(&self, datagram: &[u8]) -> bool {
        self.sends_to(datagram, THEIRS)
    }

    fn sends_to(&self, datagram: &[u8], to: &str) -> bool {
        self.guard.lets_out(datagram, OURS.parse().unwrap(), to.parse().unwrap(), self.now)
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

/// A Send or Data indication (RFC 8656, section 11) for or from an IPv4 address.
fn indication(kind: u16, far: &str, datagram: &[u8]) -> Vec<u8> {
    let far: std::net::SocketAddrV4 = far.parse().unwrap();
    let mut message = stun(kind, 0x77);
    message.extend([0, 0x12, 0, 8, 0, 1]);
    message.extend((far.port() ^ 0x2112).to_be_bytes());
    message.extend(far.ip().octets().iter().zip(MAGIC_COOKIE).map(|(byte, mask)| byte ^ mask));
    message.extend([0, 0x13]);
    message.extend(u16::try_from(datagram.len()).unwrap().to_be_bytes());
    message.extend(datagram);
    message.resize(message.len().next_multiple_of(4), 0);
    message
}

fn channel(number: u16, datagram: &[u8]) -> Vec<u8> {
    let length = u16::try_from(datagram.len()).unwrap();
    [&number.to_be_bytes()[..], &length.to_be_bytes(), datagram].concat()
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
    for datagram in [&[][..], &[0; 19], &[0; 40], &[5; 40], &[22; 12], &[0x80; 19], &[64; 3], &[255; 40]] {
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

#[test]
fn a_flood_of_those_who_take_part_is_cut_whatever_it_is() {
    let world = World::new();
    world.sends(&stun(BINDING_REQUEST, 1));
    let passed = (0..2_000).filter(|_| world.admits(&stun(BINDING_REQUEST, 2), THEIRS)).count();
    assert_eq!((passed, world.dropped(Dropped::Flood)), (1_000, 1_000));
}

#[test]
fn strangers_who_check_are_not_heard_when_there_is_no_room_for_another() {
    let world = World::new();
    for port in 1..=u16::try_from(MAX_KNOWN).unwrap() {
        assert!(world.sends_to(&stun(BINDING_SUCCESS, 1), &format!("192.168.1.9:{port}")));
    }
    assert!(!world.admits(&stun(BINDING_REQUEST, 1), THEIRS));
    assert_eq!(world.dropped(Dropped::Flood), 1);
    assert!(world.admits(&rtp(), "192.168.1.9:1"));
}

#[test]
fn who_took_part_is_forgotten_two_generations_later() {
    let world = World::new();
    world.sends(&stun(BINDING_REQUEST, 1));
    world.guard.restarted();
    assert!(world.admits(&rtp(), THEIRS), "the old path goes on until there is a new one");
    world.guard.restarted();
    assert!(!world.admits(&rtp(), THEIRS));
    for generation in 0..900_u16 {
        let address = format!("10.0.{}.{}:5000", generation / 250, generation % 250 + 1);
        assert!(world.sends_to(&stun(BINDING_REQUEST, 1), &address));
        assert!(world.admits(&rtp(), &address), "there is room in generation {generation}");
        world.guard.restarted();
    }
}

#[test]
fn a_relay_that_was_asked_for_nothing_brings_nothing() {
    let world = World::new();
    assert!(!world.admits(&channel(0x4001, &rtp()), RELAY));
    assert!(!world.admits(&indication(DATA, THEIRS, &stun(BINDING_REQUEST, 1)), RELAY));
    assert_eq!(world.dropped(Dropped::Stranger), 2);
}

#[test]
fn what_a_relay_brings_is_judged_by_whom_it_comes_from() {
    let world = World::new();
    assert!(world.sends_to(&stun(ALLOCATE, 1), RELAY));
    assert!(world.admits(&stun(ALLOCATE | 0x0100, 1), RELAY), "its answer");
    assert!(!world.admits(&indication(DATA, THEIRS, &rtp()), RELAY));
    assert_eq!(world.dropped(Dropped::Stranger), 1);
    assert!(world.admits(&indication(DATA, THEIRS, &stun(BINDING_REQUEST, 1)), RELAY), "anybody may check");
    assert!(world.sends_to(&indication(SEND, THEIRS, &stun(BINDING_SUCCESS, 1)), RELAY));
    assert!(world.admits(&indication(DATA, THEIRS, &rtp()), RELAY));
    assert!(!world.admits(&indication(DATA, "192.168.1.3:6001", &rtp()), RELAY), "another port");
    assert!(!world.admits(&rtp(), THEIRS), "and not past the relay");
    assert!(world.admits(&channel(0x4001, &rtp()), RELAY));
    assert_eq!(world.guard.counters.srtp_in.load(std::sync::atomic::Ordering::Relaxed), 2);
}

#[test]
fn what_is_broken_inside_a_relays_datagram_is_malformed() {
    let world = World::new();
    world.sends_to(&stun(ALLOCATE, 1), RELAY);
    let whole = channel(0x4001, &rtp());
    let bad = [
        whole[..40].to_vec(),
        channel(0x4001, &[0x80; 8]),
        channel(0x4001, &channel(0x4001, &rtp())),
        stun(DATA, 1),
        indication(DATA, THEIRS, &[]),
    ];
    for datagram in &bad {
        assert!(!world.admits(datagram, RELAY), "{datagram:?}");
    }
    assert_eq!(world.dropped(Dropped::Malformed), 5);
}

#[test]
fn checks_through_a_relay_are_thinned_out_and_give_the_round_trip() {
    let mut world = World::new();
    world.sends_to(&stun(ALLOCATE, 1), RELAY);
    let sent = (0..500)
        .filter(|_| {
            world.now += Duration::from_millis(20);
            world.sends_to(&channel(0x4001, &stun(BINDING_REQUEST, 9)), RELAY)
        })
        .count();
    assert!((40..100).contains(&sent), "{sent} of 500");
    world.now += Duration::from_millis(30);
    assert!(world.sends_to(&indication(SEND, THEIRS, &stun(BINDING_REQUEST, 8)), RELAY), "another pair");
    world.now += Duration::from_millis(40);
    assert!(world.admits(&indication(DATA, THEIRS, &stun(BINDING_SUCCESS, 8)), RELAY));
    assert_eq!(world.guard.counters.rtt(), Some(Duration::from_millis(40)));
}

#[test]
fn where_only_relays_may_know_nothing_else_leaves_or_comes() {
    let world = World::with(true);
    for datagram in [stun(BINDING_REQUEST, 1), stun(BINDING_SUCCESS, 1), rtp(), vec![22; 60]] {
        assert!(!world.sends(&datagram));
    }
    assert_eq!(world.dropped(Dropped::NotRelayed), 4);
    assert!(!world.admits(&stun(BINDING_REQUEST, 1), THEIRS));
    assert_eq!(world.dropped(Dropped::Stranger), 1);
    assert!(world.sends_to(&stun(ALLOCATE, 1), RELAY));
    assert!(world.sends_to(&indication(SEND, THEIRS, &stun(BINDING_REQUEST, 1)), RELAY));
    assert!(world.sends_to(&channel(0x4001, &rtp()), RELAY));
    assert!(world.admits(&indication(DATA, THEIRS, &stun(BINDING_REQUEST, 1)), RELAY));
    assert!(!world.sends(&rtp()), "still nothing past it");
}
