//! One direction of the line.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use crate::chance::Chance;
use crate::loss::Losses;
use crate::script::{Plan, Step};
use crate::settings::{Change, Settings};
use crate::statistics::Statistics;

/// What became of a packet that was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is under way.
    UnderWay,
    /// Lost by chance.
    Lost,
    /// Dropped: it would have waited longer than the queue allows.
    Full,
    /// Dropped: the line is cut.
    Cut,
}

/// One direction of an emulated line. `P` is whatever stands for a packet.
///
/// - In: [`send`](Self::send), [`change`](Self::change);
/// - out: [`poll`](Self::poll) until it gives nothing, then wait for [`poll_timeout`](Self::poll_timeout).
///
/// What is lost, copied and how much it jitters depends on the seed and on how many packets were put in before,
/// not on time: a run with real sockets loses the same packets as one with a virtual clock. Time that goes back is
/// taken as standing still.
///
/// A packet that is already in the line when it is cut or its rate changes stays: the queue's bound is asked when a
/// packet is put in, at the rate of that moment.
#[derive(Debug)]
pub struct Line<P> {
    plan: Plan,
    settings: Settings,
    cut: bool,
    start: Instant,
    /// How many steps of the script are made.
    steps_made: usize,

    losses: Losses,
    copies: Chance,
    jitters: Chance,

    /// Everything up to here has happened.
    now: Instant,
    /// In front of the bottleneck; the first one is passing it.
    waiting: VecDeque<Waiting<P>>,
    /// Bits of the first one that have not passed.
    bits_left: f64,
    /// Bits of those behind it.
    bits_behind: u64,
    travelling: BinaryHeap<Reverse<Travelling<P>>>,
    /// When the last packet arrives, where none may overtake.
    last_due: Instant,
    next_number: u64,
    last_delivered: Option<u64>,
    statistics: Statistics,
}

#[derive(Debug)]
struct Waiting<P> {
    number: u64,
    sent: Instant,
    bytes: usize,
    /// Its jitter, in standard deviations.
    deviation: f64,
    packet: P,
}

#[derive(Debug)]
struct Travelling<P> {
    due: Instant,
    number: u64,
    sent: Instant,
    bytes: usize,
    packet: P,
}

impl<P> Line<P> {
    /// A line that starts at `start`: the script's times count from there.
    pub fn new(plan: Plan, seed: u64, start: Instant) -> Self {
        let settings = *plan.settings();
        Self {
            plan,
            settings,
            cut: false,
            start,
            steps_made: 0,
            losses: Losses::new(Chance::new(seed, 1)),
            copies: Chance::new(seed, 2),
            jitters: Chance::new(seed, 3),
            now: start,
            waiting: VecDeque::new(),
            bits_left: 0.0,
            bits_behind: 0,
            travelling: BinaryHeap::new(),
            last_due: start,
            next_number: 0,
            last_delivered: None,
            statistics: Statistics::default(),
        }
    }

    /// Starts the script and the statistics again, from `start`, with the settings of the plan. Packets under way
    /// stay, and chance goes on where it is.
    pub fn restart(&mut self, start: Instant) {
        self.advance(start);
        self.start = start;
        self.steps_made = 0;
        self.settings = *self.plan.settings();
        self.cut = false;
        self.statistics = Statistics::default();
    }

    /// As the line is now.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the line is cut.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// What the line did so far.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Changes the line from `now` on; later steps of the script still come.
    pub fn change(&mut self, now: Instant, change: &Change) {
        self.advance(now);
        self.apply(change);
    }

    /// Puts a packet of so many bytes in.
    pub fn send(&mut self, now: Instant, bytes: usize, packet: P) -> Fate
    where
        P: Clone,
    {
        self.advance(now);
        self.statistics.sent += 1;
        self.statistics.sent_bytes += bytes as u64;
        self.with_bin(|bin| bin.offered_bytes += bytes as u64);
        if self.cut {
            self.statistics.cut += 1;
            self.with_bin(|bin| bin.dropped += 1);
            return Fate::Cut;
        }
        // Every packet draws the same numbers, whatever becomes of it.
        let lost = self.losses.next(&self.settings);
        let is_copied = self.copies.share() < self.settings.duplicate.share();
        let (deviation, copy_deviation) = (self.jitters.normal(), self.jitters.normal());
        if lost {
            self.statistics.lost += 1;
            self.with_bin(|bin| bin.lost += 1);
            return Fate::Lost;
        }
        let number = self.next_number;
        self.next_number += 1;
        let sent = self.now;
        let copy = is_copied.then(|| packet.clone());
        if !self.queue(Waiting { number, sent, bytes, deviation, packet }) {
            return Fate::Full;
        }
        if let Some(packet) = copy {
            let copy = Waiting { number, sent, bytes, deviation: copy_deviation, packet };
            if self.queue(copy) {
                self.statistics.copied += 1;
            }
        }
        self.pass();
        Fate::UnderWay
    }

    /// When something happens next to a packet: it arrives, leaves the bottleneck, or waits there while a step of the
    /// script changes the rate.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let arrival = self.travelling.peek().map(|Reverse(first)| first.due);
        let step = if self.waiting.is_empty() { None } else { self.next_step().map(|(at, _)| at) };
        [arrival, self.next_passed(), step].into_iter().flatten().min()
    }

    /// The next packet that has arrived.
    pub fn poll(&mut self, now: Instant) -> Option<P> {
        self.poll_due(now).map(|(_, packet)| packet)
    }

    /// The next packet that has arrived, and when it did.
    pub fn poll_due(&mut self, now: Instant) -> Option<(Instant, P)> {
        self.advance(now);
        if self.travelling.peek()?.0.due > self.now {
            return None;
        }
        let Reverse(Travelling { due, number, sent, bytes, packet }) = self.travelling.pop()?;
        self.statistics.delivered += 1;
        self.statistics.delivered_bytes += bytes as u64;
        self.statistics.delay.add(due.saturating_duration_since(sent));
        if self.last_delivered.is_some_and(|last| number < last) {
            self.statistics.overtaken += 1;
        }
        self.last_delivered = self.last_delivered.max(Some(number));
        Some((due, packet))
    }

    /// Lets everything happen that happens until `now`, in the order of time.
    fn advance(&mut self, now: Instant) {
        let now = now.max(self.now);
        loop {
            let step = self.next_step().filter(|(at, _)| *at <= now);
            let passed = self.next_passed().filter(|at| *at <= now);
            match (step, passed) {
                (Some((at, step)), passed) if passed.is_none_or(|passed| at <= passed) => {
                    self.run_to(at);
                    self.steps_made += 1;
                    self.apply(&step.change);
                }
                (_, Some(at)) => {
                    self.now = self.now.max(at);
                    self.bits_left = 0.0;
                    self.pass();
                }
                _ => break,
            }
        }
        self.run_to(now);
    }

    fn next_step(&self) -> Option<(Instant, Step)> {
        let step = self.plan.script().steps().nth(self.steps_made)?;
        Some((self.start.checked_add(step.at)?, *step))
    }

    /// Bits pass until `at`, which is before the first packet has passed.
    fn run_to(&mut self, at: Instant) {
        let elapsed = at.saturating_duration_since(self.now).as_secs_f64();
        if let (Some(rate), false) = (self.settings.rate, self.waiting.is_empty()) {
            self.bits_left = (self.bits_left - elapsed * rate.bits() as f64).max(0.0);
        }
        self.now = self.now.max(at);
    }

    fn apply(&mut self, change: &Change) {
        change.apply(&mut self.settings);
        self.cut = change.cut.unwrap_or(self.cut);
        self.with_bin(|_| ());
        self.pass();
    }

    /// When the first waiting packet has passed the bottleneck.
    fn next_passed(&self) -> Option<Instant> {
        self.waiting.front()?;
        let seconds = self.settings.rate.map_or(0.0, |rate| self.bits_left / rate.bits() as f64);
        self.now.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
    }

    /// Puts a packet into the queue, unless it would wait too long.
    fn queue(&mut self, packet: Waiting<P>) -> bool {
        let bits = 8 * packet.bytes as u64;
        let wait = self
            .settings
            .rate
            .map_or(0.0, |rate| (self.bits_left + self.bits_behind as f64) / rate.bits() as f64);
        if wait > self.settings.queue.0.as_secs_f64() {
            self.statistics.full += 1;
            self.with_bin(|bin| bin.dropped += 1);
            return false;
        }
        if self.waiting.is_empty() {
            self.begin(&packet);
        } else {
            self.bits_behind += bits;
        }
        self.waiting.push_back(packet);
        true
    }

    /// A packet's first bit passes.
    fn begin(&mut self, packet: &Waiting<P>) {
        self.bits_left = 8.0 * packet.bytes as f64;
        let wait = self.now.saturating_duration_since(packet.sent);
        self.statistics.wait.add(wait);
        self.with_bin(|bin| bin.worst_wait = bin.worst_wait.max(wait));
    }

    /// Sends on its way what has passed the bottleneck.
    fn pass(&mut self) {
        while self.bits_left <= 0.0 || self.settings.rate.is_none() {
            let Some(passed) = self.waiting.pop_front() else { return };
            self.travel(passed);
            self.bits_left = 0.0;
            if let Some(next) = self.waiting.pop_front() {
                self.bits_behind = self.bits_behind.saturating_sub(8 * next.bytes as u64);
                self.begin(&next);
                self.waiting.push_front(next);
            }
        }
    }

    fn travel(&mut self, passed: Waiting<P>) {
        let Waiting { number, sent, bytes, deviation, packet } = passed;
        let delay = self.settings.delay.0.as_secs_f64() + deviation * self.settings.jitter.0.as_secs_f64();
        let delay = Duration::try_from_secs_f64(delay.max(0.0)).unwrap_or(Duration::ZERO);
        let mut due = self.now.checked_add(delay).unwrap_or(self.now);
        if self.settings.in_order {
            due = due.max(self.last_due);
        }
        self.last_due = self.last_due.max(due);
        self.with_bin(|bin| bin.carried_bytes += bytes as u64);
        self.travelling.push(Reverse(Travelling { due, number, sent, bytes, packet }));
    }

    fn with_bin(&mut self, note: impl FnOnce(&mut crate::statistics::Bin)) {
        let since_start = self.now.saturating_duration_since(self.start);
        if let Some(bin) = self.statistics.bin(since_start, self.settings.rate) {
            note(bin);
        }
    }
}

impl<P> Ord for Travelling<P> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

impl<P> PartialOrd for Travelling<P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<P> PartialEq for Travelling<P> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<P> Eq for Travelling<P> {}
