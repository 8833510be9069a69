//! `carillon`: the calling client for testers and for machines without a screen.
//!
//! A shell over `carillon-client`, like the app: it parses, asks, and prints. Nothing is decided here.

mod args;
mod commands;
mod exit;
mod output;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use carillon_client::{Client, ClientConfig, LocalCode, SoundChange, SoundSetup, SoundSource, VideoSetup};
use carillon_wire::CallId;
use clap::Parser as _;

use args::{Cli, Command};
use exit::Exit;
use output::{Failure, Output};
use text::Lang;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("CARILLON_LOG").unwrap_or_default();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let lang = cli.lang.unwrap_or_else(Lang::of_system);
    let threads = threads(&cli.command);
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                Output::new(lang, cli.json).wrong("storage", &error.to_string(), None);
                return Exit::Failed.into();
            }
        };
    let exit = runtime.block_on(async {
        let output = Output::new(lang, cli.json);
        match run(cli, output).await {
            Ok(exit) | Err(Failure(exit)) => exit,
        }
    });
    // Standard input may be waiting for a line that nobody types any longer.
    runtime.shutdown_background();
    exit.into()
}

/// Threads beside this one. A call keeps one of them busy for 2 % of its time; between two, each packet would wake the
/// other. A loopback is two clients and a server.
const fn threads(command: &Command) -> usize {
    if matches!(command, Command::Loopback(_)) { 2 } else { 1 }
}

async fn run(cli: Cli, output: Output) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Loopback(how) => return commands::loopback::run(output, how).await,
        // Needs no account.
        Command::Devices { test, sound, action: None } => {
            commands::devices::of_machine(output, *test, sound.camera.as_deref(), sound).await?;
            if *test {
                return Ok(Exit::Done);
            }
        }
        _ => {}
    }
    let client = open(&cli, output).await?;
    let done = commands::run(cli.command, &client, output).await;
    client.shutdown().await;
    done
}

async fn open(cli: &Cli, output: Output) -> Result<Client, Failure> {
    let profile = cli.profile.clone().or_else(default_profile).ok_or_else(|| {
        output.wrong("no_data_directory", &output.lang.no_data_directory(), None);
        Failure(Exit::Usage)
    })?;
    let config = ClientConfig {
        server: cli.server.clone(),
        insecure_http: cli.insecure_http,
        insecure_secrets: cli.insecure_secrets,
        sound: sound(&cli.command),
        video: video(&cli.command, output),
        ca: cli.ca.clone(),
        hide_address: cli.hide_address,
        ..ClientConfig::new(profile)
    };
    let client = Client::open(config).await.map_err(|error| commands::explain(&error, output))?;
    let signs_up = matches!(cli.command, Command::Signup { .. } | Command::Recover { .. });
    let has_account = client.account().await.is_ok();
    // The devices of this machine were shown; there are none of an account.
    if matches!(cli.command, Command::Devices { action: None, .. }) && !has_account {
        client.shutdown().await;
        return Err(Failure(Exit::Done));
    }
    if !signs_up && !has_account {
        client.shutdown().await;
        return Err(commands::explain(&LocalCode::NoAccount.into(), output));
    }
    if client.keeps_keys_in_a_file() && !output.json {
        output.remark(&output.lang.keys_in_file());
    }
    Ok(client)
}

/// What a command does about sound: only those in which calls are made or answered touch a device.
fn sound(command: &Command) -> SoundSetup {
    match command {
        Command::Listen(args::Listen { sound, .. }) | Command::Call(args::Call { sound, .. }) => {
            SoundSetup::On { change: sound.change(), source: SoundSource::Microphone }
        }
        Command::Echo { after, .. } => SoundSetup::On {
            change: SoundChange { speaker: Some("null".to_owned()), ..SoundChange::default() },
            source: SoundSource::Echo(Duration::from_millis(*after)),
        },
        _ => SoundSetup::Off,
    }
}

/// What a command does about pictures: a terminal can't show them, but tells that they come.
fn video(command: &Command, output: Output) -> VideoSetup {
    let (Command::Listen(args::Listen { sound, .. }) | Command::Call(args::Call { sound, .. })) = command
    else {
        return VideoSetup::Off;
    };
    let size = Mutex::new(None);
    VideoSetup::On {
        camera: sound.camera.clone(),
        screen: Arc::new(move |shown| {
            let now = Some((shown.call, shown.picture.width(), shown.picture.height()));
            let mut size = size.lock().unwrap_or_else(PoisonError::into_inner);
            if let (true, Some((call, width, height))) = (*size != now, now) {
                *size = now;
                let text = output.lang.seen(width, height);
                output.event(None, &Seen { event: "picture", call, width, height }, Some(text));
            }
        }),
    }
}

/// The other side's pictures have another size, or are the first.
#[derive(serde::Serialize)]
struct Seen {
    event: &'static str,
    call: CallId,
    width: u32,
    height: u32,
}

/// Where the system keeps a program's data.
fn default_profile() -> Option<PathBuf> {
    Some(directories::ProjectDirs::from("org", "Carillon", "carillon")?.data_local_dir().join("default"))
}
