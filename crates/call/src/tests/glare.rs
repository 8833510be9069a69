//! Two people who call each other at once.

use carillon_wire::frame::{EndReason, Media, RefusedReason};

use super::*;
use crate::{Alert, Why};

const LOW: CallId = call(1);
const HIGH: CallId = call(9);

#[test]
fn glare_lower_id_wins() {
    let mut me = Device::new();
    me.ringing(LOW);
    me.take();
    me.signal(HIGH, Signal::Ring(ring('a')));
    assert_eq!(me.state(LOW), State::Ringing);
    assert_eq!(
        me.take(),
        [(HIGH, Output::Send(Command::Ringing))],
        "theirs is kept back, unseen and unheard"
    );
    me.signal(LOW, accepted(ADA));
    assert_eq!(me.state(HIGH), State::Ended);
    assert_eq!(me.records(), []);
}

#[test]
fn glare_higher_id_cancels_and_accepts_by_itself() {
    let mut me = Device::new();
    me.feed(HIGH, dial('a', Media::Audio));
    me.transport(HIGH, described(0));
    me.signal(HIGH, Signal::Created { expires_in: Millis::from_secs(60) });
    me.take();
    me.signal(LOW, Signal::Ring(ring('a')));
    assert_eq!(me.phase(HIGH), Phase::Ended(Why::Glare));
    assert_eq!(me.phase(LOW), Phase::Connecting);
    assert!(!me.view(LOW).local.video, "with the media that was dialled with");
    let outputs = me.take();
    assert_eq!(outputs[0], (HIGH, Output::Send(Command::Cancel)));
    assert!(
        !outputs.iter().any(|(_, output)| matches!(output, Output::Ring(Tone::Incoming) | Output::Record(_)))
    );
    me.transport(LOW, described(0));
    assert!(matches!(me.sent()[..], [Command::Accept { .. }]));
}

#[test]
fn glare_before_the_offer_left_needs_no_cancel() {
    let mut me = Device::new();
    me.feed(HIGH, dial('a', Media::Audio));
    me.signal(LOW, Signal::Ring(ring('a')));
    assert!(me.sent().is_empty());
    assert_eq!(me.state(LOW), State::Accepting);
}

#[test]
fn glare_equal_ids_end_both() {
    let mut me = Device::new();
    me.ringing(LOW);
    me.take();
    me.signal(LOW, Signal::Ring(ring('a')));
    assert_eq!(me.phase(LOW), Phase::Ended(Why::Glare));
    assert_eq!(me.sent(), [Command::Cancel]);
    me.signal(LOW, accepted(ADA));
    assert_eq!(me.sent(), [Command::End { reason: EndReason::HungUp }]);
}

#[test]
fn glare_with_another_device_of_theirs_is_glare() {
    let mut me = Device::new();
    me.ringing(HIGH);
    let other = device('a', 2);
    me.signal(LOW, Signal::Ring(Ring { device: other, description: description(other), ..ring('a') }));
    assert_eq!((me.state(HIGH), me.state(LOW)), (State::Ended, State::Accepting));
}

#[test]
fn a_call_kept_back_rings_when_the_own_one_is_refused() {
    let mut me = Device::new();
    me.offering(LOW);
    me.signal(HIGH, Signal::Ring(ring('a')));
    me.take();
    me.signal(LOW, Signal::Refused { reason: RefusedReason::Unavailable });
    assert_eq!(me.phase(HIGH), Phase::Incoming { waiting: false });
    assert_eq!(me.tones(), [(HIGH, Tone::Incoming)]);
}

#[test]
fn a_call_kept_back_that_its_caller_cancels_leaves_no_trace_on_the_screen() {
    let mut me = Device::new();
    me.ringing(LOW);
    me.signal(HIGH, Signal::Ring(ring('a')));
    me.take();
    me.signal(HIGH, Signal::Ended { reason: EndReason::Cancelled });
    assert!(!me.take().iter().any(|(_, output)| matches!(output, Output::Show(_) | Output::Record(_))));
    assert_eq!(me.state(LOW), State::Ringing);
}

#[test]
fn somebody_dialled_is_not_kept_silent() {
    let mut me = Device::new();
    me.ringing(LOW);
    me.signal(HIGH, Signal::Ring(Ring { silent: true, ..ring('a') }));
    assert_eq!(me.calls.get(HIGH).map(crate::Call::alert_kind), Some(Alert::Held));
}

#[test]
fn a_ring_of_somebody_else_is_no_glare() {
    let mut me = Device::new();
    me.ringing(HIGH);
    me.signal(LOW, Signal::Ring(ring('b')));
    assert_eq!(me.state(HIGH), State::Ringing);
    assert_eq!(me.phase(LOW), Phase::Incoming { waiting: true });
}
