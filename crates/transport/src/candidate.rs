//! Candidate lines of the other side, before anything is done with them (RFC 8839, section 5.1).
//!
//! A candidate tells this machine to send packets to an address that a stranger chose. So a line is read by our own
//! grammar, an address that nobody may be sent to is refused, and what goes on is written anew from what was read.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::config::Interfaces;

/// Longest line, in bytes.
pub const MAX_CANDIDATE_BYTES: usize = 512;

/// Most candidates of one generation.
pub const MAX_CANDIDATES: usize = 64;

/// Most characters of a foundation, by the grammar.
const MAX_FOUNDATION: usize = 32;

/// Why a line is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CandidateError {
    /// Longer than [`MAX_CANDIDATE_BYTES`].
    #[error("the candidate is too long")]
    TooLong,
    /// Not a candidate line.
    #[error("not a candidate")]
    Malformed,
    /// Multicast, unspecified, broadcast, or loopback from outside.
    #[error("nobody may be sent to this address")]
    Forbidden,
    /// TCP, another component than RTP, an mDNS name, or a link-local address, whose zone is not known here.
    #[error("a candidate this side has no use for")]
    Unusable,
}

/// Where a candidate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An interface of the machine itself.
    Host,
    /// As a STUN server sees it.
    ServerReflexive,
    /// As the other side sees it.
    PeerReflexive,
    /// On a TURN relay.
    Relay,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relay => "relay",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Host, Self::ServerReflexive, Self::PeerReflexive, Self::Relay]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// A candidate that was read. Extensions are not kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidate {
    foundation: String,
    priority: u32,
    /// Where to send.
    pub address: SocketAddr,
    /// Where it comes from.
    pub kind: Kind,
}

/// The address is personal.
impl std::fmt::Debug for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Candidate {
    /// Reads a line, and refuses addresses that nobody may be sent to. Loopback addresses are welcome where everything
    /// is loopback.
    ///
    /// # Errors
    /// Why the line is not used.
    pub fn parse(line: &str, interfaces: Interfaces) -> Result<Self, CandidateError> {
        if line.len() > MAX_CANDIDATE_BYTES {
            return Err(CandidateError::TooLong);
        }
        let line = line.strip_prefix("a=").unwrap_or(line);
        let line = line.strip_prefix("candidate:").ok_or(CandidateError::Malformed)?;
        let mut words = line.trim_end_matches(['\r', '\n']).split(' ');
        let mut word = || words.next().ok_or(CandidateError::Malformed);
        let (foundation, component, transport, priority) = (word()?, word()?, word()?, word()?);
        let (address, port, typ, kind) = (word()?, word()?, word()?, word()?);
        if foundation.is_empty() || foundation.len() > MAX_FOUNDATION || !foundation.chars().all(is_ice_char)
        {
            return Err(CandidateError::Malformed);
        }
        let component: u16 = number(component)?;
        let priority: u32 = number(priority)?;
        let port: u16 = number(port)?;
        if typ != "typ" || priority == 0 {
            return Err(CandidateError::Malformed);
        }
        let kind = Kind::parse(kind).ok_or(CandidateError::Malformed)?;
        // With rtcp-mux everything is component 1.
        if component != 1 || !transport.eq_ignore_ascii_case("udp") || address.ends_with(".local") {
            return Err(CandidateError::Unusable);
        }
        let ip: IpAddr = address.parse().map_err(|_| CandidateError::Malformed)?;
        check_address(ip, interfaces)?;
        if port == 0 {
            return Err(CandidateError::Forbidden);
        }
        Ok(Self { foundation: foundation.to_owned(), priority, address: SocketAddr::new(ip, port), kind })
    }

    /// The line, written anew. The related address (RFC 8839, `rel-addr`), which would tell the address behind the
    /// NAT or the relay, is not in it but as the grammar's placeholder.
    pub fn line(&self) -> String {
        let Self { foundation, priority, address, kind } = self;
        let mut line = format!(
            "candidate:{foundation} 1 udp {priority} {} {} typ {}",
            address.ip(),
            address.port(),
            kind.name()
        );
        if *kind != Kind::Host {
            let any = match address {
                SocketAddr::V4(_) => "0.0.0.0",
                SocketAddr::V6(_) => "::",
            };
            // Writing to a string does not fail.
            let _ = write!(line, " raddr {any} rport 9");
        }
        line
    }
}

/// `ice-char` of the grammar.
fn is_ice_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '+' || char == '/'
}

/// Digits alone: `parse` would take a sign, too.
fn number<T: std::str::FromStr>(word: &str) -> Result<T, CandidateError> {
    if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CandidateError::Malformed);
    }
    word.parse().map_err(|_| CandidateError::Malformed)
}

fn check_address(ip: IpAddr, interfaces: Interfaces) -> Result<(), CandidateError> {
    // An IPv4 address in IPv6 clothes is what it is.
    let ip = ip.to_canonical();
    let forbidden = match ip {
        IpAddr::V4(ip) => {
            ip.is_multicast() || ip.is_broadcast() || ip.octets()[0] == 0 || ip == Ipv4Addr::UNSPECIFIED
        }
        IpAddr::V6(ip) => ip.is_multicast() || ip.is_unspecified(),
    };
    let outside = interfaces == Interfaces::All;
    if forbidden || (outside && ip.is_loopback()) {
        return Err(CandidateError::Forbidden);
    }
    let link_local = match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    if link_local { Err(CandidateError::Unusable) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(address: &str) -> Result<Candidate, CandidateError> {
        Candidate::parse(&format!("candidate:1 1 udp 2130706431 {address} 5000 typ host"), Interfaces::All)
    }

    #[test]
    fn what_goes_on_is_written_anew_from_what_was_read() {
        let line = "a=candidate:a+/1 1 UDP 1694498815 203.0.113.9 40000 typ srflx raddr 192.168.1.2 rport 5000 \
                    generation 0 ufrag abcd network-cost 999";
        let candidate = Candidate::parse(line, Interfaces::All).unwrap();
        let written = "candidate:a+/1 1 udp 1694498815 203.0.113.9 40000 typ srflx raddr 0.0.0.0 rport 9";
        assert_eq!(candidate.line(), written);
        assert_eq!(Candidate::parse(written, Interfaces::All), Ok(candidate));
    }

    #[test]
    fn nobody_can_make_this_machine_send_to_everybody_or_to_itself() {
        let forbidden = [
            "224.0.0.1",
            "239.255.255.250",
            "255.255.255.255",
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.9.9.9",
            "::",
            "::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:224.0.0.1",
        ];
        for address in forbidden {
            assert_eq!(parse(address), Err(CandidateError::Forbidden), "{address}");
        }
        for address in ["192.168.1.7", "10.0.0.1", "203.0.113.1", "2001:db8::1", "fd00::1"] {
            assert!(parse(address).is_ok(), "{address}");
        }
    }

    #[test]
    fn loopback_is_welcome_where_everything_is_loopback() {
        let line = "candidate:1 1 udp 1 127.0.0.1 5000 typ host";
        assert!(Candidate::parse(line, Interfaces::Loopback).is_ok());
        assert_eq!(Candidate::parse(line, Interfaces::All), Err(CandidateError::Forbidden));
    }

    #[test]
    fn names_tcp_and_other_components_are_of_no_use() {
        let unusable = [
            "candidate:1 1 udp 1 8f2a-11.local 5000 typ host",
            "candidate:1 1 tcp 1 192.168.1.7 9 typ host tcptype active",
            "candidate:1 2 udp 1 192.168.1.7 5000 typ host",
            "candidate:1 1 udp 1 fe80::1 5000 typ host",
        ];
        for line in unusable {
            assert_eq!(Candidate::parse(line, Interfaces::All), Err(CandidateError::Unusable), "{line}");
        }
    }

    #[test]
    fn anything_else_is_no_candidate() {
        let long = format!("candidate:1 1 udp 1 192.168.1.7 5000 typ host {}", "x".repeat(512));
        assert_eq!(Candidate::parse(&long, Interfaces::All), Err(CandidateError::TooLong));
        let malformed = [
            "",
            "candidate:",
            "candidate:1 1 udp 1 192.168.1.7 5000 typ",
            "candidate:1 1 udp 1 192.168.1.7 5000 typ host2",
            "candidate:1 1 udp 1 192.168.1.7 70000 typ host",
            "candidate:1 1 udp -1 192.168.1.7 5000 typ host",
            "candidate:1 1 udp 99999999999 192.168.1.7 5000 typ host",
            "candidate:ü 1 udp 1 192.168.1.7 5000 typ host",
            "candidate:1 1 udp 1 example.com 5000 typ host",
            "candidate:1  1 udp 1 192.168.1.7 5000 typ host",
        ];
        for line in malformed {
            assert_eq!(Candidate::parse(line, Interfaces::All), Err(CandidateError::Malformed), "{line}");
        }
        assert_eq!(
            Candidate::parse("candidate:1 1 udp 1 192.168.1.7 0 typ host", Interfaces::All),
            Err(CandidateError::Forbidden)
        );
    }
}
