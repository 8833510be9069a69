//! What a peer connection is opened with.

use std::fmt;
use std::time::Duration;

use carillon_call::Role;
use carillon_wire::frame::Media;

/// Settings of one peer connection.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    /// Which end. The caller makes its offer at once.
    pub role: Role,
    /// What the call was placed with. Both kinds are negotiated all the same.
    pub media: Media,
    /// Where to look for host candidates.
    pub interfaces: Interfaces,
    /// Lets no other candidate out than those of a relay, so that the other side never learns an address of this
    /// machine.
    pub relay_only: bool,
    /// STUN and TURN servers. TURN is spoken over UDP.
    pub ice_servers: Vec<IceServer>,
    /// Periods and limits; the defaults are for people.
    pub timings: Timings,
}

impl PeerConfig {
    /// A connection over this machine's own interfaces, without servers.
    pub fn new(role: Role, media: Media) -> Self {
        Self {
            role,
            media,
            interfaces: Interfaces::All,
            relay_only: false,
            ice_servers: Vec::new(),
            timings: Timings::default(),
        }
    }
}

/// Which interfaces give host candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interfaces {
    /// Loopback alone: for tests on one machine.
    Loopback,
    /// All real ones, never loopback.
    All,
}

/// A STUN or TURN server.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:host:port` and `turn:host:port?transport=udp` (RFC 7064, RFC 7065).
    pub urls: Vec<String>,
    /// For TURN; empty for STUN.
    pub username: String,
    /// For TURN; empty for STUN.
    pub credential: String,
}

/// The credential opens a relay to whoever reads it.
impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// Periods of the path's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// Between two rounds of connectivity checks while there is no path (Ta of RFC 8445, section 14.2, for all pairs
    /// at once). Each pair is asked at this pace at first, and ever less often when it does not answer.
    pub check: Duration,
    /// Between two consent checks of the path in use (RFC 7675, section 5.1, has 4 to 6 s, which would notice a lost
    /// path far too late for a call).
    pub consent: Duration,
    /// Silence after which the path counts as down.
    pub down: Duration,
    /// Silence after which ICE gives this generation up.
    pub failed: Duration,
    /// How long DTLS may take once a path is up.
    pub dtls: Duration,
    /// How long what was handed to the data channel may take to leave after `Close`.
    pub linger: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            check: Duration::from_millis(20),
            consent: Duration::from_millis(400),
            down: Duration::from_millis(1500),
            failed: Duration::from_secs(30),
            dtls: Duration::from_secs(10),
            linger: Duration::from_millis(300),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relays_credential_is_not_shown() {
        let server = IceServer {
            urls: vec!["turn:relay.example:3478".into()],
            username: "1700000000:device".into(),
            credential: "secret".into(),
        };
        let shown = format!("{server:?}");
        assert!(shown.contains("relay.example"));
        assert!(!shown.contains("secret") && !shown.contains("device"));
    }
}
