//! Load on one server process: many silent sockets, or many calls.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use carillon_wire::frame::{BoxFor, ClientFrame, EndReason, Event, Media, ServerFrame};
use carillon_wire::{AccountId, Blob, CallId, DeviceId, Millis};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::bench::percentile;
use crate::device::{Device, Http, Line, handle};
use crate::server::Server;

/// Sign-ups and sockets that are under way at once.
const AT_ONCE: usize = 32;
/// A sealed Offer of audio and video, padded.
const OFFER_BYTES: usize = 4096 + 64;
/// How long after the last call its events may still come.
const SETTLE: Duration = Duration::from_secs(10);

/// What silent sockets cost.
#[derive(Debug)]
pub struct IdleResult {
    /// How many.
    pub sockets: usize,
    /// Proportional set size of the server before the first, in bytes.
    pub bytes_before: f64,
    /// Growth for each, in bytes.
    pub bytes_per_socket: f64,
}

/// What calls at a rate came to.
#[derive(Debug)]
pub struct CallsResult {
    /// Calls placed a second.
    pub rate: f64,
    /// Calls that went through all phases, of those placed.
    pub completed_percent: f64,
    /// `create` sent to `ring` received, median, in milliseconds.
    pub ring_p50: f64,
    /// `create` sent to `ring` received, 99th percentile, in milliseconds.
    pub ring_p99: f64,
    /// Events that never came.
    pub lost: u64,
    /// Events that came more than once.
    pub doubled: u64,
    /// Processor time of the server in that time, in cores.
    pub server_cores: f64,
}

/// A server that believes us when we say where a sign-up comes from, so that quotas count a crowd as one.
async fn server() -> Result<Server> {
    Server::start(&[("TRUSTED_PROXIES", "127.0.0.1"), ("MAX_CONNECTIONS", "50000")]).await
}

/// Signs `count` accounts up, each from a network of its own: documentation addresses of IPv6 (RFC 3849).
async fn sign_up(http: &Http, count: usize) -> Result<Vec<Arc<Device>>> {
    at_once(0..count, |index| {
        let http = http.clone();
        async move {
            let from = format!("2001:db8:{:x}:{:x}::1", index >> 16, index & 0xffff);
            Ok(Arc::new(Device::sign_up(&http, &handle(index), &from).await?))
        }
    })
    .await
}

/// Connects devices, in their order.
async fn connect(http: &Http, devices: &[Arc<Device>]) -> Result<Vec<Line>> {
    at_once(devices.iter().cloned(), |device| {
        let http = http.clone();
        async move { device.connect(&http).await }
    })
    .await
}

/// Runs a task for each item, [`AT_ONCE`] at a time; the results in the order of the items.
async fn at_once<I, T, F>(items: impl IntoIterator<Item = I>, work: impl Fn(I) -> F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let mut results = BTreeMap::new();
    for (index, item) in items.into_iter().enumerate() {
        if tasks.len() == AT_ONCE {
            let (index, result) = tasks.join_next().await.context("no task")??;
            results.insert(index, result?);
        }
        let work = work(item);
        tasks.spawn(async move { (index, work.await) });
    }
    while let Some(done) = tasks.join_next().await {
        let (index, result) = done?;
        results.insert(index, result?);
    }
    Ok(results.into_values().collect())
}

/// Measures the server's memory for silent signed-in sockets.
///
/// # Errors
/// When the server refuses, or its memory can't be read.
pub async fn idle_sockets(count: usize) -> Result<IdleResult> {
    let server = server().await?;
    let http = Http::new(server.url(), server.audience());
    let devices = sign_up(&http, count).await?;
    // What the first connections load once (statements, pools) is not the price of a socket.
    drop(connect(&http, &devices[..count.min(AT_ONCE)]).await?);
    let before = memory(server.pid())?;
    let lines = connect(&http, &devices).await?;
    let after = memory(server.pid())?;
    Ok(IdleResult {
        sockets: lines.len(),
        bytes_before: before,
        bytes_per_socket: (after - before) / lines.len() as f64,
    })
}

/// Proportional set size of a process, in bytes (Linux).
///
/// # Errors
/// When the process is gone, or on another system.
pub fn memory(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .context("the memory of a process can be read on Linux alone")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib * 1024.0)
}

/// Processor time of a process so far, in seconds (Linux: fields 14 and 15 of `/proc/PID/stat`, in ticks of 10 ms).
///
/// # Errors
/// When the process is gone, or on another system.
pub fn processor(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = text.rsplit_once(')').context("no name")?.1;
    let ticks: u64 = rest.split_whitespace().skip(11).take(2).map(|field| field.parse().unwrap_or(0)).sum();
    Ok(ticks as f64 / 100.0)
}

/// The steps of a call that the generator sees, each of which must come exactly once.
#[derive(Debug, Clone, Copy)]
enum Step {
    Created,
    Ring,
    Ringing,
    Accepted,
    AcceptConfirmed,
    Ended,
}

/// How many kinds of [`Step`] there are.
const STEPS: usize = 6;

#[derive(Debug)]
struct Trace {
    placed: Instant,
    rung: Option<Duration>,
    seen: [u32; STEPS],
}

/// What every call went through.
#[derive(Debug, Default)]
struct Book(Mutex<HashMap<CallId, Trace>>);

impl Book {
    fn place(&self, call: CallId) {
        let trace = Trace { placed: Instant::now(), rung: None, seen: [0; STEPS] };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(call, trace);
    }

    fn saw(&self, call: CallId, step: Step) {
        if let Some(trace) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&call) {
            trace.seen[step as usize] += 1;
            if matches!(step, Step::Ring) {
                trace.rung.get_or_insert(trace.placed.elapsed());
            }
        }
    }

    fn all_done(&self) -> bool {
        let book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.values().all(|trace| trace.seen.iter().all(|&count| count > 0))
    }
}

/// Whom to ring.
#[derive(Debug)]
struct Dial {
    call: CallId,
    callee: AccountId,
    device: DeviceId,
}

/// Plays one device: dials what it is told, accepts what rings, ends what is accepted.
async fn play(mut line: Line, mut dials: mpsc::Receiver<Dial>, book: Arc<Book>) -> Result<()> {
    loop {
        tokio::select! {
            dial = dials.recv() => {
                let Some(Dial { call, callee, device }) = dial else { return Ok(()) };
                let boxes = vec![BoxFor { device, sealed: Blob(vec![7; OFFER_BYTES]) }];
                book.place(call);
                let expires_in = Millis::from_secs(30);
                line.send(ClientFrame::Create { call, callee, media: Media::Video, expires_in, boxes }).await?;
            }
            frame = line.receive() => match frame?.frame {
                ServerFrame::Created { call, .. } => book.saw(call, Step::Created),
                ServerFrame::Accepted { call } => book.saw(call, Step::AcceptConfirmed),
                ServerFrame::Deliver { seq, event } => {
                    on_event(&mut line, event, &book).await?;
                    line.send_bare(ClientFrame::Ack { seq }).await?;
                }
                ServerFrame::Refused { .. } | ServerFrame::StaleDevices { .. } | ServerFrame::Taken { .. } => {
                    bail!("a call was refused");
                }
                ServerFrame::Error { code, .. } => bail!("the server answered {code}"),
                ServerFrame::Challenge { .. }
                | ServerFrame::Welcome { .. }
                | ServerFrame::Done {}
                | ServerFrame::Turn { .. }
                | ServerFrame::Presence { .. }
                | ServerFrame::Changed { .. }
                | ServerFrame::Restarting { .. }
                | ServerFrame::Pong {} => {}
            },
        }
    }
}

async fn on_event(line: &mut Line, event: Event, book: &Book) -> Result<()> {
    match event {
        Event::Ring { call, .. } => {
            book.saw(call, Step::Ring);
            line.send(ClientFrame::Ringing { call }).await?;
            line.send(ClientFrame::Accept { call, sealed: Blob(vec![7; OFFER_BYTES]) }).await?;
        }
        Event::Ringing { call, .. } => book.saw(call, Step::Ringing),
        Event::Accepted { call, .. } => {
            book.saw(call, Step::Accepted);
            line.send(ClientFrame::End { call, reason: EndReason::HungUp }).await?;
        }
        Event::Ended { call, .. } => book.saw(call, Step::Ended),
        Event::Taken { .. } | Event::Relay { .. } | Event::Unknown => {}
    }
    Ok(())
}

/// Places calls at this rate, an open loop: the next one starts when its time has come, whatever came of the last.
///
/// # Errors
/// When the server refuses a call or closes a line.
pub async fn calls(per_second: u32, time: Duration) -> Result<CallsResult> {
    let server = server().await?;
    let http = Http::new(server.url(), server.audience());
    let total = (f64::from(per_second) * time.as_secs_f64()) as usize;
    // Quotas count rings of a caller and of a pair, so each caller has three calls, each to another callee.
    let pairs = total.div_ceil(3);
    let devices = sign_up(&http, 2 * pairs).await?;
    let callees = &devices[pairs..];
    at_once(callees.iter().cloned(), |device| {
        let http = http.clone();
        async move { device.let_everyone_call(&http).await }
    })
    .await?;
    let book = Arc::new(Book::default());
    let mut tasks = JoinSet::new();
    let mut dials = Vec::new();
    for line in connect(&http, &devices).await? {
        let (sender, receiver) = mpsc::channel(4);
        tasks.spawn(play(line, receiver, Arc::clone(&book)));
        dials.push(sender);
    }
    let processor_before = processor(server.pid())?;
    let start = Instant::now();
    let mut clock = tokio::time::interval(Duration::from_secs(1) / per_second);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    for index in 0..total {
        clock.tick().await;
        let caller = index % pairs;
        let callee = &callees[(caller + index / pairs) % pairs];
        let call = CallId::new(rand::random());
        dials[caller].send(Dial { call, callee: callee.account, device: callee.device }).await?;
    }
    let elapsed = start.elapsed().as_secs_f64();
    let server_cores = (processor(server.pid())? - processor_before) / elapsed;
    let mut look = tokio::time::interval(Duration::from_millis(50));
    let deadline = Instant::now() + SETTLE;
    while !book.all_done() && Instant::now() < deadline {
        look.tick().await;
    }
    // One more moment for what should not come.
    look.tick().await;
    look.tick().await;
    drop(dials);
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(summarise(&book, total, elapsed, server_cores))
}

fn summarise(book: &Book, total: usize, elapsed: f64, server_cores: f64) -> CallsResult {
    let book = book.0.lock().unwrap_or_else(PoisonError::into_inner);
    let counts = || book.values().flat_map(|trace| trace.seen);
    let complete = book.values().filter(|trace| trace.seen == [1; STEPS]).count();
    let mut rings: Vec<f64> =
        book.values().filter_map(|trace| trace.rung).map(|rung| rung.as_secs_f64() * 1e3).collect();
    CallsResult {
        // The last call starts one interval before the end of the time.
        rate: (total - 1) as f64 / elapsed,
        completed_percent: 100.0 * complete as f64 / total as f64,
        ring_p50: percentile(&mut rings, 50.0),
        ring_p99: percentile(&mut rings, 99.0),
        lost: counts().filter(|&count| count == 0).count() as u64,
        doubled: counts().map(|count| u64::from(count.saturating_sub(1))).sum(),
        server_cores,
    }
}
