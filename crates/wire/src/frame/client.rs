//! What a device says.

use serde::{Deserialize, Serialize};

use super::{EndReason, Media};
use crate::bytes::{Blob, Signature};
use crate::id::{AccountId, CallId, DeviceId};
use crate::time::Millis;

/// A sealed box for one device of the callee.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BoxFor {
    /// The addressee.
    pub device: DeviceId,
    /// Noise message 1 with the Offer.
    #[serde(rename = "box")]
    pub sealed: Blob,
}

/// Why a device does not take a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// The device is in another call.
    Busy,
    /// The person declined.
    Declined,
}

/// For whom a device declines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum DeclineScope {
    /// For this device; the others go on ringing.
    Device,
    /// For the whole account.
    All,
}

/// A frame from a device. All but `hello` need a signed-in connection. A frame sent again changes nothing and gets
/// the same reply, so that a device may repeat after a reconnect whatever was not answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    /// First frame of a device, the answer to `challenge`. Reply: `welcome`.
    Hello {
        /// Version that the device wishes to speak.
        proto: u16,
        /// Which device.
        device: DeviceId,
        /// The device key's signature over the challenge; see `PROTOCOL.md`, "Challenges".
        signature: Signature,
        /// The last mailbox number that the device has handled, if it kept one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resume: Option<u64>,
    },
    /// Everything up to and including `seq` was handled and can be forgotten. No reply.
    Ack {
        /// The highest number handled without a gap.
        seq: u64,
    },
    /// Is the line up? Reply: `pong`.
    Ping {},
    /// Rings an account. Reply: `created`, `stale_devices` or `refused`.
    Create {
        /// Drawn at random by the caller.
        call: CallId,
        /// Whom to ring.
        callee: AccountId,
        /// With what.
        media: Media,
        /// How long to ring, in milliseconds.
        expires_in: Millis,
        /// One box for every device of the callee.
        boxes: Vec<BoxFor>,
    },
    /// This device shows the call to its person (or keeps silent: it says so all the same). Reply: `done`.
    Ringing {
        /// Which call.
        call: CallId,
    },
    /// The person accepts. Reply: `accepted` or `taken`.
    Accept {
        /// Which call.
        call: CallId,
        /// Noise message 2 with the Answer.
        #[serde(rename = "box")]
        sealed: Blob,
    },
    /// This device, or the whole account, does not take the call. Reply: `done`.
    Decline {
        /// Which call.
        call: CallId,
        /// Why.
        reason: DeclineReason,
        /// For whom.
        scope: DeclineScope,
    },
    /// The caller gives up while it rings. Reply: `done`.
    Cancel {
        /// Which call.
        call: CallId,
    },
    /// A sealed payload for the other end of an accepted call. Reply: `done`.
    Relay {
        /// Which call.
        call: CallId,
        /// The addressee: the caller's device or the one that accepted.
        to_device: DeviceId,
        /// Counts up from 0 for each sender and call; it is also the Noise nonce.
        seq: u64,
        /// The sealed payload.
        #[serde(rename = "box")]
        sealed: Blob,
    },
    /// The call is over. Reply: `done`.
    End {
        /// Which call.
        call: CallId,
        /// Why.
        reason: EndReason,
    },
    /// Asks for TURN servers with credentials that run out. Reply: `turn`.
    Turn {},
    /// Watches the presence of these accounts, in place of those watched before. Reply: `done`, then `presence`.
    Presence {
        /// At most [`crate::limits::MAX_PRESENCE`].
        accounts: Vec<AccountId>,
    },
}

impl ClientFrame {
    /// Every `type` a client may send.
    pub const KINDS: &'static [&'static str] = &[
        "hello", "ack", "ping", "create", "ringing", "accept", "decline", "cancel", "relay", "end", "turn",
        "presence",
    ];

    /// The `type` of this frame.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Ack { .. } => "ack",
            Self::Ping {} => "ping",
            Self::Create { .. } => "create",
            Self::Ringing { .. } => "ringing",
            Self::Accept { .. } => "accept",
            Self::Decline { .. } => "decline",
            Self::Cancel { .. } => "cancel",
            Self::Relay { .. } => "relay",
            Self::End { .. } => "end",
            Self::Turn {} => "turn",
            Self::Presence { .. } => "presence",
        }
    }
}
