//! How to encode, chosen live from what the other end reports.
//!
//! Losses that stand alone are best met by in-band FEC, which costs little; losses in bursts only by deep redundancy,
//! which costs more. They exclude each other at the rates of a call: each takes its bits from the voice (PESQ wide-band
//! at 32 kbit/s with 10 % random loss: concealment 2.41, FEC 3.54, DRED 2.92; with 20 % in bursts of 4: 1.63, 1.81,
//! 2.48; the two cross at a mean burst of 1.5 to 2; `examples/protection.rs`).
//!
//! A call begins protected, for what is lost before the first report is lost unprotected; clean reports end that soon.
//! How much Opus spends for what it is told depends on the voice and on the protection (0.95 to 1.15 of it), so what was
//! sent is counted and the next second is told so much less or more.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::SAMPLE_RATE;
use crate::opus::{EncoderSettings, FrameLength, Protection};

/// What is known of the line, once a second or so.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Report {
    /// Share of packets that the other end did not get, 0 to 1, since the last report; nothing where it has not told.
    pub lost: Option<f64>,
    /// Mean number of packets lost in a row; 1 where nobody knows.
    pub burst: f64,
    /// There and back; nothing where nobody knows yet.
    pub round_trip: Option<Duration>,
    /// What the other end, or its network, can take at most, in bit/s.
    pub limit: Option<u32>,
}

/// Bits a second for one voice, redundancy included.
const BUDGET: u32 = 32_000;
/// The same in packets of 10 ms, on lines that have it: enough to do without libopus's model of speech, which takes the
/// most processor time of all in a call.
const BUDGET_SHORT: u32 = 64_000;
/// The same with low data.
const LOW_DATA: u32 = 16_000;
/// What headers cost beside a packet: RTP, SRTP, UDP and IPv4, in bits.
const HEADERS: u32 = 8 * (12 + 16 + 8 + 20);

/// Below this libopus finds no bits for deep redundancy: it leaves the voice 12 kbit/s first.
const LEAST_FOR_DRED: u32 = 20_000;
/// A line of which nothing is known yet is taken to lose so much, until so many reports in a row say that it loses nothing.
const PRESUMED: f64 = 0.03;
const CLEAN_REPORTS: u8 = 3;

/// How much more than it is told libopus spends on deep redundancy with most voices, until it is measured.
const DRED_OVERSHOOT: f64 = 1.08;
/// What was spent is reckoned so much higher, so that what varies from second to second stays within the budget too.
const RESERVE: f64 = 1.02;
/// How much a second counts for what is known of the spending, and the bounds of that.
const SETTLE: f64 = 0.25;
const SPENDS: RangeInclusive<f64> = 0.9..=1.5;
/// Less than this, in bits, tells nothing: a quarter of a second of speech.
const TELLING: f64 = 8_000.0;

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
    /// How many more clean reports it takes to believe that the line loses nothing.
    doubted: u8,
    spending: Spending,
}

/// What libopus spends, over what it is told.
#[derive(Debug, Clone, Copy)]
struct Spending {
    /// Since the last report.
    told: f64,
    spent: f64,
    factor: f64,
}

impl Spending {
    const fn of(kind: Kind) -> Self {
        let factor = match kind {
            Kind::Plain | Kind::Fec => 1.0,
            Kind::Dred => DRED_OVERSHOOT,
        };
        Self { told: 0.0, spent: 0.0, factor }
    }

    fn settle(&mut self) {
        if self.told < TELLING {
            return;
        }
        let spends = self.spent / self.told * RESERVE;
        self.factor += SETTLE * (spends.clamp(*SPENDS.start(), *SPENDS.end()) - self.factor);
        (self.told, self.spent) = (0.0, 0.0);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Fec,
    Dred,
}

impl Protector {
    /// Begins as on a line that loses a little, until reports tell.
    pub const fn new(low_data: bool) -> Self {
        Self {
            low_data,
            lost: PRESUMED,
            burst: 1.0,
            near: false,
            limit: None,
            kind: Kind::Fec,
            doubted: CLEAN_REPORTS,
            spending: Spending::of(Kind::Fec),
        }
    }

    /// Spends as little as a voice can be understood with, or not.
    pub const fn set_low_data(&mut self, low_data: bool) {
        self.low_data = low_data;
    }

    /// A packet was sent: `bytes` of Opus for `samples` of sound.
    pub fn sent(&mut self, bytes: usize, samples: usize) {
        self.spending.told += f64::from(self.settings().bitrate) * samples as f64 / f64::from(SAMPLE_RATE);
        self.spending.spent += 8.0 * bytes as f64;
    }

    /// Takes a report in: once a second, also where the other end has told nothing.
    pub fn report(&mut self, report: &Report) {
        self.near = report.round_trip.is_some_and(|trip| trip < NEAR);
        self.limit = report.limit;
        if let Some(lost) = report.lost {
            self.lose(if lost.is_finite() { lost.clamp(0.0, 1.0) } else { 0.0 }, report.burst);
        }
        let kind = self.kind_for_losses();
        if kind == self.kind {
            self.spending.settle();
        } else {
            self.spending = Spending::of(kind);
        }
        self.kind = kind;
    }

    fn lose(&mut self, lost: f64, burst: f64) {
        let weight = if lost > self.lost { WORSE } else { BETTER };
        self.lost += weight * (lost - self.lost);
        if lost > 0.0 {
            self.doubted = 0;
            if burst.is_finite() {
                self.burst += 0.3 * (burst.clamp(1.0, 50.0) - self.burst);
            }
        } else if self.doubted > 0 {
            self.doubted -= 1;
            self.lost = if self.doubted == 0 { 0.0 } else { PRESUMED };
        }
    }

    fn kind_for_losses(&self) -> Kind {
        match self.kind {
            Kind::Plain if self.lost < BEGINS => Kind::Plain,
            Kind::Fec | Kind::Dred if self.lost < ENDS => Kind::Plain,
            Kind::Plain | Kind::Fec | Kind::Dred if self.budget() < LEAST_FOR_DRED => Kind::Fec,
            Kind::Dred if self.burst > SINGLES => Kind::Dred,
            Kind::Plain | Kind::Fec if self.burst > BURSTS => Kind::Dred,
            Kind::Plain | Kind::Fec | Kind::Dred => Kind::Fec,
        }
    }

    /// Short packets double the headers: only where nobody pays for them.
    fn is_short(&self) -> bool {
        let wide = self.limit.is_none_or(|limit| limit > 200_000);
        !self.low_data && self.near && self.kind == Kind::Plain && wide
    }

    /// What Opus may spend. The limit is for all that goes out, headers too.
    fn budget(&self) -> u32 {
        let (budget, packets) = match (self.low_data, self.is_short()) {
            (true, _) => (LOW_DATA, 50),
            (false, true) => (BUDGET_SHORT, 100),
            (false, false) => (BUDGET, 50),
        };
        self.limit.map_or(budget, |limit| limit.saturating_sub(HEADERS * packets).min(budget))
    }

    /// How to encode from now on.
    pub fn settings(&self) -> EncoderSettings {
        let frame = if self.is_short() { FrameLength::Ten } else { FrameLength::Twenty };
        // In whole hundreds: smaller steps change nothing but the settings.
        let bitrate = (f64::from(self.budget()) / self.spending.factor / 100.0) as u32 * 100;
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

    /// How far back deep redundancy reaches, in units of 10 ms: three mean bursts of 20 ms packets, since bursts vary as
    /// much as they are long. At most what a listener waits for in a conversation: what comes later is of no use.
    fn depth(&self) -> u8 {
        (self.burst * 3.0 * 2.0).clamp(8.0, 40.0) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(lost: f64, burst: f64) -> Report {
        Report { lost: Some(lost), burst, round_trip: Some(Duration::from_millis(80)), limit: None }
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
    fn a_call_begins_protected_until_the_line_is_known_to_be_clean() {
        let mut protector = Protector::new(false);
        let silent = Report { lost: None, ..line(0.0, 1.0) };
        (0..30).for_each(|_| protector.report(&silent));
        assert_eq!(protector.settings().protection, Protection::Fec, "nobody has told");
        (0..2).for_each(|_| protector.report(&line(0.0, 1.0)));
        assert_eq!(protector.settings().protection, Protection::Fec, "two seconds may be luck");
        protector.report(&line(0.0, 1.0));
        assert_eq!(protector.settings().protection, Protection::Plain);

        let mut lossy = Protector::new(false);
        [0.05, 0.0, 0.0, 0.04].into_iter().for_each(|lost| lossy.report(&line(lost, 1.0)));
        assert_eq!(lossy.settings().protection, Protection::Fec);
    }

    #[test]
    fn whatever_opus_makes_of_it_the_budget_is_kept() {
        for (lost, burst, spends) in [(0.0, 1.0, 1.06), (0.1, 1.0, 0.95), (0.2, 4.0, 1.2), (0.2, 4.0, 1.0)] {
            let mut protector = Protector::new(false);
            let mut second = || {
                let told = f64::from(protector.settings().bitrate);
                (0..50).for_each(|_| protector.sent((told * spends / 8.0 / 50.0) as usize, 960));
                protector.report(&line(lost, burst));
                told * spends
            };
            let settled = (0..30).map(|_| second()).last().unwrap_or(0.0);
            assert!((30_000.0..=32_000.0).contains(&settled), "{spends}: {settled}");
        }
    }

    #[test]
    fn a_pause_tells_nothing_of_what_a_voice_costs() {
        let mut protector = Protector::new(false);
        let before = protector.settings().bitrate;
        for _ in 0..60 {
            protector.sent(2, 960);
            protector.report(&line(0.05, 1.0));
        }
        assert!(protector.settings().bitrate <= before * 11 / 10);
    }

    #[test]
    fn where_bits_are_too_few_for_deep_redundancy_bursts_get_fec() {
        let narrow = Report { limit: Some(40_000), ..line(0.2, 4.0) };
        assert_eq!(after(&[(5, narrow)]).protection, Protection::Fec);
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
        assert_eq!(after(&[(3, Report { lost: Some(0.05), ..near })]).frame, FrameLength::Twenty);
        assert_eq!(after(&[(3, Report { limit: Some(60_000), ..near })]).frame, FrameLength::Twenty);
    }

    #[test]
    fn a_limit_counts_headers_and_low_data_is_low() {
        let narrow = Report { limit: Some(50_000), ..line(0.0, 1.0) };
        assert_eq!(after(&[(1, narrow)]).bitrate, (50_000 - 50 * HEADERS) / 100 * 100);
        let mut low = Protector::new(true);
        low.report(&line(0.0, 1.0));
        assert_eq!((low.settings().bitrate, low.settings().frame), (LOW_DATA, FrameLength::Twenty));
    }

    #[test]
    fn figures_that_are_none_change_nothing_for_the_worse() {
        let odd = Report { lost: Some(f64::NAN), burst: f64::INFINITY, round_trip: None, limit: Some(0) };
        let settings = after(&[(3, odd)]);
        assert_eq!((settings.protection, settings.bitrate), (Protection::Plain, 0));
    }
}
