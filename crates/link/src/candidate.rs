//! ICE candidates as they stand in SDP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A `candidate:` line (RFC 8839 section 5.1) over UDP with a plain IP address, cut where the address stands.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Candidate<'a> {
    /// `a=candidate:1 1 udp 2130706431`.
    before: &'a str,
    pub(crate) address: SocketAddr,
    /// `typ host …`.
    after: &'a str,
}

impl<'a> Candidate<'a> {
    /// `None` for what is no candidate, not UDP, or has a name in place of an address (mDNS).
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let line = line.trim();
        let value = line.strip_prefix("a=").unwrap_or(line);
        value.strip_prefix("candidate:")?;
        // foundation, component, transport, priority, address, port
        let mut words = line.split_ascii_whitespace();
        let transport = words.by_ref().nth(2)?;
        if !transport.eq_ignore_ascii_case("udp") {
            return None;
        }
        let priority = words.next()?;
        let ip: IpAddr = words.next().and_then(|ip| ip.parse().ok())?;
        let port_text = words.next()?;
        let port: u16 = port_text.parse().ok().filter(|port| *port != 0)?;
        if words.next()? != "typ" {
            return None;
        }
        let before = line.get(..end_of(line, priority))?;
        let after = line.get(end_of(line, port_text)..)?.trim_start();
        Some(Self { before, address: SocketAddr::new(ip, port), after })
    }

    /// The same candidate at another address. A related address is made nobody's, as RFC 8839 allows: it would tell
    /// where the real one is.
    pub(crate) fn at(&self, stand_in: SocketAddr) -> String {
        let mut line = format!("{} {} {}", self.before, stand_in.ip(), stand_in.port());
        let mut words = self.after.split_ascii_whitespace();
        while let Some(word) = words.next() {
            let value = match word {
                "raddr" => words.next().map(|_| nobody(stand_in).to_string()),
                "rport" => words.next().map(|_| "0".to_owned()),
                _ => None,
            };
            line.push(' ');
            line.push_str(word);
            if let Some(value) = value {
                line.push(' ');
                line.push_str(&value);
            }
        }
        line
    }
}

fn nobody(like: SocketAddr) -> IpAddr {
    if like.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

/// Where `word`, a part of `line`, ends in it.
fn end_of(line: &str, word: &str) -> usize {
    (word.as_ptr() as usize).saturating_sub(line.as_ptr() as usize) + word.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(line: &str) -> Option<String> {
        Some(Candidate::parse(line)?.at("127.0.0.1:9".parse().unwrap()))
    }

    #[test]
    fn a_host_candidate_changes_its_address_alone() {
        assert_eq!(
            moved(
                "candidate:1 1 udp 2130706431 192.168.1.2 50000 typ host generation 0 ufrag abcd network-id 1"
            )
            .unwrap(),
            "candidate:1 1 udp 2130706431 127.0.0.1 9 typ host generation 0 ufrag abcd network-id 1"
        );
        assert_eq!(
            moved("a=candidate:x 1 UDP 5 fe80::1 50000 typ host\r\n").unwrap(),
            "a=candidate:x 1 UDP 5 127.0.0.1 9 typ host"
        );
    }

    #[test]
    fn the_address_behind_a_relay_is_not_told() {
        assert_eq!(
            moved(
                "candidate:1 1 udp 5 203.0.113.9 3478 typ relay raddr 192.168.1.2 rport 50000 generation 0"
            )
            .unwrap(),
            "candidate:1 1 udp 5 127.0.0.1 9 typ relay raddr 0.0.0.0 rport 0 generation 0"
        );
        let six =
            Candidate::parse("candidate:1 1 udp 5 2001:db8::1 3478 typ srflx raddr ::2 rport 5").unwrap();
        assert_eq!(
            six.at("[::1]:9".parse().unwrap()),
            "candidate:1 1 udp 5 ::1 9 typ srflx raddr :: rport 0"
        );
    }

    #[test]
    fn tcp_names_and_nonsense_are_dropped() {
        for line in [
            "",
            "candidate:",
            "candidate:1 1 tcp 5 192.168.1.2 9 typ host tcptype active",
            "candidate:1 1 udp 5 4b3f.local 50000 typ host",
            "candidate:1 1 udp 5 192.168.1.2 0 typ host",
            "candidate:1 1 udp 5 192.168.1.2 99999 typ host",
            "candidate:1 1 udp 5 192.168.1.2 50000",
            "candidate:1 1 udp 5 192.168.1.2 50000 type host",
            "ice-ufrag:1 1 udp 5 192.168.1.2 50000 typ host",
            "candidate:é 1 udp",
        ] {
            assert_eq!(moved(line), None, "{line}");
        }
    }
}
