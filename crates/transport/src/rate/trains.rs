//! What the line carries, read off pictures: the packets of one leave faster than the line's rate and come at it.
//!
//! Dispersion of packet trains (C. Dovrolis, P. Ramanathan and D. Moore, "Packet-dispersion techniques and a capacity-
//! estimation methodology", 2004). The pacer sends each picture at more than the mean rate, so each is a probe that costs
//! nothing. Alone on a line it tells the line's rate; beside others, something between that and what they leave. Jitter
//! stretches trains, so a low figure proves nothing by itself.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Report;
use super::delays::seconds_since;

/// Trains that count, and how old they get.
const TRAINS: usize = 16;
const OLDEST: f64 = 1.5;
/// Fewest trains that say something.
const FEWEST: usize = 5;
/// Most packets of one train: more are of no use.
const MOST_PACKETS: usize = 256;
/// A train that came this much slower than it left was held up.
const HELD_UP: f64 = 0.85;
/// Figures that lie within this of each other say the same.
const AGREE: f64 = 0.25;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Trains {
    open: Option<Train>,
    /// When it left, and what it says.
    said: VecDeque<(Instant, Said)>,
}

#[derive(Debug)]
struct Train {
    id: u32,
    departure: Instant,
    arrival: Duration,
    last_departure: Instant,
    last_arrival: Duration,
    /// Of those behind the first one, and of what left since the last one.
    bytes: usize,
    between: usize,
    packets: usize,
    whole: bool,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    /// In bit/s.
    rate: f64,
    held_up: bool,
}

impl Trains {
    /// Takes in a packet, in the order in which packets left.
    pub(super) fn note(&mut self, report: &Report) {
        let same = report.train.is_some() && self.open.as_ref().map(|train| train.id) == report.train;
        let between = report.train.is_none() && self.open.is_some();
        if same || between {
            let Some(train) = &mut self.open else { return };
            match report.arrival {
                Some(arrival) if train.packets < MOST_PACKETS => {
                    train.between = train.between.saturating_add(report.size);
                    train.packets += 1;
                    if same {
                        train.bytes = train.bytes.saturating_add(std::mem::take(&mut train.between));
                        train.last_departure = train.last_departure.max(report.departure);
                        train.last_arrival = train.last_arrival.max(arrival);
                    }
                }
                _ => train.whole = false,
            }
            return;
        }
        self.close();
        if let (Some(id), Some(arrival)) = (report.train, report.arrival) {
            self.open = Some(Train {
                id,
                departure: report.departure,
                arrival,
                last_departure: report.departure,
                last_arrival: arrival,
                bytes: 0,
                between: 0,
                packets: 1,
                whole: true,
            });
        }
    }

    fn close(&mut self) {
        let Some(train) = self.open.take().filter(|train| train.whole) else { return };
        let bits = train.bytes as f64 * 8.0;
        let left = seconds_since(train.last_departure, train.departure).max(1e-4);
        // The resolution of feedback is 250 µs.
        let came = (train.last_arrival.as_secs_f64() - train.arrival.as_secs_f64()).max(2.5e-4);
        if bits <= 0.0 || came > 2.0 {
            return;
        }
        let (sent, received) = (bits / left, bits / came);
        let said = Said { rate: received.min(sent), held_up: received < HELD_UP * sent };
        self.said.push_back((train.departure, said));
        if self.said.len() > TRAINS {
            self.said.pop_front();
        }
    }

    fn recent(&self, now: Instant) -> Vec<Said> {
        let recent = self.said.iter().filter(|(at, _)| seconds_since(now, *at) < OLDEST);
        let mut recent: Vec<_> = recent.map(|(_, said)| *said).collect();
        recent.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        recent
    }

    /// What the line carries at least, as three of four trains say, in bit/s.
    pub(super) fn at_least(&self, now: Instant) -> Option<f64> {
        let recent = self.recent(now);
        (recent.len() >= FEWEST).then(|| recent.get(recent.len() / 4).map(|said| said.rate)).flatten()
    }

    /// What the line carries at most, if nearly all trains were held up to the same rate.
    pub(super) fn at_most(&self, now: Instant) -> Option<f64> {
        let recent = self.recent(now);
        let held_up = recent.iter().filter(|said| said.held_up).count();
        if recent.len() < FEWEST || held_up * 4 < recent.len() * 3 {
            return None;
        }
        let at = |share: usize| recent.get(recent.len() * share / 8).map(|said| said.rate);
        let (low, middle, high) = (at(1)?, at(4)?, at(7)?);
        (high - low < AGREE * middle).then_some(middle)
    }

    /// The line has changed.
    pub(super) fn begin_again(&mut self) {
        *self = Self::default();
    }
}
