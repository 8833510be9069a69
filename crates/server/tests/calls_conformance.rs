//! What every variant of the store does alike with calls, mailboxes and reachability: random histories of one call, taken
//! by the store and by the arbiter, come to the same replies, the same letters and the same missed calls.

#[cfg(test)]
mod fixtures;
#[cfg(test)]
#[path = "fixtures/variants.rs"]
mod variants;

#[cfg(test)]
mod conformance {
    use std::collections::{BTreeMap, BTreeSet};

    use carillon_policy::arbiter::{Act, Command, Effect, Notice, Placed, Reply, ServerCall, ring_until};
    use carillon_server::store::{Created, DeviceAdded, NewCall, NodeId, Parting, Store};
    use carillon_wire::frame::{BoxFor, DeclineReason, DeclineScope, EndReason, Event, Media};
    use carillon_wire::limits::MAILBOX_TTL;
    use carillon_wire::rest::{CallSettingsChange, MissedKind};
    use carillon_wire::{AccountId, Blob, CallId, DeviceId, Millis, UnixMillis};
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    use super::fixtures::*;
    use super::variants::stores;

    const NODE: NodeId = NodeId([1; 16]);
    const LATER: UnixMillis = UnixMillis(u64::MAX >> 2);

    /// Devices of the callee.
    const DEVICES: usize = 3;

    /// One step of a history. Devices: 0 is the caller's, then the callee's, then a stranger's.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        By(usize, Act),
        /// A relay from one device to another.
        Relay(usize, usize, u64),
        Connect(usize),
        Disconnect(usize, Parting),
        SettingsRefuse,
        Pass(u64),
        Sweep,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let device = 0..DEVICES + 2;
        let reason = prop_oneof![Just(DeclineReason::Busy), Just(DeclineReason::Declined)];
        let scope = prop_oneof![4 => Just(DeclineScope::Device), 1 => Just(DeclineScope::All)];
        let act = prop_oneof![
            3 => Just(Act::Ringing),
            2 => Just(Act::Accept),
            4 => (reason, scope).prop_map(|(reason, scope)| Act::Decline { reason, scope }),
            1 => Just(Act::Cancel),
            1 => Just(Act::End { reason: EndReason::HungUp }),
        ];
        let parting = prop_oneof![Just(Parting::Clean), Just(Parting::Lost)];
        let step = prop_oneof![
            8 => (device.clone(), act).prop_map(|(device, act)| Step::By(device, act)),
            3 => (device.clone(), device.clone(), 0..3u64).prop_map(|(from, to, seq)| Step::Relay(from, to, seq)),
            2 => (0..=DEVICES).prop_map(Step::Connect),
            2 => (0..=DEVICES, parting).prop_map(|(device, parting)| Step::Disconnect(device, parting)),
            1 => Just(Step::SettingsRefuse),
            2 => (1..20_000u64).prop_map(Step::Pass),
            1 => Just(Step::Sweep),
        ];
        proptest::collection::vec(step, 1..24)
    }

    /// What the arbiter says ought to be.
    struct Oracle {
        call: ServerCall,
        /// What each device was told, and when.
        mail: BTreeMap<DeviceId, Vec<(UnixMillis, Notice)>>,
        relayed: BTreeSet<(DeviceId, u64)>,
        missed: usize,
    }

    impl Oracle {
        fn apply(&mut self, now: UnixMillis, command: Command) -> Reply {
            let before = self.call.state();
            let (reply, effects) = self.call.apply(now, command);
            for effect in effects {
                match effect {
                    Effect::Missed => self.missed += 1,
                    // The store passes each relay on once.
                    Effect::Tell(_, Notice::Relay { from, seq }) if !self.relayed.insert((from, seq)) => {}
                    Effect::Tell(device, notice) => self.mail.entry(device).or_default().push((now, notice)),
                }
            }
            if self.call.state() != before {
                self.mail.values_mut().for_each(|mail| mail.retain(|(_, notice)| *notice != Notice::Ring));
            }
            reply
        }
    }

    /// A call between accounts of its own in a store that other histories have used before.
    struct World<'a> {
        store: &'a Store,
        oracle: Oracle,
        callee: AccountId,
        devices: Vec<DeviceId>,
        connections: BTreeMap<DeviceId, carillon_server::store::Connection>,
        now: UnixMillis,
    }

    fn notice(event: &Event) -> Notice {
        match event {
            Event::Ring { .. } => Notice::Ring,
            Event::Ringing { device, .. } => Notice::Ringing { device: *device },
            Event::Accepted { device, .. } => Notice::Accepted { device: *device },
            Event::Taken { kind, .. } => Notice::Taken(*kind),
            Event::Relay { from_device, seq, .. } => Notice::Relay { from: *from_device, seq: *seq },
            Event::Ended { reason, .. } => Notice::Ended(*reason),
            Event::Unknown => panic!("the server makes no event that it does not know"),
        }
    }

    async fn callee(store: &Store, number: u16, handle: &str) -> (AccountId, Vec<DeviceId>) {
        let (account, first) = somebody(store, number, handle).await;
        let everyone = CallSettingsChange { everyone: Some(true), ..CallSettingsChange::default() };
        store.change_call_settings(account, everyone).await.unwrap();
        let mut devices = vec![first];
        for index in 1..DEVICES as u16 {
            let entry = device(number, number + index);
            let added = store.add_device(account, &entry, &session(number + index), NOW).await.unwrap();
            assert_eq!(added, DeviceAdded::Added);
            devices.push(entry.device);
        }
        (account, devices)
    }

    impl<'a> World<'a> {
        /// Places a call to a callee of whose devices the first is connected, and others as `online` says.
        async fn new(store: &'a Store, number: u16, online: &[bool]) -> Self {
            let base = number * 8;
            let (caller, device) = somebody(store, base, &format!("caller{number}x")).await;
            let (callee, devices) = callee(store, base + 1, &format!("callee{number}x")).await;
            let (_, stranger) = somebody(store, base + 7, &format!("nobody{number}x")).await;
            let mut connections = BTreeMap::new();
            let reachable: Vec<_> =
                devices.iter().zip(online).map(|(device, online)| (*device, *online)).collect();
            for connected in
                reachable.iter().filter(|(_, online)| *online).map(|(device, _)| *device).chain([device])
            {
                let (welcomed, _) = store.connect(connected, NODE, None, NOW).await.unwrap().unwrap();
                connections.insert(connected, welcomed.connection);
            }
            let mut id = [0; 16];
            id[..2].copy_from_slice(&number.to_be_bytes());
            let call = CallId::new(id);
            let boxes: Vec<_> =
                devices.iter().map(|&device| BoxFor { device, sealed: Blob(vec![7]) }).collect();
            let (media, expires_in) = (Media::Audio, Millis(30_000));
            let new = NewCall { call, caller, device, callee, media, expires_in, boxes: &boxes };
            let (created, _) = store.create_call(new, NODE, NOW, NOW).await.unwrap();
            assert_eq!(created, Created::Rings(expires_in));
            let Placed::Rings(machine, effects) =
                ServerCall::create(call, device, reachable, ring_until(NOW, expires_in))
            else {
                panic!("it rings")
            };
            let mut mail = BTreeMap::<_, Vec<_>>::new();
            for effect in effects {
                if let Effect::Tell(device, notice) = effect {
                    mail.entry(device).or_default().push((NOW, notice));
                }
            }
            let oracle = Oracle { call: machine, mail, relayed: BTreeSet::new(), missed: 0 };
            let devices = [vec![device], devices, vec![stranger]].concat();
            Self { store, oracle, callee, devices, connections, now: NOW }
        }

        async fn act(&mut self, index: usize, act: Act) {
            let sealed = Blob(vec![9]);
            let (device, now) = (self.devices[index], self.now);
            let (reply, _) =
                self.store.act(self.oracle.call.call(), device, act, Some(&sealed), now).await.unwrap();
            assert_eq!(reply, self.oracle.apply(now, Command::By(device, act)));
        }

        async fn step(&mut self, step: Step) {
            let now = self.now;
            match step {
                Step::By(index, act) => self.act(index, act).await,
                Step::Relay(from, to, seq) => {
                    self.act(from, Act::Relay { to: self.devices[to], seq }).await;
                }
                Step::Connect(index) => {
                    let device = self.devices[index];
                    let (welcomed, _) = self.store.connect(device, NODE, None, now).await.unwrap().unwrap();
                    self.connections.insert(device, welcomed.connection);
                    if index == 0 {
                        self.oracle.apply(now, Command::CallerBack);
                    } else if self.oracle.call.rung().get(&device).is_some_and(|one| !one.reachable) {
                        self.oracle.apply(now, Command::Reachable(device));
                    }
                }
                Step::Disconnect(index, parting) => {
                    let Some(connection) = self.connections.remove(&self.devices[index]) else { return };
                    assert!(self.store.disconnect(connection, parting, now).await.unwrap().is_some());
                    if index == 0 {
                        self.oracle.apply(now, Command::CallerLost);
                    }
                }
                Step::SettingsRefuse => {
                    let change =
                        |on| CallSettingsChange { enabled: Some(on), ..CallSettingsChange::default() };
                    self.store.change_call_settings(self.callee, change(false)).await.unwrap();
                    self.store.recheck_calls(self.callee, NODE, now).await.unwrap();
                    self.store.change_call_settings(self.callee, change(true)).await.unwrap();
                    self.oracle.apply(now, Command::SettingsRefuse);
                }
                Step::Pass(span) => self.now = now.after(Millis(span)),
                Step::Sweep => {
                    self.store.sweep_calls(now).await.unwrap();
                    self.oracle.apply(now, Command::Sweep);
                }
            }
        }

        /// The deadline shows what the clock will do; the mailboxes what was told; the list what was missed.
        async fn compare(&self) {
            let missed = self.store.missed_calls(self.callee, MissedKind::Missed, 0, 10).await.unwrap();
            assert_eq!(missed.len(), self.oracle.missed);
            for device in &self.devices {
                let mail = self.store.mail(*device, 0, 200, self.now).await.unwrap();
                let told: Vec<_> = mail.iter().map(|mail| notice(&mail.event)).collect();
                let expected: Vec<_> = self
                    .oracle
                    .mail
                    .get(device)
                    .into_iter()
                    .flatten()
                    .filter(|(told_at, notice)| match notice {
                        // A ring that has expired is not delivered, whether it was swept or not.
                        Notice::Ring => self.now < self.oracle.call.expires_at(),
                        _ => self.now < told_at.after(MAILBOX_TTL),
                    })
                    .map(|(_, notice)| *notice)
                    .collect();
                assert_eq!(told, expected, "{device:?}");
                assert!(mail.windows(2).all(|pair| pair[0].seq < pair[1].seq));
            }
        }
    }

    async fn run(store: &Store, number: u16, online: &[bool], steps: &[Step]) {
        let mut world = World::new(store, number, online).await;
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
                .run(&(online, steps()), |(others, steps)| {
                    let number = {
                        let mut counter = counter.borrow_mut();
                        **counter += 1;
                        **counter
                    };
                    let online = [vec![true], others].concat();
                    runtime.block_on(run(&store, number, &online, &steps));
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
            let world = World::new(&store, 1, &[true, true, true]).await;
            let phone = world.devices[1];
            assert_eq!(store.mail(phone, 0, 10, NOW).await.unwrap().len(), 1);
            assert!(store.revoke_device(world.callee, phone, NOW).await.unwrap());
            assert_eq!(store.mail(phone, 0, 10, NOW).await.unwrap(), []);
            assert!(store.connect(phone, NODE, None, NOW).await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn calls_are_forgotten_when_they_are_over_and_not_before() {
        for (store, _folder) in stores().await {
            let mut world = World::new(&store, 1, &[true, true, true]).await;
            world.act(1, Act::Accept).await;
            store.forget_calls(NOW.after(Millis::from_secs(23 * 3600))).await.unwrap();
            world.act(0, Act::End { reason: EndReason::HungUp }).await;
            store.forget_calls(NOW.after(Millis(119_999))).await.unwrap();
            world.act(0, Act::End { reason: EndReason::HungUp }).await;
            store.forget_calls(NOW.after(Millis(120_000))).await.unwrap();
            let (call, device) = (world.oracle.call.call(), world.devices[0]);
            let (reply, _) = store.act(call, device, Act::Cancel, None, NOW).await.unwrap();
            assert_eq!(reply, Reply::Error(carillon_wire::Code::CallUnknown));
        }
    }
}
