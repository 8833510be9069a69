//! Whose certificate counts.

use std::time::{Duration, Instant};

use bytes::Bytes;
use carillon_call::{PeerCommand, Role, Transport};
use carillon_transport::{Dropped, Event, OutgoingAudio};
use carillon_wire::Bytes32;
use carillon_wire::payload::{Description, Payload, SdpKind};

use crate::support::{End, Pair, Side, config, eventually};

fn apply(kind: SdpKind, description: Description) -> PeerCommand {
    PeerCommand::ApplyRemote { generation: 0, kind, description }
}

/// Connects two ends, each of which is told that the other one's certificate is another. The path is the man in the
/// middle's: everything but the sealed fingerprint is his.
async fn connect_falsely(caller: &mut End, callee: &mut End, expected: [Bytes32; 2]) -> [Bytes32; 2] {
    let offer = caller.described().await;
    let shown_by_caller = offer.fingerprint;
    let [by_caller, by_callee] = expected;
    callee.peer.handle(apply(SdpKind::Offer, Description { fingerprint: by_callee, ..offer }));
    let answer = callee.described().await;
    let shown_by_callee = answer.fingerprint;
    caller.peer.handle(apply(SdpKind::Answer, Description { fingerprint: by_caller, ..answer }));
    [shown_by_caller, shown_by_callee]
}

/// Carries candidates both ways until both said which certificate was shown.
async fn certificates(caller: &mut End, callee: &mut End, wanted: usize) -> Vec<(Side, Bytes32)> {
    let mut seen = Vec::new();
    while seen.len() < wanted {
        let (side, event) = tokio::select! {
            event = caller.next() => (Side::Caller, event),
            event = callee.next() => (Side::Callee, event),
        };
        let other = match side {
            Side::Caller => &callee.peer,
            Side::Callee => &caller.peer,
        };
        match event {
            Event::Call(Transport::LocalCandidates { generation, candidates, last }) => {
                other.handle(PeerCommand::AddCandidates { generation, candidates, last });
            }
            Event::Call(Transport::DtlsUp { fingerprint }) => seen.push((side, fingerprint)),
            Event::Call(Transport::DataOpen | Transport::Data(_)) => panic!("the session must not come up"),
            Event::Call(_) | Event::Closed => {}
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_man_in_the_middle_is_named_and_hears_and_says_nothing() {
    // Victim and man in the middle: he has a certificate of his own, the victim knows the sealed one.
    let (mut victim, mut middle) = (End::open(config(Role::Caller)), End::open(config(Role::Callee)));
    let (sealed, own) = ([0x5E; 32].into(), [0; 32].into());
    let (audio, received) = (victim.peer.audio(), victim.peer.received());
    // He takes any certificate: he is told the victim's true one below.
    let offer = victim.described().await;
    middle.peer.handle(apply(SdpKind::Offer, offer));
    let answer = middle.described().await;
    let his = answer.fingerprint;
    assert_ne!(his, own);
    // He writes his own into the SDP, too.
    let pairs: Vec<_> = his.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    let line = format!("a=fingerprint:sha-256 {}\r\nm=audio", pairs.join(":"));
    let sdp = answer.sdp.replacen("m=audio", &line, 1);
    victim.peer.handle(apply(SdpKind::Answer, Description { fingerprint: sealed, sdp }));
    let seen = certificates(&mut victim, &mut middle, 1).await;
    assert_eq!(
        seen,
        [(Side::Caller, his)],
        "the victim's machine learns of another certificate than the sealed one"
    );
    audio.send(OutgoingAudio {
        timestamp: 0,
        captured: Instant::now(),
        marker: true,
        payload: Bytes::from_static(b"secret"),
    });
    let from_middle = middle.peer.audio();
    from_middle.send(OutgoingAudio {
        timestamp: 0,
        captured: Instant::now(),
        marker: true,
        payload: Bytes::from_static(b"forged"),
    });
    middle.peer.handle(PeerCommand::SendData(Payload::MaxRate { bits_per_second: 1 }));
    let stats = victim.peer.stats();
    assert_eq!((stats.sent.packets, stats.dropped.of(Dropped::AudioNotSent)), (0, 1));
    // He saw the right certificate, but the handshake has failed: it is not up on his side either.
    eventually("his audio is refused", || middle.peer.stats().dropped.of(Dropped::AudioNotSent) == 1).await;
    victim.peer.handle(PeerCommand::Close);
    victim
        .until(|event| match event {
            Event::Closed => Some(()),
            Event::Call(Transport::Data(_) | Transport::DataOpen) => panic!("nothing is delivered"),
            Event::Call(_) => None,
        })
        .await;
    assert!(received.pop().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_ends_name_the_certificate_when_both_expected_another() {
    let (mut caller, mut callee) = (End::open(config(Role::Caller)), End::open(config(Role::Callee)));
    let shown = connect_falsely(&mut caller, &mut callee, [[1; 32].into(), [2; 32].into()]).await;
    // Whichever sees a certificate first breaks off; the other may never see one.
    let seen = certificates(&mut caller, &mut callee, 1).await;
    let [by_caller, by_callee] = shown;
    assert!([(Side::Caller, by_callee), (Side::Callee, by_caller)].contains(&seen[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_does_not_get_through_ends_the_connection() {
    let mut caller = config(Role::Caller);
    caller.timings.dtls = Duration::from_millis(400);
    let (mut caller, mut callee) = (End::open(caller), End::open(config(Role::Callee)));
    let offer = caller.described().await;
    // The callee expects another certificate; the caller, which acts as the DTLS server, only sees it give up.
    callee.peer.handle(apply(SdpKind::Offer, Description { fingerprint: [9; 32].into(), ..offer }));
    let answer = callee.described().await;
    caller.peer.handle(apply(SdpKind::Answer, answer));
    certificates(&mut caller, &mut callee, 1).await;
    caller.until(|event| matches!(event, Event::Call(Transport::Failed)).then_some(())).await;
    caller.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fingerprint_in_the_sdp_does_not_count() {
    let mut pair = Pair::direct();
    pair.until(|seen| !seen.is_empty()).await;
    let Transport::LocalDescription { description, .. } = &pair.seen[0].1 else { panic!("{:?}", pair.seen) };
    let line = format!("a=fingerprint:sha-256 {}\r\nm=audio", ["11"; 32].join(":"));
    let forged = Description { sdp: description.sdp.replacen("m=audio", &line, 1), ..description.clone() };
    // A second callee gets the offer with another certificate in its SDP, and still sees the sealed one.
    let mut callee = End::open(config(Role::Callee));
    callee.peer.handle(apply(SdpKind::Offer, forged));
    callee.described().await;
    assert_eq!(callee.peer.stats().dropped.of(Dropped::BadDescription), 0);
    pair.connect().await;
    pair.close().await;
}
