//! Two `carillon` processes on one machine, with devices of a sound server without hardware: mouth-to-ear, and what one
//! end costs.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use carillon_client::chirp;
use carillon_measure::chirp::{MouthToEar, Search, mouth_to_ear};
use carillon_testkit::pulse::{Heard, Pulse};

use super::speech;
use crate::bench::Row;
use crate::load::{memory, processor};
use crate::server::{Server, program};
use crate::terminal::Terminal;

const CHIRPS: usize = 40;
/// From one chirp to the next, in samples: no multiple of a frame or a packet, so that every place in them is met.
const CHIRP_EVERY: usize = 24_367;
/// Before the first chirp, in samples: the players and recorders are running by then.
const LEAD: usize = 24_000;
/// Seconds after which a call has found its delay, and the echo control its echo.
const SETTLING: u64 = 4;
/// Seconds of the call for which processor time is counted.
const COUNTED: u64 = 22;
/// What recorders hear before the first chirp and after the last.
const MARGIN: Duration = Duration::from_millis(500);
const RATE: f64 = 48_000.0;

const MOUTH_TO_EAR: &str = "mouth-to-ear through null sinks, echo and noise control on";
const WITHOUT: &str = "mouth-to-ear through null sinks, echo and noise control off";
const PROCESSOR: &str = "processor, one end, audio call, both talking";
const MEMORY: &str = "memory, one end (PSS)";

/// Everything here, or why it could not be measured.
pub async fn rows() -> Vec<Row> {
    let measured = async {
        let pulse = Pulse::start(&["a", "b"]).map_err(|problem| anyhow!(problem))?;
        let server = Server::start(&[]).await?;
        let (caller, callee) = (End::new(&pulse, &server, "a")?, End::new(&pulse, &server, "b")?);
        caller.run(&["follow", "@end_b"])?;
        callee.run(&["follow", "@end_a"])?;
        let mut rows = with_control(&pulse, &caller, &callee)?;
        rows.extend(without_control(&pulse, &caller, &callee)?);
        Ok::<_, anyhow::Error>(rows)
    };
    measured.await.unwrap_or_else(|error| {
        let reason = format!("{error:#}");
        [
            (format!("{MOUTH_TO_EAR}, median"), "ms", 60.0),
            (format!("{MOUTH_TO_EAR}, p95"), "ms", 75.0),
            (format!("{WITHOUT}, median"), "ms", 45.0),
            (PROCESSOR.to_owned(), "% of a core", 6.0),
            (MEMORY.to_owned(), "MB", 60.0),
        ]
        .into_iter()
        .map(|(name, unit, goal)| Row::unmeasured(name, unit, goal, reason.as_str()))
        .collect()
    })
}

fn with_control(pulse: &Pulse, caller: &End, callee: &End) -> Result<Vec<Row>> {
    let control = ["--echo-control", "on", "--noise-control", "on"];
    let call = Call::begin(caller, callee, &control)?;
    let found = chirps(pulse)?;
    let delays = found.delays.context("no chirp was heard")?;
    let cost = cost(pulse, &call)?;
    call.end()?;
    Ok(vec![
        Row::lower(format!("{MOUTH_TO_EAR}, median"), delays.median, "ms", 60.0),
        Row::lower(format!("{MOUTH_TO_EAR}, p95"), delays.p95, "ms", 75.0),
        Row::plain("the same, longest", delays.greatest, "ms"),
        Row::plain(format!("chirps of {CHIRPS} not heard"), found.missed as f64, "chirps"),
        Row::lower(PROCESSOR, cost.processor_percent, "% of a core", 6.0),
        Row::lower(MEMORY, cost.memory_mb, "MB", 60.0),
    ])
}

fn without_control(pulse: &Pulse, caller: &End, callee: &End) -> Result<Vec<Row>> {
    let control = ["--echo-control", "off", "--noise-control", "off", "--gain-control", "off"];
    let call = Call::begin(caller, callee, &control)?;
    let found = chirps(pulse)?;
    let delays = found.delays.context("no chirp was heard")?;
    call.end()?;
    Ok(vec![
        Row::lower(format!("{WITHOUT}, median"), delays.median, "ms", 45.0),
        Row::plain("the same, p95", delays.p95, "ms"),
        Row::plain("the same, longest", delays.greatest, "ms"),
        Row::plain(format!("chirps of {CHIRPS} not heard"), found.missed as f64, "chirps"),
    ])
}

/// Somebody with an account, and a microphone and a speaker of the sound server.
struct End {
    name: String,
    profile: PathBuf,
    server: String,
    environment: Vec<(&'static str, std::ffi::OsString)>,
}

impl End {
    fn new(pulse: &Pulse, server: &Server, name: &str) -> Result<Self> {
        let folder = format!("carillon-desk-{}-{name}", std::process::id());
        let end = Self {
            name: name.to_owned(),
            profile: std::env::temp_dir().join(folder),
            server: server.url(),
            environment: pulse.environment(),
        };
        end.run(&["signup", &format!("end_{name}")])?;
        Ok(end)
    }

    fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(program("carillon")?);
        command.arg("--profile").arg(&self.profile).args([
            "--server",
            &self.server,
            "--insecure-secrets",
            "--json",
        ]);
        command.args(words).envs(self.environment.clone());
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        Ok(command)
    }

    fn run(&self, words: &[&str]) -> Result<()> {
        let output = self.command(words)?.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "carillon {}: {said}", words.join(" "));
        Ok(())
    }

    /// A program that opens the devices of this end, and goes on.
    fn start(&self, words: &[&str], control: &[&str]) -> Result<Terminal> {
        let mut command = self.command(words)?;
        command.args(control).args(["--microphone", &format!("pulseaudio:mic_{}", self.name)]);
        command.args(["--speaker", &format!("pulseaudio:spk_{}", self.name)]);
        Terminal::start(&mut command)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// A call that is up.
struct Call {
    caller: Terminal,
    callee: Terminal,
}

impl Call {
    fn begin(caller: &End, callee: &End, control: &[&str]) -> Result<Self> {
        let listening = callee.start(&["listen", "--answer"], control)?;
        listening.until("\"online\"")?;
        let calling = caller.start(&["call", &format!("@end_{}", callee.name)], control)?;
        calling.until("\"phase\":\"connected\"")?;
        let call = Self { caller: calling, callee: listening };
        call.talk_on(SETTLING)?;
        Ok(call)
    }

    /// Waits until so many more seconds of the call are over at both ends. By the clock: what they told while nobody
    /// listened waits too, and would be over at once.
    fn talk_on(&self, seconds: u64) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < until {
            for end in [&self.caller, &self.callee] {
                end.until("\"event\":\"quality\"")?;
            }
        }
        Ok(())
    }

    /// Hangs up as a person does, so that the next call finds nobody busy.
    fn end(mut self) -> Result<()> {
        self.caller.interrupt()
    }
}

/// Chirps into the caller's microphone, out of the callee's speaker. Both are recorded by the same kind of recorder, so
/// that its delay cancels out.
fn chirps(pulse: &Pulse) -> Result<MouthToEar> {
    let pattern = chirp();
    let mut sound = vec![0.0; LEAD];
    for _ in 0..CHIRPS {
        let end = sound.len() + CHIRP_EVERY;
        sound.extend_from_slice(&pattern);
        sound.resize(end, 0.0);
    }
    let problem = |problem: String| anyhow!(problem);
    let mouth = pulse.hear("in_a").map_err(problem)?;
    let ear = pulse.hear("spk_b").map_err(problem)?;
    for recorder in [&mouth, &ear] {
        recorder.hear_on(MARGIN).map_err(problem)?;
    }
    pulse.play_into("in_a", &sound).map_err(problem)?.wait();
    for recorder in [&mouth, &ear] {
        recorder.hear_on(MARGIN).map_err(problem)?;
    }
    between(&mouth.stop(), &ear.stop(), &pattern)
}

/// How much later each chirp of one recording is in the other.
fn between(mouth: &Heard, ear: &Heard, pattern: &[f32]) -> Result<MouthToEar> {
    let (began, ear_began) = mouth.started.zip(ear.started).context("nothing was recorded")?;
    let first = mouth_to_ear(&mouth.samples, pattern, &[0.0], &Search { latest: 10.0, ..Search::default() });
    let nominal: Vec<f64> = (0..CHIRPS).map(|number| (number * CHIRP_EVERY) as f64 / RATE).collect();
    let first = first.chirps.first().and_then(|chirp| chirp.delay).context("no chirp was played")? / 1e3;
    let near = Search { earliest: -0.1, latest: 0.1, ..Search::default() };
    let around: Vec<f64> = nominal.iter().map(|at| first + at).collect();
    let spoken = mouth_to_ear(&mouth.samples, pattern, &around, &near);
    // From the one recording's clock to the other's.
    let apart = if began >= ear_began {
        began.duration_since(ear_began).as_secs_f64()
    } else {
        -ear_began.duration_since(began).as_secs_f64()
    };
    let spoken: Vec<f64> =
        spoken.chirps.iter().filter_map(|chirp| Some(chirp.spoken + chirp.delay? / 1e3 + apart)).collect();
    ensure!(spoken.len() == CHIRPS, "{} of {CHIRPS} chirps were played", spoken.len());
    Ok(mouth_to_ear(&ear.samples, pattern, &spoken, &Search { latest: 0.45, ..Search::default() }))
}

struct Cost {
    processor_percent: f64,
    memory_mb: f64,
}

/// What a process costs while both ends talk.
fn cost(pulse: &Pulse, call: &Call) -> Result<Cost> {
    let process = call.callee.id();
    let talk = speech::repeated(&speech::own()?, 2 * usize::try_from(COUNTED)?);
    let problem = |problem: String| anyhow!(problem);
    let here = pulse.play_into("in_a", &talk).map_err(problem)?;
    let there = pulse.play_into("in_b", &talk).map_err(problem)?;
    call.talk_on(1)?;
    let (before, begun) = (processor(process)?, Instant::now());
    call.talk_on(COUNTED)?;
    let used = processor(process)? - before;
    let processor_percent = 100.0 * used / begun.elapsed().as_secs_f64();
    let memory_mb = memory(process)? / 1e6;
    drop((here, there));
    Ok(Cost { processor_percent, memory_mb })
}
