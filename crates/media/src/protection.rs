//! How to encode, chosen live from what the other end reports.
//!
//! Losses that stand alone are best met by in-band FEC, which costs little; losses in bursts only by deep redundancy,
//! which costs more. They exclude each other at the rates of a call: each takes its bits from the voice (PESQ wide-band
//! at 32 kbit/s with 10 % random loss: concealment 2.41, FEC 3.54, DRED 2.92; with 20 % in bursts of 4: 1.63, 1.81,
//! 2.48; the two cross at a mean burst of 1.5 to 2; `examples/protection.rs`).

use std::time::Duration;

use crate::opus::{EncoderSettings, FrameLength, Protection};

/// What is known of the line, once a second or so.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Report {
    /// Share of packets that the other end did not get, 0 to 1, since the last report.
    pub lost: f64,
    /// Mean number of packets lost in a row; 1 where nobody knows.
    pub burst: f64,
    /// There and back; nothing where nobody knows yet.
    pub round_trip: Option<Duration>,
    /// What the other end, or its network, can take at most, in bit/s.
    pub limit: Option<u32>,
}

/// Bits a second for one voice, redundancy included.
const BUDGET: u32 = 32_000;
/// The same in packets of 10 ms, which carry less for each bit, on lines that have it.
const BUDGET_SHORT: u32 = 48_000;
/// The same with low data.
const LOW_DATA: u32 = 16_000;
/// What headers cost beside a packet: RTP, SRTP, UDP and IPv4, in bits.
const HEADERS: u32 = 8 * (12 + 16 + 8 + 20);

/// libopus spends this much more than it was told when it adds deep redundancy, while somebody speaks.
const DRED_OVERSHOOT: f64 = 1.15;

/// Loss at which protection begins and below which it ends: between the two nothing changes.
const BEGINS: f64 = 0.015;
const ENDS: f64 = 0.005;
/// Bursts at which deep redundancy is better than FEC, and below which it is not.
const BURSTS: f64 = 1.8;
const SINGLES: f64 = 1.4;
/// Packets of 10 ms are for lines that lose nothing, are near, and are wide.
const NEAR: Duration = Duration::from_millis(60);

/// Each new report counts for so much when it is worse, and when it is better: quick to protect, slow to trust.
const WORSE: f64 = 0.6;
const BETTER: f64 = 0.12;

/// Chooses. One for each call.
#[derive(Debug, Clone)]
pub struct Protector {
    low_data: bool,
    lost: f64,
    burst: f64,
    near: bool,
    limit: Option<u32>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Fec,
    Dred,
}

impl Protector {
    /// Begins as on a line of which nothing is known: without protection.
    pub const fn new(low_data: bool) -> Self {
        Self { low_data, lost: 0.0, burst: 1.0, near: false, limit: None, kind: Kind::Plain }
    }

    /// Spends as little as a voice can be understood with, or not.
    pub const fn set_low_data(&mut self, low_data: bool) {
        self.low_data = low_data;
    }

    /// Takes a report in.
    pub fn report(&mut self, report: &Report) {
        let lost = if report.lost.is_finite() { report.lost.clamp(0.0, 1.0) } else { 0.0 };
        let weight = if lost > self.lost { WORSE } else { BETTER };
        self.lost += weight * (lost - self.lost);
        if lost > 0.0 && report.burst.is_finite() {
            self.burst += 0.3 * (report.burst.clamp(1.0, 50.0) - self.burst);
        }
        self.near = report.round_trip.is_some_and(|trip| trip < NEAR);
        self.limit = report.limit;
        self.kind = match self.kind {
            Kind::Plain if self.lost < BEGINS => Kind::Plain,
            Kind::Fec | Kind::Dred if self.lost < ENDS => Kind::Plain,
            Kind::Dred if self.burst > SINGLES => Kind::Dred,
            Kind::Plain | Kind::Fec if self.burst > BURSTS => Kind::Dred,
            Kind::Plain | Kind::Fec | Kind::Dred => Kind::Fec,
        };
    }

    /// How to encode from now on.
    pub fn settings(&self) -> EncoderSettings {
        // Short packets double the headers: only where nobody pays for them.
        let short = !self.low_data
            && self.near
            && self.kind == Kind::Plain
            && self.limit.is_none_or(|limit| limit > 200_000);
        let frame = if short { FrameLength::Ten } else { FrameLength::Twenty };
        let budget = match (self.low_data, short) {
            (true, _) => LOW_DATA,
            (false, true) => BUDGET_SHORT,
            (false, false) => BUDGET,
        };
        let headers = HEADERS * if short { 100 } else { 50 };
        // The limit is for all that goes out, headers too.
        let bitrate = self.limit.map_or(budget, |limit| limit.saturating_sub(headers).min(budget));
        let bitrate = match self.kind {
            Kind::Plain | Kind::Fec => bitrate,
            Kind::Dred => (f64::from(bitrate) / DRED_OVERSHOOT) as u32,
        };
        EncoderSettings {
            bitrate,
            frame,
            dtx: true,
            protection: match self.kind {
                Kind::Plain => Protection::Plain,
                Kind::Fec => Protection::Fec,
                Kind::Dred => Protection::Dred(self.depth()),
            },
            loss_percent: (self.lost * 100.0).round() as u8,
            ..EncoderSettings::default()
        }
    }

    /// How far back deep redundancy reaches, in units of 10 ms: two mean bursts of 20 ms packets, since bursts vary as
    /// much as they are long. At most what a listener waits for in a conversation: what comes later is of no use.
    fn depth(&self) -> u8 {
        (self.burst * 2.0 * 2.0).clamp(8.0, 40.0) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(lost: f64, burst: f64) -> Report {
        Report { lost, burst, round_trip: Some(Duration::from_millis(80)), limit: None }
    }

    fn after(reports: &[(usize, Report)]) -> EncoderSettings {
        let mut protector = Protector::new(false);
        for (times, report) in reports {
            (0..*times).for_each(|_| protector.report(report));
        }
        protector.settings()
    }

    #[test]
    fn single_losses_get_fec_and_bursts_get_deep_redundancy() {
        assert_eq!(after(&[(5, line(0.0, 1.0))]).protection, Protection::Plain);
        assert_eq!(after(&[(5, line(0.1, 1.1))]).protection, Protection::Fec);
        assert!(matches!(after(&[(5, line(0.2, 4.0))]).protection, Protection::Dred(10..)));
    }

    #[test]
    fn one_bad_second_is_answered_at_once_and_remembered_for_a_while() {
        let bad = (1, line(0.1, 1.0));
        assert_eq!(after(&[bad]).protection, Protection::Fec);
        assert_eq!(after(&[bad, (5, line(0.0, 1.0))]).protection, Protection::Fec);
        assert_eq!(after(&[bad, (40, line(0.0, 1.0))]).protection, Protection::Plain);
    }

    #[test]
    fn a_line_on_the_edge_does_not_flap() {
        let mut protector = Protector::new(false);
        let mut changes = 0;
        let mut last = protector.settings().protection;
        for n in 0..200 {
            protector.report(&line(if n % 2 == 0 { 0.018 } else { 0.008 }, 1.0));
            let now = protector.settings().protection;
            changes += usize::from(now != last);
            last = now;
        }
        assert!(changes <= 1, "{changes}");
    }

    #[test]
    fn short_packets_are_for_lines_that_are_near_and_lose_nothing() {
        let near = Report { round_trip: Some(Duration::from_millis(10)), ..line(0.0, 1.0) };
        assert_eq!(after(&[(3, near)]).frame, FrameLength::Ten);
        assert_eq!(after(&[(3, Report { lost: 0.05, ..near })]).frame, FrameLength::Twenty);
        assert_eq!(after(&[(3, Report { limit: Some(60_000), ..near })]).frame, FrameLength::Twenty);
    }

    #[test]
    fn a_limit_counts_headers_and_low_data_is_low() {
        let narrow = Report { limit: Some(50_000), ..line(0.0, 1.0) };
        assert_eq!(after(&[(1, narrow)]).bitrate, 50_000 - 50 * HEADERS);
        let mut low = Protector::new(true);
        low.report(&line(0.0, 1.0));
        assert_eq!((low.settings().bitrate, low.settings().frame), (LOW_DATA, FrameLength::Twenty));
    }

    #[test]
    fn figures_that_are_none_change_nothing_for_the_worse() {
        let odd = Report { lost: f64::NAN, burst: f64::INFINITY, round_trip: None, limit: Some(0) };
        let settings = after(&[(3, odd)]);
        assert_eq!((settings.protection, settings.bitrate), (Protection::Plain, 0));
    }
}
