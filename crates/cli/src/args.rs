//! What can be typed.

use std::path::PathBuf;

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
    /// List your devices, or remove one.
    Devices {
        #[command(subcommand)]
        action: Option<DevicesAction>,
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
    /// A server and two people in this process: one calls, the other accepts. Needs nothing and leaves nothing.
    Loopback,
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
        /// Its id, as `carillon devices` shows it.
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
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Call {
    /// For example @ada.
    pub(crate) handle: Handle,
    /// Call with the camera on.
    #[arg(long)]
    pub(crate) video: bool,
    /// Hang up this long after the call is up.
    #[arg(long, value_name = "SECS")]
    pub(crate) hang_up_after: Option<u64>,
    /// Give up when nobody has answered after this time.
    #[arg(long, value_name = "SECS", default_value_t = 60)]
    pub(crate) wait: u64,
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
    fn no_secret_can_be_given_as_an_argument() {
        assert!(parse("carillon recover some words").is_err());
    }
}
