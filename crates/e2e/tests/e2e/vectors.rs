//! The golden vectors, which an implementation independent of this crate has made from `PROTOCOL.md`.

use std::collections::VecDeque;
use std::convert::Infallible;

use carillon_e2e::challenge::Purpose;
use carillon_e2e::phrase::Language;
use carillon_e2e::{
    AccountKey, CallContext, Challenge, DeviceKey, Incoming, IssuerKey, Outgoing, Phrase, Prekey,
    ReplayCache, Session, account_id, commitment, device_id, safety_emoji, verify_badge, verify_certificate,
};
use carillon_wire::payload::Payload;
use carillon_wire::signed::{Badge, DeviceCertificate, Signed};
use carillon_wire::{AccountId, Blob, Bytes32, CallId, DeviceId, Signature, UnixMillis};
use rand_chacha::rand_core::{TryCryptoRng, TryRng};
use serde::Deserialize;
use serde::de::DeserializeOwned;

fn read<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap()
}

/// Gives bytes that are known beforehand, and no more than those.
struct Known(VecDeque<u8>);

impl TryRng for Known {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        dst.iter_mut().for_each(|byte| *byte = self.0.pop_front().unwrap());
        Ok(())
    }
}

impl TryCryptoRng for Known {}

fn known(bytes: Bytes32) -> Known {
    Known(bytes.0.into())
}

#[derive(Deserialize)]
struct Ids {
    account_secret: Bytes32,
    account_key: Bytes32,
    account: AccountId,
    device_secret: Bytes32,
    device_key: Bytes32,
    device: DeviceId,
    prekey_secret: Bytes32,
    prekey: Bytes32,
}

#[test]
fn keys_and_ids() {
    for row in read::<Vec<Ids>>(include_str!("../../vectors/ids.json")) {
        assert_eq!(AccountKey::from_secret(&row.account_secret.0).public(), row.account_key);
        assert_eq!(account_id(&row.account_key), row.account);
        assert_eq!(DeviceKey::from_secret(&row.device_secret.0).public(), row.device_key);
        assert_eq!(device_id(&row.device_key), row.device);
        assert_eq!(Prekey::from_secret(&row.prekey_secret.0).public(), row.prekey);
        assert_eq!(AccountKey::generate(&mut known(row.account_secret)).id(), row.account);
    }
}

#[derive(Deserialize)]
struct ChallengeVector {
    purpose: String,
    nonce: Bytes32,
    device_secret: Bytes32,
    device: DeviceId,
    protocol: u16,
    audience: String,
    message: Blob,
    signature: Signature,
}

#[test]
fn challenges() {
    for row in read::<Vec<ChallengeVector>>(include_str!("../../vectors/challenge.json")) {
        let purpose = if row.purpose == "hello" { Purpose::Hello } else { Purpose::Session };
        let (nonce, audience) = (&row.nonce, row.audience.as_str());
        let challenge = Challenge { purpose, nonce, device: row.device, protocol: row.protocol, audience };
        assert_eq!(challenge.message(), row.message.0);
        let key = DeviceKey::from_secret(&row.device_secret.0);
        assert_eq!(challenge.sign(&key), row.signature);
        assert_eq!(challenge.verify(&key.public(), &row.signature), Ok(()));
    }
}

#[derive(Deserialize)]
struct CertificateVector {
    account_secret: Bytes32,
    account_key: Bytes32,
    certificate: DeviceCertificate,
    signed: Signed,
    valid_at: Vec<UnixMillis>,
    not_yet_valid_at: UnixMillis,
    expired_at: UnixMillis,
}

#[test]
fn certificates() {
    let vector: CertificateVector = read(include_str!("../../vectors/certificate.json"));
    let expected = &vector.certificate;
    let account = AccountKey::from_secret(&vector.account_secret.0);
    let signed = account.certify(&expected.device_key, &expected.prekey, expected.seq, expected.issued_at);
    assert_eq!(signed.unwrap(), vector.signed);
    for now in vector.valid_at {
        let verified = verify_certificate(&vector.account_key, &vector.signed, now).unwrap();
        assert_eq!((verified.device(), verified.prekey()), (expected.device, expected.prekey));
    }
    for now in [vector.not_yet_valid_at, vector.expired_at] {
        assert!(verify_certificate(&vector.account_key, &vector.signed, now).is_err());
    }
}

#[derive(Deserialize)]
struct BadgeVector {
    issuer_secret: Bytes32,
    issuer_key: Bytes32,
    account: AccountId,
    badge: Badge,
    signed: Signed,
    valid_at: UnixMillis,
}

#[test]
fn badges() {
    let vector: BadgeVector = read(include_str!("../../vectors/badge.json"));
    let Badge { account, handle, issued_at, expires_at } = &vector.badge;
    let issuer = IssuerKey::from_secret(&vector.issuer_secret.0);
    assert_eq!(issuer.issue(*account, handle, *issued_at, *expires_at).unwrap(), vector.signed);
    let verified = verify_badge(&vector.issuer_key, &vector.signed, vector.account, vector.valid_at);
    assert_eq!(verified, Ok(vector.badge));
}

#[derive(Deserialize)]
struct EmojiVector {
    nonce_a: Bytes32,
    commitment: Bytes32,
    nonce_b: Bytes32,
    handshake_hash: Bytes32,
    emoji: Vec<EmojiName>,
}

#[derive(Deserialize)]
struct EmojiName {
    emoji: String,
}

#[test]
fn commitments_and_safety_emoji() {
    let vector: EmojiVector = read(include_str!("../../vectors/safety_emoji.json"));
    assert_eq!(commitment::commit(&vector.nonce_a), vector.commitment);
    let emoji = safety_emoji(&vector.handshake_hash, &vector.nonce_a, &vector.nonce_b);
    let expected: Vec<_> = vector.emoji.iter().map(|row| row.emoji.as_str()).collect();
    assert_eq!(emoji.map(|emoji| emoji.symbol).as_slice(), expected);
}

#[derive(Deserialize)]
struct SessionVector {
    call: CallId,
    caller: AccountId,
    callee: AccountId,
    protocol: u16,
    now: UnixMillis,
    caller_device: DeviceId,
    caller_prekey_secret: Bytes32,
    caller_ephemeral_secret: Bytes32,
    callee_account_key: Bytes32,
    callee_certificate: Signed,
    callee_prekey_secret: Bytes32,
    callee_ephemeral_secret: Bytes32,
    offer: Payload,
    offer_box: Blob,
    answer: Payload,
    answer_box: Blob,
    handshake_hash: Bytes32,
    from_caller: Vec<Relay>,
    from_callee: Vec<Relay>,
}

#[derive(Deserialize)]
struct Relay {
    seq: u64,
    payload: Payload,
    #[serde(rename = "box")]
    sealed: Blob,
}

fn check_relays(relays: &[Relay], from: &mut Session, to: &mut Session) {
    for Relay { seq, payload, sealed } in relays {
        assert_eq!(from.seal(payload), Ok((*seq, sealed.clone())));
        assert_eq!(to.open(*seq, sealed).as_ref(), Ok(payload));
    }
}

#[test]
fn a_whole_session() {
    let vector: SessionVector = read(include_str!("../../vectors/session.json"));
    let SessionVector { call, caller, callee, protocol, now, .. } = vector;
    let context = CallContext { call, caller, callee, protocol };
    let (Payload::Offer(offer), Payload::Answer(answer)) = (&vector.offer, &vector.answer) else { panic!() };

    let device = verify_certificate(&vector.callee_account_key, &vector.callee_certificate, now).unwrap();
    let prekey = Prekey::from_secret(&vector.caller_prekey_secret.0);
    let mut rng = known(vector.caller_ephemeral_secret);
    let (outgoing, sealed) = Outgoing::seal_offer(&mut rng, &context, &prekey, &device, offer).unwrap();
    assert_eq!(sealed.0, vector.offer_box.0);

    let prekeys = [Prekey::from_secret(&vector.callee_prekey_secret.0)];
    let (mut rng, mut cache) = (known(vector.callee_ephemeral_secret), ReplayCache::new());
    let from = vector.caller_device;
    let opened = Incoming::open_offer(&mut rng, &context, &prekeys, from, &sealed, now, &mut cache).unwrap();
    assert_eq!(&opened.offer, offer);
    let (sealed, mut bo) = opened.incoming.seal_answer(answer).unwrap();
    assert_eq!(sealed.0, vector.answer_box.0);

    let (received, mut ada) = outgoing.open_answer(&sealed).unwrap();
    assert_eq!(&received, answer);
    assert_eq!((ada.handshake_hash(), bo.handshake_hash()), (vector.handshake_hash, vector.handshake_hash));
    check_relays(&vector.from_caller, &mut ada, &mut bo);
    check_relays(&vector.from_callee, &mut bo, &mut ada);
}

#[derive(Deserialize)]
struct PhraseVector {
    account_secret: Bytes32,
    account: AccountId,
    english: String,
    french: String,
}

#[test]
fn recovery_phrases() {
    let vector: PhraseVector = read(include_str!("../../vectors/phrase.json"));
    let key = AccountKey::from_secret(&vector.account_secret.0);
    assert_eq!(*Phrase::of(&key, Language::English).to_text(), vector.english);
    for text in [&vector.english, &vector.french] {
        assert_eq!(Phrase::parse(text).unwrap().account_key().id(), vector.account);
    }
}
