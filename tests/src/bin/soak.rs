//! `cargo xtask soak`: what hours of calling leave behind.
//!
//! `soak [MINUTES]` holds one call over a line that changes, with `--video` one with pictures both ways; `soak [MINUTES]
//! --calls` makes one call after the other.
//! Prints a line now and then, and a table at the end. Fails when something has grown.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use carillon_tests::{bench, soak};

const MINUTES: u64 = 30;

fn main() -> Result<()> {
    let (mut minutes, mut calls, mut video) = (MINUTES, false, false);
    for arg in std::env::args().skip(1) {
        match (arg.as_str(), arg.parse()) {
            ("--calls", _) => calls = true,
            ("--video", _) => video = true,
            (_, Ok(number @ 1..)) => minutes = number,
            _ => bail!("unknown argument {arg}; this takes MINUTES, --video and --calls"),
        }
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // Threads for work that blocks end soon, so that they are not taken for a leak.
    let runtime = runtime.thread_keep_alive(Duration::from_millis(100)).enable_all().build()?;
    let length = Duration::from_secs(60 * minutes);
    let rows = runtime.block_on(async {
        if calls { soak::many_calls(length).await } else { soak::one_long_call(length, video).await }
    })?;
    bench::report("soak", &rows, None)?;
    let grown: Vec<_> = rows.iter().filter(|row| row.met == Some(false)).map(|row| &row.name).collect();
    ensure!(grown.is_empty(), "it has grown: {grown:?}");
    Ok(())
}
