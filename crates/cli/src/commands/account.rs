//! The own account.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use carillon_client::{Account, Client, NewAccount};
use carillon_wire::DeviceId;
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Outcome, explain};
use crate::exit::Exit;
use crate::output::{Failure, Output, local_time};
use crate::text::Lang;

#[derive(Serialize)]
struct SignedUp<'a> {
    #[serde(flatten)]
    account: &'a Account,
    recovery_phrase: &'a str,
}

pub(super) async fn sign_up(
    client: &Client,
    output: Output,
    handle: String,
    name: Option<String>,
    invitation: Option<String>,
    device_name: Option<String>,
) -> Outcome {
    let french_phrase = output.lang == Lang::Fr;
    let new = NewAccount { handle, name, invitation, device_name, french_phrase };
    let (account, phrase) = client.sign_up(new).await.map_err(|error| explain(&error, output))?;
    output.object(&SignedUp { account: &account, recovery_phrase: phrase.expose() });
    output.say(&output.lang.signed_up(&account.handle));
    output.say(&output.lang.phrase_intro());
    if !output.json {
        let words: Vec<_> = phrase.expose().split(' ').collect();
        for (row, words) in words.chunks(6).enumerate() {
            let line: Vec<_> = words
                .iter()
                .enumerate()
                .map(|(i, word)| format!("{:>2} {word:<10}", row * 6 + i + 1))
                .collect();
            output.line(&Zeroizing::new(format!("  {}", line.join(" ").trim_end())));
        }
    }
    Ok(Exit::Done)
}

pub(super) async fn recover(client: &Client, output: Output, device_name: Option<String>) -> Outcome {
    if io::stdin().is_terminal() {
        let _ = write!(io::stderr(), "{}", output.lang.type_phrase());
    }
    let read = tokio::task::spawn_blocking(|| {
        let mut phrase = Zeroizing::new(String::new());
        // Piped in it may have several lines, typed it has one.
        if io::stdin().is_terminal() {
            io::stdin().read_line(&mut phrase)?;
        } else {
            io::Read::read_to_string(&mut io::Read::take(io::stdin(), 4096), &mut phrase)?;
        }
        Ok::<_, io::Error>(phrase)
    });
    let phrase = read.await.map_err(io::Error::other).and_then(|phrase| phrase).map_err(|error| {
        output.wrong("invalid", &output.lang.no_input(error), None);
        Failure(Exit::Failed)
    })?;
    let account = client.recover(&phrase, device_name).await.map_err(|error| explain(&error, output))?;
    output.show(&account, || output.lang.recovered(&account.handle));
    Ok(Exit::Done)
}

pub(super) async fn who_am_i(client: &Client, output: Output) -> Outcome {
    let account = client.me().await.map_err(|error| explain(&error, output))?;
    show(&account, output);
    Ok(Exit::Done)
}

pub(super) async fn profile(
    client: &Client,
    output: Output,
    name: Option<String>,
    picture: Option<PathBuf>,
    no_picture: bool,
) -> Outcome {
    let mut account = client.me().await.map_err(|error| explain(&error, output))?;
    if let Some(name) = name {
        account = client.change_name(name).await.map_err(|error| explain(&error, output))?;
    }
    if let Some(path) = picture {
        let bytes = tokio::fs::read(path).await.map_err(|error| {
            output.wrong("picture_invalid", &output.lang.no_picture_file(error), None);
            Failure(Exit::Usage)
        })?;
        account = client.set_picture(&bytes).await.map_err(|error| explain(&error, output))?;
    }
    if no_picture {
        account = client.remove_picture().await.map_err(|error| explain(&error, output))?;
    }
    show(&account, output);
    Ok(Exit::Done)
}

fn show(account: &Account, output: Output) {
    output.show(account, || {
        let verified =
            if account.verified { format!("  ({})", output.lang.verified()) } else { String::new() };
        format!("{}  {}{verified}", account.handle, account.name)
    });
}

pub(super) async fn devices(client: &Client, output: Output) -> Outcome {
    for device in client.devices().await.map_err(|error| explain(&error, output))? {
        output.show(&device, || {
            let mut line = format!("{}  {}  {}", device.device, local_time(device.added_at), device.name);
            if device.this {
                line.push_str(&format!("  ({})", output.lang.this_device()));
            }
            if device.online {
                line.push_str(&format!("  ({})", output.lang.online()));
            }
            line
        });
    }
    Ok(Exit::Done)
}

pub(super) async fn revoke(client: &Client, output: Output, device: DeviceId) -> Outcome {
    client.revoke_device(device).await.map_err(|error| explain(&error, output))?;
    output.say(&output.lang.device_revoked());
    Ok(Exit::Done)
}
