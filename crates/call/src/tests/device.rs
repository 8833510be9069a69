//! Several calls on one device: second callers, busy, replaced calls.

use carillon_wire::frame::{DeclineReason, DeclineScope, EndReason, Media};

use super::*;
use crate::{MediaOn, Outcome, Why};

const FIRST: CallId = call(1);
const SECOND: CallId = call(2);
const THIRD: CallId = call(3);

fn second_caller(me: &mut Device) {
    me.signal(SECOND, Signal::Ring(ring('b')));
}

#[test]
fn during_a_call_a_second_caller_is_a_banner() {
    let mut me = Device::new();
    me.connected(FIRST, Role::Caller);
    me.take();
    second_caller(&mut me);
    assert_eq!(me.phase(SECOND), Phase::Incoming { waiting: true });
    let outputs = me.take();
    assert!(outputs.contains(&(SECOND, Output::Send(Command::Ringing))));
    assert!(outputs.contains(&(SECOND, Output::Ring(Tone::Waiting))));
    assert_eq!(me.phase(FIRST), Phase::Connected);
}

#[test]
fn accepting_the_second_caller_hangs_up_first() {
    let mut me = Device::new();
    me.connected(FIRST, Role::Caller);
    second_caller(&mut me);
    me.take();
    me.user(SECOND, User::Accept { video: false });
    let outputs = me.take();
    let place = |wanted: &Output| outputs.iter().position(|(_, output)| output == wanted).unwrap();
    let closed = place(&Output::Peer(PeerCommand::Close));
    let created = place(&Output::Peer(PeerCommand::Create { role: Role::Callee, media: Media::Video }));
    assert!(closed < created);
    assert_eq!(outputs[1], (FIRST, Output::Send(Command::End { reason: EndReason::HungUp })));
    assert_eq!((me.state(FIRST), me.state(SECOND)), (State::Ended, State::Accepting));
}

#[test]
fn declining_the_second_caller_says_busy() {
    let mut me = Device::new();
    me.connected(FIRST, Role::Caller);
    second_caller(&mut me);
    me.take();
    me.user(SECOND, User::Decline { scope: DeclineScope::Device });
    let (reason, scope) = (DeclineReason::Busy, DeclineScope::Device);
    assert_eq!(me.sent(), [Command::Decline { reason, scope }]);
}

#[test]
fn a_third_caller_finds_this_device_busy_and_is_a_missed_call() {
    let mut me = Device::new();
    me.connected(FIRST, Role::Caller);
    second_caller(&mut me);
    me.take();
    me.signal(THIRD, Signal::Ring(ring('c')));
    let (reason, scope) = (DeclineReason::Busy, DeclineScope::Device);
    let outputs = me.take();
    let [(THIRD, Output::Send(decline)), (THIRD, Output::Record(record))] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!(*decline, Command::Decline { reason, scope });
    assert_eq!(record.outcome, Outcome::Missed);
}

#[test]
fn the_second_caller_rings_in_full_when_the_first_call_ends() {
    let mut me = Device::new();
    me.connected(FIRST, Role::Caller);
    second_caller(&mut me);
    me.take();
    me.signal(FIRST, Signal::Ended { reason: EndReason::HungUp });
    assert_eq!(me.phase(SECOND), Phase::Incoming { waiting: false });
    assert_eq!(me.tones(), [(SECOND, Tone::Stop), (SECOND, Tone::Incoming)]);
}

#[test]
fn a_silenced_second_caller_stays_quiet_when_the_first_call_ends() {
    let mut me = Device::new();
    me.connected(FIRST, Role::Caller);
    second_caller(&mut me);
    me.user(SECOND, User::Silence);
    me.take();
    me.user(FIRST, User::HangUp);
    assert_eq!(me.tones(), []);
}

#[test]
fn while_one_call_rings_another_caller_waits() {
    let mut me = Device::new();
    me.alerting(FIRST);
    second_caller(&mut me);
    assert_eq!(me.phase(SECOND), Phase::Incoming { waiting: true });
    me.wait_secs(60);
    assert_eq!(me.calls.views().count(), 0);
}

#[test]
fn silent_rings_take_nobodys_place() {
    let mut me = Device::new();
    me.signal(FIRST, Signal::Ring(Ring { silent: true, ..ring('a') }));
    second_caller(&mut me);
    assert_eq!(me.phase(SECOND), Phase::Incoming { waiting: false });
}

#[test]
fn a_silent_ring_is_as_busy_as_any_other() {
    let mut me = Device::new();
    me.connected(FIRST, Role::Caller);
    second_caller(&mut me);
    me.take();
    me.signal(THIRD, Signal::Ring(Ring { silent: true, ..ring('c') }));
    let (reason, scope) = (DeclineReason::Busy, DeclineScope::Device);
    assert_eq!(me.sent(), [Command::Decline { reason, scope }]);
}

#[test]
fn dialling_during_a_call_places_nothing() {
    let mut me = Device::new();
    me.connected(FIRST, Role::Caller);
    me.take();
    me.feed(SECOND, dial('b', Media::Audio));
    assert_eq!(me.phase(SECOND), Phase::Ended(Why::InCall));
    let outputs = me.take();
    assert!(matches!(outputs[..], [(SECOND, Output::Show(_))]));
    assert_eq!(me.phase(FIRST), Phase::Connected);
}

#[test]
fn dialling_somebody_who_rings_accepts_their_call() {
    let mut me = Device::new();
    me.alerting(FIRST);
    me.feed(SECOND, dial('a', Media::Audio));
    assert_eq!((me.state(FIRST), me.state(SECOND)), (State::Accepting, State::Ended));
    assert!(!me.view(FIRST).local.video, "with the media that was dialled with");
}

#[test]
fn a_device_that_calls_anew_replaces_the_call_with_it() {
    for role in [Role::Caller, Role::Callee] {
        let mut me = Device::new();
        me.connected(FIRST, role);
        me.user(FIRST, User::SetMedia(MediaOn { audio: false, video: true, screen: true }));
        me.wait_secs(30);
        me.take();
        me.signal(SECOND, Signal::Ring(ring('a')));
        assert_eq!(me.phase(FIRST), Phase::Ended(Why::Replaced));
        assert_eq!(me.phase(SECOND), Phase::Connecting);
        assert_eq!(me.view(SECOND).local, MediaOn { audio: false, video: true, screen: false });
        let outputs = me.take();
        assert!(outputs.contains(&(FIRST, Output::Send(Command::End { reason: EndReason::Replaced }))));
        assert!(!outputs.iter().any(|(_, output)| matches!(output, Output::Ring(_))), "it does not ring");
    }
}

#[test]
fn another_device_of_the_same_account_does_not_replace_the_call() {
    let mut me = Device::new();
    me.connected(FIRST, Role::Caller);
    me.wait_secs(30);
    let other = device('a', 2);
    me.signal(SECOND, Signal::Ring(Ring { device: other, description: description(other), ..ring('a') }));
    assert_eq!(me.phase(FIRST), Phase::Connected);
    assert_eq!(me.phase(SECOND), Phase::Incoming { waiting: true });
}

#[test]
fn an_older_ring_of_the_same_device_is_old_news() {
    let mut me = Device::new();
    me.connected(FIRST, Role::Callee);
    me.wait_secs(30);
    me.take();
    me.signal(SECOND, Signal::Ring(Ring { age: Millis::from_secs(31), ..ring('a') }));
    assert_eq!(me.take(), []);
}

#[test]
fn a_ring_from_before_the_accept_waits_instead_of_replacing() {
    let mut me = Device::new();
    me.ringing(FIRST);
    me.wait_secs(10);
    me.signal(FIRST, accepted(ADA));
    me.signal(SECOND, Signal::Ring(Ring { age: Millis::from_secs(5), ..ring('a') }));
    assert_eq!(me.state(FIRST), State::Connecting);
    assert_eq!(me.phase(SECOND), Phase::Incoming { waiting: true });
}

#[test]
fn calling_again_while_it_rings_takes_the_place_of_the_first_ring() {
    let mut me = Device::new();
    me.alerting(FIRST);
    me.wait_secs(1);
    me.take();
    me.signal(SECOND, Signal::Ring(ring('a')));
    assert_eq!(me.phase(FIRST), Phase::Ended(Why::Replaced));
    assert_eq!(me.phase(SECOND), Phase::Incoming { waiting: false });
    assert_eq!(me.records(), [], "the new call tells the story");
}

#[test]
fn a_flood_of_silent_rings_is_bounded() {
    let mut me = Device::new();
    for number in 0..100 {
        me.signal(
            call(number),
            Signal::Ring(Ring { silent: true, device: device('a', number), ..ring('a') }),
        );
    }
    let ringing = me.sent().into_iter().filter(|command| *command == Command::Ringing).count();
    assert_eq!(ringing, 16);
}

#[test]
fn a_call_that_is_over_is_forgotten_in_the_end() {
    let mut me = Device::new();
    me.alerting(FIRST);
    me.user(FIRST, User::HangUp);
    me.wait_secs(239);
    assert!(me.calls.get(FIRST).is_some());
    me.wait_secs(1);
    assert!(me.calls.get(FIRST).is_none());
    assert_eq!(me.calls.poll_timeout(), None);
}

#[test]
fn everything_shown_can_be_asked_for_at_any_time() {
    let mut me = Device::new();
    me.connected(FIRST, Role::Caller);
    second_caller(&mut me);
    let views: Vec<_> = me.calls.views().map(|view| (view.call, view.phase)).collect();
    assert_eq!(views, [(FIRST, Phase::Connected), (SECOND, Phase::Incoming { waiting: true })]);
}

#[test]
fn a_ring_that_comes_after_its_end_does_not_ring() {
    for signal in [
        Signal::Ended { reason: EndReason::Cancelled },
        Signal::Taken { kind: carillon_wire::frame::TakenKind::Answered },
    ] {
        let mut me = Device::new();
        me.signal(FIRST, signal);
        me.alerting(FIRST);
        assert_eq!(me.take(), []);
    }
}
