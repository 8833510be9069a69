//! How good the call was: figures, a verdict, plots.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use carillon_client::{CHIRP_EVERY, EndState, Quality, chirp};
use carillon_link::ForwarderStatistics;
use carillon_measure::Series;
use carillon_measure::chirp::{MouthToEar, Search, mouth_to_ear};
use carillon_measure::pictures::{Sight, summary};
use carillon_measure::quality::speech_quality;
use carillon_measure::recording::{Recording, RecordingError};
use carillon_measure::report::{Fact, Lang as PageLang, Plot, Report, Step, Verdict};

use super::Talk;
use super::eyes::Eyes;
use super::studio::{Studio, Who};
use crate::args::Loopback;
use crate::text::Lang;

/// Samples a second of what is recorded.
const RATE: f64 = 48_000.0;
/// The first moment of a call is not judged: the jitter buffer and echo control settle.
const SETTLE: Duration = Duration::from_millis(1_000);
/// The longest delay that is looked for, in seconds.
const LATEST: f64 = 0.49;

/// Threads by their names, for processor time per part.
pub(super) const PARTS: &[(&str, &[&str])] = &[
    ("sound", &["audio"]),
    ("devices", &["sound", "sound-desk", "microphone", "speaker"]),
    ("camera (a scene is drawn)", &["camera", "synthetic came"]),
    ("pictures, encoding", &["video out"]),
    ("pictures, decoding, and what measures them", &["video in"]),
    ("line", &["link", "line"]),
    ("network, server and both clients", &["tokio"]),
];

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReportError {
    #[error("what was heard can't be read: {0}")]
    Record(#[from] RecordingError),
    #[error("the devices did not say when they began")]
    NoStart,
}

/// Looks at what was heard and counted.
pub(super) fn make(
    lang: Lang,
    how: &Loopback,
    (studio, eyes): (&Studio, &Eyes),
    talk: &Talk,
    steps: &[(&'static str, Duration)],
    line: &ForwarderStatistics,
) -> Result<Report, ReportError> {
    let delays = delays(studio, talk)?;
    let mos = speech(studio, talk)?;
    let seconds = talk.until.saturating_duration_since(talk.since).as_secs_f64();
    let mean = |of: fn(&Quality) -> f64, who: &str| {
        let values: Vec<_> =
            talk.qualities.iter().filter(|(at, ..)| *at == who).map(|(.., q)| of(q)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let worst = |of: fn(&Quality) -> f64| talk.qualities.iter().map(|(.., q)| of(q)).reduce(f64::max);
    let mut verdicts = vec![
        Verdict::new("mouth to ear, median", delays.delays.as_ref().map(|d| d.median), "ms"),
        Verdict::new("mouth to ear, 95th percentile", delays.delays.as_ref().map(|d| d.p95), "ms"),
        Verdict::new("mouth to ear, worst", delays.delays.as_ref().map(|d| d.greatest), "ms"),
        Verdict::new("chirps that were not heard", Some(delays.missed as f64), ""),
        Verdict::new("speech quality (PESQ wide-band, 1 to 4.64)", mos, ""),
        Verdict::new("concealed, ada hears", mean(|q| q.concealed_percent, "ada"), "%"),
        Verdict::new("concealed, bob hears", mean(|q| q.concealed_percent, "bob"), "%"),
        Verdict::new("round trip, worst second", worst(|q| q.round_trip_ms.unwrap_or_default()), "ms"),
        Verdict::new("playout delay, worst second", worst(|q| q.playout_delay_ms), "ms"),
        Verdict::new("lost on the way, ada to bob", Some(100.0 * line.a_to_b.loss_share()), "%"),
        Verdict::new("lost on the way, bob to ada", Some(100.0 * line.b_to_a.loss_share()), "%"),
    ];
    if how.video {
        verdicts.extend(pictures(eyes, talk));
    }
    if let Some(processor) = &talk.processor {
        let cores = |time: Duration| Some(100.0 * time.as_secs_f64() / seconds.max(1e-3));
        verdicts.push(Verdict::new("processor, everything", cores(processor.total), "% of a core"));
        for (part, time) in &processor.parts {
            verdicts.push(Verdict::new(format!("processor, {part}"), cores(*time), "% of a core"));
        }
        verdicts.push(Verdict::new("processor, other", cores(processor.other), "% of a core"));
    }
    if let Some(memory) = &talk.memory {
        let bytes = memory.pss.unwrap_or(memory.rss);
        verdicts.push(Verdict::new("memory, everything", Some(bytes as f64 / 1_048_576.0), "MB"));
    }
    Ok(Report {
        lang: match lang {
            Lang::En => PageLang::En,
            Lang::Fr => PageLang::Fr,
        },
        title: "Carillon loopback".to_owned(),
        subtitle: format!("{seconds:.0} s, @ada calls @bob, seed {}", how.line.seed),
        machine: machine(),
        settings: settings(how),
        verdicts,
        steps: steps
            .iter()
            .map(|(name, took)| Step { name: (*name).to_owned(), millis: took.as_secs_f64() * 1e3 })
            .collect(),
        plots: plots(talk, &delays, how.video.then_some(eyes)),
        remarks: Vec::new(),
    })
}

/// The figures as lines for a terminal.
pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    for verdict in &report.verdicts {
        let value =
            verdict.value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1} {}", verdict.unit));
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {:<44} {value}", verdict.name);
    }
    text.trim_end().to_owned()
}

/// When a synthetic device began.
fn start(state: &Option<EndState>) -> Result<Instant, ReportError> {
    state.as_ref().and_then(|end| end.started).ok_or(ReportError::NoStart)
}

/// From one moment to another, in seconds; negative when it was before.
fn seconds(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() - from.saturating_duration_since(to).as_secs_f64()
}

/// How late Ada hears Bob's chirps.
fn delays(studio: &Studio, talk: &Talk) -> Result<MouthToEar, ReportError> {
    let heard = Recording::read(&studio.record(Who::Ada))?;
    let (spoken_from, heard_from) = (start(&talk.bob.microphone)?, start(&talk.ada.speaker)?);
    let (first, last) = (seconds(spoken_from, talk.since + SETTLE), seconds(spoken_from, talk.until) - 1.0);
    let every = CHIRP_EVERY.as_secs_f64();
    let offset = seconds(heard_from, spoken_from);
    let spoken: Vec<_> = (0u32..)
        .map(|n| f64::from(n) * every)
        .skip_while(|at| *at < first)
        .take_while(|at| *at < last)
        .map(|at| at + offset)
        .collect();
    let search = Search { latest: LATEST, ..Search::default() };
    Ok(mouth_to_ear(&heard.samples, &chirp(), &spoken, &search))
}

/// How well Bob understands Ada; nothing when she did not read a file.
fn speech(studio: &Studio, talk: &Talk) -> Result<Option<f64>, ReportError> {
    let Some(file) = &studio.speech else { return Ok(None) };
    let (said, heard) = (Recording::read(file)?, Recording::read(&studio.record(Who::Bob))?);
    let (spoken_from, heard_from) = (start(&talk.ada.microphone)?, start(&talk.bob.speaker)?);
    let from = seconds(heard_from, talk.since + SETTLE).max(0.0);
    let until = seconds(heard_from, talk.until).max(from);
    let cut = |at: f64| (at * RATE) as usize;
    let heard = heard.samples.get(cut(from)..cut(until).min(heard.samples.len())).unwrap_or_default();
    let offset = seconds(spoken_from, heard_from) + from;
    let reference: Vec<_> = (0..heard.len()).map(|n| said.looped(offset + n as f64 / RATE)).collect();
    Ok(speech_quality(&reference, heard, LATEST).ok().map(|quality| quality.mos))
}

/// What each saw of the other.
fn pictures(eyes: &Eyes, talk: &Talk) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (who, way) in [(Who::Bob, "ada to bob"), (Who::Ada, "bob to ada")] {
        let seen = eyes.seen(who);
        let sights = seen.between(talk.since + SETTLE, talk.until);
        let until = seconds(talk.since + SETTLE, talk.until);
        let found = summary(&sights, until);
        let mut add = |what: &str, value: Option<f64>, unit| {
            verdicts.push(Verdict::new(format!("{what}, {way}"), value, unit));
        };
        let first = seen.sights.first().map(|(ready, _)| seconds(talk.since, *ready) * 1e3);
        add("first picture after connecting", first, "ms");
        add("glass to glass, median", found.map(|found| found.median_ms), "ms");
        add("glass to glass, 95th percentile", found.map(|found| found.p95_ms), "ms");
        add("glass to glass, worst", found.map(|found| found.worst_ms), "ms");
        add("pictures shown of those taken", found.map(|found| 100.0 * found.shown), "%");
        add("freezes of 200 ms and more", found.map(|found| found.freezes as f64), "");
        add("longest pause between pictures", found.map(|found| found.longest_pause_ms), "ms");
        add("likeness to what was taken (SSIM, 0 to 1)", seen.likeness(), "");
        add("lines of the picture, mean", found.map(|found| found.height), "");
        add("pictures take", found.map(|found| found.kilobits), "kbit/s");
        add("pictures whose bar code can't be read", Some(seen.unread as f64), "");
    }
    verdicts
}

/// Pictures in time, each second together.
fn picture_plots(eyes: &Eyes, talk: &Talk) -> Vec<Plot> {
    let ways = [(Who::Bob, "ada to bob"), (Who::Ada, "bob to ada")];
    let plot = |name: &str, unit: &str, of: fn(&[Sight]) -> Option<f64>| {
        let series = ways.map(|(who, way)| {
            let sights = eyes.seen(who).between(talk.since, talk.until);
            let mut series = Series::new(way);
            for second in 0..seconds(talk.since, talk.until) as usize {
                let within: Vec<_> =
                    sights.iter().filter(|sight| sight.at as usize == second).copied().collect();
                match of(&within) {
                    Some(value) => series.push(second as f64 + 0.5, value),
                    None => series.gap(second as f64 + 0.5),
                }
            }
            series
        });
        Plot::new(name, unit, series.into())
    };
    vec![
        plot("Glass to glass, worst of each second", "ms", |sights| {
            sights.iter().map(|sight| sight.age_ms).reduce(f64::max)
        }),
        plot("Pictures shown", "a second", |sights| Some(sights.len() as f64)),
        plot("Lines of the picture", "", |sights| sights.last().map(|sight| f64::from(sight.height))),
        plot("Pictures take", "kbit/s", |sights| {
            Some(sights.iter().map(|sight| sight.bytes).sum::<usize>() as f64 * 8.0 / 1e3)
        }),
    ]
}

fn plots(talk: &Talk, delays: &MouthToEar, eyes: Option<&Eyes>) -> Vec<Plot> {
    let both = |name: &str, unit: &str, of: fn(&Quality) -> Option<f64>| {
        let series = ["ada", "bob"].map(|who| {
            let mut series = Series::new(who);
            for (_, when, quality) in talk.qualities.iter().filter(|(at, ..)| *at == who) {
                let at = seconds(talk.since, *when);
                match of(quality) {
                    Some(value) => series.push(at, value),
                    None => series.gap(at),
                }
            }
            series
        });
        Plot::new(name, unit, series.into())
    };
    let mut late = Series::new("bob to ada");
    let first = delays.chirps.first().map_or(0.0, |chirp| chirp.spoken);
    for chirp in &delays.chirps {
        let at = chirp.spoken - first + SETTLE.as_secs_f64();
        match chirp.delay {
            Some(delay) => late.push(at, delay),
            None => late.gap(at),
        }
    }
    let mut plots = vec![
        Plot::new("Mouth to ear", "ms", vec![late]),
        both("Concealed", "%", |q| Some(q.concealed_percent)),
        both("Lost before repair", "%", |q| Some(q.loss_percent)),
        both("Playout delay", "ms", |q| Some(q.playout_delay_ms)),
        both("Jitter", "ms", |q| Some(q.jitter_ms)),
        both("Round trip", "ms", |q| q.round_trip_ms),
        both("Level of the other side", "dBFS", |q| Some(q.level_dbfs)),
    ];
    plots.extend(eyes.into_iter().flat_map(|eyes| picture_plots(eyes, talk)));
    plots
}

fn settings(how: &Loopback) -> Vec<Fact> {
    let mut facts: Vec<_> = how.line.named().iter().map(|(name, value)| Fact::new(*name, *value)).collect();
    if let Some(file) = &how.line.steps {
        facts.push(Fact::new("steps", file.display().to_string()));
    }
    facts.push(Fact::new("ada says", how.microphone.clone().unwrap_or_else(|| "sentences".to_owned())));
    facts
}

fn machine() -> Vec<Fact> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("model name"))?;
        Some(line.trim_start_matches([' ', '\t', ':']).to_owned())
    });
    vec![
        Fact::new("processor", model.unwrap_or_else(|| "unnamed".to_owned())),
        Fact::new("cores", cores.to_string()),
        Fact::new("system", std::env::consts::OS),
        Fact::new("build", if cfg!(debug_assertions) { "debug" } else { "release" }),
    ]
}
