//! `carillon-server`: the signaling server as a program.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use carillon_server::config::{Config, KEYS, LogFormat};
use carillon_server::{Server, admin, clock::Clock};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// How long connections have to end when the server shuts down.
const GRACE: Duration = Duration::from_secs(10);

/// The signaling server of Carillon
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// TOML file with the configuration; variables of the environment go before it
    #[arg(long, value_name = "FILE", env = "CARILLON_CONFIG", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (what happens without a command)
    Serve,
    /// Change what belongs to the operator, beside a server that may be running
    #[command(subcommand)]
    Admin(admin::Command),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There may be no log yet, and an operator looks here.
            let _ = writeln!(std::io::stderr(), "carillon-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let matches = Arguments::command().after_help(keys()).get_matches();
    let arguments = Arguments::from_arg_matches(&matches)?;
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let config = Config::load(arguments.config.as_deref(), environment)?;
    start_log(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.command.unwrap_or(Command::Serve) {
            Command::Serve => serve(config).await,
            Command::Admin(command) => administer(&config, &command).await,
        }
    })
}

async fn serve(config: Config) -> anyhow::Result<()> {
    // Before the start: a signal that comes in between must not cut the server off.
    let mut signals = Signals::catch()?;
    let server = Server::start(config).await?;
    // Without a certificate there is nothing to read again: then SIGHUP is what it is to any program, the end.
    while signals.next().await? == Signal::HangUp && server.has_certificate() {
        server.look_at_certificate();
    }
    tracing::info!("the server shuts down");
    server.shutdown(GRACE).await;
    Ok(())
}

async fn administer(config: &Config, command: &admin::Command) -> anyhow::Result<()> {
    let store = Server::open_store(config).await?;
    let done = admin::run(&store, command, Clock::default().now()).await;
    store.close().await;
    writeln!(std::io::stdout(), "{}", done?.trim_end())?;
    Ok(())
}

/// What a signal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    /// Ctrl-C, and on Unix SIGTERM: end.
    End,
    /// SIGHUP: look at the certificate.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is no such signal"))]
    HangUp,
}

/// What the system tells the server.
struct Signals {
    #[cfg(unix)]
    hang_up: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn catch() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            hang_up: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(not(unix))]
    fn catch() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(unix)]
    async fn next(&mut self) -> std::io::Result<Signal> {
        Ok(tokio::select! {
            _ = self.terminate.recv() => Signal::End,
            _ = self.interrupt.recv() => Signal::End,
            _ = self.hang_up.recv() => Signal::HangUp,
        })
    }

    #[cfg(not(unix))]
    async fn next(&mut self) -> std::io::Result<Signal> {
        tokio::signal::ctrl_c().await?;
        Ok(Signal::End)
    }
}

/// The log goes to standard error. A plain level is meant for the server's own lines; what libraries write below a
/// warning could name people.
fn start_log(config: &Config) -> anyhow::Result<()> {
    let plain = !config.log.contains(['=', ',']);
    let directives = if plain { format!("warn,carillon_server={}", config.log) } else { config.log.clone() };
    let filter = EnvFilter::try_new(directives).context("log is neither a level nor a filter")?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

/// The keys of the configuration, for `--help`.
fn keys() -> String {
    let mut text =
        "Configuration, as keys of the file or, in capitals and after CARILLON_, of the environment:\n"
            .to_owned();
    for key in KEYS {
        // Writing to a String can't fail.
        let _ = writeln!(text, "  {:<28} {}", key.name, key.about);
    }
    text
}
