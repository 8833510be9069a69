//! What the fuzz targets of this crate do, for the tests too. Each takes any bytes, and panics when a promise is broken.

mod chain;
mod guard;

use carillon_wire::payload::Description;
use rtc::ice::candidate::unmarshal_candidate;
use webrtc::peer_connection::RTCSessionDescription;

pub use self::chain::chain;
pub use self::guard::guard;
use crate::candidate::Candidate;
use crate::config::Interfaces;
use crate::{message, sdp};

/// A description of the other side. What passes has one fingerprint and no candidate, passes again unchanged, and goes
/// through the parser of the WebRTC stack.
pub fn sdp(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let sealed = |sdp: &str| Description { sdp: sdp.to_owned(), fingerprint: [3; 32].into() };
    let Ok(accepted) = sdp::accept(&sealed(text)) else { return };
    let lines = |start: &str| accepted.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((lines("a=fingerprint:"), lines("a=candidate:"), lines("a=end-of-candidates")), (1, 0, 0));
    // The fingerprint may have made it longer than any that is accepted.
    if accepted.len() <= sdp::MAX_SDP_BYTES && accepted.lines().count() <= sdp::MAX_SDP_LINES {
        assert_eq!(sdp::accept(&sealed(&accepted)).as_ref(), Ok(&accepted));
    }
    let _ = (sdp::repair_of_opus(&accepted), sdp::sources(&accepted).count());
    let _ = (RTCSessionDescription::offer(accepted.clone()), RTCSessionDescription::answer(accepted));
}

/// A candidate of the other side. What is read is written and read again as the same, and the WebRTC stack reads it too.
pub fn candidate(data: &[u8]) {
    let Ok(line) = std::str::from_utf8(data) else { return };
    for interfaces in [Interfaces::All, Interfaces::Loopback] {
        let Ok(candidate) = Candidate::parse(line, interfaces) else { continue };
        let written = candidate.line();
        assert_eq!(Candidate::parse(&written, interfaces).as_ref(), Ok(&candidate), "{written}");
        assert!(unmarshal_candidate(written.trim_start_matches("candidate:")).is_ok(), "{written}");
        assert!(!candidate.address.ip().to_canonical().is_multicast());
    }
}

/// A message on the data channel. What is read is written, and read again as the same.
pub fn message(data: &[u8]) {
    let Ok(payload) = message::parse(data) else { return };
    // A text may be longer in our writing than in theirs.
    let Ok(written) = message::write(&payload) else { return };
    assert_eq!(message::parse(written.as_bytes()).as_ref(), Ok(&payload), "{written}");
}

/// Steps of a walk: a kind, a number, and bytes, whose count stands before them.
struct Steps<'a>(&'a [u8]);

impl<'a> Iterator for Steps<'a> {
    type Item = (u8, u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[kind, number, count], rest) = self.0.split_first_chunk::<3>()?;
        let (bytes, rest) = rest.split_at_checked(count.into()).unwrap_or((rest, &[]));
        self.0 = rest;
        Some((kind, number, bytes))
    }
}

#[cfg(test)]
mod tests {
    use carillon_testkit::corpus;

    #[test]
    fn descriptions() {
        corpus::run("sdp", 10_000, super::sdp);
    }

    #[test]
    fn candidates() {
        corpus::run("candidate", 30_000, super::candidate);
    }

    #[test]
    fn messages() {
        corpus::run("message", 30_000, super::message);
    }

    #[test]
    fn datagrams() {
        corpus::run("guard", 10_000, super::guard);
    }

    #[test]
    fn packets() {
        corpus::run("chain", 10_000, super::chain);
    }
}
