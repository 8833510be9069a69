//! Ada calls Bo: keys, certificates and the messages between them, all from one seed.

use carillon_e2e::{
    AccountKey, CallContext, DeviceKey, Incoming, OpenedOffer, Outgoing, Prekey, ReplayCache, SealError,
    Session, VerifiedDevice, commitment, verify_credentials,
};
use carillon_wire::payload::{Abilities, Answer, Description, Offer};
use carillon_wire::signed::{Credentials, Signed};
use carillon_wire::{Blob, Bytes32, CallId, PROTOCOL, UnixMillis};
use ed25519_dalek::{Signer as _, SigningKey};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde::Serialize;

/// 2026-01-01.
pub(crate) const NOW: UnixMillis = UnixMillis(1_767_225_600_000);

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A person with one device.
pub(crate) struct Person {
    pub(crate) account: AccountKey,
    pub(crate) device: DeviceKey,
    pub(crate) prekeys: Vec<Prekey>,
    pub(crate) certificate: Signed,
}

impl Person {
    pub(crate) fn new(rng: &mut ChaCha20Rng) -> Self {
        let account = AccountKey::generate(rng);
        Self::device_of(account, rng)
    }

    pub(crate) fn device_of(account: AccountKey, rng: &mut ChaCha20Rng) -> Self {
        let (device, prekey) = (DeviceKey::generate(rng), Prekey::generate(rng));
        let certificate = account.certify(&device.public(), &prekey.public(), 1, NOW).unwrap();
        Self { account, device, prekeys: vec![prekey], certificate }
    }

    pub(crate) fn another_device(&self, rng: &mut ChaCha20Rng) -> Self {
        Self::device_of(AccountKey::from_secret(&self.account.secret()), rng)
    }

    pub(crate) fn credentials(&self) -> Credentials {
        let account_key = self.account.public();
        Credentials { account_key, certificate: self.certificate.clone(), badge: None }
    }

    pub(crate) fn verified(&self) -> VerifiedDevice {
        verify_credentials(&self.credentials(), NOW).unwrap()
    }
}

/// A call from Ada to Bo, with what the server tells Bo.
pub(crate) struct Call {
    pub(crate) rng: ChaCha20Rng,
    pub(crate) ada: Person,
    pub(crate) bo: Person,
    pub(crate) context: CallContext,
    pub(crate) cache: ReplayCache,
    pub(crate) now: UnixMillis,
}

impl Call {
    pub(crate) fn new() -> Self {
        let mut rng = rng(1);
        let (ada, bo) = (Person::new(&mut rng), Person::new(&mut rng));
        let context = CallContext {
            call: CallId::new([9; 16]),
            caller: ada.account.id(),
            callee: bo.account.id(),
            protocol: PROTOCOL,
        };
        Self { rng, ada, bo, context, cache: ReplayCache::new(), now: NOW }
    }

    pub(crate) fn offer(&self) -> Offer {
        Offer {
            description: description("offer"),
            commitment: commitment::commit(&nonce_a()),
            abilities: Abilities::default(),
            credentials: self.ada.credentials(),
            tag: None,
        }
    }

    pub(crate) fn seal(&mut self) -> (Outgoing, Blob) {
        let offer = self.offer();
        self.seal_this(&offer).unwrap()
    }

    pub(crate) fn seal_this(&mut self, offer: &Offer) -> Result<(Outgoing, Blob), SealError> {
        let bo = self.bo.verified();
        Outgoing::seal_offer(&mut self.rng, &self.context, &self.ada.prekeys[0], &bo, offer)
    }

    /// Bo's device opens what the server brought, under the server's words in `context`.
    pub(crate) fn open_as(&mut self, context: &CallContext, sealed: &Blob) -> Result<OpenedOffer, SealError> {
        let from = self.ada.device.id();
        let prekeys = &self.bo.prekeys;
        Incoming::open_offer(&mut self.rng, context, prekeys, from, sealed, self.now, &mut self.cache)
    }

    pub(crate) fn open(&mut self, sealed: &Blob) -> Result<OpenedOffer, SealError> {
        let context = self.context;
        self.open_as(&context, sealed)
    }

    /// A finished handshake: Ada's session and Bo's.
    pub(crate) fn connect(&mut self) -> (Session, Session) {
        let (outgoing, sealed) = self.seal();
        let opened = self.open(&sealed).unwrap();
        let (sealed, bo) = opened.incoming.seal_answer(&answer()).unwrap();
        let (_, ada) = outgoing.open_answer(&sealed).unwrap();
        (ada, bo)
    }
}

pub(crate) fn description(text: &str) -> Description {
    Description { sdp: format!("v=0\r\ns={text}\r\n"), fingerprint: [3; 32].into() }
}

pub(crate) fn answer() -> Answer {
    Answer {
        description: description("answer"),
        nonce: nonce_b(),
        abilities: Abilities::default(),
        video: true,
    }
}

pub(crate) fn nonce_a() -> Bytes32 {
    [0xaa; 32].into()
}

pub(crate) fn nonce_b() -> Bytes32 {
    [0xbb; 32].into()
}

/// A statement signed as somebody would who does not use this crate.
pub(crate) fn sign(secret: &[u8; 32], context: &str, statement: &impl Serialize) -> Signed {
    let body = serde_json::to_vec(statement).unwrap();
    let message = [context.as_bytes(), &[0], &body].concat();
    let signature = SigningKey::from_bytes(secret).sign(&message).to_bytes().into();
    Signed { body: Blob(body), signature }
}
