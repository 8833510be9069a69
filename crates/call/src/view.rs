//! What a person sees of a call.

use std::time::Instant;

use carillon_wire::frame::Media;
use carillon_wire::{AccountId, CallId, Code, DeviceId};

/// Who placed a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// This device.
    Outgoing,
    /// The other side.
    Incoming,
}

/// What one side sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MediaOn {
    /// The microphone is on.
    pub audio: bool,
    /// The camera is on.
    pub video: bool,
    /// The screen is shared.
    pub screen: bool,
}

impl MediaOn {
    /// What a call starts with: the microphone, and the camera if `video`.
    pub const fn start(video: bool) -> Self {
        Self { audio: true, video, screen: false }
    }

    /// What a call that was placed with `media` starts with.
    pub const fn of(media: Media) -> Self {
        match media {
            Media::Audio => Self::start(false),
            Media::Video => Self::start(true),
        }
    }
}

/// Everything that a screen needs to show one call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallView {
    /// Which call.
    pub call: CallId,
    /// The other account. Its name is known by the client.
    pub account: AccountId,
    /// The other device: the caller's, or the one that accepted.
    pub device: Option<DeviceId>,
    /// Who called.
    pub direction: Direction,
    /// What the call was placed with.
    pub media: Media,
    /// Where it stands.
    pub phase: Phase,
    /// What this side sends, or will once connected.
    pub local: MediaOn,
    /// The own camera gives no pictures; the other side sees *camera off*, whatever `local` says.
    pub camera_fails: bool,
    /// What the other side sends: `video: false` is *camera off*. `None` until it is known.
    pub remote: Option<MediaOn>,
    /// Since when the two talk.
    pub connected_since: Option<Instant>,
    /// The safety emoji can be shown: both nonces are known and checked.
    pub safety_ready: bool,
    /// There is a connection to the server. A call that is up does not need it.
    pub online: bool,
}

/// Where a call stands, for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Outgoing, not yet heard of by anybody at the other end.
    Calling,
    /// Outgoing, and a device of the callee rings.
    Ringing,
    /// Incoming.
    Incoming {
        /// A second caller, shown as a banner while another call is on: accepting means *hang up and accept*.
        waiting: bool,
    },
    /// Accepted, here or at the other end, and not up yet.
    Connecting,
    /// Up.
    Connected,
    /// It was up; a path is looked for again.
    Reconnecting,
    /// Over.
    Ended(Why),
}

/// Which side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// This one.
    Here,
    /// The other.
    There,
}

/// Why a call is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The callee declined.
    Declined,
    /// Every device of the callee that could ring is in another call.
    Busy,
    /// The caller gave up before anybody answered.
    Cancelled,
    /// Nobody answered in time.
    NoAnswer,
    /// The callee can't be rung.
    Unavailable,
    /// The caller's line dropped while it rang and did not come back.
    CallerLost,
    /// Another device of this account answered.
    AnsweredElsewhere,
    /// Another device of this account declined for all.
    DeclinedElsewhere,
    /// The call was over before this device acted.
    Over,
    /// Somebody hung up.
    HungUp(Side),
    /// The server did not answer.
    NoServer,
    /// The server, or something before it, said no.
    Failed(Code),
    /// The sound and video machinery of this device failed.
    Transport,
    /// A certificate, fingerprint or confirmation did not fit: somebody may be in between.
    Security,
    /// No media path came up.
    NoRoute,
    /// The media path was lost and did not come back.
    Lost,
    /// A new call between the same two took the place of this one.
    Replaced,
    /// Both called each other, and the other call goes on.
    Glare,
    /// This device is in another call: the dialled one was not placed.
    InCall,
}
