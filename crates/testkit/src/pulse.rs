//! Sound without hardware: a PulseAudio server of a test's own.
//!
//! For each end there is a speaker, `spk_END`, which plays into nothing, and a microphone, `mic_END`, which hears what
//! is played into a third device, `in_END`. The monitors of `spk_END` and `in_END` let a test hear both sides.
//!
//! The server is found by environment variables, which a program of many threads can't set safely. So either hand
//! [`Pulse::environment`] to a program that the test starts, or let the test run in a process of its own, by
//! [`with_pulse`].

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::Problem;
use crate::own_process::{passed, rerun, test_of};

/// Names the folder of a test's server to the process that the test runs in.
const FOLDER: &str = "TEST_PULSE_OF_CARILLON";

/// The rate of everything here.
const RATE: u32 = 48_000;

/// How long the server may take to answer.
const STARTING: Duration = Duration::from_secs(20);

/// Keeps a server only as long as the test's process lives: its standard input closes with that, whatever ends it.
const KEEPER: &str =
    r#""$@" </dev/null >/dev/null & pid=$!; echo $pid; read -r _; kill -9 $pid; wait $pid 2>/dev/null"#;

/// What stands for the machine's sound. Dropping it ends the server.
pub struct Pulse {
    folder: PathBuf,
    ends: Vec<String>,
    server: Option<Server>,
}

struct Server {
    keeper: Child,
    pid: u32,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.server = None;
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A folder that no other test has. Short: the name of a socket has at most 108 bytes.
fn own_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Relaxed);
    std::env::temp_dir().join(format!("carillon-pulse-{}-{count}", std::process::id()))
}

fn environment(folder: &Path) -> Vec<(&'static str, OsString)> {
    let mut server = OsString::from("unix:");
    server.push(folder.join("native"));
    vec![
        ("PULSE_SERVER", server),
        ("PULSE_RUNTIME_PATH", folder.into()),
        ("PULSE_STATE_PATH", folder.into()),
        ("PULSE_COOKIE", folder.join("cookie").into()),
        ("XDG_RUNTIME_DIR", folder.into()),
    ]
}

/// Runs a test's body in a process of its own whose environment names a server for `ends`, so that the sound system
/// of the machine is the virtual one. `body` must be a closure written in the test itself: its type tells the name
/// of the test to run.
///
/// # Panics
/// When the body does, or no server can be had. What it printed is shown.
pub fn with_pulse<F: FnOnce(&mut Pulse)>(ends: &[&str], body: F) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let started = Pulse::start_in(PathBuf::from(folder), ends);
        // A test's place to fail.
        #[expect(clippy::panic, reason = "this is a part of a test")]
        let mut pulse = started.unwrap_or_else(|problem| panic!("{problem}"));
        return body(&mut pulse);
    }
    let name = test_of(std::any::type_name::<F>());
    let folder = own_folder();
    let mut variables = environment(&folder);
    variables.push((FOLDER, folder.clone().into()));
    let outcome = rerun(&name, variables);
    let _ = fs::remove_dir_all(&folder);
    passed(&name, outcome);
}

/// A module of the server, by what it makes.
fn module(device: &str) -> Vec<String> {
    match device.strip_prefix("mic_") {
        Some(end) => vec![
            "module-remap-source".to_owned(),
            format!("source_name={device}"),
            format!("source_properties=device.description=Microphone-{end}"),
            format!("master=in_{end}.monitor"),
            "channels=1".to_owned(),
            "master_channel_map=front-left".to_owned(),
            "channel_map=mono".to_owned(),
            "remix=no".to_owned(),
        ],
        None => vec![
            "module-null-sink".to_owned(),
            format!("sink_name={device}"),
            format!("sink_properties=device.description={}", device.replace("spk_", "Speaker-")),
            format!("rate={RATE}"),
            "channels=2".to_owned(),
            // Without it a quiet device hands out sound two seconds at a time until somebody asks for less, and a
            // microphone takes as long to start.
            "norewinds=1".to_owned(),
        ],
    }
}

impl Pulse {
    /// Starts a server with these ends; the first one's devices are the default.
    ///
    /// # Errors
    /// A sentence that names what to install, or what the server said.
    pub fn start(ends: &[&str]) -> Result<Self, Problem> {
        Self::start_in(own_folder(), ends)
    }

    fn start_in(folder: PathBuf, ends: &[&str]) -> Result<Self, Problem> {
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let ends = ends.iter().map(|end| (*end).to_owned()).collect();
        let mut pulse = Self { folder, ends, server: None };
        pulse.restart()?;
        Ok(pulse)
    }

    /// What a program must have in its environment to find this server.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        environment(&self.folder)
    }

    fn script(&self) -> String {
        let socket = self.folder.join("native");
        let mut lines = vec![format!(
            "load-module module-native-protocol-unix auth-anonymous=1 socket={}",
            socket.display()
        )];
        for end in &self.ends {
            for device in [format!("in_{end}"), format!("spk_{end}"), format!("mic_{end}")] {
                lines.push(format!("load-module {}", module(&device).join(" ")));
            }
        }
        if let Some(first) = self.ends.first() {
            lines.push(format!("set-default-sink spk_{first}"));
            lines.push(format!("set-default-source mic_{first}"));
        }
        lines.join("\n") + "\n"
    }

    /// Starts the server again after [`Pulse::kill`], with all its devices.
    ///
    /// # Errors
    /// A sentence, when it does not come up.
    pub fn restart(&mut self) -> Result<(), Problem> {
        self.kill();
        let script = self.folder.join("default.pa");
        fs::write(&script, self.script()).map_err(|error| format!("{}: {error}", script.display()))?;
        let log = self.folder.join("log");
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "sh", "pulseaudio", "-n", "-F"]).arg(&script);
        keeper.args(["--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--high-priority=no"]);
        keeper.args(["--realtime=no", "--log-level=error"]);
        keeper.envs(self.environment()).env("HOME", &self.folder);
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped());
        keeper.stderr(fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?);
        let mut keeper = keeper.spawn().map_err(|error| format!("`sh` can't be started: {error}"))?;
        let mut pid = String::new();
        if let Some(said) = keeper.stdout.take() {
            let _ = BufReader::new(said).read_line(&mut pid);
        }
        let pid = pid.trim().parse().map_err(|_| "`sh` did not tell the server's process".to_owned())?;
        self.server = Some(Server { keeper, pid });
        let until = Instant::now() + STARTING;
        while Instant::now() < until {
            match self.control(&["info"]) {
                Ok(_) => return Ok(()),
                Err(problem) if problem.contains("install") => return Err(problem),
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
        let said = fs::read_to_string(&log).unwrap_or_default();
        let hint =
            "PulseAudio does not start; is the package `pulseaudio` installed (`cargo xtask test` does)?";
        Err(format!("{hint} {said}"))
    }

    /// Ends the server at once, as a crash would.
    pub fn kill(&mut self) {
        self.server = None;
        let _ = fs::remove_file(self.folder.join("native"));
    }

    /// Stops the server without ending it: it answers nobody, until [`Pulse::thaw`].
    ///
    /// # Errors
    /// A sentence, when there is none.
    pub fn freeze(&self) -> Result<(), Problem> {
        self.signal("-STOP")
    }

    /// Lets a frozen server go on.
    ///
    /// # Errors
    /// A sentence, when there is none.
    pub fn thaw(&self) -> Result<(), Problem> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> Result<(), Problem> {
        let server = self.server.as_ref().ok_or("no server runs")?;
        run(Command::new("sh").args(["-c", "kill $1 $2", "sh", signal, &server.pid.to_string()])).map(drop)
    }

    /// Runs `pactl` and gives back what it prints.
    ///
    /// # Errors
    /// What it complains about.
    pub fn control(&self, arguments: &[&str]) -> Result<String, Problem> {
        run(Command::new("pactl").args(arguments).envs(self.environment()).env("LC_ALL", "C"))
    }

    /// Pulls a device, such as `mic_a` or `spk_b`.
    ///
    /// # Errors
    /// A sentence, when it is not there.
    pub fn unplug(&self, device: &str) -> Result<(), Problem> {
        let names = [format!("source_name={device}"), format!("sink_name={device}")];
        let modules = self.control(&["list", "short", "modules"])?;
        let line = modules
            .lines()
            .find(|line| line.split_whitespace().any(|word| names.iter().any(|name| name == word)));
        let index = line.and_then(|line| line.split_whitespace().next());
        let index = index.ok_or_else(|| format!("{device} is not plugged in"))?;
        self.control(&["unload-module", index]).map(drop)
    }

    /// Plugs a device in again. One that nobody knew may be plugged in too: `mic_END` needs `in_END` first.
    ///
    /// # Errors
    /// What the server says.
    pub fn plug(&self, device: &str) -> Result<(), Problem> {
        let module = module(device);
        let arguments: Vec<&str> =
            ["load-module"].into_iter().chain(module.iter().map(String::as_str)).collect();
        self.control(&arguments).map(drop)
    }

    /// Makes `mic_END` or `spk_END` the default of its kind.
    ///
    /// # Errors
    /// What the server says.
    pub fn set_default(&self, device: &str) -> Result<(), Problem> {
        let command = if device.starts_with("mic_") { "set-default-source" } else { "set-default-sink" };
        self.control(&[command, device]).map(drop)
    }

    /// The devices that programs record from and play to now, by name.
    ///
    /// # Errors
    /// What the server says.
    pub fn in_use(&self) -> Result<Vec<String>, Problem> {
        let mut names = Vec::new();
        for (streams, devices) in [("source-outputs", "sources"), ("sink-inputs", "sinks")] {
            let devices = self.control(&["list", "short", devices])?;
            let column = |line: &str, at: usize| line.split('\t').nth(at).unwrap_or_default().to_owned();
            let streams = self.control(&["list", "short", streams])?;
            // Behind a stream without a client is a part of the server, such as a virtual microphone.
            for stream in streams.lines().filter(|line| column(line, 2) != "-") {
                let index = column(stream, 1);
                let device = devices.lines().find(|line| column(line, 0) == index);
                names.extend(device.map(|line| column(line, 1)));
            }
        }
        Ok(names)
    }

    /// Plays mono sound at 48 kHz into a device: into `in_END`, so that `mic_END` hears it.
    ///
    /// # Errors
    /// A sentence, when the player is missing.
    pub fn play_into(&self, device: &str, sound: &[f32]) -> Result<Playing, Problem> {
        let mut player = self.stream("pacat", device).stdin(Stdio::piped()).spawn().map_err(missing)?;
        let bytes: Vec<u8> = sound.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let input = player.stdin.take();
        let writer = thread::spawn(move || {
            if let Some(mut input) = input {
                // The player may be ended before the sound is.
                let _ = input.write_all(&bytes);
            }
        });
        Ok(Playing { player, writer: Some(writer) })
    }

    /// Hears what is played into a device, `spk_END` or `in_END`, until [`Hearing::stop`].
    ///
    /// # Errors
    /// A sentence, when the recorder is missing.
    pub fn hear(&self, device: &str) -> Result<Hearing, Problem> {
        let monitor = format!("{device}.monitor");
        let mut recorder = self.stream("parec", &monitor).stdout(Stdio::piped()).spawn().map_err(missing)?;
        let output = recorder.stdout.take();
        let progress = Arc::<Progress>::default();
        let told = Arc::clone(&progress);
        let reader = thread::spawn(move || output.map(|output| listen(output, &told)).unwrap_or_default());
        Ok(Hearing { recorder, progress, reader: Some(reader) })
    }

    fn stream(&self, program: &str, device: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["--raw", "--format=float32le", "--channels=1", "--latency-msec=20"]);
        command.arg(format!("--rate={RATE}")).arg(format!("--device={device}"));
        command.envs(self.environment()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

fn missing(error: std::io::Error) -> Problem {
    format!("install the package `pulseaudio-utils` (`cargo xtask test` does): {error}")
}

fn run(command: &mut Command) -> Result<String, Problem> {
    let output = command.stdin(Stdio::null()).output().map_err(missing)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Sound on its way into a device. Dropping it ends it.
pub struct Playing {
    player: Child,
    writer: Option<JoinHandle<()>>,
}

impl Playing {
    /// Waits until all of it was played.
    pub fn wait(mut self) {
        self.writer.take().map(JoinHandle::join);
        let _ = self.player.wait();
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        let _ = self.player.kill();
        let _ = self.player.wait();
        self.writer.take().map(JoinHandle::join);
    }
}

/// What was heard.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Mono, 48 kHz.
    pub samples: Vec<f32>,
    /// When the first sample was heard, up to a delay of some milliseconds that is the same for every recorder: the
    /// difference of two recordings is exact. `None` if nothing came.
    pub started: Option<Instant>,
}

impl Heard {
    /// When a sample was heard.
    pub fn time_of(&self, sample: usize) -> Option<Instant> {
        self.started.map(|started| started + Duration::from_secs_f64(sample as f64 / f64::from(RATE)))
    }
}

/// How many samples have come.
#[derive(Default)]
struct Progress {
    samples: Mutex<usize>,
    more: Condvar,
}

/// Reads sound as it comes. The least delayed piece tells when the recording began.
fn listen(mut output: impl Read, progress: &Progress) -> Heard {
    let mut heard = Heard::default();
    let mut bytes = Vec::new();
    let mut piece = [0; 4_096];
    while let Ok(length @ 1..) = output.read(&mut piece) {
        let now = Instant::now();
        bytes.extend_from_slice(piece.get(..length).unwrap_or_default());
        let (whole, rest) = bytes.as_chunks::<4>();
        heard.samples.extend(whole.iter().map(|sample| f32::from_le_bytes(*sample)));
        bytes = rest.to_vec();
        let length = Duration::from_secs_f64(heard.samples.len() as f64 / f64::from(RATE));
        let started = now.checked_sub(length).unwrap_or(now);
        heard.started = Some(heard.started.map_or(started, |earlier| earlier.min(started)));
        *progress.samples.lock().unwrap_or_else(PoisonError::into_inner) = heard.samples.len();
        progress.more.notify_all();
    }
    heard
}

/// A recording in the making. Dropping it ends it.
pub struct Hearing {
    recorder: Child,
    progress: Arc<Progress>,
    reader: Option<JoinHandle<Heard>>,
}

impl Hearing {
    /// Waits until this much more was heard. By the sound's own time: on a slow machine it takes longer.
    ///
    /// # Errors
    /// A sentence, when nothing comes.
    pub fn hear_on(&self, span: Duration) -> Result<(), Problem> {
        let samples = (span.as_secs_f64() * f64::from(RATE)) as usize;
        let heard = self.progress.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = heard.saturating_add(samples);
        let waited = self.progress.more.wait_timeout_while(heard, span + STARTING, |now| *now < enough);
        let (heard, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *heard < enough { Err(format!("nothing was heard for {:?}", span + STARTING)) } else { Ok(()) }
    }

    /// Ends it and gives back what was heard.
    pub fn stop(mut self) -> Heard {
        let _ = self.recorder.kill();
        self.reader.take().and_then(|reader| reader.join().ok()).unwrap_or_default()
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        let _ = self.recorder.kill();
        let _ = self.recorder.wait();
    }
}
