//! What the operator sees of a running server, in Prometheus' text format. Numbers only: nothing names a person.

use std::future::Future;
use std::time::Instant;

use carillon_wire::Code;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::store::{Aftermath, Outcome};

type Label = [(&'static str, &'static str); 1];

/// The counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Open connections, signed in or not.
    pub connections: Gauge,
    /// Sockets that are signed in.
    pub signed_in: Gauge,
    /// Messages in all mailboxes.
    pub mail_waiting: Gauge,
    /// From the receipt of `create` to the sending of `ring`.
    pub create_to_ring: Histogram,
    sign_ins: Counter,
    turned_away: Counter,
    frames: Family<Label, Counter>,
    errors: Family<Label, Counter>,
    calls: Family<Label, Counter>,
    store: Family<Label, Histogram>,
}

/// Upper bounds in seconds, from what a local database takes to what a person notices.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("carillon");
        let metrics = Self {
            connections: Gauge::default(),
            signed_in: Gauge::default(),
            mail_waiting: Gauge::default(),
            create_to_ring: seconds(),
            sign_ins: Counter::default(),
            turned_away: Counter::default(),
            frames: Family::default(),
            errors: Family::default(),
            calls: Family::default(),
            store: Family::new_with_constructor(seconds),
            registry: Registry::default(),
        };
        registry.register("connections", "Open connections", metrics.connections.clone());
        registry.register("signed_in", "Sockets that are signed in", metrics.signed_in.clone());
        registry.register("mail_waiting", "Messages in all mailboxes", metrics.mail_waiting.clone());
        registry.register("sign_ins", "Sockets that signed in", metrics.sign_ins.clone());
        registry.register("turned_away", "Connections over the limit", metrics.turned_away.clone());
        registry.register("frames", "Frames from devices, by type", metrics.frames.clone());
        registry.register("errors", "Error frames, by code", metrics.errors.clone());
        registry.register("calls", "Steps of calls, by outcome", metrics.calls.clone());
        let (name, help) = ("create_to_ring", "From create received to ring sent, to a device that is there");
        registry.register_with_unit(name, help, Unit::Seconds, metrics.create_to_ring.clone());
        let (name, help) = ("store", "Duration of what the socket asks of the database, by operation");
        registry.register_with_unit(name, help, Unit::Seconds, metrics.store.clone());
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// The text that is served.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// A device has signed in on a socket.
    pub fn sign_in(&self) {
        self.sign_ins.inc();
    }

    /// A connection was over the limit.
    pub fn turned_away(&self) {
        self.turned_away.inc();
    }

    /// A frame of this type has come.
    pub fn frame(&self, kind: &'static str) {
        self.frames.get_or_create(&[("type", kind)]).inc();
    }

    /// An error frame is sent.
    pub fn error(&self, code: Code) {
        self.errors.get_or_create(&[("code", code.as_str())]).inc();
    }

    /// Calls have made these steps.
    pub fn outcomes(&self, aftermath: &Aftermath) {
        for outcome in &aftermath.outcomes {
            self.calls.get_or_create(&[("outcome", name(*outcome))]).inc();
        }
    }

    /// Measures how long the store takes for one operation.
    pub async fn timed<T>(&self, operation: &'static str, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let result = work.await;
        self.store.get_or_create(&[("operation", operation)]).observe(started.elapsed().as_secs_f64());
        result
    }
}

const fn name(outcome: Outcome) -> &'static str {
    use carillon_wire::frame::EndReason;
    match outcome {
        Outcome::Rings => "rings",
        Outcome::Filtered => "filtered",
        Outcome::Blocked => "blocked",
        Outcome::Unreachable => "unreachable",
        Outcome::Accepted => "accepted",
        Outcome::Ended(reason) => match reason {
            EndReason::Declined => "declined",
            EndReason::Busy => "busy",
            EndReason::Cancelled => "cancelled",
            EndReason::Expired => "expired",
            EndReason::HungUp => "hung_up",
            EndReason::Unavailable => "unavailable",
            EndReason::CallerLost => "caller_lost",
            EndReason::Security => "security",
            EndReason::NoRoute => "no_route",
            EndReason::Lost => "lost",
            EndReason::Replaced => "replaced",
            EndReason::Other => "other",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_text_has_what_was_counted() {
        let metrics = Metrics::default();
        metrics.frame("create");
        metrics.error(Code::CallSelf);
        metrics.timed("create", async {}).await;
        metrics.outcomes(&Aftermath { outcomes: vec![Outcome::Rings], ..Aftermath::default() });
        let text = metrics.text();
        for line in [
            "carillon_frames_total{type=\"create\"} 1",
            "carillon_errors_total{code=\"call_self\"} 1",
            "carillon_calls_total{outcome=\"rings\"} 1",
            "carillon_store_seconds_count{operation=\"create\"} 1",
            "carillon_connections 0",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
