//! Certificates and badges: signed, about the right one, in time.

use carillon_e2e::badge::{BadgeError, verify_badge};
use carillon_e2e::{AccountKey, CertificateError, IssuerKey, VerifiedDevice, device_id, verify_certificate};
use carillon_wire::signed::{CONTEXT_BADGE, CONTEXT_DEVICE, DeviceCertificate, Signed};
use carillon_wire::{Bytes32, Handle, Millis, UnixMillis, limits};

use crate::fixture::{NOW, Person, rng, sign};

const SKEW: Millis = Millis::from_secs(5 * 60);

fn person() -> Person {
    Person::new(&mut rng(1))
}

fn body(person: &Person) -> DeviceCertificate {
    serde_json::from_slice(person.certificate.body.as_ref()).unwrap()
}

fn verify(person: &Person, certificate: &DeviceCertificate) -> Result<VerifiedDevice, CertificateError> {
    let signed = sign(&person.account.secret(), CONTEXT_DEVICE, certificate);
    verify_certificate(&person.account.public(), &signed, NOW)
}

#[test]
fn a_certificate_says_what_was_certified() {
    let ada = person();
    let verified = ada.verified();
    assert_eq!(verified.account(), ada.account.id());
    assert_eq!(verified.account_key(), ada.account.public());
    assert_eq!(verified.device(), ada.device.id());
    assert_eq!(verified.device_key(), ada.device.public());
    assert_eq!(verified.prekey(), ada.prekeys[0].public());
    assert_eq!(verified.seq(), 1);
    assert_eq!(verified.issued_at(), NOW);
    assert_eq!(verified.expires_at(), NOW.after(limits::CERTIFICATE_TTL));
}

#[test]
fn an_edited_certificate_is_refused_wherever_it_is() {
    let ada = person();
    for position in 0..ada.certificate.body.len() {
        let mut edited = ada.certificate.clone();
        edited.body.0[position] ^= 1;
        let refused = verify_certificate(&ada.account.public(), &edited, NOW);
        assert_eq!(refused, Err(CertificateError::Signature), "body {position}");
    }
    for position in 0..64 {
        let mut edited = ada.certificate.clone();
        edited.signature.0[position] ^= 1;
        let refused = verify_certificate(&ada.account.public(), &edited, NOW);
        assert_eq!(refused, Err(CertificateError::Signature), "signature {position}");
    }
}

#[test]
fn a_certificate_of_another_account_is_refused() {
    let ada = person();
    let bo = AccountKey::generate(&mut rng(2));
    let refused = verify_certificate(&bo.public(), &ada.certificate, NOW);
    assert_eq!(refused, Err(CertificateError::Signature));
    let refused = verify(&ada, &DeviceCertificate { account: bo.id(), ..body(&ada) });
    assert_eq!(refused, Err(CertificateError::OtherAccount));
}

#[test]
fn a_device_id_with_another_key_is_refused() {
    let ada = person();
    let device_key = ada.another_device(&mut rng(2)).device.public();
    let refused = verify(&ada, &DeviceCertificate { device_key, ..body(&ada) });
    assert_eq!(refused, Err(CertificateError::OtherDevice));
    assert!(
        verify(&ada, &DeviceCertificate { device_key, device: device_id(&device_key), ..body(&ada) }).is_ok()
    );
}

#[test]
fn a_certificate_that_counts_too_long_or_never_is_refused() {
    let ada = person();
    for lifetime in [0, limits::CERTIFICATE_TTL.0 + 1] {
        let expires_at = UnixMillis(NOW.0 + lifetime);
        let refused = verify(&ada, &DeviceCertificate { expires_at, ..body(&ada) });
        assert_eq!(refused, Err(CertificateError::Lifetime), "{lifetime}");
    }
    let expires_at = UnixMillis(NOW.0 - 1);
    let refused = verify(&ada, &DeviceCertificate { expires_at, ..body(&ada) });
    assert_eq!(refused, Err(CertificateError::Lifetime));
}

#[test]
fn a_certificate_counts_in_its_time_and_five_minutes_around_it() {
    let ada = person();
    let (key, end) = (ada.account.public(), NOW.after(limits::CERTIFICATE_TTL));
    let at = |now| verify_certificate(&key, &ada.certificate, now).map(|_| ());
    assert_eq!(at(NOW.before(SKEW)), Ok(()));
    assert_eq!(at(NOW.before(Millis(SKEW.0 + 1))), Err(CertificateError::NotYetValid));
    assert_eq!(at(end.after(SKEW).before(Millis(1))), Ok(()));
    assert_eq!(at(end.after(SKEW)), Err(CertificateError::Expired));
    assert_eq!(at(UnixMillis(0)), Err(CertificateError::NotYetValid));
    assert_eq!(at(UnixMillis(u64::MAX)), Err(CertificateError::Expired));
}

#[test]
fn a_certificate_is_renewed_at_half_of_its_time() {
    let ada = person().verified();
    let half = NOW.after(limits::PREKEY_ROTATION);
    assert!(!ada.needs_renewal(NOW));
    assert!(!ada.needs_renewal(half.before(Millis(1))));
    assert!(ada.needs_renewal(half));
    assert!(ada.needs_renewal(NOW.before(Millis::from_secs(3600))), "the clock was wrong when it was issued");
}

#[test]
fn a_lower_seq_than_seen_is_refused() {
    let ada = person();
    let third = verify(&ada, &DeviceCertificate { seq: 3, ..body(&ada) }).unwrap();
    assert_eq!(third.check_seq(None), Ok(()));
    assert_eq!(third.check_seq(Some(2)), Ok(()));
    assert_eq!(third.check_seq(Some(3)), Ok(()));
    assert_eq!(third.check_seq(Some(4)), Err(CertificateError::OldSeq));
}

#[test]
fn a_signature_for_another_context_is_refused() {
    let ada = person();
    let signed = sign(&ada.account.secret(), CONTEXT_BADGE, &body(&ada));
    assert_eq!(verify_certificate(&ada.account.public(), &signed, NOW), Err(CertificateError::Signature));
}

#[test]
fn a_signed_statement_of_another_kind_is_malformed() {
    let ada = person();
    let signed = sign(&ada.account.secret(), CONTEXT_DEVICE, &"no certificate");
    assert_eq!(verify_certificate(&ada.account.public(), &signed, NOW), Err(CertificateError::Malformed));
}

#[test]
fn an_account_key_of_small_order_is_refused() {
    // The neutral element as key and as nonce, zero as scalar: not strictly verified, this fits every message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let ada = person();
    let forged = Signed { signature: signature.into(), ..ada.certificate.clone() };
    let refused = verify_certificate(&Bytes32::from(neutral), &forged, NOW);
    assert_eq!(refused, Err(CertificateError::Signature));
}

fn badge(issuer: &IssuerKey, person: &Person) -> Signed {
    let handle = Handle::parse("ada").unwrap();
    issuer.issue(person.account.id(), &handle, NOW, NOW.after(Millis::from_secs(3600))).unwrap()
}

#[test]
fn a_badge_counts_for_its_account() {
    let (issuer, ada) = (IssuerKey::generate(&mut rng(2)), person());
    let badge = verify_badge(&issuer.public(), &badge(&issuer, &ada), ada.account.id(), NOW).unwrap();
    assert_eq!((badge.account, badge.handle.as_str()), (ada.account.id(), "ada"));
}

#[test]
fn a_badge_moved_to_another_account_is_refused() {
    let (issuer, ada) = (IssuerKey::generate(&mut rng(2)), person());
    let eve = Person::new(&mut rng(3));
    let refused = verify_badge(&issuer.public(), &badge(&issuer, &ada), eve.account.id(), NOW);
    assert_eq!(refused, Err(BadgeError::OtherAccount));
}

#[test]
fn a_badge_of_another_issuer_is_refused() {
    let (issuer, ada) = (IssuerKey::generate(&mut rng(2)), person());
    let other = IssuerKey::generate(&mut rng(3));
    let refused = verify_badge(&issuer.public(), &badge(&other, &ada), ada.account.id(), NOW);
    assert_eq!(refused, Err(BadgeError::Signature));
}

#[test]
fn a_badge_out_of_its_time_is_refused() {
    let (issuer, ada) = (IssuerKey::generate(&mut rng(2)), person());
    let badge = badge(&issuer, &ada);
    let at = |now| verify_badge(&issuer.public(), &badge, ada.account.id(), now).map(|_| ());
    assert_eq!(at(NOW.before(Millis(SKEW.0 + 1))), Err(BadgeError::NotYetValid));
    assert_eq!(at(NOW.after(Millis::from_secs(3600)).after(SKEW)), Err(BadgeError::Expired));
}
