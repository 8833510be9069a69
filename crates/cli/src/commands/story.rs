//! What happens, told to a person.

use std::collections::HashMap;

use carillon_client::{
    CallState, ClientEvent, Connection, Phase, Quality, Reason, SoundDirection, SoundNews, Trust, Word,
};
use carillon_wire::{CallId, Millis};

use crate::output::length;
use crate::text::Lang;

/// Remembers what of each call was told, so that an event that changes nothing for a person says nothing.
#[derive(Debug, Default)]
pub(super) struct Story {
    calls: HashMap<CallId, Told>,
}

#[derive(Debug, Default)]
struct Told {
    phase: Option<Phase>,
    emoji: bool,
    word: Option<(Word, Option<Reason>)>,
    talked: Option<Millis>,
}

impl Story {
    /// The call was up at some time.
    pub(super) fn talked(&self, call: CallId) -> bool {
        self.calls.get(&call).is_some_and(|told| told.talked.is_some())
    }

    /// What to say about an event, if anything.
    pub(super) fn tell(&mut self, event: &ClientEvent, lang: Lang) -> Option<String> {
        match event {
            ClientEvent::Connection(connection) => connection_text(*connection, lang),
            ClientEvent::Call(call) => self.call(call, lang),
            ClientEvent::Missed { unread } if *unread > 0 => Some(lang.unread_missed(unread)),
            ClientEvent::Quality(quality) => self.quality(quality, lang),
            ClientEvent::Sound(news) => sound_text(news, lang),
            ClientEvent::Camera { problem: Some(problem) } => Some(lang.camera_lost(format!("{problem}."))),
            ClientEvent::Camera { problem: None } => Some(lang.camera_back()),
            ClientEvent::Missed { .. }
            | ClientEvent::FirstSound { .. }
            | ClientEvent::Tone { .. }
            | ClientEvent::Account(_)
            | ClientEvent::Settings(_)
            | ClientEvent::Changed { .. }
            | ClientEvent::Presence { .. }
            | ClientEvent::Missing => None,
        }
    }

    fn call(&mut self, call: &CallState, lang: Lang) -> Option<String> {
        let told = self.calls.entry(call.call).or_default();
        let who = who(call);
        told.talked = call.connected_for.or(told.talked);
        let mut lines = Vec::new();
        if told.phase != Some(call.phase) {
            told.phase = Some(call.phase);
            lines.push(phase_text(call, &who, told.talked, lang));
        }
        if let (Some(emoji), false) = (&call.emoji, told.emoji) {
            told.emoji = true;
            let names = emoji.map(|emoji| match lang {
                Lang::En => format!("{} {}", emoji.symbol, emoji.en),
                Lang::Fr => format!("{} {}", emoji.symbol, emoji.fr),
            });
            lines.push(lang.emoji(names.join("  ")));
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// Handle, name where it says more, and the badge.
fn who(call: &CallState) -> String {
    let with = &call.with;
    let badge = if with.verified { " ✓" } else { "" };
    if with.name.is_empty() || with.name == with.handle.as_str() {
        format!("{}{badge}", with.handle)
    } else {
        format!("{} ({}{badge})", with.name, with.handle)
    }
}

impl Story {
    /// The quality in a word, when it is another than before.
    fn quality(&mut self, quality: &Quality, lang: Lang) -> Option<String> {
        let told = self.calls.entry(quality.call).or_default();
        let word = (quality.word, quality.reason);
        if told.word.replace(word) == Some(word) {
            return None;
        }
        let trip = quality.round_trip_ms.unwrap_or_default().round();
        Some(match word {
            (Word::Good, _) => lang.quality_good(trip),
            (_, Some(Reason::Silence)) => lang.quality_silence(),
            (_, Some(Reason::Loss)) => lang.quality_loss(quality.concealed_percent.round()),
            (_, Some(Reason::Jitter)) => lang.quality_jitter(),
            (_, Some(Reason::Delay) | None) => lang.quality_delay(),
        })
    }
}

fn sound_text(news: &SoundNews, lang: Lang) -> Option<String> {
    let microphone = |device: SoundDirection| device == SoundDirection::Microphone;
    Some(match news {
        SoundNews::Lost { device, message } if microphone(*device) => lang.microphone_lost(message),
        SoundNews::Lost { message, .. } => lang.speaker_lost(message),
        SoundNews::Using { device, name } if microphone(*device) => lang.microphone_is(name),
        SoundNews::Using { name, .. } => lang.speaker_is(name),
        SoundNews::TalkingWhileMuted { .. } => lang.talking_while_muted(),
        SoundNews::NothingFromMicrophone { .. } => lang.nothing_from_microphone(),
        SoundNews::DevicesChanged => return None,
    })
}

fn phase_text(call: &CallState, who: &str, talked: Option<Millis>, lang: Lang) -> String {
    match call.phase {
        Phase::Calling => lang.calling(who),
        Phase::Ringing => lang.ringing(who),
        Phase::Incoming if call.with.trust == Trust::Changed => lang.incoming_changed(who),
        Phase::Incoming => match call.media {
            carillon_wire::frame::Media::Audio => lang.incoming(who),
            carillon_wire::frame::Media::Video => lang.incoming_video(who),
        },
        Phase::Waiting => lang.incoming_waiting(who),
        Phase::Connecting => lang.accepted(who),
        Phase::Connected => lang.connected(who),
        Phase::Reconnecting => lang.reconnecting(),
        Phase::Ended => {
            let reason = call.end.as_ref().map(|end| lang.end(end, call.direction, who)).unwrap_or_default();
            match talked {
                Some(talked) => lang.ended_after(reason, length(talked)),
                None => lang.ended(reason),
            }
        }
    }
}

fn connection_text(connection: Connection, lang: Lang) -> Option<String> {
    match connection {
        Connection::Idle => None,
        Connection::Connecting => Some(lang.connecting_to_server()),
        Connection::Online => Some(lang.is_online()),
        Connection::Offline { retry_in, .. } => Some(lang.is_offline(retry_in.0.div_ceil(1000))),
        Connection::SignedOut { .. } => Some(lang.is_signed_out()),
    }
}
