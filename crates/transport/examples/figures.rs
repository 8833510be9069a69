//! Measures the transport on this machine: how long connecting takes, and what a call costs.
//!
//! `cargo run --release -p carillon-transport --example figures [SECONDS]`

use std::fs;
use std::time::{Duration, Instant};

use carillon_call::{PeerCommand, Role, Transport};
use carillon_transport::{Event, Interfaces, OutgoingAudio, Peer, PeerConfig};
use carillon_wire::frame::Media;
use carillon_wire::payload::SdpKind;
use tokio::sync::mpsc;

struct Call {
    ends: [Peer; 2],
    /// From the first candidates exchanged until DTLS was up at both ends.
    connecting: Duration,
}

fn end(role: Role) -> (Peer, mpsc::UnboundedReceiver<Event>) {
    let config = PeerConfig { interfaces: Interfaces::Loopback, ..PeerConfig::new(role, Media::Audio) };
    let (sender, events) = mpsc::unbounded_channel();
    let peer = Peer::open(config, move |event| drop(sender.send(event)));
    (peer, events)
}

/// Connects two ends. Candidates are held back until both have been described, as the machine does.
async fn connect() -> Option<Call> {
    let ((caller, mut of_caller), (callee, mut of_callee)) = (end(Role::Caller), end(Role::Callee));
    let (mut held, mut described, mut up, mut began) = (Vec::new(), 0, 0, None);
    while up < 2 {
        let (from_caller, event) = tokio::select! {
            event = of_caller.recv() => (true, event?),
            event = of_callee.recv() => (false, event?),
        };
        let (to, kind) = if from_caller { (&callee, SdpKind::Offer) } else { (&caller, SdpKind::Answer) };
        match event {
            Event::Call(Transport::LocalDescription { generation, description }) => {
                to.handle(PeerCommand::ApplyRemote { generation, kind, description });
                described += 1;
            }
            Event::Call(Transport::LocalCandidates { generation, candidates, last }) => {
                held.push((from_caller, PeerCommand::AddCandidates { generation, candidates, last }));
            }
            Event::Call(Transport::DtlsUp { .. }) => up += 1,
            Event::Call(_) => {}
            Event::Closed => return None,
        }
        if described == 2 && !held.is_empty() {
            began.get_or_insert_with(Instant::now);
            for (from_caller, command) in held.drain(..) {
                let to = if from_caller { &callee } else { &caller };
                to.handle(command);
            }
        }
    }
    Some(Call { ends: [caller, callee], connecting: began?.elapsed() })
}

/// Processor time of this process (user and system), in seconds.
fn processor() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<_> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Proportional set size of this process, in KiB.
fn memory() -> Option<i64> {
    let smaps = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    smaps.lines().find_map(|line| line.strip_prefix("Pss:")?.split_whitespace().next()?.parse().ok())
}

fn speak(call: &Call, seconds: u32) {
    let senders = call.ends.each_ref().map(Peer::audio);
    let receivers = call.ends.each_ref().map(Peer::received);
    let start = Instant::now();
    for number in 0..seconds * 50 {
        for sender in &senders {
            sender.send(OutgoingAudio {
                timestamp: number * 960,
                captured: Instant::now(),
                marker: false,
                payload: vec![7; 80].into(),
            });
        }
        for received in &receivers {
            while received.pop().is_some() {}
        }
        let next = start + Duration::from_millis(20) * (number + 1);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

#[expect(clippy::print_stdout, reason = "this is what it is for")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let seconds = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(60);
    let mut times = Vec::new();
    for _ in 0..20 {
        if let Some(call) = connect().await {
            times.push(call.connecting);
        }
    }
    times.sort_unstable();
    println!("candidates exchanged to DTLS up: median {:?} of {:?}", times.get(times.len() / 2), times);
    let before = memory();
    let mut calls = Vec::new();
    for _ in 0..20 {
        calls.extend(connect().await);
    }
    let held = memory().zip(before).map(|(after, before)| (after - before) / 40);
    println!("memory of one end: {held:?} KiB");
    let Some(call) = calls.pop() else { return };
    drop(calls);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let cost = |before: Option<f64>| {
        processor().zip(before).map(|(now, before)| (now - before) * 50.0 / f64::from(seconds))
    };
    let before = processor();
    let call = tokio::task::spawn_blocking(move || {
        speak(&call, seconds);
        call
    })
    .await;
    println!("one end, 50 packets a second both ways: {:?} % of a core", cost(before));
    let before = processor();
    tokio::time::sleep(Duration::from_secs(seconds.into())).await;
    println!("one end, silent: {:?} % of a core", cost(before));
    if let Ok(call) = call {
        println!("{:#?}", call.ends[0].stats());
    }
}
