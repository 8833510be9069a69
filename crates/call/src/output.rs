//! What comes out of a call.

use std::time::Duration;

use carillon_wire::frame::{DeclineReason, DeclineScope, EndReason, Media};
use carillon_wire::payload::{Description, Payload, SdpKind};
use carillon_wire::{AccountId, Bytes32, DeviceId, Millis};

use crate::view::{CallView, Direction, Why};

/// Something to do for the owner of the machine, in the order in which it comes out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Output {
    /// Send this to the server, sealed where it holds a payload. The client repeats it until it is answered.
    Send(Command),
    /// For the peer connection of this call.
    Peer(PeerCommand),
    /// A tone starts or stops. Between a start and the next start there is always a stop.
    Ring(Tone),
    /// The call looks different now. Comes only when something has changed. Silent calls are never shown.
    Show(CallView),
    /// A line for the list of recent calls: at most one for each call, when it has ended.
    Record(Record),
}

/// A request to the server, before sealing. Mirrors [`carillon_wire::frame::ClientFrame`].
///
/// Commands of a call go out in order. Each may come out again with the same content ([`Network::Lost`], an accept
/// that is not confirmed): the client then sends the very frame it has sent before. A `Cancel` or `End` of a call
/// takes back what of it is still waiting to be sent for the first time.
///
/// [`Network::Lost`]: crate::Network::Lost
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// Fetch the callee's devices, seal an Offer for each, `create`. The client adds abilities, credentials and tag.
    /// After `stale_devices` it comes again: fetch and seal anew.
    Create {
        /// Whom to ring.
        callee: AccountId,
        /// With what.
        media: Media,
        /// How long to ring.
        expires_in: Millis,
        /// The own description, for the Offer.
        description: Description,
        /// For the Offer.
        commitment: Bytes32,
    },
    /// `ringing`
    Ringing,
    /// Seal an Answer, `accept`. The client adds abilities.
    Accept {
        /// The own description, for the Answer.
        description: Description,
        /// Nonce b, for the Answer.
        nonce: Bytes32,
        /// The own camera is on, for the Answer.
        video: bool,
    },
    /// `decline`
    Decline {
        /// Why.
        reason: DeclineReason,
        /// For whom.
        scope: DeclineScope,
    },
    /// `cancel`
    Cancel,
    /// Seal a payload, `relay`.
    Relay {
        /// The addressee.
        to_device: DeviceId,
        /// The content.
        payload: Payload,
    },
    /// `end`
    End {
        /// Why.
        reason: EndReason,
    },
}

/// Which end of the call a peer connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Makes the offers.
    Caller,
    /// Makes the answers.
    Callee,
}

/// For the peer connection of a call. Every `Create` is followed by exactly one `Close`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PeerCommand {
    /// Make a peer connection, with audio and video sections and a data channel from the start, so that switching
    /// the camera on needs no new offer. A caller makes its offer at once.
    Create {
        /// Which end.
        role: Role,
        /// What the call was placed with.
        media: Media,
    },
    /// Apply the other side's description. After an offer, make the answer. The fingerprint beside the SDP is the
    /// one that counts.
    ApplyRemote {
        /// The ICE generation; 0 is the first.
        generation: u32,
        /// Offer or answer.
        kind: SdpKind,
        /// The description.
        description: Description,
    },
    /// Add the other side's candidates.
    AddCandidates {
        /// The ICE generation they are for.
        generation: u32,
        /// `candidate:` lines (RFC 8839).
        candidates: Vec<String>,
        /// No more will come for this generation.
        last: bool,
    },
    /// Make an offer with new ICE credentials (RFC 8445, section 9); an offer that is still open is rolled back.
    RestartIce {
        /// The generation that it starts.
        generation: u32,
    },
    /// Send this over the data channel.
    SendData(Payload),
    /// Send at most this much.
    LimitRate {
        /// In bits per second.
        bits_per_second: u32,
    },
    /// Close it. What was handed to the data channel before may still leave, no media may.
    Close,
}

/// What is heard besides the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// The ringtone, until [`Tone::Stop`].
    Incoming,
    /// The soft tone for a second caller, until [`Tone::Stop`].
    Waiting,
    /// The ringback tone: it rings at the other end. Until [`Tone::Stop`].
    Outgoing,
    /// Whatever sounds for this call stops.
    Stop,
}

/// A line for the list of recent calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Record {
    /// The other account.
    pub account: AccountId,
    /// Who called.
    pub direction: Direction,
    /// What the call was placed with.
    pub media: Media,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it ended.
    pub why: Why,
    /// How long ago the call was placed.
    pub began: Duration,
    /// How long it was up; `None` if it never was.
    pub talked: Option<Duration>,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The two talked.
    Talked,
    /// Outgoing, and nobody answered: cancelled, declined, busy, unavailable or rung out; see `why`.
    Unanswered,
    /// Incoming, and nobody answered.
    Missed,
    /// Incoming, and this person declined, here or on another device.
    Declined,
    /// Incoming, and another device of this account answered.
    AnsweredElsewhere,
    /// Incoming, from somebody whom the own address book does not know: this device kept silent.
    Filtered,
    /// It was to come up and did not: no route, security, an error.
    Failed,
}
