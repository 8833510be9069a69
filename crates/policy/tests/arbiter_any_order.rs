//! One call under any sequence of commands: reordered, doubled, late, from the wrong device.

#[cfg(test)]
mod arbiter_any_order {
    use std::collections::BTreeMap;

    use carillon_policy::arbiter::{
        Act, CalleeDevice, Command, Crossing, Effect, Notice, Placed, Reply, ServerCall, State,
    };
    use carillon_wire::frame::{DeclineReason, DeclineScope, EndReason};
    use carillon_wire::{CallId, DeviceId, Millis, UnixMillis};
    use proptest::prelude::*;

    const START: UnixMillis = UnixMillis(1_800_000_000_000);
    const CALLER: DeviceId = device(0);

    const fn device(number: u8) -> DeviceId {
        DeviceId::new([number; 16])
    }

    /// The caller is 0, the callee's devices 1 to 3, and 4 has no part in the call.
    fn devices() -> impl Strategy<Value = DeviceId> {
        (0..5_u8).prop_map(device)
    }

    fn acts() -> impl Strategy<Value = Act> {
        let reason = prop_oneof![Just(DeclineReason::Busy), Just(DeclineReason::Declined)];
        prop_oneof![
            3 => Just(Act::Ringing),
            3 => Just(Act::Accept),
            3 => reason.clone().prop_map(|reason| Act::Decline { reason, scope: DeclineScope::Device }),
            1 => reason.prop_map(|reason| Act::Decline { reason, scope: DeclineScope::All }),
            1 => Just(Act::Cancel),
            2 => (devices(), 0..3_u64).prop_map(|(to, seq)| Act::Relay { to, seq }),
            1 => Just(Act::End { reason: EndReason::HungUp }),
        ]
    }

    fn commands() -> impl Strategy<Value = Command> {
        prop_oneof![
            12 => (devices(), acts()).prop_map(|(device, act)| Command::By(device, act)),
            2 => devices().prop_map(Command::Reachable),
            1 => Just(Command::CallerLost),
            1 => Just(Command::CallerBack),
            1 => Just(Command::SettingsRefuse),
            1 => devices().prop_map(Command::Revoked),
            2 => Just(Command::Sweep),
        ]
    }

    fn histories() -> impl Strategy<Value = (Vec<bool>, Vec<(u64, Command)>)> {
        let reachable = prop::collection::vec(any::<bool>(), 1..4)
            .prop_filter("one is reachable", |reachable| reachable.contains(&true));
        (reachable, prop::collection::vec((0..8_000_u64, commands()), 1..40))
    }

    fn place(reachable: &[bool]) -> Option<ServerCall> {
        let rung = (1..).map(device).zip(reachable.iter().copied());
        let rung = rung.map(|(device, reachable)| CalleeDevice { device, reachable, in_call: false });
        match ServerCall::create(CallId::new([7; 16]), CALLER, rung, START.after(Millis::from_secs(45))) {
            Placed::Rings(call, _) => Some(call),
            Placed::Unreachable => None,
        }
    }

    proptest! {
        #[test]
        fn one_device_at_most_is_accepted_and_nothing_rings_after_the_end(
            (reachable, history) in histories(),
        ) {
            let mut call = place(&reachable).unwrap();
            let mut now = START;
            let mut told_accepted = Vec::new();
            let mut replied_accepted = Vec::new();
            for (step, command) in history {
                now = now.after(Millis(step));
                let rang = call.state() == State::Ringing;
                let winner = call.accepted();
                let (reply, effects) = call.apply(now, command);
                if let (Reply::Accepted, Command::By(device, _)) = (reply, command) {
                    replied_accepted.push(device);
                }
                for effect in &effects {
                    match effect {
                        Effect::Tell(_, Notice::Ring) => prop_assert!(false, "rings a second time"),
                        Effect::Tell(to, Notice::Ringing { .. }) => {
                            prop_assert!(rang && call.state() == State::Ringing, "rings after the end");
                            prop_assert_eq!(*to, CALLER);
                        }
                        Effect::Tell(to, Notice::Accepted { device }) => {
                            prop_assert_eq!(*to, CALLER);
                            told_accepted.push(*device);
                        }
                        Effect::Tell(_, _) | Effect::Missed | Effect::MissedUnless(_) => {}
                    }
                }
                prop_assert!(winner.is_none() || call.accepted() == winner, "the winner changed");
            }
            prop_assert!(told_accepted.len() <= 1);
            prop_assert!(replied_accepted.iter().all(|device| Some(*device) == call.accepted()));
            prop_assert_eq!(told_accepted.first().copied(), call.accepted());
        }

        #[test]
        fn every_rung_device_stops_exactly_once_unless_it_spoke_for_itself(
            (reachable, history) in histories(),
        ) {
            let mut call = place(&reachable).unwrap();
            let mut now = START;
            let mut finals = BTreeMap::<DeviceId, usize>::new();
            let mut missed = 0;
            let silence = (60_000, Command::Sweep);
            for (step, command) in history.into_iter().chain([silence]) {
                now = now.after(Millis(step));
                for effect in call.apply(now, command).1 {
                    match effect {
                        Effect::Tell(device, notice) if notice.is_final() => {
                            *finals.entry(device).or_default() += 1;
                        }
                        Effect::Tell(..) => {}
                        Effect::Missed => missed += 1,
                        Effect::MissedUnless(_) => prop_assert!(false, "no call crosses it"),
                    }
                }
            }
            prop_assert_ne!(call.state(), State::Ringing, "under silence every ring ends");
            for (device, rung) in call.rung() {
                let count = finals.get(device).copied().unwrap_or(0);
                if call.accepted() == Some(*device) {
                    prop_assert!(count <= 1, "the winner hears of the hang-up at most");
                } else if rung.declined.is_some() {
                    prop_assert_eq!(count, 0, "it has stopped by itself");
                } else {
                    prop_assert_eq!(count, 1);
                }
            }
            prop_assert!(finals.get(&CALLER).copied().unwrap_or(0) <= 1);
            prop_assert!(missed <= 1 && (missed == 0 || call.accepted().is_none()));
        }

        #[test]
        fn a_call_that_a_store_kept_between_two_commands_goes_on_where_it_was(
            (reachable, history) in histories(),
        ) {
            let mut call = place(&reachable).unwrap();
            let mut now = START;
            for (step, command) in history {
                now = now.after(Millis(step));
                let mut kept = ServerCall::restore(
                    call.call(),
                    call.caller(),
                    call.rung().clone(),
                    call.expires_at(),
                    call.caller_lost_at(),
                    call.state(),
                );
                prop_assert_eq!(kept.apply(now, command), call.apply(now, command));
                prop_assert_eq!(&kept, &call);
            }
        }

        #[test]
        fn a_call_in_the_other_direction_changes_nothing_but_what_is_missed(
            (reachable, history) in histories(),
            up in any::<bool>(),
            other in prop_oneof![Just(CallId::new([6; 16])), Just(CallId::new([8; 16]))],
        ) {
            let (mut alone, mut beside) = (place(&reachable).unwrap(), place(&reachable).unwrap());
            let crossing = Crossing { call: other, up };
            let mut now = START;
            for (step, command) in history {
                now = now.after(Millis(step));
                let (reply, told) = alone.apply(now, command);
                let (same, told_beside) = beside.apply_beside(now, command, Some(crossing));
                prop_assert_eq!(reply, same);
                let cancelled = |effect: &Effect| match *effect {
                    Effect::Tell(device, Notice::Ended(EndReason::Replaced)) => {
                        Some(Effect::Tell(device, Notice::Ended(EndReason::Cancelled)))
                    }
                    Effect::Missed | Effect::MissedUnless(_) => None,
                    effect @ Effect::Tell(..) => Some(effect),
                };
                let tells = |effects: &[Effect]| effects.iter().filter_map(cancelled).collect::<Vec<_>>();
                prop_assert_eq!(tells(&told), tells(&told_beside));
                prop_assert!(!told_beside.contains(&Effect::Missed));
                let missed = told.contains(&Effect::Missed) && !up;
                prop_assert_eq!(told_beside.contains(&Effect::MissedUnless(other)), missed);
                prop_assert_eq!(alone.rung(), beside.rung());
                prop_assert_eq!(alone.accepted(), beside.accepted());
            }
        }

        #[test]
        fn a_command_sent_twice_has_its_effect_once((reachable, history) in histories()) {
            let mut call = place(&reachable).unwrap();
            let mut now = START;
            for (step, command) in history {
                now = now.after(Millis(step));
                // A deadline that has just passed belongs to neither of the two.
                call.apply(now, Command::Sweep);
                let (reply, effects) = call.apply(now, command);
                let after = call.clone();
                let (again, more) = call.apply(now, command);
                prop_assert_eq!(&call, &after);
                if matches!(command, Command::By(_, Act::Relay { .. })) {
                    prop_assert_eq!((again, more), (reply, effects), "the addressee drops the second");
                } else {
                    prop_assert_eq!(more, vec![]);
                    prop_assert_eq!(again, reply);
                }
            }
        }
    }
}
