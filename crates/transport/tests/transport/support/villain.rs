//! The other end of a call, in bad hands: it has the keys, and sends whatever RTP and RTCP a test thinks of.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use carillon_call::{PeerCommand, Transport};
use carillon_transport::{Event, OutgoingAudio, sdp};
use carillon_wire::payload::SdpKind;
use rtc::interceptor::{AttributedPacket, Interceptor, Packet, Registry, Slot, StreamInfo, TaggedPacket};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use rtc::sansio::Protocol;
use rtc::shared::TransportContext;
use rtc::shared::error::Error;
use tokio::sync::mpsc;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit,
    RTCPeerConnectionIceEvent, RTCPeerConnectionState, RTCSessionDescription, SettingEngineBuilder,
};

use super::{End, LIMIT, eventually};

/// What its description declares.
pub(crate) const SOURCE: u32 = 0x5EED;

/// See the module.
pub(crate) struct Villain {
    stack: Arc<dyn PeerConnection>,
    forged: Arc<Mutex<VecDeque<Packet>>>,
}

enum Said {
    Candidate(String),
    Connected,
}

struct Callbacks(mpsc::UnboundedSender<Said>);

#[async_trait]
impl PeerConnectionEventHandler for Callbacks {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Ok(candidate) = event.candidate.to_json() {
            let _ = self.0.send(Said::Candidate(candidate.candidate));
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Connected {
            let _ = self.0.send(Said::Connected);
        }
    }
}

/// Next to the network, so nobody changes what it puts in.
struct Forger {
    forged: Arc<Mutex<VecDeque<Packet>>>,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
    next: Option<Instant>,
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Forger {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.inbound.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.outbound.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.next = Some(now + Duration::from_millis(5));
        for packet in self.forged.lock().unwrap().drain(..) {
            let message = AttributedPacket::new(packet);
            self.outbound.push_back(TaggedPacket { now, transport: TransportContext::default(), message });
        }
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        Some(self.next.unwrap_or_else(Instant::now))
    }
}

impl Interceptor for Forger {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

impl Villain {
    /// Answers the call of this end, and is connected with it.
    pub(crate) async fn answer(victim: &mut End) -> Self {
        let (sender, mut said) = mpsc::unbounded_channel();
        let forged = Arc::new(Mutex::new(VecDeque::new()));
        let forger = Forger {
            forged: Arc::clone(&forged),
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
            next: None,
        };
        let mut media = MediaEngine::default();
        media.register_default_codecs().unwrap();
        let settings = SettingEngineBuilder::new().with_include_loopback_candidate(true).build();
        let stack = PeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_setting_engine(settings)
            .with_interceptor_registry(Registry::new().with(Slot::from(100), forger))
            .with_handler(Arc::new(Callbacks(sender)))
            .with_udp_addrs(vec!["127.0.0.1:0"])
            .build()
            .await
            .unwrap();
        let stack: Arc<dyn PeerConnection> = Arc::new(stack);
        let offer = sdp::accept(&victim.described().await).unwrap();
        stack.set_remote_description(RTCSessionDescription::offer(offer).unwrap()).await.unwrap();
        stack.add_track(Arc::new(TrackLocalStaticRTP::new(track()))).await.unwrap();
        let answer = stack.create_answer(None).await.unwrap();
        let description = sdp::describe(&answer.sdp, (SOURCE, 0)).unwrap();
        stack.set_local_description(answer).await.unwrap();
        let generation = 0;
        victim.peer.handle(PeerCommand::ApplyRemote { generation, kind: SdpKind::Answer, description });
        let connecting = async {
            let (mut here, mut there) = (false, false);
            while !(here && there) {
                tokio::select! {
                    event = victim.events.recv() => match event {
                        Some(Event::Call(Transport::LocalCandidates { candidates, .. })) => {
                            for candidate in candidates {
                                let init = RTCIceCandidateInit { candidate, ..Default::default() };
                                stack.add_ice_candidate(init).await.unwrap();
                            }
                        }
                        Some(Event::Call(Transport::DtlsUp { .. })) => there = true,
                        _ => {}
                    },
                    said = said.recv() => match said {
                        Some(Said::Candidate(line)) => {
                            let candidates = vec![line];
                            victim.peer.handle(PeerCommand::AddCandidates { generation, candidates, last: false });
                        }
                        Some(Said::Connected) => here = true,
                        None => panic!("it ended"),
                    },
                }
            }
        };
        tokio::time::timeout(LIMIT, connecting).await.expect("connected within the limit");
        // The victim says whose certificate it saw a moment before it lets media pass.
        let audio = victim.peer.audio();
        eventually("media may pass", || {
            audio.send(OutgoingAudio {
                timestamp: 0,
                captured: Instant::now(),
                marker: true,
                payload: vec![1; 20].into(),
            });
            victim.peer.stats().sent.packets > 0
        })
        .await;
        Self { stack, forged }
    }

    /// Sends these, as they are.
    pub(crate) fn send(&self, packets: impl IntoIterator<Item = Packet>) {
        self.forged.lock().unwrap().extend(packets);
    }

    pub(crate) async fn close(self) {
        let _ = self.stack.close().await;
    }
}

fn track() -> MediaStreamTrack {
    let coding = RTCRtpCodingParameters { ssrc: Some(SOURCE), ..Default::default() };
    let codec = RTCRtpCodec {
        mime_type: "audio/opus".to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: Vec::new(),
    };
    let encoding = RTCRtpEncodingParameters { rtp_coding_parameters: coding, codec, ..Default::default() };
    let (stream, id) = ("villain".to_owned(), "audio".to_owned());
    MediaStreamTrack::new(stream, id.clone(), id, RtpCodecKind::Audio, vec![encoding])
}
