//! What is offered: codecs, feedback, and the settings of ICE, DTLS and SRTP.

use std::sync::Arc;
use std::time::Duration;

use carillon_media::video::VideoCodec;
use rtc::crypto::RTCCryptoProvider;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::configuration::setting_engine::SctpMaxMessageSize;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RTCRtpRtxParameters, RtpCodecKind,
};
use rtc::shared::error::Error;
use webrtc::peer_connection::{
    RTCConfiguration, RTCConfigurationBuilder, RTCIceServer, RTCIceTransportPolicy, SettingEngine,
    SettingEngineBuilder, SrtpProtectionProfile,
};

use crate::config::{Interfaces, PeerConfig};
use crate::message::MAX_MESSAGE_BYTES;

/// Transport-wide congestion control (draft-holmer-rmcat-transport-wide-cc-extensions-01).
pub(crate) const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// RFC 8843, section 15.
const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// The turn of a picture: 3GPP TS 26.114, section 7.4.5.
pub(crate) const ORIENTATION: &str = "urn:3gpp:video-orientation";

/// Opus as the call sends it: RFC 7587, section 6.1.
const OPUS: (&str, &str) = ("audio/opus", "minptime=10;useinbandfec=1;usedtx=1");

/// Checks of a pair before it counts as failed. The stack's seven, at 20 ms each, would give every path up whose round
/// trip is longer than 140 ms; the guard thins them out.
const CHECKS: u16 = 3_000;

/// SRTP packets that may come out of order. A burst of video after a stall is longer than the usual 64.
const REPLAY_WINDOW: usize = 512;

/// The two codecs of RFC 7742 with their payload types; H.264 constrained baseline comes first.
const VIDEO: [(VideoCodec, &str, &str, u8, u8); 2] = [
    (
        VideoCodec::H264,
        "video/H264",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        102,
        103,
    ),
    (VideoCodec::Vp8, "video/VP8", "", 96, 97),
];

/// Codecs and header extensions. Audio is repaired by retransmission too: at a short round trip it costs nothing where
/// nothing is lost, and requests tell the sender how losses are spread.
///
/// # Errors
/// None that depends on anything but this code.
pub(crate) fn media() -> Result<MediaEngine, Error> {
    let mut engine = MediaEngine::default();
    for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
        for codec in codecs(kind) {
            engine.register_codec(codec, kind)?;
        }
    }
    for (uri, kind) in [
        (MID, RtpCodecKind::Audio),
        (MID, RtpCodecKind::Video),
        (TRANSPORT_CC, RtpCodecKind::Audio),
        (TRANSPORT_CC, RtpCodecKind::Video),
        (ORIENTATION, RtpCodecKind::Video),
    ] {
        let extension = RTCRtpHeaderExtensionCapability { uri: uri.to_owned() };
        engine.register_header_extension(extension, kind, None)?;
    }
    Ok(engine)
}

/// What is offered, in the order of preference: what this program can write and read.
pub(crate) fn codecs(kind: RtpCodecKind) -> Vec<RTCRtpCodecParameters> {
    let (opus, parameters) = OPUS;
    match kind {
        RtpCodecKind::Audio => vec![
            codec(opus, 48_000, 2, parameters, &[("transport-cc", ""), ("nack", "")], 111),
            codec("audio/rtx", 48_000, 2, "apt=111", &[], 112),
        ],
        RtpCodecKind::Video => VIDEO
            .iter()
            .filter(|(codec, ..)| VideoCodec::AVAILABLE.contains(codec))
            .flat_map(|&(_, mime, parameters, payload_type, repair)| {
                let feedback = [("transport-cc", ""), ("ccm", "fir"), ("nack", ""), ("nack", "pli")];
                let apt = format!("apt={payload_type}");
                [
                    codec(mime, 90_000, 0, parameters, &feedback, payload_type),
                    codec("video/rtx", 90_000, 0, &apt, &[], repair),
                ]
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn codec(
    mime: &str,
    clock_rate: u32,
    channels: u16,
    parameters: &str,
    feedback: &[(&str, &str)],
    payload_type: u8,
) -> RTCRtpCodecParameters {
    let rtcp_feedback = feedback
        .iter()
        .map(|&(typ, parameter)| RTCPFeedback { typ: typ.to_owned(), parameter: parameter.to_owned() })
        .collect();
    let rtp_codec = RTCRtpCodec {
        mime_type: mime.to_owned(),
        clock_rate,
        channels,
        sdp_fmtp_line: parameters.to_owned(),
        rtcp_feedback,
    };
    RTCRtpCodecParameters { rtp_codec, payload_type }
}

/// A track of ours with its source and that of its repair, once for each codec, in the order of preference. The stack
/// takes one whose codec the other side has.
pub(crate) fn tracks(kind: RtpCodecKind, source: u32, repair: u32) -> Vec<MediaStreamTrack> {
    let (name, encodings): (_, Vec<_>) = match kind {
        RtpCodecKind::Video => {
            let available = VIDEO.iter().filter(|(codec, ..)| VideoCodec::AVAILABLE.contains(codec));
            let encodings = available.map(|&(_, mime, parameters, ..)| (mime, 90_000, 0, parameters));
            ("video", encodings.collect())
        }
        _ => ("audio", vec![(OPUS.0, 48_000, 2, OPUS.1)]),
    };
    let of_codec = |(mime, clock_rate, channels, parameters)| {
        let coding = RTCRtpCodingParameters {
            ssrc: Some(source),
            rtx: Some(RTCRtpRtxParameters { ssrc: repair }),
            ..Default::default()
        };
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: coding,
            codec: codec(mime, clock_rate, channels, parameters, &[], 0).rtp_codec,
            ..Default::default()
        };
        MediaStreamTrack::new("call".to_owned(), name.to_owned(), name.to_owned(), kind, vec![encoding])
    };
    encodings.into_iter().map(of_codec).collect()
}

/// Settings of the transports.
pub(crate) fn settings(config: &PeerConfig, crypto: Arc<dyn RTCCryptoProvider>) -> SettingEngine {
    let timings = config.timings;
    // The agent's own verdict comes after ours: it counts connectivity checks alone, we count whatever comes.
    let disconnected = timings.down * 2;
    let now = Some(Duration::ZERO);
    SettingEngineBuilder::new()
        .with_crypto_provider(crypto)
        .with_include_loopback_candidate(config.interfaces != Interfaces::All)
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_ice_timeouts(Some(disconnected), Some(timings.failed), Some(timings.consent))
        .with_ice_connection_attempts(Some(timings.check), Some(CHECKS))
        .with_host_acceptance_min_wait(now)
        .with_srflx_acceptance_min_wait(now)
        .with_prflx_acceptance_min_wait(now)
        .with_relay_acceptance_min_wait(now)
        // An ICE restart binds new sockets, on the addresses that the machine has by then.
        .with_discard_local_candidates_during_ice_restart(true)
        .with_srtp_protection_profiles(vec![
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        ])
        .with_srtp_replay_protection_window(REPLAY_WINDOW)
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(
            u32::try_from(MAX_MESSAGE_BYTES.next_power_of_two()).unwrap_or(u32::MAX),
        ))
        .build()
}

/// Servers and policy. What the stack can't use is left out, for it would refuse the whole of them: TURN over TCP or
/// TLS, TURN without a credential. A relay is a STUN server as well (RFC 8656, section 4), and tells the address that it
/// sees; the stack does not ask it for that by itself.
pub(crate) fn configuration(config: &PeerConfig) -> RTCConfiguration {
    let servers = config.ice_servers.current();
    let servers = servers.iter().filter_map(|server| {
        let has_credential = !server.username.is_empty() && !server.credential.is_empty();
        let usable = |url: &&String| {
            let udp = !url.contains("transport=tcp");
            url.starts_with("stun:") || url.starts_with("turn:") && udp && has_credential
        };
        let mut urls: Vec<_> = server.urls.iter().filter(usable).cloned().collect();
        let seen_by_relay = urls.iter().filter_map(|url| {
            let address = url.strip_prefix("turn:")?;
            Some(format!("stun:{}", address.split_once('?').map_or(address, |(address, _)| address)))
        });
        let more: Vec<_> = seen_by_relay.filter(|url| !urls.contains(url)).collect();
        urls.extend(more);
        (!urls.is_empty()).then(|| RTCIceServer {
            urls,
            username: server.username.clone(),
            credential: server.credential.clone(),
        })
    });
    let policy = if config.relay_only { RTCIceTransportPolicy::Relay } else { RTCIceTransportPolicy::All };
    RTCConfigurationBuilder::new()
        .with_ice_servers(servers.collect())
        .with_ice_transport_policy(policy)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{IceServer, PeerConfig};
    use carillon_call::Role;
    use carillon_wire::frame::Media;

    fn urls(given: &[&str], credential: &str) -> Vec<String> {
        let server = IceServer {
            urls: given.iter().map(|&url| url.to_owned()).collect(),
            username: credential.to_owned(),
            credential: credential.to_owned(),
        };
        let config =
            PeerConfig { ice_servers: vec![server].into(), ..PeerConfig::new(Role::Caller, Media::Audio) };
        configuration(&config).ice_servers().iter().flat_map(|server| server.urls.clone()).collect()
    }

    #[test]
    fn servers_that_the_stack_would_stumble_over_are_left_out() {
        let given =
            ["turns:a.example:5349", "turn:b.example?transport=tcp", "turn:c.example:3478", "http://d"];
        assert_eq!(urls(&given, "x"), ["turn:c.example:3478", "stun:c.example:3478"]);
        assert_eq!(urls(&given, ""), [""; 0]);
        assert_eq!(urls(&["stun:e.example"], ""), ["stun:e.example"]);
    }

    #[test]
    fn a_relay_is_asked_for_our_address_once() {
        let given = ["turn:c.example:3478?transport=udp", "stun:c.example:3478"];
        assert_eq!(urls(&given, "x"), given);
    }
}
