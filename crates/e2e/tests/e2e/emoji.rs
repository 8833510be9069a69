//! The safety emoji, and a server that stands between two people.

use std::collections::BTreeSet;

use carillon_e2e::commitment::{self, CommitmentError};
use carillon_e2e::emoji::{Emoji, TABLE};
use carillon_e2e::{Incoming, Outgoing, ReplayCache};
use serde::Deserialize;

use crate::fixture::{Call, NOW, Person, answer, nonce_a, nonce_b, rng};

#[test]
fn both_people_see_the_same_emoji() {
    let (ada, bo) = Call::new().connect();
    assert_eq!(ada.safety_emoji(&nonce_a(), &nonce_b()), bo.safety_emoji(&nonce_a(), &nonce_b()));
}

#[test]
fn every_call_has_other_emoji() {
    let mut call = Call::new();
    let ((first, _), (second, _)) = (call.connect(), call.connect());
    assert_ne!(first.safety_emoji(&nonce_a(), &nonce_b()), second.safety_emoji(&nonce_a(), &nonce_b()));
}

#[test]
fn another_nonce_gives_other_emoji() {
    let (ada, _) = Call::new().connect();
    let emoji = ada.safety_emoji(&nonce_a(), &nonce_b());
    assert_ne!(emoji, ada.safety_emoji(&nonce_b(), &nonce_b()));
    assert_ne!(emoji, ada.safety_emoji(&nonce_a(), &nonce_a()));
}

/// The server gave each of the two an account of its own for the other's handle, and relays two handshakes.
#[test]
fn a_man_in_the_middle_who_relays_both_handshakes_shows_by_other_emoji() {
    let mut rng = rng(4);
    let (mut left, mut right) = (Call::new(), Call::new());
    let (eve_as_bo, eve_as_ada) = (Person::new(&mut rng), Person::new(&mut rng));
    (left.context.callee, left.bo) = (eve_as_bo.account.id(), eve_as_bo);
    (right.context.caller, right.ada) = (eve_as_ada.account.id(), eve_as_ada);

    let (to_eve, sealed) = left.seal();
    let at_eve = left.open(&sealed).unwrap();
    // Eve passes on Ada's description and commitment under credentials of her own.
    let mut offer = at_eve.offer;
    offer.credentials = right.ada.credentials();
    let bo = right.bo.verified();
    let (from_eve, sealed) =
        Outgoing::seal_offer(&mut rng, &right.context, &right.ada.prekeys[0], &bo, &offer).unwrap();
    let at_bo = right.open(&sealed).unwrap();
    let (sealed, bo) = at_bo.incoming.seal_answer(&answer()).unwrap();
    let (passed_on, _) = from_eve.open_answer(&sealed).unwrap();
    let (sealed, _) = at_eve.incoming.seal_answer(&passed_on).unwrap();
    let (received, ada) = to_eve.open_answer(&sealed).unwrap();

    // Nothing that was said differs, and the commitment holds at both ends: the emoji alone tell.
    assert_eq!(received, answer());
    assert_eq!(commitment::check(&at_bo.offer.commitment, &nonce_a()), Ok(()));
    assert_ne!(ada.handshake_hash(), bo.handshake_hash());
    assert_ne!(ada.safety_emoji(&nonce_a(), &nonce_b()), bo.safety_emoji(&nonce_a(), &nonce_b()));
}

/// Copying Ada's credentials into a handshake of one's own does not even get as far as the emoji.
#[test]
fn a_man_in_the_middle_can_not_pass_on_the_callers_credentials() {
    let mut call = Call::new();
    let mut eve = rng(5);
    let prekey = carillon_e2e::Prekey::generate(&mut eve);
    let (bo, offer) = (call.bo.verified(), call.offer());
    let (_, sealed) = Outgoing::seal_offer(&mut eve, &call.context, &prekey, &bo, &offer).unwrap();
    let from = call.ada.device.id();
    let (mut cache, prekeys) = (ReplayCache::new(), &call.bo.prekeys);
    let opened = Incoming::open_offer(&mut call.rng, &call.context, prekeys, from, &sealed, NOW, &mut cache);
    assert_eq!(opened.unwrap_err(), carillon_e2e::SealError::OtherPrekey);
}

#[test]
fn a_nonce_that_was_not_committed_to_is_refused() {
    let commitment = commitment::commit(&nonce_a());
    assert_eq!(commitment::check(&commitment, &nonce_a()), Ok(()));
    assert_eq!(commitment::check(&commitment, &nonce_b()), Err(CommitmentError));
    assert_eq!(
        commitment::check(&nonce_a(), &nonce_a()),
        Err(CommitmentError),
        "the nonce is no commitment to itself"
    );
}

#[derive(Deserialize)]
struct Row {
    emoji: String,
    en: String,
    fr: String,
}

#[test]
fn the_published_table_is_the_one_in_use() {
    let rows: Vec<Row> = serde_json::from_str(include_str!("../../emoji.json")).unwrap();
    assert_eq!(rows.len(), TABLE.len());
    for (row, Emoji { symbol, english, french }) in rows.iter().zip(&TABLE) {
        assert_eq!((row.emoji.as_str(), row.en.as_str(), row.fr.as_str()), (*symbol, *english, *french));
    }
}

#[test]
fn no_two_entries_look_or_sound_alike_and_each_is_one_character() {
    let count = |field: fn(&Emoji) -> &str| TABLE.iter().map(field).collect::<BTreeSet<_>>().len();
    assert_eq!(count(|emoji| emoji.symbol), 64);
    assert_eq!(count(|emoji| emoji.english), 64);
    assert_eq!(count(|emoji| emoji.french), 64);
    assert!(TABLE.iter().all(|emoji| emoji.symbol.chars().count() == 1));
}
