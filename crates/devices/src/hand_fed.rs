//! A microphone and a speaker whose callbacks a test makes, one by one and at moments of its own. No thread, no clock.

use std::time::{Duration, Instant};

use carillon_media::SAMPLE_RATE;

use crate::feed::{Handover, MicrophoneFeed, SpeakerFeed};
use crate::line::{Intake, MicrophoneLine, Outlet, SpeakerLine, microphone_line, speaker_line};
use crate::problem::SoundError;

/// A microphone at 48 kHz that hears what it is given.
pub struct HandFedMicrophone {
    handover: Handover<MicrophoneLine>,
    intake: Option<Intake>,
}

impl HandFedMicrophone {
    /// One that is plugged in, and its feed.
    ///
    /// # Errors
    /// None that a test meets.
    pub fn new() -> Result<(Self, MicrophoneFeed), SoundError> {
        let (handover, feed) = MicrophoneFeed::new();
        let mut microphone = Self { handover, intake: None };
        microphone.plug()?;
        Ok((microphone, feed))
    }

    /// What a callback hears; its last sample is in the air at `now`.
    pub fn hear(&mut self, sound: &[f32], now: Instant) {
        let long = Duration::from_secs_f64(sound.len() as f64 / f64::from(SAMPLE_RATE));
        if let Some(intake) = &mut self.intake {
            intake.take_in(sound.iter().copied(), now.checked_sub(long).unwrap_or(now), now);
        }
    }

    /// The device goes.
    pub fn unplug(&mut self) {
        self.intake = None;
        // Where the feed looks at nothing any more, there is nobody to tell.
        let _ = self.handover.push(None);
    }

    /// A device comes.
    ///
    /// # Errors
    /// None that a test meets.
    pub fn plug(&mut self) -> Result<(), SoundError> {
        let (intake, line) = microphone_line(SAMPLE_RATE)?;
        self.intake = Some(intake);
        let _ = self.handover.push(Some(line));
        Ok(())
    }
}

/// A speaker at 48 kHz that plays when it is told to.
pub struct HandFedSpeaker {
    handover: Handover<SpeakerLine>,
    outlet: Option<Outlet>,
}

impl HandFedSpeaker {
    /// One that is plugged in, and its feed.
    ///
    /// # Errors
    /// None that a test meets.
    pub fn new() -> Result<(Self, SpeakerFeed), SoundError> {
        let (mut handover, feed) = SpeakerFeed::new();
        let (outlet, line) = speaker_line(SAMPLE_RATE)?;
        let _ = handover.push(Some(line));
        Ok((Self { handover, outlet: Some(outlet) }, feed))
    }

    /// What a callback at `now` plays; silence where nothing waits.
    pub fn play(&mut self, samples: usize, now: Instant) -> Vec<f32> {
        let mut played = vec![0.0; samples];
        if let Some(outlet) = &mut self.outlet {
            outlet.give_out(samples, Duration::ZERO, now, |at, sample| {
                if let Some(slot) = played.get_mut(at) {
                    *slot = sample;
                }
            });
        }
        played
    }

    /// The device goes.
    pub fn unplug(&mut self) {
        self.outlet = None;
        let _ = self.handover.push(None);
    }
}
