//! Challenges: a signature is good for one device, purpose, nonce, version and server.

use carillon_e2e::challenge::Purpose;
use carillon_e2e::{Challenge, ChallengeError, DeviceKey};
use carillon_wire::{Bytes32, PROTOCOL};

use crate::fixture::rng;

const NONCE: &Bytes32 = &carillon_wire::bytes::Fixed([5; 32]);

fn challenge(key: &DeviceKey) -> Challenge<'static> {
    Challenge {
        purpose: Purpose::Hello,
        nonce: NONCE,
        device: key.id(),
        protocol: PROTOCOL,
        audience: "calls.example.org",
    }
}

#[test]
fn a_signed_challenge_verifies() {
    let key = DeviceKey::generate(&mut rng(1));
    let challenge = challenge(&key);
    assert_eq!(challenge.verify(&key.public(), &challenge.sign(&key)), Ok(()));
}

#[test]
fn a_signature_is_of_no_use_for_anything_else() {
    let key = DeviceKey::generate(&mut rng(1));
    let challenge = challenge(&key);
    let signature = challenge.sign(&key);
    let nonce = [6; 32].into();
    for (other, what) in [
        (Challenge { purpose: Purpose::Session, ..challenge }, "purpose"),
        (Challenge { nonce: &nonce, ..challenge }, "nonce"),
        (Challenge { protocol: PROTOCOL + 1, ..challenge }, "version"),
        (Challenge { audience: "calls.example.com", ..challenge }, "server"),
    ] {
        assert_eq!(other.verify(&key.public(), &signature), Err(ChallengeError::Signature), "{what}");
    }
}

#[test]
fn a_device_is_not_believed_with_another_key() {
    let (key, other) = (DeviceKey::generate(&mut rng(1)), DeviceKey::generate(&mut rng(2)));
    let challenge = challenge(&key);
    let refused = challenge.verify(&other.public(), &challenge.sign(&other));
    assert_eq!(refused, Err(ChallengeError::OtherDevice));
}

#[test]
fn debug_shows_no_secret() {
    let key = DeviceKey::generate(&mut rng(1));
    assert_eq!(format!("{key:?}"), "DeviceKey([redacted])");
}
