//! Both ends of a call, without a server: what one seals the other opens, and nothing else.

use carillon_e2e::{ReplayCache, verify_certificate};
use carillon_wire::{CallId, Handle, PROTOCOL};

use super::*;
use crate::dto::Trust;
use crate::identity::Identity;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

struct Person(Identity);

/// A call between two people as it stands after the Offer was opened.
struct Scene {
    caller: Person,
    callee: Person,
    out: Ongoing,
    inc: Ongoing,
}

impl Person {
    fn new() -> Self {
        Self(Identity::new_account(NOW).unwrap())
    }

    fn devices(&self) -> Devices {
        let device = verify_certificate(&self.0.account_key(), &self.0.certificate(), NOW).unwrap();
        Devices { current: vec![device], expired: Vec::new() }
    }

    fn introduction(&self) -> Introduction {
        let (prekey, certificate) = self.0.sealing_keys();
        let credentials = Credentials { account_key: self.0.account_key(), certificate, badge: None };
        Introduction { prekey, credentials }
    }

    fn party(&self) -> Party {
        Party {
            account: self.0.account(),
            handle: Handle::parse("somebody").unwrap(),
            name: String::new(),
            verified: false,
            trust: Trust::New,
        }
    }
}

fn context(caller: &Person, callee: &Person) -> CallContext {
    CallContext {
        call: CallId::new([1; 16]),
        caller: caller.0.account(),
        callee: callee.0.account(),
        protocol: PROTOCOL,
    }
}

fn description(byte: u8) -> Description {
    Description { sdp: "v=0\r\n".to_owned(), fingerprint: [byte; 32].into() }
}

fn placing(nonce: &Bytes32) -> Placing {
    Placing {
        media: Media::Audio,
        expires_in: Millis::from_secs(60),
        description: description(1),
        commitment: commitment::commit(nonce),
    }
}

fn boxes(frame: ClientFrame) -> Vec<BoxFor> {
    match frame {
        ClientFrame::Create { boxes, .. } => boxes,
        other => panic!("{other:?}"),
    }
}

impl Scene {
    fn new() -> Self {
        let (caller, callee) = (Person::new(), Person::new());
        let context = context(&caller, &callee);
        let nonce = commitment::nonce(&mut rand::rng());
        let devices = callee.devices();
        let mut out = Ongoing::outgoing(context, callee.party(), devices.clone(), nonce, NOW);
        let frame = out.seal_create(&devices, caller.introduction(), placing(&nonce)).unwrap();
        let opened = Incoming::open_offer(
            &mut rand::rng(),
            &context,
            &callee.0.opening_keys(NOW),
            caller.0.device(),
            &boxes(frame)[0].sealed,
            NOW,
            &mut ReplayCache::new(),
        );
        let inc = Ongoing::incoming(context, caller.party(), opened.unwrap(), [0; 32].into(), NOW);
        Self { caller, callee, out, inc }
    }

    fn accept(&mut self) -> ClientFrame {
        self.inc.seal_accept(description(2), [7; 32].into(), false).unwrap()
    }

    fn accepted(&mut self) -> Signal {
        let ClientFrame::Accept { sealed, .. } = self.accept() else { panic!("no accept") };
        self.out.open_accepted(self.callee.0.device(), &sealed).unwrap()
    }

    fn nonce(&self) -> Bytes32 {
        match &self.out.side {
            Side::Caller(caller) => caller.nonce,
            Side::Callee(_) => panic!("the caller"),
        }
    }

    /// Relays a payload from the caller.
    fn relay(&mut self, payload: &Payload) -> Vec<Signal> {
        let frame = self.out.seal_relay(self.callee.0.device(), payload).unwrap();
        let ClientFrame::Relay { seq, sealed, .. } = frame else { panic!("no relay") };
        self.inc.open_relay(self.caller.0.device(), seq, &sealed)
    }
}

#[test]
fn both_ends_see_the_same_emoji_once_the_callers_nonce_is_revealed() {
    let mut scene = Scene::new();
    let accepted = scene.accepted();
    let expected =
        Signal::Accepted { device: scene.callee.0.device(), description: description(2), video: false };
    assert_eq!(accepted, expected);
    assert!(scene.out.emoji.is_some());
    assert!(scene.inc.emoji.is_none());

    let nonce = scene.nonce();
    let signals = scene.relay(&Payload::Confirm { nonce });
    let from_device = scene.caller.0.device();
    assert_eq!(signals.len(), 2);
    assert_eq!(signals[1], Signal::ConfirmChecked { from_device, valid: true });
    assert_eq!(scene.inc.emoji, scene.out.emoji);
}

#[test]
fn another_nonce_than_the_one_committed_to_is_noticed() {
    let mut scene = Scene::new();
    scene.accepted();
    let signals = scene.relay(&Payload::Confirm { nonce: [3; 32].into() });
    let from_device = scene.caller.0.device();
    assert_eq!(signals[1], Signal::ConfirmChecked { from_device, valid: false });
    assert!(scene.inc.emoji.is_none());
}

#[test]
fn an_accept_that_is_repeated_is_the_very_same_frame() {
    let mut scene = Scene::new();
    let first = scene.accept();
    assert_eq!(scene.accept(), first);
}

#[test]
fn an_answer_that_was_edited_or_is_another_devices_ends_the_call() {
    let mut scene = Scene::new();
    let ClientFrame::Accept { mut sealed, .. } = scene.accept() else { panic!("no accept") };
    sealed.0[40] ^= 1;
    let device = scene.callee.0.device();
    assert_eq!(scene.out.open_accepted(device, &sealed), Some(Signal::BadAnswer));

    let mut scene = Scene::new();
    let ClientFrame::Accept { sealed, .. } = scene.accept() else { panic!("no accept") };
    let stranger = DeviceId::new([9; 16]);
    assert_eq!(scene.out.open_accepted(stranger, &sealed), Some(Signal::BadAnswer));
}

#[test]
fn a_second_winner_is_not_heard() {
    let mut scene = Scene::new();
    scene.accepted();
    let garbage = Blob(vec![0; 600]);
    assert_eq!(scene.out.open_accepted(scene.callee.0.device(), &garbage), None);
    assert_eq!(scene.out.open_accepted(DeviceId::new([9; 16]), &garbage), None);
}

#[test]
fn a_relay_that_comes_twice_or_from_elsewhere_is_dropped() {
    let mut scene = Scene::new();
    scene.accepted();
    let payload = Payload::HangUp { reason: carillon_wire::payload::HangUpReason::HungUp };
    let frame = scene.out.seal_relay(scene.callee.0.device(), &payload).unwrap();
    let ClientFrame::Relay { seq, sealed, .. } = frame else { panic!("no relay") };
    let from = scene.caller.0.device();
    assert_eq!(scene.inc.open_relay(DeviceId::new([9; 16]), seq, &sealed), []);
    assert_eq!(scene.inc.open_relay(from, seq + 1, &sealed), []);
    assert_eq!(scene.inc.open_relay(from, seq, &sealed).len(), 1);
    assert_eq!(scene.inc.open_relay(from, seq, &sealed), []);
}

#[test]
fn a_device_that_was_away_too_long_gets_a_box_that_looks_like_the_others() {
    let (caller, callee) = (Person::new(), Person::new());
    let nonce = [1; 32].into();
    let away = DeviceId::new([8; 16]);
    let devices = Devices { expired: vec![away], ..callee.devices() };
    let context = context(&caller, &callee);
    let mut out = Ongoing::outgoing(context, callee.party(), devices.clone(), nonce, NOW);
    let boxes = boxes(out.seal_create(&devices, caller.introduction(), placing(&nonce)).unwrap());
    assert_eq!(boxes.iter().map(|sealed| sealed.device).collect::<Vec<_>>(), [callee.0.device(), away]);
    assert_eq!(boxes[0].sealed.len(), boxes[1].sealed.len());
}

#[test]
fn nothing_is_sealed_for_another_account_than_the_one_called() {
    let (caller, callee, mallory) = (Person::new(), Person::new(), Person::new());
    let nonce = [1; 32].into();
    let context = context(&caller, &callee);
    let mut out = Ongoing::outgoing(context, callee.party(), Devices::default(), nonce, NOW);
    let sealed = out.seal_create(&mallory.devices(), caller.introduction(), placing(&nonce));
    assert!(sealed.unwrap_err().is_local(LocalCode::KeysInvalid));
}

#[test]
fn after_stale_devices_everything_is_sealed_anew() {
    let mut scene = Scene::new();
    let first = scene.out.sent_create().unwrap();
    scene.out.forget_create();
    assert_eq!(scene.out.sent_create(), None);
    let devices = scene.callee.devices();
    let nonce = scene.nonce();
    let second = scene.out.seal_create(&devices, scene.caller.introduction(), placing(&nonce)).unwrap();
    assert_ne!(first, second);
    assert_eq!(scene.out.sent_create(), Some(second));
}
