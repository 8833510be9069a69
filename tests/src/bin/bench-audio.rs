//! `cargo xtask bench audio`: how fast a call sounds, how late, how good, and what it costs.
//!
//! Three parts:
//! 1. *virtual*: speech over bad lines, echo and drifting clocks on a virtual clock: the same numbers on every machine;
//! 2. *connect*: twenty calls between clients in this process over loopback, with devices that need no sound system;
//! 3. *desk*: a call between two `carillon` processes through a sound server without hardware.
//!
//! `--only PART` measures one of them; `--speech FILE` adds a speaker to the first (mono, 16 bit; may be given several
//! times).

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use carillon_tests::audio::{connect, desk, drift, echo, quality, speech};
use carillon_tests::bench::{self, Row};

const PARTS: [&str; 3] = ["virtual", "connect", "desk"];

fn main() -> Result<()> {
    let mut json: Option<PathBuf> = None;
    let mut only: Option<String> = None;
    let mut texts = speech::voices()?;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--json" => json = Some(args.next().context("--json needs a file")?.into()),
            "--only" => only = Some(args.next().context("--only needs a part")?),
            "--speech" => {
                texts.push(speech::from_file(&PathBuf::from(args.next().context("--speech needs a file")?))?);
            }
            other => bail!("unknown argument {other}; this takes --json FILE, --only PART and --speech FILE"),
        }
    }
    if let Some(part) = &only {
        ensure!(PARTS.contains(&part.as_str()), "there is no part {part}; there are {}", PARTS.join(", "));
    }
    let wanted = |part: &str| only.as_ref().is_none_or(|only| only == part);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rows = Vec::new();
    // What is in real time goes first, before this process has warmed the machine up.
    if wanted("connect") {
        rows.extend(runtime.block_on(connect::rows()));
    }
    if wanted("desk") {
        rows.extend(runtime.block_on(desk::rows()));
    }
    if wanted("virtual") {
        rows.extend(on_a_virtual_clock(&texts)?);
    }
    bench::report("bench audio", &rows, json.as_deref())
}

fn on_a_virtual_clock(texts: &[Vec<f32>]) -> Result<Vec<Row>> {
    let first = texts.first().context("there is no speech")?;
    let mut rows = quality::protection(texts)?;
    rows.extend(quality::beginning(texts)?);
    rows.extend(quality::jitter(texts)?);
    rows.extend(echo::removed(first)?);
    rows.extend(drift::ten_minutes(first)?);
    Ok(rows)
}
