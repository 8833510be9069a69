//! Peers over WebRTC: `carillon-transport` behind the seam.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;

use carillon_media::video::VideoCodec;
use carillon_transport::{
    AudioReceiver, AudioSender, Event, IceServer, IceServers, Interfaces, PeerConfig, VideoReceiver,
    VideoSender,
};
use carillon_wire::CallId;
use carillon_wire::frame::Media;

use super::{
    AudioPath, OutgoingAudio, OutgoingFrame, PathStats, Peer, PeerCommand, PeerEvents, PeerFactory,
    ReceivedAudio, ReceivedVideo, Role, SenderClock, VideoDemand, VideoIn, VideoOut, VideoPath,
};

/// Peers that carry sound and pictures: the ones a person calls with.
#[derive(Clone)]
pub struct WebRtcPeers {
    /// None: loopback when the server is on this machine, else the real ones.
    interfaces: Option<Interfaces>,
    here: Arc<AtomicBool>,
    relay_only: Arc<AtomicBool>,
    ice_servers: IceServers,
}

impl WebRtcPeers {
    /// Over this machine's real interfaces; over loopback where the server is on this machine, so that two people who
    /// try a call on one computer need no network.
    pub fn new() -> Self {
        Self::over(None, IceServers::unknown())
    }

    /// Over loopback alone: for two clients on one machine.
    pub fn loopback() -> Self {
        Self::over(Some(Interfaces::Loopback), IceServers::default())
    }

    fn over(interfaces: Option<Interfaces>, ice_servers: IceServers) -> Self {
        Self { interfaces, here: Arc::default(), relay_only: Arc::default(), ice_servers }
    }
}

impl Default for WebRtcPeers {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WebRtcPeers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebRtcPeers").field("interfaces", &self.interfaces).finish_non_exhaustive()
    }
}

impl PeerFactory for WebRtcPeers {
    fn create(&self, _: CallId, role: Role, media: Media, events: PeerEvents) -> Box<dyn Peer> {
        let usual = if self.here.load(Ordering::Relaxed) { Interfaces::Loopback } else { Interfaces::All };
        let config = PeerConfig {
            interfaces: self.interfaces.unwrap_or(usual),
            relay_only: self.relay_only.load(Ordering::Relaxed),
            ice_servers: self.ice_servers.clone(),
            ..PeerConfig::new(role, media)
        };
        let peer = carillon_transport::Peer::open(config, move |event| match event {
            Event::Call(event) => events.send(event),
            Event::Closed => {}
        });
        Box::new(WebRtcPeer(Arc::new(peer)))
    }

    fn server_is_here(&self) {
        self.here.store(true, Ordering::Relaxed);
    }

    fn use_ice_servers(&self, servers: Vec<IceServer>) {
        self.ice_servers.set(servers);
    }

    fn hide_address(&self, hide: bool) {
        self.relay_only.store(hide, Ordering::Relaxed);
    }
}

/// The peer connection of one call. The audio thread holds it too, and may let go later: what closes it is this.
struct WebRtcPeer(Arc<carillon_transport::Peer>);

impl Peer for WebRtcPeer {
    fn handle(&mut self, command: PeerCommand) {
        self.0.handle(command);
    }

    fn audio(&mut self) -> Option<Box<dyn AudioPath>> {
        Some(Box::new(WebRtcAudio {
            sender: self.0.audio(),
            receiver: self.0.received(),
            peer: Arc::clone(&self.0),
        }))
    }

    fn video(&mut self) -> Option<VideoPath> {
        Some(VideoPath::of(&self.0))
    }
}

impl VideoPath {
    /// The way of the pictures of a peer connection.
    pub fn of(peer: &Arc<carillon_transport::Peer>) -> Self {
        let incoming = WebRtcVideoIn { receiver: peer.received_video(), peer: Arc::clone(peer) };
        Self { outgoing: Box::new(WebRtcVideoOut(peer.video())), incoming: Box::new(incoming) }
    }
}

struct WebRtcVideoOut(VideoSender);

impl VideoOut for WebRtcVideoOut {
    fn codec(&self) -> Option<VideoCodec> {
        self.0.codec()
    }

    fn demand(&self) -> VideoDemand {
        self.0.demand()
    }

    fn send(&mut self, frame: OutgoingFrame) {
        self.0.send(frame);
    }
}

struct WebRtcVideoIn {
    receiver: VideoReceiver,
    peer: Arc<carillon_transport::Peer>,
}

impl VideoIn for WebRtcVideoIn {
    fn receive(&mut self) -> Option<ReceivedVideo> {
        self.receiver.pop()
    }

    fn wake(&self, reader: Thread) {
        self.receiver.wake(reader);
    }

    fn request_keyframe(&self) {
        self.receiver.request_keyframe();
    }

    fn keyframe_came(&self) {
        self.receiver.keyframe_came();
    }

    fn round_trip(&self) -> Option<Duration> {
        self.peer.round_trip()
    }

    fn sender_clocks(&self) -> (Option<SenderClock>, Option<SenderClock>) {
        self.receiver.sender_clocks()
    }
}

impl Drop for WebRtcPeer {
    fn drop(&mut self) {
        self.0.handle(PeerCommand::Close);
    }
}

struct WebRtcAudio {
    sender: AudioSender,
    receiver: AudioReceiver,
    peer: Arc<carillon_transport::Peer>,
}

impl AudioPath for WebRtcAudio {
    fn send(&mut self, audio: OutgoingAudio) {
        self.sender.send(audio);
    }

    fn receive(&mut self) -> Option<ReceivedAudio> {
        self.receiver.pop()
    }

    fn stats(&self) -> PathStats {
        self.peer.stats()
    }
}
