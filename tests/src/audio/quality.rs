//! Speech over bad lines, on a virtual clock.

use std::time::Duration;

use anyhow::{Context as _, Result};
use carillon_link::{Plan, Script, Settings, Span};
use carillon_measure::quality::speech_quality;

use super::line::{Heard, Trial, Way, say};
use super::{median, speech};
use crate::bench::Row;

/// How long each way takes without jitter.
const DELAY: Duration = Duration::from_millis(40);
/// The protection learns the line before anything counts.
const WARM_UP: usize = 6;
/// How long each text is said.
const SECONDS: usize = 36;
/// Losses are drawn anew so often; the median counts.
const SEEDS: u64 = 5;
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
    let of = |values: &[f64]| median(values).context("nothing was measured");
    let least = gains.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(vec![
        Row::higher(
            format!("speech quality over plain concealment, {name} (median)"),
            of(&gains)?,
            "PESQ",
            loss.goal,
        ),
        Row::plain(format!("the same, least of {} runs", gains.len()), least, "PESQ").is_better_higher(),
        Row::plain("the same over concealment without neural parts (median)", of(&classic_gains)?, "PESQ")
            .is_better_higher(),
        Row::plain("with protection (median)", of(&with)?, "PESQ").is_better_higher(),
        Row::plain("without it (median)", of(&without)?, "PESQ").is_better_higher(),
        Row::lower("bits spent while speaking, redundancy included (most)", bitrate, "kbit/s", BUDGET),
        Row::lower("playout delay (longest)", delay, "ms", BOUND.as_secs_f64() * 1e3),
    ])
}

/// How what came after the warm-up sounds.
fn mos(sound: &[f32], heard: &Heard) -> Result<f64> {
    let from = WARM_UP * 48_000;
    let spoken = sound.get(from..).context("too short")?;
    let came = heard.sound.get(from..).context("too short")?;
    Ok(speech_quality(spoken, came, 1.0)?.mos)
}

/// Jitter without loss: what is made up, and how much later it is heard than on a line without jitter.
///
/// # Errors
/// When something can't be made.
pub fn jitter(text: &[f32]) -> Result<Vec<Row>> {
    // Three deviations: none is cut off at the left.
    let mean = Duration::from_millis(100);
    let settings =
        Settings { delay: Span(mean), jitter: Span(Duration::from_millis(30)), ..Settings::default() };
    let (mut concealed, mut added, mut held) = (Vec::new(), Vec::new(), Vec::new());
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
    let of = |values: &[f64]| median(values).context("nothing was measured");
    let worst = concealed.iter().copied().fold(0.0, f64::max);
    Ok(vec![
        Row::lower("jitter of 30 ms, no loss: concealed (median)", of(&concealed)?, "%", 1.0),
        Row::plain(format!("the same, worst of {SEEDS} runs"), worst, "%"),
        Row::lower("jitter of 30 ms, no loss: delay added (median)", of(&added)?, "ms", 80.0),
        Row::plain(
            "the same, p95",
            carillon_measure::percentile(added.iter().copied(), 95.0).unwrap_or(0.0),
            "ms",
        ),
        Row::plain("the same, as the jitter buffer reckons it (median)", of(&held)?, "ms"),
    ])
}
