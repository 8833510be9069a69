//! One end of a call by `carillon_transport` alone, without a client: it films the scene and speaks a tone, and notes
//! what it sees and hears of the other end, whoever that is.

use std::f32::consts::TAU;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use carillon_call::{PeerCommand, Role, Transport};
use carillon_devices::camera::{Camera, CameraChoice, FrameSlot, Wanted};
use carillon_media::opus::{Decoder, Encoder, EncoderSettings, MAX_PACKET_BYTES};
use carillon_media::picture::bar_code::{self, Mark};
use carillon_media::video::assembly::{FrameAssembly, VideoPacket};
use carillon_media::video::packets::Packetiser;
use carillon_media::video::{self, Content, VideoCodec, VideoDecoder, VideoEncoder};
use carillon_media::{FRAME_SAMPLES, SAMPLE_RATE, SpeechDecoder as _};
use carillon_transport::{
    AudioReceiver, AudioSender, Event, Interfaces, MAX_VIDEO_PAYLOAD, OutgoingAudio, OutgoingFrame, Peer,
    PeerConfig, Stats, VideoReceiver, VideoSender,
};
use carillon_wire::frame::Media;
use carillon_wire::payload::{Description, SdpKind};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

/// What its camera gives.
pub const FILMED: Wanted = Wanted { width: 640, height: 360, frame_rate: 30 };
/// How long a thread waits for pictures before it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(20);
/// Of the tone, in Hz: the packets of 20 ms hold whole waves.
const TONE: f32 = 400.0;
/// Mean square of a packet that is loud: −40 dBFS.
const LOUD: f32 = 1e-4;

/// What was seen and heard of the other end. Totals.
#[derive(Debug, Clone, Default)]
pub struct Noticed {
    /// How the pictures are written down.
    pub codec: Option<VideoCodec>,
    /// Pictures decoded.
    pub pictures: u64,
    /// Of the last one, in pixels.
    pub size: (u32, u32),
    /// Bar codes of the pictures that have one which can be read, in order.
    pub marks: Vec<Mark>,
    /// Frames that could not be decoded.
    pub undecodable: u64,
    /// Packets of sound that could be decoded.
    pub packets: u64,
    /// Of these, the loud ones.
    pub loud: u64,
    /// Of these, packets that are none of Opus.
    pub no_sound: u64,
}

#[derive(Debug)]
struct Shared {
    noticed: Mutex<Noticed>,
    stop: AtomicBool,
    start: Instant,
}

impl Shared {
    fn noticed(&self) -> MutexGuard<'_, Noticed> {
        self.noticed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Acquire)
    }
}

/// See the module.
#[derive(Debug)]
pub struct BareEnd {
    peer: Peer,
    events: mpsc::UnboundedReceiver<Event>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    voice: tokio::task::JoinHandle<Result<()>>,
    _camera: Camera,
}

impl BareEnd {
    /// Opens it, over loopback. The caller makes its offer at once.
    ///
    /// # Errors
    /// When there is no memory or no thread for it.
    pub fn open(role: Role) -> Result<Self> {
        let (sender, events) = mpsc::unbounded_channel();
        let config = PeerConfig { interfaces: Interfaces::Loopback, ..PeerConfig::new(role, Media::Video) };
        let peer = Peer::open(config, move |event| {
            let _ = sender.send(event);
        });
        let shared = Arc::new(Shared {
            noticed: Mutex::default(),
            stop: AtomicBool::new(false),
            start: Instant::now(),
        });
        let slot = FrameSlot::new();
        let camera = Camera::open(&CameraChoice::Pattern, FILMED, slot.clone())?;
        let (films, watches) = (Arc::clone(&shared), Arc::clone(&shared));
        let (out, pictures) = (peer.video(), peer.received_video());
        let threads = vec![
            thread::Builder::new().name("film".to_owned()).spawn(move || film(&films, &slot, &out))?,
            thread::Builder::new().name("watch".to_owned()).spawn(move || watch(&watches, &pictures))?,
        ];
        let voice = tokio::spawn(talk(Arc::clone(&shared), peer.audio(), peer.received()));
        Ok(Self { peer, events, shared, threads, voice, _camera: camera })
    }

    /// What it says next.
    ///
    /// # Errors
    /// When it has come to its end.
    pub async fn next(&mut self) -> Result<Transport> {
        match self.events.recv().await {
            Some(Event::Call(Transport::Failed)) => bail!("our end has failed"),
            Some(Event::Call(said)) => Ok(said),
            Some(Event::Closed) | None => bail!("our end has closed"),
        }
    }

    /// Waits for its description, and gives it as SDP with the fingerprint in it, which travels beside it otherwise.
    /// What it says before is lost.
    ///
    /// # Errors
    /// When it has come to its end.
    pub async fn described(&mut self) -> Result<String> {
        loop {
            if let Transport::LocalDescription { description, .. } = self.next().await? {
                return Ok(with_fingerprint(&description));
            }
        }
    }

    /// The other end's description. The certificate that is in it is the one that has to be shown.
    ///
    /// # Errors
    /// When it names none.
    pub fn apply(&self, kind: SdpKind, sdp: &str) -> Result<Description> {
        let description = Description { sdp: sdp.to_owned(), fingerprint: fingerprint(sdp)?.into() };
        self.peer.handle(PeerCommand::ApplyRemote { generation: 0, kind, description: description.clone() });
        Ok(description)
    }

    /// A candidate of the other end.
    pub fn candidate(&self, line: String) {
        let candidates = vec![line];
        self.peer.handle(PeerCommand::AddCandidates { generation: 0, candidates, last: false });
    }

    /// Says something over the data channel.
    pub fn say(&self, payload: carillon_wire::payload::Payload) {
        self.peer.handle(PeerCommand::SendData(payload));
    }

    /// How its path is.
    pub fn stats(&self) -> Stats {
        self.peer.stats()
    }

    /// What it has seen and heard.
    pub fn noticed(&self) -> Noticed {
        self.shared.noticed().clone()
    }
}

impl Drop for BareEnd {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.voice.abort();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// The SHA-256 of the certificate that a description names.
fn fingerprint(sdp: &str) -> Result<[u8; 32]> {
    let line = sdp.lines().find_map(|line| line.trim().strip_prefix("a=fingerprint:sha-256 "));
    let pairs = line.context("no fingerprint by SHA-256")?.split(':');
    let bytes = pairs.map(|pair| u8::from_str_radix(pair, 16)).collect::<Result<Vec<_>, _>>()?;
    bytes.try_into().ok().context("a fingerprint of another length")
}

/// A description as browsers exchange them. Between our ends the fingerprint is sealed beside it.
fn with_fingerprint(description: &Description) -> String {
    let pairs: Vec<_> = description.fingerprint.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    let line = format!("a=fingerprint:sha-256 {}\r\nm=", pairs.join(":"));
    description.sdp.replacen("m=", &line, 1)
}

/// From the camera to the path, once a codec is agreed.
fn film(shared: &Shared, slot: &FrameSlot, path: &VideoSender) {
    let mut encoder: Option<VideoEncoder> = None;
    let mut packetiser = Packetiser::new();
    while shared.goes_on() {
        let (Some(frame), Some(codec)) = (slot.take(LOOK), path.codec()) else { continue };
        let demand = path.demand();
        let settings = video::EncoderSettings {
            width: FILMED.width,
            height: FILMED.height,
            frame_rate: FILMED.frame_rate,
            bitrate: demand.bitrate,
            content: Content::Camera,
        };
        if encoder.as_ref().is_none_or(|encoder| encoder.codec() != codec) {
            encoder = VideoEncoder::new(codec, settings).ok();
        }
        let Some(encoder) = &mut encoder else { continue };
        if encoder.set(settings).is_err() {
            continue;
        }
        if demand.keyframe {
            encoder.request_keyframe();
        }
        let taken = frame.captured.saturating_duration_since(shared.start);
        let Ok(Some(encoded)) = encoder.encode(&frame.picture, taken) else { continue };
        path.send(OutgoingFrame {
            // Modulo 2³².
            timestamp: (taken.as_micros() * 9 / 100) as u32,
            captured: frame.captured,
            keyframe: encoded.keyframe,
            layer: encoded.layer,
            rotation: frame.rotation,
            payloads: packetiser.packetise(&encoded, MAX_VIDEO_PAYLOAD),
        });
    }
}

/// From the path to what is noticed.
fn watch(shared: &Shared, path: &VideoReceiver) {
    path.wake(thread::current());
    let (mut assembly, mut decoder) = (FrameAssembly::new(), None);
    while shared.goes_on() {
        while let Some(packet) = path.pop() {
            assembly.insert(VideoPacket {
                codec: packet.codec,
                sequence: packet.sequence,
                timestamp: packet.timestamp,
                marker: packet.marker,
                payload: packet.payload,
                arrival: packet.arrival.saturating_duration_since(shared.start),
            });
        }
        while let Some(frame) = assembly.pop(shared.start.elapsed()) {
            if frame.frame.keyframe {
                path.keyframe_came();
            }
            if !see(shared, &mut decoder, frame.frame.codec, &frame.frame.data) {
                assembly.await_keyframe();
                path.request_keyframe();
            }
        }
        if assembly.needs_keyframe(shared.start.elapsed()) {
            path.request_keyframe();
        }
        thread::park_timeout(LOOK);
    }
}

/// Decodes a frame; whether that went well.
fn see(shared: &Shared, decoder: &mut Option<VideoDecoder>, codec: VideoCodec, frame: &[u8]) -> bool {
    if decoder.as_ref().is_none_or(|decoder| decoder.codec() != codec) {
        *decoder = VideoDecoder::new(codec).ok();
    }
    let decoded = decoder.as_mut().map(|decoder| decoder.decode(frame));
    let mut noticed = shared.noticed();
    noticed.codec = Some(codec);
    match decoded {
        Some(Ok(Some(picture))) => {
            noticed.pictures += 1;
            noticed.size = (picture.width(), picture.height());
            noticed.marks.extend(bar_code::read(picture));
        }
        Some(Ok(None)) => {}
        Some(Err(_)) | None => {
            noticed.undecodable += 1;
            return false;
        }
    }
    true
}

/// Speaks a tone, and listens.
async fn talk(shared: Arc<Shared>, path: AudioSender, received: AudioReceiver) -> Result<()> {
    let settings = EncoderSettings { dtx: false, ..EncoderSettings::default() };
    let (mut encoder, mut decoder) = (Encoder::new(settings)?, Decoder::new()?);
    let frame = std::array::from_fn(|n| 0.3 * (TAU * TONE * n as f32 / SAMPLE_RATE as f32).sin());
    let (mut packet, mut timestamp) = ([0; MAX_PACKET_BYTES], 0_u32);
    let mut pace = interval(Duration::from_millis(10));
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        pace.tick().await;
        if let Some(encoded) = encoder.encode(&frame, &mut packet)? {
            let payload = packet.iter().take(encoded.bytes).copied().collect();
            path.send(OutgoingAudio { timestamp, captured: Instant::now(), marker: timestamp == 0, payload });
            timestamp = timestamp.wrapping_add(2 * FRAME_SAMPLES as u32);
        }
        while let Some(heard) = received.pop() {
            let samples = decoder.samples(&heard.payload).map(|samples| vec![0.0; samples]);
            let sound = samples.and_then(|mut out| decoder.decode(&heard.payload, &mut out).map(|()| out));
            let mut noticed = shared.noticed();
            match sound {
                Ok(sound) => {
                    let energy = sound.iter().map(|sample| sample * sample).sum::<f32>();
                    noticed.packets += 1;
                    noticed.loud += u64::from(energy > LOUD * sound.len() as f32);
                }
                Err(_) => noticed.no_sound += 1,
            }
        }
    }
}
