//! What every variant of the store does alike with calls, mailboxes and reachability: random histories of three calls,
//! taken by the store and by the arbiter, come to the same replies, the same letters and the same missed calls.

#[cfg(test)]
mod fixtures;
#[cfg(test)]
#[path = "fixtures/histories.rs"]
mod histories;
#[cfg(test)]
#[path = "fixtures/variants.rs"]
mod variants;

#[cfg(test)]
mod conformance {
    use carillon_policy::arbiter::{Act, Notice, Reply};
    use carillon_server::store::{Created, NodeId, Parting, Store};
    use carillon_wire::frame::{DeclineReason, DeclineScope, EndReason};
    use carillon_wire::{Code, Millis, UnixMillis};
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    use super::fixtures::*;
    use super::histories::*;
    use super::variants::stores;

    const LATER: UnixMillis = UnixMillis(u64::MAX >> 2);

    async fn run(store: &Store, number: u16, online: &[bool], back_is_lower: bool, steps: &[Step]) {
        let mut world = World::ringing(store, number, online, back_is_lower).await;
        for step in steps {
            world.step(*step).await;
            // What the clock does comes with the next command; before it, the store may not have looked.
            world.compare().await;
        }
        world.store.sweep_calls(LATER).await.unwrap();
    }

    #[test]
    fn the_store_and_the_arbiter_agree_on_every_history() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for (store, _folder) in runtime.block_on(stores()) {
            let mut number = 0;
            let config = Config { cases: 256, failure_persistence: None, ..Config::default() };
            let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
            let online = proptest::collection::vec(any::<bool>(), DEVICES - 1);
            let counter = std::cell::RefCell::new(&mut number);
            TestRunner::new_with_rng(config, rng)
                .run(&(online, any::<bool>(), steps()), |(online, back_is_lower, steps)| {
                    let number = {
                        let mut counter = counter.borrow_mut();
                        **counter += 1;
                        **counter
                    };
                    runtime.block_on(run(&store, number, &online, back_is_lower, &steps));
                    Ok(())
                })
                .unwrap();
        }
    }

    #[tokio::test]
    async fn a_node_whose_lease_has_run_out_takes_its_devices_with_it() {
        for (store, _folder) in stores().await {
            let (ada, first) = somebody(&store, 1, "ada").await;
            let other = NodeId([2; 16]);
            store.renew_lease(other, NOW.after(Millis(20_000))).await.unwrap();
            store.connect(first, other, None, NOW).await.unwrap();
            let reachable = |now| store.reachable_devices(ada, NODE, now);
            assert_eq!(reachable(NOW).await.unwrap(), [first], "through the other node");
            let late = NOW.after(Millis(20_000));
            assert_eq!(reachable(late).await.unwrap(), []);
            store.bury_nodes(NODE, late).await.unwrap();
            assert_eq!(reachable(late).await.unwrap(), [first], "it may come back");
            assert_eq!(reachable(late.after(Millis(15_000))).await.unwrap(), []);
        }
    }

    #[tokio::test]
    async fn the_end_of_an_older_connection_changes_nothing() {
        for (store, _folder) in stores().await {
            let (ada, first) = somebody(&store, 1, "ada").await;
            let (older, _) = store.connect(first, NODE, None, NOW).await.unwrap().unwrap();
            store.connect(first, NODE, None, NOW).await.unwrap().unwrap();
            assert!(store.disconnect(older.connection, Parting::Clean, NOW).await.unwrap().is_none());
            assert_eq!(store.reachable_devices(ada, NODE, NOW).await.unwrap(), [first]);
        }
    }

    #[tokio::test]
    async fn a_revoked_device_has_no_mailbox() {
        for (store, _folder) in stores().await {
            let world = World::ringing(&store, 1, &[true, true], false).await;
            let phone = world.devices[GRACE];
            assert_eq!(store.mail(phone, 0, 10, NOW).await.unwrap().len(), 1);
            assert!(store.revoke_device(world.account(GRACE), phone, NOW).await.unwrap().is_some());
            assert_eq!(store.mail(phone, 0, 10, NOW).await.unwrap(), []);
            assert!(store.connect(phone, NODE, None, NOW).await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn calls_are_forgotten_when_they_are_over_and_not_before() {
        for (store, _folder) in stores().await {
            let mut world = World::ringing(&store, 1, &[true, true], false).await;
            world.act(Which::First, GRACE, Act::Accept).await;
            store.forget_calls(NOW.after(Millis::from_secs(23 * 3600))).await.unwrap();
            world.act(Which::First, ADA, Act::End { reason: EndReason::HungUp }).await;
            store.forget_calls(NOW.after(Millis(119_999))).await.unwrap();
            world.act(Which::First, ADA, Act::End { reason: EndReason::HungUp }).await;
            store.forget_calls(NOW.after(Millis(120_000))).await.unwrap();
            let (call, device) = (world.oracle.calls[&Which::First].call(), world.devices[ADA]);
            let (reply, _) = store.act(call, device, Act::Cancel, None, NOW).await.unwrap();
            assert_eq!(reply, Reply::Error(Code::CallUnknown));
        }
    }

    const CANCEL: Act = Act::Cancel;
    const HANG_UP: Act = Act::End { reason: EndReason::HungUp };
    const BUSY: Act = Act::Decline { reason: DeclineReason::Busy, scope: DeclineScope::Device };

    /// Who is told what about a call, as far as it has not been taken out again.
    fn told(world: &World<'_>, which: Which, index: usize) -> Vec<Notice> {
        let mail = world.oracle.mail.get(&world.devices[index]).into_iter().flatten();
        mail.filter(|(_, one, _)| *one == which).map(|(_, _, notice)| *notice).collect()
    }

    #[tokio::test]
    async fn of_two_who_call_each_other_nobody_misses_the_half_that_gave_way() {
        for (store, _folder) in stores().await {
            let mut world = World::ringing(&store, 1, &[true, true], false).await;
            world.place(Which::Back).await;
            world.act(Which::Back, GRACE, CANCEL).await;
            assert_eq!(told(&world, Which::Back, ADA), [Notice::Ended(EndReason::Replaced)]);
            assert_eq!(world.act(Which::First, GRACE, Act::Accept).await, Reply::Accepted);
            world.act(Which::First, ADA, HANG_UP).await;
            world.compare().await;
            assert_eq!((world.missed(Which::First).await, world.missed(Which::Back).await), (0, 0));
        }
    }

    #[tokio::test]
    async fn a_half_that_gave_way_for_nothing_is_missed_after_all() {
        for (store, _folder) in stores().await {
            let mut world = World::ringing(&store, 1, &[true, true], false).await;
            world.place(Which::Back).await;
            world.act(Which::Back, GRACE, CANCEL).await;
            assert_eq!(world.missed(Which::Back).await, 0);
            world.act(Which::First, ADA, CANCEL).await;
            world.compare().await;
            assert_eq!((world.missed(Which::First).await, world.missed(Which::Back).await), (1, 1));
        }
    }

    #[tokio::test]
    async fn who_calls_from_another_device_while_the_two_talk_is_not_missed() {
        for (store, _folder) in stores().await {
            let mut world = World::ringing(&store, 1, &[true, true], true).await;
            world.act(Which::First, GRACE + 1, Act::Accept).await;
            world.step(Step::Disconnect(ADA, Parting::Clean)).await;
            assert_eq!(world.place(Which::Back).await, Created::Refused);
            world.compare().await;
            assert_eq!(world.missed(Which::Back).await, 0);
        }
    }

    #[tokio::test]
    async fn a_call_that_one_end_has_forgotten_hides_no_missed_call() {
        for (store, _folder) in stores().await {
            for (number, forgets) in (1..).zip([ADA, GRACE]) {
                let mut world = World::ringing(&store, number, &[true, true], false).await;
                world.act(Which::First, GRACE, Act::Accept).await;
                world.step(Step::Connect(forgets, true)).await;
                world.place(Which::Back).await;
                world.act(Which::Back, GRACE, CANCEL).await;
                world.compare().await;
                assert_eq!(world.missed(Which::Back).await, 1);
            }
        }
    }

    #[tokio::test]
    async fn a_second_caller_rings_on_the_device_in_a_call_and_is_told_what_that_one_says() {
        for (store, _folder) in stores().await {
            let mut world = World::ringing(&store, 1, &[true, true], false).await;
            world.act(Which::First, GRACE + 1, Act::Accept).await;
            world.place(Which::Second).await;
            world.compare().await;
            let rung = |index| told(&world, Which::Second, index);
            assert_eq!([rung(GRACE), rung(GRACE + 1), rung(GRACE + 2)], [vec![], vec![Notice::Ring], vec![]]);
            world.act(Which::Second, GRACE + 1, BUSY).await;
            world.compare().await;
            assert_eq!(told(&world, Which::Second, MARY), [Notice::Ended(EndReason::Busy)]);
            assert_eq!(world.missed(Which::Second).await, 1);
        }
    }

    /// On how many of Grace's devices Mary's call rings.
    async fn rung_by_mary(mut world: World<'_>) -> usize {
        world.place(Which::Second).await;
        world.compare().await;
        world.oracle.calls[&Which::Second].rung().len()
    }

    #[tokio::test]
    async fn a_device_that_can_not_show_a_second_caller_keeps_none_from_the_others() {
        for (store, _folder) in stores().await {
            for (number, step) in (1..).zip([
                // Its line is lost, and it may come back.
                Step::Disconnect(GRACE, Parting::Lost),
                Step::Disconnect(GRACE, Parting::Clean),
                // It was started anew and knows of no call.
                Step::Connect(GRACE, true),
                // The call is over.
                Step::By(Which::First, ADA, HANG_UP),
                Step::Revoke(GRACE),
            ]) {
                let mut world = World::ringing(&store, number, &[true, true], false).await;
                world.act(Which::First, GRACE, Act::Accept).await;
                world.step(step).await;
                let devices = DEVICES - usize::from(matches!(step, Step::Revoke(_)));
                assert_eq!(rung_by_mary(world).await, devices, "{step:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_device_that_comes_back_to_its_call_is_in_it_still() {
        for (store, _folder) in stores().await {
            let mut world = World::ringing(&store, 1, &[true, true], false).await;
            world.act(Which::First, GRACE, Act::Accept).await;
            world.step(Step::Disconnect(GRACE, Parting::Lost)).await;
            world.step(Step::Connect(GRACE, false)).await;
            assert_eq!(rung_by_mary(world).await, 1);
        }
    }

    #[tokio::test]
    async fn a_call_that_nobody_ended_is_forgotten_after_a_day() {
        for (store, _folder) in stores().await {
            let mut world = World::ringing(&store, 1, &[true, true], false).await;
            world.act(Which::First, GRACE, Act::Accept).await;
            world.now = NOW.after(Millis::from_secs(24 * 3600));
            store.forget_calls(world.now).await.unwrap();
            world.oracle.calls.remove(&Which::First);
            assert_eq!(rung_by_mary(world).await, DEVICES);
        }
    }

    #[tokio::test]
    async fn a_device_that_is_removed_while_it_rings_is_not_waited_for() {
        for (store, _folder) in stores().await {
            let mut world = World::ringing(&store, 1, &[true], false).await;
            world.act(Which::First, GRACE, BUSY).await;
            world.step(Step::Revoke(GRACE + 1)).await;
            world.compare().await;
            assert_eq!(told(&world, Which::First, ADA), [Notice::Ended(EndReason::Busy)]);
            assert_eq!(store.next_deadline().await.unwrap(), None);
        }
    }
}
