//! The callee's side until it is settled who has the call.

use carillon_wire::Code;
use carillon_wire::frame::{DeclineReason, DeclineScope, EndReason, Media, TakenKind};
use carillon_wire::payload::{Payload, SdpKind};

use super::*;
use crate::{Direction, Outcome, Why};

const C: CallId = call(1);

#[test]
fn a_ring_is_shown_heard_and_confirmed() {
    let mut me = Device::new();
    me.alerting(C);
    let outputs: Vec<_> = me.take().into_iter().map(|(_, output)| output).collect();
    let [Output::Send(Command::Ringing), Output::Ring(Tone::Incoming), Output::Show(view)] = &outputs[..]
    else {
        panic!("{outputs:?}");
    };
    assert_eq!((view.phase, view.direction), (Phase::Incoming { waiting: false }, Direction::Incoming));
    assert_eq!((view.account, view.device), (account('a'), Some(ADA)));
}

#[test]
fn a_repeated_ring_changes_nothing() {
    let mut me = Device::new();
    me.alerting(C);
    me.take();
    me.alerting(C);
    assert_eq!(me.take(), []);
}

#[test]
fn a_silent_ring_is_answered_on_the_wire_and_shows_nothing() {
    let mut me = Device::new();
    me.signal(C, Signal::Ring(Ring { silent: true, ..ring('a') }));
    assert_eq!(me.take(), [(C, Output::Send(Command::Ringing))]);
    assert_eq!(me.calls.views().count(), 0);
    me.signal(C, Signal::Ended { reason: EndReason::Cancelled });
    let outputs = me.take();
    assert!(matches!(
        &outputs[..],
        [(_, Output::Record(Record { outcome: Outcome::Filtered, why: Why::Cancelled, .. }))]
    ));
}

#[test]
fn silence_stops_the_tone_and_the_call_can_still_be_accepted() {
    let mut me = Device::new();
    me.alerting(C);
    me.user(C, User::Silence);
    assert_eq!(me.tones(), [(C, Tone::Incoming), (C, Tone::Stop)]);
    me.user(C, User::Accept { video: false });
    assert_eq!(me.state(C), State::Accepting);
    assert_eq!(me.tones(), []);
}

#[test]
fn the_peer_connection_is_made_only_at_accept() {
    let mut me = Device::new();
    me.alerting(C);
    assert_eq!(me.peer(), [], "gathering would show this machine's address");
    me.user(C, User::Accept { video: true });
    let create = PeerCommand::Create { role: Role::Callee, media: Media::Video };
    let offer =
        PeerCommand::ApplyRemote { generation: 0, kind: SdpKind::Offer, description: description(ADA) };
    assert_eq!(me.peer(), [create, offer]);
}

#[test]
fn accept_leaves_when_the_answer_is_ready_and_again_every_5_seconds() {
    let mut me = Device::new();
    me.alerting(C);
    me.take();
    me.user(C, User::Accept { video: false });
    assert_eq!(me.tones(), [(C, Tone::Stop)]);
    me.transport(C, described(0));
    let accept = Command::Accept { description: description(ME), nonce: nonce(3), video: false };
    assert_eq!(me.sent(), std::slice::from_ref(&accept));
    me.wait_secs(5);
    assert_eq!(me.sent(), std::slice::from_ref(&accept));
    me.wait_secs(5);
    assert_eq!(me.sent(), [accept]);
    assert_eq!(me.state(C), State::Accepting);
}

#[test]
fn an_accept_sent_again_says_the_same_although_the_camera_was_switched() {
    let mut me = Device::new();
    me.accepting(C);
    let first = me.sent().pop();
    me.user(C, User::SetMedia(crate::MediaOn::start(false)));
    me.network(Network::Lost);
    assert_eq!(me.sent().pop(), first);
}

#[test]
fn the_servers_word_connects() {
    let mut me = Device::new();
    me.accepting(C);
    me.signal(C, Signal::AcceptConfirmed);
    assert_eq!(me.state(C), State::Connecting);
}

#[test]
fn the_callers_payload_proves_the_accept_when_the_reply_is_lost() {
    let mut me = Device::new();
    me.accepting(C);
    me.signal(C, relayed(Payload::Confirm { nonce: nonce(1) }));
    assert_eq!(me.state(C), State::Connecting);
}

#[test]
fn a_payload_of_another_device_proves_nothing() {
    let mut me = Device::new();
    me.accepting(C);
    let payload = Payload::Confirm { nonce: nonce(1) };
    me.signal(C, Signal::Payload { from_device: device('a', 2), payload });
    assert_eq!(me.state(C), State::Accepting);
}

#[test]
fn a_confirmation_before_the_accept_is_out_is_not_believed() {
    let mut me = Device::new();
    me.alerting(C);
    me.user(C, User::Accept { video: true });
    me.signal(C, Signal::AcceptConfirmed);
    assert_eq!(me.state(C), State::Accepting);
}

#[test]
fn no_candidate_leaves_before_the_accept_is_confirmed() {
    let mut me = Device::new();
    me.accepting(C);
    me.transport(C, candidate(0));
    assert!(!me.sent().iter().any(|command| matches!(command, Command::Relay { .. })));
    me.signal(C, Signal::AcceptConfirmed);
    assert!(matches!(me.sent()[..], [Command::Relay { payload: Payload::Candidates { .. }, .. }]));
}

#[test]
fn another_device_answers() {
    for accepting in [false, true] {
        let mut me = Device::new();
        if accepting {
            me.accepting(C)
        } else {
            me.alerting(C)
        }
        me.take();
        me.signal(C, Signal::Taken { kind: TakenKind::Answered });
        assert_eq!(me.phase(C), Phase::Ended(Why::AnsweredElsewhere));
        assert_eq!(me.records().first().map(|record| record.outcome), Some(Outcome::AnsweredElsewhere));
    }
}

#[test]
fn another_device_declines_for_all() {
    let mut me = Device::new();
    me.alerting(C);
    me.take();
    me.signal(C, Signal::Taken { kind: TakenKind::Declined });
    let outputs = me.take();
    assert!(outputs.contains(&(C, Output::Ring(Tone::Stop))));
    assert_eq!(me.phase(C), Phase::Ended(Why::DeclinedElsewhere));
}

#[test]
fn the_caller_gives_up_and_it_is_a_missed_call() {
    let mut me = Device::new();
    me.alerting(C);
    me.wait_secs(7);
    me.take();
    me.signal(C, Signal::Ended { reason: EndReason::Cancelled });
    let [record] = &me.records()[..] else { panic!("one record") };
    assert_eq!((record.outcome, record.why), (Outcome::Missed, Why::Cancelled));
    assert_eq!(record.began, Duration::from_secs(7));
}

#[test]
fn the_record_counts_from_when_it_was_placed() {
    let mut me = Device::new();
    me.signal(C, Signal::Ring(Ring { age: Millis::from_secs(20), ..ring('a') }));
    me.signal(C, Signal::Ended { reason: EndReason::Cancelled });
    assert_eq!(me.records().first().map(|record| record.began), Some(Duration::from_secs(20)));
}

#[test]
fn it_stops_ringing_by_itself_when_the_ring_is_over() {
    let mut me = Device::new();
    let expires_in = Millis::from_secs(30);
    me.signal(C, Signal::Ring(Ring { age: Millis::from_secs(30), expires_in, ..ring('a') }));
    me.take();
    me.wait_secs(30);
    assert_eq!(me.phase(C), Phase::Ended(Why::NoAnswer));
    assert_eq!(me.sent(), [], "the server knows");
}

#[test]
fn a_ring_that_comes_too_late_is_over_at_once() {
    let mut me = Device::new();
    me.signal(C, Signal::Ring(Ring { age: Millis(u64::MAX), expires_in: Millis(0), ..ring('a') }));
    me.wait_secs(0);
    assert_eq!(me.state(C), State::Ended);
}

#[test]
fn a_late_ring_of_a_call_that_is_over_is_ignored() {
    let mut me = Device::new();
    me.alerting(C);
    me.signal(C, Signal::Ended { reason: EndReason::Cancelled });
    me.wait_secs(100);
    me.take();
    me.alerting(C);
    assert_eq!(me.take(), []);
}

#[test]
fn declining_goes_out_with_its_scope() {
    for scope in [DeclineScope::Device, DeclineScope::All] {
        let mut me = Device::new();
        me.alerting(C);
        me.take();
        me.user(C, User::Decline { scope });
        assert_eq!(me.sent(), [Command::Decline { reason: DeclineReason::Declined, scope }]);
        assert_eq!(me.phase(C), Phase::Ended(Why::Declined));
    }
}

#[test]
fn hanging_up_a_ring_declines_it_for_all() {
    let mut me = Device::new();
    me.alerting(C);
    me.take();
    me.user(C, User::HangUp);
    let (reason, scope) = (DeclineReason::Declined, DeclineScope::All);
    assert_eq!(me.sent(), [Command::Decline { reason, scope }]);
}

#[test]
fn hanging_up_while_accepting_counts_whether_or_not_the_accept_arrived() {
    let mut me = Device::new();
    me.accepting(C);
    me.take();
    me.user(C, User::HangUp);
    let (reason, scope) = (DeclineReason::Declined, DeclineScope::All);
    assert_eq!(me.sent(), [Command::End { reason: EndReason::HungUp }, Command::Decline { reason, scope }]);
}

#[test]
fn an_answer_that_never_gets_ready_leaves_the_call_to_the_other_devices() {
    let mut me = Device::new();
    me.alerting(C);
    me.user(C, User::Accept { video: true });
    me.take();
    me.wait_secs(10);
    assert_eq!(me.phase(C), Phase::Ended(Why::Transport));
    let (reason, scope) = (DeclineReason::Declined, DeclineScope::Device);
    assert_eq!(me.sent(), [Command::Decline { reason, scope }]);
}

#[test]
fn an_accept_that_is_never_confirmed_ends_after_the_ring() {
    let mut me = Device::new();
    me.accepting(C);
    me.network(Network::Offline);
    me.wait_secs(74);
    assert_eq!(me.state(C), State::Accepting);
    me.wait_secs(1);
    assert_eq!(me.phase(C), Phase::Ended(Why::NoServer));
}

#[test]
fn a_fault_of_the_moment_does_not_end_an_accept_a_lost_ring_does() {
    let mut me = Device::new();
    me.accepting(C);
    me.signal(C, Signal::Failed { code: Code::StorageFull });
    assert_eq!(me.state(C), State::Accepting);
    me.signal(C, Signal::Failed { code: Code::CallUnknown });
    assert_eq!(me.phase(C), Phase::Ended(Why::Over));
}

#[test]
fn a_fault_that_stays_ends_an_accept_on_this_device() {
    let mut me = Device::new();
    me.accepting(C);
    me.take();
    me.signal(C, Signal::Failed { code: Code::TooLarge });
    let (reason, scope) = (DeclineReason::Declined, DeclineScope::Device);
    assert_eq!(me.sent(), [Command::Decline { reason, scope }]);
    assert_eq!(me.phase(C), Phase::Ended(Why::Failed(Code::TooLarge)));
}

#[test]
fn after_lost_messages_ringing_goes_out_again_and_an_unknown_call_stops() {
    let mut me = Device::new();
    me.alerting(C);
    me.take();
    me.network(Network::Lost);
    assert_eq!(me.sent(), [Command::Ringing]);
    me.signal(C, Signal::Failed { code: Code::CallUnknown });
    assert_eq!(me.phase(C), Phase::Ended(Why::Over));
}
