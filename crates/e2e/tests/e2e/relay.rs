//! Numbers of relayed boxes: each opens once, in any order, and only in its own direction.

use carillon_e2e::SealError;
use carillon_wire::payload::{Answer, MediaState, Payload};

use crate::fixture::{Call, answer};

fn state(seq: u64) -> Payload {
    Payload::MediaState(MediaState { seq, audio: true, video: false, screen: false })
}

#[test]
fn a_reused_nonce_is_refused() {
    let (mut ada, mut bo) = Call::new().connect();
    let (seq, sealed) = ada.seal(&state(1)).unwrap();
    assert_eq!(bo.open(seq, &sealed), Ok(state(1)));
    assert_eq!(bo.open(seq, &sealed), Err(SealError::Replayed));
}

#[test]
fn no_number_is_used_twice_for_sealing() {
    let (mut ada, _) = Call::new().connect();
    let numbers: Vec<_> = (0..5).map(|n| ada.seal(&state(n)).unwrap().0).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
}

#[test]
fn a_box_under_another_number_does_not_open_and_spends_none() {
    let (mut ada, mut bo) = Call::new().connect();
    let (seq, sealed) = ada.seal(&state(1)).unwrap();
    for other in [seq + 1, u64::MAX - 1] {
        assert_eq!(bo.open(other, &sealed), Err(SealError::Unreadable));
    }
    assert_eq!(bo.open(u64::MAX, &sealed), Err(SealError::Replayed), "Noise keeps this number for itself");
    assert_eq!(bo.open(seq, &sealed), Ok(state(1)));
}

#[test]
fn boxes_open_in_any_order() {
    let (mut ada, mut bo) = Call::new().connect();
    let boxes: Vec<_> = (0..50).map(|n| ada.seal(&state(n)).unwrap()).collect();
    for (seq, sealed) in boxes.iter().rev() {
        assert_eq!(bo.open(*seq, sealed), Ok(state(*seq)));
    }
}

#[test]
fn a_box_too_far_behind_is_refused() {
    let (mut ada, mut bo) = Call::new().connect();
    let boxes: Vec<_> = (0..1026).map(|n| ada.seal(&state(n)).unwrap()).collect();
    bo.open(1025, &boxes[1025].1).unwrap();
    assert_eq!(bo.open(1, &boxes[1].1), Err(SealError::Replayed));
    assert_eq!(bo.open(2, &boxes[2].1), Ok(state(2)));
}

#[test]
fn a_box_sent_back_to_its_sender_does_not_open() {
    let (mut ada, _) = Call::new().connect();
    let (seq, sealed) = ada.seal(&state(1)).unwrap();
    assert_eq!(ada.open(seq, &sealed), Err(SealError::Unreadable));
}

#[test]
fn a_box_of_another_call_does_not_open() {
    let mut call = Call::new();
    let ((mut ada, _), (_, mut bo)) = (call.connect(), call.connect());
    let (seq, sealed) = ada.seal(&state(1)).unwrap();
    assert_eq!(bo.open(seq, &sealed), Err(SealError::Unreadable));
}

#[test]
fn an_offer_an_answer_or_an_unknown_payload_is_not_relayed() {
    let mut call = Call::new();
    let (mut ada, mut bo) = call.connect();
    let answer: Answer = answer();
    for payload in [Payload::Offer(call.offer()), Payload::Answer(answer), Payload::Unknown] {
        assert_eq!(ada.seal(&payload), Err(SealError::WrongPayload));
    }
    let (seq, sealed) = ada.seal(&state(1)).unwrap();
    assert_eq!((seq, bo.open(seq, &sealed)), (0, Ok(state(1))));
}

#[test]
fn debug_shows_no_key_of_a_session() {
    let (ada, _) = Call::new().connect();
    assert_eq!(format!("{ada:?}"), "Session { next: 0, .. }");
}
