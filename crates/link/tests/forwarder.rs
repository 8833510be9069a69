//! Real UDP sockets through the emulated line.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use carillon_link::{Change, End, Forwarder, Plan, Script, Settings, Way};

/// Longer than any test takes when all is well.
const LIMIT: Duration = Duration::from_secs(10);

struct Call {
    forwarder: Forwarder,
    a: UdpSocket,
    b: UdpSocket,
    /// Where A was told that B is, and B that A is.
    b_for_a: SocketAddr,
    a_for_b: SocketAddr,
}

fn candidate(socket: &UdpSocket) -> String {
    let address = socket.local_addr().unwrap();
    format!("candidate:1 1 udp 2130706431 {} {} typ host", address.ip(), address.port())
}

fn address(candidate: &str) -> SocketAddr {
    let words: Vec<&str> = candidate.split(' ').collect();
    SocketAddr::new(words[4].parse().unwrap(), words[5].parse().unwrap())
}

fn socket(ip: &str) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

impl Call {
    fn new(settings: Settings) -> Self {
        Self::on("127.0.0.1", settings)
    }

    fn on(ip: &str, settings: Settings) -> Self {
        let forwarder = Forwarder::start(Plan::new(settings, Script::default()).unwrap(), 7).unwrap();
        let (a, b) = (socket(ip), socket(ip));
        let a_for_b = address(&forwarder.stand_in(End::A, &candidate(&a)).unwrap());
        let b_for_a = address(&forwarder.stand_in(End::B, &candidate(&b)).unwrap());
        Self { forwarder, a, b, b_for_a, a_for_b }
    }
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2000];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    (buffer[..length].to_vec(), from)
}

#[test]
fn both_ends_only_see_stand_ins() {
    for ip in ["127.0.0.1", "::1"] {
        let call = Call::on(ip, Settings::default());
        call.a.send_to(b"to b", call.b_for_a).unwrap();
        assert_eq!(receive(&call.b), (b"to b".to_vec(), call.a_for_b));
        call.b.send_to(b"to a", call.a_for_b).unwrap();
        assert_eq!(receive(&call.a), (b"to a".to_vec(), call.b_for_a));
        let statistics = call.forwarder.statistics();
        assert_eq!((statistics.a_to_b.delivered, statistics.b_to_a.delivered), (1, 1));
        assert_eq!((statistics.strangers, statistics.lag.count()), (0, 2));
    }
}

#[test]
fn a_second_candidate_of_one_end_is_a_second_port() {
    let call = Call::new(Settings::default());
    let other = socket("127.0.0.1");
    let other_for_b = address(&call.forwarder.stand_in(End::A, &candidate(&other)).unwrap());
    assert_ne!(other_for_b, call.a_for_b);
    other.send_to(b"x", call.b_for_a).unwrap();
    assert_eq!(receive(&call.b).1, other_for_b);
    call.b.send_to(b"y", other_for_b).unwrap();
    assert_eq!(receive(&other), (b"y".to_vec(), call.b_for_a));
    // The same candidate told again is the same port.
    assert_eq!(address(&call.forwarder.stand_in(End::A, &candidate(&other)).unwrap()), other_for_b);
}

#[test]
fn a_stranger_is_dropped_and_counted() {
    let call = Call::new(Settings::default());
    let stranger = socket("127.0.0.1");
    stranger.send_to(b"who am I", call.b_for_a).unwrap();
    // B itself is a stranger at the port that stands for it.
    call.b.send_to(b"me", call.b_for_a).unwrap();
    call.a.send_to(b"to b", call.b_for_a).unwrap();
    // What comes from one socket after the other is received in that order.
    assert_eq!(receive(&call.b).0, b"to b");
    assert_eq!(call.forwarder.statistics().strangers, 2);
}

#[test]
fn tcp_and_names_are_not_told_on() {
    let forwarder = Forwarder::start(Plan::default(), 1).unwrap();
    let line = "candidate:1 1 tcp 1518280447 127.0.0.1 9 typ host tcptype active";
    assert_eq!(forwarder.stand_in(End::A, line), None);
    assert_eq!(forwarder.stand_in(End::A, "candidate:1 1 udp 5 0f6e.local 5 typ host"), None);
    // An address that is not this machine's is stood in for on loopback.
    let far =
        forwarder.stand_in(End::A, "candidate:1 1 udp 5 203.0.113.7 5 typ srflx raddr 10.0.0.1 rport 9");
    assert!(far.unwrap().contains(" 127.0.0.1 "));
}

#[test]
fn each_way_can_be_cut_and_mended() {
    let call = Call::new(Settings::default());
    call.forwarder.cut(Way::AToB);
    call.a.send_to(b"lost", call.b_for_a).unwrap();
    call.b.send_to(b"to a", call.a_for_b).unwrap();
    assert_eq!(receive(&call.a).0, b"to a");
    while call.forwarder.statistics().a_to_b.cut == 0 {
        std::thread::yield_now();
    }
    call.forwarder.mend(Way::Both);
    call.a.send_to(b"again", call.b_for_a).unwrap();
    assert_eq!(receive(&call.b).0, b"again");
}

#[test]
fn a_delayed_packet_arrives_later_and_in_order() {
    let mut settings = Settings::default();
    let mut change = Change::default();
    change.set("delay", "20ms").unwrap();
    change.apply(&mut settings);
    let call = Call::new(settings);
    let start = std::time::Instant::now();
    for number in 0..50_u8 {
        call.a.send_to(&[number], call.b_for_a).unwrap();
    }
    for number in 0..50_u8 {
        assert_eq!(receive(&call.b).0, [number]);
    }
    assert!(start.elapsed() >= Duration::from_millis(20));
}

#[test]
fn ports_are_closed_when_the_forwarder_is_dropped() {
    let call = Call::new(Settings::default());
    let Call { forwarder, a_for_b, b_for_a, .. } = call;
    assert!(UdpSocket::bind(a_for_b).is_err());
    drop(forwarder);
    UdpSocket::bind(a_for_b).unwrap();
    UdpSocket::bind(b_for_a).unwrap();
}
