//! Speech over bad lines, on a virtual clock.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use carillon_link::{Plan, Script, Settings, Span};
use carillon_measure::quality::speech_quality;

use super::line::{Heard, Trial, Way, say};
use super::speech;
use crate::bench::Row;

/// How long each way takes without jitter.
const DELAY: Duration = Duration::from_millis(40);
/// The protection learns the line before anything counts.
const WARM_UP: usize = 6;
/// How long each text is said.
const SECONDS: usize = 36;
/// Losses are drawn anew so often for each voice; the mean counts.
const SEEDS: u64 = 8;
/// What a call may cost, in kbit/s of Opus, redundancy included.
const BUDGET: f64 = 32.0;
/// The longest playout delay.
const BOUND: Duration = Duration::from_millis(160);

/// One kind of loss, with its goal.
struct Loss {
    name: &'static str,
    settings: Settings,
    goal: f64,
}

/// What protection is worth, by PESQ (P.862.2), over the same call without it.
///
/// # Errors
/// When something can't be made.
pub fn protection(texts: &[Vec<f32>]) -> Result<Vec<Row>> {
    let line = Settings { delay: Span(DELAY), ..Settings::default() };
    let losses = [
        Loss { name: "10 % random loss", settings: Settings { loss: "10".parse()?, ..line }, goal: 0.6 },
        Loss {
            name: "20 % loss in bursts of 4",
            settings: Settings { loss: "20".parse()?, burst: Some(4.0), ..line },
            goal: 0.4,
        },
    ];
    let mut rows = Vec::new();
    for loss in &losses {
        rows.extend(worth(texts, loss)?);
    }
    Ok(rows)
}

fn worth(texts: &[Vec<f32>], loss: &Loss) -> Result<Vec<Row>> {
    let (mut gains, mut classic_gains) = (Vec::new(), Vec::new());
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let (mut bitrate, mut delay) = (0.0_f64, 0.0_f64);
    for text in texts {
        let sound = speech::repeated(text, SECONDS);
        for seed in 1..=SEEDS {
            let mut trial = Trial {
                plan: Plan::new(loss.settings, Script::default())?,
                way: Way::Protected,
                round_trip: 2 * DELAY,
                bound: BOUND,
                seed,
                warm_up: WARM_UP,
            };
            let protected = say(&sound, &trial)?;
            let score = mos(&sound, &protected)?;
            trial.way = Way::Plain;
            let plain = mos(&sound, &say(&sound, &trial)?)?;
            trial.way = Way::Classic;
            let classic = mos(&sound, &say(&sound, &trial)?)?;
            gains.push(score - plain);
            classic_gains.push(score - classic);
            with.push(score);
            without.push(plain);
            bitrate = bitrate.max(protected.bitrate / 1e3);
            delay = protected.delays.iter().skip(WARM_UP).copied().fold(delay, f64::max);
        }
    }
    let name = loss.name;
    let runs = gains.len();
    let least = gains.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(vec![
        Row::higher(
            format!("speech quality over plain concealment, {name} (mean of {runs})"),
            average(&gains)?,
            "PESQ",
            loss.goal,
        ),
        Row::plain("the same, standard deviation of the runs", deviation(&gains)?, "PESQ"),
        Row::plain("the same, least of the runs", least, "PESQ").is_better_higher(),
        Row::plain("the same over concealment without neural parts (mean)", average(&classic_gains)?, "PESQ")
            .is_better_higher(),
        Row::plain("with protection (mean)", average(&with)?, "PESQ").is_better_higher(),
        Row::plain("without it (mean)", average(&without)?, "PESQ").is_better_higher(),
        Row::lower("bits spent while speaking, redundancy included (most)", bitrate, "kbit/s", BUDGET),
        Row::lower("playout delay (longest)", delay, "ms", BOUND.as_secs_f64() * 1e3),
    ])
}

fn average(values: &[f64]) -> Result<f64> {
    ensure!(!values.is_empty(), "nothing was measured");
    Ok(values.iter().sum::<f64>() / values.len() as f64)
}

fn deviation(values: &[f64]) -> Result<f64> {
    let mean = average(values)?;
    Ok((values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt())
}

/// How what came after the warm-up sounds.
fn mos(sound: &[f32], heard: &Heard) -> Result<f64> {
    let from = WARM_UP * 48_000;
    let spoken = sound.get(from..).context("too short")?;
    let came = heard.sound.get(from..).context("too short")?;
    Ok(speech_quality(spoken, came, 1.0)?.mos)
}

/// A call that begins on a line that loses 5 %: what is made up before the protection has learnt the line.
///
/// # Errors
/// When something can't be made.
pub fn beginning(texts: &[Vec<f32>]) -> Result<Vec<Row>> {
    let settings = Settings { delay: Span(DELAY), loss: "5".parse()?, ..Settings::default() };
    let (mut shares, mut unprotected) = (Vec::new(), Vec::new());
    for text in texts {
        let sound = speech::repeated(text, 5);
        for seed in 1..=2 * SEEDS {
            let trial = |way| -> Result<Trial> {
                let plan = Plan::new(settings, Script::default())?;
                Ok(Trial { plan, way, round_trip: 2 * DELAY, bound: BOUND, seed, warm_up: 0 })
            };
            shares.push(average(&say(&sound, &trial(Way::Protected)?)?.concealed)?);
            unprotected.push(average(&say(&sound, &trial(Way::Plain)?)?.concealed)?);
        }
    }
    let name = "the first 5 s of a call at 5 % random loss: concealed (mean)";
    Ok(vec![
        Row::plain(name, average(&shares)?, "%"),
        Row::plain("the same without protection", average(&unprotected)?, "%"),
    ])
}

/// Jitter without loss: what is made up, and how much later it is heard than on a line without jitter.
///
/// # Errors
/// When something can't be made.
pub fn jitter(texts: &[Vec<f32>]) -> Result<Vec<Row>> {
    // Three deviations: none is cut off at the left.
    let mean = Duration::from_millis(100);
    let settings =
        Settings { delay: Span(mean), jitter: Span(Duration::from_millis(30)), ..Settings::default() };
    let (mut concealed, mut added, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for text in texts {
        let sound = speech::repeated(text, 60);
        for seed in 1..=SEEDS {
            let trial = Trial {
                plan: Plan::new(settings, Script::default())?,
                way: Way::Protected,
                round_trip: 2 * mean,
                bound: Duration::from_millis(400),
                seed,
                warm_up: 0,
            };
            let heard = say(&sound, &trial)?;
            let spoken = sound.get(WARM_UP * 48_000..).context("too short")?;
            let came = heard.sound.get(WARM_UP * 48_000..).context("too short")?;
            let pieces = speech_quality(spoken, came, 1.0)?.pieces;
            let least = mean.as_secs_f64() * 1e3 + Heard::least_delay_ms();
            added.extend(pieces.iter().filter_map(|piece| Some(piece.delay? + Heard::offset_ms() - least)));
            concealed.push(heard.stats.concealed_share() * 100.0);
            held.extend(heard.delays.iter().skip(WARM_UP));
        }
    }
    let worst = concealed.iter().copied().fold(0.0, f64::max);
    Ok(vec![
        Row::lower("jitter of 30 ms, no loss: concealed (mean)", average(&concealed)?, "%", 1.0),
        Row::plain(format!("the same, worst of {} runs", concealed.len()), worst, "%"),
        Row::lower("jitter of 30 ms, no loss: delay added (mean)", average(&added)?, "ms", 80.0),
        Row::plain(
            "the same, p95",
            carillon_measure::percentile(added.iter().copied(), 95.0).unwrap_or(0.0),
            "ms",
        ),
        Row::plain("the same, as the jitter buffer reckons it (mean)", average(&held)?, "ms"),
    ])
}
