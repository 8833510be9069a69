//! Whatever comes from outside is refused with an error: nothing panics, and nothing is taken.

use carillon_e2e::challenge::audience;
use carillon_e2e::{Phrase, SealError, padding, verify_badge, verify_certificate, verify_credentials};
use carillon_wire::limits::BOX_BUCKETS;
use carillon_wire::payload::Payload;
use carillon_wire::signed::{CONTEXT_BADGE, CONTEXT_DEVICE, Credentials, Signed};
use carillon_wire::{AccountId, Blob, UnixMillis};
use proptest::prelude::*;

use crate::fixture::{Call, NOW, Person, rng, sign};

/// Bytes of any length, and often of one that a sealed box has.
fn garbage() -> impl Strategy<Value = Blob> {
    let lengths: Vec<_> = BOX_BUCKETS
        .iter()
        .flat_map(|bucket| [16, 48, 96].map(|overhead| bucket + overhead))
        .filter(|&length| length < 2500)
        .collect();
    let length = prop_oneof![0..200_usize, 0..10_000_usize, prop::sample::select(lengths)];
    let bytes = prop_oneof![
        any::<[u8; 32]>().prop_map(|seed| seed.to_vec()),
        Just(vec![0]),
        Just(vec![0xff]),
        any::<u8>().prop_map(|byte| vec![byte])
    ];
    (length, bytes).prop_map(|(length, seed)| Blob(seed.iter().copied().cycle().take(length).collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_garbage_opens_as_an_offer(sealed in garbage()) {
        let mut call = Call::new();
        let refused = call.open(&sealed).unwrap_err();
        prop_assert!(matches!(refused, SealError::Length | SealError::Unreadable | SealError::WeakKey));
        prop_assert!(call.cache.is_empty());
    }

    #[test]
    fn no_garbage_opens_as_an_answer(sealed in garbage()) {
        let (outgoing, _) = Call::new().seal();
        let refused = outgoing.open_answer(&sealed).unwrap_err();
        prop_assert!(matches!(refused, SealError::Length | SealError::Unreadable | SealError::WeakKey));
    }

    #[test]
    fn no_garbage_opens_as_a_relay(seq: u64, sealed in garbage()) {
        let (mut ada, _) = Call::new().connect();
        prop_assert!(ada.open(seq, &sealed).is_err());
        let (mut ada, mut bo) = Call::new().connect();
        let (seq, sealed) = bo.seal(&Payload::MaxRate { bits_per_second: 1 }).unwrap();
        prop_assert!(ada.open(seq, &sealed).is_ok());
    }

    #[test]
    fn no_garbage_is_a_padded_payload(bytes in prop::collection::vec(any::<u8>(), 0..1100)) {
        if let Ok(payload) = padding::unpad(&bytes) {
            prop_assert_eq!(padding::pad(payload).unwrap().to_vec(), bytes);
        }
    }

    #[test]
    fn no_garbage_is_a_certificate_or_a_badge(
        key: [u8; 32],
        signature: [u8; 64],
        body in prop::collection::vec(any::<u8>(), 0..300),
        now: u64,
    ) {
        let signed = Signed { body: Blob(body), signature: signature.into() };
        prop_assert!(verify_certificate(&key.into(), &signed, UnixMillis(now)).is_err());
        prop_assert!(verify_badge(&key.into(), &signed, AccountId::new([0; 16]), UnixMillis(now)).is_err());
        let credentials = Credentials { account_key: key.into(), certificate: signed, badge: None };
        prop_assert!(verify_credentials(&credentials, UnixMillis(now)).is_err());
    }

    /// Signed by a key that is good: the text in it is still anything.
    #[test]
    fn no_signed_garbage_is_a_certificate_or_a_badge(text in ".{0,200}", number: u64, now: u64) {
        let ada = Person::new(&mut rng(1));
        let (secret, key) = (ada.account.secret(), ada.account.public());
        for body in [serde_json::json!(text), serde_json::json!({"account": text, "seq": number, "expires_at": number})] {
            let certificate = sign(&secret, CONTEXT_DEVICE, &body);
            prop_assert!(verify_certificate(&key, &certificate, UnixMillis(now)).is_err());
            let badge = sign(&secret, CONTEXT_BADGE, &body);
            prop_assert!(verify_badge(&key, &badge, ada.account.id(), UnixMillis(now)).is_err());
        }
    }

    #[test]
    fn no_garbage_is_a_phrase_and_no_url_panics(text in any::<String>(), scheme in "(https?|wss?)://.{0,40}") {
        prop_assert!(Phrase::parse(&text).is_err());
        for url in [&text, &scheme] {
            if let Ok(audience) = audience(url) {
                prop_assert_eq!(audience.to_lowercase(), audience);
            }
        }
    }
}

#[test]
fn moments_at_the_ends_of_time_are_no_trouble() {
    let ada = Person::new(&mut rng(1));
    for now in [0, NOW.0, u64::MAX] {
        for issued in [0, 1, NOW.0, u64::MAX - 1, u64::MAX] {
            let certificate = ada
                .account
                .certify(&ada.device.public(), &ada.prekeys[0].public(), u64::MAX, UnixMillis(issued))
                .unwrap();
            let verified = verify_certificate(&ada.account.public(), &certificate, UnixMillis(now));
            let counts = issued.abs_diff(now) < 1000 && issued != u64::MAX;
            assert_eq!(verified.is_ok(), counts, "issued {issued}, now {now}");
        }
    }
}
