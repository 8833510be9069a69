//! The stack's own parser and negotiation, behind our checks. What our checks do with garbage is in `src/fuzz.rs`.

use carillon_call::{PeerCommand, Role};
use carillon_testkit::corpus::{Mutations, corpus};
use carillon_transport::Event;
use carillon_wire::payload::{Description, SdpKind};

use crate::support::{End, config};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_offered_the_connection_answers_or_ends() {
    let offers = corpus("sdp").unwrap();
    let mut mutations = Mutations::new(0xBEEF);
    for round in 0..150 {
        let (seed, other) = (&offers[round % offers.len()], &offers[mutations.below(offers.len())]);
        let sdp = String::from_utf8_lossy(&mutations.change(seed, other)).into_owned();
        let callee = End::open(config(Role::Callee));
        let description = Description { sdp, fingerprint: [3; 32].into() };
        callee.peer.handle(PeerCommand::ApplyRemote { generation: 0, kind: SdpKind::Offer, description });
        callee.peer.handle(PeerCommand::Close);
        let End { peer, mut events } = callee;
        let mut last = None;
        while let Some(event) = events.recv().await {
            last = Some(event);
        }
        assert!(matches!(last, Some(Event::Closed)), "the task ended as it should");
        drop(peer);
    }
}
