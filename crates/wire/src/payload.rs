//! Sealed payloads: what two devices say to each other and the server can't read.
//!
//! A payload is one JSON object with `type`. How it is padded and sealed is in `carillon-e2e`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bytes::{Blob, Bytes32};
use crate::redacted::redacting_debug;
use crate::signed::Credentials;

/// What a device can do, so that the other can choose what both can.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
pub struct Abilities {
    /// Names of what the device can do beyond protocol 1, for example `video`. Unknown ones are ignored.
    #[serde(default)]
    pub features: Vec<String>,
}

/// A session description (RFC 8866) with the DTLS fingerprint taken out of it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Description {
    /// The SDP text.
    pub sdp: String,
    /// SHA-256 fingerprint of the certificate that DTLS will show (RFC 8122). The one in the SDP is not trusted.
    pub fingerprint: Bytes32,
}

// Addresses of the person's machine stand in the SDP.
redacting_debug!(Description { fingerprint; sdp });

/// What starts a call: message 1 of the Noise handshake carries it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Offer {
    /// The caller's session description.
    pub description: Description,
    /// SHA-256 of the caller's nonce: commits to it before the callee chooses theirs.
    pub commitment: Bytes32,
    /// What the caller's device can do.
    #[serde(default)]
    pub abilities: Abilities,
    /// Who is calling.
    pub credentials: Credentials,
    /// Address-book tag certificate of the caller's own address, if the caller wishes to be recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Blob>,
}

/// What accepts a call: message 2 of the Noise handshake carries it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Answer {
    /// The callee's session description.
    pub description: Description,
    /// The callee's nonce.
    pub nonce: Bytes32,
    /// What the callee's device can do.
    #[serde(default)]
    pub abilities: Abilities,
    /// The callee's media at accept: `video` false is *accept with sound only*.
    pub video: bool,
}

/// One side's media, as it stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MediaState {
    /// Grows with every change; a lower or equal one is old news.
    pub seq: u64,
    /// The microphone is on.
    pub audio: bool,
    /// The camera is on.
    pub video: bool,
    /// The screen is shared.
    pub screen: bool,
}

/// Why a side hung up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangUpReason {
    /// The person pressed the button.
    HungUp,
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

/// Whether a renegotiation carries an offer or the answer to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SdpKind {
    /// An offer.
    Offer,
    /// The answer to the other side's offer of the same generation.
    Answer,
}

/// Everything that travels sealed.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Payload {
    /// Message 1 of the handshake.
    Offer(Offer),
    /// Message 2 of the handshake.
    Answer(Answer),
    /// The caller reveals the nonce it committed to.
    Confirm {
        /// The caller's nonce.
        nonce: Bytes32,
    },
    /// ICE candidates (RFC 8839), trickled.
    Candidates {
        /// Which ICE generation they belong to; restarts count up from 0.
        generation: u32,
        /// `candidate:` lines.
        candidates: Vec<String>,
        /// No more will come for this generation.
        #[serde(default)]
        last: bool,
    },
    /// A new description mid-call: ICE restart, video added.
    Renegotiate {
        /// Which ICE generation it starts or answers.
        generation: u32,
        /// Offer or answer.
        kind: SdpKind,
        /// The new description.
        description: Description,
    },
    /// The callee asks for an ICE restart. Only the caller offers one, so that two offers never meet.
    Restart {
        /// The generation that is asked for: one above the last that the callee knows.
        generation: u32,
    },
    /// Microphone, camera and screen on or off.
    MediaState(MediaState),
    /// The most that the sender of this can receive.
    MaxRate {
        /// In bits per second.
        bits_per_second: u32,
    },
    /// The call is over.
    HangUp {
        /// Why.
        reason: HangUpReason,
    },
    /// A kind this version does not know: ignored.
    #[serde(other)]
    Unknown,
}

/// Candidates are counted, not shown: they are the addresses of the person's machine.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offer(offer) => offer.fmt(f),
            Self::Answer(answer) => answer.fmt(f),
            Self::Confirm { nonce } => f.debug_struct("Confirm").field("nonce", nonce).finish(),
            Self::Candidates { generation, candidates, last } => f
                .debug_struct("Candidates")
                .field("generation", generation)
                .field("candidates", &candidates.len())
                .field("last", last)
                .finish(),
            Self::Renegotiate { generation, kind, description } => f
                .debug_struct("Renegotiate")
                .field("generation", generation)
                .field("kind", kind)
                .field("description", description)
                .finish(),
            Self::Restart { generation } => {
                f.debug_struct("Restart").field("generation", generation).finish()
            }
            Self::MediaState(state) => state.fmt(f),
            Self::MaxRate { bits_per_second } => {
                f.debug_struct("MaxRate").field("bits_per_second", bits_per_second).finish()
            }
            Self::HangUp { reason } => f.debug_struct("HangUp").field("reason", reason).finish(),
            Self::Unknown => f.write_str("Unknown"),
        }
    }
}
