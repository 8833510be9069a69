//! Every order of events, checked by `stateright`: the machine that runs on devices, with the arbiter that the server
//! is held to.
//!
//! The network keeps whatever was ever sent, and may deliver any of it at any time, any number of times: so it loses
//! (what is never delivered), doubles and reorders without a bound, far worse than a mailbox does. Timers run out at
//! any time while they run, so every race with a clock is tried. The people do what they may, at any time.
//!
//! What is covered:
//! - one call to two devices, with everything that people can do, and timers: completely;
//! - two people with a device each who call each other, and either hang up at any time, or all timers run out at any
//!   time, or the rings come late: each completely;
//! - two people with two devices each who call each other and accept what rings, without timers, and without what comes
//!   after the accept: completely; with everything: the first steps.

mod holds;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use carillon_policy::arbiter::{self, Act, CalleeDevice, Effect, Notice, Placed, Reply, ServerCall};
use carillon_wire::UnixMillis;
use carillon_wire::frame::{DeclineScope, Media};
use carillon_wire::payload::{HangUpReason, Payload};
use stateright::util::HashableHashSet;
use stateright::{Checker, Model, Property};

use super::*;
use crate::{Call, Timer};
use holds::{
    at_both_ends, ends_agree, glare_leaves_one_call, leads_on, nothing_rings_after_the_end, one_call_each,
    one_winner,
};

/// What a frame says and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Packet {
    /// To the server.
    Create(CallId),
    /// To the server, from this device.
    Act(DeviceId, CallId, Act),
    /// To the caller.
    Created(CallId),
    /// To this device: the reply to an `accept` or a `ringing`.
    Reply(DeviceId, CallId, Reply),
    /// To this device.
    Notice(DeviceId, CallId, Notice),
}

/// `seq` stands for what a relay holds.
const CONFIRM: u64 = 0;
const HANG_UP: u64 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Accept,
    DeclineHere,
    DeclineForAll,
    HangUp,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Action {
    Dial(CallId),
    Choose(DeviceId, CallId, Choice),
    Deliver(Packet),
    TimeOut(DeviceId, CallId, Timer),
    /// DTLS comes up on this device.
    Dtls(DeviceId, CallId),
    /// The ring expires at the server.
    Expire(CallId),
}

/// A call that somebody may place.
#[derive(Debug, Clone, Copy)]
struct Plan {
    id: CallId,
    caller: DeviceId,
    callee: char,
}

/// Who is there and what they may do.
#[derive(Debug, Clone)]
struct Scene {
    devices: Vec<(char, DeviceId)>,
    plans: Vec<Plan>,
    choices: Vec<Choice>,
    timers: bool,
    /// Ringback and what happens after the accept are part of it.
    whole: bool,
    /// How long a ring says that it has been ringing.
    age: Millis,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    devices: BTreeMap<DeviceId, Calls>,
    server: BTreeMap<CallId, ServerCall>,
    network: HashableHashSet<Packet>,
    dialled: BTreeSet<CallId>,
    /// A tone is heard on this device for this call.
    sounding: BTreeSet<(DeviceId, CallId)>,
    /// This device was told that the call is over for it.
    told: BTreeSet<(DeviceId, CallId)>,
    /// This device of the callee has had the call at some time.
    winners: BTreeSet<(CallId, DeviceId)>,
}

const NOW: UnixMillis = UnixMillis(0);
const EXPIRY: UnixMillis = UnixMillis(60_000);

impl World {
    fn call(&self, device: DeviceId, id: CallId) -> Option<&Call> {
        self.devices.get(&device)?.get(id)
    }

    fn calls(&self) -> impl Iterator<Item = (DeviceId, &Call)> {
        let ids = self.dialled.iter().copied();
        ids.flat_map(|id| {
            self.devices.iter().filter_map(move |(device, calls)| Some((*device, calls.get(id)?)))
        })
    }

    fn feed(&mut self, device: DeviceId, id: CallId, input: Input) {
        let Some(calls) = self.devices.get_mut(&device) else { return };
        calls.handle(*START, id, input);
        self.carry_out(device);
    }

    /// Does what a device asks for: frames go into the network, a peer connection answers at once.
    fn carry_out(&mut self, device: DeviceId) {
        while let Some((id, output)) = self.devices.get_mut(&device).and_then(Calls::poll_output) {
            match output {
                Output::Send(command) => self.send(device, id, command),
                Output::Peer(
                    PeerCommand::Create { role: Role::Caller, .. } | PeerCommand::ApplyRemote { .. },
                ) => {
                    let description = description(device);
                    let ready = Transport::LocalDescription { generation: 0, description };
                    if let Some(calls) = self.devices.get_mut(&device) {
                        calls.handle(*START, id, Input::Transport(ready));
                    }
                }
                Output::Ring(Tone::Stop) => {
                    self.sounding.remove(&(device, id));
                }
                Output::Ring(Tone::Incoming | Tone::Waiting | Tone::Outgoing) => {
                    self.sounding.insert((device, id));
                }
                Output::Peer(
                    PeerCommand::Create { role: Role::Callee, .. }
                    | PeerCommand::AddCandidates { .. }
                    | PeerCommand::RestartIce { .. }
                    | PeerCommand::SendData(_)
                    | PeerCommand::LimitRate { .. }
                    | PeerCommand::Close,
                )
                | Output::Show(_)
                | Output::Record(_) => {}
            }
        }
        let won = self.devices.get(&device).into_iter().flat_map(|calls| {
            let won = |call: &&Call| call.role() == Role::Callee && call.state().is_accepted();
            self.dialled.iter().filter_map(|id| calls.get(*id)).filter(won).map(|call| (call.id(), device))
        });
        self.winners.extend(won.collect::<Vec<_>>());
    }

    fn send(&mut self, device: DeviceId, id: CallId, command: Command) {
        let act = match command {
            Command::Create { .. } => {
                self.network.insert(Packet::Create(id));
                return;
            }
            Command::Ringing => Act::Ringing,
            Command::Accept { .. } => Act::Accept,
            Command::Decline { reason, scope } => Act::Decline { reason, scope },
            Command::Cancel => Act::Cancel,
            Command::Relay { to_device: to, payload: Payload::Confirm { .. } } => {
                Act::Relay { to, seq: CONFIRM }
            }
            Command::Relay { to_device: to, payload: Payload::HangUp { .. } } => {
                Act::Relay { to, seq: HANG_UP }
            }
            // Candidates and media have no part in who has the call.
            Command::Relay { .. } => return,
            Command::End { reason } => Act::End { reason },
        };
        self.network.insert(Packet::Act(device, id, act));
    }

    /// Lets a call at the server take a command, beside the one in the other direction.
    fn command(
        &mut self,
        scene: &Scene,
        id: CallId,
        now: UnixMillis,
        command: arbiter::Command,
    ) -> Option<Reply> {
        let plan = scene.plan(id)?;
        let crosses = |other: &&Plan| {
            (scene.account(other.caller), other.callee) == (plan.callee, scene.account(plan.caller))
        };
        let other = scene.plans.iter().find(crosses).and_then(|other| self.server.get(&other.id));
        let crossing = other.and_then(|other| other.crossing(now));
        let (reply, effects) = self.server.get_mut(&id)?.apply_beside(now, command, crossing);
        self.tell(id, effects);
        Some(reply)
    }

    fn serve(&mut self, scene: &Scene, from: DeviceId, id: CallId, act: Act) {
        let reply = self.command(scene, id, NOW, arbiter::Command::By(from, act));
        let reply = reply.unwrap_or(Reply::Error(carillon_wire::Code::CallUnknown));
        match act {
            Act::Ringing | Act::Accept if reply != Reply::Done => {
                self.network.insert(Packet::Reply(from, id, reply));
            }
            Act::Ringing
            | Act::Accept
            | Act::Decline { .. }
            | Act::Cancel
            | Act::Relay { .. }
            | Act::End { .. } => {}
        }
    }

    /// For all that the server knows.
    fn is_in_call(&self, device: DeviceId) -> bool {
        self.server.values().any(|call| match call.state() {
            arbiter::State::Accepted(winner) => winner == device || call.caller() == device,
            arbiter::State::Ringing | arbiter::State::Ended { .. } => false,
        })
    }

    fn tell(&mut self, id: CallId, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Tell(device, notice) => {
                    self.network.insert(Packet::Notice(device, id, notice));
                }
                Effect::Missed | Effect::MissedUnless(_) => {}
            }
        }
    }

    fn create(&mut self, scene: &Scene, plan: Plan) {
        let callee = scene.devices.iter().filter(|(account, _)| *account == plan.callee);
        let callee: Vec<_> = callee
            .map(|&(_, device)| CalleeDevice { device, reachable: true, in_call: self.is_in_call(device) })
            .collect();
        if let Entry::Vacant(place) = self.server.entry(plan.id) {
            match ServerCall::create(plan.id, plan.caller, callee, EXPIRY) {
                Placed::Rings(call, effects) => {
                    place.insert(call);
                    self.tell(plan.id, effects);
                }
                Placed::Unreachable => return,
            }
        }
        self.network.insert(Packet::Created(plan.id));
    }

    fn notice(&mut self, scene: &Scene, device: DeviceId, id: CallId, notice: Notice) {
        let Some(plan) = scene.plan(id) else { return };
        let signal = match notice {
            Notice::Ring => {
                let account = scene.account(plan.caller);
                let (device, description) = (plan.caller, description(plan.caller));
                Signal::Ring(Ring { device, description, age: scene.age, ..ring(account) })
            }
            Notice::Ringing { device } => Signal::Ringing { device },
            Notice::Accepted { device } => accepted(device),
            Notice::Taken(kind) => Signal::Taken { kind },
            Notice::Ended(reason) => Signal::Ended { reason },
            Notice::Relay { from: from_device, seq: CONFIRM } => {
                Signal::ConfirmChecked { from_device, valid: true }
            }
            Notice::Relay { from: from_device, .. } => {
                Signal::Payload { from_device, payload: Payload::HangUp { reason: HangUpReason::HungUp } }
            }
        };
        if notice.is_final() {
            self.told.insert((device, id));
        }
        self.feed(device, id, Input::Signal(signal));
    }

    fn deliver(&mut self, scene: &Scene, packet: Packet) {
        match packet {
            Packet::Create(id) => {
                if let Some(plan) = scene.plan(id) {
                    self.create(scene, plan);
                }
            }
            Packet::Act(from, id, act) => self.serve(scene, from, id, act),
            Packet::Created(id) => {
                if let Some(plan) = scene.plan(id) {
                    let created = Signal::Created { expires_in: Millis::from_secs(60) };
                    self.feed(plan.caller, id, Input::Signal(created));
                }
            }
            Packet::Reply(device, id, reply) => match reply {
                Reply::Done => {}
                Reply::Accepted => self.feed(device, id, Input::Signal(Signal::AcceptConfirmed)),
                Reply::Taken(kind) => {
                    self.told.insert((device, id));
                    self.feed(device, id, Input::Signal(Signal::Taken { kind }));
                }
                Reply::Error(code) => self.feed(device, id, Input::Signal(Signal::Failed { code })),
            },
            Packet::Notice(device, id, notice) => self.notice(scene, device, id, notice),
        }
    }
}

/// Keeps the number of states small without losing any behaviour.
impl World {
    /// Drops the frames that have no part in who gets the call.
    fn leave_out_details(&mut self) {
        let details = |packet: &Packet| match packet {
            Packet::Act(_, _, act) => matches!(act, Act::Ringing | Act::Relay { .. }),
            Packet::Create(_) | Packet::Created(_) | Packet::Reply(..) | Packet::Notice(..) => false,
        };
        let details: Vec<_> = self.network.iter().filter(|packet| details(packet)).copied().collect();
        for packet in &details {
            self.network.remove(packet);
        }
    }

    /// Drops what can never make a difference again.
    fn collapse(&mut self, scene: &Scene) {
        self.devices.values_mut().for_each(|calls| calls.collapse(*START));
        let spent: Vec<_> =
            self.network.iter().filter(|packet| self.is_spent(scene, packet)).copied().collect();
        for packet in &spent {
            self.network.remove(packet);
        }
        let devices = &self.devices;
        self.told.retain(|(device, id)| devices.get(device).is_some_and(|calls| !calls.knows_over(*id)));
    }

    /// Whether delivering this, now or at any later time, changes nothing.
    fn is_spent(&self, scene: &Scene, packet: &Packet) -> bool {
        let over = |device, id| self.devices.get(&device).is_some_and(|calls: &Calls| calls.knows_over(id));
        match *packet {
            Packet::Create(id) => self.server.contains_key(&id),
            Packet::Act(from, id, act) => {
                self.server.get(&id).is_some_and(|call| act_is_spent(call, from, act, over(from, id)))
            }
            Packet::Created(id) => scene
                .plan(id)
                .and_then(|plan| self.call(plan.caller, id))
                .is_some_and(|call| call.state() != State::Offering),
            Packet::Reply(device, id, _) => over(device, id),
            Packet::Notice(device, id, notice) => match notice {
                // Answered with `end` even when the call is over.
                Notice::Accepted { .. } => false,
                Notice::Ring => over(device, id) || self.call(device, id).is_some(),
                Notice::Ringing { .. } => {
                    let call = self.call(device, id);
                    call.is_some_and(|call| !call.state().is_dialling())
                        || self.sounding.contains(&(device, id))
                }
                Notice::Taken(_) | Notice::Ended(_) | Notice::Relay { .. } => over(device, id),
            },
        }
    }
}

fn act_is_spent(call: &ServerCall, from: DeviceId, act: Act, over_there: bool) -> bool {
    let (rings, accepted, ended) = match call.state() {
        arbiter::State::Ringing => (true, false, false),
        arbiter::State::Accepted(_) => (false, true, false),
        arbiter::State::Ended { .. } => (false, false, true),
    };
    match act {
        Act::Ringing => !rings || call.rung().get(&from).is_some_and(|rung| rung.ringing),
        // The reply differs.
        Act::Accept => !rings && over_there,
        Act::Decline { .. } => accepted || ended,
        Act::Cancel | Act::Relay { .. } | Act::End { .. } => ended,
    }
}

impl Scene {
    fn plan(&self, id: CallId) -> Option<Plan> {
        self.plans.iter().find(|plan| plan.id == id).copied()
    }

    fn account(&self, device: DeviceId) -> char {
        self.devices.iter().find(|(_, one)| *one == device).map_or('?', |(account, _)| *account)
    }

    fn choices(&self, call: &Call) -> Vec<Choice> {
        let fits = |choice: &Choice| match (choice, call.state()) {
            (Choice::Accept | Choice::DeclineHere | Choice::DeclineForAll, State::Alerting) => true,
            // Hanging up an incoming ring is declining it.
            (Choice::HangUp, state) => state.is_live() && state != State::Alerting,
            (
                Choice::Accept | Choice::DeclineHere | Choice::DeclineForAll,
                State::Offering
                | State::Ringing
                | State::Accepting
                | State::Connecting
                | State::Connected
                | State::Reconnecting
                | State::Ended,
            ) => false,
        };
        let shown = call.view().is_some();
        self.choices.iter().copied().filter(|choice| shown && fits(choice)).collect()
    }
}

impl Model for Scene {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            devices: self.devices.iter().map(|(_, device)| (*device, Calls::new())).collect(),
            server: BTreeMap::new(),
            network: HashableHashSet::new(),
            dialled: BTreeSet::new(),
            sounding: BTreeSet::new(),
            told: BTreeSet::new(),
            winners: BTreeSet::new(),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let undialled = self.plans.iter().filter(|plan| !world.dialled.contains(&plan.id));
        actions.extend(undialled.map(|plan| Action::Dial(plan.id)));
        // Always in the same order.
        let packets: BTreeMap<u64, Packet> = world
            .network
            .iter()
            .map(|packet| (BuildHasherDefault::<DefaultHasher>::default().hash_one(packet), *packet))
            .collect();
        actions.extend(packets.into_values().map(Action::Deliver));
        for (device, call) in world.calls() {
            let id = call.id();
            actions.extend(self.choices(call).into_iter().map(|choice| Action::Choose(device, id, choice)));
            if self.whole && call.state() == State::Connecting {
                actions.push(Action::Dtls(device, id));
            }
            if self.timers {
                actions.extend(call.running().into_iter().map(|timer| Action::TimeOut(device, id, timer)));
            }
        }
        if self.timers {
            actions.extend(world.server.keys().map(|id| Action::Expire(*id)));
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Dial(id) => {
                let plan = self.plan(id)?;
                world.dialled.insert(id);
                world.feed(plan.caller, id, dial(plan.callee, Media::Video));
            }
            Action::Choose(device, id, choice) => {
                let user = match choice {
                    Choice::Accept => User::Accept { video: true },
                    Choice::DeclineHere => User::Decline { scope: DeclineScope::Device },
                    Choice::DeclineForAll => User::Decline { scope: DeclineScope::All },
                    Choice::HangUp => User::HangUp,
                };
                world.feed(device, id, Input::User(user));
            }
            Action::Deliver(packet) => world.deliver(self, packet),
            Action::TimeOut(device, id, timer) => {
                world.devices.get_mut(&device)?.fire(*START, id, timer);
                world.carry_out(device);
            }
            Action::Dtls(device, id) => {
                let other = world.call(device, id)?.device()?;
                world.feed(device, id, Input::Transport(dtls(other)));
            }
            Action::Expire(id) => {
                world.command(self, id, EXPIRY, arbiter::Command::Sweep)?;
            }
        }
        if !self.whole {
            world.leave_out_details();
        }
        world.collapse(self);
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("at most one device is ever accepted", one_winner),
            Property::always("nothing rings after the end", nothing_rings_after_the_end),
            Property::always("every live state leads on by itself", leads_on),
            Property::always("nobody is in two calls at once", one_call_each),
            Property::always("once all has arrived, both ends agree", ends_agree),
            Property::always("glare leaves one call", glare_leaves_one_call),
            Property::sometimes("both ends have the call", |scene, world| {
                !at_both_ends(scene, world).is_empty()
            }),
        ]
    }
}

/// Tries everything, or everything that takes at most this many steps.
fn check(name: &str, scene: Scene, steps: Option<usize>) {
    let checker = scene.checker().threads(2);
    let checker = if let Some(steps) = steps { checker.target_max_depth(steps) } else { checker };
    let checker = checker.spawn_bfs().join();
    println!("{name}: {} states, {} steps deep", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
}

const A1: DeviceId = device('a', 1);
const A2: DeviceId = device('a', 2);
const B1: DeviceId = device('b', 1);
const B2: DeviceId = device('b', 2);

#[test]
fn one_call_to_two_devices() {
    let scene = Scene {
        devices: vec![('a', A1), ('b', B1), ('b', B2)],
        plans: vec![Plan { id: call(1), caller: A1, callee: 'b' }],
        choices: vec![Choice::Accept, Choice::DeclineHere, Choice::DeclineForAll, Choice::HangUp],
        timers: true,
        whole: true,
        age: Millis(0),
    };
    check("one call to two devices", scene, None);
}

/// Two people call each other, with a device each.
fn glare(choices: Vec<Choice>) -> Scene {
    Scene {
        devices: vec![('a', A1), ('b', B1)],
        plans: vec![
            Plan { id: call(1), caller: A1, callee: 'b' },
            Plan { id: call(2), caller: B1, callee: 'a' },
        ],
        choices,
        timers: false,
        whole: true,
        age: Millis(0),
    }
}

#[test]
fn two_people_call_each_other_and_hang_up() {
    check("glare, hanging up", glare(vec![Choice::Accept, Choice::HangUp]), None);
}

#[test]
fn two_people_call_each_other_against_the_clock() {
    let scene = Scene { timers: true, ..glare(vec![Choice::Accept]) };
    check("glare, with timers", scene, None);
}

#[test]
fn two_people_call_each_other_and_hear_late_of_it() {
    let scene = Scene { age: Millis(1), ..glare(vec![Choice::Accept]) };
    check("glare, with old rings", scene, None);
}

fn two_devices_each(scene: Scene) -> Scene {
    let mut devices = scene.devices;
    devices.extend([('a', A2), ('b', B2)]);
    Scene { devices, ..scene }
}

#[test]
fn two_people_with_two_devices_each() {
    let scene = Scene { whole: false, ..two_devices_each(glare(vec![Choice::Accept])) };
    check("two people, two devices each, who gets the call", scene, None);
}

#[test]
fn two_people_with_two_devices_each_begin_anything() {
    let choices = vec![Choice::Accept, Choice::DeclineHere, Choice::DeclineForAll, Choice::HangUp];
    let scene = Scene { timers: true, ..two_devices_each(glare(choices)) };
    check("two people, two devices each, everything", scene, Some(12));
}
