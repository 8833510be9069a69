//! From the accept until both can be heard: who is at the other end?

use carillon_wire::frame::EndReason;
use carillon_wire::payload::{HangUpReason, MediaState, Payload};

use super::*;
use crate::{MediaOn, Outcome, Side, Why};

const C: CallId = call(1);
const BOTH: [Role; 2] = [Role::Caller, Role::Callee];

fn confirm(valid: bool) -> Signal {
    Signal::ConfirmChecked { from_device: ADA, valid }
}

#[test]
fn the_caller_is_connected_when_dtls_shows_the_right_certificate() {
    let mut me = Device::new();
    me.connecting(C, Role::Caller);
    me.transport(C, Transport::IceUp);
    assert_eq!(me.phase(C), Phase::Connecting);
    me.transport(C, dtls(ADA));
    assert_eq!(me.phase(C), Phase::Connected);
    assert_eq!(me.view(C).connected_since, Some(me.now));
    assert!(me.view(C).safety_ready);
}

#[test]
fn the_callee_needs_the_confirmation_as_well_in_either_order() {
    for confirm_first in [false, true] {
        let mut me = Device::new();
        me.connecting(C, Role::Callee);
        if confirm_first {
            me.signal(C, confirm(true))
        } else {
            me.transport(C, dtls(ADA))
        }
        assert_eq!(me.state(C), State::Connecting);
        if confirm_first {
            me.transport(C, dtls(ADA))
        } else {
            me.signal(C, confirm(true))
        }
        assert_eq!(me.state(C), State::Connected);
    }
}

#[test]
fn dtls_that_comes_up_before_the_accept_is_confirmed_counts() {
    let mut me = Device::new();
    me.accepting(C);
    me.transport(C, dtls(ADA));
    me.signal(C, confirm(true));
    assert_eq!(me.state(C), State::Connected);
}

#[test]
fn another_certificate_closes_before_anything_is_said() {
    for role in BOTH {
        let mut me = Device::new();
        me.connecting(C, role);
        me.take();
        me.transport(C, dtls(device('x', 1)));
        let outputs: Vec<_> = me.take().into_iter().map(|(_, output)| output).collect();
        let payload = Payload::HangUp { reason: HangUpReason::Security };
        assert_eq!(
            outputs[..3],
            [
                Output::Peer(PeerCommand::Close),
                Output::Send(Command::Relay { to_device: ADA, payload }),
                Output::Send(Command::End { reason: EndReason::Security }),
            ]
        );
        assert_eq!(me.phase(C), Phase::Ended(Why::Security));
    }
}

#[test]
fn another_certificate_later_ends_the_call_as_well() {
    let mut me = Device::new();
    me.connected(C, Role::Caller);
    me.transport(C, dtls(device('x', 1)));
    assert_eq!(me.phase(C), Phase::Ended(Why::Security));
}

#[test]
fn a_nonce_that_was_not_committed_to_ends_for_security() {
    let mut me = Device::new();
    me.connecting(C, Role::Callee);
    me.transport(C, dtls(ADA));
    me.signal(C, confirm(false));
    assert_eq!(me.phase(C), Phase::Ended(Why::Security));
    assert_eq!(me.records().last().map(|record| record.outcome), Some(Outcome::Failed));
}

#[test]
fn no_path_for_20_seconds_is_no_route() {
    for role in BOTH {
        let mut me = Device::new();
        me.connecting(C, role);
        me.transport(C, Transport::IceFailed);
        me.take();
        me.wait(Duration::from_millis(19_999));
        assert_eq!(me.state(C), State::Connecting);
        me.wait(Duration::from_millis(1));
        let outputs = me.take();
        assert!(outputs.contains(&(C, Output::Send(Command::End { reason: EndReason::NoRoute }))));
        assert_eq!(me.phase(C), Phase::Ended(Why::NoRoute));
    }
}

#[test]
fn candidates_of_the_other_side_are_added() {
    let mut me = Device::new();
    me.connecting(C, Role::Caller);
    me.take();
    let candidates = vec!["candidate:2".to_owned()];
    let payload = Payload::Candidates { generation: 0, candidates: candidates.clone(), last: true };
    me.signal(C, relayed(payload.clone()));
    assert_eq!(me.peer(), [PeerCommand::AddCandidates { generation: 0, candidates, last: true }]);
    me.signal(C, Signal::Payload { from_device: device('a', 2), payload });
    assert_eq!(me.peer(), [], "another device of the callee has no part in this");
}

#[test]
fn data_before_dtls_is_checked_is_nobodys_word() {
    let mut me = Device::new();
    me.connecting(C, Role::Callee);
    me.transport(C, Transport::Data(Payload::HangUp { reason: HangUpReason::HungUp }));
    assert_eq!(me.state(C), State::Connecting);
}

#[test]
fn the_other_sides_media_is_known_before_the_call_is_up() {
    let mut me = Device::new();
    me.connecting(C, Role::Caller);
    let state = MediaState { seq: 0, audio: true, video: false, screen: false };
    me.signal(C, relayed(Payload::MediaState(state)));
    assert_eq!(me.view(C).remote, Some(MediaOn::start(false)));
}

#[test]
fn hanging_up_while_connecting_goes_by_relay_and_by_the_server() {
    let mut me = Device::new();
    me.connecting(C, Role::Callee);
    me.take();
    me.user(C, User::HangUp);
    let payload = Payload::HangUp { reason: HangUpReason::HungUp };
    assert_eq!(
        me.sent(),
        [Command::Relay { to_device: ADA, payload }, Command::End { reason: EndReason::HungUp }]
    );
}

#[test]
fn a_cancel_that_crossed_the_accept_is_a_hang_up() {
    let mut me = Device::new();
    me.connecting(C, Role::Callee);
    me.signal(C, Signal::Ended { reason: EndReason::Cancelled });
    assert_eq!(me.phase(C), Phase::Ended(Why::HungUp(Side::There)));
}

#[test]
fn after_lost_messages_nonce_and_candidates_go_out_again() {
    let mut me = Device::new();
    me.connecting(C, Role::Caller);
    me.transport(C, candidate(0));
    me.take();
    me.network(Network::Lost);
    assert!(matches!(
        me.sent()[..],
        [
            Command::Relay { payload: Payload::Confirm { .. }, .. },
            Command::Relay { payload: Payload::Candidates { .. }, .. }
        ]
    ));
}

#[test]
fn a_broken_peer_connection_ends_the_call() {
    let mut me = Device::new();
    me.connecting(C, Role::Caller);
    me.take();
    me.transport(C, Transport::Failed);
    assert_eq!(me.phase(C), Phase::Ended(Why::Transport));
    assert!(me.sent().contains(&Command::End { reason: EndReason::NoRoute }));
}
