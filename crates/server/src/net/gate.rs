//! How many connections there are, in all and from one network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use carillon_policy::rate::Network;
use tokio::sync::Notify;

use crate::config::Config;
use crate::metrics::Metrics;

/// Most connections over the limit that are told so at once; further ones are just closed.
const TURNING_AWAY: usize = 64;

/// Counts connections.
#[derive(Debug)]
pub(crate) struct Gate {
    total: usize,
    per_network: usize,
    counts: Mutex<Counts>,
    gone: Notify,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Counts {
    open: usize,
    turning_away: usize,
    networks: HashMap<Network, usize>,
}

impl Gate {
    pub(crate) fn new(config: &Config, metrics: Arc<Metrics>) -> Self {
        Self {
            total: config.max_connections,
            per_network: config.max_connections_per_address,
            counts: Mutex::default(),
            gone: Notify::new(),
            metrics,
        }
    }

    /// Lets a connection in, or does not. Without an address only the total counts.
    pub(super) fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Permit> {
        let network = address.map(Network::of);
        let mut counts = self.counts();
        let from_there = network.map_or(0, |network| counts.networks.get(&network).copied().unwrap_or(0));
        if counts.open >= self.total || from_there >= self.per_network {
            self.metrics.turned_away();
            return None;
        }
        counts.open += 1;
        if let Some(network) = network {
            counts.networks.insert(network, from_there + 1);
        }
        self.metrics.connections.inc();
        Some(Permit { gate: Arc::clone(self), network })
    }

    /// Permission to tell a connection that there are too many.
    pub(super) fn turn_away(self: &Arc<Self>) -> Option<TurningAway> {
        let mut counts = self.counts();
        if counts.turning_away >= TURNING_AWAY {
            return None;
        }
        counts.turning_away += 1;
        Some(TurningAway(Arc::clone(self)))
    }

    /// Waits until no connection is open.
    pub(crate) async fn empty(&self) {
        loop {
            let gone = self.gone.notified();
            if self.counts().open == 0 {
                return;
            }
            gone.await;
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open connection. Dropped with its stream.
#[derive(Debug)]
pub(crate) struct Permit {
    gate: Arc<Gate>,
    network: Option<Network>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.gate.counts();
        counts.open -= 1;
        if let Some(network) = self.network
            && let Some(count) = counts.networks.get_mut(&network)
        {
            *count -= 1;
            if *count == 0 {
                counts.networks.remove(&network);
            }
        }
        if counts.open == 0 {
            self.gate.gone.notify_one();
        }
        self.gate.metrics.connections.dec();
    }
}

/// A connection that is being told that there are too many.
#[derive(Debug)]
pub(super) struct TurningAway(Arc<Gate>);

impl Drop for TurningAway {
    fn drop(&mut self) {
        self.0.counts().turning_away -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(total: usize, per_network: usize) -> Arc<Gate> {
        let config =
            Config { max_connections: total, max_connections_per_address: per_network, ..Config::default() };
        Arc::new(Gate::new(&config, Arc::default()))
    }

    #[test]
    fn one_network_can_not_take_every_place() {
        let gate = gate(3, 2);
        let (one, other) = ("192.0.2.1".parse().ok(), "2001:db8::1".parse().ok());
        let _first = gate.admit(one).unwrap();
        let second = gate.admit(one).unwrap();
        assert!(gate.admit(one).is_none());
        let _third = gate.admit(other).unwrap();
        assert!(gate.admit(other).is_none(), "the total is reached");
        drop(second);
        assert!(gate.admit(one).is_some());
    }

    #[test]
    fn a_household_has_one_ipv6_network() {
        let gate = gate(3, 1);
        let _first = gate.admit("2001:db8::1".parse().ok()).unwrap();
        assert!(gate.admit("2001:db8::2".parse().ok()).is_none());
    }

    #[tokio::test]
    async fn the_gate_is_empty_when_the_last_one_has_gone() {
        let gate = gate(2, 2);
        let permit = gate.admit(None).unwrap();
        let empty = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.empty().await }
        });
        drop(permit);
        empty.await.unwrap();
    }
}
