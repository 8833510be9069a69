//! STUN and TURN, against a real server (coturn, where it is installed).

use std::collections::HashSet;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use carillon_call::{PeerCommand, Role, Transport};
use carillon_testkit::turn::TurnServer;
use carillon_transport::candidate::{Candidate, Kind};
use carillon_transport::{Dropped, Event, IceServer, IceServers, Interfaces, PeerConfig, Timings};
use carillon_wire::payload::SdpKind;
use rtc::crypto::HmacAlgorithm;
use tokio::net::UdpSocket;
use tokio::time::MissedTickBehavior;

use crate::support::{End, Pair, Side, both, config, eventually, number, talk};

const SECRET: &str = "shared by the two servers";
const PACE: Duration = Duration::from_millis(10);

/// A relay with a credential of the TURN REST scheme that runs out so many seconds from now.
fn server(turn: &TurnServer, lifetime: i64) -> IceServer {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let username = format!("{}:device", i64::try_from(now).unwrap() + lifetime);
    let crypto = rtc::crypto::default_provider().unwrap();
    let mut mac = crypto.crypto().new_hmac(HmacAlgorithm::Sha1, SECRET.as_bytes()).unwrap();
    let mut tag = [0; 20];
    mac.sign(&[username.as_bytes()], &mut tag).unwrap();
    let credential = STANDARD.encode(tag);
    IceServer { urls: vec![turn.url()], username, credential }
}

/// An end that lets nobody but a relay know where it is.
fn hidden(role: Role, turn: &TurnServer) -> PeerConfig {
    PeerConfig { relay_only: true, ice_servers: vec![server(turn, 600)].into(), ..config(role) }
}

fn both_hidden(turn: &TurnServer) -> Pair {
    Pair::of(hidden(Role::Caller, turn), hidden(Role::Callee, turn), None)
}

/// What an end has given out.
fn given(pair: &Pair, side: Side) -> Vec<Candidate> {
    let lines = pair.seen.iter().filter(|(from, _)| *from == side).filter_map(|(_, said)| match said {
        Transport::LocalCandidates { candidates, .. } => Some(candidates),
        _ => None,
    });
    lines.flatten().map(|line| Candidate::parse(line, Interfaces::Loopback).unwrap()).collect()
}

/// Everything that an end finds until it has looked everywhere.
async fn all_candidates(end: &mut End) -> Vec<Candidate> {
    let mut found = Vec::new();
    end.until(|event| match event {
        Event::Call(Transport::LocalCandidates { candidates, last, .. }) => {
            found.extend(candidates);
            last.then_some(())
        }
        _ => None,
    })
    .await;
    found.iter().map(|line| Candidate::parse(line, Interfaces::Loopback).unwrap()).collect()
}

/// Forwards to the server from a port of its own, as a NAT does. Gives the address inside and the one outside.
async fn nat(server: SocketAddr) -> (SocketAddr, SocketAddr) {
    let inside = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let outside = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let addresses = (inside.local_addr().unwrap(), outside.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut there, mut back) = ([0; 2048], [0; 2048]);
        let mut client = None;
        loop {
            tokio::select! {
                Ok((length, from)) = inside.recv_from(&mut there) => {
                    client = Some(from);
                    outside.send_to(&there[..length], server).await.unwrap();
                }
                Ok((length, _)) = outside.recv_from(&mut back) => {
                    if let Some(client) = client {
                        inside.send_to(&back[..length], client).await.unwrap();
                    }
                }
            }
        }
    });
    addresses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stun_server_gives_the_address_that_it_sees() {
    let Some(turn) = TurnServer::start_or_skip(SECRET) else { return };
    let (inside, outside) = nat(turn.address()).await;
    let stun = IceServer {
        urls: vec![format!("stun:{inside}")],
        username: String::new(),
        credential: String::new(),
    };
    let mut end = End::open(PeerConfig { ice_servers: vec![stun].into(), ..config(Role::Caller) });
    let found = all_candidates(&mut end).await;
    let kinds: Vec<_> = found.iter().map(|candidate| candidate.kind).collect();
    assert_eq!(kinds, [Kind::Host, Kind::ServerReflexive]);
    assert_eq!(found[1].address, outside);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_is_asked_for_the_address_that_it_sees_too() {
    let Some(turn) = TurnServer::start_or_skip(SECRET) else { return };
    let (inside, outside) = nat(turn.address()).await;
    let relay = IceServer { urls: vec![format!("turn:{inside}?transport=udp")], ..server(&turn, 600) };
    let mut end = End::open(PeerConfig { ice_servers: vec![relay].into(), ..config(Role::Caller) });
    let found = all_candidates(&mut end).await;
    let of = |kind| found.iter().filter(|candidate| candidate.kind == kind).collect::<Vec<_>>();
    assert_eq!((found.len(), of(Kind::Host).len(), of(Kind::Relay).len()), (3, 1, 1));
    assert_eq!(of(Kind::ServerReflexive)[0].address, outside);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_goes_through_the_relay_where_nothing_else_is_let_out() {
    let Some(turn) = TurnServer::start_or_skip(SECRET) else { return };
    let mut pair = both_hidden(&turn);
    // The first pair that answers is taken. Left to itself the stack waits 2 s for something better than a relay.
    let mut clock = tokio::time::interval(PACE);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ticks = 0;
    {
        let mut up = pin!(pair.until(|seen| both(seen, |said| *said == Transport::IceUp)));
        while tokio::select! {
            () = &mut up => false,
            _ = clock.tick() => true,
        } {
            ticks += 1;
        }
    }
    assert!(ticks < 150, "{ticks} ticks of 10 ms until there was a path");
    pair.connect().await;
    for side in Side::BOTH {
        let given = given(&pair, side);
        assert!(given.iter().all(|candidate| candidate.kind == Kind::Relay) && !given.is_empty());
        assert_eq!(pair.stats(side).path.unwrap().local, Kind::Relay);
    }
    let (there, back) = tokio::join!(
        talk(&pair, Side::Caller, 0..60, PACE, |packet| number(packet) == 59),
        talk(&pair, Side::Callee, 0..60, PACE, |packet| number(packet) == 59),
    );
    assert_eq!((there.len(), back.len()), (60, 60));
    for side in Side::BOTH {
        let stats = pair.stats(side);
        assert_eq!(stats.dropped.iter().collect::<Vec<_>>(), []);
        assert!(stats.round_trip.is_some());
    }
    // Nothing goes past it: without the relay there is no call.
    drop(turn);
    pair.until(|seen| both(seen, |said| *said == Transport::IceDown)).await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_at_the_other_end_gets_packets_from_the_relay_alone() {
    let Some(turn) = TurnServer::start_or_skip(SECRET) else { return };
    let (mut caller, mut callee) = (End::open(hidden(Role::Caller, &turn)), End::open(config(Role::Callee)));
    let offer = caller.described().await;
    callee.peer.handle(PeerCommand::ApplyRemote { generation: 0, kind: SdpKind::Offer, description: offer });
    let answer = callee.described().await;
    caller.peer.handle(PeerCommand::ApplyRemote {
        generation: 0,
        kind: SdpKind::Answer,
        description: answer,
    });
    // The other side names sockets of its own, to learn who asks.
    let ears = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = ears.local_addr().unwrap();
    let candidates = vec![
        format!("candidate:1 1 udp 2130706431 127.0.0.1 {} typ host", address.port()),
        format!("candidate:2 1 udp 2130706430 127.0.0.1 {} typ prflx raddr 0.0.0.0 rport 9", address.port()),
    ];
    caller.peer.handle(PeerCommand::AddCandidates { generation: 0, candidates, last: true });
    let relays: HashSet<_> = all_candidates(&mut caller).await.iter().map(|relay| relay.address).collect();
    let mut buffer = [0; 2048];
    for _ in 0..20 {
        let came = tokio::time::timeout(crate::support::LIMIT, ears.recv_from(&mut buffer)).await;
        let (length, from) = came.expect("it asks").unwrap();
        assert!(relays.contains(&from), "{from} is no relay");
        // A check is answered by a check of ours, as a stranger who wants the address would try.
        ears.send_to(&buffer[..length], from).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_behind_the_same_relay_is_not_heard() {
    let Some(turn) = TurnServer::start_or_skip(SECRET) else { return };
    let mut pair = both_hidden(&turn);
    pair.connect().await;
    // The relay lets in whoever has the address of the other side, and on a relay all have the same.
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let relay = given(&pair, Side::Callee)[0].address;
    let rtp = [&[0x80, 111][..], &[7; 58]].concat();
    for _ in 0..10 {
        stranger.send_to(&rtp, relay).await.unwrap();
    }
    eventually("strangers are counted", || pair.stats(Side::Callee).dropped.of(Dropped::Stranger) == 10)
        .await;
    assert_eq!(pair.stats(Side::Callee).dropped.of(Dropped::Rejected), 0, "the stack never saw them");
    talk(&pair, Side::Caller, 0..5, PACE, |packet| number(packet) == 4).await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_finds_a_new_way_through_the_relay() {
    let Some(turn) = TurnServer::start_or_skip(SECRET) else { return };
    let mut pair = both_hidden(&turn);
    pair.connect().await;
    let before = given(&pair, Side::Caller);
    pair.peer(Side::Caller).handle(PeerCommand::RestartIce { generation: 1 });
    pair.until(|seen| both(seen, |said| *said == Transport::IceUp)).await;
    let after = given(&pair, Side::Caller);
    assert!(after.len() > before.len());
    talk(&pair, Side::Callee, 0..5, PACE, |packet| number(packet) == 4).await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_has_run_out_gives_no_relay() {
    let Some(turn) = TurnServer::start_or_skip(SECRET) else { return };
    let relay = server(&turn, -60);
    let mut end =
        End::open(PeerConfig { relay_only: true, ice_servers: vec![relay].into(), ..config(Role::Caller) });
    assert_eq!(all_candidates(&mut end).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_turns_to_the_servers_that_are_known_by_then() {
    let Some(turn) = TurnServer::start_or_skip(SECRET) else { return };
    let Some(later) = TurnServer::start_or_skip(SECRET) else { return };
    let (caller, callee) = (hidden(Role::Caller, &turn), hidden(Role::Callee, &turn));
    let known = [caller.ice_servers.clone(), callee.ice_servers.clone()];
    let mut pair = Pair::of(caller, callee, None);
    pair.connect().await;
    known.iter().for_each(|known| known.set(vec![server(&later, 600)]));
    drop(turn);
    pair.peer(Side::Caller).handle(PeerCommand::RestartIce { generation: 1 });
    pair.until(|seen| both(seen, |said| *said == Transport::IceUp)).await;
    talk(&pair, Side::Caller, 0..5, PACE, |packet| number(packet) == 4).await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_waits_for_the_word_which_servers_there_are() {
    let Some(turn) = TurnServer::start_or_skip(SECRET) else { return };
    let known = IceServers::unknown();
    let config = PeerConfig { relay_only: true, ice_servers: known.clone(), ..config(Role::Caller) };
    let mut end = End::open(PeerConfig {
        timings: Timings { servers: crate::support::LIMIT, ..config.timings },
        ..config
    });
    assert!(end.events.try_recv().is_err());
    known.set(vec![server(&turn, 600)]);
    assert_eq!(all_candidates(&mut end).await.len(), 1);
}
