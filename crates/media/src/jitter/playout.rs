//! What is played: packets, what stands in for lost ones, and longer or shorter to reach the target.

use std::ops::RangeInclusive;

use super::packets::Held;
use super::sound::Origin;
use super::{Decision, FEC_REFUSALS, JitterBuffer, MAX_PACKETS, MILLISECOND, MIN_SAMPLES, Samples};
use crate::stretch::{COMPARED, LAG_MAX, LAG_MIN};
use crate::{FRAME_SAMPLES, SpeechDecoder};

const FRAME: Samples = FRAME_SAMPLES as Samples;
/// So much over the target, sound is shortened.
const SHRINK_FROM: Samples = 8 * MILLISECOND;
/// So much under the target, sound is stretched.
const STRETCH_FROM: Samples = 2 * MILLISECOND;
/// Stretching may end so much over it.
const STRETCH_OVER: Samples = 5 * MILLISECOND;
/// So far from it there is a hurry.
const HURRY_FROM: Samples = 40 * MILLISECOND;
/// Frames left alone between two changes, and in a hurry.
const COOLDOWN: u32 = 6;
const COOLDOWN_IN_HURRY: u32 = 2;
/// How alike two periods of a voice must be, and in a hurry.
const LIKENESS: f32 = 0.85;
const LIKENESS_IN_HURRY: f32 = 0.5;
/// Over the most that the delay may be, this is shortened away; what is more is skipped.
const SKIP_FROM: Samples = 20 * MILLISECOND;
/// Sound made up turns into noise between these lengths: voices don't hold longer than that.
const FADE_FROM: usize = 3_840;
const FADE_TO: usize = 7_680;
/// How many packets are asked for redundancy.
const ASKED: usize = 8;
/// Opus says with a packet of its table of contents alone that silence follows.
const SAYS_SILENCE: usize = 2;
/// How much a new packet counts for the delay shown.
const HOLD: f64 = 1.0 / 32.0;

impl<D: SpeechDecoder> JitterBuffer<D> {
    /// The offset to the timestamps at which to play.
    pub(super) fn target(&self) -> Samples {
        let target = self.delay.target(self.clock, self.min_delay, self.max_delay);
        target.saturating_add(self.held).min(self.delay.fastest().saturating_add(self.max_delay)).max(target)
    }

    /// The timestamp of the sample to be played next.
    pub(super) fn position(&self) -> Samples {
        self.next_start.saturating_sub(self.pause).saturating_sub(self.sound.pending() as Samples)
    }

    /// The offset at which the next packet is needed. A packet is needed when the 10 ms begin in which it begins.
    fn lead(&self) -> Samples {
        let (pending, length) = (self.sound.pending(), self.last_samples.min(FRAME_SAMPLES));
        let into_frame = (pending % length + FRAME_SAMPLES - length) as Samples;
        self.clock.saturating_sub(self.position()).saturating_sub(into_frame)
    }

    /// How far what is played is over its target.
    ///
    /// Where the clocks drift, a packet is needed now at the begin of its 10 ms and now at their end. A delay that holds
    /// still through that is as long as the longest of them, so that every packet is there when it is needed.
    pub(super) fn over(&self) -> Samples {
        if self.drift.is_met() {
            let delay = self.clock.saturating_sub(self.position());
            delay.saturating_sub(self.target()).saturating_sub(FRAME - STRETCH_FROM)
        } else {
            self.lead().saturating_sub(self.target())
        }
    }

    /// Sees to it that `wanted` samples wait to be played.
    pub(super) fn fill(&mut self, wanted: usize) {
        // Each round adds sound, or lets a packet go.
        for _ in 0..MAX_PACKETS + wanted {
            let Some(missing) = wanted.checked_sub(self.sound.pending()).filter(|missing| *missing > 0)
            else {
                return;
            };
            match self.packets.first() {
                _ if self.pause > 0 => {
                    let length = missing.min(usize::try_from(self.pause).unwrap_or(missing));
                    self.pause -= length as Samples;
                    self.add_noise(length);
                }
                None => self.wait_for(missing),
                Some(first) => {
                    self.end_wait(&first);
                    self.skip_if_overdue();
                    if self.packets.first() == Some(first) {
                        self.go_to(first);
                    }
                }
            }
        }
    }

    /// Nothing is there. It may come yet: the position stays.
    fn wait_for(&mut self, missing: usize) {
        let length = missing.next_multiple_of(MIN_SAMPLES);
        if self.last_says_silence || self.background.is_pause() {
            self.add_noise(length);
            self.wait.comfort += length as Samples;
        } else {
            self.conceal(length);
            self.wait.concealed += length as Samples;
        }
    }

    /// A packet says what was waited for: itself, lost ones, or the end of a pause.
    fn end_wait(&mut self, first: &Held) {
        let wait = std::mem::take(&mut self.wait);
        let gap = first.start.saturating_sub(self.next_start);
        if wait.samples() == 0 {
            return;
        }
        if gap <= 0 {
            self.stats.was_loss(wait.comfort.unsigned_abs());
        } else if first.sequence == self.last_sequence + 1 {
            self.stats.was_pause(wait.concealed.unsigned_abs());
            self.pause_until(first);
        } else {
            let missing = first.sequence - self.last_sequence - 1;
            let lost = missing.saturating_mul(self.last_samples as Samples);
            if lost >= gap / 2 {
                self.stats.was_loss(wait.comfort.unsigned_abs());
            } else {
                // The packet that says that silence follows was lost itself.
                self.stats.was_pause(wait.concealed.saturating_sub(lost).max(0).unsigned_abs());
            }
            self.next_start += wait.samples().min(gap);
            if self.next_start == first.start {
                self.catch_up_by_fec(first);
            }
        }
    }

    /// The lost packet's time is over, but its redundancy still tells the decoder how its sound went on.
    fn catch_up_by_fec(&mut self, first: &Held) {
        let restored =
            self.decoder.decode_fec(self.packets.payload(first), &mut self.scratch[..first.samples]).is_ok();
        self.note_fec(restored);
    }

    fn note_fec(&mut self, carried: bool) {
        self.fec_refusals = if carried { 0 } else { self.fec_refusals.saturating_add(1).min(FEC_REFUSALS) };
    }

    /// The sender was silent up to this packet: a chance to play it exactly when it should be, unheard.
    fn pause_until(&mut self, first: &Held) {
        let due = first.start.saturating_add(self.target());
        let until = due.saturating_sub(self.clock).saturating_sub(self.sound.pending() as Samples);
        self.next_start = first.start;
        self.pause = until.clamp(0, self.max_delay.saturating_add(FRAME));
    }

    /// Too much has gathered, as after a standstill of the network: what is too old is left out.
    fn skip_if_overdue(&mut self) {
        let most = self.delay.fastest().saturating_add(self.max_delay).saturating_add(SKIP_FROM);
        let to = self.clock.saturating_sub(self.target());
        if self.clock.saturating_sub(self.position()) <= most || to <= self.next_start {
            return;
        }
        self.sound.drop_pending();
        self.seam = true;
        self.pause = 0;
        self.next_start = to;
        while self.packets.first().is_some_and(|first| first.end() <= to) {
            if let Some(gone) = self.packets.pop() {
                self.last_sequence = self.last_sequence.max(gone.sequence);
                self.stats.out_of_window += 1;
            }
        }
    }

    fn go_to(&mut self, first: Held) {
        let gap = first.start.saturating_sub(self.next_start);
        if first.end() <= self.next_start {
            self.packets.pop();
        } else if gap <= 0 {
            self.decode(&first);
        } else if first.sequence == self.last_sequence + 1 {
            self.pause_until(&first);
        } else {
            self.restore(&first, usize::try_from(gap).unwrap_or(usize::MAX));
        }
    }

    fn decode(&mut self, first: &Held) {
        self.packets.pop();
        let payload = self.packets.payload(first);
        if self.decoder.decode(payload, &mut self.scratch[..first.samples]).is_err() {
            self.stats.malformed += 1;
            return;
        }
        self.last_says_silence = payload.len() <= SAYS_SILENCE;
        let played = self.clock.saturating_add(self.sound.pending() as Samples);
        let hold = played.saturating_sub(first.arrival) as f64;
        let average = self.hold.get_or_insert(hold);
        *average += HOLD * (hold - *average);
        let begin =
            usize::try_from(self.next_start.saturating_sub(first.start)).unwrap_or(0).min(first.samples);
        self.seam |= begin > 0;
        self.add(begin, first.samples, Origin::Decoded);
        self.next_start = first.end();
        self.last_sequence = first.sequence;
        self.last_samples = first.samples;
    }

    /// Makes up for a piece of a loss of `gap` samples before `first`, by what later packets carry if they do.
    fn restore(&mut self, first: &Held, gap: usize) {
        if gap <= first.samples && self.restore_by_fec(first, gap) {
            return;
        }
        // In one go up to where the lost packet begins that the next one may carry.
        let length = FRAME_SAMPLES.min(if gap > first.samples { gap - first.samples } else { gap });
        match self.restore_by_dred(length) {
            Ok(()) => {
                self.add(0, length, Origin::Dred);
                self.next_start += length as Samples;
            }
            Err(beyond) => {
                let length = length.min(beyond);
                self.conceal(length);
                self.next_start += length as Samples;
            }
        }
    }

    fn restore_by_fec(&mut self, first: &Held, gap: usize) -> bool {
        let restored =
            self.decoder.decode_fec(self.packets.payload(first), &mut self.scratch[..first.samples]).is_ok();
        self.note_fec(restored);
        if restored {
            self.add(first.samples - gap, first.samples, Origin::Fec);
            self.next_start = first.start;
        }
        restored
    }

    /// Restores into the scratch space, or says how far ahead the reach of any packet begins.
    fn restore_by_dred(&mut self, length: usize) -> Result<(), usize> {
        let mut beyond = usize::MAX;
        for held in self.packets.iter().take(ASKED) {
            let payload = self.packets.payload(held);
            let before = usize::try_from(held.start.saturating_sub(self.next_start)).unwrap_or(usize::MAX);
            let reach = self.decoder.dred_samples(payload);
            if reach < before {
                beyond = beyond.min(before - reach);
            } else if self.decoder.decode_dred(payload, before, &mut self.scratch[..length]).is_ok() {
                return Ok(());
            }
        }
        Err(beyond)
    }

    /// Goes on from the sound before; when that has been going on for long, fades into noise.
    fn conceal(&mut self, length: usize) {
        let made = length.next_multiple_of(MIN_SAMPLES).min(self.scratch.len() / 2);
        let length = length.min(made);
        let begun = self.made_up;
        let (concealed, noise) = self.scratch.split_at_mut(made);
        if begun < FADE_TO {
            self.decoder.conceal(concealed);
        } else {
            concealed.fill(0.0);
        }
        if begun + length > FADE_FROM {
            let noise = &mut noise[..length];
            self.background.fill(noise);
            for (i, (sample, noise)) in concealed.iter_mut().zip(noise).enumerate() {
                let share = (begun + i).saturating_sub(FADE_FROM) as f32 / (FADE_TO - FADE_FROM) as f32;
                // Powers add: the two are strangers.
                let share = share.min(1.0);
                *sample = *sample * (1.0 - share).sqrt() + *noise * share.sqrt();
            }
        }
        self.sound.push(&self.scratch[..length], Origin::Concealed);
        self.made_up = begun.saturating_add(length);
    }

    fn add_noise(&mut self, length: usize) {
        let length = length.min(self.scratch.len());
        let noise = &mut self.scratch[..length];
        self.background.fill(noise);
        if self.sound.newest() == Origin::Comfort {
            self.sound.push(noise, Origin::Comfort);
        } else {
            self.sound.join(noise, Origin::Comfort);
        }
        self.made_up = FADE_TO;
    }

    /// Adds a part of what lies in the scratch space: received sound.
    fn add(&mut self, begin: usize, end: usize, origin: Origin) {
        let sound = &self.scratch[begin..end];
        if std::mem::take(&mut self.seam) || !self.sound.newest().is_received() {
            self.sound.join(sound, origin);
        } else {
            self.sound.push(sound, origin);
        }
        self.made_up = 0;
    }

    /// Stretches or shortens what is played next when it is off the target.
    pub(super) fn adapt(&mut self) -> Option<Decision> {
        self.cooldown = self.cooldown.saturating_sub(1);
        let waits = self.wait.samples() > 0 || self.pause > 0 || !self.sound.next_is_received();
        if waits || self.cooldown > 0 {
            return None;
        }
        let over = self.over();
        let hurry = over.abs() > HURRY_FROM;
        let silent = self.sound.ahead().get(..FRAME_SAMPLES).is_some_and(|next| self.background.holds(next));
        let likeness = if silent {
            -1.0
        } else if hurry {
            LIKENESS_IN_HURRY
        } else {
            LIKENESS
        };
        let decision = if over >= SHRINK_FROM {
            let most = usize::try_from(over).unwrap_or(0);
            self.shrink(0..=most, likeness)
        } else if over <= -STRETCH_FROM {
            let most = usize::try_from(STRETCH_OVER - over).unwrap_or(0);
            self.stretch(most, likeness)
        } else if silent && self.last_samples >= FRAME_SAMPLES && !self.drift.is_met() {
            // A packet that begins within 10 ms is needed when they begin: what comes before it only adds delay.
            let into_frame = self.sound.pending() % FRAME_SAMPLES;
            self.shrink(into_frame..=into_frame, likeness)
        } else {
            None
        };
        if decision.is_some() {
            self.cooldown = if hurry { COOLDOWN_IN_HURRY } else { COOLDOWN };
        }
        decision
    }

    fn shrink(&mut self, lags: RangeInclusive<usize>, likeness: f32) -> Option<Decision> {
        if *lags.end() < LAG_MIN {
            return None;
        }
        self.look_ahead(LAG_MAX + COMPARED);
        let gone = self.sound.shrink(lags, likeness);
        self.stats.shrunk_samples += gone as u64;
        (gone > 0).then_some(Decision::Shrink)
    }

    fn stretch(&mut self, most: usize, likeness: f32) -> Option<Decision> {
        let more = self.sound.stretch(most, likeness);
        self.stats.stretched_samples += more as u64;
        (more > 0).then_some(Decision::Stretch)
    }

    /// Decodes packets before they are needed, where they are there and in line.
    fn look_ahead(&mut self, wanted: usize) {
        while self.sound.pending() < wanted {
            match self.packets.first() {
                Some(first) if first.start <= self.next_start && first.end() > self.next_start => {
                    self.decode(&first);
                }
                Some(_) | None => return,
            }
        }
    }
}

/// What most of the samples are; of two that are equal, the worse.
pub(super) fn most_of(counts: &[usize]) -> Decision {
    let most = Origin::ALL.iter().zip(counts).max_by_key(|(_, count)| **count).map(|(origin, _)| *origin);
    match most.unwrap_or(Origin::Comfort) {
        Origin::Decoded => Decision::Decode,
        Origin::Fec => Decision::Fec,
        Origin::Dred => Decision::Dred,
        Origin::Concealed => Decision::Conceal,
        Origin::Comfort => Decision::ComfortNoise,
    }
}
