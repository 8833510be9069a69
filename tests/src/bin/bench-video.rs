//! `cargo xtask bench video`: how old pictures are, how they follow a line that changes, and what they cost.
//!
//! Clients in this process over an emulated line; the camera shows a head in front of a still background, under a bar code by
//! which each picture's age is read. `--only PART` measures one part. With `--against chromium`, two browsers do the same as
//! the part `open`, in turns with it.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use carillon_tests::{against, bench, video};

/// The part that is measured of browsers, too.
const COMPARED: &str = "open";

fn main() -> Result<()> {
    let mut json: Option<PathBuf> = None;
    let mut only: Option<String> = None;
    let mut against: Option<String> = None;
    let mut args = std::env::args().skip(1);
    while let Some(argument) = args.next() {
        match argument.as_str() {
            "--json" => json = Some(args.next().context("--json needs a file")?.into()),
            "--only" => only = Some(args.next().context("--only needs a part")?),
            "--against" => against = Some(args.next().context("--against needs a browser")?),
            other => {
                bail!("unknown argument {other}; this takes --json FILE, --only PART and --against chromium")
            }
        }
    }
    if let Some(part) = &only {
        ensure!(
            video::PARTS.contains(&part.as_str()),
            "there is no part {part}; there are {}",
            video::PARTS.join(", ")
        );
    }
    if let Some(browser) = &against {
        ensure!(browser == "chromium", "there is no {browser} to compare with; there is chromium");
        ensure!(
            only.as_deref().is_none_or(|only| only == COMPARED),
            "only the part {COMPARED} is measured of browsers"
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut rows = Vec::new();
    for part in video::PARTS.iter().filter(|part| only.as_ref().is_none_or(|only| only == *part)) {
        rows.extend(runtime.block_on(async {
            if against.is_some() && *part == COMPARED {
                against::chromium().await
            } else {
                video::measure(part).await
            }
        })?);
    }
    bench::report("bench video", &rows, json.as_deref())
}
