//! The handle to a connection, and the task behind it.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use carillon_call::{PeerCommand, Transport};
use tokio::sync::mpsc;

use crate::audio::{AudioReceiver, AudioSender};
use crate::config::PeerConfig;
use crate::counters::Counters;
use crate::outgoing::Outgoing;
use crate::stats::{Path, Stats};
use crate::task::{self, Task};
use crate::video::{VideoReceiver, VideoSender};

/// What a connection tells.
#[derive(Debug)]
pub enum Event {
    /// For the call machine.
    Call(Transport),
    /// The connection is gone, with its sockets and tasks. Nothing comes after it.
    Closed,
}

/// Where events go.
pub(crate) type Events = Arc<dyn Fn(Event) + Send + Sync>;

/// What handle and task share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) counters: Arc<Counters>,
    pub(crate) received: AudioReceiver,
    pub(crate) video: VideoReceiver,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    path: Option<Path>,
    srtp: Option<String>,
}

impl Shared {
    pub(crate) fn set_path(&self, path: Option<Path>) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).path = path;
    }

    pub(crate) fn set_srtp(&self, srtp: Option<String>) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).srtp = srtp;
    }
}

/// The peer connection of one call.
///
/// Nothing here waits: commands are done in order by a task of the tokio runtime in which it was opened. The connection
/// is closed by [`PeerCommand::Close`] or by dropping this, and then always ends with [`Event::Closed`].
pub struct Peer {
    commands: mpsc::UnboundedSender<PeerCommand>,
    audio: AudioSender,
    video: VideoSender,
    shared: Arc<Shared>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Peer")
    }
}

impl Peer {
    /// Opens a connection, and as the caller makes the first offer. Returns at once; `events` is called from a task and
    /// must not block.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open(config: PeerConfig, events: impl Fn(Event) + Send + Sync + 'static) -> Self {
        let counters = Arc::new(Counters::new(Instant::now()));
        let received = AudioReceiver::new();
        let found = Mutex::default();
        let video = VideoReceiver::new(Arc::clone(&counters));
        let shared = Arc::new(Shared { counters: Arc::clone(&counters), received, video, found });
        let (commands, receiver) = mpsc::unbounded_channel();
        let (audio, outgoing_audio) = AudioSender::new(Arc::clone(&counters));
        let (video, outgoing_video) = VideoSender::new(counters);
        let outgoing = Outgoing { audio: outgoing_audio, video: outgoing_video };
        let task = Task::new(config, Arc::clone(&shared), Arc::new(events));
        tokio::spawn(task::run(task, receiver, outgoing));
        Self { commands, audio, video, shared }
    }

    /// Does what the machine asks. [`PeerCommand::Create`] is what [`Peer::open`] has done. After
    /// [`PeerCommand::Close`] nothing is done, and no media leaves or arrives from this moment on.
    pub fn handle(&self, command: PeerCommand) {
        if command == PeerCommand::Close {
            self.shared.counters.admitted.store(false, Ordering::Release);
        }
        let _ = self.commands.send(command);
    }

    /// Takes audio for the other side.
    pub fn audio(&self) -> AudioSender {
        self.audio.clone()
    }

    /// Gives the other side's audio.
    pub fn received(&self) -> AudioReceiver {
        self.shared.received.clone()
    }

    /// Takes pictures for the other side.
    pub fn video(&self) -> VideoSender {
        self.video.clone()
    }

    /// Gives the other side's pictures.
    pub fn received_video(&self) -> VideoReceiver {
        self.shared.video.clone()
    }

    /// The round trip, smoothed; see [`Stats::round_trip`].
    pub fn round_trip(&self) -> Option<Duration> {
        self.shared.counters.rtt()
    }

    /// How things stand.
    pub fn stats(&self) -> Stats {
        let mut stats = self.shared.counters.snapshot(Instant::now());
        let found = self.shared.found.lock().unwrap_or_else(PoisonError::into_inner);
        stats.path = found.path;
        stats.srtp.clone_from(&found.srtp);
        stats
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.handle(PeerCommand::Close);
    }
}
