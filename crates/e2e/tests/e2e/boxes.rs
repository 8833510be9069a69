//! Boxes that were cut, lengthened or edited, and payloads of every size.

use carillon_e2e::SealError;
use carillon_wire::limits::{BOX_BUCKETS, MAX_BOX_BYTES};
use carillon_wire::payload::{Description, HangUpReason, MediaState, Payload, SdpKind};
use carillon_wire::{Blob, limits};

use crate::fixture::{Call, answer, description};

/// Bytes of message 1, message 2 and a relayed box besides the padded payload.
const OVERHEADS: [usize; 3] = [96, 48, 16];

fn resized(sealed: &Blob, length: usize) -> Blob {
    let mut bytes = sealed.0.clone();
    bytes.resize(length, 0);
    Blob(bytes)
}

#[test]
fn the_largest_box_is_within_the_limit() {
    assert!(BOX_BUCKETS.iter().max().unwrap() + OVERHEADS[0] <= limits::MAX_BOX_BYTES);
}

#[test]
fn a_truncated_or_oversized_offer_is_refused_at_every_length() {
    let mut call = Call::new();
    let (_, sealed) = call.seal();
    for length in (0..=MAX_BOX_BYTES + 600).filter(|&length| length != sealed.len()) {
        let expected = if BOX_BUCKETS.contains(&length.wrapping_sub(96)) {
            SealError::Unreadable
        } else {
            SealError::Length
        };
        assert_eq!(call.open(&resized(&sealed, length)).unwrap_err(), expected, "{length}");
    }
    assert!(call.open(&sealed).is_ok());
}

#[test]
fn a_truncated_or_oversized_answer_is_refused() {
    let mut call = Call::new();
    let (outgoing, sealed) = call.seal();
    let (sealed, _) = call.open(&sealed).unwrap().incoming.seal_answer(&answer()).unwrap();
    // A refused Answer ends the call, so each length takes an Offer of its own: those around every bucket's edge.
    let edges = BOX_BUCKETS.iter().flat_map(|bucket| bucket + 46..=bucket + 50);
    for length in (0..100).chain(edges).chain([MAX_BOX_BYTES]).filter(|&length| length != sealed.len()) {
        let expected = if BOX_BUCKETS.contains(&length.wrapping_sub(48)) {
            SealError::Unreadable
        } else {
            SealError::Length
        };
        let again = call.seal().0;
        assert_eq!(again.open_answer(&resized(&sealed, length)).unwrap_err(), expected, "{length}");
    }
    assert!(outgoing.open_answer(&sealed).is_ok());
}

#[test]
fn a_truncated_or_oversized_relay_is_refused_at_every_length() {
    let (mut ada, mut bo) = Call::new().connect();
    let (seq, sealed) = ada.seal(&Payload::HangUp { reason: HangUpReason::HungUp }).unwrap();
    for length in (0..=MAX_BOX_BYTES + 600).filter(|&length| length != sealed.len()) {
        let expected = if BOX_BUCKETS.contains(&length.wrapping_sub(16)) {
            SealError::Unreadable
        } else {
            SealError::Length
        };
        assert_eq!(bo.open(seq, &resized(&sealed, length)).unwrap_err(), expected, "{length}");
    }
    assert!(bo.open(seq, &sealed).is_ok());
}

#[test]
fn an_edited_fingerprint_in_the_offer_is_refused_wherever_it_is() {
    let mut call = Call::new();
    let (_, sealed) = call.seal();
    for position in 0..sealed.len() {
        let mut edited = sealed.clone();
        edited.0[position] ^= 1;
        assert_eq!(call.open(&edited).unwrap_err(), SealError::Unreadable, "{position}");
    }
    assert!(call.open(&sealed).is_ok());
}

#[test]
fn an_edited_fingerprint_in_the_answer_is_refused() {
    let mut call = Call::new();
    for position in [0, 31, 32, 60, 300, 559] {
        let (outgoing, sealed) = call.seal();
        let (mut sealed, _) = call.open(&sealed).unwrap().incoming.seal_answer(&answer()).unwrap();
        assert_eq!(sealed.len(), 560);
        sealed.0[position] ^= 1;
        assert_eq!(outgoing.open_answer(&sealed).unwrap_err(), SealError::Unreadable, "{position}");
    }
}

#[test]
fn an_edited_fingerprint_in_a_renegotiation_is_refused() {
    let (mut ada, mut bo) = Call::new().connect();
    let description = description("restart");
    let payload = Payload::Renegotiate { generation: 1, kind: SdpKind::Offer, description };
    let (seq, sealed) = ada.seal(&payload).unwrap();
    for position in 0..sealed.len() {
        let mut edited = sealed.clone();
        edited.0[position] ^= 0x80;
        assert_eq!(bo.open(seq, &edited).unwrap_err(), SealError::Unreadable, "{position}");
    }
    assert_eq!(bo.open(seq, &sealed), Ok(payload));
}

/// A description whose payload, as JSON, has this length together with `rest` bytes.
fn filled(mut description: Description, missing: usize) -> Description {
    description.sdp.push_str(&"x".repeat(missing));
    description
}

/// Payload lengths around every bucket's edge; a bucket holds four bytes less than its size.
fn edges() -> impl Iterator<Item = usize> {
    BOX_BUCKETS
        .iter()
        .flat_map(|bucket| [bucket - 5, bucket - 4, bucket - 3])
        .filter(|&length| length <= 8188)
}

#[test]
fn offers_open_at_every_edge_of_a_bucket() {
    let mut call = Call::new();
    let bare = serde_json::to_vec(&Payload::Offer(call.offer())).unwrap().len();
    for length in edges().filter(|&length| length >= bare) {
        let mut offer = call.offer();
        offer.description = filled(offer.description, length - bare);
        let (_, sealed) = call.seal_this(&offer).unwrap();
        let bucket = BOX_BUCKETS.iter().find(|&&bucket| bucket >= length + 4).unwrap();
        assert_eq!(sealed.len(), bucket + 96, "{length}");
        assert_eq!(call.open(&sealed).unwrap().offer, offer);
    }
    let mut offer = call.offer();
    offer.description = filled(offer.description, 8189 - bare);
    assert_eq!(call.seal_this(&offer).unwrap_err(), SealError::TooLarge);
}

#[test]
fn answers_open_at_every_edge_of_a_bucket() {
    let mut call = Call::new();
    let bare = serde_json::to_vec(&Payload::Answer(answer())).unwrap().len();
    for length in edges() {
        let (outgoing, sealed) = call.seal();
        let mut answer = answer();
        answer.description = filled(answer.description, length - bare);
        let (sealed, _) = call.open(&sealed).unwrap().incoming.seal_answer(&answer).unwrap();
        let bucket = BOX_BUCKETS.iter().find(|&&bucket| bucket >= length + 4).unwrap();
        assert_eq!(sealed.len(), bucket + 48, "{length}");
        assert_eq!(outgoing.open_answer(&sealed).unwrap().0, answer);
    }
    let (_, sealed) = call.seal();
    let mut answer = answer();
    answer.description = filled(answer.description, 8189 - bare);
    let refused = call.open(&sealed).unwrap().incoming.seal_answer(&answer);
    assert_eq!(refused.unwrap_err(), SealError::TooLarge);
}

#[test]
fn relayed_payloads_open_at_every_edge_of_a_bucket() {
    let (mut ada, mut bo) = Call::new().connect();
    let candidates =
        |candidate: String| Payload::Candidates { generation: 0, candidates: vec![candidate], last: false };
    let bare = serde_json::to_vec(&candidates(String::new())).unwrap().len();
    for length in edges() {
        let payload = candidates("x".repeat(length - bare));
        let (seq, sealed) = ada.seal(&payload).unwrap();
        let bucket = BOX_BUCKETS.iter().find(|&&bucket| bucket >= length + 4).unwrap();
        assert_eq!(sealed.len(), bucket + 16, "{length}");
        assert_eq!(bo.open(seq, &sealed), Ok(payload));
    }
    assert_eq!(ada.seal(&candidates("x".repeat(8189 - bare))), Err(SealError::TooLarge));
}

#[test]
fn every_kind_of_relayed_payload_comes_through() {
    let (mut ada, mut bo) = Call::new().connect();
    for payload in [
        Payload::Confirm { nonce: [1; 32].into() },
        Payload::Candidates { generation: 2, candidates: vec!["candidate:1".into()], last: true },
        Payload::Renegotiate { generation: 1, kind: SdpKind::Answer, description: description("answer") },
        Payload::Restart { generation: 3 },
        Payload::MediaState(MediaState { seq: 7, audio: true, video: false, screen: true }),
        Payload::MaxRate { bits_per_second: 300_000 },
        Payload::HangUp { reason: HangUpReason::Security },
    ] {
        let (seq, sealed) = bo.seal(&payload).unwrap();
        assert_eq!(ada.open(seq, &sealed), Ok(payload));
    }
}
