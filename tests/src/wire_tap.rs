//! Real peers, with a look at what their sound is made of.

use std::sync::{Arc, Mutex, PoisonError};

use carillon_client::peer::{
    AudioPath, OutgoingAudio, PathStats, Peer, PeerCommand, PeerEvents, PeerFactory, ReceivedAudio, Role,
    Transport, VideoPath,
};
use carillon_transport::{AudioReceiver, AudioSender, Event, Interfaces, PeerConfig};
use carillon_wire::frame::Media;
use carillon_wire::{Bytes32, CallId};

/// What one end handed to its path and got from it.
#[derive(Debug, Clone, Default)]
pub struct Tap(Arc<Mutex<Tapped>>);

/// See [`Tap`].
#[derive(Debug, Clone, Default)]
pub struct Tapped {
    /// Pieces of speech that were handed over to be sent.
    pub sent: u64,
    /// Bytes of speech in them.
    pub sent_bytes: u64,
    /// The sequence number of each packet that was delivered, in the order of delivery.
    pub delivered: Vec<u16>,
    /// How the path was at the last look.
    pub stats: PathStats,
}

impl Tap {
    /// What it has seen so far.
    pub fn look(&self) -> Tapped {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tapped> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Real peers over loopback, with a tap.
#[derive(Debug)]
pub struct TappedPeers {
    tap: Tap,
    forged: Option<Bytes32>,
}

impl TappedPeers {
    /// The peers of one end.
    pub const fn new(tap: Tap) -> Self {
        Self { tap, forged: None }
    }

    /// What this end seals names this fingerprint, and not that of the certificate which its DTLS will show.
    #[must_use]
    pub fn forged(mut self, fingerprint: Bytes32) -> Self {
        self.forged = Some(fingerprint);
        self
    }
}

impl PeerFactory for TappedPeers {
    fn create(&self, _: CallId, role: Role, media: Media, events: PeerEvents) -> Box<dyn Peer> {
        let config = PeerConfig { interfaces: Interfaces::Loopback, ..PeerConfig::new(role, media) };
        let forged = self.forged;
        let peer = carillon_transport::Peer::open(config, move |event| match event {
            Event::Call(Transport::LocalDescription { generation, mut description }) => {
                description.fingerprint = forged.unwrap_or(description.fingerprint);
                events.send(Transport::LocalDescription { generation, description });
            }
            Event::Call(event) => events.send(event),
            Event::Closed => {}
        });
        Box::new(TappedPeer { peer: Arc::new(peer), tap: self.tap.clone() })
    }
}

struct TappedPeer {
    peer: Arc<carillon_transport::Peer>,
    tap: Tap,
}

impl Peer for TappedPeer {
    fn handle(&mut self, command: PeerCommand) {
        self.peer.handle(command);
    }

    fn audio(&mut self) -> Option<Box<dyn AudioPath>> {
        Some(Box::new(TappedPath {
            sender: self.peer.audio(),
            receiver: self.peer.received(),
            peer: Arc::clone(&self.peer),
            tap: self.tap.clone(),
        }))
    }

    fn video(&mut self) -> Option<VideoPath> {
        Some(VideoPath::of(&self.peer))
    }
}

impl Drop for TappedPeer {
    fn drop(&mut self) {
        self.peer.handle(PeerCommand::Close);
    }
}

struct TappedPath {
    sender: AudioSender,
    receiver: AudioReceiver,
    peer: Arc<carillon_transport::Peer>,
    tap: Tap,
}

impl AudioPath for TappedPath {
    fn send(&mut self, audio: OutgoingAudio) {
        {
            let mut tapped = self.tap.lock();
            tapped.sent += 1;
            tapped.sent_bytes += audio.payload.len() as u64;
        }
        self.sender.send(audio);
    }

    fn receive(&mut self) -> Option<ReceivedAudio> {
        let audio = self.receiver.pop()?;
        self.tap.lock().delivered.push(audio.sequence);
        Some(audio)
    }

    fn stats(&self) -> PathStats {
        let stats = self.peer.stats();
        self.tap.lock().stats = stats.clone();
        stats
    }
}
