//! What each command does.

mod account;
mod call;
mod cameras;
pub(crate) mod devices;
mod listen;
pub(crate) mod loopback;
mod people;
mod story;
mod typed;

use carillon_client::{Client, ClientError, LocalCode};

use crate::args::{Command, DevicesAction, Listen, PinsAction, SettingsAction, Sound};
use crate::exit::Exit;
use crate::output::{Failure, Output};

type Outcome = Result<Exit, Failure>;

/// Runs a command that needs a profile.
pub(crate) async fn run(command: Command, client: &Client, output: Output) -> Outcome {
    match command {
        Command::Signup { handle, name, invitation, device_name } => {
            account::sign_up(client, output, handle, name, invitation, device_name).await
        }
        Command::Recover { device_name } => account::recover(client, output, device_name).await,
        Command::Whoami => account::who_am_i(client, output).await,
        Command::Profile { name, picture, no_picture } => {
            account::profile(client, output, name, picture, no_picture).await
        }
        Command::Devices { action: None, .. } => account::devices(client, output).await,
        Command::Devices { action: Some(DevicesAction::Revoke { device }), .. } => {
            account::revoke(client, output, device).await
        }
        Command::Settings { action: None | Some(SettingsAction::Show) } => {
            people::settings(client, output).await
        }
        Command::Settings { action: Some(SettingsAction::Set { changes }) } => {
            people::change_settings(client, output, &changes).await
        }
        Command::Search { text } => people::search(client, output, &text).await,
        Command::Person { handle } => people::person(client, output, handle).await,
        Command::Follow { handle } => people::follow(client, output, handle, true).await,
        Command::Unfollow { handle } => people::follow(client, output, handle, false).await,
        Command::Block { handle } => people::block(client, output, handle, true).await,
        Command::Unblock { handle } => people::block(client, output, handle, false).await,
        Command::Following => people::list(client, output, people::List::Following).await,
        Command::Followers => people::list(client, output, people::List::Followers).await,
        Command::Blocked => people::list(client, output, people::List::Blocked).await,
        Command::Pins { action: None } => Ok(people::pins(client, output)),
        Command::Pins { action: Some(PinsAction::Confirm { handle }) } => {
            people::confirm(client, output, &handle).await
        }
        Command::Verify { handle } => people::verify(client, output, &handle).await,
        Command::Recent(recent) => people::recent(client, output, recent).await,
        Command::Listen(how) => listen::run(client, output, how).await,
        Command::Call(how) => call::run(client, output, how).await,
        Command::Echo { limit, .. } => {
            let how = Listen { answer: true, decline: false, once: false, limit, sound: Sound::default() };
            listen::run(client, output, how).await
        }
        Command::Loopback(how) => loopback::run(output, &how).await,
    }
}

/// Says an error in the words of the command line: what to type next.
pub(crate) fn explain(error: &ClientError, output: Output) -> Failure {
    if error.is_local(LocalCode::NoAccount) {
        output.failed_as(error, &output.lang.no_account())
    } else if error.is_local(LocalCode::NoServer) {
        output.failed_as(error, &output.lang.no_server_given())
    } else {
        output.failed(error)
    }
}
