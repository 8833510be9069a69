//! The seam between the call and its media path.
//!
//! The machine says what a peer connection has to do ([`PeerCommand`]), the peer says what happened ([`Transport`]).
//! Who makes peers is given to the client when it is opened, so a test can put one in whose DTLS shows a wrong
//! certificate, or one that never comes up.

mod detour;
mod webrtc;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::Duration;

pub use carillon_call::{PeerCommand, Role, Transport};
use carillon_media::video::VideoCodec;
pub use carillon_transport::{
    IceServer, MAX_VIDEO_PAYLOAD, OutgoingAudio, OutgoingFrame, ReceivedAudio, ReceivedVideo, SenderClock,
    Stats as PathStats, VideoDemand,
};
use carillon_wire::frame::Media;
use carillon_wire::payload::{Description, SdpKind};
use carillon_wire::{Bytes32, CallId};
pub use detour::{Detour, StandIn};
use rand::Rng as _;
use tokio::sync::mpsc;
pub use webrtc::WebRtcPeers;

/// Makes the peer connection of a call.
pub trait PeerFactory: Send + Sync {
    /// A peer for this call. A caller's makes its offer at once. What happens to it goes to `events`; nothing may block.
    fn create(&self, call: CallId, role: Role, media: Media, events: PeerEvents) -> Box<dyn Peer>;

    /// The server is on this machine, and so, most likely, is the other end. Nothing for peers to whom that means nothing.
    fn server_is_here(&self) {}

    /// The servers that help to find a path, from now on. Nothing for peers that need none.
    fn use_ice_servers(&self, _: Vec<IceServer>) {}

    /// Whether the next peers let no address of this machine out, so that whoever is at the other end sees a relay's.
    /// Nothing for peers without addresses.
    fn hide_address(&self, _: bool) {}
}

/// The peer connection of one call.
pub trait Peer: Send {
    /// Does what the machine asks: everything but [`PeerCommand::Create`]. After [`PeerCommand::Close`] nothing comes.
    /// Must not block.
    fn handle(&mut self, command: PeerCommand);

    /// The way of the call's sound, asked for once, right after the peer was made. None for a peer without media.
    fn audio(&mut self) -> Option<Box<dyn AudioPath>> {
        None
    }

    /// The way of the call's pictures, asked for once, right after the peer was made. None for a peer without any.
    fn video(&mut self) -> Option<VideoPath> {
        None
    }
}

/// The way of one call's pictures.
pub struct VideoPath {
    /// For the thread that encodes.
    pub outgoing: Box<dyn VideoOut>,
    /// For the thread that decodes.
    pub incoming: Box<dyn VideoIn>,
}

/// The way of one call's pictures to the other side. Nothing here may wait.
pub trait VideoOut: Send {
    /// What was agreed to encode with; `None` before, and where the other side takes no pictures.
    fn codec(&self) -> Option<VideoCodec>;

    /// What the encoder is asked for, before each picture. Reading it takes a request for a keyframe.
    fn demand(&self) -> VideoDemand;

    /// Sends one encoded picture. What may not go out yet is dropped.
    fn send(&mut self, frame: OutgoingFrame);
}

/// The way of the other side's pictures. Nothing here may wait.
pub trait VideoIn: Send {
    /// The next packet, in the order of arrival.
    fn receive(&mut self) -> Option<ReceivedVideo>;

    /// The thread to unpark when a packet has come.
    fn wake(&self, reader: Thread);

    /// Asks for a keyframe, until one came.
    fn request_keyframe(&self);

    /// A keyframe came.
    fn keyframe_came(&self);

    /// How long a request and its answer take; `None`: not known yet.
    fn round_trip(&self) -> Option<Duration>;

    /// What the other side says of the time of its sound and of its pictures; none where nobody says.
    fn sender_clocks(&self) -> (Option<SenderClock>, Option<SenderClock>) {
        (None, None)
    }
}

/// The way of one call's sound, held by the audio thread. Nothing here may wait.
pub trait AudioPath: Send {
    /// Sends one encoded piece of speech. What may not go out yet is dropped.
    fn send(&mut self, audio: OutgoingAudio);

    /// The next packet of the other side, in the order of arrival.
    fn receive(&mut self) -> Option<ReceivedAudio>;

    /// How the path is doing.
    fn stats(&self) -> PathStats;
}

/// Where a peer says what happened to it.
#[derive(Debug, Clone)]
pub struct PeerEvents {
    call: CallId,
    sender: mpsc::UnboundedSender<(CallId, Transport)>,
}

impl PeerEvents {
    pub(crate) const fn new(call: CallId, sender: mpsc::UnboundedSender<(CallId, Transport)>) -> Self {
        Self { call, sender }
    }

    /// Tells the machine. When the client is gone this does nothing.
    pub fn send(&self, event: Transport) {
        let _ = self.sender.send((self.call, event));
    }
}

/// Peers without media: **no sound and no picture flows**. For tests of all that comes before the media.
///
/// The "path" is the sealed relay of the signaling itself. Each side describes a session without media sections and
/// with a random fingerprint; once both descriptions are there, each sends an empty list of candidates, sealed. When
/// the other side's arrives, both ends have shown that they hold the keys of the session, and the peer says that the
/// path and DTLS are up, with the fingerprint that the other side described. So a call rings, is accepted, compares its
/// emoji and is hung up as it will be with a real transport, and everything but the media is proved by it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignalingPeers;

impl PeerFactory for SignalingPeers {
    fn create(&self, _: CallId, role: Role, _: Media, events: PeerEvents) -> Box<dyn Peer> {
        Box::new(SignalingPeer::new(role, events))
    }
}

/// One end of a path that is the relay itself; see [`SignalingPeers`].
#[derive(Debug)]
pub struct SignalingPeer {
    events: PeerEvents,
    fingerprint: Bytes32,
    session: u64,
    generation: u32,
    remote: Option<Bytes32>,
    /// The highest generation whose last candidates came.
    candidates: Option<u32>,
    /// The generation that is up.
    up: Option<u32>,
    closed: bool,
}

impl SignalingPeer {
    fn new(role: Role, events: PeerEvents) -> Self {
        let mut rng = rand::rng();
        let mut fingerprint = [0; 32];
        rng.fill_bytes(&mut fingerprint);
        let peer = Self {
            events,
            fingerprint: fingerprint.into(),
            session: rng.next_u64() >> 1,
            generation: 0,
            remote: None,
            candidates: None,
            up: None,
            closed: false,
        };
        match role {
            Role::Caller => peer.describe(),
            Role::Callee => {}
        }
        peer
    }

    /// A session description without media sections (RFC 8866, section 5: v, o, s and t are required).
    fn describe(&self) {
        let sdp = format!(
            "v=0\r\no=- {} {} IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
            self.session,
            u64::from(self.generation) + 1
        );
        let description = Description { sdp, fingerprint: self.fingerprint };
        self.events.send(Transport::LocalDescription { generation: self.generation, description });
    }

    fn advance(&mut self) {
        let (Some(fingerprint), true) = (self.remote, self.candidates >= Some(self.generation)) else {
            return;
        };
        if self.up >= Some(self.generation) {
            return;
        }
        let first = self.up.is_none();
        self.up = Some(self.generation);
        self.events.send(Transport::IceUp);
        if first {
            self.events.send(Transport::DtlsUp { fingerprint });
        }
    }
}

impl Peer for SignalingPeer {
    fn handle(&mut self, command: PeerCommand) {
        if self.closed {
            return;
        }
        match command {
            PeerCommand::ApplyRemote { generation, kind, description } => {
                self.generation = generation;
                self.remote = Some(description.fingerprint);
                match kind {
                    SdpKind::Offer => self.describe(),
                    SdpKind::Answer => {}
                }
                self.events.send(Transport::LocalCandidates {
                    generation,
                    candidates: Vec::new(),
                    last: true,
                });
                self.advance();
            }
            PeerCommand::AddCandidates { generation, last, .. } => {
                if last {
                    self.candidates = self.candidates.max(Some(generation));
                }
                self.advance();
            }
            PeerCommand::RestartIce { generation } => {
                self.generation = generation;
                self.describe();
            }
            PeerCommand::Close => self.closed = true,
            // There is no data channel and no media to limit; payloads take the relay.
            PeerCommand::Create { .. } | PeerCommand::SendData(_) | PeerCommand::LimitRate { .. } => {}
        }
    }
}

/// Peers that a test drives by hand: it reads what the machine asked for and says what happens.
///
/// Descriptions are made as by [`SignalingPeers`], so that calls are set up; what follows is the test's business.
#[derive(Debug, Clone, Default)]
pub struct ManualPeers {
    made: Arc<Mutex<Vec<PeerEvents>>>,
}

impl ManualPeers {
    /// Where to say what happens to the peer of this call, once it has been made.
    pub fn events(&self, call: CallId) -> Option<PeerEvents> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().rev().find(|events| events.call == call).cloned()
    }
}

impl PeerFactory for ManualPeers {
    fn create(&self, _: CallId, role: Role, _: Media, events: PeerEvents) -> Box<dyn Peer> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(events.clone());
        Box::new(ManualPeer(SignalingPeer::new(role, events)))
    }
}

/// Describes itself, and never comes up by itself.
struct ManualPeer(SignalingPeer);

impl Peer for ManualPeer {
    fn handle(&mut self, command: PeerCommand) {
        match command {
            PeerCommand::AddCandidates { .. } => {}
            PeerCommand::Create { .. }
            | PeerCommand::ApplyRemote { .. }
            | PeerCommand::RestartIce { .. }
            | PeerCommand::SendData(_)
            | PeerCommand::LimitRate { .. }
            | PeerCommand::Close => self.0.handle(command),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: CallId = CallId::new([1; 16]);

    struct End {
        peer: Box<dyn Peer>,
        events: mpsc::UnboundedReceiver<(CallId, Transport)>,
    }

    fn end(role: Role) -> End {
        let (sender, events) = mpsc::unbounded_channel();
        let peer = SignalingPeers.create(CALL, role, Media::Audio, PeerEvents::new(CALL, sender));
        End { peer, events }
    }

    impl End {
        fn next(&mut self) -> Option<Transport> {
            self.events.try_recv().ok().map(|(_, event)| event)
        }

        fn description(&mut self) -> Description {
            match self.next() {
                Some(Transport::LocalDescription { description, .. }) => description,
                other => panic!("{other:?}"),
            }
        }

        fn remote(&mut self, kind: SdpKind, description: Description) {
            self.peer.handle(PeerCommand::ApplyRemote { generation: 0, kind, description });
        }

        fn candidates(&mut self) {
            self.peer.handle(PeerCommand::AddCandidates {
                generation: 0,
                candidates: Vec::new(),
                last: true,
            });
        }
    }

    #[test]
    fn both_ends_come_up_only_after_the_other_ends_candidates() {
        let (mut caller, mut callee) = (end(Role::Caller), end(Role::Callee));
        let offer = caller.description();
        assert_eq!(callee.next(), None);
        callee.remote(SdpKind::Offer, offer.clone());
        let answer = callee.description();
        caller.remote(SdpKind::Answer, answer.clone());
        let last = Transport::LocalCandidates { generation: 0, candidates: Vec::new(), last: true };
        assert_eq!((caller.next(), caller.next()), (Some(last.clone()), None));
        assert_eq!((callee.next(), callee.next()), (Some(last), None));

        caller.candidates();
        callee.candidates();
        assert_eq!(caller.next(), Some(Transport::IceUp));
        assert_eq!(caller.next(), Some(Transport::DtlsUp { fingerprint: answer.fingerprint }));
        assert_eq!(callee.next(), Some(Transport::IceUp));
        assert_eq!(callee.next(), Some(Transport::DtlsUp { fingerprint: offer.fingerprint }));
    }

    #[test]
    fn what_comes_twice_or_after_the_end_changes_nothing() {
        let mut callee = end(Role::Callee);
        let offer = end(Role::Caller).description();
        callee.remote(SdpKind::Offer, offer);
        callee.candidates();
        while callee.next().is_some() {}
        callee.candidates();
        assert_eq!(callee.next(), None);
        callee.peer.handle(PeerCommand::Close);
        callee.peer.handle(PeerCommand::RestartIce { generation: 1 });
        assert_eq!(callee.next(), None);
    }

    #[test]
    fn the_description_is_a_session_description_without_media() {
        let sdp = end(Role::Caller).description().sdp;
        let lines: Vec<_> = sdp.split_terminator("\r\n").map(|line| line.split_at(2).0).collect();
        assert_eq!(lines, ["v=", "o=", "s=", "t="]);
    }
}
