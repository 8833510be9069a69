//! Where the estimate of what the line carries meets the stack: the stack keeps the history of what was sent and resolves
//! the feedback against it, [`crate::rate`] makes of it what may be sent.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rtc::interceptor::{BandwidthEstimator, PacketReport};

use crate::counters::Counters;
use crate::rate::{Estimator, Report};

/// RTP with its extensions takes so much of what may be sent; the rest is for the encoder.
const FOR_THE_ENCODER: f64 = 0.95;
/// How often it is looked whether anything is heard while pictures are sent.
const LOOK: Duration = Duration::from_millis(200);

/// See the module.
pub(crate) struct Congestion {
    counters: Arc<Counters>,
    estimator: Estimator,
    packets: u64,
    look: Option<Instant>,
}

impl Congestion {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        let estimator = Estimator::new(counters.start);
        Self { counters, estimator, packets: 0, look: None }
    }

    fn tell(&self) {
        // Within the bounds of the estimator.
        let bitrate = (self.estimator.target() * FOR_THE_ENCODER) as u32;
        let limit = self.counters.limit.load(Ordering::Relaxed);
        let bitrate = if limit > 0 { bitrate.min(limit) } else { bitrate };
        self.counters.video.set_bitrate(bitrate, self.estimator.queue());
    }
}

impl BandwidthEstimator for Congestion {
    fn on_reports(&mut self, now: Instant, reports: &[PacketReport]) {
        let reports: Vec<_> = reports
            .iter()
            // The stack records sound too, which has no number that anybody reports, and packets that came at a time that
            // nobody tells.
            .filter(|report| report.is_twcc && (report.arrival.is_some() || !report.arrived))
            .map(|report| Report {
                departure: report.departure,
                arrival: report.arrival.filter(|_| report.arrived),
                size: report.size,
            })
            .collect();
        self.estimator.on_reports(now, &reports);
        self.tell();
        // Sending pictures again after a pause, or for the first time.
        self.look.get_or_insert(now + LOOK);
    }

    fn target_bitrate(&self) -> f64 {
        self.estimator.target()
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.look.is_none_or(|look| look > now) {
            return;
        }
        let packets = self.counters.video.counts.packets_out.load(Ordering::Relaxed);
        let sending = packets > self.packets;
        self.packets = packets;
        self.estimator.look(now, sending);
        self.tell();
        // Nothing to look at until the next report.
        self.look = sending.then(|| now + LOOK);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.look
    }
}
