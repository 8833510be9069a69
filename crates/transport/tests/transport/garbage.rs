//! What a fuzzer would send, in bounds: a committed corpus and seeded mutations of it.

use carillon_call::{PeerCommand, Role};
use carillon_transport::candidate::Candidate;
use carillon_transport::{Event, Interfaces, message, sdp};
use carillon_wire::payload::{Description, SdpKind};

use crate::support::{End, config};

const OFFER: &str = include_str!("../corpus/sdp/offer.sdp");
const CANDIDATES: &str = include_str!("../corpus/candidate/lines.txt");
const MESSAGES: &str = include_str!("../corpus/message/payloads.jsonl");

/// Changes, drops, doubles and cuts pieces of what is well formed.
struct Mutations(u64);

impl Mutations {
    /// xorshift64 (Marsaglia 2003), below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn bytes(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let end = (at + self.below(40)).min(bytes.len());
            match self.below(5) {
                0 if at < bytes.len() => bytes[at] = u8::try_from(self.below(256)).unwrap(),
                1 => drop(bytes.drain(at..end)),
                2 => bytes.extend_from_within(at..end),
                3 => bytes.truncate(at),
                _ => bytes.splice(at..at, *b"4294967296").for_each(drop),
            }
        }
        bytes
    }

    /// The same for the lines of a text: most of what is interesting is well-formed lines in the wrong place.
    fn lines(&mut self, seed: &str) -> String {
        let mut lines: Vec<_> = seed.lines().map(str::to_owned).collect();
        for _ in 0..=self.below(3) {
            let (at, other) = (self.below(lines.len()), self.below(lines.len()));
            match self.below(4) {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[other].clone()),
                2 => lines.swap(at, other),
                _ => {
                    lines[at] =
                        String::from_utf8_lossy(&self.bytes(lines[at].clone().as_bytes())).into_owned()
                }
            }
        }
        lines.join("\r\n") + "\r\n"
    }
}

#[test]
fn no_candidate_line_panics_and_what_is_read_is_read_again() {
    let mut mutations = Mutations(0x5EED);
    let corpus: Vec<_> = CANDIDATES.lines().collect();
    for round in 0..20_000 {
        let line = mutations.bytes(corpus[round % corpus.len()].as_bytes());
        let line = String::from_utf8_lossy(&line);
        if let Ok(candidate) = Candidate::parse(&line, Interfaces::All) {
            assert_eq!(Candidate::parse(&candidate.line(), Interfaces::All), Ok(candidate));
        }
    }
}

#[test]
fn no_description_panics_and_what_passes_has_one_fingerprint_and_no_candidate() {
    let mut mutations = Mutations(0xFACE);
    let mut passed = 0;
    for _ in 0..5_000 {
        let sdp = mutations.lines(OFFER);
        let Ok(accepted) = sdp::accept(&Description { sdp, fingerprint: [3; 32].into() }) else { continue };
        passed += 1;
        assert_eq!(accepted.matches("a=fingerprint:").count(), 1);
        assert!(!accepted.lines().any(|line| line.starts_with("a=candidate:")));
    }
    assert!(passed > 500, "{passed}");
}

#[test]
fn no_message_panics() {
    let mut mutations = Mutations(0xD00D);
    let corpus: Vec<_> = MESSAGES.lines().collect();
    assert!(corpus.iter().all(|seed| message::parse(seed.as_bytes()).is_ok()));
    for round in 0..20_000 {
        if let Ok(payload) = message::parse(&mutations.bytes(corpus[round % corpus.len()].as_bytes())) {
            message::write(&payload).unwrap();
        }
    }
}

/// The stack's own parser and negotiation, behind our checks: whatever comes, the connection ends, or answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stack_survives_every_offer_that_passes_our_checks() {
    let mut mutations = Mutations(0xBEEF);
    for _ in 0..150 {
        let sdp = mutations.lines(OFFER);
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
