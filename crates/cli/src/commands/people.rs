//! Other people, who of them may call, and what is left of calls.

use carillon_client::{Client, ClientError, Direction, PinState, RecentCall};
use carillon_wire::Handle;
use carillon_wire::rest::{CallSettings, MissedCall, MissedKind, Page, Person};

use super::{Outcome, explain};
use crate::args::{Recent, RecentAction, Setting, change};
use crate::exit::Exit;
use crate::output::{Output, length, local_time};

/// Which list of people.
#[derive(Clone, Copy)]
pub(super) enum List {
    Following,
    Followers,
    Blocked,
}

pub(super) async fn search(client: &Client, output: Output, text: &str) -> Outcome {
    let page = client.search(text).await.map_err(|error| explain(&error, output))?;
    if page.items.is_empty() {
        output.say(&output.lang.nobody_found());
    }
    show_page(&page, output);
    Ok(Exit::Done)
}

pub(super) async fn person(client: &Client, output: Output, handle: Handle) -> Outcome {
    let person = client.person(handle).await.map_err(|error| explain(&error, output))?;
    show_person(&person, output);
    Ok(Exit::Done)
}

pub(super) async fn follow(client: &Client, output: Output, handle: Handle, on: bool) -> Outcome {
    let done = if on { client.follow(handle).await } else { client.unfollow(handle).await };
    let person = done.map_err(|error| explain(&error, output))?;
    output.show(&person, || {
        let handle = &person.profile.handle;
        if on { output.lang.followed(handle) } else { output.lang.unfollowed(handle) }
    });
    Ok(Exit::Done)
}

pub(super) async fn block(client: &Client, output: Output, handle: Handle, on: bool) -> Outcome {
    let done = if on { client.block(handle).await } else { client.unblock(handle).await };
    let person = done.map_err(|error| explain(&error, output))?;
    output.show(&person, || {
        let handle = &person.profile.handle;
        if on { output.lang.blocked(handle) } else { output.lang.unblocked(handle) }
    });
    Ok(Exit::Done)
}

pub(super) async fn list(client: &Client, output: Output, list: List) -> Outcome {
    let mut cursor: Option<String> = None;
    loop {
        let page = match list {
            List::Following => client.following(cursor.as_deref()).await,
            List::Followers => client.followers(cursor.as_deref()).await,
            List::Blocked => client.blocks(cursor.as_deref()).await,
        };
        let page = page.map_err(|error| explain(&error, output))?;
        if cursor.is_none() && page.items.is_empty() {
            output.say(&output.lang.nothing_here());
        }
        show_page(&page, output);
        match page.next {
            Some(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
            _ => return Ok(Exit::Done),
        }
    }
}

fn show_page(page: &Page<Person>, output: Output) {
    page.items.iter().for_each(|person| show_person(person, output));
}

fn show_person(person: &Person, output: Output) {
    output.show(person, || {
        let lang = output.lang;
        let marks = [
            (person.profile.verified, lang.verified()),
            (person.following, lang.you_follow()),
            (person.follows_me, lang.follows_you()),
            (person.blocked, lang.is_blocked()),
        ];
        let marks: Vec<_> = marks.into_iter().filter_map(|(shown, mark)| shown.then_some(mark)).collect();
        let marks = if marks.is_empty() { String::new() } else { format!("  ({})", marks.join(", ")) };
        format!("{}  {}{marks}", person.profile.handle, person.profile.name)
    });
}

pub(super) async fn settings(client: &Client, output: Output) -> Outcome {
    let settings = client.settings().await.map_err(|error| explain(&error, output))?;
    show_settings(settings, output);
    Ok(Exit::Done)
}

pub(super) async fn change_settings(client: &Client, output: Output, changes: &[(Setting, bool)]) -> Outcome {
    let settings = client.change_settings(change(changes)).await.map_err(|error| explain(&error, output))?;
    show_settings(settings, output);
    Ok(Exit::Done)
}

fn show_settings(settings: CallSettings, output: Output) {
    output.object(&settings);
    let lang = output.lang;
    let rows = [
        (lang.setting_enabled(), settings.enabled),
        (lang.setting_following(), settings.following),
        (lang.setting_verified(), settings.verified),
        (lang.setting_address_book(), settings.address_book),
        (lang.setting_everyone(), settings.everyone),
    ];
    for (name, on) in rows {
        let value = if on { lang.on() } else { lang.off() };
        output.say(&format!("{value:<4} {name}"));
    }
    let somebody = settings.following || settings.verified || settings.address_book || settings.everyone;
    if !(settings.enabled && somebody) {
        output.say(&lang.nobody_can_call());
    }
}

pub(super) fn pins(client: &Client, output: Output) -> Exit {
    let pins = client.pins();
    if pins.is_empty() {
        output.say(&output.lang.nothing_here());
    }
    for pin in &pins {
        output.show(pin, || {
            let mut line = format!("{}  {}", pin.handle, local_time(pin.first_seen));
            if pin.verified {
                line.push_str(&format!("  ({})", output.lang.compared()));
            }
            if pin.changed_to.is_some() {
                line.push_str(&format!("  ({})", output.lang.changed_hands()));
            }
            line
        });
    }
    Exit::Done
}

pub(super) async fn confirm(client: &Client, output: Output, handle: &Handle) -> Outcome {
    pinned(client.confirm_change(handle).await, output, output.lang.change_confirmed(handle))
}

pub(super) async fn verify(client: &Client, output: Output, handle: &Handle) -> Outcome {
    pinned(client.mark_verified(handle).await, output, output.lang.verified_now(handle))
}

fn pinned(done: Result<PinState, ClientError>, output: Output, text: String) -> Outcome {
    let pin = done.map_err(|error| explain(&error, output))?;
    output.show(&pin, || text);
    Ok(Exit::Done)
}

pub(super) async fn recent(client: &Client, output: Output, what: Recent) -> Outcome {
    let kind = match (what.missed, what.filtered) {
        (true, _) => Some(MissedKind::Missed),
        (false, true) => Some(MissedKind::Filtered),
        (false, false) => None,
    };
    match (what.action, kind) {
        (Some(RecentAction::Delete { id }), None) => {
            let there = client.delete_recent(id).await.map_err(|error| explain(&error, output))?;
            output.say(&if there { output.lang.deleted() } else { output.lang.nothing_here() });
            Ok(if there { Exit::Done } else { Exit::Failed })
        }
        (Some(RecentAction::Delete { id }), Some(_)) => {
            client.delete_missed(id).await.map_err(|error| explain(&error, output))?;
            output.say(&output.lang.deleted());
            Ok(Exit::Done)
        }
        (None, None) => {
            let calls = client.recent(what.limit).await.map_err(|error| explain(&error, output))?;
            if calls.is_empty() {
                output.say(&output.lang.nothing_here());
            }
            calls.iter().for_each(|call| show_recent(call, output));
            Ok(Exit::Done)
        }
        (None, Some(kind)) => {
            let page = client.missed(kind, 0).await.map_err(|error| explain(&error, output))?;
            if page.items.is_empty() {
                output.say(&output.lang.nothing_here());
            }
            page.items.iter().for_each(|call| show_missed(call, output));
            client.mark_missed_seen().await.map_err(|error| explain(&error, output))?;
            Ok(Exit::Done)
        }
    }
}

fn show_recent(call: &RecentCall, output: Output) {
    output.show(call, || {
        let arrow = match call.direction {
            Direction::Outgoing => '→',
            Direction::Incoming => '←',
        };
        let who = call.handle.as_ref().map_or_else(|| call.name.clone(), ToString::to_string);
        let end = output.lang.end(&call.end, call.direction, &who);
        let talked = call.talked.map(|talked| format!("  {}", length(talked))).unwrap_or_default();
        format!("{:>4}  {}  {arrow} {who}  {end}{talked}", call.id, local_time(call.at))
    });
}

fn show_missed(call: &MissedCall, output: Output) {
    output.show(call, || {
        format!("{:>4}  {}  ← {}  {}", call.id, local_time(call.at), call.from.handle, call.from.name)
    });
}
