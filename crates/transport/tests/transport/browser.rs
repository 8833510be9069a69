//! What a browser offers is answered with what both have.

use carillon_call::{PeerCommand, Role};
use carillon_media::video::VideoCodec;
use carillon_wire::payload::{Description, SdpKind};

use crate::support::{End, config, with_vp8_alone};

/// As Chromium 148 offers it, with a microphone and a camera.
const OFFER: &str = include_str!("chromium-offer.sdp");

fn fingerprint(sdp: &str) -> [u8; 32] {
    let line = sdp.lines().find_map(|line| line.strip_prefix("a=fingerprint:sha-256 ")).unwrap();
    let bytes: Vec<_> = line.split(':').map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_of_chromium_is_answered_with_what_both_have() {
    let mut end = End::open(config(Role::Callee));
    let description = Description { sdp: OFFER.to_owned(), fingerprint: fingerprint(OFFER).into() };
    end.peer.handle(PeerCommand::ApplyRemote { generation: 0, kind: SdpKind::Offer, description });
    let answer = end.described().await.sdp;
    let section = |kind: &str| {
        let section = answer.lines().skip_while(|line| !line.starts_with(kind));
        section.skip(1).take_while(|line| !line.starts_with("m=")).collect::<Vec<_>>()
    };
    // The numbers are those of the offer; of H.264 the one profile and packetization mode that we speak is kept.
    let (audio, video) = (section("m=audio"), section("m=video"));
    for line in ["a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 transport-cc", "a=sendrecv"] {
        assert!(audio.contains(&line), "{line}: {answer}");
    }
    for line in [
        "a=rtpmap:109 H264/90000",
        "a=fmtp:109 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        "a=rtcp-fb:109 transport-cc",
        "a=rtcp-fb:109 ccm fir",
        "a=rtcp-fb:109 nack",
        "a=rtcp-fb:109 nack pli",
        "a=fmtp:114 apt=109",
        "a=extmap:13 urn:3gpp:video-orientation",
        "a=sendrecv",
    ] {
        assert!(video.contains(&line), "{line}: {answer}");
    }
    let vp8 = ["a=rtpmap:96 VP8/90000", "a=fmtp:97 apt=96"].iter().all(|line| video.contains(line));
    assert_eq!(vp8, VideoCodec::AVAILABLE.contains(&VideoCodec::Vp8), "{answer}");
    assert_eq!(video.iter().filter(|line| line.contains("H264")).count(), 1, "{answer}");
    // In our order, so that a browser sends what we would.
    assert!(answer.contains("m=video 9 UDP/TLS/RTP/SAVPF 109 "), "{answer}");
    for section in [&audio, &video] {
        let numbers = "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
        assert!(section.contains(&numbers), "{answer}");
    }
    assert!(answer.contains("a=group:BUNDLE 0 1 2"), "{answer}");
    end.peer.handle(PeerCommand::Close);
    end.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_with_vp8_alone_is_answered_with_it() {
    let offer = with_vp8_alone(OFFER);
    let mut end = End::open(config(Role::Callee));
    let description = Description { fingerprint: fingerprint(&offer).into(), sdp: offer };
    end.peer.handle(PeerCommand::ApplyRemote { generation: 0, kind: SdpKind::Offer, description });
    let answer = end.described().await.sdp;
    assert!(answer.contains("m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n"), "{answer}");
    assert!(!answer.contains("H264"), "{answer}");
    end.peer.handle(PeerCommand::Close);
    end.closed().await;
}
