//! One call as the server sees it, scenario by scenario.

#[cfg(test)]
mod arbiter {
    use carillon_policy::arbiter::{
        Act, CalleeDevice, Command, Crossing, Effect, Notice, Placed, Reply, ServerCall, State,
        declines_outcome, due, is_missed, late_accept, missed_beside, ring_until, rung_devices,
    };
    use carillon_wire::frame::{DeclineReason, DeclineScope, EndReason, TakenKind};
    use carillon_wire::limits::{CALLER_GRACE, MAX_RING, MIN_RING};
    use carillon_wire::{CallId, Code, DeviceId, Millis, UnixMillis};

    const START: UnixMillis = UnixMillis(1_800_000_000_000);
    const CALL: CallId = CallId::new([1; 16]);
    const CALLER: DeviceId = DeviceId::new([10; 16]);
    const PHONE: DeviceId = DeviceId::new([20; 16]);
    const LAPTOP: DeviceId = DeviceId::new([21; 16]);
    const TABLET: DeviceId = DeviceId::new([22; 16]);
    const STRANGER: DeviceId = DeviceId::new([99; 16]);

    fn at(seconds: u64) -> UnixMillis {
        START.after(Millis::from_secs(seconds))
    }

    /// A device that is in no call, and whether it can be reached.
    fn free((device, reachable): (DeviceId, bool)) -> CalleeDevice {
        CalleeDevice { device, reachable, in_call: false }
    }

    fn placed(rung: &[(DeviceId, bool)]) -> ServerCall {
        match ServerCall::create(CALL, CALLER, rung.iter().copied().map(free), at(45)) {
            Placed::Rings(call, _) => call,
            Placed::Unreachable => panic!("a device is reachable"),
        }
    }

    /// A call that rings on a phone and a laptop.
    fn ringing() -> ServerCall {
        placed(&[(PHONE, true), (LAPTOP, true)])
    }

    /// A call that the phone has accepted.
    fn accepted() -> ServerCall {
        let mut call = ringing();
        assert_eq!(by(&mut call, 1, PHONE, Act::Accept).0, Reply::Accepted);
        call
    }

    fn by(call: &mut ServerCall, seconds: u64, device: DeviceId, act: Act) -> (Reply, Vec<Effect>) {
        call.apply(at(seconds), Command::By(device, act))
    }

    fn decline(reason: DeclineReason, scope: DeclineScope) -> Act {
        Act::Decline { reason, scope }
    }

    const DECLINED_HERE: Act = Act::Decline { reason: DeclineReason::Declined, scope: DeclineScope::Device };
    const BUSY_HERE: Act = Act::Decline { reason: DeclineReason::Busy, scope: DeclineScope::Device };

    fn taken(device: DeviceId, kind: TakenKind) -> Effect {
        Effect::Tell(device, Notice::Taken(kind))
    }

    fn ended(device: DeviceId, reason: EndReason) -> Effect {
        Effect::Tell(device, Notice::Ended(reason))
    }

    #[test]
    fn a_call_rings_on_every_device_also_on_one_that_is_away() {
        let rung = [(PHONE, true), (LAPTOP, false)];
        let Placed::Rings(call, effects) = ServerCall::create(CALL, CALLER, rung.map(free), at(45)) else {
            panic!("the phone is reachable");
        };
        assert_eq!(effects, [PHONE, LAPTOP].map(|device| Effect::Tell(device, Notice::Ring)));
        assert_eq!((call.state(), call.deadline()), (State::Ringing, Some(at(45))));
        assert_eq!((call.call(), call.caller(), call.rung().len()), (CALL, CALLER, 2));
    }

    #[test]
    fn with_every_device_away_nothing_rings() {
        for rung in [vec![], vec![(PHONE, false), (LAPTOP, false)]] {
            let placed = ServerCall::create(CALL, CALLER, rung.into_iter().map(free), at(45));
            assert_eq!(placed, Placed::Unreachable);
        }
    }

    #[test]
    fn the_caller_hears_once_of_each_device_that_rings() {
        let mut call = ringing();
        let (reply, effects) = by(&mut call, 1, PHONE, Act::Ringing);
        assert_eq!(reply, Reply::Done);
        assert_eq!(effects, [Effect::Tell(CALLER, Notice::Ringing { device: PHONE })]);
        assert_eq!(by(&mut call, 2, PHONE, Act::Ringing), (Reply::Done, vec![]));
        assert_eq!(by(&mut call, 2, LAPTOP, Act::Ringing).1.len(), 1);
    }

    #[test]
    fn the_device_that_accepts_has_the_call_and_the_others_stop() {
        let mut call = placed(&[(PHONE, true), (LAPTOP, true), (TABLET, false)]);
        let (reply, effects) = by(&mut call, 1, LAPTOP, Act::Accept);
        assert_eq!(reply, Reply::Accepted);
        assert_eq!(
            effects,
            [
                Effect::Tell(CALLER, Notice::Accepted { device: LAPTOP }),
                taken(PHONE, TakenKind::Answered),
                taken(TABLET, TakenKind::Answered),
            ]
        );
        assert_eq!((call.accepted(), call.deadline()), (Some(LAPTOP), None));
    }

    #[test]
    fn a_second_accept_comes_too_late_and_the_first_one_may_be_repeated() {
        let mut call = accepted();
        assert_eq!(by(&mut call, 1, LAPTOP, Act::Accept), (Reply::Taken(TakenKind::Answered), vec![]));
        assert_eq!(by(&mut call, 1, PHONE, Act::Accept), (Reply::Accepted, vec![]));
    }

    #[test]
    fn an_accept_after_the_end_says_how_it_ended_for_this_device() {
        let mut cancelled = ringing();
        by(&mut cancelled, 1, CALLER, Act::Cancel);
        assert_eq!(by(&mut cancelled, 2, PHONE, Act::Accept), (Reply::Taken(TakenKind::Over), vec![]));

        let mut declined = ringing();
        by(&mut declined, 1, LAPTOP, decline(DeclineReason::Declined, DeclineScope::All));
        assert_eq!(by(&mut declined, 2, PHONE, Act::Accept).0, Reply::Taken(TakenKind::Declined));
        assert_eq!(by(&mut declined, 2, LAPTOP, Act::Accept).0, Reply::Taken(TakenKind::Over));

        let mut hung_up = accepted();
        by(&mut hung_up, 2, PHONE, Act::End { reason: EndReason::HungUp });
        assert_eq!(by(&mut hung_up, 3, LAPTOP, Act::Accept).0, Reply::Taken(TakenKind::Answered));
        assert_eq!(by(&mut hung_up, 3, PHONE, Act::Accept).0, Reply::Taken(TakenKind::Over));
    }

    #[test]
    fn an_accept_in_the_last_millisecond_counts_and_one_at_the_deadline_does_not() {
        let mut call = ringing();
        let last = UnixMillis(at(45).0 - 1);
        assert_eq!(call.apply(last, Command::By(PHONE, Act::Accept)).0, Reply::Accepted);

        let mut call = ringing();
        let (reply, effects) = by(&mut call, 45, PHONE, Act::Accept);
        assert_eq!(reply, Reply::Taken(TakenKind::Over), "also when nobody has swept yet");
        assert!(effects.contains(&ended(CALLER, EndReason::Expired)));
    }

    #[test]
    fn declining_for_all_ends_the_call_everywhere_and_is_no_missed_call() {
        let mut call = ringing();
        let (reply, effects) = by(&mut call, 1, PHONE, decline(DeclineReason::Declined, DeclineScope::All));
        assert_eq!(reply, Reply::Done);
        assert_eq!(effects, [ended(CALLER, EndReason::Declined), taken(LAPTOP, TakenKind::Declined)]);
    }

    #[test]
    fn declining_on_one_device_leaves_the_others_ringing() {
        let mut call = ringing();
        assert_eq!(by(&mut call, 1, PHONE, DECLINED_HERE), (Reply::Done, vec![]));
        assert_eq!(call.state(), State::Ringing);
        assert_eq!(by(&mut call, 2, PHONE, DECLINED_HERE), (Reply::Done, vec![]));
        assert_eq!(by(&mut call, 2, PHONE, Act::Accept).0, Reply::Taken(TakenKind::Over));
        let (reply, effects) = by(&mut call, 3, LAPTOP, Act::Accept);
        assert_eq!(reply, Reply::Accepted);
        assert_eq!(effects.len(), 1, "the phone has stopped by itself");
    }

    #[test]
    fn one_device_may_decline_for_all_after_it_has_declined_for_itself() {
        let mut call = ringing();
        by(&mut call, 1, PHONE, BUSY_HERE);
        by(&mut call, 2, PHONE, decline(DeclineReason::Declined, DeclineScope::All));
        assert!(matches!(call.state(), State::Ended { reason: EndReason::Declined, .. }));
    }

    #[test]
    fn the_call_ends_when_every_reachable_device_has_declined() {
        let mut call = placed(&[(PHONE, true), (LAPTOP, true), (TABLET, false)]);
        by(&mut call, 1, PHONE, BUSY_HERE);
        let (_, effects) = by(&mut call, 2, LAPTOP, DECLINED_HERE);
        assert_eq!(effects, [ended(CALLER, EndReason::Declined), ended(TABLET, EndReason::Declined)]);
    }

    #[test]
    fn the_call_is_busy_when_devices_are_busy_and_none_has_declined_and_then_it_is_missed() {
        let mut call = placed(&[(PHONE, true), (LAPTOP, false)]);
        let (_, effects) = by(&mut call, 1, PHONE, BUSY_HERE);
        assert_eq!(effects, [ended(CALLER, EndReason::Busy), ended(LAPTOP, EndReason::Busy), Effect::Missed]);
    }

    #[test]
    fn a_device_that_comes_within_reach_is_waited_for() {
        let mut call = placed(&[(PHONE, true), (LAPTOP, false)]);
        call.apply(at(1), Command::Reachable(LAPTOP));
        by(&mut call, 2, PHONE, DECLINED_HERE);
        assert_eq!(call.state(), State::Ringing);
        assert_eq!(by(&mut call, 3, LAPTOP, Act::Accept).0, Reply::Accepted);
    }

    #[test]
    fn the_caller_who_gives_up_leaves_a_missed_call() {
        let mut call = ringing();
        let (reply, effects) = by(&mut call, 1, CALLER, Act::Cancel);
        assert_eq!(reply, Reply::Done);
        assert_eq!(
            effects,
            [ended(PHONE, EndReason::Cancelled), ended(LAPTOP, EndReason::Cancelled), Effect::Missed]
        );
        assert_eq!(by(&mut call, 2, CALLER, Act::Cancel), (Reply::Done, vec![]));
    }

    #[test]
    fn a_cancel_that_crosses_the_accept_ends_the_call_for_the_other_side() {
        let mut call = accepted();
        let (reply, effects) = by(&mut call, 2, CALLER, Act::Cancel);
        assert_eq!((reply, effects), (Reply::Done, vec![ended(PHONE, EndReason::Cancelled)]));
    }

    #[test]
    fn a_call_that_nobody_answers_expires_for_both_sides_and_is_missed() {
        let mut call = ringing();
        assert_eq!(call.apply(at(44), Command::Sweep), (Reply::Done, vec![]));
        assert_eq!(
            call.apply(at(45), Command::Sweep).1,
            [
                ended(CALLER, EndReason::Expired),
                ended(PHONE, EndReason::Expired),
                ended(LAPTOP, EndReason::Expired),
                Effect::Missed,
            ]
        );
        assert_eq!(call.apply(at(46), Command::Sweep).1, []);
    }

    #[test]
    fn a_caller_whose_line_is_lost_has_15_seconds_to_come_back() {
        let mut call = ringing();
        call.apply(at(10), Command::CallerLost);
        assert_eq!(call.deadline(), Some(at(25)));
        call.apply(at(20), Command::CallerLost);
        assert_eq!(call.deadline(), Some(at(25)), "the same loss, heard of twice");
        call.apply(at(24), Command::CallerBack);
        assert_eq!(call.apply(at(30), Command::Sweep).1, []);
        assert_eq!(call.state(), State::Ringing);

        call.apply(at(30), Command::CallerLost);
        let (_, effects) = call.apply(at(45), Command::Sweep);
        assert!(effects.contains(&ended(PHONE, EndReason::Expired)), "both deadlines at once: it expired");
    }

    #[test]
    fn a_caller_who_does_not_come_back_ends_the_ring() {
        let mut call = ringing();
        call.apply(at(1), Command::CallerLost);
        let (_, effects) = call.apply(at(60), Command::CallerBack);
        assert_eq!(
            effects,
            [
                ended(CALLER, EndReason::CallerLost),
                ended(PHONE, EndReason::CallerLost),
                ended(LAPTOP, EndReason::CallerLost),
                Effect::Missed,
            ]
        );
    }

    #[test]
    fn a_lost_caller_can_still_be_answered_in_time_and_an_accepted_call_outlives_the_line() {
        let mut call = ringing();
        call.apply(at(1), Command::CallerLost);
        assert_eq!(by(&mut call, 10, PHONE, Act::Accept).0, Reply::Accepted);
        assert_eq!(call.apply(at(100), Command::Sweep), (Reply::Done, vec![]));
        call.apply(at(100), Command::CallerLost);
        assert_eq!(call.apply(at(1_000), Command::Sweep), (Reply::Done, vec![]));
        assert_eq!(call.state(), State::Accepted(PHONE));
    }

    #[test]
    fn settings_that_change_during_the_ring_end_it_for_both_sides_without_a_missed_call() {
        let mut call = ringing();
        let (_, effects) = call.apply(at(1), Command::SettingsRefuse);
        assert_eq!(effects, [CALLER, PHONE, LAPTOP].map(|device| ended(device, EndReason::Unavailable)));

        let mut call = accepted();
        assert_eq!(call.apply(at(2), Command::SettingsRefuse).1, [], "an accepted call goes on");
    }

    #[test]
    fn relays_pass_between_the_two_ends_of_an_accepted_call_and_nobody_else() {
        let mut call = ringing();
        let refused = (Reply::Error(Code::CallState), vec![]);
        assert_eq!(by(&mut call, 1, CALLER, Act::Relay { to: PHONE, seq: 0 }), refused, "before the accept");
        by(&mut call, 2, PHONE, Act::Accept);

        for (from, to) in [(CALLER, PHONE), (PHONE, CALLER)] {
            let (reply, effects) = by(&mut call, 3, from, Act::Relay { to, seq: 7 });
            assert_eq!(reply, Reply::Done);
            assert_eq!(effects, [Effect::Tell(to, Notice::Relay { from, seq: 7 })]);
        }
        for (from, to) in [(CALLER, LAPTOP), (LAPTOP, CALLER), (PHONE, LAPTOP), (CALLER, CALLER)] {
            assert_eq!(by(&mut call, 4, from, Act::Relay { to, seq: 8 }), refused);
        }
        by(&mut call, 5, PHONE, Act::End { reason: EndReason::HungUp });
        assert_eq!(by(&mut call, 6, CALLER, Act::Relay { to: PHONE, seq: 9 }), refused, "after the end");
    }

    #[test]
    fn either_end_hangs_up_and_the_other_one_hears_it_once() {
        let hang_up = Act::End { reason: EndReason::HungUp };
        for (one, other) in [(CALLER, PHONE), (PHONE, CALLER)] {
            let mut call = accepted();
            assert_eq!(by(&mut call, 9, one, hang_up), (Reply::Done, vec![ended(other, EndReason::HungUp)]));
            assert_eq!(by(&mut call, 9, one, hang_up), (Reply::Done, vec![]));
            assert_eq!(by(&mut call, 9, other, hang_up), (Reply::Done, vec![]), "both hang up at once");
            assert_eq!(call.accepted(), Some(PHONE));
        }
    }

    #[test]
    fn nobody_can_do_what_is_not_theirs_to_do() {
        let refused = (Reply::Error(Code::CallState), vec![]);
        let mut call = ringing();
        for act in [Act::Accept, Act::Ringing, DECLINED_HERE, Act::End { reason: EndReason::HungUp }] {
            assert_eq!(by(&mut call, 1, CALLER, act), refused, "the caller: {act:?}");
        }
        for act in [Act::Cancel, Act::End { reason: EndReason::HungUp }] {
            assert_eq!(by(&mut call, 1, PHONE, act), refused, "a device of the callee: {act:?}");
        }
        let mut call = accepted();
        assert_eq!(by(&mut call, 2, LAPTOP, Act::End { reason: EndReason::HungUp }), refused);
        assert_eq!(by(&mut call, 2, PHONE, DECLINED_HERE), refused, "it hangs up instead");
        assert_eq!(by(&mut call, 2, LAPTOP, DECLINED_HERE), (Reply::Done, vec![]), "it crossed the accept");
    }

    #[test]
    fn a_device_without_part_in_the_call_learns_nothing_about_it() {
        let acts = [Act::Accept, Act::Ringing, Act::Cancel, Act::Relay { to: CALLER, seq: 0 }, DECLINED_HERE];
        let mut over = ringing();
        by(&mut over, 1, CALLER, Act::Cancel);
        for mut call in [ringing(), accepted(), over] {
            let before = call.clone();
            for act in acts {
                assert_eq!(by(&mut call, 2, STRANGER, act), (Reply::Error(Code::CallUnknown), vec![]));
            }
            call.apply(at(2), Command::Reachable(STRANGER));
            assert_eq!(call, before);
        }
    }

    /// A device in a call, whose line is up.
    fn talking(device: DeviceId) -> CalleeDevice {
        CalleeDevice { device, reachable: true, in_call: true }
    }

    #[test]
    fn a_second_caller_rings_on_the_device_that_is_in_a_call_and_on_no_other() {
        let devices = [talking(PHONE), free((LAPTOP, true)), free((TABLET, false))];
        let Placed::Rings(mut call, effects) = ServerCall::create(CALL, CALLER, devices, at(45)) else {
            panic!("the phone is reachable");
        };
        assert_eq!(effects, [Effect::Tell(PHONE, Notice::Ring)]);
        assert_eq!(by(&mut call, 1, LAPTOP, Act::Accept).0, Reply::Error(Code::CallUnknown));
        let (_, effects) = by(&mut call, 2, PHONE, BUSY_HERE);
        assert_eq!(effects, [ended(CALLER, EndReason::Busy), Effect::Missed]);
    }

    #[test]
    fn with_two_devices_in_calls_a_further_caller_rings_on_both() {
        let rung = rung_devices([talking(PHONE), free((TABLET, true)), talking(LAPTOP)]);
        assert_eq!(rung, [talking(PHONE), talking(LAPTOP)]);
    }

    #[test]
    fn when_no_device_in_a_call_can_show_the_caller_all_ring() {
        let devices = [CalleeDevice { reachable: false, ..talking(PHONE) }, free((LAPTOP, true))];
        assert_eq!(rung_devices(devices), devices);
    }

    #[test]
    fn a_device_that_is_removed_while_it_rings_is_not_waited_for() {
        for (reason, effects) in [
            (DeclineReason::Declined, vec![ended(CALLER, EndReason::Declined)]),
            (DeclineReason::Busy, vec![ended(CALLER, EndReason::Busy), Effect::Missed]),
        ] {
            let mut call = ringing();
            by(&mut call, 1, PHONE, decline(reason, DeclineScope::Device));
            let removed = Command::Revoked(LAPTOP);
            assert_eq!(call.apply(at(2), removed), (Reply::Done, effects));
            assert_eq!(call.apply(at(2), removed), (Reply::Done, vec![]));
            assert_eq!(by(&mut call, 3, LAPTOP, Act::Accept).0, Reply::Error(Code::CallUnknown));
        }
    }

    #[test]
    fn those_that_are_left_after_a_removal_ring_on() {
        let mut call = ringing();
        assert_eq!(call.apply(at(1), Command::Revoked(LAPTOP)), (Reply::Done, vec![]));
        assert_eq!(call.state(), State::Ringing);
        assert_eq!(by(&mut call, 2, PHONE, Act::Accept).0, Reply::Accepted);
    }

    #[test]
    fn what_a_removed_device_had_said_counts_no_longer() {
        let mut call = ringing();
        by(&mut call, 1, LAPTOP, DECLINED_HERE);
        call.apply(at(2), Command::Revoked(LAPTOP));
        assert_eq!(call.state(), State::Ringing);
        assert!(by(&mut call, 3, PHONE, BUSY_HERE).1.contains(&ended(CALLER, EndReason::Busy)));
    }

    #[test]
    fn when_the_last_device_in_reach_is_removed_nobody_is_there_and_a_missed_call_waits() {
        let mut call = placed(&[(PHONE, true), (TABLET, false)]);
        let (_, effects) = call.apply(at(1), Command::Revoked(PHONE));
        let unavailable = [CALLER, TABLET].map(|device| ended(device, EndReason::Unavailable));
        assert_eq!(effects, [unavailable.as_slice(), &[Effect::Missed]].concat());
    }

    #[test]
    fn a_removal_changes_nothing_of_a_call_that_was_accepted_or_is_over() {
        let mut over = ringing();
        by(&mut over, 1, CALLER, Act::Cancel);
        for mut call in [accepted(), over] {
            let before = call.clone();
            assert_eq!(call.apply(at(2), Command::Revoked(PHONE)), (Reply::Done, vec![]));
            assert_eq!(call, before);
        }
    }

    /// Ids on either side of [`CALL`].
    const LOWER: CallId = CallId::new([0; 16]);
    const HIGHER: CallId = CallId::new([2; 16]);

    fn rings(call: CallId) -> Option<Crossing> {
        Some(Crossing { call, up: false })
    }

    fn up(call: CallId) -> Option<Crossing> {
        Some(Crossing { call, up: true })
    }

    #[test]
    fn the_half_of_a_glare_that_gives_way_is_replaced_and_missed_only_if_the_other_half_comes_to_nothing() {
        let cancel = Command::By(CALLER, Act::Cancel);
        let replaced = [PHONE, LAPTOP].map(|device| ended(device, EndReason::Replaced));
        let (_, effects) = ringing().apply_beside(at(1), cancel, rings(LOWER));
        assert_eq!(effects, [replaced.as_slice(), &[Effect::MissedUnless(LOWER)]].concat());
        for id in [LOWER, HIGHER] {
            assert_eq!(ringing().apply_beside(at(1), cancel, up(id)).1, replaced, "the two talk");
        }
    }

    #[test]
    fn a_caller_who_gives_up_the_half_that_goes_on_has_cancelled() {
        let cancel = Command::By(CALLER, Act::Cancel);
        let (_, effects) = ringing().apply_beside(at(1), cancel, rings(HIGHER));
        let cancelled = [PHONE, LAPTOP].map(|device| ended(device, EndReason::Cancelled));
        assert_eq!(effects, [cancelled.as_slice(), &[Effect::MissedUnless(HIGHER)]].concat());
    }

    #[test]
    fn whatever_ends_a_ring_it_is_not_missed_by_somebody_who_talks_to_the_caller() {
        let missed = |effects: Vec<Effect>| {
            let missed = |effect: &Effect| matches!(effect, Effect::Missed | Effect::MissedUnless(_));
            effects.into_iter().filter(missed).collect::<Vec<_>>()
        };
        let busy = Command::By(PHONE, BUSY_HERE);
        let lost = || {
            let mut call = placed(&[(PHONE, true)]);
            call.apply(at(1), Command::CallerLost);
            call
        };
        let ends = [
            (placed(&[(PHONE, true)]), at(45), Command::Sweep),
            (placed(&[(PHONE, true)]), at(1), busy),
            (placed(&[(PHONE, true)]), at(1), Command::Revoked(PHONE)),
            (lost(), at(16), Command::CallerBack),
        ];
        for (call, now, command) in ends {
            assert_eq!(missed(call.clone().apply(now, command).1), [Effect::Missed], "{command:?}");
            let beside = |crossing| missed(call.clone().apply_beside(now, command, crossing).1);
            assert_eq!(beside(up(HIGHER)), [], "{command:?}");
            assert_eq!(beside(rings(HIGHER)), [Effect::MissedUnless(HIGHER)], "{command:?}");
        }
    }

    #[test]
    fn a_call_that_reached_nobody_is_missed_unless_the_two_talk() {
        assert_eq!(missed_beside(None), Some(Effect::Missed));
        assert_eq!(missed_beside(rings(LOWER)), Some(Effect::MissedUnless(LOWER)));
        assert_eq!(missed_beside(up(LOWER)), None);
    }

    #[test]
    fn a_call_crosses_another_while_it_rings_or_is_up() {
        assert_eq!(ringing().crossing(at(44)), rings(CALL));
        assert_eq!(ringing().crossing(at(45)), None, "also when nobody has swept yet");
        let mut call = accepted();
        assert_eq!(call.crossing(at(1_000)), up(CALL));
        by(&mut call, 1_000, PHONE, Act::End { reason: EndReason::HungUp });
        assert_eq!(call.crossing(at(1_000)), None);
    }

    #[test]
    fn a_ring_lasts_as_long_as_asked_within_the_limits() {
        assert_eq!(ring_until(START, Millis::from_secs(30)), at(30));
        assert_eq!(ring_until(START, Millis(0)), START.after(MIN_RING));
        assert_eq!(ring_until(START, Millis(u64::MAX)), START.after(MAX_RING));
    }

    #[test]
    fn the_deadline_that_passed_first_counts() {
        assert_eq!(due(at(44), at(45), None), None);
        assert_eq!(due(at(45), at(45), None), Some(EndReason::Expired));
        assert_eq!(due(at(100), at(45), Some(at(44))), Some(EndReason::CallerLost));
        assert_eq!(due(at(100), at(45), Some(at(46))), Some(EndReason::Expired));
        assert_eq!(due(at(44), at(45), Some(at(44))), Some(EndReason::CallerLost));
        assert_eq!(CALLER_GRACE, Millis::from_secs(15));
    }

    #[test]
    fn declines_of_single_devices_come_to_one_outcome() {
        let (busy, declined) = (Some(DeclineReason::Busy), Some(DeclineReason::Declined));
        assert_eq!(declines_outcome([busy, None]), None);
        assert_eq!(declines_outcome([None, declined]), None);
        assert_eq!(declines_outcome([]), None);
        assert_eq!(declines_outcome([busy, busy]), Some(EndReason::Busy));
        assert_eq!(declines_outcome([busy, declined]), Some(EndReason::Declined));
        assert_eq!(declines_outcome([declined, busy]), Some(EndReason::Declined));
    }

    #[test]
    fn a_late_accept_hears_what_its_device_was_told() {
        assert_eq!(late_accept(PHONE, Some(LAPTOP), None), TakenKind::Answered);
        assert_eq!(late_accept(PHONE, Some(PHONE), None), TakenKind::Over);
        assert_eq!(late_accept(PHONE, None, Some(LAPTOP)), TakenKind::Declined);
        assert_eq!(late_accept(PHONE, None, Some(PHONE)), TakenKind::Over);
        assert_eq!(late_accept(PHONE, None, None), TakenKind::Over);
    }

    #[test]
    fn a_ring_that_nobody_spoke_to_is_missed() {
        for reason in [EndReason::Cancelled, EndReason::Expired, EndReason::CallerLost, EndReason::Busy] {
            assert!(is_missed(reason), "{reason:?}");
        }
        for reason in [EndReason::Declined, EndReason::Unavailable, EndReason::HungUp, EndReason::Security] {
            assert!(!is_missed(reason), "{reason:?}");
        }
    }
}
