//! How long to wait for packets: the target of the playout delay.
//!
//! A packet's *transit* is its arrival minus its timestamp: only differences of it mean something. Played at the offset
//! *o* after their timestamps, packets of a transit up to *o* come in time. The target is a high percentile of a
//! histogram of transits that forgets (the idea of libwebrtc's NetEq), raised when spikes keep coming (Ramjee, Kurose,
//! Towsley and Schulzrinne, "Adaptive playout mechanisms for packetized audio applications in wide-area networks",
//! INFOCOM 1994; Moon, Kurose and Towsley, "Packet audio playout delay adjustment", 1998). Reordering needs no case of
//! its own: a packet that was overtaken has a longer transit.

use super::{MILLISECOND, SECOND, Samples};

/// The share of packets that should come in time. Above the 95–98 % of NetEq, whose histogram takes in the slowest
/// packet of many: this one takes in each, and what is late is heard.
const IN_TIME: f64 = 0.9925;
/// Width of a bin.
const BIN: Samples = 2 * MILLISECOND;
const BINS: usize = 1_024;
/// Where in the histogram a first packet lies: most of the room is for slower ones.
const FIRST_BIN: usize = 256;
/// After this long a packet counts 1/e of a new one. Long, so that the target shrinks slowly; a high percentile grows
/// fast all the same, after a hundredth of this.
const FORGET: f64 = 15.0 * SECOND as f64;
/// The slowest packet is looked for among those of the last [`SLOWEST`] times so many.
const MANY: u32 = 40;
const SLOWEST: usize = 6;
/// Where all of these are so much faster than the target, the network has become calmer. Of 240 packets of one
/// distribution none lies above its 98th percentile once in 130 times.
const CALMER: Samples = 10 * MILLISECOND;
/// After this long 1/e is left of what is known only from the time before.
const FORGET_BEFORE: f64 = 0.4 * SECOND as f64;
/// Of the last two times [`MANY`] packets the slowest is so much faster than the target: a queue was drained, or a path has
/// become shorter. No jitter that the target fits does that.
const MUCH_CALMER: Samples = 60 * MILLISECOND;
const FORGET_QUEUE: f64 = 0.1 * SECOND as f64;
/// What is slow for longer than this is no spike, but a queue that was drained.
const LONGEST_SPIKE: Samples = SECOND / 2;
/// Weights grow instead of fading; at this size they are scaled back.
const HEAVY: f64 = 1e12;
/// The fastest packet is looked for among those of the last [`FASTEST`] s.
const FASTEST: usize = 10;
/// Fewer packets than this share, more than this much faster than it, are liars: nothing is that much faster.
const FAST: f64 = 0.02;
const FASTER: Samples = 100 * MILLISECOND;
/// A spike is at least this much slower than the median.
const SPIKE: Samples = 60 * MILLISECOND;
/// Slow packets this close together are one spike.
const ONE_SPIKE: Samples = SECOND / 2;
/// Spikes count while the last one is not older than this.
const SPIKES_LAST: Samples = 10 * SECOND;
const SPIKES: usize = 4;
/// Of the repairs of the last seconds, so many at most, all but the slowest are waited for.
const REPAIRS_LAST: Samples = 10 * SECOND;
const REPAIRS: usize = 32;
/// Packets that are slower than the fastest by so much, for so long without one in between that is not, stood in a queue: no
/// jitter does that.
const QUEUE: Samples = 60 * MILLISECOND;
const QUEUE_LASTS: Samples = SECOND / 5;
/// It is gone when for so long none is as slow. What was learned of it is forgotten at once, and again with each packet of the
/// next second: the slowest of the last [`LAST`] tells what is left of it.
const QUEUE_GONE: Samples = SECOND * 3 / 20;
const FORGETTING: Samples = SECOND;
const LAST: usize = 8;
/// Of so many packets in a row the fastest: a queue that stands, and that packets to come will stand in as well. Chance makes
/// a single one slow.
const STANDING: usize = 2;
/// So much over the typical transit even where there is no jitter: clocks drift, and stretching must come before a gap.
const MARGIN: Samples = 3 * MILLISECOND;
/// The share [`IN_TIME`] of bell-shaped jitter comes within so many deviations of the mean. Of so few packets as a call begins
/// with, the slowest is no measure of that share yet.
const DEVIATIONS: f64 = 2.43;
const FEW: std::ops::Range<f64> = 8.0..200.0;
/// How much a new packet counts for the typical transit.
const TYPICAL: f64 = 1.0 / 64.0;

/// Estimates transits.
pub(super) struct Delay {
    bins: Vec<f64>,
    /// The transit at which the first bin begins.
    origin: Samples,
    weight: f64,
    total: f64,
    /// The least transit of each of the last seconds, and when the present one began.
    minima: [Samples; FASTEST],
    second: usize,
    second_began: Samples,
    /// The greatest transit of each of the last [`MANY`] packets, and how many the present one has seen.
    maxima: [Samples; SLOWEST],
    seen: u32,
    spikes: [Option<Spike>; SPIKES],
    /// When the last bursts were repaired, and the transit of the slowest stand-in of each.
    repairs: [Option<(Samples, Samples)>; REPAIRS],
    repair: Option<Samples>,
    typical: Option<f64>,
    /// Of the last packets.
    last: [Samples; LAST],
    queue: Queue,
    first: First,
    percentile: Samples,
    fastest: Samples,
}

/// How much sound in a row came slowly, and how much has come fast since.
#[derive(Debug, Clone, Copy, Default)]
struct Queue {
    slow: Samples,
    fast: Samples,
}

#[derive(Debug, Clone, Copy)]
struct Spike {
    began: Samples,
    last: Samples,
    transit: Samples,
}

/// Mean and sum of squared deviations of the first transits (Welford, "Note on a method for calculating corrected sums of
/// squares and products", Technometrics 1962).
#[derive(Debug, Clone, Copy, Default)]
struct First {
    count: f64,
    mean: f64,
    squares: f64,
}

impl First {
    fn observe(&mut self, transit: Samples) {
        if self.count < FEW.end {
            self.count += 1.0;
            let off = transit as f64 - self.mean;
            self.mean += off / self.count;
            self.squares += off * (transit as f64 - self.mean);
        }
    }

    fn in_time(&self) -> Option<Samples> {
        let deviation = (self.squares / self.count).sqrt();
        FEW.contains(&self.count).then_some((self.mean + DEVIATIONS * deviation) as Samples)
    }
}

impl Delay {
    pub(super) fn new() -> Self {
        Self::with(vec![0.0; BINS])
    }

    pub(super) fn clear(&mut self) {
        let mut bins = std::mem::take(&mut self.bins);
        bins.fill(0.0);
        *self = Self::with(bins);
    }

    fn with(bins: Vec<f64>) -> Self {
        Self {
            bins,
            origin: 0,
            weight: 1.0,
            total: 0.0,
            minima: [Samples::MAX; FASTEST],
            second: 0,
            second_began: 0,
            maxima: [Samples::MAX; SLOWEST],
            seen: MANY,
            spikes: [None; SPIKES],
            repairs: [None; REPAIRS],
            repair: None,
            typical: None,
            last: [Samples::MIN; LAST],
            queue: Queue::default(),
            first: First::default(),
            percentile: 0,
            fastest: 0,
        }
    }

    /// Takes in the transit of a packet that came (or whose stand-in came) at `arrival`, `samples` long.
    pub(super) fn observe(&mut self, transit: Samples, samples: usize, arrival: Samples) {
        if self.typical.is_none() {
            self.origin = transit.saturating_sub(FIRST_BIN as Samples * BIN);
            self.second_began = arrival;
        }
        let typical = self.typical.get_or_insert(transit as f64);
        *typical += TYPICAL * (transit as f64 - *typical);
        self.last.rotate_right(1);
        self.last[0] = transit;
        self.first.observe(transit);
        self.observe_fastest(transit, arrival);
        self.observe_slowest(transit);
        self.observe_spike(transit, arrival);
        if self.repair(arrival).is_none() {
            self.forget_before(samples);
        }

        let bin = self.bin(transit);
        self.weight *= 1.0 + samples as f64 / FORGET;
        self.bins[bin] += self.weight;
        self.total += self.weight;
        if self.weight > HEAVY {
            self.bins.iter_mut().for_each(|bin| *bin /= HEAVY);
            self.total = self.bins.iter().sum();
            self.weight /= HEAVY;
        }
        let percentile = self.quantile(IN_TIME);
        self.percentile = self.first.in_time().map_or(percentile, |few| few.max(percentile));
        let least = self.minima.iter().copied().min().unwrap_or(transit);
        self.fastest = least.max(self.quantile(FAST) - FASTER);
        self.observe_queue(transit, samples as Samples);
    }

    /// Forgets a queue that is gone.
    fn observe_queue(&mut self, transit: Samples, samples: Samples) {
        let Queue { slow, fast } = &mut self.queue;
        if transit > self.fastest.saturating_add(QUEUE) {
            // What came fast in between was none of a queue, or the queue is back.
            *slow = if *fast > 0 { samples } else { slow.saturating_add(samples) };
            *fast = 0;
            return;
        }
        *fast = fast.saturating_add(samples);
        if *slow < QUEUE_LASTS || *fast < QUEUE_GONE {
            return;
        }
        if *fast > FORGETTING {
            self.queue = Queue::default();
            return;
        }
        let slowest = self.last.iter().copied().fold(Samples::MIN, Samples::max);
        let most = slowest.saturating_add(CALMER);
        self.bins_above(most).fill(0.0);
        self.total = self.bins.iter().sum();
        self.percentile = self.percentile.min(most);
        self.repair = self.repair.map(|repair| repair.min(most));
        self.typical = self.typical.map(|typical| typical.min(slowest as f64));
    }

    /// The bins of what is slower.
    fn bins_above(&mut self, transit: Samples) -> &mut [f64] {
        let above = transit.saturating_sub(self.origin).div_euclid(BIN) + 1;
        let above = usize::try_from(above).unwrap_or(0).min(BINS);
        &mut self.bins[above..]
    }

    /// Takes in the slowest stand-in for a burst of losses.
    ///
    /// How long bursts are varies so much that a percentile over all packets wavers with each, and each change of the
    /// delay is heard: the sound is stretched or shortened. So while bursts keep coming, the second longest counts.
    pub(super) fn observe_repair(&mut self, transit: Samples, arrival: Samples) {
        self.repairs.rotate_right(1);
        self.repairs[0] = Some((arrival, transit));
        let recent =
            self.repairs.iter().flatten().filter(|(at, _)| arrival.saturating_sub(*at) < REPAIRS_LAST);
        let (_, second) = recent.fold((None, None), |(first, second), (_, transit)| {
            let transit = Some(*transit);
            if transit > first { (transit, first) } else { (first, second.max(transit)) }
        });
        self.repair = second;
    }

    fn observe_fastest(&mut self, transit: Samples, arrival: Samples) {
        if arrival.saturating_sub(self.second_began) >= SECOND {
            self.second = (self.second + 1) % FASTEST;
            self.second_began = arrival;
            self.minima[self.second] = transit;
        }
        self.minima[self.second] = self.minima[self.second].min(transit);
    }

    fn observe_slowest(&mut self, transit: Samples) {
        if self.seen == MANY {
            self.maxima.rotate_right(1);
            (self.maxima[0], self.seen) = (transit, 0);
        }
        self.maxima[0] = self.maxima[0].max(transit);
        self.seen += 1;
    }

    /// Forgets fast, where the network has become calmer, what it was like before: or a call would be waited for as on a
    /// bad line for a minute after the line is good. What comes now and then is remembered as spikes.
    fn forget_before(&mut self, samples: usize) {
        let slowest = |blocks: &[Samples]| blocks.iter().copied().fold(Samples::MIN, Samples::max);
        let (all, last) = (slowest(&self.maxima), slowest(&self.maxima[..2]));
        let (slowest, forget) = if self.percentile.saturating_sub(MUCH_CALMER) > last {
            (last, FORGET_QUEUE)
        } else if self.percentile.saturating_sub(CALMER) > all {
            (all, FORGET_BEFORE)
        } else {
            return;
        };
        let left = (-(samples as f64) / forget).exp();
        self.bins_above(slowest).iter_mut().for_each(|bin| *bin *= left);
        self.total = self.bins.iter().sum();
    }

    fn observe_spike(&mut self, transit: Samples, arrival: Samples) {
        if self.total == 0.0 {
            return;
        }
        // Of a bell-shaped jitter five deviations over the median; spikes themselves are too few to move either share.
        let median = self.quantile(0.5);
        let spread = 3 * (self.quantile(0.95) - median);
        if transit <= median.saturating_add(spread.max(SPIKE)) {
            return;
        }
        if let Some(spike) = &mut self.spikes[0]
            && arrival.saturating_sub(spike.last) < ONE_SPIKE
        {
            spike.last = arrival;
            spike.transit = spike.transit.max(transit);
            return;
        }
        self.spikes.rotate_right(1);
        self.spikes[0] = Some(Spike { began: arrival, last: arrival, transit });
    }

    /// The bin of a transit, after moving the histogram so that it has one.
    fn bin(&mut self, transit: Samples) -> usize {
        let quarter = BINS / 4;
        let bin = |origin: Samples| transit.saturating_sub(origin).div_euclid(BIN);
        if let Ok(below @ 1..) = usize::try_from(-bin(self.origin)) {
            // Never so far that what was learned falls out at the other end; one that is faster still counts as the
            // fastest that has a bin.
            let learned = usize::try_from(self.percentile.saturating_sub(self.origin) / BIN).unwrap_or(0);
            let shift = below.saturating_add(quarter / 4).min((BINS - 1).saturating_sub(learned));
            self.bins.copy_within(..BINS - shift, shift);
            self.bins[..shift].fill(0.0);
            self.origin = self.origin.saturating_sub(shift as Samples * BIN);
            self.total = self.bins.iter().sum();
        }
        // What drifts up moves the window up; the slowest of a spike are all the same, for none is waited for so long.
        if self.percentile.saturating_sub(self.origin) > (BINS / 2) as Samples * BIN {
            self.bins.copy_within(quarter.., 0);
            self.bins[BINS - quarter..].fill(0.0);
            self.origin = self.origin.saturating_add(quarter as Samples * BIN);
            self.total = self.bins.iter().sum();
        }
        usize::try_from(bin(self.origin)).unwrap_or(0).min(BINS - 1)
    }

    fn quantile(&self, share: f64) -> Samples {
        let mut above = self.total * share;
        for (i, &bin) in self.bins.iter().enumerate() {
            if bin >= above && bin > 0.0 {
                let within = (above / bin * BIN as f64) as Samples;
                return self.origin.saturating_add(i as Samples * BIN + within);
            }
            above -= bin;
        }
        self.origin.saturating_add(BINS as Samples * BIN)
    }

    /// Moves all that was learned: every transit is longer by `by` than it was, for a clock drifts.
    pub(super) fn shift(&mut self, by: Samples) {
        if by == 0 {
            return;
        }
        self.origin = self.origin.saturating_add(by);
        self.percentile = self.percentile.saturating_add(by);
        self.fastest = self.fastest.saturating_add(by);
        if let Some(typical) = &mut self.typical {
            *typical += by as f64;
        }
        for least in self.minima.iter_mut().filter(|least| **least != Samples::MAX) {
            *least = least.saturating_add(by);
        }
        for last in self.last.iter_mut().filter(|last| **last != Samples::MIN) {
            *last = last.saturating_add(by);
        }
        for most in self.maxima.iter_mut().filter(|most| **most != Samples::MAX) {
            *most = most.saturating_add(by);
        }
        for spike in self.spikes.iter_mut().flatten() {
            spike.transit = spike.transit.saturating_add(by);
        }
    }

    /// The transit of the fastest packets of the last seconds. A few that claim to come from the future don't count.
    pub(super) fn fastest(&self) -> Samples {
        self.fastest
    }

    /// The transit of a typical packet.
    pub(super) fn typical(&self) -> Samples {
        self.typical.unwrap_or(0.0) as Samples
    }

    /// The offset at which to play, `least` to `most` over the fastest.
    pub(super) fn target(&self, now: Samples, least: Samples, most: Samples) -> Samples {
        let fastest = self.fastest();
        let wanted = self.spike(now).map_or(self.percentile, |spike| spike.max(self.percentile));
        let wanted = self.repair(now).map_or(wanted, |repair| repair.max(wanted));
        let wanted = wanted.max(self.typical().saturating_add(MARGIN)).max(self.standing());
        wanted.clamp(fastest.saturating_add(least), fastest.saturating_add(most.max(least)))
    }

    fn standing(&self) -> Samples {
        self.last.iter().take(STANDING).copied().min().unwrap_or(Samples::MIN)
    }

    fn repair(&self, now: Samples) -> Option<Samples> {
        let (last, _) = self.repairs[0]?;
        self.repair.filter(|_| now.saturating_sub(last) < REPAIRS_LAST)
    }

    /// How slow the spikes are, if they keep coming.
    fn spike(&self, now: Samples) -> Option<Samples> {
        let counts = |spike: &&Spike| {
            now.saturating_sub(spike.began) < 2 * SPIKES_LAST
                && spike.last.saturating_sub(spike.began) < LONGEST_SPIKE
        };
        let mut recent = self.spikes.iter().flatten().filter(counts);
        let last = recent.next().filter(|last| now.saturating_sub(last.last) < SPIKES_LAST)?;
        let slowest_before = recent.map(|spike| spike.transit).max()?;
        Some(last.transit.max(slowest_before))
    }
}
