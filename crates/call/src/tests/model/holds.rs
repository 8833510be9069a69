//! What holds in every situation that the model can get into.

use std::collections::BTreeSet;

use carillon_policy::arbiter::ServerCall;
use carillon_wire::CallId;
use stateright::Model;

use super::{Action, Choice, Scene, World};
use crate::{Call, Role, State};

pub(super) fn one_winner(_: &Scene, world: &World) -> bool {
    let accepted = |id: CallId| world.server.get(&id).and_then(ServerCall::accepted);
    let winners = world.winners.iter().all(|(id, device)| accepted(*id) == Some(*device));
    let callers = world.calls().all(|(_, call)| {
        call.role() == Role::Callee || !call.state().is_accepted() || call.device() == accepted(call.id())
    });
    winners && callers
}

pub(super) fn nothing_rings_after_the_end(_: &Scene, world: &World) -> bool {
    let silent = |device, id| !world.sounding.contains(&(device, id));
    let gave_up = |call: &Call| match call.state() {
        State::Offering | State::Ringing | State::Alerting | State::Accepting => false,
        State::Connecting | State::Connected | State::Reconnecting | State::Ended => true,
    };
    let told = world
        .told
        .iter()
        .all(|&(device, id)| silent(device, id) && world.call(device, id).is_none_or(gave_up));
    let over = world.calls().all(|(device, call)| call.state().is_live() || silent(device, call.id()));
    told && over
}

pub(super) fn leads_on(_: &Scene, world: &World) -> bool {
    world.calls().all(|(_, call)| {
        let lasts = match call.state() {
            State::Connected | State::Ended => true,
            State::Offering
            | State::Ringing
            | State::Alerting
            | State::Accepting
            | State::Connecting
            | State::Reconnecting => false,
        };
        lasts || call.poll_timeout().is_some()
    })
}

pub(super) fn one_call_each(_: &Scene, world: &World) -> bool {
    world.devices.keys().all(|device| {
        let taken = |call: &Call| call.state().is_accepted() || call.state() == State::Accepting;
        world.calls().filter(|(on, call)| on == device && taken(call)).count() <= 1
    })
}

/// With a device each, of two people who dialled each other and let things go on, exactly one call comes.
pub(super) fn glare_leaves_one_call(scene: &Scene, world: &World) -> bool {
    let calls = at_both_ends(scene, world).len();
    let is_glare = scene.devices.len() == 2 && world.dialled.len() == 2;
    let is_left_alone = !scene.timers && scene.choices == [Choice::Accept];
    !(is_glare && is_left_alone && is_at_rest(scene, world)) || calls == 1
}

/// Nothing that comes by itself makes a difference any longer: all has arrived, no timer runs.
fn is_at_rest(scene: &Scene, world: &World) -> bool {
    let mut actions = Vec::new();
    scene.actions(world, &mut actions);
    actions.into_iter().all(|action| match action {
        Action::Dial(_) | Action::Choose(..) => true,
        Action::Deliver(_) | Action::TimeOut(..) | Action::Dtls(..) | Action::Expire(_) => {
            scene.next_state(world, action).is_none()
        }
    })
}

/// Whatever was lost, doubled or late: once all has arrived, either both ends have the call, or it rings at both, or
/// neither has it.
pub(super) fn ends_agree(scene: &Scene, world: &World) -> bool {
    if !is_at_rest(scene, world) {
        return true;
    }
    scene.plans.iter().all(|plan| {
        let caller = world.call(plan.caller, plan.id).map_or(State::Ended, Call::state);
        let live = world.calls().filter(|(_, call)| call.id() == plan.id && call.role() == Role::Callee);
        let live: Vec<State> = live.map(|(_, call)| call.state()).filter(|state| state.is_live()).collect();
        match caller {
            State::Offering | State::Ringing => live.iter().all(|state| *state == State::Alerting),
            State::Connecting | State::Connected | State::Reconnecting => {
                live.len() == 1 && live.iter().all(|state| state.is_accepted())
            }
            State::Alerting | State::Accepting | State::Ended => live.is_empty(),
        }
    })
}

/// The calls that both ends have: up where the scene goes on that long, else accepted.
pub(super) fn at_both_ends(scene: &Scene, world: &World) -> BTreeSet<CallId> {
    let there = |call: &Call| if scene.whole { call.state().is_up() } else { call.state().is_accepted() };
    let at = |role| {
        let at = world.calls().filter(move |(_, call)| call.role() == role && there(call));
        at.map(|(_, call)| call.id()).collect::<BTreeSet<_>>()
    };
    at(Role::Caller).intersection(&at(Role::Callee)).copied().collect()
}
