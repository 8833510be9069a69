//! What the words after `cargo xtask` mean.

use std::fmt;

use crate::checks::Check;

/// One task, as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Task {
    /// Explain.
    Help(Topic),
    /// Ring one client from another on this machine.
    Call {
        /// Passed on to `carillon loopback`.
        arguments: Vec<String>,
    },
    /// Check everything.
    Test(TestOptions),
    /// Measure.
    Bench {
        /// What.
        part: Part,
        /// Passed on to the benchmark.
        arguments: Vec<String>,
    },
    /// Call for long.
    Soak {
        /// Passed on.
        arguments: Vec<String>,
    },
    /// Feed the parsers with what nobody would send.
    Fuzz(FuzzOptions),
}

/// What `fuzz` runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FuzzOptions {
    /// This target alone; all if absent.
    pub(crate) target: Option<String>,
    /// How long each target runs.
    pub(crate) seconds: u32,
}

impl Default for FuzzOptions {
    fn default() -> Self {
        Self { target: None, seconds: 60 }
    }
}

/// How `test` goes about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TestOptions {
    /// Only these, in the usual order; all if empty.
    pub(crate) only: Vec<Check>,
    /// Don't stop at the first that fails.
    pub(crate) keep_going: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Memory of idle sockets, calls per second, delay from create to ring.
    Server,
    /// Set-up times, mouth-to-ear, speech over bad lines, what a call costs.
    Audio,
    /// Delay of pictures, how they follow a line, what they cost.
    Video,
}

/// What can be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// Everything there is.
    All,
    /// `call`
    Call,
    /// `test`
    Test,
    /// `bench`
    Bench,
    /// `soak`
    Soak,
    /// `fuzz`
    Fuzz,
}

impl Topic {
    /// The explanation.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::All => {
                "cargo xtask TASK

  call          a server and two clients on this machine, and a call between them
  test          formatting, lints, licences, documentation, all tests
  bench server  what the server can carry
  bench audio   how fast, how late and how good a call sounds
  bench video   how late pictures are, how they follow a line, and what they cost
  soak          hours of calling, and what they leave behind
  fuzz          the parsers and the jitter buffer against what nobody would send

cargo xtask TASK --help says more."
            }
            Self::Call => {
                "cargo xtask call [ARGUMENT]...

Builds the programs, then runs `carillon loopback`: a server inside the process, two clients without a window, a call
that rings, is accepted, carries speech over an emulated line, and is hung up. Each event is printed with its time, then
how good it was. Arguments are passed on: --seconds, --loss, --burst, --delay, --jitter, --rate, --queue, --steps FILE,
--microphone, --record DIR, --html FILE and more; `carillon loopback --help` names them all."
            }
            Self::Test => {
                "cargo xtask test [--only STEP]... [--keep-going]

Runs these steps in order and stops at the first that fails:
  format   rustfmt has nothing to change
  clippy   has nothing to say, warnings count
  deny     licences, sources and banned crates (cargo-deny; with CARILLON_ADVISORIES=1 also known vulnerabilities)
  docs     rustdoc has nothing to say
  build    the programs, which the whole-system tests start
  tests    every test of the workspace

  --only STEP   this step alone; may be given several times
  --keep-going  run the steps after a failed one too"
            }
            Self::Bench => {
                "cargo xtask bench PART [--json FILE]

Builds with optimisation and measures. PART is:
  server   memory of idle sockets, calls per second, delay from create to ring
  audio    set-up times, mouth-to-ear, speech over bad lines, echo, drift, processor and memory of a call
  video    glass-to-glass, a line that gets narrow and wide, losses, processor and memory of a call with pictures

  --json FILE   also write the numbers to FILE
Further arguments are passed on to the benchmark: `audio` takes --only virtual, connect or desk, and --speech FILE;
`video` takes --only open, narrow, steady, shared or losses, and --against chromium, which measures two browsers in
turns with us."
            }
            Self::Soak => {
                "cargo xtask soak [MINUTES] [--video | --calls]

Holds one call for 30 minutes, or as long as you say, over an emulated line that changes every 20 seconds, and watches
memory, threads, open files, delay and concealed sound. With --video it has pictures both ways. With --calls it makes
one call after the other instead. Prints what it sees, a table at the end, and fails when something has grown. Not a
part of `test`: it takes long."
            }
            Self::Fuzz => {
                "cargo xtask fuzz [TARGET] [SECONDS]

Runs the targets in `fuzz/`, each for 60 seconds or as long as you say, from the corpus that is committed and what
earlier runs have added to it in `fuzz/target`. Needs a nightly compiler and cargo-fuzz, and says how to get them where
they are missing."
            }
        }
    }
}

/// Why the words are no task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// There is no such task.
    UnknownTask(String),
    /// The task does not know this word.
    UnknownArgument(String),
    /// There is no such step of `test`.
    UnknownStep(String),
    /// `bench` of what?
    UnknownPart(String),
    /// A word that needs another one after it.
    Missing(&'static str),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTask(word) => write!(f, "there is no task `{word}`"),
            Self::UnknownArgument(word) => write!(f, "`{word}` means nothing here"),
            Self::UnknownStep(word) => {
                let known = Check::ALL.map(Check::name).join(", ");
                write!(f, "there is no step `{word}`; there are {known}")
            }
            Self::UnknownPart(word) => {
                write!(f, "there is nothing to measure called `{word}`; there are server, audio and video")
            }
            Self::Missing(what) => write!(f, "{what} is missing"),
        }
    }
}

/// Reads the words after `cargo xtask`.
pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Task, Problem> {
    let mut words = words.into_iter();
    let Some(task) = words.next() else { return Ok(Task::Help(Topic::All)) };
    let words: Vec<String> = words.collect();
    let topic = match task.as_str() {
        "call" => Topic::Call,
        "test" => Topic::Test,
        "bench" => Topic::Bench,
        "soak" => Topic::Soak,
        "fuzz" => Topic::Fuzz,
        "help" | "--help" | "-h" => return Ok(Task::Help(Topic::All)),
        _ => return Err(Problem::UnknownTask(task)),
    };
    if words.iter().any(|word| matches!(word.as_str(), "--help" | "-h")) {
        return Ok(Task::Help(topic));
    }
    match topic {
        Topic::All => Ok(Task::Help(topic)),
        Topic::Call => {
            // `call -- --json` is what people type who know other runners.
            Ok(Task::Call { arguments: words.into_iter().skip_while(|word| word == "--").collect() })
        }
        Topic::Test => parse_test(words).map(Task::Test),
        Topic::Bench => parse_bench(words),
        Topic::Soak => Ok(Task::Soak { arguments: words }),
        Topic::Fuzz => parse_fuzz(words).map(Task::Fuzz),
    }
}

/// A number is the seconds, another word the target.
fn parse_fuzz(words: Vec<String>) -> Result<FuzzOptions, Problem> {
    let mut options = FuzzOptions::default();
    let mut timed = false;
    for word in words {
        match word.parse() {
            Ok(seconds @ 1..) if !timed => (options.seconds, timed) = (seconds, true),
            Err(_) if options.target.is_none() && !timed && !word.starts_with('-') => {
                options.target = Some(word);
            }
            _ => return Err(Problem::UnknownArgument(word)),
        }
    }
    Ok(options)
}

fn parse_test(words: Vec<String>) -> Result<TestOptions, Problem> {
    let mut options = TestOptions::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let step = match word.as_str() {
            "--keep-going" => {
                options.keep_going = true;
                continue;
            }
            "--only" => words.next().ok_or(Problem::Missing("the step after --only"))?,
            other => match other.strip_prefix("--only=") {
                Some(step) => step.to_owned(),
                None => return Err(Problem::UnknownArgument(word)),
            },
        };
        options.only.push(Check::named(&step).ok_or(Problem::UnknownStep(step))?);
    }
    Ok(options)
}

fn parse_bench(words: Vec<String>) -> Result<Task, Problem> {
    let mut words = words.into_iter();
    let part = match words.next() {
        Some(word) if word == "server" => Part::Server,
        Some(word) if word == "audio" => Part::Audio,
        Some(word) if word == "video" => Part::Video,
        Some(word) => return Err(Problem::UnknownPart(word)),
        None => return Err(Problem::Missing("what to measure (server, audio or video)")),
    };
    let arguments: Vec<String> = words.collect();
    if arguments.last().is_some_and(|word| word == "--json") {
        return Err(Problem::Missing("the file after --json"));
    }
    Ok(Task::Bench { part, arguments })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> Result<Task, Problem> {
        parse(text.split_whitespace().map(str::to_owned))
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn help_is_there_for_everything() {
        for (text, topic) in [
            ("", Topic::All),
            ("help", Topic::All),
            ("--help", Topic::All),
            ("call --help", Topic::Call),
            ("test --only clippy -h", Topic::Test),
            ("bench --help", Topic::Bench),
            ("soak 5 --help", Topic::Soak),
            ("fuzz -h", Topic::Fuzz),
        ] {
            assert_eq!(parse_text(text), Ok(Task::Help(topic)), "{text}");
        }
    }

    #[test]
    fn the_help_names_every_task_and_every_step() {
        for task in ["call", "test", "bench server", "bench audio", "soak", "fuzz"] {
            assert!(Topic::All.text().contains(task));
        }
        for check in Check::ALL {
            assert!(Topic::Test.text().contains(&format!("\n  {} ", check.name())), "{}", check.name());
        }
    }

    #[test]
    fn call_passes_its_arguments_on() {
        let arguments = words("--json --video");
        assert_eq!(parse_text("call --json --video"), Ok(Task::Call { arguments: arguments.clone() }));
        assert_eq!(parse_text("call -- --json --video"), Ok(Task::Call { arguments }));
    }

    #[test]
    fn test_runs_all_or_the_named_steps() {
        assert_eq!(parse_text("test"), Ok(Task::Test(TestOptions::default())));
        assert_eq!(
            parse_text("test --only clippy --keep-going --only=docs"),
            Ok(Task::Test(TestOptions { only: vec![Check::Clippy, Check::Docs], keep_going: true }))
        );
    }

    #[test]
    fn bench_passes_its_arguments_on() {
        let task = Task::Bench { part: Part::Server, arguments: words("--json out.json --sockets 100") };
        assert_eq!(parse_text("bench server --json out.json --sockets 100"), Ok(task));
        let task = Task::Bench { part: Part::Audio, arguments: words("--json out.json") };
        assert_eq!(parse_text("bench audio --json out.json"), Ok(task));
    }

    #[test]
    fn soak_passes_its_arguments_on() {
        assert_eq!(parse_text("soak 10 --calls"), Ok(Task::Soak { arguments: words("10 --calls") }));
        assert_eq!(parse_text("soak"), Ok(Task::Soak { arguments: Vec::new() }));
    }

    #[test]
    fn fuzz_takes_a_target_and_a_time_or_neither() {
        let task = |target: Option<&str>, seconds| {
            Ok(Task::Fuzz(FuzzOptions { target: target.map(str::to_owned), seconds }))
        };
        assert_eq!(parse_text("fuzz"), task(None, 60));
        assert_eq!(parse_text("fuzz jitter_buffer"), task(Some("jitter_buffer"), 60));
        assert_eq!(parse_text("fuzz 5"), task(None, 5));
        assert_eq!(parse_text("fuzz jitter_buffer 600"), task(Some("jitter_buffer"), 600));
    }

    #[test]
    fn what_means_nothing_is_refused_with_what_there_is() {
        for (text, problem) in [
            ("dance", Problem::UnknownTask("dance".to_owned())),
            ("test lint", Problem::UnknownArgument("lint".to_owned())),
            ("test --only", Problem::Missing("the step after --only")),
            ("test --only lint", Problem::UnknownStep("lint".to_owned())),
            ("bench", Problem::Missing("what to measure (server, audio or video)")),
            ("bench media", Problem::UnknownPart("media".to_owned())),
            ("fuzz jitter_buffer 0", Problem::UnknownArgument("0".to_owned())),
            ("fuzz one two", Problem::UnknownArgument("two".to_owned())),
            ("fuzz --jobs", Problem::UnknownArgument("--jobs".to_owned())),
            ("bench server --json", Problem::Missing("the file after --json")),
        ] {
            assert_eq!(parse_text(text), Err(problem), "{text}");
        }
        let text = Problem::UnknownStep("lint".to_owned()).to_string();
        assert_eq!(text, "there is no step `lint`; there are format, clippy, deny, docs, build, tests");
    }
}
