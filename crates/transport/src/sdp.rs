//! Session descriptions, before the WebRTC stack reads them and before they leave.
//!
//! The cheap checks here bound what the stack's parser has to look at. Three kinds of line never pass, in either
//! direction: `a=fingerprint`, because the certificate that counts is the one the sealed description names beside the
//! SDP; and `a=candidate` with `a=end-of-candidates`, because candidates travel by themselves, only after accept, and
//! each is looked at.

use carillon_wire::Bytes32;
use carillon_wire::payload::Description;

/// Longest description, in bytes.
pub const MAX_SDP_BYTES: usize = 16 * 1024;

/// Most lines.
pub const MAX_SDP_LINES: usize = 500;

/// Most media sections: audio, video and data, and a few that a later version may add.
pub const MAX_SDP_SECTIONS: usize = 8;

/// Longest line, in bytes.
const MAX_LINE_BYTES: usize = 1024;

/// Why a description is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// More bytes or lines than [`MAX_SDP_BYTES`] and [`MAX_SDP_LINES`], or more sections than
    /// [`MAX_SDP_SECTIONS`].
    #[error("the description is too long")]
    TooLong,
    /// Not a session description.
    #[error("not a session description")]
    Malformed,
    /// It names no certificate, or not one by SHA-256.
    #[error("the description names no certificate by SHA-256")]
    NoFingerprint,
}

/// A description of the other side, ready for the WebRTC stack: checked, without candidates, and with the sealed
/// fingerprint as the only one.
///
/// Where `a=x-carillon-repair` names the source that repairs the audio, it is declared as the stack reads it, as a group.
///
/// # Errors
/// Why it is not used.
pub fn accept(description: &Description) -> Result<String, SdpError> {
    let lines = check(&description.sdp)?;
    let fingerprint = format!("a=fingerprint:sha-256 {}", colon_hex(&description.fingerprint));
    let mut out = String::with_capacity(description.sdp.len() + fingerprint.len() + 4);
    let mut placed = false;
    let repair = lines.iter().find_map(|line| repair_of(line));
    for line in lines.into_iter().filter(|line| passes(line)) {
        // Session-level attributes stand before the first media section (RFC 8866, section 5).
        if line.starts_with("m=") && !placed {
            push(&mut out, &fingerprint);
            placed = true;
        }
        let declared = repair.and_then(|(source, repair)| {
            let cname = line.strip_prefix(format!("a=ssrc:{source} cname:").as_str())?;
            Some((format!("a=ssrc-group:FID {source} {repair}"), format!("a=ssrc:{repair} cname:{cname}")))
        });
        match declared {
            Some((group, repair)) => {
                [&group, line, &repair].into_iter().for_each(|line| push(&mut out, line))
            }
            None => push(&mut out, line),
        }
    }
    if placed { Ok(out) } else { Err(SdpError::Malformed) }
}

/// The attribute by which our ends tell each other the source of the audio and that of its repair. The one that is made
/// for this (`FID`: RFC 5576, section 4.2) would have Chromium refuse the whole description: it knows no repair of
/// audio, and takes one source of it. What nobody knows it leaves alone (RFC 8866, section 5.13).
const REPAIR: &str = "a=x-carillon-repair:";

/// An own description, as the WebRTC stack made it, ready to be sealed. `audio` is the source of our audio and that of
/// its repair, which the stack declares for video alone. Of the codecs for pictures, H.264 comes first: who is called
/// answers in the order of the offer, and a browser that calls would then send VP8.
///
/// # Errors
/// When it has no fingerprint, or is no description.
pub fn describe(sdp: &str, audio: (u32, u32)) -> Result<Description, SdpError> {
    let lines = check(sdp)?;
    let fingerprint = lines
        .iter()
        .find_map(|line| line.strip_prefix("a=fingerprint:sha-256 "))
        .and_then(from_colon_hex)
        .ok_or(SdpError::NoFingerprint)?;
    let (source, repair) = audio;
    let declares = format!("a=ssrc:{source} cname:");
    let has_repair = repair_of_opus(sdp).is_some();
    let mut out = String::with_capacity(sdp.len() + 80);
    for line in lines.into_iter().filter(|line| passes(line)) {
        if line.starts_with("m=video") {
            push(&mut out, &with_h264_first(line, sdp));
            continue;
        }
        if has_repair && line.starts_with(&declares) {
            push(&mut out, &format!("{REPAIR}{source} {repair}"));
        }
        push(&mut out, line);
    }
    Ok(Description { sdp: out, fingerprint })
}

/// The sources of audio and its repair that a line names.
fn repair_of(line: &str) -> Option<(u32, u32)> {
    let (source, repair) = line.strip_prefix(REPAIR)?.split_once(' ')?;
    Some((source.parse().ok()?, repair.parse().ok()?))
}

/// The line of the section of pictures, with H.264 first. The rest stays in its order.
fn with_h264_first(section: &str, sdp: &str) -> String {
    let h264: Vec<_> = sdp
        .lines()
        .filter_map(|line| line.strip_prefix("a=rtpmap:")?.split_once(' '))
        .filter(|(_, codec)| codec.to_ascii_lowercase().starts_with("h264/"))
        .map(|(payload_type, _)| payload_type)
        .collect();
    // `m=video`, the port and the protocol stand before the formats (RFC 8866, section 5.14).
    let mut words: Vec<_> = section.split(' ').collect();
    if let Some(formats) = words.get_mut(3..) {
        // Stable.
        formats.sort_by_key(|format| !h264.contains(format));
    }
    words.join(" ")
}

/// The payload type that repairs Opus (RFC 4588, section 8.1), where a description has one.
pub(crate) fn repair_of_opus(sdp: &str) -> Option<u8> {
    let audio = || {
        let section = sdp.lines().skip_while(|line| !line.starts_with("m=audio"));
        section.skip(1).take_while(|line| !line.starts_with("m="))
    };
    let codec = |name: &str| {
        let (payload_type, rest) = name.split_once(' ')?;
        Some((payload_type.parse::<u8>().ok()?, rest.to_ascii_lowercase()))
    };
    let types = |name: &'static str| {
        audio()
            .filter_map(move |line| codec(line.strip_prefix("a=rtpmap:")?))
            .filter(move |(_, codec)| codec.starts_with(name))
            .map(|(payload_type, _)| payload_type)
    };
    let opus = types("opus/48000").next()?;
    types("rtx/48000").find(|repair| {
        let repairs = format!("a=fmtp:{repair} apt={opus}");
        audio().any(|line| {
            line.trim_end()
                .strip_prefix(&repairs)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(';'))
        })
    })
}

/// Whether a codec of this MIME type (RFC 6838: `video/H264`) is in the section of its kind.
pub(crate) fn names_codec(sdp: &str, mime: &str) -> bool {
    let Some((kind, codec)) = mime.split_once('/') else { return false };
    let section =
        sdp.lines().skip_while(|line| line.strip_prefix("m=").is_none_or(|rest| !rest.starts_with(kind)));
    section.skip(1).take_while(|line| !line.starts_with("m=")).any(|line| {
        let name = line.strip_prefix("a=rtpmap:").and_then(|rest| rest.split([' ', '/']).nth(1));
        name.is_some_and(|name| name.eq_ignore_ascii_case(codec))
    })
}

/// The sources that a description declares (`a=ssrc`, RFC 5576, section 4.1).
pub(crate) fn sources(sdp: &str) -> impl Iterator<Item = u32> {
    sdp.lines().filter_map(|line| line.strip_prefix("a=ssrc:")?.split(' ').next()?.parse().ok())
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push_str("\r\n");
}

fn passes(line: &str) -> bool {
    !["a=fingerprint:", "a=candidate:", "a=end-of-candidates"].iter().any(|start| line.starts_with(start))
}

/// Bounds and shape alone: `<letter>=<value>` lines without control characters, `v=0` first, `o=`, `s=` and `t=`
/// before the first section.
fn check(sdp: &str) -> Result<Vec<&str>, SdpError> {
    if sdp.len() > MAX_SDP_BYTES {
        return Err(SdpError::TooLong);
    }
    let mut lines = Vec::new();
    for line in sdp.split_terminator('\n') {
        if lines.len() == MAX_SDP_LINES || line.len() > MAX_LINE_BYTES {
            return Err(SdpError::TooLong);
        }
        let line = line.strip_suffix('\r').unwrap_or(line);
        let [kind, b'=', ..] = line.as_bytes() else { return Err(SdpError::Malformed) };
        if !kind.is_ascii_lowercase() || line.chars().any(char::is_control) {
            return Err(SdpError::Malformed);
        }
        lines.push(line);
    }
    let sections = lines.iter().filter(|line| line.starts_with("m=")).count();
    if sections > MAX_SDP_SECTIONS {
        return Err(SdpError::TooLong);
    }
    let session: Vec<_> = lines.iter().take_while(|line| !line.starts_with("m=")).collect();
    let has = |kind: &str| session.iter().any(|line| line.starts_with(kind));
    if lines.first() != Some(&"v=0") || !has("o=") || !has("s=") || !has("t=") {
        return Err(SdpError::Malformed);
    }
    Ok(lines)
}

/// `AB:CD:…`, as RFC 8122, section 5, writes a hash.
fn colon_hex(hash: &Bytes32) -> String {
    let pairs: Vec<_> = hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

fn from_colon_hex(text: &str) -> Option<Bytes32> {
    let mut bytes = [0; 32];
    let mut pairs = text.trim_end().split(':');
    for byte in &mut bytes {
        let pair = pairs.next().filter(|pair| pair.len() == 2)?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    pairs.next().is_none().then(|| bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDP: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
                       m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n";

    fn sealed(sdp: &str) -> Description {
        Description { sdp: sdp.to_owned(), fingerprint: [0xAB; 32].into() }
    }

    #[test]
    fn the_sealed_fingerprint_takes_the_place_of_every_other() {
        let theirs = format!("a=fingerprint:sha-256 {}", colon_hex(&[1; 32].into()));
        let sdp = SDP.replace("a=mid:0", &format!("a=mid:0\r\n{theirs}"));
        let sdp = sdp.replace("t=0 0", &format!("t=0 0\r\n{theirs}"));
        let accepted = accept(&sealed(&sdp)).unwrap();
        let found: Vec<_> = accepted.lines().filter(|line| line.starts_with("a=fingerprint")).collect();
        assert_eq!(found, [format!("a=fingerprint:sha-256 {}", vec!["AB"; 32].join(":"))]);
        assert!(accepted.find("a=fingerprint") < accepted.find("m=audio"));
    }

    #[test]
    fn no_candidate_passes_in_either_direction() {
        let fingerprint = format!("a=fingerprint:sha-256 {}", colon_hex(&[7; 32].into()));
        let more =
            format!("{fingerprint}\r\na=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\na=end-of-candidates\r\n");
        let sdp = format!("{SDP}{more}");
        let own = describe(&sdp, (1, 2)).unwrap();
        assert_eq!((own.sdp.as_str(), own.fingerprint), (SDP, [7; 32].into()));
        assert!(!accept(&sealed(&sdp)).unwrap().contains("candidate"));
    }

    #[test]
    fn bounds_are_kept() {
        let long = format!("{SDP}{}", "a=x\r\n".repeat(MAX_SDP_LINES));
        assert_eq!(accept(&sealed(&long)), Err(SdpError::TooLong));
        let wide = format!("{SDP}a=x:{}\r\n", "y".repeat(MAX_SDP_BYTES));
        assert_eq!(accept(&sealed(&wide)), Err(SdpError::TooLong));
        let sections = format!("{SDP}{}", "m=audio 9 RTP/AVP 0\r\n".repeat(MAX_SDP_SECTIONS));
        assert_eq!(accept(&sealed(&sections)), Err(SdpError::TooLong));
    }

    #[test]
    fn what_is_no_description_is_refused() {
        for sdp in ["", "v=0", "hello", "v=0\r\no=-\r\ns=-\r\nt=0 0\r\n", "v=1\r\nm=audio\r\n"] {
            assert_eq!(accept(&sealed(sdp)), Err(SdpError::Malformed), "{sdp}");
        }
        let control = SDP.replace("a=mid:0", "a=mid:\0");
        assert_eq!(accept(&sealed(&control)), Err(SdpError::Malformed));
        assert_eq!(describe(SDP, (1, 2)), Err(SdpError::NoFingerprint));
    }

    #[test]
    fn sources_are_read_off_their_lines() {
        let sdp = "a=ssrc:11 cname:x\r\na=ssrc:11 msid:y\r\na=ssrc:22 cname:x\r\na=ssrc:x\r\na=ssrc-group:FID 1 2\r\n";
        assert_eq!(sources(sdp).collect::<Vec<_>>(), [11, 11, 22]);
    }

    const REPAIRED: &str = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 112\r\na=rtpmap:111 opus/48000/2\r\n\
                            a=rtpmap:112 rtx/48000/2\r\na=fmtp:112 apt=111\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n";

    #[test]
    fn the_repair_of_audio_is_found_in_its_own_section_and_for_its_own_codec() {
        assert_eq!(repair_of_opus(REPAIRED), Some(112));
        assert_eq!(repair_of_opus(&REPAIRED.replace("apt=111", "apt=111;rtx-time=200")), Some(112));
        assert_eq!(repair_of_opus(&REPAIRED.replace("apt=111", "apt=1115")), None);
        assert_eq!(repair_of_opus(&REPAIRED.replace("m=audio", "m=video")), None);
        assert_eq!(repair_of_opus(SDP), None);
    }

    fn ours() -> String {
        let fingerprint = format!("a=fingerprint:sha-256 {}", colon_hex(&[7; 32].into()));
        let session = format!("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n{fingerprint}\r\n");
        REPAIRED.replace("v=0\r\n", &session).replace("m=video", "a=ssrc:5 cname:call\r\nm=video")
    }

    #[test]
    fn the_repair_of_our_audio_is_declared_to_our_own_kind_alone() {
        let described = describe(&ours(), (5, 6)).unwrap();
        assert!(described.sdp.contains("a=x-carillon-repair:5 6\r\na=ssrc:5 cname:call\r\n"));
        assert!(!described.sdp.contains("FID") && !described.sdp.contains("a=ssrc:6"));
        let accepted = accept(&described).unwrap();
        assert!(accepted.contains("a=ssrc-group:FID 5 6\r\na=ssrc:5 cname:call\r\na=ssrc:6 cname:call\r\n"));
        let without = ours().replace("apt=111", "apt=110");
        assert!(!describe(&without, (5, 6)).unwrap().sdp.contains("repair"));
    }

    #[test]
    fn a_repair_that_names_no_source_declares_nothing() {
        for line in ["", "5", "5 ", "5 x", "5 4294967296", "-5 6", "7 6", "5  6"] {
            let sdp = ours().replace("a=ssrc:5", &format!("{REPAIR}{line}\r\na=ssrc:5"));
            assert!(!accept(&sealed(&sdp)).unwrap().contains("FID"), "{line}");
        }
    }

    #[test]
    fn a_codec_is_looked_for_in_the_section_of_its_kind() {
        let sdp =
            "v=0\r\nm=audio 9 x 1\r\na=rtpmap:1 H264/90000\r\nm=video 9 x 96\r\na=rtpmap:96 vp8/90000\r\n";
        assert!(names_codec(sdp, "video/VP8") && names_codec(sdp, "audio/h264"));
        assert!(
            !names_codec(sdp, "video/H264") && !names_codec(sdp, "audio/VP8") && !names_codec(sdp, "VP8")
        );
    }

    #[test]
    fn h264_comes_first_whoever_calls() {
        let sdp = ours().replace(
            "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97 109 114\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:109 H264/90000\r\n",
        );
        let described = describe(&sdp, (5, 6)).unwrap().sdp;
        assert!(described.contains("\r\nm=video 9 UDP/TLS/RTP/SAVPF 109 96 97 114\r\n"), "{described}");
        let refused =
            ours().replace("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", "m=video 0 UDP/TLS/RTP/SAVPF 0\r\n");
        assert!(describe(&refused, (5, 6)).unwrap().sdp.contains("m=video 0 UDP/TLS/RTP/SAVPF 0\r\n"));
        assert!(describe(&ours().replace("m=video 9 UDP/TLS/RTP/SAVPF 96", "m=video"), (5, 6)).is_ok());
    }
}
