//! What a shell sees: plain data, made for JSON. Field names are stable.

use carillon_wire::frame::{Media, Topic};
use carillon_wire::rest::CallSettings;
use carillon_wire::{AccountId, CallId, DeviceId, Handle, Millis, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::quality::Quality;
use crate::sound::SoundNews;

/// Everything that a screen which has just been opened needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct State {
    /// The server's address, once one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The own account, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// The line to the server.
    pub connection: Connection,
    /// The calls that are not over.
    pub calls: Vec<CallState>,
    /// Missed calls that the person has not seen.
    pub unread_missed: u32,
    /// Who may call, as last heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<CallSettings>,
    /// Whether calls go through a relay, so that whoever is at the other end does not learn this machine's address.
    pub hide_address: bool,
}

/// The own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Account {
    /// The account.
    pub account: AccountId,
    /// This device.
    pub device: DeviceId,
    /// The handle.
    pub handle: Handle,
    /// The display name.
    pub name: String,
    /// Path of the picture under the server's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// Whether it is verified.
    pub verified: bool,
}

/// The line to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "connection", rename_all = "snake_case")]
pub enum Connection {
    /// Nobody has asked for one.
    Idle,
    /// Connecting and signing in.
    Connecting,
    /// Signed in.
    Online,
    /// Not connected; the next try comes by itself.
    Offline {
        /// In milliseconds, from the moment of the event.
        retry_in: Millis,
        /// What the server said, if it was that.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<carillon_wire::Code>,
    },
    /// The server does not take this device any longer.
    SignedOut {
        /// Why.
        code: carillon_wire::Code,
    },
}

/// Who placed a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// This device.
    Outgoing,
    /// The other side.
    Incoming,
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Outgoing, and nobody at the other end has heard of it.
    Calling,
    /// Outgoing, and it rings there.
    Ringing,
    /// Incoming: the person decides.
    Incoming,
    /// Incoming while another call is on: accepting hangs that one up.
    Waiting,
    /// Accepted, and not up yet.
    Connecting,
    /// Up.
    Connected,
    /// It was up, and a path is looked for again.
    Reconnecting,
    /// Over; see [`CallState::end`].
    Ended,
}

/// How well this device knows who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// This handle was never seen before.
    New,
    /// The same account as ever.
    Known,
    /// The same account as ever, and the emoji have been compared.
    Verified,
    /// **Another account than before has this handle.** Warn. Never answer by itself.
    Changed,
}

/// The other end of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Party {
    /// The account, proved by its key.
    pub account: AccountId,
    /// Its handle, as the server says.
    pub handle: Handle,
    /// Its display name, as the server says.
    pub name: String,
    /// It carries a verified badge, checked here. Only ever true of the other end of an incoming call, or where the
    /// server says so of the one called.
    pub verified: bool,
    /// Whether the handle still belongs to whom it did.
    pub trust: Trust,
}

/// What one side sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct MediaOn {
    /// The microphone is on.
    pub audio: bool,
    /// The camera is on.
    pub video: bool,
    /// The screen is shared.
    pub screen: bool,
}

/// One of the seven safety emoji.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Emoji {
    /// The picture.
    pub symbol: &'static str,
    /// What to say in English.
    pub en: &'static str,
    /// What to say in French.
    pub fr: &'static str,
}

/// One call, whole: every event about a call carries all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct CallState {
    /// Which call.
    pub call: CallId,
    /// Who placed it.
    pub direction: Direction,
    /// The other end.
    pub with: Party,
    /// What it was placed with.
    pub media: Media,
    /// Where it stands.
    pub phase: Phase,
    /// What this side sends, or will.
    pub local: MediaOn,
    /// What the other side sends, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<MediaOn>,
    /// For how long it has been up, at the moment of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connected_for: Option<Millis>,
    /// The safety emoji, once both ends have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emoji: Option<[Emoji; 7]>,
    /// How it ended; in the phase `ended` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<CallEnd>,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct CallEnd {
    /// Why.
    pub why: Why,
    /// With `failed`: the stable code of what went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// With `failed`: a sentence in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// With `failed`: when to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Millis>,
}

/// Why a call is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The other side declined.
    Declined,
    /// Every device of the other side is in another call.
    Busy,
    /// The caller gave up before anybody answered.
    Cancelled,
    /// Nobody answered in time.
    NoAnswer,
    /// The other side can't be rung.
    Unavailable,
    /// The caller's line dropped while it rang.
    CallerLost,
    /// Another device of this account answered.
    AnsweredElsewhere,
    /// Another device of this account declined for all.
    DeclinedElsewhere,
    /// It was over before this device acted.
    Over,
    /// This side hung up.
    HungUpHere,
    /// The other side hung up.
    HungUpThere,
    /// The server did not answer.
    NoServer,
    /// The server, or a check here, said no.
    Failed,
    /// The sound and video machinery of this device failed.
    Transport,
    /// A certificate, fingerprint or confirmation did not fit: somebody may be in between.
    Security,
    /// No media path came up.
    NoRoute,
    /// The media path was lost and did not come back.
    Lost,
    /// A new call between the same two took its place.
    Replaced,
    /// Both called each other, and the other call goes on.
    Glare,
    /// This device is in another call.
    InCall,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The two talked.
    Talked,
    /// Outgoing, and nobody answered.
    Unanswered,
    /// Incoming, and nobody answered.
    Missed,
    /// Incoming, and declined on a device of this account.
    Declined,
    /// Incoming, and answered on another device.
    AnsweredElsewhere,
    /// Incoming, and kept silent: the address book does not know the caller.
    Filtered,
    /// It was to come up and did not.
    Failed,
}

/// A line of the recent calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RecentCall {
    /// For [`crate::Client::delete_recent`]; grows.
    pub id: u64,
    /// Which call.
    pub call: CallId,
    /// Who placed it.
    pub direction: Direction,
    /// The other account.
    pub account: AccountId,
    /// Its handle at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<Handle>,
    /// Its display name at that time.
    pub name: String,
    /// What it was placed with.
    pub media: Media,
    /// What came of it.
    pub outcome: Outcome,
    /// How it ended.
    pub end: CallEnd,
    /// When it was placed.
    pub at: UnixMillis,
    /// How long the two talked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub talked: Option<Millis>,
}

/// What is to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// The ringtone.
    Incoming,
    /// The soft tone for a second caller.
    Waiting,
    /// The ringback tone.
    Outgoing,
    /// Nothing any longer.
    Stop,
}

/// Whom a handle is pinned to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PinState {
    /// The handle.
    pub handle: Handle,
    /// The account that it was first seen with.
    pub account: AccountId,
    /// Since when.
    pub first_seen: UnixMillis,
    /// The emoji were compared in a call with this account.
    pub verified: bool,
    /// The account that the handle points to now, if another: to be confirmed or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_to: Option<AccountId>,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ClientEvent {
    /// The line to the server is another.
    Connection(Connection),
    /// A call is new or looks different; `ended` is the last of each.
    Call(CallState),
    /// A tone starts or stops.
    Tone {
        /// For which call.
        call: CallId,
        /// Which.
        tone: Tone,
    },
    /// The first sound of the other side is on its way to the speaker.
    FirstSound {
        /// Of which call.
        call: CallId,
    },
    /// How good a call was in the last second.
    Quality(Quality),
    /// Something about this machine's sound.
    Sound(SoundNews),
    /// No pictures come from the camera, or they come again.
    Camera {
        /// What is wrong, as a sentence; absent when nothing is any more.
        #[serde(skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// The own account looks different.
    Account(Account),
    /// Who may call has changed.
    Settings(CallSettings),
    /// The number of missed calls that the person has not seen.
    Missed {
        /// How many.
        unread: u32,
    },
    /// Something changed on the server that is not in the state: fetch it again where it is shown.
    Changed {
        /// What.
        topics: Vec<Topic>,
    },
    /// Somebody who is watched came or went.
    Presence {
        /// Who.
        account: AccountId,
        /// Whether they can be reached.
        online: bool,
    },
    /// Events were missed, for they were not read in time: ask for the whole [`State`].
    Missing,
}
