//! What can be typed.

use std::path::PathBuf;

use carillon_client::{EchoControl, SoundChange};
use carillon_wire::rest::CallSettingsChange;
use carillon_wire::{DeviceId, Handle};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::text::Lang;

/// Audio and video calls without a phone number, from the command line.
#[derive(Debug, Parser)]
#[command(name = "carillon", version, after_help = crate::exit::HELP)]
pub(crate) struct Cli {
    /// Where this account lives on this machine: one directory for each account.
    #[arg(long, global = true, value_name = "DIR", env = "CARILLON_PROFILE")]
    pub(crate) profile: Option<PathBuf>,
    /// Address of the server, with its https://. Kept with the account.
    #[arg(long, global = true, value_name = "URL", env = "CARILLON_SERVER")]
    pub(crate) server: Option<String>,
    /// Allow plain http to another machine. Others on the way can then take over the session.
    #[arg(long, global = true)]
    pub(crate) insecure_http: bool,
    /// Believe the certificates in this PEM file too: those of an operator's own authority. Kept with the account.
    #[arg(long, global = true, value_name = "FILE", env = "CARILLON_CA")]
    pub(crate) ca: Option<PathBuf>,
    /// Keep the keys of a new account in a file instead of the key store of this computer.
    #[arg(long, global = true)]
    pub(crate) insecure_secrets: bool,
    /// Whether calls go through a relay of the server alone, so that whoever is at the other end does not learn this
    /// machine's address. Kept with the account.
    #[arg(long, global = true, value_name = "on|off", value_parser = on_off, num_args = 0..=1, require_equals = true, default_missing_value = "on")]
    pub(crate) hide_address: Option<bool>,
    /// One JSON object for each line, with stable names, instead of sentences.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Language of the sentences; that of the system if absent.
    #[arg(long, global = true, value_enum)]
    pub(crate) lang: Option<Lang>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an account with a handle, and show its recovery phrase, once.
    Signup {
        /// 3 to 20 letters a to z, digits and _.
        handle: String,
        /// The name that others see.
        #[arg(long)]
        name: Option<String>,
        /// Where the server wants one.
        #[arg(long)]
        invitation: Option<String>,
        /// What to call this device in the list of devices.
        #[arg(long)]
        device_name: Option<String>,
    },
    /// Take an account onto this machine. The recovery phrase is read from standard input.
    Recover {
        /// What to call this device in the list of devices.
        #[arg(long)]
        device_name: Option<String>,
    },
    /// Who this profile belongs to.
    Whoami,
    /// Show or change the own name and picture.
    Profile {
        /// The new name.
        #[arg(long)]
        name: Option<String>,
        /// A PNG, JPEG or WebP file.
        #[arg(long, value_name = "FILE", conflicts_with = "no_picture")]
        picture: Option<PathBuf>,
        /// Remove the picture.
        #[arg(long)]
        no_picture: bool,
    },
    /// Find people by the start of their handle.
    Search {
        /// 2 characters or more.
        text: String,
    },
    /// Show one person.
    Person {
        /// For example @ada.
        handle: Handle,
    },
    /// Follow somebody: with the usual settings they may call you.
    Follow {
        /// For example @ada.
        handle: Handle,
    },
    /// Follow somebody no longer.
    Unfollow {
        /// For example @ada.
        handle: Handle,
    },
    /// Whom you follow.
    Following,
    /// Who follows you.
    Followers,
    /// Block somebody: neither of you can call the other.
    Block {
        /// For example @ada.
        handle: Handle,
    },
    /// Block somebody no longer.
    Unblock {
        /// For example @ada.
        handle: Handle,
    },
    /// Whom you block.
    Blocked,
    /// Show or change who may call you.
    Settings {
        #[command(subcommand)]
        action: Option<SettingsAction>,
    },
    /// The microphones, speakers and cameras of this machine, and the devices of your account; try them, or remove
    /// one.
    Devices {
        /// Play a tone, show how loud the microphone is, and see what the camera gives, for some seconds.
        #[arg(long)]
        test: bool,
        #[command(flatten)]
        sound: Sound,
        #[command(subcommand)]
        action: Option<DevicesAction>,
    },
    /// Answer every call and play back what is said: a number to try one's microphone with.
    Echo {
        /// How much later it comes back, in milliseconds.
        #[arg(long, value_name = "MS", default_value_t = 1_000)]
        after: u64,
        /// End after this time.
        #[arg(long = "for", value_name = "SECS")]
        limit: Option<u64>,
    },
    /// Wait for calls and show what happens. On a terminal: a answers, d declines, h hangs up.
    Listen(Listen),
    /// Call somebody. On a terminal: h hangs up, and so does Ctrl+C.
    Call(Call),
    /// Recent calls of this device, or calls that reached nobody.
    Recent(Recent),
    /// Whom each handle belongs to, as this device first saw it.
    Pins {
        #[command(subcommand)]
        action: Option<PinsAction>,
    },
    /// Say that you have compared the seven emoji with somebody.
    Verify {
        /// For example @ada.
        handle: Handle,
    },
    /// A server and two people in this process: one calls, the other accepts, and how good the call was is reported.
    /// Needs nothing and leaves nothing.
    Loopback(Loopback),
}

/// Which devices, and what is done to the voice.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Sound {
    /// Name or id as `carillon devices` shows it, or wav:FILE, tone, chirps, silence.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) microphone: Option<String>,
    /// Name or id as `carillon devices` shows it, or wav:FILE, null.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) speaker: Option<String>,
    /// Name or id as `carillon devices` shows it, or default, pattern, FILE.y4m. In a call, pictures are sent from it; one that
    /// comes with video is answered with it.
    #[arg(long, value_name = "CAMERA")]
    pub(crate) camera: Option<String>,
    /// Whether the other side's voice is taken out of the microphone.
    #[arg(long, value_name = "WHEN")]
    pub(crate) echo_control: Option<EchoWhen>,
    /// Whether noise is taken out of the microphone.
    #[arg(long, value_name = "on|off", value_parser = on_off)]
    pub(crate) noise_control: Option<bool>,
    /// Whether a soft voice is made louder.
    #[arg(long, value_name = "on|off", value_parser = on_off)]
    pub(crate) gain_control: Option<bool>,
    /// Loudness of the speaker in per cent, up to 200.
    #[arg(long, value_name = "PERCENT")]
    pub(crate) volume: Option<u16>,
    /// Spend little data.
    #[arg(long)]
    pub(crate) low_data: bool,
}

/// When echo is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EchoWhen {
    /// Not with a headset.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

impl From<EchoWhen> for EchoControl {
    fn from(when: EchoWhen) -> Self {
        match when {
            EchoWhen::Auto => Self::Auto,
            EchoWhen::On => Self::On,
            EchoWhen::Off => Self::Off,
        }
    }
}

impl Sound {
    /// What differs from what the profile keeps.
    pub(crate) fn change(&self) -> SoundChange {
        SoundChange {
            microphone: self.microphone.clone(),
            speaker: self.speaker.clone(),
            echo: self.echo_control.map(EchoControl::from),
            noise: self.noise_control,
            gain: self.gain_control,
            volume: self.volume,
            low_data: self.low_data.then_some(true),
        }
    }
}

fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" | "yes" | "true" => Ok(true),
        "off" | "no" | "false" => Ok(false),
        _ => Err("it is on or off".to_owned()),
    }
}

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Loopback {
    /// How long the two talk.
    #[arg(long, value_name = "SECS", default_value_t = 10)]
    pub(crate) seconds: u64,
    /// What the caller says: wav:FILE, chirps, tone, silence or a device; a spoken text if absent. The one called
    /// always says chirps, by which the delay is measured.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) microphone: Option<String>,
    /// Keep what each of them heard, as ada.wav and bob.wav.
    #[arg(long, value_name = "DIR")]
    pub(crate) record: Option<PathBuf>,
    /// Write a report with plots: one page that needs nothing else.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Echo control of both; off if absent, for there is no air between them.
    #[arg(long, value_name = "WHEN")]
    pub(crate) echo_control: Option<EchoWhen>,
    /// Noise control of both.
    #[arg(long, value_name = "on|off", value_parser = on_off)]
    pub(crate) noise_control: Option<bool>,
    /// Both spend little data.
    #[arg(long)]
    pub(crate) low_data: bool,
    /// Both show a scene with a bar code, by which the pictures' delay is measured.
    #[arg(long)]
    pub(crate) video: bool,
    #[command(flatten)]
    pub(crate) line: Line,
}

/// The line between the two, emulated; the same each way.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Line {
    /// Packets lost, in per cent.
    #[arg(long, value_name = "PERCENT")]
    pub(crate) loss: Option<String>,
    /// Mean number of packets lost in a row.
    #[arg(long, value_name = "PACKETS")]
    pub(crate) burst: Option<String>,
    /// Delay, in milliseconds.
    #[arg(long, value_name = "MS")]
    pub(crate) delay: Option<String>,
    /// Standard deviation of the delay, in milliseconds.
    #[arg(long, value_name = "MS")]
    pub(crate) jitter: Option<String>,
    /// Bits a second, as 500k or 2M.
    #[arg(long, value_name = "RATE")]
    pub(crate) rate: Option<String>,
    /// How much may wait for the rate, as 200ms.
    #[arg(long, value_name = "TIME")]
    pub(crate) queue: Option<String>,
    /// Changes in time: a file of lines like `at 10s rate=600k loss=2`, or `at 20s cut`.
    #[arg(long, value_name = "FILE")]
    pub(crate) steps: Option<PathBuf>,
    /// Repeats the same losses and delays.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
}

impl Line {
    /// The settings that were given, by the name that the emulator knows.
    pub(crate) fn named(&self) -> Vec<(&'static str, &str)> {
        [
            ("loss", &self.loss),
            ("burst", &self.burst),
            ("delay", &self.delay),
            ("jitter", &self.jitter),
            ("rate", &self.rate),
            ("queue", &self.queue),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .collect()
    }
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum SettingsAction {
    /// Show them.
    Show,
    /// Change some: enabled=on following=on verified=off address-book=off everyone=off.
    Set {
        /// What is not named stays as it is.
        #[arg(required = true, value_name = "NAME=on|off", value_parser = setting)]
        changes: Vec<(Setting, bool)>,
    },
}

/// One switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Setting {
    Enabled,
    Following,
    Verified,
    AddressBook,
    Everyone,
}

fn setting(text: &str) -> Result<(Setting, bool), String> {
    let (name, value) = text.split_once('=').ok_or("it looks like everyone=on")?;
    let setting = Setting::from_str(&name.replace('_', "-"), true)
        .map_err(|_| "there are enabled, following, verified, address-book and everyone")?;
    match value {
        "on" | "yes" | "true" => Ok((setting, true)),
        "off" | "no" | "false" => Ok((setting, false)),
        _ => Err("it is on or off".to_owned()),
    }
}

/// The change that these switches make.
pub(crate) fn change(changes: &[(Setting, bool)]) -> CallSettingsChange {
    let mut change = CallSettingsChange::default();
    for (setting, on) in changes {
        let field = match setting {
            Setting::Enabled => &mut change.enabled,
            Setting::Following => &mut change.following,
            Setting::Verified => &mut change.verified,
            Setting::AddressBook => &mut change.address_book,
            Setting::Everyone => &mut change.everyone,
        };
        *field = Some(*on);
    }
    change
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DevicesAction {
    /// Remove a device: it is signed out at once.
    Revoke {
        /// Its id, as `carillon devices` shows it: may begin with a dash.
        #[arg(allow_hyphen_values = true)]
        device: DeviceId,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Listen {
    /// Answer every call, except from a handle that has changed hands.
    #[arg(long, conflicts_with = "decline")]
    pub(crate) answer: bool,
    /// Decline every call.
    #[arg(long)]
    pub(crate) decline: bool,
    /// End after one call.
    #[arg(long)]
    pub(crate) once: bool,
    /// End after this time.
    #[arg(long = "for", value_name = "SECS")]
    pub(crate) limit: Option<u64>,
    #[command(flatten)]
    pub(crate) sound: Sound,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Call {
    /// For example @ada.
    pub(crate) handle: Handle,
    /// Call with video: see the other side, and be seen with `--camera`.
    #[arg(long)]
    pub(crate) video: bool,
    /// Hang up this long after the call is up.
    #[arg(long, value_name = "SECS")]
    pub(crate) hang_up_after: Option<u64>,
    /// Give up when nobody has answered after this time.
    #[arg(long, value_name = "SECS", default_value_t = 60)]
    pub(crate) wait: u64,
    #[command(flatten)]
    pub(crate) sound: Sound,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Recent {
    /// Calls that nobody answered, on any device.
    #[arg(long, conflicts_with = "filtered", global = true)]
    pub(crate) missed: bool,
    /// Calls that your settings did not let ring.
    #[arg(long, global = true)]
    pub(crate) filtered: bool,
    /// At most this many.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: u32,
    #[command(subcommand)]
    pub(crate) action: Option<RecentAction>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum RecentAction {
    /// Remove one from the list.
    Delete {
        /// Its number in the list.
        id: u64,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PinsAction {
    /// Take the account that a handle belongs to now. Ask the person first.
    Confirm {
        /// For example @ada.
        handle: Handle,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_well_formed() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn settings_change_what_is_named_and_nothing_else() {
        let cli = parse("carillon settings set enabled=on everyone=off address_book=yes").unwrap();
        let Command::Settings { action: Some(SettingsAction::Set { changes }) } = cli.command else {
            panic!("not settings")
        };
        let expected = CallSettingsChange {
            enabled: Some(true),
            everyone: Some(false),
            address_book: Some(true),
            ..CallSettingsChange::default()
        };
        assert_eq!(change(&changes), expected);
        assert!(parse("carillon settings set everyone").is_err());
        assert!(parse("carillon settings set everyone=perhaps").is_err());
        assert!(parse("carillon settings set nobody=on").is_err());
    }

    #[test]
    fn a_handle_is_checked_before_anything_is_done() {
        assert!(parse("carillon call @ada --video").is_ok());
        assert!(parse("carillon call @a").is_err());
        assert!(parse("carillon listen --answer --decline").is_err());
    }

    #[test]
    fn a_device_may_be_named_by_an_id_that_looks_like_an_option() {
        for first in 0..=u8::MAX {
            let mut bytes = [7; 16];
            bytes[0] = first;
            let device = DeviceId::new(bytes);
            assert!(parse(&format!("carillon devices revoke {device}")).is_ok(), "{device}");
        }
    }

    #[test]
    fn no_secret_can_be_given_as_an_argument() {
        assert!(parse("carillon recover some words").is_err());
    }
}
