//! What a server says.

use serde::{Deserialize, Serialize};

use super::Media;
use crate::bytes::{Blob, Bytes32};
use crate::code::Code;
use crate::id::{AccountId, CallId, DeviceId, Handle};
use crate::redacted::redacting_debug;
use crate::time::{Millis, UnixMillis};

/// Why a ring was refused. There is one reason on purpose: refused, blocked and switched off look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedReason {
    /// Nobody can be rung.
    Unavailable,
    /// A reason this version does not know.
    #[serde(other)]
    Other,
}

/// Who took a call away from a device that it rang on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TakenKind {
    /// Another device of the account accepted.
    Answered,
    /// Another device of the account declined for all.
    Declined,
    /// The call was over before this device acted.
    Over,
    /// A kind this version does not know.
    #[serde(other)]
    Other,
}

/// Why a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The callee declined.
    Declined,
    /// Every device that could ring is in another call.
    Busy,
    /// The caller gave up.
    Cancelled,
    /// Nobody answered in time.
    Expired,
    /// One side hung up.
    HungUp,
    /// The callee can't be rung any longer: settings or a block changed during the ring.
    Unavailable,
    /// The caller's line dropped while it rang and did not come back.
    CallerLost,
    /// A certificate, fingerprint or confirmation did not fit.
    Security,
    /// No media path came up.
    NoRoute,
    /// The media path was lost and did not come back.
    Lost,
    /// A new call took the place of this one.
    Replaced,
    /// A reason this version does not know.
    #[serde(other)]
    Other,
}

/// Who rings, as far as the server says. The device believes the credentials in the sealed Offer, not this.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallerInfo {
    /// The account.
    pub account: AccountId,
    /// The device that placed the call.
    pub device: DeviceId,
    /// Its handle.
    pub handle: Handle,
    /// Its display name.
    pub name: String,
    /// The callee's device looks the caller up in its own address book and stays silent on a miss.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_if_in_address_book: bool,
}

redacting_debug!(CallerInfo { account, device, handle, only_if_in_address_book; name });

/// What a mailbox holds for a device. Delivered at least once, in order, with a number each.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// Somebody calls.
    Ring {
        /// Which call.
        call: CallId,
        /// Who.
        from: CallerInfo,
        /// With what.
        media: Media,
        /// How long it has been ringing, in milliseconds, at the moment of sending.
        age: Millis,
        /// How long it goes on ringing, in milliseconds, from the moment of sending.
        expires_in: Millis,
        /// Noise message 1 with the Offer.
        #[serde(rename = "box")]
        sealed: Blob,
    },
    /// To the caller: a device of the callee rings.
    Ringing {
        /// Which call.
        call: CallId,
        /// Which device.
        device: DeviceId,
    },
    /// To the caller: a device of the callee accepted.
    Accepted {
        /// Which call.
        call: CallId,
        /// Which device.
        device: DeviceId,
        /// Noise message 2 with the Answer.
        #[serde(rename = "box")]
        sealed: Blob,
    },
    /// To the other devices of the callee: stop ringing.
    Taken {
        /// Which call.
        call: CallId,
        /// By whom.
        kind: TakenKind,
    },
    /// A sealed payload from the other end.
    Relay {
        /// Which call.
        call: CallId,
        /// The sender.
        from_device: DeviceId,
        /// The sender's number, the Noise nonce.
        seq: u64,
        /// The sealed payload.
        #[serde(rename = "box")]
        sealed: Blob,
    },
    /// The call is over.
    Ended {
        /// Which call.
        call: CallId,
        /// Why.
        reason: EndReason,
    },
    /// A kind this version does not know. Its number counts like any other: acknowledged and passed over, or it would be
    /// delivered again at every connection.
    #[serde(other)]
    Unknown,
}

impl Event {
    /// The call that this is about, if that can be told.
    pub const fn call(&self) -> Option<CallId> {
        match self {
            Self::Ring { call, .. }
            | Self::Ringing { call, .. }
            | Self::Accepted { call, .. }
            | Self::Taken { call, .. }
            | Self::Relay { call, .. }
            | Self::Ended { call, .. } => Some(*call),
            Self::Unknown => None,
        }
    }
}

/// What changed about the own account, on another device or by others: the client asks again by REST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Who may call.
    Settings,
    /// Name or picture.
    Profile,
    /// The list of devices.
    Devices,
    /// Whom the account follows.
    Following,
    /// Whom the account blocks.
    Blocks,
    /// Missed and filtered calls.
    Missed,
    /// A topic this version does not know.
    #[serde(other)]
    Other,
}

/// A TURN server with credentials (the TURN REST scheme: user name `expiry:random`, password HMAC-SHA1).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TurnServer {
    /// `turn:` and `turns:` addresses (RFC 7065).
    pub urls: Vec<String>,
    /// User name; starts with the Unix second at which it runs out.
    pub username: String,
    /// Password.
    pub credential: String,
}

redacting_debug!(TurnServer { urls; username, credential });

/// A frame from a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// First frame of a connection.
    Challenge {
        /// To be signed in `hello`.
        nonce: Bytes32,
        /// Protocol versions that this server serves.
        protocols: Vec<u16>,
    },
    /// The device is signed in.
    Welcome {
        /// Its account.
        account: AccountId,
        /// The version spoken on this connection.
        proto: u16,
        /// The server's time.
        now: UnixMillis,
        /// How often an idle side sends `ping`, in milliseconds.
        heartbeat: Millis,
        /// Messages for this device were dropped since `resume`: its calls may have moved on without it.
        lost: bool,
    },
    /// A message out of the mailbox.
    Deliver {
        /// Its number; to be acknowledged.
        seq: u64,
        /// The message.
        event: Event,
    },
    /// Reply to `create`: it rings.
    Created {
        /// Which call.
        call: CallId,
        /// How long it rings, in milliseconds.
        expires_in: Millis,
    },
    /// Reply to `create`: the boxes are not for exactly the callee's devices. Fetch these, seal again, create again.
    StaleDevices {
        /// Which call.
        call: CallId,
        /// The callee's devices now.
        devices: Vec<DeviceId>,
    },
    /// Reply to `create`: it does not ring.
    Refused {
        /// Which call.
        call: CallId,
        /// Always `unavailable` in protocol 1.
        reason: RefusedReason,
    },
    /// Reply to `accept`: this device has the call.
    Accepted {
        /// Which call.
        call: CallId,
    },
    /// Reply to `accept`: this device does not have the call.
    Taken {
        /// Which call.
        call: CallId,
        /// Who has it.
        kind: TakenKind,
    },
    /// Reply to a request that has no other.
    Done {},
    /// Reply to `turn`.
    Turn {
        /// The servers; none if the operator runs none.
        servers: Vec<TurnServer>,
        /// How long the credentials count, in milliseconds.
        expires_in: Millis,
    },
    /// Presence of a watched account that lets this one call: at first and at every change.
    Presence {
        /// Whose.
        account: AccountId,
        /// Whether a device of theirs is connected.
        online: bool,
    },
    /// Something about the own account changed.
    Changed {
        /// What.
        topics: Vec<Topic>,
    },
    /// The server shuts down; connect again after this time.
    Restarting {
        /// In milliseconds, different for each connection.
        reconnect_in: Millis,
    },
    /// Reply to `ping`.
    Pong {},
    /// A request failed, or a frame could not be read.
    Error {
        /// Stable code.
        code: Code,
        /// A sentence for a person.
        message: String,
        /// The call that it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<CallId>,
        /// With `rate_limited`: when to try again, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<Millis>,
        /// With `protocol_unsupported`: the versions served.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        protocols: Option<Vec<u16>>,
    },
}

impl ServerFrame {
    /// Every `type` a server may send.
    pub const KINDS: &'static [&'static str] = &[
        "challenge",
        "welcome",
        "deliver",
        "created",
        "stale_devices",
        "refused",
        "accepted",
        "taken",
        "done",
        "turn",
        "presence",
        "changed",
        "restarting",
        "pong",
        "error",
    ];

    /// An `error` frame with the code's own sentence.
    pub fn error(code: Code) -> Self {
        Self::Error {
            code,
            message: code.sentence().to_owned(),
            call: None,
            retry_after: None,
            protocols: None,
        }
    }
}
