//! A snapshot of what a connection has seen.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::candidate::Kind;
use crate::chain::clock::{Medium, SenderClock};
use crate::counters::Counters;
use crate::drops::{DropCounts, Dropped};

/// How things stand. Totals are since the connection was opened.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stats {
    /// Round trip, smoothed (RFC 6298), from connectivity checks and receiver reports. `None`: not known yet.
    pub round_trip: Option<Duration>,
    /// Since when nothing has come.
    pub silence: Duration,
    /// Datagrams and their bytes (without IP and UDP) in.
    pub datagrams_in: u64,
    /// See above.
    pub bytes_in: u64,
    /// Datagrams and their bytes (without IP and UDP) out.
    pub datagrams_out: u64,
    /// See above.
    pub bytes_out: u64,
    /// What the other side says about our audio; `None` before its first report.
    pub remote: Option<RemoteStats>,
    /// Our audio, on its way out.
    pub sent: SentStats,
    /// Its audio, as it comes.
    pub received: ReceivedStats,
    /// Pictures, both ways.
    pub video: VideoStats,
    /// What the other side can receive at most, in bits per second; `None`: it has not said.
    pub limit: Option<u32>,
    /// The path in use.
    pub path: Option<Path>,
    /// The SRTP protection profile that DTLS chose (RFC 5764, RFC 7714).
    pub srtp: Option<String>,
    /// What was thrown away.
    pub dropped: DropCounts,
}

/// Pictures. What the other side says about its own clock is here too, for sound and for pictures.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct VideoStats {
    /// Frames that left.
    pub frames_out: u64,
    /// Packets in them, retransmissions not counted, and their bytes of payload.
    pub packets_out: u64,
    /// See above.
    pub bytes_out: u64,
    /// Frames that waited too long and were not sent.
    pub frames_dropped: u64,
    /// What may be spent on pictures now, in bit/s.
    pub bitrate: u32,
    /// How much longer packets of pictures take than they would without a queue.
    pub queue: Duration,
    /// Share of packets lost on the way out between the last two reports, before repair, 0 to 1.
    pub fraction_lost: f32,
    /// How often the other side asked for a keyframe.
    pub keyframes_asked_there: u64,
    /// Packets that came, those that were asked for again among them, and their bytes of payload.
    pub packets_in: u64,
    /// See above.
    pub bytes_in: u64,
    /// Packets that came when asked for again.
    pub repaired: u64,
    /// How often we asked for a keyframe.
    pub keyframes_asked_here: u64,
    /// What the other side's clock says of its sound.
    pub audio_clock: Option<SenderClock>,
    /// What it says of its pictures.
    pub video_clock: Option<SenderClock>,
}

/// The two ends of the path in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// What our end is.
    pub local: Kind,
    /// What the other end is.
    pub remote: Kind,
}

/// Our audio as the other side gets it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RemoteStats {
    /// Share of packets lost between its last two reports, before repair, 0 to 1.
    pub fraction_lost: f32,
    /// Packets lost in all, before repair.
    pub total_lost: u32,
    /// Interarrival jitter.
    pub jitter: Duration,
    /// How old the report is.
    pub age: Duration,
    /// Packets that it asked for again.
    pub lost: u64,
    /// In how many runs of neighbours these were. `lost / lost_runs` is the mean length of a burst.
    pub lost_runs: u64,
}

/// Our audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SentStats {
    /// Packets, retransmissions not counted.
    pub packets: u64,
    /// Bytes of payload in them.
    pub bytes: u64,
    /// Packets, of any kind, that were sent again.
    pub retransmitted: u64,
}

/// Its audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReceivedStats {
    /// Packets that came by themselves.
    pub packets: u64,
    /// Bytes of payload in them.
    pub bytes: u64,
    /// Packets that did not come by themselves.
    pub lost: u64,
    /// Packets that came when asked for again.
    pub repaired: u64,
    /// How many requests for single packets went out.
    pub requested: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Interarrival jitter.
    pub jitter: Duration,
}

impl Counters {
    pub(crate) fn snapshot(&self, now: Instant) -> Stats {
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let audio = self.audio().clone();
        let mut dropped = self.drops.snapshot();
        // In this order: a packet between the two counts as opened.
        let opened = load(&self.srtp_opened);
        dropped.set(Dropped::Rejected, load(&self.srtp_in).saturating_sub(opened));
        let limit = self.limit.load(Ordering::Relaxed);
        Stats {
            round_trip: self.rtt(),
            silence: self.silence(now),
            datagrams_in: load(&self.datagrams_in),
            bytes_in: load(&self.bytes_in),
            datagrams_out: load(&self.datagrams_out),
            bytes_out: load(&self.bytes_out),
            remote: audio.remote.map(|report| RemoteStats {
                fraction_lost: report.fraction_lost,
                total_lost: report.total_lost,
                jitter: at_48_khz(f64::from(report.jitter)),
                age: now.saturating_duration_since(report.at),
                lost: audio.lost_there,
                lost_runs: audio.lost_runs_there,
            }),
            sent: SentStats {
                packets: audio.packets_out,
                bytes: audio.bytes_out,
                retransmitted: audio.retransmitted,
            },
            received: ReceivedStats {
                packets: audio.packets_in,
                bytes: audio.bytes_in,
                lost: audio.expected.saturating_sub(audio.packets_in),
                repaired: audio.repaired,
                requested: audio.requested,
                duplicates: audio.duplicates,
                jitter: at_48_khz(audio.jitter),
            },
            video: self.video_snapshot(),
            limit: (limit > 0).then_some(limit),
            path: None,
            srtp: None,
            dropped,
        }
    }
}

impl Counters {
    fn video_snapshot(&self) -> VideoStats {
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let counts = &self.video.counts;
        VideoStats {
            frames_out: load(&counts.frames_out),
            packets_out: load(&counts.packets_out),
            bytes_out: load(&counts.bytes_out),
            frames_dropped: load(&counts.frames_dropped),
            bitrate: self.video.bitrate(),
            queue: self.video.queue(),
            fraction_lost: f32::from(counts.fraction_lost.load(Ordering::Relaxed)) / 256.0,
            keyframes_asked_there: load(&counts.keyframes_asked_there),
            packets_in: load(&counts.packets_in),
            bytes_in: load(&counts.bytes_in),
            repaired: load(&counts.repaired),
            keyframes_asked_here: load(&counts.keyframes_asked_here),
            audio_clock: self.clock.heard(Medium::Audio),
            video_clock: self.clock.heard(Medium::Video),
        }
    }
}

fn at_48_khz(units: f64) -> Duration {
    Duration::try_from_secs_f64(units / 48_000.0).unwrap_or(Duration::ZERO)
}
