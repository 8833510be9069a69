//! What holds for every call, whatever comes in whatever order.

use std::collections::BTreeMap;

use carillon_wire::frame::{DeclineScope, EndReason, Media, RefusedReason, TakenKind};
use carillon_wire::payload::{HangUpReason, MediaState, Payload, SdpKind};
use carillon_wire::{AccountId, Bytes32, Code, DeviceId};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestRunner};

use super::*;
use crate::{MediaOn, State};

/// Longest that a device can be busy with a call that hears nothing: a ring, and the wait for a confirmation.
const BOUND: Duration = Duration::from_secs(60 + 15 + 60);

fn any_media_on() -> impl Strategy<Value = MediaOn> {
    any::<[bool; 3]>().prop_map(|[audio, video, screen]| MediaOn { audio, video, screen })
}

fn any_account() -> impl Strategy<Value = AccountId> {
    prop_oneof![Just(account('a')), Just(account('b'))]
}

/// A device of account `a`, of `b`, or of nobody.
fn any_device() -> impl Strategy<Value = DeviceId> {
    prop_oneof![4 => Just(ADA), 1 => Just(device('a', 2)), 1 => Just(device('b', 1)), 1 => Just(device('x', 1))]
}

/// Mostly the fingerprint that is expected.
fn any_fingerprint() -> impl Strategy<Value = Bytes32> {
    any_device().prop_map(fingerprint)
}

fn any_reason() -> impl Strategy<Value = EndReason> {
    prop_oneof![
        Just(EndReason::Declined),
        Just(EndReason::Busy),
        Just(EndReason::Cancelled),
        Just(EndReason::Expired),
        Just(EndReason::HungUp),
        Just(EndReason::Security),
        Just(EndReason::Replaced),
        Just(EndReason::Other),
    ]
}

fn any_user() -> impl Strategy<Value = User> {
    let dial = (any_account(), any::<bool>()).prop_map(|(callee, video)| User::Dial {
        callee,
        media: if video { Media::Video } else { Media::Audio },
        nonce: nonce(1),
        commitment: nonce(2),
    });
    prop_oneof![
        4 => dial,
        4 => any::<bool>().prop_map(|video| User::Accept { video }),
        1 => Just(User::Decline { scope: DeclineScope::Device }),
        1 => Just(User::Decline { scope: DeclineScope::All }),
        1 => Just(User::HangUp),
        1 => any_media_on().prop_map(User::SetMedia),
        1 => any::<bool>().prop_map(User::CameraFails),
        1 => Just(User::Silence),
    ]
}

fn any_payload() -> impl Strategy<Value = Payload> {
    let description = any_device().prop_map(description);
    let kind = prop_oneof![Just(SdpKind::Offer), Just(SdpKind::Answer)];
    let generation = prop_oneof![0..4_u32, Just(u32::MAX)];
    prop_oneof![
        2 => Just(Payload::Confirm { nonce: nonce(1) }),
        2 => generation.clone().prop_map(|generation| {
            Payload::Candidates { generation, candidates: vec!["candidate:2".into()], last: false }
        }),
        2 => (generation.clone(), kind, description).prop_map(|(generation, kind, description)| {
            Payload::Renegotiate { generation, kind, description }
        }),
        1 => generation.prop_map(|generation| Payload::Restart { generation }),
        2 => (0..4_u64, any_media_on()).prop_map(|(seq, MediaOn { audio, video, screen })| {
            Payload::MediaState(MediaState { seq, audio, video, screen })
        }),
        1 => any::<u32>().prop_map(|bits_per_second| Payload::MaxRate { bits_per_second }),
        1 => Just(Payload::HangUp { reason: HangUpReason::HungUp }),
        1 => Just(Payload::Unknown),
    ]
}

fn any_span() -> impl Strategy<Value = Millis> {
    prop_oneof![4 => (0..70_000_u64).prop_map(Millis), 1 => Just(Millis(u64::MAX))]
}

fn any_ring() -> impl Strategy<Value = Signal> {
    (any_account(), 1..3_u8, any_span(), any_span(), any::<bool>()).prop_map(
        |(account, number, age, expires_in, silent)| {
            let name = char::from(account.as_bytes()[0]);
            let device = device(name, number);
            let description = description(device);
            Signal::Ring(Ring { device, description, age, expires_in, silent, ..ring(name) })
        },
    )
}

fn any_signal() -> impl Strategy<Value = Signal> {
    let kind = prop_oneof![Just(TakenKind::Answered), Just(TakenKind::Declined), Just(TakenKind::Over)];
    let code = prop_oneof![Just(Code::CallUnknown), Just(Code::RateLimited), Just(Code::TooLarge)];
    prop_oneof![
        3 => any_span().prop_map(|expires_in| Signal::Created { expires_in }),
        1 => Just(Signal::StaleDevices),
        1 => Just(Signal::Refused { reason: RefusedReason::Unavailable }),
        1 => code.prop_map(|code| Signal::Failed { code }),
        4 => any_ring(),
        2 => any_device().prop_map(|device| Signal::Ringing { device }),
        4 => any_device().prop_map(accepted),
        1 => Just(Signal::BadAnswer),
        4 => Just(Signal::AcceptConfirmed),
        1 => kind.prop_map(|kind| Signal::Taken { kind }),
        6 => (any_device(), any_payload())
            .prop_map(|(from_device, payload)| Signal::Payload { from_device, payload }),
        3 => (any_device(), prop::bool::weighted(0.9))
            .prop_map(|(from_device, valid)| Signal::ConfirmChecked { from_device, valid }),
        1 => any_reason().prop_map(|reason| Signal::Ended { reason }),
    ]
}

fn any_transport() -> impl Strategy<Value = Transport> {
    let generation = prop_oneof![4 => Just(0_u32), 1 => 1..4_u32];
    prop_oneof![
        8 => generation.clone().prop_map(described),
        2 => generation.prop_map(candidate),
        2 => Just(Transport::IceUp),
        2 => Just(Transport::IceDown),
        1 => Just(Transport::IceFailed),
        4 => any_fingerprint().prop_map(|fingerprint| Transport::DtlsUp { fingerprint }),
        2 => Just(Transport::DataOpen),
        2 => any_payload().prop_map(Transport::Data),
        1 => Just(Transport::MaxRate { bits_per_second: 1 }),
        1 => Just(Transport::Failed),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Feed(CallId, Input),
    Network(Network),
    Wait(Duration),
}

fn any_step() -> impl Strategy<Value = Step> {
    let input = prop_oneof![
        2 => any_user().prop_map(Input::User),
        4 => any_signal().prop_map(Input::Signal),
        4 => any_transport().prop_map(Input::Transport),
    ];
    let network = prop_oneof![
        Just(Network::Online),
        Just(Network::Offline),
        Just(Network::AddressChanged),
        Just(Network::Lost)
    ];
    prop_oneof![
        12 => (1..4_u8, input).prop_map(|(number, input)| Step::Feed(call(number), input)),
        1 => network.prop_map(Step::Network),
        1 => (0..15_000_u64).prop_map(|millis| Step::Wait(Duration::from_millis(millis))),
    ]
}

/// A whole call up to some point of it, then anything.
fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let role = prop_oneof![Just(Role::Caller), Just(Role::Callee)];
    let anything = prop::collection::vec(any_step(), 0..40);
    (role, any::<prop::sample::Index>(), anything).prop_map(|(role, until, anything)| {
        let script = script(role);
        let until = until.index(script.len() + 1);
        let first = script.into_iter().take(until).map(|input| Step::Feed(call(1), input));
        first.chain(anything).collect()
    })
}

fn run(steps: Vec<Step>) -> Device {
    let mut me = Device::new();
    for step in steps {
        match step {
            Step::Feed(id, input) => me.feed(id, input),
            Step::Network(network) => me.network(network),
            Step::Wait(span) => me.wait(span),
        }
    }
    me
}

/// Nothing comes any longer, neither from signaling nor through the media path, which the transport notices.
fn fall_silent(me: &mut Device) {
    for number in 1..4 {
        me.transport(call(number), Transport::IceDown);
    }
    for _ in 0..3 {
        // A call that connects by the own accept during this time notices as well.
        me.wait(BOUND);
    }
}

/// The same cases each time.
fn config() -> ProptestConfig {
    let rng_seed = RngSeed::Fixed(0xca11);
    ProptestConfig { cases: 1000, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn the_cases_reach_every_state() {
    let mut runner = TestRunner::new(config());
    let mut reached = BTreeMap::new();
    for _ in 0..config().cases {
        let steps = any_steps().new_tree(&mut runner).unwrap().current();
        let me = run(steps);
        for number in 1..4 {
            let state = me.calls.get(call(number)).map(crate::Call::state);
            *reached.entry(state).or_insert(0) += 1;
        }
    }
    for state in State::ALL {
        let often = reached.get(&Some(state)).copied().unwrap_or(0);
        assert!(often >= 20, "{state:?} is reached {often} times: {reached:?}");
    }
}

fn is_pause(tone: Tone) -> bool {
    match tone {
        Tone::Stop => true,
        Tone::Incoming | Tone::Waiting | Tone::Outgoing => false,
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_state_ends_under_silence(steps in any_steps()) {
        let mut me = run(steps);
        fall_silent(&mut me);
        for number in 1..4 {
            prop_assert_eq!(me.calls.get(call(number)).map(|call| call.state()).filter(|state| state.is_live()), None);
        }
        prop_assert_eq!(me.calls.views().count(), 0);
        me.wait_secs(600);
        prop_assert_eq!(me.calls.poll_timeout(), None, "and is forgotten");
    }

    #[test]
    fn tones_and_peer_connections_come_in_pairs(steps in any_steps()) {
        let mut me = run(steps);
        fall_silent(&mut me);
        let outputs = me.take();
        for number in 1..4 {
            let mut sounds = false;
            let mut opened = 0_i32;
            for (_, output) in outputs.iter().filter(|(id, _)| *id == call(number)) {
                match output {
                    Output::Ring(tone) => {
                        prop_assert_eq!(is_pause(*tone), sounds, "starts and stops alternate");
                        sounds = !sounds;
                    }
                    Output::Peer(PeerCommand::Create { .. }) => {
                        prop_assert_eq!(opened, 0);
                        opened += 1;
                    }
                    Output::Peer(PeerCommand::Close) => {
                        opened -= 1;
                        prop_assert_eq!(opened, 0);
                    }
                    Output::Peer(
                        PeerCommand::ApplyRemote { .. }
                        | PeerCommand::AddCandidates { .. }
                        | PeerCommand::RestartIce { .. }
                        | PeerCommand::SendData(_)
                        | PeerCommand::LimitRate { .. },
                    ) => prop_assert_eq!(opened, 1, "commands are for an open peer connection"),
                    Output::Send(_) | Output::Show(_) | Output::Record(_) => {}
                }
            }
            prop_assert!(!sounds && opened == 0);
        }
    }

    #[test]
    fn only_one_call_is_on_and_only_one_waits(steps in any_steps()) {
        let mut me = Device::new();
        for step in steps {
            match step {
                Step::Feed(id, input) => me.feed(id, input),
                Step::Network(network) => me.network(network),
                Step::Wait(span) => me.wait(span),
            }
            let waits = |view: &CallView| view.phase == Phase::Incoming { waiting: true };
            let waiting = me.calls.views().filter(waits).count();
            let shown = me.calls.views().count();
            prop_assert!(waiting <= 1 && shown - waiting <= 1);
            prop_assert!(waiting == 0 || shown > 1, "nobody waits for nothing");
        }
    }

    #[test]
    fn no_address_leaves_before_the_accept(steps in any_steps()) {
        let mut me = Device::new();
        for step in steps {
            match step {
                Step::Feed(id, input) => {
                    me.feed(id, input);
                    let relays = me.take().into_iter().filter(|(_, output)| {
                        matches!(output, Output::Send(Command::Relay { payload: Payload::Candidates { .. }, .. }))
                    });
                    for (from, _) in relays {
                        prop_assert!(me.calls.get(from).is_some_and(|call| call.accepted_at().is_some()));
                    }
                }
                Step::Network(network) => me.network(network),
                Step::Wait(span) => me.wait(span),
            }
        }
    }

    #[test]
    fn a_call_that_is_over_only_answers_late_accepts(steps in any_steps(), late in any_steps()) {
        let mut me = run(steps);
        fall_silent(&mut me);
        // Whatever ids the first part used are known and over; the second part uses them again.
        for number in 1..4 {
            me.signal(call(number), Signal::Ring(ring('a')));
            me.user(call(number), User::HangUp);
        }
        me.take();
        for step in late {
            if let Step::Feed(id, input) = step {
                me.feed(id, input);
            }
        }
        for (_, output) in me.take() {
            prop_assert_eq!(output, Output::Send(Command::End { reason: EndReason::HungUp }));
        }
    }

    #[test]
    fn stale_doubled_and_reordered_frames_change_nothing(
        role in prop_oneof![Just(Role::Caller), Just(Role::Callee)],
        again in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..40),
    ) {
        let script = script(role);
        let mut plain = Device::new();
        for input in &script {
            plain.feed(call(1), input.clone());
        }
        let mut noisy = Device::new();
        for (position, input) in script.iter().enumerate() {
            noisy.feed(call(1), input.clone());
            for (_, old) in again.iter().filter(|(at, _)| at.index(script.len()) == position) {
                let old = &script[old.index(position + 1)];
                if is_frame(old) {
                    noisy.feed(call(1), old.clone());
                }
            }
        }
        prop_assert_eq!(plain.view(call(1)), noisy.view(call(1)));
        prop_assert_eq!(plain.state(call(1)), State::Connected);
        let (plain, noisy) = (plain.take(), noisy.take());
        let audible = |outputs: &[(CallId, Output)]| -> Vec<Output> {
            let audible = outputs.iter().filter(|(_, output)| match output {
                Output::Ring(_) | Output::Show(_) | Output::Record(_) => true,
                Output::Peer(PeerCommand::Create { .. } | PeerCommand::ApplyRemote { .. } | PeerCommand::RestartIce { .. } | PeerCommand::Close) => true,
                Output::Peer(PeerCommand::AddCandidates { .. } | PeerCommand::SendData(_) | PeerCommand::LimitRate { .. })
                | Output::Send(_) => false,
            });
            audible.map(|(_, output)| output.clone()).collect()
        };
        prop_assert_eq!(audible(&plain), audible(&noisy));
    }
}

fn is_frame(input: &Input) -> bool {
    match input {
        Input::Signal(_) => true,
        Input::User(_) | Input::Transport(_) | Input::Network(_) => false,
    }
}

/// A whole call up to a restart of ICE that succeeded, as one side lives it.
fn script(role: Role) -> Vec<Input> {
    let media = |seq, video| Payload::MediaState(MediaState { seq, audio: true, video, screen: false });
    let again = |kind| Payload::Renegotiate { generation: 1, kind, description: description(ADA) };
    let candidates =
        |generation| Payload::Candidates { generation, candidates: vec!["candidate:2".into()], last: false };
    let mut script = match role {
        Role::Caller => vec![
            dial('a', Media::Video),
            Input::Transport(described(0)),
            Input::Signal(Signal::Created { expires_in: Millis::from_secs(60) }),
            Input::Signal(Signal::Ringing { device: ADA }),
            Input::Signal(Signal::Ringing { device: device('a', 2) }),
            Input::Signal(accepted(ADA)),
        ],
        Role::Callee => vec![
            Input::Signal(Signal::Ring(ring('a'))),
            Input::User(User::Accept { video: true }),
            Input::Transport(described(0)),
            Input::Signal(Signal::AcceptConfirmed),
            Input::Signal(relayed(Payload::Confirm { nonce: nonce(1) })),
            Input::Signal(Signal::ConfirmChecked { from_device: ADA, valid: true }),
        ],
    };
    script.extend([
        Input::Signal(relayed(candidates(0))),
        Input::Transport(Transport::IceUp),
        Input::Transport(dtls(ADA)),
        Input::Transport(Transport::DataOpen),
        Input::Signal(relayed(media(0, true))),
        Input::Signal(relayed(media(1, false))),
        Input::Transport(Transport::IceFailed),
    ]);
    script.extend(match role {
        Role::Caller => vec![
            Input::Transport(described(1)),
            Input::Signal(relayed(again(SdpKind::Answer))),
            Input::Signal(relayed(Payload::Restart { generation: 1 })),
        ],
        Role::Callee => {
            vec![Input::Signal(relayed(again(SdpKind::Offer))), Input::Transport(described(1))]
        }
    });
    script.extend([
        Input::Signal(relayed(candidates(1))),
        Input::Transport(Transport::IceUp),
        Input::Signal(relayed(media(2, true))),
    ]);
    script
}
