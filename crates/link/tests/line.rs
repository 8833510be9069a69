//! What a line does to packets, by a virtual clock.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::{Duration, Instant};

use carillon_link::{Change, Fate, Line, Plan, Script, Settings};
use proptest::prelude::*;

fn plan(settings: &str, script: &str) -> Plan {
    let mut change = Change::default();
    for word in settings.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap();
        change.set(name, value).unwrap();
    }
    let mut settings = Settings::default();
    change.apply(&mut settings);
    Plan::new(settings, Script::parse(script).unwrap()).unwrap()
}

/// A line with its clock.
struct Clocked {
    line: Line<u64>,
    start: Instant,
    /// When which packet came out, in milliseconds.
    out: Vec<(f64, u64)>,
}

impl Clocked {
    fn new(settings: &str, script: &str, seed: u64) -> Self {
        let start = Instant::now();
        Self { line: Line::new(plan(settings, script), seed, start), start, out: Vec::new() }
    }

    fn at(&self, millis: f64) -> Instant {
        self.start + Duration::from_secs_f64(millis / 1e3)
    }

    fn send(&mut self, millis: f64, bytes: usize, packet: u64) -> Fate {
        self.run_to(millis);
        self.line.send(self.at(millis), bytes, packet)
    }

    /// Only wakes when the line says so: what comes out must not need more.
    fn run_to(&mut self, millis: f64) {
        while let Some(next) = self.line.poll_timeout().filter(|next| *next <= self.at(millis)) {
            while let Some((due, packet)) = self.line.poll_due(next) {
                let at = (due - self.start).as_secs_f64() * 1e3;
                assert!(due <= next, "nothing comes out before its time");
                self.out.push((at, packet));
            }
        }
    }

    /// One packet of so many bytes every so often.
    fn stream(&mut self, count: u64, every_millis: f64, bytes: usize) {
        for packet in 0..count {
            self.send(packet as f64 * every_millis, bytes, packet);
        }
    }

    fn finish(mut self) -> Vec<(f64, u64)> {
        self.run_to(1e9);
        assert_eq!(self.line.poll_timeout(), None);
        self.out
    }
}

#[test]
fn a_perfect_line_delivers_at_once() {
    let mut line = Clocked::new("", "", 1);
    assert_eq!(line.send(5.0, 100, 7), Fate::UnderWay);
    assert_eq!(line.finish(), [(5.0, 7)]);
}

#[test]
fn delay_is_the_same_for_all_without_jitter() {
    let mut line = Clocked::new("delay=40", "", 1);
    line.stream(100, 10.0, 100);
    for (at, packet) in line.finish() {
        assert!((at - packet as f64 * 10.0 - 40.0).abs() < 1e-5, "{packet} at {at}");
    }
}

#[test]
fn jitter_is_normal_around_the_delay() {
    let mut line = Clocked::new("delay=200 jitter=30", "", 5);
    line.stream(20_000, 10.0, 100);
    let delays: Vec<f64> = line.finish().iter().map(|(at, packet)| at - *packet as f64 * 10.0).collect();
    let mean = delays.iter().sum::<f64>() / delays.len() as f64;
    let deviation =
        (delays.iter().map(|delay| (delay - mean).powi(2)).sum::<f64>() / delays.len() as f64).sqrt();
    assert!((mean - 200.0).abs() < 1.0, "{mean}");
    assert!((deviation - 30.0).abs() < 1.0, "{deviation}");
    let beyond = |deviations: f64| {
        delays.iter().filter(|delay| (*delay - 200.0).abs() > 30.0 * deviations).count() as f64
            / delays.len() as f64
    };
    assert!((beyond(1.0) - 0.3173).abs() < 0.01, "{}", beyond(1.0));
    assert!((beyond(2.0) - 0.0455).abs() < 0.005, "{}", beyond(2.0));
}

#[test]
fn no_packet_travels_less_than_no_time() {
    let mut line = Clocked::new("jitter=30", "", 5);
    line.stream(1000, 10.0, 100);
    let out = line.finish();
    assert_eq!(out.len(), 1000);
    assert!(out.iter().all(|(at, packet)| *at >= *packet as f64 * 10.0 - 1e-6));
}

#[test]
fn jitter_lets_packets_overtake_unless_the_order_is_kept() {
    let numbers = |settings| {
        let mut line = Clocked::new(settings, "", 5);
        line.stream(1000, 10.0, 100);
        line.run_to(1e6);
        let overtaken = line.line.statistics().overtaken;
        (line.finish().iter().map(|(_, packet)| *packet).collect::<Vec<_>>(), overtaken)
    };
    let (any, overtaken) = numbers("delay=100 jitter=30");
    assert!(!any.is_sorted() && overtaken > 100);
    let (kept, overtaken) = numbers("delay=100 jitter=30 order=keep");
    assert!(kept.is_sorted());
    assert_eq!((kept.len(), overtaken), (1000, 0));
}

#[test]
fn a_rate_spaces_packets_by_the_time_of_their_bits() {
    // 1000 bytes at 800 kbit/s take 10 ms.
    let mut line = Clocked::new("rate=800k queue=1s delay=5", "", 1);
    for packet in 0..10 {
        assert_eq!(line.send(0.0, 1000, packet), Fate::UnderWay);
    }
    for (at, packet) in line.finish() {
        assert!((at - (packet + 1) as f64 * 10.0 - 5.0).abs() < 1e-5, "{packet} at {at}");
    }
}

#[test]
fn more_than_the_rate_is_dropped_at_the_tail_of_the_queue() {
    let mut line = Clocked::new("rate=800k queue=200ms", "", 1);
    // Twice the rate for 10 s.
    line.stream(2000, 5.0, 1000);
    line.run_to(1e6);
    let statistics = line.line.statistics().clone();
    assert_eq!(statistics.delivered + statistics.full, 2000);
    assert!((statistics.delivered as f64 - 1000.0).abs() <= 22.0, "{}", statistics.delivered);
    assert!(statistics.wait.longest().unwrap() <= Duration::from_millis(201));
    assert!(statistics.wait.percentile(50.0).unwrap() >= Duration::from_millis(190));
    let used = statistics.used(Duration::from_secs(1), Duration::from_secs(9)).unwrap();
    assert!((used - 1.0).abs() < 0.01, "{used}");
}

#[test]
fn a_slower_rate_holds_for_what_is_queued_already() {
    let mut line = Clocked::new("rate=800k queue=1s", "at 25ms rate=80k", 1);
    for packet in 0..4 {
        line.send(0.0, 1000, packet);
    }
    let out: Vec<f64> = line.finish().iter().map(|(at, _)| *at).collect();
    // Half of the third packet is left at 25 ms: 4000 bits at 80 kbit/s take 50 ms.
    for (at, expected) in out.iter().zip([10.0, 20.0, 75.0, 175.0]) {
        assert!((at - expected).abs() < 1e-4, "{out:?}");
    }
}

#[test]
fn a_rate_that_is_taken_away_empties_the_queue() {
    let mut line = Clocked::new("rate=8k queue=10s", "at 1s rate=none", 1);
    line.send(0.0, 5000, 0);
    line.send(0.0, 1000, 1);
    assert_eq!(line.finish(), [(1000.0, 0), (1000.0, 1)]);
}

#[test]
fn duplicates_arrive_twice() {
    let mut line = Clocked::new("duplicate=10", "", 1);
    line.stream(10_000, 1.0, 100);
    line.run_to(1e6);
    let copied = line.line.statistics().copied;
    assert!((copied as f64 - 1000.0).abs() < 100.0, "{copied}");
    assert_eq!(line.finish().len() as u64, 10_000 + copied);
}

#[test]
fn a_script_cuts_and_mends() {
    let mut line = Clocked::new("delay=50", "at 1s cut\nat 2s mend delay=10", 1);
    line.stream(300, 10.0, 100);
    line.run_to(1e6);
    assert_eq!(line.line.statistics().cut, 100);
    let out = line.finish();
    // What was under way arrives.
    assert!(out.iter().any(|(at, packet)| *packet == 99 && (*at - 1040.0).abs() < 1e-6));
    assert!(out.iter().any(|(at, packet)| *packet == 200 && (*at - 2010.0).abs() < 1e-6));
    assert!(!out.iter().any(|(_, packet)| (100..200).contains(packet)));
}

#[test]
fn a_restart_begins_the_script_again() {
    let mut line = Clocked::new("", "at 1s cut", 1);
    assert_eq!(line.send(2000.0, 1, 0), Fate::Cut);
    let now = line.at(3000.0);
    line.line.restart(now);
    assert_eq!(line.send(3500.0, 1, 1), Fate::UnderWay);
    assert_eq!(line.send(4000.0, 1, 2), Fate::Cut);
    assert_eq!(line.line.statistics().sent, 2);
}

#[test]
fn time_that_goes_back_stands_still() {
    let mut line = Clocked::new("delay=10", "", 1);
    line.send(100.0, 1, 0);
    let earlier = line.at(50.0);
    line.line.send(earlier, 1, 1);
    assert_eq!(line.finish(), [(110.0, 0), (110.0, 1)]);
}

proptest! {
    /// Which packets are lost depends on the seed and their number alone: not on time, size, delay or rate.
    #[test]
    fn the_same_seed_loses_the_same_packets(seed: u64, every in 0.1..30.0_f64, bytes in 1..1500_usize) {
        let lost = |settings: &str, every, bytes| {
            let mut line = Clocked::new(settings, "", seed);
            (0..500)
                .filter(|packet| line.send(*packet as f64 * every, bytes, *packet) == Fate::Lost)
                .collect::<Vec<_>>()
        };
        prop_assert_eq!(
            lost("loss=20 burst=4", 10.0, 100),
            lost("loss=20 burst=4 delay=30 jitter=10 rate=1M duplicate=5", every, bytes)
        );
    }

    #[test]
    fn the_same_seed_and_packets_give_the_same_run(seed: u64) {
        let run = || {
            let mut line =
                Clocked::new("loss=5 burst=3 delay=40 jitter=20 rate=300k queue=100 duplicate=2", "at 1s rate=90k", seed);
            line.stream(300, 10.0, 300);
            line.finish()
        };
        prop_assert_eq!(run(), run());
    }

    /// Every packet comes out, or is counted as what became of it; and none waited longer than the queue allows.
    #[test]
    fn nothing_is_lost_track_of(
        seed: u64,
        loss in 0..40_u32,
        rate in 20..2000_u32,
        queue in 0..500_u32,
        jitter in 0..50_u32,
        packets in prop::collection::vec((0..40_u32, 0..1500_usize), 1..300),
    ) {
        let settings =
            format!("loss={loss} burst=3 rate={rate}k queue={queue} jitter={jitter} delay=30 duplicate=3");
        let mut line = Clocked::new(&settings, "", seed);
        let mut at = 0.0;
        for (number, (gap, bytes)) in (0..).zip(&packets) {
            at += f64::from(*gap);
            line.send(at, *bytes, number);
        }
        line.run_to(1e9);
        let statistics = line.line.statistics().clone();
        prop_assert_eq!(statistics.sent, packets.len() as u64);
        prop_assert!(statistics.delivered >= statistics.sent - statistics.lost - statistics.full);
        prop_assert!(statistics.delivered <= statistics.sent - statistics.lost + statistics.copied);
        let longest = statistics.wait.longest().unwrap_or_default();
        prop_assert!(longest <= Duration::from_millis(u64::from(queue)) + Duration::from_micros(1), "{:?}", longest);
        prop_assert_eq!(line.finish().len() as u64, statistics.delivered);
    }

    /// In no stretch of time does more come out than the rate lets through, but for the packet that passes.
    #[test]
    fn the_rate_is_never_exceeded(
        rate in 20..2000_u32,
        packets in prop::collection::vec((0..20_u32, 1..1500_usize), 1..200),
    ) {
        let mut line = Clocked::new(&format!("rate={rate}k queue=1s"), "", 1);
        let mut at = 0.0;
        for (number, (gap, bytes)) in (0..).zip(&packets) {
            at += f64::from(*gap);
            line.send(at, *bytes, number);
        }
        let out = line.finish();
        for pair in out.windows(2) {
            let bits = packets[pair[1].1 as usize].1 as f64 * 8.0;
            prop_assert!(pair[1].0 - pair[0].0 >= bits / f64::from(rate) - 1e-4, "{:?}", pair);
        }
    }

    #[test]
    fn no_text_is_too_odd_for_a_script(text in ".{0,200}") {
        let _ = Script::parse(&text);
    }
}
