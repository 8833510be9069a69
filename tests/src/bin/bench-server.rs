//! `cargo xtask bench server`: what one server process costs and how fast it rings.
//!
//! Two parts, each against a fresh server process in its release build:
//! 1. *idle*: many signed-in sockets that say nothing; the growth of the server's proportional set size (PSS) per socket;
//! 2. *calls*: an open loop of calls at a fixed rate, each through create → ring → ringing → accept → end, whatever the
//!    answers take; the time from `create` sent to `ring` received, and whether every call had each event exactly once.
//!
//! The generator runs on the same machine and shares its cores.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use carillon_tests::bench::{self, Row};
use carillon_tests::load;

/// Signed-in sockets of the idle part.
const SOCKETS: usize = 10_000;
/// Calls a second to carry.
const GOAL: u32 = 200;
/// Calls a second that the generator aims at: a little above the goal, since the last call always leaves a moment late.
const RATE: u32 = 204;
/// How long calls are placed.
const SECONDS: u32 = 30;
/// How often the second part is measured; the median run counts.
const RUNS: usize = 3;

fn main() -> Result<()> {
    let mut json: Option<PathBuf> = None;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--json" => json = Some(args.next().context("--json needs a file")?.into()),
            other => bail!("unknown argument {other}; this takes --json FILE"),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let rows = runtime.block_on(measure())?;
    bench::report("bench server", &rows, json.as_deref())
}

async fn measure() -> Result<Vec<Row>> {
    let idle = load::idle_sockets(SOCKETS).await?;
    let mut rows = vec![
        Row::lower(
            format!("server memory for each of {} idle signed-in sockets", idle.sockets),
            idle.bytes_per_socket / 1024.0,
            "KB",
            40.0,
        ),
        Row::plain("server memory with no socket", idle.bytes_before / 1024.0 / 1024.0, "MB"),
    ];
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(load::calls(RATE, Duration::from_secs(SECONDS.into())).await?);
    }
    runs.sort_by(|a, b| a.ring_p99.total_cmp(&b.ring_p99));
    let median = &runs[RUNS / 2];
    let worst = |count: fn(&load::CallsResult) -> u64| runs.iter().map(count).max().unwrap_or(0);
    let completed = runs.iter().map(|run| run.completed_percent).fold(100.0, f64::min);
    rows.extend([
        Row::higher("calls completed of those placed (worst run)", completed, "%", 100.0),
        Row::higher("calls placed a second", median.rate, "calls/s", f64::from(GOAL)),
        Row::plain("create → ring, median", median.ring_p50, "ms"),
        Row::lower("create → ring, p99", median.ring_p99, "ms", 50.0),
        Row::lower("events lost (worst run)", worst(|run| run.lost) as f64, "events", 0.0),
        Row::lower("events doubled (worst run)", worst(|run| run.doubled) as f64, "events", 0.0),
        Row::plain("server processor time in the load", median.server_cores, "cores"),
    ]);
    Ok(rows)
}
