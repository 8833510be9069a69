//! What hours of calling leave behind: memory, threads, files, delay, and how well one hears.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use carillon_client::Quality;
use carillon_link::{Change, Settings, Way};
use carillon_measure::{chirp, percentile};
use tokio::time::Instant;

use crate::bench::Row;
use crate::in_a_row::InARow;
use crate::resources::Resources;
use crate::server::Server;
use crate::talk::Talk;

/// How long the line stays as it is: so many seconds of the call.
const STEP: usize = 20;
/// What the line does, step by step, again and again.
const STEPS: &[(&str, &[(&str, &str)])] = &[
    ("calm", &[]),
    ("3 % of packets lost", &[("loss", "3")]),
    ("jitter of 30 ms", &[("delay", "40"), ("jitter", "30")]),
    ("calm", &[]),
    ("10 % lost in bursts of 4", &[("loss", "10"), ("burst", "4")]),
    ("60 kbit/s", &[("rate", "60k"), ("queue", "200ms")]),
    ("calm", &[]),
    ("150 ms away, and copies", &[("delay", "150"), ("duplicate", "5")]),
];
/// After a change of the line, its calm seconds don't count: the jitter buffer still comes down from what was before.
const SETTLING: usize = 10;
/// Calls in a row, until both ends have closed their devices once.
const BATCH: u32 = 25;

/// What may be more at the end than at the beginning. Idle connections to the server come and go.
const MEMORY_MB: f64 = 12.0;
const THREADS: f64 = 1.0;
const FILES: f64 = 4.0;
const DELAY_MS: f64 = 10.0;
const CONCEALED_PERCENT: f64 = 0.5;

/// Seconds of the call in which the line was calm.
#[derive(Debug, Default)]
struct Calm {
    /// Since the start of the call.
    spans: Vec<(Instant, Instant)>,
    concealed: Vec<f64>,
    playout: Vec<f64>,
}

/// What was held, again and again.
struct Watch {
    began: Instant,
    seen: Vec<Resources>,
}

impl Watch {
    fn start() -> Self {
        Self { began: Instant::now(), seen: Vec::new() }
    }

    fn look(&mut self, what: &str) -> Result<()> {
        let now = Resources::of(std::process::id())?;
        let minutes = self.began.elapsed().as_secs_f64() / 60.0;
        println!("{minutes:6.1} min  {now}  {what}");
        self.seen.push(now);
        Ok(())
    }

    /// The first fifth is left out: pools fill. Of each end of the rest a quarter is compared, by its median.
    fn rows(&self) -> Result<Vec<Row>> {
        let rest = self.seen.get(self.seen.len() / 5..).unwrap_or_default();
        ensure!(rest.len() >= 4, "too short to tell: give it more minutes");
        let part = rest.len() / 4;
        let of = |resources: &[Resources], pick: fn(&Resources) -> f64| {
            percentile(resources.iter().map(pick), 50.0).context("nothing was seen")
        };
        let mut rows = Vec::new();
        for (name, unit, allowed, pick) in [
            ("memory", "MB", MEMORY_MB, (|seen| seen.memory as f64 / 1e6) as fn(&Resources) -> f64),
            ("threads", "threads", THREADS, |seen| seen.threads as f64),
            ("open files", "files", FILES, |seen| seen.files as f64),
        ] {
            let early = of(rest.get(..part).unwrap_or_default(), pick)?;
            let late = of(rest.get(rest.len() - part..).unwrap_or_default(), pick)?;
            rows.push(Row::plain(format!("{name}, early"), early, unit));
            rows.push(Row::lower(format!("{name}, late: more than early by"), late - early, unit, allowed));
        }
        Ok(rows)
    }
}

/// One call for so long, over a line that changes; with pictures both ways if `video`.
///
/// # Errors
/// When the call does not come up, ends before it should, or there is too little to judge.
pub async fn one_long_call(length: Duration, video: bool) -> Result<Vec<Row>> {
    let server = Server::start(&[]).await?;
    let mut talk = Talk::begin(&server, Settings::default()).await?;
    if video {
        talk.switch_camera(true, true).await?;
    }
    let (mut watch, mut calm) = (Watch::start(), Calm::default());
    let mut steps = STEPS.iter().cycle();
    while watch.began.elapsed() < length {
        let Some((name, changes)) = steps.next() else { break };
        turn(&talk, changes)?;
        let mut seconds: Vec<Quality> = talk.grace.seconds(SETTLING).await?;
        let settled = Instant::now();
        seconds.extend(talk.grace.seconds(STEP - SETTLING).await?);
        talk.ada.catch_up().await?;
        if video && changes.is_empty() {
            talk.ada_sees.pictures(30).await?;
            talk.grace_sees.pictures(30).await?;
        }
        if changes.is_empty() {
            let settled_seconds = seconds.iter().skip(SETTLING);
            calm.spans.push((settled, Instant::now()));
            calm.concealed.push(mean(settled_seconds.clone().map(|second| second.concealed_percent)));
            calm.playout.push(mean(settled_seconds.map(|second| second.playout_delay_ms)));
        }
        let concealed = mean(seconds.iter().map(|second| second.concealed_percent));
        let playout = mean(seconds.iter().map(|second| second.playout_delay_ms));
        watch.look(&format!("{name}: {concealed:.1} % concealed, {playout:.0} ms playout delay"))?;
    }
    let began = talk.heard_since().await?;
    let outcome = talk.close().await?;
    let mut rows = watch.rows()?;
    let delays = |(from, to): &(Instant, Instant)| {
        let within = |chirp: &&chirp::Heard| {
            let at = began.ada + Duration::from_secs_f64(chirp.spoken.max(0.0));
            (from.into_std()..to.into_std()).contains(&at)
        };
        percentile(outcome.ada.chirps.iter().filter(within).filter_map(|chirp| chirp.delay), 50.0)
    };
    let heard: Vec<f64> = calm.spans.iter().filter_map(delays).collect();
    rows.extend(compared("mouth to ear while the line is calm", "ms", DELAY_MS, &heard)?);
    rows.extend(compared("playout delay while the line is calm", "ms", DELAY_MS, &calm.playout)?);
    rows.extend(compared("concealed while the line is calm", "%", CONCEALED_PERCENT, &calm.concealed)?);
    Ok(rows)
}

fn turn(talk: &Talk, changes: &[(&str, &str)]) -> Result<()> {
    // From calm to the next: what is not named is as it was at the start.
    let mut change = Change::default();
    for (name, value) in [
        ("loss", "0"),
        ("burst", "none"),
        ("delay", "0"),
        ("jitter", "0"),
        ("rate", "none"),
        ("duplicate", "0"),
    ]
    .iter()
    .chain(changes)
    {
        change.set(name, value)?;
    }
    talk.line.change(Way::Both, &change);
    Ok(())
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count.max(1))
}

/// The first third against the last.
fn compared(name: &str, unit: &'static str, allowed: f64, values: &[f64]) -> Result<Vec<Row>> {
    ensure!(values.len() >= 3, "{name}: too short to tell: give it more minutes");
    let part = values.len() / 3;
    let early = mean(values.iter().take(part).copied());
    let late = mean(values.iter().rev().take(part).copied());
    Ok(vec![
        Row::plain(format!("{name}, early"), early, unit),
        Row::lower(format!("{name}, late: more than early by"), late - early, unit, allowed),
    ])
}

/// Call after call for so long.
///
/// # Errors
/// When one of them fails, or there is too little to judge.
pub async fn many_calls(length: Duration) -> Result<Vec<Row>> {
    let mut row = InARow::ready().await?;
    let mut watch = Watch::start();
    while watch.began.elapsed() < length {
        for _ in 0..BATCH {
            row.call().await?;
        }
        // Devices close, and are opened anew by the next.
        Resources::at_rest(std::process::id()).await?;
        watch.look(&format!("{} calls", row.calls()))?;
    }
    let mut rows = watch.rows()?;
    rows.push(Row::plain("calls", f64::from(row.calls()), "calls"));
    row.close().await;
    Ok(rows)
}
