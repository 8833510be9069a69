//! An encoder, the pacer's spacing, and a line with a queue, on a virtual clock.

use std::collections::VecDeque;

use super::*;

const MILLISECOND: Duration = Duration::from_millis(1);
const PACKET: usize = 1_100;

/// A line: a rate, a queue that holds so much, a delay each way, and losses.
struct Line {
    rate: f64,
    queue: Duration,
    delay: Duration,
    loss: f64,
    /// Standard deviation of what each packet takes longer, in milliseconds.
    jitter: f64,
    busy: Instant,
    random: u64,
}

impl Line {
    /// When a packet comes, or that it does not.
    fn carry(&mut self, size: usize, now: Instant) -> Option<Instant> {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let waits = self.busy.saturating_duration_since(now);
        if waits > self.queue || (self.random >> 40) as f64 / 16_777_216.0 < self.loss {
            return None;
        }
        self.busy = self.busy.max(now) + Duration::from_secs_f64(size as f64 * 8.0 / self.rate);
        // The sum of three even numbers is near enough to a bell.
        let mut bell = 0.0;
        for shift in [3, 17, 41] {
            bell += (self.random.rotate_left(shift) >> 40) as f64 / 16_777_216.0 * 2.0 - 1.0;
        }
        let more = (bell + 3.0) * self.jitter;
        Some(self.busy + self.delay + Duration::from_secs_f64(more / 1e3))
    }

    fn waits(&self, now: Instant) -> f64 {
        self.busy.saturating_duration_since(now).as_secs_f64() * 1e3
    }
}

struct Flow {
    estimator: Estimator,
    /// What the encoder makes: it follows with a frame's delay or ten.
    encodes: f64,
    /// Most that it makes of what it may.
    most: f64,
    next_frame: Instant,
    pending: VecDeque<(Instant, usize)>,
    /// What the other side has not told yet.
    untold: Vec<Report>,
    told: VecDeque<(Instant, Vec<Report>)>,
    next_feedback: Instant,
    sent: Vec<(Instant, usize)>,
}

impl Flow {
    fn new(now: Instant) -> Self {
        Self {
            estimator: Estimator::new(now),
            encodes: FIRST,
            most: f64::INFINITY,
            next_frame: now,
            pending: VecDeque::new(),
            untold: Vec::new(),
            told: VecDeque::new(),
            next_feedback: now + Duration::from_millis(50),
            sent: Vec::new(),
        }
    }

    fn step(&mut self, line: &mut Line, start: Instant, now: Instant) {
        if now >= self.next_frame {
            self.next_frame += Duration::from_micros(33_333);
            let target = self.estimator.target().min(self.most);
            self.encodes += 0.3 * (target - self.encodes);
            let bytes = (self.encodes.min(target * 1.1) / 30.0 / 8.0) as usize;
            let packets = bytes.div_ceil(PACKET).max(1);
            // Spread at twice the rate.
            let gap = Duration::from_secs_f64(1.0 / 60.0 / packets as f64);
            for n in 0..packets {
                self.pending.push_back((now + gap * n as u32, bytes / packets));
            }
        }
        while let Some((at, size)) = self.pending.front().copied().filter(|(at, _)| *at <= now) {
            self.pending.pop_front();
            self.sent.push((now, size));
            let came = line.carry(size, now);
            let arrival = came.map(|came| came - start + Duration::from_secs(1_000));
            self.untold.push(Report { departure: at, arrival, size });
        }
        if now >= self.next_feedback {
            self.next_feedback += Duration::from_millis(50);
            let by = now - start + Duration::from_secs(1_000);
            // Told is what has come by now, and what was lost before it.
            let last =
                self.untold.iter().rposition(|report| report.arrival.is_some_and(|arrival| arrival <= by));
            let told: Vec<_> = self.untold.drain(..last.map_or(0, |last| last + 1)).collect();
            if !told.is_empty() {
                self.told.push_back((now + line.delay, told));
            }
        }
        while let Some((_, reports)) = self.told.front().filter(|(at, _)| *at <= now).cloned() {
            self.told.pop_front();
            self.estimator.on_reports(now, &reports);
        }
        self.estimator.look(now, true);
    }

    fn rate(&self, from: Instant, to: Instant) -> f64 {
        let bytes: usize =
            self.sent.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, size)| size).sum();
        bytes as f64 * 8.0 / (to - from).as_secs_f64()
    }
}

struct World {
    line: Line,
    flows: Vec<Flow>,
    start: Instant,
    now: Instant,
    /// The queue, each millisecond.
    queue: Vec<f64>,
}

impl World {
    fn with(flows: usize, rate: f64, queue: u64) -> Self {
        let now = Instant::now();
        let line = Line {
            rate,
            queue: Duration::from_millis(queue),
            delay: Duration::from_millis(25),
            loss: 0.0,
            jitter: 0.0,
            busy: now,
            random: 88_172_645_463_325_252,
        };
        Self { line, flows: (0..flows).map(|_| Flow::new(now)).collect(), start: now, now, queue: Vec::new() }
    }

    fn run(&mut self, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        while self.now < end {
            for flow in &mut self.flows {
                flow.step(&mut self.line, self.start, self.now);
            }
            self.queue.push(self.line.waits(self.now));
            self.now += MILLISECOND;
        }
    }

    fn target(&self) -> f64 {
        self.flows[0].estimator.target()
    }

    /// What the last so many seconds carried of what the line does.
    fn used(&self, seconds: f64) -> f64 {
        let from = self.now - Duration::from_secs_f64(seconds);
        self.flows.iter().map(|flow| flow.rate(from, self.now)).sum::<f64>() / self.line.rate
    }

    fn queue_median(&self, last: usize) -> f64 {
        let mut queue = self.queue[self.queue.len() - last..].to_vec();
        queue.sort_by(f64::total_cmp);
        queue[queue.len() / 2]
    }
}

#[test]
fn a_line_of_2_mbit_is_found_within_four_seconds() {
    let mut world = World::with(1, 2e6, 300);
    world.run(4.0);
    let (used, worst) = (world.used(1.0), world.queue.iter().copied().fold(0.0, f64::max));
    println!("used {:.0} %, longest queue {worst:.0} ms", used * 100.0);
    assert!(used > 0.8, "{used}");
    assert!(worst < 200.0, "{worst}");
}

#[test]
fn a_line_that_gets_narrow_is_followed_and_its_queue_drained() {
    let mut world = World::with(1, 2e6, 300);
    world.run(15.0);
    world.line.rate = 600e3;
    let from = world.queue.len();
    world.run(12.0);
    let after = &world.queue[from..];
    let drained = after.iter().rposition(|queue| *queue > 150.0).unwrap_or(0);
    let worst = after.iter().copied().fold(0.0, f64::max);
    println!(
        "worst queue {worst:.0} ms, under 150 ms for good after {drained} ms; used {:.0} %",
        world.used(5.0) * 100.0
    );
    assert!(drained < 2_000, "{drained}");
    assert!(world.used(5.0) > 0.75, "{}", world.used(5.0));
}

#[test]
fn a_line_that_comes_back_is_used_within_eight_seconds() {
    let mut world = World::with(1, 2e6, 300);
    world.run(10.0);
    world.line.rate = 600e3;
    world.run(20.0);
    world.line.rate = 2e6;
    world.run(8.0);
    println!("used {:.0} %", world.used(1.0) * 100.0);
    assert!(world.used(1.0) > 0.8, "{}", world.used(1.0));
}

#[test]
fn a_steady_line_is_used_without_a_queue() {
    for rate in [500e3, 1e6, 2e6] {
        let mut world = World::with(1, rate, 300);
        world.run(40.0);
        let (used, queue) = (world.used(30.0), world.queue_median(30_000));
        println!("{rate}: used {:.0} %, queue median {queue:.0} ms", used * 100.0);
        assert!(used > 0.85 && queue < 40.0, "{rate}: {used} {queue}");
    }
}

#[test]
fn two_flows_share_a_line() {
    let mut world = World::with(2, 3e6, 300);
    // The second comes later.
    world.flows[1].most = 60_000.0;
    world.run(8.0);
    world.flows[1].most = f64::INFINITY;
    world.run(25.0);
    let from = world.now - Duration::from_secs(10);
    let rates: Vec<_> = world.flows.iter().map(|flow| flow.rate(from, world.now)).collect();
    println!("{rates:?}");
    assert!(rates.iter().all(|rate| *rate > 1e6), "{rates:?}");
}

#[test]
fn losses_by_chance_take_nothing_away_and_heavy_ones_something() {
    let mut rates = Vec::new();
    for loss in [0.0, 0.02, 0.2] {
        let mut world = World::with(1, 5e6, 300);
        world.line.loss = loss;
        world.run(20.0);
        rates.push(world.target());
    }
    println!("{rates:?}");
    assert!(rates[1] > 0.9 * rates[0] && rates[2] < 0.5 * rates[0], "{rates:?}");
    assert!(rates[2] >= LOSS_LEAST);
}

#[test]
fn an_encoder_that_sends_little_is_given_no_more_than_was_tried() {
    let mut world = World::with(1, 1e6, 300);
    world.flows[0].most = 200e3;
    world.run(30.0);
    assert!(world.target() < 1e6, "{}", world.target());
    world.flows[0].most = f64::INFINITY;
    world.run(5.0);
    let worst = world.queue[30_000..].iter().copied().fold(0.0, f64::max);
    assert!(worst < 250.0, "{worst}");
}

#[test]
fn an_outage_brings_it_down_and_it_comes_back() {
    let mut world = World::with(1, 2e6, 300);
    world.run(8.0);
    let before = world.target();
    world.line.loss = 1.0;
    world.run(4.0);
    assert!(world.target() < before / 8.0, "{}", world.target());
    world.line.loss = 0.0;
    world.run(8.0);
    assert!(world.used(1.0) > 0.5, "{}", world.used(1.0));
}

#[test]
fn jitter_on_a_line_with_room_takes_little_away() {
    for jitter in [5.0, 15.0, 30.0] {
        let mut world = World::with(1, 5e6, 300);
        world.line.jitter = jitter;
        world.run(30.0);
        println!("jitter of {jitter} ms: {:.0}", world.target());
        assert!(world.target() > 1e6, "{jitter}: {}", world.target());
    }
}

#[test]
fn lies_are_bounded() {
    let now = Instant::now();
    let mut estimator = Estimator::new(now);
    let arrivals =
        [Duration::ZERO, Duration::from_secs(u32::MAX.into()), Duration::MAX, Duration::from_nanos(1)];
    for n in 0..4_000u32 {
        let now = now + Duration::from_millis(u64::from(n) * 10);
        let arrival = Some(arrivals[n as usize % 4]);
        let report = Report { departure: now, arrival, size: usize::MAX / 8 };
        estimator.on_reports(now, &[report, report, Report { arrival: None, ..report }]);
        assert!((LEAST..=MOST).contains(&estimator.target()), "{}", estimator.target());
    }
    assert!(estimator.arrivals.bounded() < 3_000);
}
