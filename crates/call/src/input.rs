//! What goes into a call, by source.
//!
//! | source | type | says |
//! |---|---|---|
//! | the person | [`User`] | dial, accept, decline, hang up, microphone and camera |
//! | the server and, opened, the other device | [`Signal`] | rings, replies, payloads |
//! | the peer connection | [`Transport`] | descriptions, candidates, path, DTLS, data |
//! | this machine's network | [`Network`] | signaling up or down, another address |

use carillon_wire::frame::{DeclineScope, EndReason, Media, RefusedReason, TakenKind};
use carillon_wire::payload::{Description, Payload};
use carillon_wire::{AccountId, Bytes32, Code, DeviceId, Millis};

use crate::view::MediaOn;

/// Anything that can happen to one call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// The person did something.
    User(User),
    /// Something came by signaling.
    Signal(Signal),
    /// The peer connection says something.
    Transport(Transport),
    /// This machine's network changed. [`Calls`](crate::Calls) hands it to every call.
    Network(Network),
}

/// What the person does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum User {
    /// Calls an account, under the call id that the input is for.
    Dial {
        /// Whom.
        callee: AccountId,
        /// With what. Decides whether the own camera is on at first.
        media: Media,
        /// Nonce a, drawn at random for this call. It leaves in `confirm`, after the callee has answered.
        nonce: Bytes32,
        /// The hash that commits to it; goes out in the Offer.
        commitment: Bytes32,
    },
    /// Takes an incoming call. If this device is in another one, that one is hung up first.
    Accept {
        /// With the own camera on.
        video: bool,
    },
    /// Does not take an incoming call. A second caller's banner declines as *busy*.
    Decline {
        /// For this device, or for all of the account's.
        scope: DeclineScope,
    },
    /// Ends the call, whatever its state. An incoming one that was not accepted is declined for all devices.
    HangUp,
    /// Switches own media on and off.
    SetMedia(MediaOn),
    /// Whether the own camera gives no pictures though they are wanted: it was pulled out, or somebody else has it. The
    /// other side sees *camera off* meanwhile; that they are wanted stays as it is.
    CameraFails(bool),
    /// Stops the ringtone on this device; the call can still be accepted.
    Silence,
}

/// What comes by signaling: replies, events and opened payloads. Boxes, signatures and hashes are checked by the
/// client before; the machine sees what they held.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Reply to `create`: it rings.
    Created {
        /// For how long.
        expires_in: Millis,
    },
    /// Reply to `create`: sealed for the wrong devices. The machine asks for another
    /// [`Command::Create`](crate::Command::Create), for which the client fetches the device keys again.
    StaleDevices,
    /// Reply to `create`: it does not ring.
    Refused {
        /// Why.
        reason: RefusedReason,
    },
    /// An `error` reply to `create`, `ringing` or `accept`, or a fault on the way to sending one of them (an unknown
    /// account, a certificate that does not fit). `error` replies to other requests change nothing.
    Failed {
        /// The code.
        code: Code,
    },
    /// Somebody calls: the event `ring`, with the Offer opened and everything in it checked.
    Ring(Ring),
    /// A device of the callee rings.
    Ringing {
        /// Which.
        device: DeviceId,
    },
    /// A device of the callee accepted, and its Answer could be opened.
    Accepted {
        /// Which.
        device: DeviceId,
        /// Its description.
        description: Description,
        /// Its camera is on.
        video: bool,
    },
    /// A device of the callee accepted, and its Answer could not be opened, or its certificate does not fit.
    BadAnswer,
    /// Reply to `accept`: this device has the call.
    AcceptConfirmed,
    /// Reply to `accept`, or event: this device does not have the call.
    Taken {
        /// Who has it.
        kind: TakenKind,
    },
    /// A `relay` that could be opened. One that can't be is dropped by the client.
    Payload {
        /// The sender.
        from_device: DeviceId,
        /// What it held. `confirm` needs [`Signal::ConfirmChecked`] as well.
        payload: Payload,
    },
    /// The caller revealed its nonce, and the client compared it with the commitment in the Offer.
    ConfirmChecked {
        /// The sender.
        from_device: DeviceId,
        /// It is the one that was committed to.
        valid: bool,
    },
    /// The server says that the call is over.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

/// An incoming call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ring {
    /// The calling account, as its credentials in the Offer say.
    pub account: AccountId,
    /// The calling device, as its certificate in the Offer says.
    pub device: DeviceId,
    /// With what.
    pub media: Media,
    /// The caller's description.
    pub description: Description,
    /// How long it has been ringing.
    pub age: Millis,
    /// How long it goes on ringing.
    pub expires_in: Millis,
    /// Nonce b, drawn at random for this ring; leaves in the Answer if this device accepts.
    pub nonce: Bytes32,
    /// The caller may ring only people whose address book knows them, and this one's does not: answer on the wire
    /// like a device that rings, show nothing.
    pub silent: bool,
}

/// What the peer connection says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Transport {
    /// The local description is ready: the offer after [`Create`](crate::PeerCommand::Create) as the caller or after
    /// [`RestartIce`](crate::PeerCommand::RestartIce), the answer after
    /// [`ApplyRemote`](crate::PeerCommand::ApplyRemote) of an offer. It comes before candidates of its generation.
    LocalDescription {
        /// The ICE generation it is for.
        generation: u32,
        /// The description.
        description: Description,
    },
    /// Local candidates were found. They may come at any time: the machine holds them back until the callee has
    /// accepted.
    LocalCandidates {
        /// The ICE generation they are for.
        generation: u32,
        /// `candidate:` lines (RFC 8839).
        candidates: Vec<String>,
        /// No more will come for this generation.
        last: bool,
    },
    /// A path is up: at first, after [`Transport::IceDown`], and after each restart that succeeded.
    IceUp,
    /// Nothing comes through any longer, consent is about to expire (RFC 7675), or the path is otherwise in doubt.
    IceDown,
    /// ICE has given up on this generation.
    IceFailed,
    /// DTLS is up.
    DtlsUp {
        /// SHA-256 of the certificate that the other side showed.
        fingerprint: Bytes32,
    },
    /// The data channel is open.
    DataOpen,
    /// A payload came over the data channel.
    Data(Payload),
    /// What this side can receive; goes to the other one.
    MaxRate {
        /// In bits per second.
        bits_per_second: u32,
    },
    /// The peer connection is broken beyond repair.
    Failed,
}

/// What happens to this machine's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// Signed in to the server (`welcome`).
    Online,
    /// The connection to the server is lost. Commands wait in the client until it is back.
    Offline,
    /// The addresses of this machine changed: another Wi-Fi, a VPN, a cable.
    AddressChanged,
    /// `welcome` said that messages were lost: what was asked last is asked again, and the reply tells the truth.
    Lost,
}
