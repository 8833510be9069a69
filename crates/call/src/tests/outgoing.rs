//! The caller's side until somebody accepts.

use carillon_wire::frame::{DeclineScope, EndReason, Media, RefusedReason};
use carillon_wire::payload::{Payload, SdpKind};
use carillon_wire::{Code, Millis};

use super::*;
use crate::{MediaOn, Outcome, Why};

const C: CallId = call(1);

#[test]
fn dialling_makes_an_offer_first_and_sends_it_when_it_is_ready() {
    let mut me = Device::new();
    me.feed(C, dial('a', Media::Video));
    assert_eq!(me.peer(), [PeerCommand::Create { role: Role::Caller, media: Media::Video }]);
    me.transport(C, described(0));
    let create = Command::Create {
        callee: account('a'),
        media: Media::Video,
        expires_in: Millis::from_secs(60),
        description: description(ME),
        commitment: nonce(2),
    };
    assert_eq!(me.sent(), [create]);
    assert_eq!(me.phase(C), Phase::Calling);
}

#[test]
fn created_rings() {
    let mut me = Device::new();
    me.offering(C);
    me.signal(C, Signal::Created { expires_in: Millis::from_secs(60) });
    assert_eq!(me.state(C), State::Ringing);
    assert_eq!(me.phase(C), Phase::Calling, "no device has said that it rings");
}

#[test]
fn the_ringback_tone_starts_once_when_the_first_device_rings() {
    let mut me = Device::new();
    me.ringing(C);
    me.signal(C, Signal::Ringing { device: device('a', 2) });
    assert_eq!(me.tones(), [(C, Tone::Outgoing)]);
    assert_eq!(me.phase(C), Phase::Ringing);
}

#[test]
fn ringing_before_the_reply_to_create_counts() {
    let mut me = Device::new();
    me.offering(C);
    me.signal(C, Signal::Ringing { device: ADA });
    assert_eq!(me.state(C), State::Ringing);
    assert_eq!(me.phase(C), Phase::Ringing);
}

#[test]
fn refused_ends_as_unavailable() {
    let mut me = Device::new();
    me.offering(C);
    me.take();
    me.signal(C, Signal::Refused { reason: RefusedReason::Unavailable });
    assert_eq!(me.phase(C), Phase::Ended(Why::Unavailable));
    assert_eq!(me.records().first().map(|record| record.outcome), Some(Outcome::Unanswered));
}

#[test]
fn an_error_ends_the_call_and_takes_back_an_earlier_create() {
    let mut me = Device::new();
    me.offering(C);
    me.take();
    me.signal(C, Signal::Failed { code: Code::RateLimited });
    assert_eq!(me.phase(C), Phase::Ended(Why::Failed(Code::RateLimited)));
    assert_eq!(me.sent(), [Command::Cancel]);
}

#[test]
fn stale_devices_create_again_but_not_for_ever() {
    let mut me = Device::new();
    me.offering(C);
    for _ in 0..3 {
        me.take();
        me.signal(C, Signal::StaleDevices);
        assert!(matches!(me.sent()[..], [Command::Create { .. }]));
    }
    me.signal(C, Signal::StaleDevices);
    assert_eq!(me.state(C), State::Ended);
}

#[test]
fn a_silent_server_ends_the_offering_after_10_seconds() {
    let mut me = Device::new();
    me.offering(C);
    me.take();
    me.wait(Duration::from_millis(9_999));
    assert_eq!(me.state(C), State::Offering);
    me.wait(Duration::from_millis(1));
    assert_eq!(me.phase(C), Phase::Ended(Why::NoServer));
    assert_eq!(me.sent(), [Command::Cancel], "the create may have arrived: nothing rings after the end");
}

#[test]
fn an_offer_that_never_gets_ready_ends_the_call_without_a_word_to_the_server() {
    let mut me = Device::new();
    me.feed(C, dial('a', Media::Audio));
    me.wait_secs(10);
    assert_eq!(me.phase(C), Phase::Ended(Why::Transport));
    assert_eq!(me.sent(), []);
}

#[test]
fn nobody_answers_for_60_seconds() {
    let mut me = Device::new();
    me.ringing(C);
    me.take();
    me.wait_secs(61);
    assert_eq!(me.state(C), State::Ringing, "the server decides about an accept in the last second");
    me.wait_secs(1);
    assert_eq!(me.phase(C), Phase::Ended(Why::NoAnswer));
    assert_eq!(me.sent(), [Command::Cancel]);
}

#[test]
fn a_shorter_ring_ends_earlier() {
    let mut me = Device::new();
    me.offering(C);
    me.signal(C, Signal::Created { expires_in: Millis::from_secs(5) });
    me.wait_secs(7);
    assert_eq!(me.state(C), State::Ended);
}

#[test]
fn an_absurd_ring_is_no_longer_than_the_longest() {
    let mut me = Device::new();
    me.offering(C);
    me.signal(C, Signal::Created { expires_in: Millis(u64::MAX) });
    me.wait_secs(62);
    assert_eq!(me.state(C), State::Ended);
}

#[test]
fn hanging_up_while_it_rings_cancels() {
    let mut me = Device::new();
    me.ringing(C);
    me.take();
    me.user(C, User::HangUp);
    let outputs = me.take();
    assert_eq!(outputs.first(), Some(&(C, Output::Send(Command::Cancel))));
    assert!(outputs.contains(&(C, Output::Ring(Tone::Stop))));
    assert!(outputs.contains(&(C, Output::Peer(PeerCommand::Close))));
    assert_eq!(me.phase(C), Phase::Ended(Why::Cancelled));
}

#[test]
fn hanging_up_before_the_offer_left_tells_nobody() {
    let mut me = Device::new();
    me.feed(C, dial('a', Media::Audio));
    me.user(C, User::HangUp);
    assert_eq!(me.sent(), []);
}

#[test]
fn the_servers_reason_is_shown() {
    for (reason, why) in [
        (EndReason::Declined, Why::Declined),
        (EndReason::Busy, Why::Busy),
        (EndReason::Expired, Why::NoAnswer),
        (EndReason::Unavailable, Why::Unavailable),
        (EndReason::CallerLost, Why::CallerLost),
    ] {
        let mut me = Device::new();
        me.ringing(C);
        me.take();
        me.signal(C, Signal::Ended { reason });
        assert_eq!(me.phase(C), Phase::Ended(why));
        let records = me.records();
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].outcome, records[0].talked), (Outcome::Unanswered, None));
    }
}

#[test]
fn accepted_stops_the_tone_applies_the_answer_and_reveals_the_nonce() {
    let mut me = Device::new();
    me.ringing(C);
    me.take();
    me.signal(C, accepted(ADA));
    let outputs: Vec<_> = me.take().into_iter().map(|(_, output)| output).collect();
    let answer =
        PeerCommand::ApplyRemote { generation: 0, kind: SdpKind::Answer, description: description(ADA) };
    let confirm = Command::Relay { to_device: ADA, payload: Payload::Confirm { nonce: nonce(1) } };
    assert_eq!(outputs[..3], [Output::Ring(Tone::Stop), Output::Peer(answer), Output::Send(confirm)]);
    assert_eq!(me.state(C), State::Connecting);
    assert_eq!(me.view(C).device, Some(ADA));
    assert_eq!(me.view(C).remote, Some(MediaOn::start(true)));
}

#[test]
fn an_accept_that_overtakes_created_counts() {
    let mut me = Device::new();
    me.offering(C);
    me.signal(C, accepted(ADA));
    me.signal(C, Signal::Created { expires_in: Millis::from_secs(60) });
    assert_eq!(me.state(C), State::Connecting);
}

#[test]
fn no_candidate_leaves_before_the_accept() {
    let mut me = Device::new();
    me.feed(C, dial('a', Media::Video));
    me.transport(C, candidate(0));
    me.transport(C, described(0));
    me.transport(C, candidate(0));
    me.signal(C, Signal::Created { expires_in: Millis::from_secs(60) });
    me.signal(C, Signal::Ringing { device: ADA });
    me.network(Network::Lost);
    assert!(!me.sent().iter().any(|command| matches!(command, Command::Relay { .. })));
    me.signal(C, accepted(ADA));
    let candidates =
        |command: &&Command| matches!(command, Command::Relay { payload: Payload::Candidates { .. }, .. });
    assert_eq!(me.sent().iter().filter(candidates).count(), 2);
    me.transport(C, candidate(0));
    assert_eq!(me.sent().iter().filter(candidates).count(), 1, "later ones leave at once");
}

#[test]
fn a_bad_answer_ends_for_security() {
    let mut me = Device::new();
    me.ringing(C);
    me.take();
    me.signal(C, Signal::BadAnswer);
    assert_eq!(me.phase(C), Phase::Ended(Why::Security));
    assert_eq!(me.sent(), [Command::Cancel, Command::End { reason: EndReason::Security }]);
}

#[test]
fn late_accept_is_answered_with_end() {
    let mut me = Device::new();
    me.ringing(C);
    me.user(C, User::HangUp);
    me.take();
    me.signal(C, accepted(ADA));
    assert_eq!(me.sent(), [Command::End { reason: EndReason::HungUp }]);
    assert_eq!(me.phase(C), Phase::Ended(Why::Cancelled));
}

#[test]
fn an_accept_of_a_call_from_before_a_crash_is_answered_with_end() {
    let mut me = Device::new();
    me.signal(C, Signal::BadAnswer);
    assert_eq!(me.sent(), [Command::End { reason: EndReason::HungUp }]);
}

#[test]
fn a_second_accept_changes_nothing() {
    let mut me = Device::new();
    me.connecting(C, Role::Caller);
    me.take();
    me.signal(C, accepted(device('a', 2)));
    me.signal(C, accepted(ADA));
    assert_eq!(me.take(), []);
    assert_eq!(me.view(C).device, Some(ADA));
}

#[test]
fn a_lost_line_does_not_end_a_ring() {
    let mut me = Device::new();
    me.ringing(C);
    me.take();
    me.network(Network::Offline);
    me.wait_secs(10);
    me.network(Network::Online);
    assert_eq!(me.state(C), State::Ringing);
    assert_eq!(me.sent(), []);
}

#[test]
fn after_lost_messages_the_create_goes_out_again() {
    let mut me = Device::new();
    me.ringing(C);
    let first = me.sent();
    me.network(Network::Lost);
    assert_eq!(me.sent(), first);
}

#[test]
fn muting_while_it_rings_counts_when_connected() {
    let mut me = Device::new();
    me.ringing(C);
    me.user(C, User::SetMedia(MediaOn { audio: false, video: true, screen: false }));
    me.signal(C, accepted(ADA));
    me.take();
    me.transport(C, dtls(ADA));
    assert!(matches!(
        me.sent()[..],
        [Command::Relay { payload: Payload::MediaState(state), .. }] if !state.audio && state.video
    ));
}

#[test]
fn an_own_call_can_not_be_accepted_or_declined_here() {
    let mut me = Device::new();
    me.ringing(C);
    me.take();
    me.user(C, User::Accept { video: true });
    me.user(C, User::Decline { scope: DeclineScope::All });
    me.user(C, User::Silence);
    assert_eq!(me.take(), []);
}
