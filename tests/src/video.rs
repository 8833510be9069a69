//! Pictures in a call, measured.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use carillon_client::Phase;
use carillon_link::{BIN, Change, Settings, Way};
use carillon_measure::percentile;
use carillon_measure::pictures::{PictureSummary, Sight, summary};

use crate::bench::Row;
use crate::eyes::{Eyes, Picture};
use crate::load::{memory, processor};
use crate::server::Server;
use crate::talk::Talk;

/// What can be measured by itself.
pub const PARTS: [&str; 5] = ["open", "narrow", "steady", "shared", "losses"];

/// What is measured of other calls, too.
pub(crate) const MEDIAN: &str = "glass-to-glass, median, the worse way";
pub(crate) const P95: &str = "glass-to-glass, p95, the worse way";
pub(crate) const HEIGHT: &str = "lines of the picture, mean";
pub(crate) const KILOBITS: &str = "pictures take, one way";
pub(crate) const SHOWN: &str = "pictures shown of those taken";
pub(crate) const PROCESSOR: &str = "processor, both ends, audio and video both ways, with cameras and line";
pub(crate) const MEMORY: &str = "memory, both ends, with cameras and line (PSS)";
pub(crate) const FIRST: &str = "accept → first picture shown, the later";

/// A call has found its rate by then.
pub(crate) const SETTLING: Duration = Duration::from_secs(5);
/// How long an open line is looked at.
pub(crate) const SPAN: Duration = Duration::from_secs(15);
const SECOND: Duration = Duration::from_secs(1);

/// Measures one of [`PARTS`].
///
/// # Errors
/// When a call does not come about.
pub async fn measure(part: &str) -> Result<Vec<Row>> {
    match part {
        "open" => open().await,
        "narrow" => narrow().await,
        "steady" => steady().await,
        "shared" => shared().await,
        "losses" => losses().await,
        other => bail!("there is no part {other}"),
    }
}

/// A call with video over a line that is like this. The moment it was accepted comes with it.
async fn call(server: &Server, settings: &[(&str, &str)]) -> Result<(Talk, Instant)> {
    let mut change = Change::default();
    for (name, value) in settings {
        change.set(name, value)?;
    }
    let mut talk = Talk::ready(server, Settings::default(), None).await?;
    talk.line.change(Way::Both, &change);
    talk.place_with_video().await?;
    let accepted = Instant::now();
    talk.until_both(Phase::Connected).await?;
    Ok((talk, accepted))
}

async fn talk_on(talk: &mut Talk, span: Duration) -> Result<()> {
    let until = Instant::now() + span;
    while Instant::now() < until {
        talk.ada.seconds(1).await?;
        talk.grace.seconds(1).await?;
    }
    Ok(())
}

fn between(pictures: &[Picture], from: Instant, to: Instant) -> Vec<Sight> {
    pictures
        .iter()
        .filter(|picture| (from..to).contains(&picture.ready))
        .filter_map(|picture| {
            let Picture { ready, mark, age_ms, height, bytes } = *picture;
            Some(Sight { at: (ready - from).as_secs_f64(), age_ms, number: mark?.number, height, bytes })
        })
        .collect()
}

fn summed(eyes: &Eyes, from: Instant, to: Instant) -> Result<PictureSummary> {
    summary(&between(&eyes.all(), from, to), (to - from).as_secs_f64()).context("no pictures came")
}

/// A line without limits: delay, processor, memory, lips.
async fn open() -> Result<Vec<Row>> {
    let server = Server::start(&[]).await?;
    let (mut talk, accepted) = call(&server, &[]).await?;
    talk_on(&mut talk, SETTLING).await?;
    let first = [&talk.ada_sees, &talk.grace_sees].map(|eyes| eyes.all().first().map(|first| first.ready));
    let first = first.into_iter().flatten().max().context("no pictures came")?;
    let this = std::process::id();
    let (from, spent) = (Instant::now(), processor(this)?);
    talk_on(&mut talk, SPAN).await?;
    let (to, spent) = (Instant::now(), processor(this)? - spent);
    let held = memory(this)?;
    let (ada, grace) = (summed(&talk.ada_sees, from, to)?, summed(&talk.grace_sees, from, to)?);
    let heard = talk.close().await?;
    let ear = |ear: &carillon_measure::chirp::MouthToEar| ear.delays.as_ref().map(|delays| delays.median);
    let (ear_ada, ear_grace) = (ear(&heard.ada).context("no sound")?, ear(&heard.grace).context("no sound")?);
    let worse = |of: fn(&PictureSummary) -> f64| of(&ada).max(of(&grace));
    Ok(vec![
        Row::lower(MEDIAN, worse(|found| found.median_ms), "ms", 70.0),
        Row::lower(P95, worse(|found| found.p95_ms), "ms", 100.0),
        Row::plain("the same, longest", worse(|found| found.worst_ms), "ms"),
        Row::plain(HEIGHT, grace.height, "").is_better_higher(),
        Row::plain(KILOBITS, grace.kilobits, "kbit/s"),
        Row::plain(SHOWN, 100.0 * grace.shown, "%").is_better_higher(),
        Row::lower(PROCESSOR, spent / (to - from).as_secs_f64(), "cores", 0.65),
        Row::lower(MEMORY, held / 1e6, "MB", 200.0),
        Row::lower(FIRST, (first - accepted).as_secs_f64() * 1e3, "ms", 400.0),
        Row::lower(
            "lips against sound, median",
            (ear_ada - ada.median_ms).abs().max((ear_grace - grace.median_ms).abs()),
            "ms",
            40.0,
        ),
    ])
}

/// When so much of what the line to Grace carries was used for the first time from this moment on, over a second, in seconds.
fn reached(talk: &Talk, from: Instant, share: f64) -> f64 {
    let line = talk.line.statistics().a_to_b;
    let from = from.saturating_duration_since(talk.line_since);
    let seconds = (0u32..).map(|bin| from + BIN * bin).take_while(|at| *at <= BIN * line.bins.len() as u32);
    seconds
        .map(|at| (at + SECOND, line.used(at, at + SECOND)))
        .find(|(_, used)| used.is_some_and(|used| used >= share))
        .map_or(f64::INFINITY, |(at, _)| (at - from).as_secs_f64())
}

/// A line of 2 Mbit/s that gets narrow and wide again.
async fn narrow() -> Result<Vec<Row>> {
    let server = Server::start(&[]).await?;
    let (mut talk, accepted) = call(&server, &[("rate", "2M"), ("queue", "300ms"), ("delay", "10")]).await?;
    talk_on(&mut talk, Duration::from_secs(15)).await?;
    let mut change = Change::default();
    change.set("rate", "600k")?;
    // One way alone: what is measured is how one end follows.
    talk.line.change(Way::AToB, &change);
    let fell = Instant::now();
    let mut concealed: Vec<f64> = Vec::new();
    for _ in 0..2 {
        concealed.extend(talk.grace.seconds(1).await?.iter().map(|second| second.concealed_ms));
    }
    talk_on(&mut talk, Duration::from_secs(10)).await?;
    change.set("rate", "2M")?;
    talk.line.change(Way::AToB, &change);
    let back = Instant::now();
    talk_on(&mut talk, Duration::from_secs(12)).await?;
    let pictures = talk.grace_sees.all();
    let start = reached(&talk, accepted, 0.9);
    let again = reached(&talk, back, 0.8);
    let heard_from = talk.heard_since().await?.grace;
    let heard = talk.close().await?;
    let after = between(&pictures, fell, fell + Duration::from_secs(8));
    let late = after.iter().rev().find(|sight| sight.age_ms > 150.0).map_or(0.0, |sight| sight.at);
    let found = summary(&after, 8.0).context("no pictures came after the line fell")?;
    // By the clock of what was heard.
    let fell_at = (fell - heard_from).as_secs_f64();
    let sound = || heard.grace.chirps.iter().filter(|chirp| (fell_at..fell_at + 8.0).contains(&chirp.spoken));
    // One that was shortened while the delay comes down is not found: it says nothing of how late it was.
    let strange = sound().filter(|chirp| chirp.delay.is_none()).count();
    let sound_late = sound()
        .filter(|chirp| chirp.delay.is_some_and(|delay| delay > 150.0))
        .map(|chirp| chirp.spoken - fell_at)
        .fold(0.0, f64::max);
    Ok(vec![
        Row::lower("start: to 90 % of a 2 Mbit/s line", start, "s", 4.0),
        Row::lower("2 Mbit/s → 600 kbit/s: picture late by, at worst", found.worst_ms, "ms", 600.0),
        Row::lower("the same: longest freeze", found.longest_pause_ms, "ms", 500.0),
        Row::lower("the same: pictures under 150 ms for good after", late, "s", 3.0),
        Row::lower("the same: sound under 150 ms mouth to ear for good after", sound_late, "s", 2.0),
        Row::plain("the same: chirps of 16 that were not found", strange as f64, ""),
        Row::lower("the same: concealed of the first 2 s", concealed.iter().sum::<f64>() / 20.0, "%", 10.0),
        Row::lower("back to 2 Mbit/s: 80 % used after", again, "s", 8.0),
    ])
}

/// A line of 1 Mbit/s that stays as it is.
async fn steady() -> Result<Vec<Row>> {
    let server = Server::start(&[]).await?;
    let (mut talk, _) = call(&server, &[("rate", "1M"), ("queue", "300ms"), ("delay", "10")]).await?;
    talk_on(&mut talk, Duration::from_secs(10)).await?;
    let from = Instant::now();
    let before = talk.line.statistics().a_to_b.delivered_bytes;
    talk_on(&mut talk, Duration::from_secs(20)).await?;
    let line = talk.line.statistics();
    let carried = (line.a_to_b.delivered_bytes - before) as f64 * 8.0 / from.elapsed().as_secs_f64();
    let queue = line.a_to_b.wait.percentile(50.0).unwrap_or_default();
    Ok(vec![
        Row::higher("use of a steady 1 Mbit/s line", carried / 1e6 * 100.0, "%", 85.0),
        Row::lower("its queue, median", queue.as_secs_f64() * 1e3, "ms", 40.0),
    ])
}

/// Two calls on one line of 3 Mbit/s, the second 10 s after the first.
async fn shared() -> Result<Vec<Row>> {
    let server = Server::start(&[]).await?;
    let (mut first, _) = call(&server, &[("rate", "3M"), ("queue", "300ms"), ("delay", "10")]).await?;
    talk_on(&mut first, Duration::from_secs(10)).await?;
    let mut second = first.beside(&server).await?;
    second.place_with_video().await?;
    second.until_both(Phase::Connected).await?;
    talk_on(&mut second, Duration::from_secs(15)).await?;
    let from = Instant::now();
    talk_on(&mut second, Duration::from_secs(20)).await?;
    let to = Instant::now();
    let [first, second] = [&first, &second].map(|talk| talk.grace_sees.all());
    let rate = |pictures: &[Picture]| {
        let bytes: usize =
            pictures.iter().filter(|it| (from..to).contains(&it.ready)).map(|it| it.bytes).sum();
        bytes as f64 * 8.0 / 1e6 / (to - from).as_secs_f64()
    };
    let least = rate(&first).min(rate(&second));
    Ok(vec![
        Row::higher(
            "two calls on one 3 Mbit/s line: pictures of the lesser, 15 to 35 s on",
            least,
            "Mbit/s",
            1.0,
        ),
        Row::plain("the same: of the other", rate(&first).max(rate(&second)), "Mbit/s").is_better_higher(),
    ])
}

/// Lines that lose packets.
async fn losses() -> Result<Vec<Row>> {
    let server = Server::start(&[]).await?;
    let (mut talk, _) = call(&server, &[("loss", "2"), ("delay", "25")]).await?;
    talk_on(&mut talk, SETTLING).await?;
    let from = Instant::now();
    talk_on(&mut talk, Duration::from_secs(60)).await?;
    let few = summed(&talk.grace_sees, from, Instant::now())?;
    let mut change = Change::default();
    change.set("loss", "10")?;
    change.set("burst", "4")?;
    talk.line.change(Way::Both, &change);
    talk_on(&mut talk, Duration::from_secs(2)).await?;
    let from = Instant::now();
    let seconds = talk.grace.seconds(20).await?;
    let to = Instant::now();
    let pictures = talk.grace_sees.all();
    let broken = pictures
        .iter()
        .filter(|picture| (from..to).contains(&picture.ready) && picture.mark.is_none())
        .count();
    let many = summed(&talk.grace_sees, from, to)?;
    let concealed = percentile(seconds.iter().map(|second| second.concealed_percent), 50.0).unwrap_or(100.0);
    Ok(vec![
        Row::lower(
            "2 % random loss, 50 ms round trip: longest freeze in 60 s",
            few.longest_pause_ms,
            "ms",
            200.0,
        ),
        Row::plain("the same: pictures shown of those taken", 100.0 * few.shown, "%").is_better_higher(),
        Row::lower("10 % loss in bursts of 4: broken pictures shown", broken as f64, "pictures", 0.0),
        Row::plain("the same: longest freeze", many.longest_pause_ms, "ms"),
        Row::plain("the same: pictures shown of those taken", 100.0 * many.shown, "%").is_better_higher(),
        Row::plain("the same: sound concealed, median second", concealed, "%"),
    ])
}
