//! From the sealed Offer to the opened Answer, and every way to interfere with it.

use carillon_e2e::{
    AccountKey, CallContext, CertificateError, Incoming, Outgoing, Prekey, ReplayCache, SealError, Session,
    verify_certificate,
};
use carillon_wire::signed::{CONTEXT_DEVICE, DeviceCertificate};
use carillon_wire::{CallId, Millis, UnixMillis, limits};

use crate::fixture::{Call, NOW, Person, answer, rng, sign};

#[test]
fn an_offer_and_its_answer_open_at_the_other_end() {
    let mut call = Call::new();
    let (outgoing, sealed) = call.seal();
    assert_eq!(outgoing.callee(), call.bo.device.id());
    let opened = call.open(&sealed).unwrap();
    assert_eq!(opened.offer, call.offer());
    assert_eq!(opened.caller, call.ada.verified());
    let (sealed, bo) = opened.incoming.seal_answer(&answer()).unwrap();
    let (received, ada) = outgoing.open_answer(&sealed).unwrap();
    assert_eq!(received, answer());
    assert_eq!(ada.handshake_hash(), bo.handshake_hash());
}

#[test]
fn a_session_may_move_to_another_thread() {
    const fn is_send<T: Send>() {}
    is_send::<Session>();
    is_send::<Outgoing>();
    is_send::<Incoming>();
}

#[test]
fn a_swapped_prekey_is_refused_with_its_certificate() {
    let mut call = Call::new();
    let servers = Prekey::generate(&mut call.rng);
    let mut certificate: DeviceCertificate =
        serde_json::from_slice(call.bo.certificate.body.as_ref()).unwrap();
    certificate.prekey = servers.public();
    // With Bo's signature, with the signature of a key of the server's own, and under an account of its own.
    let mut edited = call.bo.certificate.clone();
    edited.body.0 = serde_json::to_vec(&certificate).unwrap();
    let bo = call.bo.account.public();
    assert_eq!(verify_certificate(&bo, &edited, NOW), Err(CertificateError::Signature));
    let forger = AccountKey::generate(&mut call.rng);
    let forged = sign(&forger.secret(), CONTEXT_DEVICE, &certificate);
    assert_eq!(verify_certificate(&bo, &forged, NOW), Err(CertificateError::Signature));
    assert_eq!(verify_certificate(&forger.public(), &forged, NOW), Err(CertificateError::OtherAccount));
}

#[test]
fn a_device_of_another_account_gets_no_offer() {
    let mut call = Call::new();
    call.bo = Person::new(&mut call.rng);
    let offer = call.offer();
    assert_eq!(call.seal_this(&offer).unwrap_err(), SealError::OtherDevice);
}

#[test]
fn an_offer_for_another_device_does_not_open() {
    let mut call = Call::new();
    let (_, sealed) = call.seal();
    call.bo = call.bo.another_device(&mut rng(2));
    assert_eq!(call.open(&sealed).unwrap_err(), SealError::Unreadable);
}

#[test]
fn an_offer_to_the_prekey_before_a_rotation_opens() {
    let mut call = Call::new();
    let (outgoing, sealed) = call.seal();
    call.bo.prekeys.insert(0, Prekey::generate(&mut rng(2)));
    let opened = call.open(&sealed).unwrap();
    let (sealed, _) = opened.incoming.seal_answer(&answer()).unwrap();
    assert!(outgoing.open_answer(&sealed).is_ok());
}

#[test]
fn without_a_prekey_nothing_opens() {
    let mut call = Call::new();
    let (_, sealed) = call.seal();
    call.bo.prekeys.clear();
    assert_eq!(call.open(&sealed).unwrap_err(), SealError::Unreadable);
}

#[test]
fn a_replayed_offer_is_refused() {
    let mut call = Call::new();
    let (_, sealed) = call.seal();
    call.open(&sealed).unwrap();
    assert_eq!(call.open(&sealed).unwrap_err(), SealError::Replayed);
}

#[test]
fn a_replayed_offer_is_refused_after_a_restart() {
    let mut call = Call::new();
    let (_, sealed) = call.seal();
    let kept = call.open(&sealed).unwrap().replay;
    call.cache = ReplayCache::from_entries([kept]);
    assert_eq!(call.open(&sealed).unwrap_err(), SealError::Replayed);
}

#[test]
fn an_offer_is_remembered_for_as_long_as_its_certificate_counts() {
    let mut call = Call::new();
    let (_, sealed) = call.seal();
    call.open(&sealed).unwrap();
    let over = NOW.after(limits::CERTIFICATE_TTL).after(Millis::from_secs(5 * 60));
    call.now = over.before(Millis(1));
    call.cache.purge(call.now);
    assert_eq!(call.open(&sealed).unwrap_err(), SealError::Replayed);
    call.now = over;
    call.cache.purge(call.now);
    assert!(call.cache.is_empty());
    assert_eq!(call.open(&sealed).unwrap_err(), SealError::Certificate(CertificateError::Expired));
}

#[test]
fn a_refused_offer_is_not_remembered() {
    let mut call = Call::new();
    let (_, sealed) = call.seal();
    let elsewhere = CallContext { call: CallId::new([8; 16]), ..call.context };
    call.open_as(&elsewhere, &sealed).unwrap_err();
    assert!(call.cache.is_empty());
    assert!(call.open(&sealed).is_ok());
}

#[test]
fn a_full_replay_cache_refuses_instead_of_forgetting() {
    let mut call = Call::new();
    call.cache = ReplayCache::with_limit(1);
    let (_, first) = call.seal();
    let (_, second) = call.seal();
    call.open(&first).unwrap();
    assert_eq!(call.open(&second).unwrap_err(), SealError::CacheFull);
    assert_eq!(call.open(&first).unwrap_err(), SealError::Replayed);
}

#[test]
fn a_lowered_version_is_refused() {
    let mut call = Call::new();
    call.context.protocol = 2;
    let (_, sealed) = call.seal();
    let lowered = CallContext { protocol: 1, ..call.context };
    assert_eq!(call.open_as(&lowered, &sealed).unwrap_err(), SealError::Unreadable);
}

#[test]
fn an_offer_moved_to_another_call_or_callee_is_refused() {
    let mut call = Call::new();
    let (_, sealed) = call.seal();
    let other_call = CallContext { call: CallId::new([8; 16]), ..call.context };
    assert_eq!(call.open_as(&other_call, &sealed).unwrap_err(), SealError::Unreadable);
    let other_callee = CallContext { callee: call.context.caller, ..call.context };
    assert_eq!(call.open_as(&other_callee, &sealed).unwrap_err(), SealError::Unreadable);
}

#[test]
fn a_server_that_names_another_caller_is_refused() {
    let mut call = Call::new();
    let (_, sealed) = call.seal();
    let claimed = CallContext { caller: Person::new(&mut rng(2)).account.id(), ..call.context };
    assert_eq!(call.open_as(&claimed, &sealed).unwrap_err(), SealError::Unreadable);
}

#[test]
fn a_caller_in_league_with_the_server_can_not_call_as_somebody_else() {
    let mut call = Call::new();
    call.context.caller = Person::new(&mut rng(2)).account.id();
    let (_, sealed) = call.seal();
    assert_eq!(call.open(&sealed).unwrap_err(), SealError::OtherDevice);
}

#[test]
fn a_server_that_names_another_device_of_the_caller_is_refused() {
    let mut call = Call::new();
    let (_, sealed) = call.seal();
    call.ada.device = call.ada.another_device(&mut rng(2)).device;
    assert_eq!(call.open(&sealed).unwrap_err(), SealError::OtherDevice);
}

#[test]
fn a_certificate_of_another_device_is_refused() {
    let mut call = Call::new();
    // Eve's device, Ada's credentials: copied out of an Offer that Eve once got.
    let offer = call.offer();
    let eve = Person::new(&mut rng(2));
    call.ada.prekeys = eve.prekeys;
    let (_, sealed) = call.seal_this(&offer).unwrap();
    assert_eq!(call.open(&sealed).unwrap_err(), SealError::OtherPrekey);
}

#[test]
fn an_expired_certificate_of_the_caller_is_refused() {
    let mut call = Call::new();
    let (_, sealed) = call.seal();
    call.now = UnixMillis(NOW.0 + 15 * 24 * 3600 * 1000);
    assert_eq!(call.open(&sealed).unwrap_err(), SealError::Certificate(CertificateError::Expired));
}

#[test]
fn an_answer_to_another_call_is_refused() {
    let mut call = Call::new();
    let (first, _) = call.seal();
    let (_, second) = call.seal();
    let opened = call.open(&second).unwrap();
    let (sealed, _) = opened.incoming.seal_answer(&answer()).unwrap();
    assert_eq!(first.open_answer(&sealed).unwrap_err(), SealError::Unreadable);
}

#[test]
fn a_prekey_of_small_order_gets_no_offer() {
    let mut call = Call::new();
    let device = call.bo.device.public();
    call.bo.certificate = call.bo.account.certify(&device, &[0; 32].into(), 2, NOW).unwrap();
    let offer = call.offer();
    assert_eq!(call.seal_this(&offer).unwrap_err(), SealError::WeakKey);
}
