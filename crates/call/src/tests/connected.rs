//! A call that is up: media, lost paths, hang-up.

use carillon_wire::Code;
use carillon_wire::frame::{EndReason, TakenKind};
use carillon_wire::payload::{HangUpReason, MediaState, Payload, SdpKind};

use super::*;
use crate::{MediaOn, Outcome, Side, Why};

const C: CallId = call(1);

fn media(seq: u64, video: bool) -> Payload {
    Payload::MediaState(MediaState { seq, audio: true, video, screen: false })
}

fn renegotiate(generation: u32, kind: SdpKind) -> Payload {
    Payload::Renegotiate { generation, kind, description: description(ADA) }
}

fn restarts(device: &mut Device) -> Vec<u32> {
    let generation = |command| match command {
        PeerCommand::RestartIce { generation } => Some(generation),
        PeerCommand::Create { .. }
        | PeerCommand::ApplyRemote { .. }
        | PeerCommand::AddCandidates { .. }
        | PeerCommand::SendData(_)
        | PeerCommand::LimitRate { .. }
        | PeerCommand::Close => None,
    };
    device.peer().into_iter().filter_map(generation).collect()
}

#[test]
fn camera_off_travels_over_the_data_channel() {
    let mut me = Device::new();
    me.connected(C, Role::Caller);
    me.take();
    me.user(C, User::SetMedia(MediaOn::start(false)));
    assert_eq!(me.peer(), [PeerCommand::SendData(media(1, false))]);
    assert!(!me.view(C).local.video);
    me.user(C, User::SetMedia(MediaOn::start(false)));
    assert_eq!(me.take(), [], "nothing has changed");
}

#[test]
fn a_camera_that_fails_is_off_for_the_other_side_alone() {
    let mut me = Device::new();
    me.connected(C, Role::Caller);
    me.take();
    me.user(C, User::CameraFails(true));
    assert_eq!(me.peer(), [PeerCommand::SendData(media(1, false))]);
    assert!(me.view(C).local.video && me.view(C).camera_fails, "it is wanted all the same");
    me.user(C, User::CameraFails(true));
    assert_eq!(me.take(), [], "nothing has changed");
    me.user(C, User::CameraFails(false));
    assert_eq!(me.peer(), [PeerCommand::SendData(media(2, true))]);

    me.user(C, User::SetMedia(MediaOn::start(false)));
    me.take();
    me.user(C, User::CameraFails(true));
    assert_eq!(me.peer(), [], "nobody wants it");
    me.user(C, User::SetMedia(MediaOn::start(true)));
    assert_eq!(me.peer(), [PeerCommand::SendData(media(4, false))]);
}

#[test]
fn camera_off_travels_by_relay_while_the_path_is_down() {
    let mut me = Device::new();
    me.connected(C, Role::Caller);
    me.transport(C, Transport::IceDown);
    me.take();
    me.user(C, User::SetMedia(MediaOn::start(false)));
    assert_eq!(me.sent(), [Command::Relay { to_device: ADA, payload: media(1, false) }]);
}

#[test]
fn the_other_sides_camera_off_is_shown_and_old_news_is_not() {
    let mut me = Device::new();
    me.connected(C, Role::Callee);
    me.transport(C, Transport::Data(media(2, false)));
    assert_eq!(me.view(C).remote, Some(MediaOn::start(false)));
    me.take();
    me.signal(C, relayed(media(1, true)));
    me.signal(C, relayed(media(2, true)));
    assert_eq!(me.take(), []);
    me.signal(C, relayed(media(3, true)));
    assert_eq!(me.view(C).remote, Some(MediaOn::start(true)));
}

#[test]
fn rate_limits_go_both_ways() {
    let mut me = Device::new();
    me.connected(C, Role::Callee);
    me.take();
    me.transport(C, Transport::Data(Payload::MaxRate { bits_per_second: 1 }));
    me.transport(C, Transport::MaxRate { bits_per_second: 2 });
    let limit = PeerCommand::LimitRate { bits_per_second: 1 };
    let send = PeerCommand::SendData(Payload::MaxRate { bits_per_second: 2 });
    assert_eq!(me.peer(), [limit, send]);
}

#[test]
fn hanging_up_travels_sealed_and_by_the_server() {
    let mut me = Device::new();
    me.connected(C, Role::Caller);
    me.wait_secs(90);
    me.take();
    me.user(C, User::HangUp);
    let outputs: Vec<_> = me.take().into_iter().map(|(_, output)| output).collect();
    assert_eq!(
        outputs[..3],
        [
            Output::Peer(PeerCommand::SendData(Payload::HangUp { reason: HangUpReason::HungUp })),
            Output::Send(Command::End { reason: EndReason::HungUp }),
            Output::Peer(PeerCommand::Close),
        ]
    );
    let Some(Output::Record(record)) = outputs.last() else { panic!("a record comes last") };
    assert_eq!((record.outcome, record.talked), (Outcome::Talked, Some(Duration::from_secs(90))));
    assert_eq!(record.why, Why::HungUp(Side::Here));
}

#[test]
fn the_other_side_hangs_up_by_any_way() {
    let hang_up = Payload::HangUp { reason: HangUpReason::HungUp };
    for input in [
        Input::Transport(Transport::Data(hang_up.clone())),
        Input::Signal(relayed(hang_up)),
        Input::Signal(Signal::Ended { reason: EndReason::HungUp }),
    ] {
        let mut me = Device::new();
        me.connected(C, Role::Callee);
        me.take();
        me.feed(C, input);
        assert_eq!(me.phase(C), Phase::Ended(Why::HungUp(Side::There)));
        assert!(me.sent().is_empty());
    }
}

#[test]
fn what_belongs_to_the_ring_does_not_end_a_call_that_is_up() {
    let mut me = Device::new();
    me.connected(C, Role::Callee);
    me.take();
    for reason in [
        EndReason::Declined,
        EndReason::Busy,
        EndReason::Expired,
        EndReason::Unavailable,
        EndReason::CallerLost,
    ] {
        me.signal(C, Signal::Ended { reason });
    }
    me.signal(C, Signal::Taken { kind: TakenKind::Answered });
    me.signal(C, Signal::Failed { code: Code::CallUnknown });
    me.signal(C, Signal::BadAnswer);
    assert_eq!(me.take(), []);
}

#[test]
fn a_lost_server_does_not_end_a_call_that_is_up() {
    let mut me = Device::new();
    me.connected(C, Role::Caller);
    me.network(Network::Offline);
    me.wait_secs(24 * 3600);
    assert_eq!(me.phase(C), Phase::Connected);
    assert!(!me.view(C).online);
}

#[test]
fn a_path_that_is_down_is_shown_at_once_and_given_up_after_2_seconds() {
    let mut me = Device::new();
    me.connected(C, Role::Caller);
    me.transport(C, Transport::IceDown);
    assert_eq!((me.state(C), me.phase(C)), (State::Connected, Phase::Reconnecting));
    me.wait(Duration::from_millis(1_999));
    assert_eq!(me.state(C), State::Connected);
    me.wait(Duration::from_millis(1));
    assert_eq!(me.state(C), State::Reconnecting);
}

#[test]
fn a_path_that_comes_back_within_2_seconds_restarts_nothing() {
    let mut me = Device::new();
    me.connected(C, Role::Caller);
    me.take();
    me.transport(C, Transport::IceDown);
    me.wait_secs(1);
    me.transport(C, Transport::IceUp);
    me.wait_secs(60);
    assert_eq!(me.phase(C), Phase::Connected);
    assert!(restarts(&mut me).is_empty());
}

#[test]
fn the_caller_restarts_at_0_4_and_10_seconds_and_the_call_is_lost_after_30() {
    let mut me = Device::new();
    me.connected(C, Role::Caller);
    me.take();
    me.transport(C, Transport::IceFailed);
    assert_eq!(restarts(&mut me), [1]);
    for (secs, expected) in [(3, &[][..]), (1, &[2]), (5, &[]), (1, &[3]), (19, &[])] {
        me.wait_secs(secs);
        assert_eq!(restarts(&mut me), expected);
    }
    assert_eq!(me.state(C), State::Reconnecting);
    me.wait_secs(1);
    assert_eq!(me.phase(C), Phase::Ended(Why::Lost));
    assert!(me.sent().contains(&Command::End { reason: EndReason::Lost }));
}

#[test]
fn the_callee_asks_for_restarts_and_answers_them() {
    let mut me = Device::new();
    me.connected(C, Role::Callee);
    me.take();
    me.transport(C, Transport::IceFailed);
    let ask = Command::Relay { to_device: ADA, payload: Payload::Restart { generation: 1 } };
    assert_eq!(me.sent(), [ask]);
    me.signal(C, relayed(renegotiate(1, SdpKind::Offer)));
    let offer =
        PeerCommand::ApplyRemote { generation: 1, kind: SdpKind::Offer, description: description(ADA) };
    assert_eq!(me.peer(), [offer]);
    me.transport(C, described(1));
    let answer = Payload::Renegotiate { generation: 1, kind: SdpKind::Answer, description: description(ME) };
    assert_eq!(me.sent(), [Command::Relay { to_device: ADA, payload: answer }]);
    me.transport(C, Transport::IceUp);
    assert_eq!(me.phase(C), Phase::Connected);
}

#[test]
fn the_caller_applies_the_answer_of_the_current_restart_once() {
    let mut me = Device::new();
    me.connected(C, Role::Caller);
    me.transport(C, Transport::IceFailed);
    me.transport(C, described(1));
    me.take();
    me.signal(C, relayed(renegotiate(0, SdpKind::Answer)));
    me.signal(C, relayed(renegotiate(1, SdpKind::Offer)));
    assert_eq!(me.peer(), []);
    me.signal(C, relayed(renegotiate(1, SdpKind::Answer)));
    assert_eq!(me.peer().len(), 1);
    me.signal(C, relayed(renegotiate(1, SdpKind::Answer)));
    assert_eq!(me.peer(), []);
}

#[test]
fn a_renegotiation_of_an_older_generation_is_ignored() {
    let mut me = Device::new();
    me.connected(C, Role::Callee);
    me.signal(C, relayed(renegotiate(2, SdpKind::Offer)));
    me.take();
    me.signal(C, relayed(renegotiate(2, SdpKind::Offer)));
    me.signal(C, relayed(renegotiate(1, SdpKind::Offer)));
    me.signal(C, relayed(Payload::Candidates { generation: 1, candidates: vec![], last: true }));
    me.transport(C, described(1));
    me.transport(C, candidate(1));
    assert_eq!(me.take(), []);
}

#[test]
fn a_renegotiation_with_another_fingerprint_ends_for_security() {
    let mut me = Device::new();
    me.connected(C, Role::Callee);
    let payload = Payload::Renegotiate {
        generation: 1,
        kind: SdpKind::Offer,
        description: description(device('x', 1)),
    };
    me.signal(C, relayed(payload));
    assert_eq!(me.phase(C), Phase::Ended(Why::Security));
}

#[test]
fn the_caller_restarts_when_the_callee_asks_but_not_twice_for_the_same() {
    let mut me = Device::new();
    me.connected(C, Role::Caller);
    me.take();
    me.signal(C, relayed(Payload::Restart { generation: 1 }));
    me.signal(C, relayed(Payload::Restart { generation: 1 }));
    me.signal(C, relayed(Payload::Restart { generation: 9 }));
    assert_eq!(restarts(&mut me), [1]);
    me.transport(C, Transport::IceUp);
    assert_eq!(me.phase(C), Phase::Connected);
}

#[test]
fn another_address_looks_for_a_path_at_once() {
    let mut me = Device::new();
    me.connected(C, Role::Caller);
    me.take();
    me.network(Network::AddressChanged);
    assert_eq!(me.state(C), State::Reconnecting);
    me.network(Network::AddressChanged);
    assert_eq!(restarts(&mut me), [1, 2]);
}

#[test]
fn a_restart_that_comes_to_nothing_while_the_old_path_works_costs_nothing() {
    let mut me = Device::new();
    me.connected(C, Role::Caller);
    me.network(Network::AddressChanged);
    me.wait_secs(30);
    assert_eq!(me.phase(C), Phase::Connected);
}

#[test]
fn a_line_that_comes_back_while_reconnecting_restarts_at_once() {
    let mut me = Device::new();
    me.connected(C, Role::Caller);
    me.network(Network::Offline);
    me.transport(C, Transport::IceFailed);
    me.wait_secs(12);
    me.take();
    me.network(Network::Online);
    assert_eq!(restarts(&mut me), [4]);
}

#[test]
fn a_path_lost_before_the_confirmation_is_looked_for_once_up() {
    let mut me = Device::new();
    me.connecting(C, Role::Callee);
    me.transport(C, dtls(ADA));
    me.transport(C, Transport::IceDown);
    me.signal(C, Signal::ConfirmChecked { from_device: ADA, valid: true });
    assert_eq!(me.phase(C), Phase::Reconnecting);
    me.wait_secs(2);
    assert_eq!(me.state(C), State::Reconnecting);
}

#[test]
fn the_time_goes_on_through_a_reconnection() {
    let mut me = Device::new();
    me.connected(C, Role::Caller);
    let since = me.view(C).connected_since;
    me.transport(C, Transport::IceFailed);
    me.wait_secs(5);
    me.transport(C, Transport::IceUp);
    assert_eq!(me.view(C).connected_since, since);
}
