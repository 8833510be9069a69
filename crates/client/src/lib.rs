//! The calling client without a window: the one API under the command line and the app.
//!
//! [`Client`] joins the call machine (`carillon-call`), the keys (`carillon-e2e`), the server (REST and socket) and this
//! machine's disk. What a shell shows it gets as plain data: [`State`] for everything at once, [`ClientEvent`] for what
//! happens. Errors are a stable [`ErrorCode`] and a sentence.
//!
//! What is checked where:
//! - outgoing: the devices' certificates, ids and numbers, and the handle against its pin, **before** anything is sealed;
//! - incoming: everything in the sealed Offer before anything is shown (`actor/frames.rs`);
//! - in a call: the DTLS fingerprint and the confirmation of the emoji, by the machine.
//!
//! Sound flows through one thread (`sound`), over peers that are given to it ([`peer`]). Pictures come with a later step.

#![forbid(unsafe_code)]

mod actor;
mod address;
mod backoff;
mod client;
mod clock;
mod convert;
mod dto;
mod error;
mod http;
mod identity;
mod lips;
pub mod peer;
mod profile;
mod quality;
mod secrets;
mod socket;
mod sound;
mod store;
mod tls;
mod trust;
mod video;

pub use address::ServerAddress;
pub use carillon_devices::{CHIRP_EVERY, camera, chirp};
pub use carillon_media::picture;
pub use client::{
    Client, ClientConfig, EndState, Events, NewAccount, RecoveryPhrase, SoundDeviceInfo, SoundState, Whom,
};
pub use clock::Calendar;
pub use dto::{
    Account, CallEnd, CallState, ClientEvent, Connection, Direction, Emoji, MediaOn, Outcome, Party, Phase,
    PinState, RecentCall, State, Tone, Trust, Why,
};
pub use error::{ClientError, ErrorCode, LocalCode};
pub use quality::{Quality, Reason, Word};
pub use sound::{
    EchoControl, SoundChange, SoundDirection, SoundNews, SoundSettings, SoundSetup, SoundSource, SoundTest,
};
pub use video::{Screen, ShownPicture, VideoSetup};
