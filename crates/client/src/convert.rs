//! From the machine's words to the shells'.

use std::time::Instant;

use carillon_call as machine;
use carillon_wire::Millis;

use crate::dto::{CallEnd, CallState, Direction, Emoji, MediaOn, Outcome, Party, Phase, Tone, Why};
use crate::error::ClientError;

impl From<machine::Direction> for Direction {
    fn from(direction: machine::Direction) -> Self {
        match direction {
            machine::Direction::Outgoing => Self::Outgoing,
            machine::Direction::Incoming => Self::Incoming,
        }
    }
}

impl From<machine::MediaOn> for MediaOn {
    fn from(media: machine::MediaOn) -> Self {
        Self { audio: media.audio, video: media.video, screen: media.screen }
    }
}

impl From<MediaOn> for machine::MediaOn {
    fn from(media: MediaOn) -> Self {
        Self { audio: media.audio, video: media.video, screen: media.screen }
    }
}

impl From<machine::Tone> for Tone {
    fn from(tone: machine::Tone) -> Self {
        match tone {
            machine::Tone::Incoming => Self::Incoming,
            machine::Tone::Waiting => Self::Waiting,
            machine::Tone::Outgoing => Self::Outgoing,
            machine::Tone::Stop => Self::Stop,
        }
    }
}

impl From<machine::Outcome> for Outcome {
    fn from(outcome: machine::Outcome) -> Self {
        match outcome {
            machine::Outcome::Talked => Self::Talked,
            machine::Outcome::Unanswered => Self::Unanswered,
            machine::Outcome::Missed => Self::Missed,
            machine::Outcome::Declined => Self::Declined,
            machine::Outcome::AnsweredElsewhere => Self::AnsweredElsewhere,
            machine::Outcome::Filtered => Self::Filtered,
            machine::Outcome::Failed => Self::Failed,
        }
    }
}

impl From<&'static carillon_e2e::emoji::Emoji> for Emoji {
    fn from(emoji: &'static carillon_e2e::emoji::Emoji) -> Self {
        Self { symbol: emoji.symbol, en: emoji.english, fr: emoji.french }
    }
}

/// How a call ended. `failure` is what the server or a check said, where the machine knows the code alone.
pub(crate) fn call_end(why: machine::Why, failure: Option<&ClientError>) -> CallEnd {
    let plain = |why| CallEnd { why, code: None, message: None, retry_after: None };
    match why {
        machine::Why::Declined => plain(Why::Declined),
        machine::Why::Busy => plain(Why::Busy),
        machine::Why::Cancelled => plain(Why::Cancelled),
        machine::Why::NoAnswer => plain(Why::NoAnswer),
        machine::Why::Unavailable => plain(Why::Unavailable),
        machine::Why::CallerLost => plain(Why::CallerLost),
        machine::Why::AnsweredElsewhere => plain(Why::AnsweredElsewhere),
        machine::Why::DeclinedElsewhere => plain(Why::DeclinedElsewhere),
        machine::Why::Over => plain(Why::Over),
        machine::Why::HungUp(machine::Side::Here) => plain(Why::HungUpHere),
        machine::Why::HungUp(machine::Side::There) => plain(Why::HungUpThere),
        machine::Why::NoServer => plain(Why::NoServer),
        machine::Why::Failed(code) => match failure {
            Some(error) => CallEnd {
                why: Why::Failed,
                code: Some(error.code.as_str().to_owned()),
                message: Some(error.message.clone()),
                retry_after: error.retry_after,
            },
            None => CallEnd {
                code: Some(code.as_str().to_owned()),
                message: Some(code.sentence().to_owned()),
                ..plain(Why::Failed)
            },
        },
        machine::Why::Transport => plain(Why::Transport),
        machine::Why::Security => plain(Why::Security),
        machine::Why::NoRoute => plain(Why::NoRoute),
        machine::Why::Lost => plain(Why::Lost),
        machine::Why::Replaced => plain(Why::Replaced),
        machine::Why::Glare => plain(Why::Glare),
        machine::Why::InCall => plain(Why::InCall),
    }
}

const fn phase(phase: machine::Phase) -> Phase {
    match phase {
        machine::Phase::Calling => Phase::Calling,
        machine::Phase::Ringing => Phase::Ringing,
        machine::Phase::Incoming { waiting: false } => Phase::Incoming,
        machine::Phase::Incoming { waiting: true } => Phase::Waiting,
        machine::Phase::Connecting => Phase::Connecting,
        machine::Phase::Connected => Phase::Connected,
        machine::Phase::Reconnecting => Phase::Reconnecting,
        machine::Phase::Ended(_) => Phase::Ended,
    }
}

/// One call as a shell shows it.
pub(crate) fn call_state(
    view: &machine::CallView,
    with: &Party,
    emoji: Option<[Emoji; 7]>,
    failure: Option<&ClientError>,
    now: Instant,
) -> CallState {
    let end = match view.phase {
        machine::Phase::Ended(why) => Some(call_end(why, failure)),
        machine::Phase::Calling
        | machine::Phase::Ringing
        | machine::Phase::Incoming { .. }
        | machine::Phase::Connecting
        | machine::Phase::Connected
        | machine::Phase::Reconnecting => None,
    };
    CallState {
        call: view.call,
        direction: view.direction.into(),
        with: with.clone(),
        media: view.media,
        phase: phase(view.phase),
        local: view.local.into(),
        remote: view.remote.map(Into::into),
        connected_for: view.connected_since.map(|since| Millis::from(now.saturating_duration_since(since))),
        emoji: emoji.filter(|_| view.safety_ready),
        end,
    }
}
