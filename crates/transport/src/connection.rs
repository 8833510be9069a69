//! The peer connection of the WebRTC stack, with everything of ours around it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::BytesMut;
use carillon_call::Role;
use carillon_media::video::VideoCodec;
use carillon_wire::Bytes32;
use carillon_wire::payload::{Description, SdpKind};
use rtc::crypto::RTCCryptoProvider as _;
use rtc::data_channel::RTCDataChannelInit;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::shared::error::Error;
use tokio::sync::mpsc;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit,
    RTCIceCandidateType, RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionIceEvent,
    RTCPeerConnectionState, RTCSessionDescription, RTCStatsReportEntry, StatsSelector,
};
use webrtc::rtp_transceiver::RtpSender;

use crate::candidate::{Candidate, Kind};
use crate::config::PeerConfig;
use crate::counters::Counters;
use crate::engine::ORIENTATION;
use crate::guard::Guard;
use crate::interfaces::BindTo;
use crate::outgoing::{Outgoing, Stream};
use crate::peer::Shared;
use crate::sockets::{Sockets, Tasks};
use crate::stats::Path;
use crate::witness::{Seen, Witness};
use crate::{chain, engine, outgoing, sdp};

/// The one data channel, agreed beforehand (RFC 8831, section 6.4), so that opening it takes no message.
const CHANNEL: u16 = 0;

/// How long the stack may take to close before its tasks are ended.
const CLOSING: Duration = Duration::from_secs(2);

/// What went wrong beneath.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// The WebRTC stack refused.
    #[error("the WebRTC stack refused: {0}")]
    Stack(#[from] Error),
    /// A description is not one.
    #[error(transparent)]
    Sdp(#[from] sdp::SdpError),
    /// The descriptions come in an order that does not fit.
    #[error("the descriptions come in an order that does not fit")]
    Order,
    /// A path was up, and DTLS did not get through.
    #[error("DTLS did not get through")]
    Handshake,
}

/// What the stack says. Its callbacks run on the task that serves the sockets, so they only send this.
#[derive(Debug)]
pub(crate) enum FromStack {
    Candidate { generation: u32, line: String },
    Gathered { generation: u32 },
    Ice(RTCIceConnectionState),
    Connection(RTCPeerConnectionState),
    DataOpen,
    Data(BytesMut),
}

struct Callbacks {
    sender: mpsc::UnboundedSender<FromStack>,
    generation: Arc<AtomicU32>,
}

impl Callbacks {
    fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }
}

#[async_trait]
impl PeerConnectionEventHandler for Callbacks {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Ok(candidate) = event.candidate.to_json() {
            let generation = self.generation();
            let _ = self.sender.send(FromStack::Candidate { generation, line: candidate.candidate });
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.sender.send(FromStack::Gathered { generation: self.generation() });
        }
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        let _ = self.sender.send(FromStack::Ice(state));
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let _ = self.sender.send(FromStack::Connection(state));
    }
}

/// See the module. Ends its tasks, and with them its sockets, when it is dropped.
pub(crate) struct Connection {
    stack: Arc<dyn PeerConnection>,
    data: Arc<dyn DataChannel>,
    audio: Local,
    /// Negotiated from the start, so that the camera needs no new offer.
    video: Local,
    witness: Arc<Witness>,
    guard: Arc<Guard>,
    counters: Arc<Counters>,
    generation: Arc<AtomicU32>,
    tasks: Arc<Tasks>,
    config: PeerConfig,
}

/// What this side sends of one kind.
struct Local {
    kind: RtpCodecKind,
    source: u32,
    repair: u32,
    /// The caller's is there from the start, the callee's once it knows the offer; none where the other side has no codec
    /// of ours.
    way: Option<Way>,
}

#[derive(Clone)]
struct Way {
    track: Arc<TrackLocalStaticRTP>,
    sender: Arc<dyn RtpSender>,
}

impl Local {
    const fn new(kind: RtpCodecKind, source: u32, repair: u32) -> Self {
        Self { kind, source, repair, way: None }
    }

    /// Adds it to the stack, which refuses a track of a codec that is not in the offer. What is sent
    /// is chosen later, among all that both have.
    async fn add(&mut self, stack: &Arc<dyn PeerConnection>) -> Result<(), Error> {
        for track in engine::tracks(self.kind, self.source, self.repair) {
            let track = Arc::new(TrackLocalStaticRTP::new(track));
            match stack.add_track(Arc::clone(&track) as _).await {
                Ok(sender) => {
                    self.way = Some(Way { track, sender });
                    break;
                }
                Err(Error::ErrRTPTransceiverCodecUnsupported) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Where the answer leaves out the codec that the track was offered with, it becomes a track of one that the answer
    /// has: the stack tells the chain of no other, and there would be neither feedback nor repair. It takes over what
    /// the new track says of itself; packets still go in by the one that it was opened with.
    async fn follow(&self, answer: &str) -> Result<(), Error> {
        let Some(way) = &self.way else { return Ok(()) };
        let named = |track: &MediaStreamTrack| {
            track.codec(self.source).is_some_and(|codec| sdp::names_codec(answer, &codec.mime_type))
        };
        let tracks = engine::tracks(self.kind, self.source, self.repair);
        // The first is what was offered.
        match tracks.into_iter().enumerate().find(|(_, track)| named(track)) {
            None | Some((0, _)) => Ok(()),
            Some((_, track)) => way.sender.replace_track(Arc::new(TrackLocalStaticRTP::new(track))).await,
        }
    }
}

impl Connection {
    /// # Errors
    /// When the stack refuses, for example because no socket could be bound.
    pub(crate) async fn open(
        config: &PeerConfig,
        shared: &Shared,
    ) -> Result<(Self, mpsc::UnboundedReceiver<FromStack>, Seen), ConnectionError> {
        let counters = &shared.counters;
        let (witness, seen) = Witness::new().map_err(|error| Error::Crypto(error.to_string()))?;
        let [audio_source, audio_repair, video_source, video_repair] = sources(&witness)?;
        counters.repair.source.store(audio_source, Ordering::Relaxed);
        counters.repair.repair.store(audio_repair, Ordering::Relaxed);
        let guard = Arc::new(Guard::new(Arc::clone(counters), config.timings.check, config.relay_only));
        let tasks = Arc::new(Tasks::default());
        let generation = Arc::new(AtomicU32::new(0));
        let (sender, from_stack) = mpsc::unbounded_channel();
        let callbacks = Callbacks { sender: sender.clone(), generation: Arc::clone(&generation) };
        let stack = PeerConnectionBuilder::new()
            .with_configuration(engine::configuration(config))
            .with_media_engine(engine::media()?)
            .with_setting_engine(engine::settings(config, Arc::clone(&witness) as _))
            .with_interceptor_registry(chain::build(counters, &shared.received, &shared.video))
            .with_runtime(Arc::new(Sockets::new(Arc::clone(&guard), Arc::clone(&tasks))))
            .with_handler(Arc::new(callbacks))
            .with_udp_addrs(vec![BindTo(config.interfaces)])
            .build()
            .await?;
        let stack: Arc<dyn PeerConnection> = Arc::new(stack);
        let mut audio = Local::new(RtpCodecKind::Audio, audio_source, audio_repair);
        let mut video = Local::new(RtpCodecKind::Video, video_source, video_repair);
        let init = RTCDataChannelInit { negotiated: Some(CHANNEL), ..Default::default() };
        if config.role == Role::Caller {
            audio.add(&stack).await?;
            video.add(&stack).await?;
            offer_all_codecs(&stack).await?;
        }
        let data = stack.create_data_channel("control", Some(init)).await?;
        tasks.keep(tokio::spawn(read_data(Arc::clone(&data), sender)).abort_handle());
        let connection = Self {
            stack,
            data,
            audio,
            video,
            witness,
            guard,
            counters: Arc::clone(counters),
            generation,
            tasks,
            config: config.clone(),
        };
        Ok((connection, from_stack, seen))
    }

    /// Makes the offer that starts a generation, in place of one that is still open.
    pub(crate) async fn offer(&self, generation: u32) -> Result<Description, ConnectionError> {
        self.generation.store(generation, Ordering::Release);
        if generation > 0 {
            self.begin_again().await?;
            self.stack.restart_ice().await?;
        }
        let offer = self.stack.create_offer(None).await?;
        let description = sdp::describe(&offer.sdp, (self.audio.source, self.audio.repair))?;
        self.stack.set_local_description(offer).await?;
        Ok(description)
    }

    /// A further generation. The credentials of the relays may be others by now.
    async fn begin_again(&self) -> Result<(), ConnectionError> {
        self.guard.restarted();
        Ok(self.stack.set_configuration(engine::configuration(&self.config)).await?)
    }

    /// Applies the other side's description; answers an offer.
    pub(crate) async fn apply(
        &mut self,
        generation: u32,
        kind: SdpKind,
        description: &Description,
    ) -> Result<Option<Description>, ConnectionError> {
        let accepted = sdp::accept(description)?;
        let sources: HashSet<_> = sdp::sources(&accepted).collect();
        *self.counters.declared() = sources;
        let repair = sdp::repair_of_opus(&accepted).unwrap_or(0);
        self.counters.repair.payload_type.store(repair, Ordering::Release);
        match kind {
            SdpKind::Answer => {
                self.video.follow(&accepted).await?;
                self.stack.set_remote_description(RTCSessionDescription::answer(accepted)?).await?;
                Ok(None)
            }
            SdpKind::Offer => {
                self.generation.store(generation, Ordering::Release);
                if generation > 0 {
                    self.begin_again().await?;
                }
                self.stack.set_remote_description(RTCSessionDescription::offer(accepted)?).await?;
                if self.audio.way.is_none() {
                    self.audio.add(&self.stack).await?;
                    self.video.add(&self.stack).await?;
                }
                let answer = self.stack.create_answer(None).await?;
                let description = sdp::describe(&answer.sdp, (self.audio.source, self.audio.repair))?;
                self.stack.set_local_description(answer).await?;
                Ok(Some(description))
            }
        }
    }

    pub(crate) async fn add_candidate(&self, candidate: &Candidate) -> Result<(), ConnectionError> {
        let candidate = RTCIceCandidateInit {
            candidate: candidate.line(),
            sdp_mid: Some("0".to_owned()),
            sdp_mline_index: Some(0),
            ..Default::default()
        };
        Ok(self.stack.add_ice_candidate(candidate).await?)
    }

    /// SHA-256 of the certificate that DTLS has let through; `None` before.
    pub(crate) async fn fingerprint(&self) -> Option<Bytes32> {
        let certificates = self.stack.sctp().await?.transport().get_remote_certificates().await.ok()?;
        self.witness.fingerprint(certificates.first()?)
    }

    /// The name of the SRTP profile that DTLS chose.
    pub(crate) async fn srtp_profile(&self) -> Option<String> {
        let report = self.stack.get_stats(Instant::now(), StatsSelector::None).await;
        report.iter().find_map(|entry| match entry {
            RTCStatsReportEntry::Transport(transport) => Some(transport.srtp_cipher.clone()),
            _ => None,
        })
    }

    pub(crate) async fn path(&self) -> Option<Path> {
        let ice = self.stack.sctp().await?.transport().ice_transport();
        let pair = ice.get_selected_candidate_pair().await.ok()??;
        let (local, remote) = (pair.local().typ, pair.remote().typ);
        Some(Path { local: kind(local), remote: kind(remote) })
    }

    /// Starts the tasks that send sound and pictures. They have nothing else to do: no candidate and no description delays
    /// them.
    pub(crate) async fn send(&self, outgoing: Outgoing) -> Result<(), ConnectionError> {
        let Outgoing { audio, video } = outgoing;
        let way = self.audio.way.clone().ok_or(ConnectionError::Order)?;
        let parameters = way.sender.get_parameters().await?.rtp_parameters;
        let codec = parameters
            .codecs
            .iter()
            .find(|codec| codec.rtp_codec.mime_type.eq_ignore_ascii_case("audio/opus"));
        let payload_type = codec.ok_or(ConnectionError::Order)?.payload_type;
        let stream = self.stream(way.track, self.audio.source, payload_type)?;
        let counters = Arc::clone(&self.counters);
        self.tasks.keep(tokio::spawn(outgoing::audio(stream, audio, counters)).abort_handle());

        // A browser may refuse pictures; then there is nowhere to send them.
        let Some(Way { track, sender }) = self.video.way.clone() else { return Ok(()) };
        let parameters = sender.get_parameters().await?.rtp_parameters;
        let agreed = parameters.codecs.iter().filter_map(|codec| {
            let codec_of = |mime: &str| match mime {
                "video/h264" => Some(VideoCodec::H264),
                "video/vp8" => Some(VideoCodec::Vp8),
                _ => None,
            };
            Some((codec_of(&codec.rtp_codec.mime_type.to_ascii_lowercase())?, codec.payload_type))
        });
        // A browser that calls lists VP8 first; whichever both have may be sent, and H.264 is the better one.
        let agreed = agreed.min_by_key(|(codec, _)| *codec != VideoCodec::H264);
        let Some((codec, payload_type)) = agreed else { return Ok(()) };
        self.counters.video.agreed(codec);
        let orientation = parameters.header_extensions.iter().find(|extension| extension.uri == ORIENTATION);
        let orientation = orientation.and_then(|extension| u8::try_from(extension.id).ok());
        let stream = self.stream(Arc::clone(&track), self.video.source, payload_type)?;
        let counters = Arc::clone(&self.counters);
        let sends = outgoing::video(stream, orientation, video, counters);
        self.tasks.keep(tokio::spawn(sends).abort_handle());
        let asks = outgoing::keyframes(track, self.video.source, Arc::clone(&self.counters));
        self.tasks.keep(tokio::spawn(asks).abort_handle());
        Ok(())
    }

    fn stream(
        &self,
        track: Arc<TrackLocalStaticRTP>,
        source: u32,
        payload_type: u8,
    ) -> Result<Stream, ConnectionError> {
        let mut random = [0; 6];
        self.witness.random().fill(&mut random).map_err(|error| Error::Crypto(error.to_string()))?;
        Ok(Stream::new(track, source, payload_type, random))
    }

    pub(crate) async fn send_data(&self, message: &str) -> Result<(), ConnectionError> {
        Ok(self.data.try_send_text(message).await?)
    }

    /// Waits until what was handed to the data channel has been acknowledged, at most this long.
    pub(crate) async fn linger(&self, limit: Duration) {
        let acknowledged = async {
            while self.data.outstanding_bytes().await.is_ok_and(|bytes| bytes > 0) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = tokio::time::timeout(limit, acknowledged).await;
    }

    /// Tells the other side, frees relays, and is gone when this returns.
    pub(crate) async fn close(self) {
        let _ = tokio::time::timeout(CLOSING, self.stack.close()).await;
        self.tasks.abort();
    }
}

impl Drop for Connection {
    /// The stack's own drop leaves its task running, with the sockets.
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

/// A track would have its own codec offered and no other.
async fn offer_all_codecs(stack: &Arc<dyn PeerConnection>) -> Result<(), Error> {
    for transceiver in stack.get_transceivers().await {
        let kind = match transceiver.sender().await? {
            Some(sender) => sender.track().kind().await,
            None => continue,
        };
        transceiver.set_codec_preferences(engine::codecs(kind)).await?;
    }
    Ok(())
}

/// Four sources, drawn at random (RFC 3550, section 8.1).
fn sources(witness: &Witness) -> Result<[u32; 4], Error> {
    let mut sources = [0; 4];
    for source in &mut sources {
        let mut bytes = [0; 4];
        witness.random().fill(&mut bytes).map_err(|error| Error::Crypto(error.to_string()))?;
        *source = u32::from_be_bytes(bytes);
    }
    Ok(sources)
}

async fn read_data(data: Arc<dyn DataChannel>, sender: mpsc::UnboundedSender<FromStack>) {
    while let Some(event) = data.poll().await {
        let said = match event {
            DataChannelEvent::OnOpen => FromStack::DataOpen,
            DataChannelEvent::OnMessage(message) => FromStack::Data(message.data),
            DataChannelEvent::OnClose => break,
            _ => continue,
        };
        if sender.send(said).is_err() {
            break;
        }
    }
}

const fn kind(typ: RTCIceCandidateType) -> Kind {
    match typ {
        RTCIceCandidateType::Srflx => Kind::ServerReflexive,
        RTCIceCandidateType::Prflx => Kind::PeerReflexive,
        RTCIceCandidateType::Relay => Kind::Relay,
        // The stack's enum may grow.
        _ => Kind::Host,
    }
}
