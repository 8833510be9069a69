//! Setting up: what is said, in which order, and what is agreed.

use carillon_call::{PeerCommand, Role, Transport};
use carillon_transport::candidate::Kind;
use carillon_transport::{Dropped, Interfaces, PeerConfig};
use carillon_wire::frame::Media;
use carillon_wire::payload::SdpKind;

use crate::support::{End, Pair, Side, both, config, eventually, number, talk};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_ends_connect_and_see_the_sealed_certificates() {
    let mut pair = Pair::direct();
    pair.connect().await;
    for side in Side::BOTH {
        let sealed = pair.seen.iter().find_map(|(from, said)| match said {
            Transport::LocalDescription { description, .. } if *from == side.other() => {
                Some(description.fingerprint)
            }
            _ => None,
        });
        let ice = pair.said(side, |said| *said == Transport::IceUp).unwrap();
        let dtls = pair
            .said(side, |said| *said == Transport::DtlsUp { fingerprint: sealed.unwrap() })
            .expect("the sealed certificate was shown");
        let data = pair.said(side, |said| *said == Transport::DataOpen).unwrap();
        assert!(ice < dtls && dtls < data);
        // A check that arrives before its candidate is spoken of makes the other end peer reflexive (RFC 8445 7.3.1.3).
        let path = pair.stats(side).path.unwrap();
        assert_eq!(path.local, Kind::Host, "{path:?}");
        assert!(matches!(path.remote, Kind::Host | Kind::PeerReflexive), "{path:?}");
        assert!(pair.stats(side).round_trip.is_some());
    }
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_ends_connect_over_ipv6() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    }
    let v6 = |role| PeerConfig { interfaces: Interfaces::LoopbackV6, ..config(role) };
    let mut pair = Pair::of(v6(Role::Caller), v6(Role::Callee), None);
    pair.connect().await;
    let given: Vec<_> = pair
        .seen
        .iter()
        .filter_map(|(_, said)| match said {
            Transport::LocalCandidates { candidates, .. } => Some(candidates),
            _ => None,
        })
        .flatten()
        .collect();
    assert!(given.len() >= 2 && given.iter().all(|line| line.contains(" ::1 ")), "{given:?}");
    let pace = std::time::Duration::from_millis(10);
    for side in Side::BOTH {
        talk(&pair, side, 0..20, pace, |packet| number(packet) == 19).await;
        assert_eq!(pair.stats(side).dropped.iter().collect::<Vec<_>>(), []);
    }
    pair.close().await;
}

/// The stack's own pace is 200 ms, and ours is 20 at first: what lies between is a busy machine's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_is_checked_often_at_first() {
    let mut pair = Pair::over_a_line(6).await;
    let line = pair.line.as_ref().unwrap();
    line.block(true);
    let checks = line.checks(Side::Callee);
    let enough = eventually("checks come", || checks.lock().unwrap().len() >= 9);
    tokio::select! {
        () = pair.until(|_| false) => {}
        () = enough => {}
    }
    let checks = checks.lock().unwrap();
    let mut gaps: Vec<_> = checks.windows(2).take(8).map(|two| two[1] - two[0]).collect();
    gaps.sort_unstable();
    assert!(gaps[4] < std::time::Duration::from_millis(100), "{gaps:?}");
}

/// A router lets packets in once some went out, and the other end may begin later. The stack gives a pair up for good
/// after eight checks, which at our pace is a sixth of a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_opens_late_is_found() {
    let mut pair = Pair::over_a_line(8).await;
    let line = pair.line.as_ref().unwrap();
    line.block(true);
    let checks = Side::BOTH.map(|side| line.checks(side));
    let enough =
        eventually("both go on asking", || checks.iter().all(|checks| checks.lock().unwrap().len() >= 14));
    tokio::select! {
        () = pair.until(|_| false) => {}
        () = enough => {}
    }
    pair.line.as_ref().unwrap().block(false);
    pair.connect().await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_with_a_long_round_trip_is_found() {
    let mut pair = Pair::over_a_line(8).await;
    pair.line.as_ref().unwrap().delay(300);
    pair.connect().await;
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn srtp_is_protected_by_aes_gcm() {
    let mut pair = Pair::direct();
    pair.connect().await;
    for side in Side::BOTH {
        assert_eq!(pair.stats(side).srtp.as_deref(), Some("SRTP_AEAD_AES_128_GCM"));
    }
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_description_comes_before_its_candidates_and_holds_none() {
    let mut pair = Pair::direct();
    // The path may be up before both have told everything that they found.
    let last = |said: &Transport| matches!(said, Transport::LocalCandidates { last: true, .. });
    pair.until(|seen| both(seen, |said| *said == Transport::DataOpen) && both(seen, last)).await;
    for side in Side::BOTH {
        let described = pair.said(side, |said| matches!(said, Transport::LocalDescription { .. })).unwrap();
        let found = pair.said(side, |said| matches!(said, Transport::LocalCandidates { .. })).unwrap();
        assert!(described < found);
        let Transport::LocalDescription { description, .. } = &pair.seen[described].1 else { panic!() };
        for secret in ["a=candidate", "a=fingerprint", "127.0.0.1"] {
            assert!(!description.sdp.contains(secret), "{}", description.sdp);
        }
    }
    pair.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audio_video_and_data_are_described_from_the_start_and_fit_into_a_box() {
    let mut caller = End::open(config(Role::Caller));
    let sdp = caller.described().await.sdp;
    let sections: Vec<_> = sdp.lines().filter(|line| line.starts_with("m=")).collect();
    let codecs = |at: usize| sections[at].split(' ').skip(3).collect::<Vec<_>>();
    assert!(sections[0].starts_with("m=audio") && sections[1].starts_with("m=video"));
    assert!(sections[2].starts_with("m=application"));
    assert_eq!(codecs(0), ["111", "112"]);
    assert_eq!(codecs(1), ["102", "103", "96", "97"]);
    for line in [
        "a=group:BUNDLE 0 1 2",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1",
        "a=rtcp-fb:111 nack",
        "a=fmtp:112 apt=111",
        "a=rtcp-fb:102 nack pli",
        "a=rtcp-fb:102 ccm fir",
        "a=rtcp-fb:102 transport-cc",
        "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    ] {
        assert!(sdp.lines().any(|found| found.trim_end() == line), "{line} in\n{sdp}");
    }
    // Beside it an Offer has credentials and a tag; 8,188 bytes is all that a box takes.
    assert!(sdp.len() < 4_500, "{}", sdp.len());
    drop(caller);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_only_end_without_a_relay_fails_at_once() {
    let mut caller = config(Role::Caller);
    caller.relay_only = true;
    let mut end = End::open(caller);
    assert!(matches!(end.next().await, carillon_transport::Event::Call(Transport::Failed)));
    assert!(matches!(end.next().await, carillon_transport::Event::Closed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candidates_that_come_before_the_answer_wait_for_it() {
    let (mut caller, mut callee) = (End::open(config(Role::Caller)), End::open(config(Role::Callee)));
    let offer = caller.described().await;
    callee.peer.handle(PeerCommand::ApplyRemote { generation: 0, kind: SdpKind::Offer, description: offer });
    let answer = callee.described().await;
    let found = |event| match event {
        carillon_transport::Event::Call(Transport::LocalCandidates { candidates, last, .. }) => {
            Some((candidates, last))
        }
        _ => None,
    };
    // Only the callee's reach the other side, and before its answer.
    let (candidates, last) = callee.until(found).await;
    caller.peer.handle(PeerCommand::AddCandidates { generation: 0, candidates, last });
    caller.peer.handle(PeerCommand::ApplyRemote {
        generation: 0,
        kind: SdpKind::Answer,
        description: answer,
    });
    for end in [&mut caller, &mut callee] {
        end.until(|event| {
            matches!(event, carillon_transport::Event::Call(Transport::DtlsUp { .. })).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_machines_own_interfaces_give_no_loopback_candidate() {
    let mut all = config(Role::Caller);
    all.interfaces = Interfaces::All;
    all.media = Media::Video;
    let mut end = End::open(all);
    end.described().await;
    let mut found = Vec::new();
    end.until(|event| match event {
        carillon_transport::Event::Call(Transport::LocalCandidates { candidates, last, .. }) => {
            found.extend(candidates);
            last.then_some(())
        }
        _ => None,
    })
    .await;
    assert!(found.iter().all(|line| !line.contains(" 127.") && !line.contains(" ::1 ")), "{found:?}");
    let expected = carillon_transport::local_addresses();
    assert_eq!(found.len(), expected.len(), "one for each address");
    assert_eq!(end.peer.stats().dropped.of(Dropped::NotSendable), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_comes_up_whichever_datagram_of_the_handshake_is_lost() {
    for to in Side::BOTH {
        for number in 0..4 {
            let mut pair = Pair::over_a_line(1).await;
            pair.line.as_ref().unwrap().lose_of_handshake(to, number);
            pair.connect().await;
            pair.close().await;
        }
    }
}
