//! The goals, on simulated lines.

use std::time::{Duration, Instant};

use super::lines::{Controller, Flow, World};
use super::{Estimator, LEAST, MOST, Report};

fn ours(now: Instant) -> Box<dyn Controller> {
    Box::new(Estimator::new(now))
}

type Make = fn(Instant) -> Box<dyn Controller>;

fn call(make: Make, line: &str) -> World {
    let mut world = World::new(line, 7);
    world.call(make(world.now));
    world
}

const MS: Duration = Duration::from_millis(1);

impl World {
    fn since(&self, seconds: f64) -> Instant {
        self.now - Duration::from_secs_f64(seconds)
    }
}

impl Flow {
    /// Share of `rate` that came from then to then.
    fn used(&self, rate: f64, from: Instant, to: Instant) -> f64 {
        let bytes: usize =
            self.came.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, size)| size).sum();
        bytes as f64 * 8.0 / (to - from).as_secs_f64() / rate
    }

    /// When it first came to that share of `rate`, over half a second.
    fn reaches(&self, share: f64, rate: f64, from: Instant, to: Instant) -> Option<Duration> {
        let mut end = from + 500 * MS;
        while end <= to {
            if self.used(rate, end - 500 * MS, end) >= share {
                return Some(end - from);
            }
            end += 50 * MS;
        }
        None
    }

    /// The queue that packets of sound found, in milliseconds, sorted.
    fn queues(&self, delay: Duration, from: Instant, to: Instant) -> Vec<f64> {
        let sound = self.sound.iter().filter(|(sent, _)| (from..to).contains(sent));
        let mut queues: Vec<_> =
            sound.map(|(_, took)| took.saturating_sub(delay).as_secs_f64() * 1e3).collect();
        queues.sort_by(f64::total_cmp);
        queues
    }

    /// The last time from `from` on that sound took longer than `limit`.
    fn sound_late_until(&self, limit: Duration, from: Instant) -> Duration {
        let late = self.sound.iter().filter(|(sent, took)| *sent >= from && *took > limit);
        late.map(|(sent, took)| *sent + *took - from).max().unwrap_or_default()
    }

    /// Of the pictures shown from then on: how late the latest, until when any was later than `limit`, and the longest
    /// time without one.
    fn lateness(&self, limit: Duration, from: Instant) -> (Duration, Duration, Duration) {
        // One that comes when a later one has been shown is not shown any more.
        let mut later = None;
        let mut shown = Vec::new();
        for frame in self.frames.iter().rev().take_while(|frame| frame.captured >= from) {
            let Some(at) = frame.shown.filter(|at| later.is_none_or(|later| *at <= later)) else { continue };
            later = Some(at);
            shown.push((frame.captured, at));
        }
        let shown = || shown.iter().copied();
        let worst = shown().map(|(captured, shown)| shown - captured).max().unwrap_or_default();
        let until = shown()
            .filter(|(captured, shown)| *shown - *captured > limit)
            .map(|(_, shown)| shown - from)
            .max();
        let mut times: Vec<_> = shown().map(|(_, shown)| shown).collect();
        times.sort();
        let freeze = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
        (worst, until.unwrap_or_default(), freeze)
    }
}

fn at(values: &[f64], share: f64) -> f64 {
    values.get(((values.len() as f64 - 1.0) * share) as usize).copied().unwrap_or(0.0)
}

const DELAY: Duration = Duration::from_millis(25);
/// Playout and devices take some 60 ms: 150 ms from mouth to ear.
const SOUND_LATE: Duration = Duration::from_millis(90);

/// All goals as one line of figures each; what `cargo test rate::tests::figures -- --nocapture --ignored` prints.
fn figures(name: &str, make: Make) {
    println!("== {name}");
    let mut world = call(make, "rate=2M queue=300ms delay=25ms");
    world.run(12.0);
    let flow = &world.flows[0];
    let start = flow.reaches(0.9, 2e6, world.start, world.now);
    let queue = flow.queues(DELAY, world.start, world.start + 4_000 * MS);
    let (worst, _, freeze) = flow.lateness(150 * MS, world.start);
    println!(
        "start 2M: 90 % after {start:?}, queue max {:.0}, worst frame {worst:?}, freeze {freeze:?}",
        at(&queue, 1.0)
    );
    world.run(8.0);
    world.change("rate=600k");
    let from = world.now;
    world.run(10.0);
    let flow = &world.flows[0];
    let (worst, until, freeze) = flow.lateness(150 * MS, from - 500 * MS);
    let sound = flow.sound_late_until(SOUND_LATE, from);
    let used = flow.used(600e3, world.since(7.0), world.now);
    println!(
        "drop to 600k: sound worst {:.0} worst frame {worst:?}, > 150 ms until {until:?} after, freeze {freeze:?}, sound late until {sound:?}, then used {:.0} %, dropped {}",
        at(&flow.queues(DELAY, from, from + 2_000 * MS), 1.0),
        used * 100.0,
        flow.dropped
    );
    world.change("rate=2M");
    let from = world.now;
    world.run(15.0);
    let flow = &world.flows[0];
    let back = flow.reaches(0.8, 2e6, from, world.now);
    let (worst, _, freeze) = flow.lateness(150 * MS, from);
    println!("back to 2M: 80 % after {back:?}, worst frame {worst:?}, freeze {freeze:?}");
    for (rate, text) in [(300e3, "300k"), (600e3, "600k"), (1e6, "1M"), (2e6, "2M"), (4e6, "4M")] {
        let mut world = call(make, &format!("rate={text} queue=300ms delay=25ms"));
        world.run(40.0);
        let flow = &world.flows[0];
        let used = flow.used(rate, world.since(30.0), world.now);
        let queue = flow.queues(DELAY, world.since(30.0), world.now);
        let (worst, _, freeze) = flow.lateness(150 * MS, world.since(30.0));
        println!(
            "steady {text}: used {:.0} %, queue median {:.0}, 95 % {:.0}, max {:.0}, worst frame {worst:?}, freeze {freeze:?}, dropped {}",
            used * 100.0,
            at(&queue, 0.5),
            at(&queue, 0.95),
            at(&queue, 1.0),
            flow.dropped
        );
    }
    for later in [0.0, 10.0] {
        let mut world = call(make, "rate=3M queue=300ms delay=25ms");
        world.run(later);
        world.call(make(world.now));
        world.run(15.0);
        let then = world.now;
        world.run(30.0);
        let rates: Vec<_> = world.flows.iter().map(|flow| flow.used(1e3, then, world.now).round()).collect();
        let least: Vec<_> = world
            .flows
            .iter()
            .map(|flow| {
                (0..30)
                    .map(|n| flow.used(1e3, then + n * 1_000 * MS, then + (n + 1) * 1_000 * MS).round())
                    .fold(f64::MAX, f64::min)
            })
            .collect();
        let queue = world.flows[0].queues(DELAY, then, world.now);
        println!(
            "two on 3M, one {later} s later: {rates:?} kbit/s after 15 s, least second {least:?}, queue median {:.0}, 95 % {:.0}",
            at(&queue, 0.5),
            at(&queue, 0.95)
        );
    }
    for line in [
        "loss=2",
        "loss=10",
        "loss=10 burst=6",
        "jitter=10ms",
        "jitter=30ms",
        "jitter=30ms order=keep",
        "jitter=30ms delay=100ms",
        "rate=2M queue=40ms",
        "rate=2M loss=2",
        "rate=1M jitter=20ms",
        "rate=2M loss=10 burst=6",
    ] {
        let mut world = call(
            make,
            &format!(
                "{}{}{line}",
                if line.contains("queue") { "" } else { "queue=300ms " },
                if line.contains("delay") { "" } else { "delay=25ms " }
            ),
        );
        world.run(30.0);
        let flow = &world.flows[0];
        let target = at(
            &{
                let mut t: Vec<_> =
                    flow.targets.iter().filter(|(at, _)| *at >= world.since(15.0)).map(|t| t.1).collect();
                t.sort_by(f64::total_cmp);
                t
            },
            0.5,
        );
        let queue = flow.queues(DELAY, world.since(15.0), world.now);
        let (worst, _, freeze) = flow.lateness(150 * MS, world.since(20.0));
        println!(
            "{line}: came {:.0} kbit/s, target now {:.0}, median {:.0}, queue median {:.0}, worst frame {worst:?}, freeze {freeze:?}",
            flow.used(1e3, world.since(15.0), world.now),
            flow.controller.target() / 1e3,
            target / 1e3,
            at(&queue, 0.5)
        );
    }
}

#[test]
#[ignore = "prints figures"]
fn our_drops() {
    for (delay, before, after) in
        [(10, "2M", "600k"), (25, "2M", "600k"), (25, "4M", "1M"), (60, "2M", "600k")]
    {
        for n in 0..8 {
            let mut world = call(ours, &format!("rate={before} queue=300ms delay={delay}ms"));
            world.run(10.0 + 0.0171 * f64::from(n));
            world.change(&format!("rate={after}"));
            let from = world.now;
            world.run(6.0);
            let flow = &world.flows[0];
            let (late, until, freeze) = flow.lateness(150 * MS, from - 500 * MS);
            let sound = flow.queues(delay * MS, from, from + 2_000 * MS);
            println!(
                "{before} to {after}, {delay} ms: sound queues {:.0}, is late until {:?}; worst picture {late:?}, late until {until:?}, freeze {freeze:?}",
                at(&sound, 1.0),
                flow.sound_late_until(SOUND_LATE, from)
            );
        }
    }
}

#[test]
#[ignore = "prints figures"]
fn our_figures() {
    figures("ours", ours);
}

/// The worst of eight moments at which the line gets narrow: the lateness of a picture, until when any was later than
/// 150 ms, the longest time without one, and until when sound was late.
fn drop(make: Make, before: &str, after: &str) -> [Duration; 4] {
    let mut worst = [Duration::ZERO; 4];
    for n in 0..8 {
        let mut world = call(make, &format!("rate={before} queue=300ms delay=25ms"));
        world.run(10.0 + 0.017 * f64::from(n));
        world.change(&format!("rate={after}"));
        let from = world.now;
        world.run(6.0);
        let flow = &world.flows[0];
        let (late, until, freeze) = flow.lateness(150 * MS, from - 500 * MS);
        let sound = flow.sound_late_until(SOUND_LATE, from);
        for (worst, found) in worst.iter_mut().zip([late, until, freeze, sound]) {
            *worst = found.max(*worst);
        }
    }
    worst
}

#[test]
fn a_line_is_found_within_four_seconds_and_without_a_queue() {
    let mut world = call(ours, "rate=2M queue=300ms delay=25ms");
    world.run(5.0);
    let flow = &world.flows[0];
    let start = flow.reaches(0.9, 2e6, world.start, world.now).unwrap();
    assert!(start < Duration::from_secs(4), "{start:?}");
    assert!(at(&flow.queues(DELAY, world.start, world.now), 1.0) < 100.0);
}

#[test]
fn a_line_that_gets_narrow_delays_pictures_and_sound_for_a_moment() {
    for (before, after, longest) in [("2M", "600k", 300 * MS), ("4M", "1M", 600 * MS)] {
        let [worst, until, freeze, sound] = drop(ours, before, after);
        assert!(worst < 600 * MS && freeze < longest, "{before}: {worst:?} {freeze:?}");
        assert!(until < 3_000 * MS && sound < 2_500 * MS, "{before}: {until:?} {sound:?}");
    }
}

#[test]
fn a_line_that_comes_back_is_used_within_eight_seconds() {
    let mut world = call(ours, "rate=600k queue=300ms delay=25ms");
    world.run(20.0);
    world.change("rate=2M");
    let from = world.now;
    world.run(8.0);
    let back = world.flows[0].reaches(0.8, 2e6, from, world.now);
    assert!(back.is_some_and(|back| back < Duration::from_secs(4)), "{back:?}");
}

#[test]
fn a_steady_line_is_used_without_a_queue() {
    for (rate, text) in [(300e3, "300k"), (600e3, "600k"), (1e6, "1M"), (2e6, "2M"), (4e6, "4M")] {
        let mut world = call(ours, &format!("rate={text} queue=300ms delay=25ms"));
        world.run(40.0);
        let flow = &world.flows[0];
        let used = flow.used(rate, world.since(30.0), world.now);
        let queue = at(&flow.queues(DELAY, world.since(30.0), world.now), 0.5);
        assert!(used > 0.85 && queue < 40.0, "{text}: {used} {queue}");
    }
}

#[test]
fn two_calls_share_a_line_whoever_came_first() {
    for later in [0.0, 10.0] {
        let mut world = call(ours, "rate=3M queue=300ms delay=25ms");
        world.run(later);
        world.call(ours(world.now));
        world.run(15.0);
        let then = world.now;
        world.run(30.0);
        for flow in &world.flows {
            let used = flow.used(1e6, then, world.now);
            assert!(used > 1.0, "{later}: {used}");
        }
    }
}

#[test]
fn losses_and_jitter_do_not_starve_a_call() {
    for (line, least) in
        [("loss=2", 4e6), ("loss=10 burst=6", 1e6), ("jitter=30ms", 2e6), ("jitter=30ms order=keep", 2e6)]
    {
        let mut world = call(ours, &format!("queue=300ms delay=25ms {line}"));
        world.run(30.0);
        let used = world.flows[0].used(1.0, world.since(15.0), world.now);
        assert!(used > least, "{line}: {used}");
    }
}

#[test]
fn a_short_buffer_is_no_reason_to_lose_packets_for_ever() {
    let mut world = call(ours, "rate=2M queue=40ms delay=25ms");
    world.run(10.0);
    let lost = world.line.statistics().full;
    world.run(20.0);
    assert!(world.line.statistics().full - lost < 20, "{}", world.line.statistics().full - lost);
    assert!(world.flows[0].used(2e6, world.since(20.0), world.now) > 0.85);
}

#[test]
fn an_outage_brings_it_down_and_it_comes_back() {
    let mut world = call(ours, "rate=2M queue=300ms delay=25ms");
    world.run(8.0);
    world.change("cut");
    world.run(4.0);
    assert!(world.flows[0].controller.target() < 100e3);
    world.change("mend");
    world.run(6.0);
    assert!(world.flows[0].used(2e6, world.since(1.0), world.now) > 0.8);
}

#[test]
fn an_encoder_that_makes_little_is_not_promised_everything() {
    let mut world = call(ours, "rate=1M queue=300ms delay=25ms");
    world.flows[0].most = 200e3;
    world.run(20.0);
    assert!(world.flows[0].controller.target() < 1.2e6);
    let from = world.now;
    world.flows[0].most = f64::INFINITY;
    world.run(5.0);
    assert!(at(&world.flows[0].queues(DELAY, from, world.now), 1.0) < 200.0);
}

#[test]
fn lies_are_bounded() {
    let now = Instant::now();
    let mut estimator = Estimator::new(now);
    let arrivals =
        [Duration::ZERO, Duration::from_secs(u32::MAX.into()), Duration::MAX, Duration::from_nanos(1)];
    for n in 0..8_000_u32 {
        let now = now + Duration::from_millis(u64::from(n) * 10);
        let arrival = Some(arrivals[n as usize / 3 % 4]);
        let report = Report { departure: now, arrival, size: usize::MAX / 8, train: Some(n / 5) };
        estimator.on_reports(now, &[report, report, Report { arrival: None, ..report }]);
        assert!((LEAST..=MOST).contains(&estimator.target()), "{}", estimator.target());
    }
    assert!(estimator.delays.remembered() < 1_000 && estimator.arrivals.remembered() <= 8_192);
}
