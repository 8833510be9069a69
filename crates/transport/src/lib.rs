//! The media path of a call: a WebRTC peer connection driven by the call machine.
//!
//! [`Peer`] does what [`carillon_call::PeerCommand`] says and tells what [`carillon_call::Transport`] names; audio goes
//! in through [`AudioSender`] and comes out of [`AudioReceiver`], both for a thread that must never wait. Beneath is
//! `webrtc` 0.21 with its own driver, which gets from us: sockets that know whom to listen to (`guard`), a chain of
//! interceptors (`chain`), descriptions and candidates that were looked at before ([`sdp`], [`candidate`]), and
//! cryptography that notes whose certificate was shown (`witness`).
//!
//! What counts is the sealed fingerprint: media passes, in either direction, only after DTLS showed that certificate.

mod audio;
mod bucket;
pub mod candidate;
mod chain;
mod config;
mod connection;
mod counters;
mod drops;
mod engine;
mod flight;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
mod guard;
mod interfaces;
pub mod message;
mod outgoing;
mod pacer;
mod peer;
mod rate;
pub mod sdp;
mod sockets;
mod stats;
mod task;
mod video;
mod witness;

pub use audio::{AudioReceiver, AudioSender, MAX_AUDIO_PAYLOAD, OutgoingAudio, ReceivedAudio};
pub use chain::clock::SenderClock;
pub use config::{IceServer, IceServers, Interfaces, PeerConfig, Timings};
pub use drops::{DropCounts, Dropped, REASONS};
pub use interfaces::local_addresses;
pub use peer::{Event, Peer};
pub use stats::{Path, ReceivedStats, RemoteStats, SentStats, Stats, VideoStats};
pub use video::{MAX_VIDEO_PAYLOAD, OutgoingFrame, ReceivedVideo, VideoDemand, VideoReceiver, VideoSender};
