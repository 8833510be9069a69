//! What a process holds, as the system counts it. Linux alone.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::time::{Instant, interval};

/// How long a process may take to come to rest.
const LIMIT: Duration = Duration::from_secs(60);
/// It is at rest when its counts have been the same for this long: devices close 1.5 s after a call, connections sooner.
const STILL: Duration = Duration::from_secs(3);

/// What a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// Memory of its own in bytes: without pages of files, such as the program itself, of which others that run the same
    /// program have their share.
    pub memory: u64,
    /// Threads.
    pub threads: usize,
    /// Open files, sockets among them.
    pub files: usize,
}

impl Resources {
    /// What a process holds now.
    ///
    /// # Errors
    /// When it is gone, or on another system.
    pub fn of(process: u32) -> Result<Self> {
        let count = |what: &str| -> Result<usize> {
            let folder = format!("/proc/{process}/{what}");
            Ok(std::fs::read_dir(&folder).with_context(|| folder.clone())?.count())
        };
        let memory = own_memory(process)?;
        Ok(Self { memory, threads: count("task")?, files: count("fd")? })
    }

    /// What it holds once nothing begins or ends in it any longer.
    ///
    /// # Errors
    /// When it does not come to rest.
    pub async fn at_rest(process: u32) -> Result<Self> {
        let started = Instant::now();
        let mut every = interval(Duration::from_millis(100));
        let (mut last, mut since) = (Self::of(process)?, Instant::now());
        loop {
            every.tick().await;
            let now = Self::of(process)?;
            if (now.threads, now.files) != (last.threads, last.files) {
                since = Instant::now();
            }
            last = now;
            if since.elapsed() >= STILL {
                return Ok(now);
            }
            ensure!(started.elapsed() < LIMIT, "the process does not come to rest: {now}");
        }
    }
}

fn own_memory(process: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss_Anon:")).context("no Pss_Anon")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = self.memory as f64 / 1e6;
        write!(f, "{memory:.1} MB, {} threads, {} files", self.threads, self.files)
    }
}
