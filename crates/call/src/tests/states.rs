//! `STATES.md` is drawn from the machine: every state that a call can be in is found by trying every input and every
//! timer in it, starting from a dialled and from a ringing call.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::fmt::Write as _;

use carillon_wire::Code;
use carillon_wire::frame::{DeclineReason, DeclineScope, EndReason, Media, RefusedReason, TakenKind};
use carillon_wire::payload::{HangUpReason, Payload, SdpKind};

use super::*;
use crate::{Alert, Call, Timer};

const WRITTEN: &str = include_str!("../../../../STATES.md");
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../STATES.md");

/// What can happen to a call, each with the words for it.
fn inputs() -> Vec<(&'static str, Input)> {
    let payload = |payload| Input::Signal(relayed(payload));
    let ended = |reason| Input::Signal(Signal::Ended { reason });
    let renegotiate = |generation, kind, by| {
        payload(Payload::Renegotiate { generation, kind, description: description(by) })
    };
    let confirm = |valid| Input::Signal(Signal::ConfirmChecked { from_device: ADA, valid });
    vec![
        ("accept", Input::User(User::Accept { video: true })),
        ("decline", Input::User(User::Decline { scope: DeclineScope::All })),
        ("hang up", Input::User(User::HangUp)),
        ("silence", Input::User(User::Silence)),
        ("camera off", Input::User(User::SetMedia(crate::MediaOn::start(false)))),
        ("`created`", Input::Signal(Signal::Created { expires_in: Millis::from_secs(60) })),
        ("`stale_devices`", Input::Signal(Signal::StaleDevices)),
        ("`refused`", Input::Signal(Signal::Refused { reason: RefusedReason::Unavailable })),
        ("`error` of the moment", Input::Signal(Signal::Failed { code: Code::Internal })),
        ("`error`: no such call", Input::Signal(Signal::Failed { code: Code::CallUnknown })),
        ("`error`, any other", Input::Signal(Signal::Failed { code: Code::TooLarge })),
        ("`ringing`", Input::Signal(Signal::Ringing { device: ADA })),
        ("`accepted` by a device of the callee", Input::Signal(accepted(ADA))),
        ("`accepted` with a bad Answer", Input::Signal(Signal::BadAnswer)),
        ("accept confirmed", Input::Signal(Signal::AcceptConfirmed)),
        ("`taken`", Input::Signal(Signal::Taken { kind: TakenKind::Answered })),
        ("`ended` as a ring ends", ended(EndReason::Expired)),
        ("`ended` as a call ends", ended(EndReason::HungUp)),
        ("caller's nonce fits", confirm(true)),
        ("caller's nonce does not fit", confirm(false)),
        ("candidates", payload(Payload::Candidates { generation: 0, candidates: vec![], last: false })),
        ("restart offered", renegotiate(1, SdpKind::Offer, ADA)),
        ("restart answered", renegotiate(1, SdpKind::Answer, ADA)),
        ("restart with another fingerprint", renegotiate(1, SdpKind::Offer, ME)),
        ("restart asked for", payload(Payload::Restart { generation: 1 })),
        ("sealed hang-up", payload(Payload::HangUp { reason: HangUpReason::HungUp })),
        ("own description ready", Input::Transport(described(0))),
        ("own restart ready", Input::Transport(described(1))),
        ("path up", Input::Transport(Transport::IceUp)),
        ("path down", Input::Transport(Transport::IceDown)),
        ("path failed", Input::Transport(Transport::IceFailed)),
        ("DTLS up, fingerprint fits", Input::Transport(dtls(ADA))),
        ("DTLS up, another fingerprint", Input::Transport(dtls(ME))),
        ("data channel open", Input::Transport(Transport::DataOpen)),
        ("peer connection broken", Input::Transport(Transport::Failed)),
        ("offline", Input::Network(Network::Offline)),
        ("online", Input::Network(Network::Online)),
        ("address changed", Input::Network(Network::AddressChanged)),
        ("messages lost", Input::Network(Network::Lost)),
    ]
}

const fn words(timer: Timer) -> &'static str {
    match timer {
        Timer::Offering => "10 s without an answer",
        Timer::RingOver => "ring over (at most 60 s)",
        Timer::Describing => "10 s without an own answer",
        Timer::AcceptAgain => "5 s, and every 5 s",
        Timer::AcceptOver => "15 s after the ring",
        Timer::Connecting => "20 s",
        Timer::PathDown => "path down for 2 s",
        Timer::Restart => "4 s and 10 s",
        Timer::Lost => "30 s",
    }
}

/// What the machine says besides showing the call, in words for the table.
fn says(output: &Output) -> Option<String> {
    let text = match output {
        Output::Send(command) => match command {
            Command::Create { .. } => "`create`".to_owned(),
            Command::Ringing => "`ringing`".to_owned(),
            Command::Accept { .. } => "`accept`".to_owned(),
            Command::Decline { reason, .. } => match reason {
                DeclineReason::Busy => "`decline{busy}`".to_owned(),
                DeclineReason::Declined => "`decline`".to_owned(),
            },
            Command::Cancel => "`cancel`".to_owned(),
            Command::Relay { payload, .. } => format!("relay {}", payload_name(payload)),
            Command::End { .. } => "`end`".to_owned(),
        },
        Output::Peer(command) => match command {
            PeerCommand::Create { .. } => "peer create".to_owned(),
            PeerCommand::ApplyRemote { .. } => "peer apply".to_owned(),
            PeerCommand::AddCandidates { .. } => "peer add candidates".to_owned(),
            PeerCommand::RestartIce { .. } => "peer restart".to_owned(),
            PeerCommand::SendData(payload) => format!("data {}", payload_name(payload)),
            PeerCommand::LimitRate { .. } => "peer limit".to_owned(),
            PeerCommand::Close => "peer close".to_owned(),
        },
        Output::Ring(tone) => match tone {
            Tone::Incoming | Tone::Waiting | Tone::Outgoing => "tone".to_owned(),
            Tone::Stop => "tone stops".to_owned(),
        },
        Output::Record(_) => "record".to_owned(),
        Output::Show(_) => return None,
    };
    Some(text)
}

const fn payload_name(payload: &Payload) -> &'static str {
    match payload {
        Payload::Offer(_) => "`offer`",
        Payload::Answer(_) => "`answer`",
        Payload::Confirm { .. } => "`confirm`",
        Payload::Candidates { .. } => "`candidates`",
        Payload::Renegotiate { .. } => "`renegotiate`",
        Payload::Restart { .. } => "`restart`",
        Payload::MediaState(_) => "`media_state`",
        Payload::MaxRate { .. } => "`max_rate`",
        Payload::HangUp { .. } => "`hang_up`",
        Payload::Unknown => "nothing",
    }
}

/// What can come of an input in a state: the next states, each with everything that is said on some way there.
type Table = BTreeMap<(State, &'static str), BTreeMap<State, BTreeSet<String>>>;

/// Beyond this many ICE generations nothing new comes.
const GENERATIONS: u32 = 2;

fn explore() -> Table {
    let dialled = Call::dial(*START, call(1), account('a'), Media::Video, nonce(1), nonce(2), true);
    let mut rung = Call::ring(*START, call(1), ring('a'), true);
    rung.come_in(Alert::Full);
    let mut table = Table::new();
    let mut seen: HashSet<Call> = HashSet::new();
    let mut open: VecDeque<Call> = VecDeque::from([dialled, rung]);
    while let Some(mut from) = open.pop_front() {
        while from.poll_output().is_some() {}
        if from.generation() > GENERATIONS || !seen.insert(from.clone()) {
            continue;
        }
        let inputs = inputs().into_iter().map(|(words, input)| {
            let mut to = from.clone();
            to.handle(*START, input);
            (words, to)
        });
        let timers = from.running().into_iter().map(|timer| {
            let mut to = from.clone();
            to.fire(*START, timer);
            (words(timer), to)
        });
        for (words, mut to) in inputs.chain(timers) {
            let said = std::iter::from_fn(|| to.poll_output()).filter_map(|output| says(&output)).collect();
            note(&mut table, (from.state(), words), to.state(), said);
            open.push_back(to);
        }
    }
    table
}

/// Writes a step down, unless nothing happens in it.
fn note(table: &mut Table, step: (State, &'static str), to: State, said: BTreeSet<String>) {
    if to != step.0 || !said.is_empty() {
        table.entry(step).or_default().entry(to).or_default().extend(said);
    }
}

fn draw(table: &Table) -> String {
    let mut page = String::from(HEAD);
    for state in State::ALL {
        let _ = writeln!(page, "    state \"{}\" as {state:?}", state.name());
    }
    page.push_str("    [*] --> Offering : dial\n    [*] --> Alerting : ring\n");
    let mut arrows: BTreeMap<(State, State), Vec<&str>> = BTreeMap::new();
    for ((from, words), next) in table {
        for to in next.keys().filter(|to| *to != from) {
            arrows.entry((*from, *to)).or_default().push(words);
        }
    }
    for ((from, to), words) in &arrows {
        // Every live state can end; why is in the table.
        let label = if *to == State::Ended { "ends".to_owned() } else { words.join(", ").replace('`', "") };
        let _ = writeln!(page, "    {from:?} --> {to:?} : {label}");
    }
    page.push_str("    Ended --> [*]\n```\n");
    page.push_str(TABLE);
    for ((from, words), next) in table {
        for (to, said) in next {
            let said: Vec<_> = said.iter().map(String::as_str).collect();
            let to = if to == from { "–" } else { to.name() };
            let _ = writeln!(page, "| {} | {words} | {to} | {} |", from.name(), said.join(", "));
        }
    }
    page.push_str(TAIL);
    page
}

const HEAD: &str = "\
# The states of a call

Drawn from `crates/call` by its test `states_md_is_what_the_machine_does`, which fails when this page differs;
`UPDATE_STATES=1 cargo test -p carillon-call states_md` writes it anew. Every row was found by trying every input and
every timer in every situation that a call can get into. Don't edit it by hand.

```mermaid
stateDiagram-v2
";

const TABLE: &str = "
## What happens in each state

*says* is everything that can come out on that step, whatever went before. Where one input has two rows, it depends on
what went before: DTLS connects the callee only with the caller's nonce confirmed, for example. Inputs that are not in
the table change nothing in that state.

| state | input | next | says |
|---|---|---|---|
";

const TAIL: &str = "
## Rules that hold in all of them

- Every live state but Connected has a timer that leads on, so it ends under silence. A connected call lives by its media
  path alone: a lost server never ends it, a path that stays down does.
- Ended is the end. A late `accepted` of an own call is answered with `end`, so that the other side does not wait.
- `restart` and offers of a new ICE generation: only the caller offers, the callee asks. An answer counts once, for the
  generation that is open.
- A restart that comes to nothing while the old path still works (30 s) leads back to Connected, else to Ended.
- No candidate leaves before the callee has accepted, and the callee's peer connection does not exist before.
- The certificate that DTLS shows is checked whenever both it and the sealed fingerprint are known; if they differ, the
  peer connection is closed before anything is said.

## Several calls on one device

`crates/call/src/calls.rs` settles them; its head has the table. One call is on, one waits as a banner, a third is
declined as busy; of two calls between the same accounts at once (glare) the one with the lower id goes on by itself.
The server rings a second caller only on the devices of an account that are in a call, while their lines are up
(`PROTOCOL.md`, section 6).
";

#[test]
fn states_md_is_what_the_machine_does() {
    let drawn = draw(&explore());
    #[expect(clippy::disallowed_methods, reason = "how a person asks the test to write the page")]
    let update = std::env::var_os("UPDATE_STATES").is_some();
    if update {
        #[expect(clippy::disallowed_methods, reason = "the person who runs the test asked for it")]
        std::fs::write(PATH, &drawn).unwrap();
        return;
    }
    assert!(drawn == WRITTEN, "STATES.md is not what the machine does: see its first paragraph");
}

#[test]
fn every_live_state_ends_and_ended_is_the_end() {
    let table = explore();
    for state in State::ALL {
        let next: BTreeSet<State> = table
            .iter()
            .filter(|((from, _), _)| *from == state)
            .flat_map(|(_, next)| next.keys().copied())
            .collect();
        if state.is_live() {
            assert!(next.contains(&State::Ended), "{state:?} can't end");
        } else {
            assert!(next.iter().all(|to| *to == state), "{state:?} leads on to {next:?}");
        }
    }
}
