//! What a peer connection is opened with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use carillon_call::Role;
use carillon_wire::frame::Media;
use tokio::sync::watch;

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
    pub ice_servers: IceServers,
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
            ice_servers: IceServers::default(),
            timings: Timings::default(),
        }
    }
}

/// Which interfaces give host candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interfaces {
    /// Loopback alone: for tests on one machine.
    Loopback,
    /// The same by IPv6.
    LoopbackV6,
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

/// The STUN and TURN servers of this moment. Clones share it: credentials run out, and a restart of ICE turns to the
/// servers that are known by then.
#[derive(Debug, Clone)]
pub struct IceServers(Arc<watch::Sender<Option<Vec<IceServer>>>>);

impl IceServers {
    /// Nobody has said yet which there are: a connection waits a moment before it does without.
    pub fn unknown() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// These, from now on.
    pub fn set(&self, servers: Vec<IceServer>) {
        self.0.send_replace(Some(servers));
    }

    pub(crate) fn current(&self) -> Vec<IceServer> {
        self.0.borrow().clone().unwrap_or_default()
    }

    /// Waits until somebody has said, at most this long.
    pub(crate) async fn known(&self, limit: Duration) {
        let mut servers = self.0.subscribe();
        let _ = tokio::time::timeout(limit, servers.wait_for(Option::is_some)).await;
    }
}

impl From<Vec<IceServer>> for IceServers {
    fn from(servers: Vec<IceServer>) -> Self {
        Self(Arc::new(watch::Sender::new(Some(servers))))
    }
}

/// None at all.
impl Default for IceServers {
    fn default() -> Self {
        Vec::new().into()
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
    /// How long to wait for the word which servers there are.
    pub servers: Duration,
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
            servers: Duration::from_secs(2),
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
