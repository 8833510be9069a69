//! Pins: a handle that changes its account is noticed.

use carillon_e2e::pins::{Pin, PinError};
use carillon_e2e::{AccountKey, PinOutcome, PinStore};
use carillon_wire::{Handle, UnixMillis};

use crate::fixture::{NOW, rng};

struct Seen {
    pins: PinStore,
    ada: Handle,
    first: AccountKey,
    second: AccountKey,
}

impl Seen {
    /// Ada's handle was seen once, with her first account.
    fn once() -> Self {
        let mut rng = rng(1);
        let (first, second) = (AccountKey::generate(&mut rng), AccountKey::generate(&mut rng));
        let mut seen = Self { pins: PinStore::new(), ada: Handle::parse("ada").unwrap(), first, second };
        assert_eq!(seen.observe(1, NOW), PinOutcome::New);
        seen
    }

    fn observe(&mut self, which: u8, now: UnixMillis) -> PinOutcome {
        let key = if which == 1 { &self.first } else { &self.second };
        self.pins.observe(&self.ada, key.id(), &key.public(), now).unwrap()
    }

    fn changed(&self, was_verified: bool) -> PinOutcome {
        PinOutcome::Changed { pinned: self.first.id(), was_verified }
    }
}

#[test]
fn the_first_account_of_a_handle_is_pinned() {
    let mut seen = Seen::once();
    assert_eq!(seen.observe(1, UnixMillis(NOW.0 + 1)), PinOutcome::Same { verified: false });
    let pin = seen.pins.get(&seen.ada).unwrap();
    assert_eq!((pin.account, pin.account_key, pin.first_seen), (seen.first.id(), seen.first.public(), NOW));
    assert!(seen.pins.is_trusted(&seen.ada, seen.first.id()));
}

#[test]
fn another_account_is_a_change_until_the_person_confirms() {
    let mut seen = Seen::once();
    for _ in 0..2 {
        assert_eq!(seen.observe(2, NOW), seen.changed(false));
        assert!(!seen.pins.is_trusted(&seen.ada, seen.first.id()));
        assert!(!seen.pins.is_trusted(&seen.ada, seen.second.id()));
    }
    seen.pins.confirm_change(&seen.ada, seen.second.id()).unwrap();
    assert_eq!(seen.observe(2, NOW), PinOutcome::Same { verified: false });
    assert!(seen.pins.is_trusted(&seen.ada, seen.second.id()));
}

#[test]
fn a_change_says_whether_the_account_before_was_verified_and_takes_that_away() {
    let mut seen = Seen::once();
    seen.pins.mark_verified(&seen.ada, seen.first.id()).unwrap();
    assert_eq!(seen.observe(1, NOW), PinOutcome::Same { verified: true });
    assert_eq!(seen.observe(2, NOW), seen.changed(true));
    assert!(!seen.pins.confirm_change(&seen.ada, seen.second.id()).unwrap().verified);
}

#[test]
fn a_handle_that_points_back_to_its_account_is_the_same_again() {
    let mut seen = Seen::once();
    seen.observe(2, NOW);
    assert_eq!(seen.observe(1, NOW), PinOutcome::Same { verified: false });
    assert!(seen.pins.is_trusted(&seen.ada, seen.first.id()));
}

#[test]
fn only_the_account_that_was_shown_can_be_confirmed() {
    let mut seen = Seen::once();
    let (first, second) = (seen.first.id(), seen.second.id());
    assert_eq!(seen.pins.confirm_change(&seen.ada, second), Err(PinError::OtherAccount));
    seen.observe(2, NOW);
    assert_eq!(seen.pins.confirm_change(&seen.ada, first), Err(PinError::OtherAccount));
    let third = AccountKey::generate(&mut rng(3));
    seen.pins.observe(&seen.ada, third.id(), &third.public(), NOW).unwrap();
    assert_eq!(seen.pins.confirm_change(&seen.ada, second), Err(PinError::OtherAccount));
    assert!(seen.pins.confirm_change(&seen.ada, third.id()).is_ok());
}

#[test]
fn a_second_key_for_an_account_is_refused_and_pins_nothing() {
    let mut seen = Seen::once();
    let before = seen.pins.clone();
    let refused = seen.pins.observe(&seen.ada, seen.first.id(), &seen.second.public(), NOW);
    assert_eq!(refused, Err(PinError::OtherKey));
    assert_eq!(seen.pins, before);
}

#[test]
fn only_the_pinned_account_can_be_verified() {
    let mut seen = Seen::once();
    assert_eq!(seen.pins.mark_verified(&seen.ada, seen.second.id()), Err(PinError::OtherAccount));
    let nobody = Handle::parse("nobody").unwrap();
    assert_eq!(seen.pins.mark_verified(&nobody, seen.first.id()), Err(PinError::Unknown));
}

#[test]
fn pins_survive_being_kept() {
    let mut seen = Seen::once();
    seen.observe(2, NOW);
    let rows: Vec<String> = seen.pins.pins().map(|pin| serde_json::to_string(pin).unwrap()).collect();
    let read = rows.iter().map(|row| serde_json::from_str::<Pin>(row).unwrap());
    assert_eq!(PinStore::from_pins(read), seen.pins);
}

#[test]
fn debug_shows_no_handle() {
    let seen = Seen::once();
    assert!(!format!("{:?}", seen.pins).contains("ada"));
}
