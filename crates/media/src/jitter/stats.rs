//! What the jitter buffer counts.

use std::time::Duration;

use super::sound::Origin;
use crate::SAMPLE_RATE;

/// What filled 10 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Packets that came in time.
    Decode,
    /// What the packet after a lost one carried of it.
    Fec,
    /// What a later packet carried of lost ones.
    Dred,
    /// Sound made up for what did not come.
    Conceal,
    /// Packets, a piece of them twice: more is to be kept in store.
    Stretch,
    /// Packets, a piece of them left out: less is to be kept in store.
    Shrink,
    /// Noise like the background: the sender is silent, or nothing came for long.
    ComfortNoise,
}

/// Counts since the start, and how it stands now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// How many times 10 ms were filled so, by [`Decision`].
    pub decoded: u64,
    /// See [`Decision::Fec`].
    pub fec: u64,
    /// See [`Decision::Dred`].
    pub dred: u64,
    /// See [`Decision::Conceal`].
    pub concealed: u64,
    /// See [`Decision::Stretch`].
    pub stretched: u64,
    /// See [`Decision::Shrink`].
    pub shrunk: u64,
    /// See [`Decision::ComfortNoise`].
    pub comfort_noise: u64,

    /// Packets handed in.
    pub received: u64,
    /// Packets that came after something was played in their place. Some are dropped, of some the rest is played.
    pub late: u64,
    /// Packets that had come before.
    pub duplicate: u64,
    /// Packets too far from the others, for which there was no room, or skipped because too much had gathered.
    pub out_of_window: u64,
    /// Packets that are none of the codec's, or too long.
    pub malformed: u64,
    /// How many times the sender's numbers began anew.
    pub jumped: u64,

    /// Samples of speech played: all but the silence of a sender that pauses.
    pub speech_samples: u64,
    /// Those of them that were made up because nothing had come.
    pub concealed_samples: u64,
    /// Samples put in by stretching.
    pub stretched_samples: u64,
    /// Samples left out by shrinking.
    pub shrunk_samples: u64,

    /// How long the last packets lay here before they were played, on average.
    pub playout_delay: Duration,
    /// How long a typical packet should lie here.
    pub target_delay: Duration,
}

impl Stats {
    /// The share of the speech that was made up: 0.0 to 1.0.
    pub fn concealed_share(&self) -> f64 {
        self.concealed_samples as f64 / self.speech_samples.max(1) as f64
    }

    pub(super) fn count(&mut self, decision: Decision) {
        let counter = match decision {
            Decision::Decode => &mut self.decoded,
            Decision::Fec => &mut self.fec,
            Decision::Dred => &mut self.dred,
            Decision::Conceal => &mut self.concealed,
            Decision::Stretch => &mut self.stretched,
            Decision::Shrink => &mut self.shrunk,
            Decision::ComfortNoise => &mut self.comfort_noise,
        };
        *counter += 1;
    }

    pub(super) fn count_samples(&mut self, counts: &[usize]) {
        for (origin, count) in Origin::ALL.iter().zip(counts) {
            let count = *count as u64;
            match origin {
                Origin::Decoded | Origin::Fec | Origin::Dred => self.speech_samples += count,
                Origin::Concealed => {
                    self.speech_samples += count;
                    self.concealed_samples += count;
                }
                Origin::Comfort => {}
            }
        }
    }

    /// What was played for want of packets turns out to have been a pause of the sender.
    pub(super) fn was_pause(&mut self, samples: u64) {
        let samples = samples.min(self.concealed_samples);
        self.concealed_samples -= samples;
        self.speech_samples -= samples;
    }

    /// What was taken for a pause of the sender turns out to have been lost.
    pub(super) fn was_loss(&mut self, samples: u64) {
        self.concealed_samples += samples;
        self.speech_samples += samples;
    }
}

/// A number of samples as time; negative ones are none.
pub(super) fn duration(samples: i64) -> Duration {
    let nanoseconds = u128::try_from(samples).unwrap_or(0) * 1_000_000_000 / u128::from(SAMPLE_RATE);
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}
