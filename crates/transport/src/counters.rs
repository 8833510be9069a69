//! What the parts of a connection count, without locks. [`Stats`](crate::Stats) is the snapshot.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::chain::clock::Clock;
use crate::drops::{Dropped, Drops};
use crate::video::VideoState;

/// Shared by everything that belongs to one connection.
#[derive(Debug)]
pub(crate) struct Counters {
    /// From when times in microseconds count.
    pub(crate) start: Instant,
    pub(crate) drops: Drops,
    pub(crate) datagrams_in: AtomicU64,
    pub(crate) datagrams_out: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    /// SRTP and SRTCP datagrams that reached the stack, and those that came out of it decrypted.
    pub(crate) srtp_in: AtomicU64,
    pub(crate) srtp_opened: AtomicU64,
    /// When something came on the path last; see [`Counters::micros`]. 0: never.
    pub(crate) heard: AtomicU64,
    /// Round trip in microseconds; 0: not known.
    pub(crate) rtt: AtomicU64,
    /// The other side's certificate is the sealed one, and the connection is not at its end: media may pass.
    pub(crate) admitted: AtomicBool,
    /// The sources that the other side's description declares.
    pub(crate) declared: Mutex<HashSet<u32>>,
    pub(crate) audio: Mutex<AudioCounts>,
    /// What the other side can receive at most; 0: it has not said.
    pub(crate) limit: AtomicU32,
    pub(crate) repair: AudioRepair,
    pub(crate) video: VideoState,
    pub(crate) clock: Clock,
}

/// The retransmission stream of our audio (RFC 4588). The stack knows such streams for video alone, so it is described
/// and announced by us.
#[derive(Debug, Default)]
pub(crate) struct AudioRepair {
    /// The source of our audio, and that of its repair; 0 before they are drawn.
    pub(crate) source: AtomicU32,
    pub(crate) repair: AtomicU32,
    /// What was agreed for it; 0: nothing was.
    pub(crate) payload_type: AtomicU8,
}

impl AudioRepair {
    /// Source and payload type of the repair of this source, if it is our audio and repair was agreed.
    pub(crate) fn of(&self, source: u32) -> Option<(u32, u8)> {
        let payload_type = self.payload_type.load(Ordering::Acquire);
        let ours = source == self.source.load(Ordering::Relaxed);
        (ours && payload_type != 0).then(|| (self.repair.load(Ordering::Relaxed), payload_type))
    }
}

/// What is known of the audio in both directions.
#[derive(Debug, Default, Clone)]
pub(crate) struct AudioCounts {
    pub(crate) packets_out: u64,
    pub(crate) bytes_out: u64,
    pub(crate) packets_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) duplicates: u64,
    pub(crate) repaired: u64,
    /// Packets that should have come, from the sequence numbers.
    pub(crate) expected: u64,
    /// Interarrival jitter, in units of the RTP clock (RFC 3550, section 6.4.1).
    pub(crate) jitter: f64,
    pub(crate) requested: u64,
    pub(crate) retransmitted: u64,
    /// Of the other side's last receiver report about our audio.
    pub(crate) remote: Option<RemoteReport>,
    /// Packets that the other side asked for again, and how many runs of neighbours they were.
    pub(crate) lost_there: u64,
    pub(crate) lost_runs_there: u64,
}

/// A report block about our audio (RFC 3550, section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RemoteReport {
    pub(crate) fraction_lost: f32,
    pub(crate) total_lost: u32,
    pub(crate) jitter: u32,
    pub(crate) at: Instant,
}

impl Counters {
    pub(crate) fn new(start: Instant) -> Self {
        Self {
            start,
            drops: Drops::default(),
            datagrams_in: AtomicU64::new(0),
            datagrams_out: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            srtp_in: AtomicU64::new(0),
            srtp_opened: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            rtt: AtomicU64::new(0),
            admitted: AtomicBool::new(false),
            declared: Mutex::default(),
            audio: Mutex::default(),
            limit: AtomicU32::new(0),
            repair: AudioRepair::default(),
            video: VideoState::new(),
            clock: Clock::new(start),
        }
    }

    pub(crate) fn dropped(&self, reason: Dropped) {
        self.drops.count(reason);
    }

    pub(crate) fn add(counter: &AtomicU64, by: usize) {
        counter.fetch_add(u64::try_from(by).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Nobody panics while holding it; were it so, the counts would still be good.
    pub(crate) fn audio(&self) -> MutexGuard<'_, AudioCounts> {
        self.audio.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn declared(&self) -> MutexGuard<'_, HashSet<u32>> {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn micros(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_micros())
            .unwrap_or(u64::MAX)
            .saturating_add(1)
    }

    pub(crate) fn hear(&self, now: Instant) {
        self.heard.store(self.micros(now), Ordering::Relaxed);
    }

    /// How long nothing has come.
    pub(crate) fn silence(&self, now: Instant) -> Duration {
        Duration::from_micros(self.micros(now).saturating_sub(self.heard.load(Ordering::Relaxed)))
    }

    /// A new sample of the round trip, smoothed as in RFC 6298, section 2.
    pub(crate) fn round_trip(&self, sample: Duration) {
        let sample = u64::try_from(sample.as_micros()).unwrap_or(u64::MAX).clamp(1, 60_000_000);
        let smoothed = match self.rtt.load(Ordering::Relaxed) {
            0 => sample,
            old => (7 * old + sample) / 8,
        };
        self.rtt.store(smoothed, Ordering::Relaxed);
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        match self.rtt.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }

    pub(crate) fn is_admitted(&self) -> bool {
        self.admitted.load(Ordering::Acquire)
    }
}
