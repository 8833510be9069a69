//! What every request and every connection shares.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use carillon_e2e::IssuerKey;
use carillon_wire::Bytes32;
use carillon_wire::frame::Topic;
use rand::random;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::time::Instant;

use crate::bus::Bus;
use crate::challenges::Challenges;
use crate::clock::Clock;
use crate::config::{Config, audience_of};
use crate::metrics::Metrics;
use crate::quotas::Quotas;
use crate::store::{self, Aftermath, NodeId, Secret, Store};
use crate::sweeper::Sweeper;

/// Pictures that are decoded at once: each takes a core, and up to 100 MB for a moment.
const PICTURES_AT_ONCE: usize = 2;

/// A server's state.
#[derive(Debug)]
pub struct App {
    /// What the operator has set.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// What is remembered.
    pub store: Store,
    /// What is too often.
    pub quotas: Quotas,
    /// Gives out challenges and takes them back.
    pub challenges: Challenges,
    /// Signs badges.
    pub issuer: IssuerKey,
    /// Permits to decode a picture.
    pub pictures: Semaphore,
    /// Tells connections where to look.
    pub bus: Bus,
    /// What the operator sees.
    pub metrics: Arc<Metrics>,
    /// This process among those that share a store.
    pub node: NodeId,
    /// Wakes the sweeper.
    pub sweeper: Sweeper,
    /// Turns true when the server shuts down.
    pub stop: watch::Sender<bool>,
    /// When the store was last found healthy.
    pub healthy_at: Mutex<Option<Instant>>,
}

/// [`App`] as handlers get it.
pub type Shared = Arc<App>;

impl App {
    /// Puts a server's state together over an open store. The server's secrets are drawn at its first start.
    ///
    /// # Errors
    /// [`StoreError`](crate::store::StoreError) when the secrets can't be read or stored.
    pub async fn new(config: Config, clock: Clock, store: Store) -> store::Result<Self> {
        let issuer = store.secret(Secret::Issuer, &Bytes32::from(random::<[u8; 32]>())).await?;
        let challenge = store.secret(Secret::Challenge, &Bytes32::from(random::<[u8; 32]>())).await?;
        Ok(Self {
            config,
            clock,
            store,
            quotas: Quotas::default(),
            challenges: Challenges::new(challenge.0),
            issuer: IssuerKey::from_secret(&issuer.0),
            pictures: Semaphore::new(PICTURES_AT_ONCE),
            bus: Bus::default(),
            metrics: Arc::default(),
            node: NodeId(random()),
            sweeper: Sweeper::default(),
            stop: watch::Sender::new(false),
            healthy_at: Mutex::default(),
        })
    }

    /// Does what follows from a transaction about calls: doorbells, lists of missed calls, counters, the next deadline.
    pub fn follow_up(&self, aftermath: &Aftermath) {
        for device in &aftermath.wake {
            self.bus.ring_doorbell(*device);
        }
        for account in &aftermath.missed {
            self.bus.changed(*account, &[Topic::Missed]);
        }
        self.metrics.outcomes(aftermath);
        if let Some(deadline) = aftermath.deadline {
            self.sweeper.no_later_than(deadline);
        }
    }

    /// The audience that challenges answered in this request are bound to: the configured one, else, on a server for
    /// this machine alone, what the client asked for as `Host`.
    pub fn audience(&self, headers: &HeaderMap) -> Option<String> {
        self.config.audience().or_else(|| {
            let own_port = if self.config.is_secure() { 443 } else { 80 };
            audience_of(headers.get(header::HOST)?.to_str().ok()?, own_port)
        })
    }
}

/// Where a request comes from, as far as proxies that are trusted say so. Put into each request's extensions by the
/// listener. Used for quotas, never stored or logged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// For a request that did not come through a listener: all of them share their quotas.
    pub const UNKNOWN: Self = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
}

impl std::fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientAddress([redacted])")
    }
}
