//! What is done to the own voice before it is sent: echo, noise and gain, by `sonora`, a port of WebRTC's audio
//! processing.

use sonora::config::{
    AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate, NoiseSuppression,
    NoiseSuppressionLevel, Pipeline,
};
use sonora::{AudioProcessing, Config, StreamConfig};

use crate::{FRAME_SAMPLES, Frame, SAMPLE_RATE};

/// Longest delay between speaker and microphone that may be hinted at, in milliseconds: what sonora takes.
const MAX_DELAY_MS: u16 = 500;

/// Gain that the controller starts with and the most it gives, in dB. Microphones of computers are set by the system:
/// the 15 and 50 dB of the default would make a quiet room hiss until it has learned.
const START_GAIN_DB: f32 = 3.0;
const MAX_GAIN_DB: f32 = 24.0;

/// What to do. Each may change during a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VoiceSettings {
    /// Take out what the own speaker plays.
    pub echo: bool,
    /// Take out steady noise.
    pub noise: bool,
    /// Make a soft voice louder, and a loud one softer.
    pub gain: bool,
}

impl VoiceSettings {
    const fn anything(self) -> bool {
        self.echo || self.noise || self.gain
    }
}

impl Default for VoiceSettings {
    fn default() -> Self {
        Self { echo: true, noise: true, gain: true }
    }
}

/// Cleans the own voice, 10 ms at a time.
///
/// With everything off the sound passes through untouched and undelayed. A change of settings fades: the frame after
/// [`VoiceProcessor::set`] leads out of the old ones, the next one into the new.
pub struct VoiceProcessor {
    processing: AudioProcessing,
    settings: VoiceSettings,
    wanted: VoiceSettings,
    /// The last frame faded out, so the next fades in.
    fades_in: bool,
}

impl VoiceProcessor {
    /// A processor that has heard nothing yet.
    pub fn new(settings: VoiceSettings) -> Self {
        let stream = StreamConfig::new(SAMPLE_RATE, 1);
        let processing = AudioProcessing::builder()
            .config(config(settings))
            .capture_config(stream)
            .render_config(stream)
            .build();
        Self { processing, settings, wanted: settings, fades_in: false }
    }

    /// Other settings, from the frame after the next on.
    pub const fn set(&mut self, settings: VoiceSettings) {
        self.wanted = settings;
    }

    /// How long sound takes from [`render`](Self::render) through the air to [`capture`](Self::capture), in
    /// milliseconds, as far as the devices tell. The echo canceller finds the rest by itself.
    pub fn set_delay_ms(&mut self, delay: u16) {
        // It complains about values that it clamps.
        let _ = self.processing.set_stream_delay_ms(i32::from(delay.min(MAX_DELAY_MS)));
    }

    /// What goes to the speaker, before the frame of the microphone in which it may be heard.
    pub fn render(&mut self, frame: &Frame) {
        if self.settings.echo {
            let mut unused = [0.0; FRAME_SAMPLES];
            if let Err(error) = self.processing.process_render_f32(&[frame], &mut [&mut unused]) {
                debug_assert!(false, "the format never changes: {error:?}");
            }
        }
    }

    /// Cleans 10 ms of the microphone in place. Samples that are no numbers count as 0, those beyond ±1 as ±1.
    pub fn capture(&mut self, frame: &mut Frame) {
        for sample in frame.iter_mut() {
            *sample = if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) };
        }
        if self.settings.anything() {
            let sound = *frame;
            if let Err(error) = self.processing.process_capture_f32(&[&sound], &mut [frame]) {
                debug_assert!(false, "the format never changes: {error:?}");
                *frame = sound;
            }
        }
        if std::mem::take(&mut self.fades_in) {
            ramp(frame, |part| part);
        }
        if self.wanted != self.settings {
            ramp(frame, |part| 1.0 - part);
            self.settings = self.wanted;
            self.processing.apply_config(config(self.settings));
            self.fades_in = true;
        }
    }
}

impl std::fmt::Debug for VoiceProcessor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VoiceProcessor").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn ramp(frame: &mut Frame, gain: impl Fn(f32) -> f32) {
    for (index, sample) in frame.iter_mut().enumerate() {
        *sample *= gain(index as f32 / FRAME_SAMPLES as f32);
    }
}

fn config(settings: VoiceSettings) -> Config {
    Config {
        pipeline: Pipeline {
            maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
            ..Pipeline::default()
        },
        high_pass_filter: settings.anything().then(HighPassFilter::default),
        echo_canceller: settings.echo.then(EchoCanceller::default),
        noise_suppression: settings.noise.then(|| NoiseSuppression {
            level: NoiseSuppressionLevel::Moderate,
            ..NoiseSuppression::default()
        }),
        gain_controller2: settings.gain.then(|| GainController2 {
            adaptive_digital: Some(AdaptiveDigital {
                initial_gain_db: START_GAIN_DB,
                max_gain_db: MAX_GAIN_DB,
                ..AdaptiveDigital::default()
            }),
            ..GainController2::default()
        }),
        ..Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise from a fixed seed (xorshift; Marsaglia 2003), −1 to 1.
    struct Noise(u64);

    impl Noise {
        fn next(&mut self) -> f32 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        }
    }

    /// Something like speech: noise through a low-pass filter, in syllables of a fifth of a second.
    fn speech(seconds: usize) -> Vec<f32> {
        let (mut noise, mut low) = (Noise(7), 0.0f32);
        (0..seconds * SAMPLE_RATE as usize)
            .map(|n| {
                low += 0.15 * (noise.next() - low);
                let syllable =
                    (n as f32 / SAMPLE_RATE as f32 * 5.0 * std::f32::consts::TAU / 2.0).sin().powi(2);
                let pause = (n / SAMPLE_RATE as usize) % 4 == 3;
                if pause { 0.0 } else { 0.6 * low * syllable }
            })
            .collect()
    }

    /// A room: the direct sound after 10 ms, then noise that falls by 60 dB in `decay` seconds.
    fn room(decay: f32) -> Vec<f32> {
        let mut noise = Noise(3);
        let long = (decay * SAMPLE_RATE as f32) as usize;
        let mut response = vec![0.0; 480];
        response.push(0.4);
        response.extend((0..long).step_by(8).flat_map(|n| {
            let tap = 0.05 * noise.next() * (-6.9 * n as f32 / long as f32).exp();
            std::iter::once(tap).chain(std::iter::repeat_n(0.0, 7))
        }));
        response
    }

    fn echo(far: &[f32], response: &[f32]) -> Vec<f32> {
        let taps: Vec<_> = response.iter().copied().enumerate().filter(|(_, tap)| *tap != 0.0).collect();
        (0..far.len())
            .map(|n| taps.iter().filter(|(at, _)| *at <= n).map(|(at, tap)| far[n - at] * tap).sum())
            .collect()
    }

    fn power(sound: &[f32]) -> f32 {
        sound.iter().map(|sample| sample * sample).sum::<f32>() / sound.len() as f32
    }

    fn run(settings: VoiceSettings, far: &[f32], microphone: &[f32]) -> Vec<f32> {
        let mut processor = VoiceProcessor::new(settings);
        let mut out = Vec::new();
        for (far, near) in far.chunks_exact(FRAME_SAMPLES).zip(microphone.chunks_exact(FRAME_SAMPLES)) {
            processor.render(far.try_into().unwrap());
            let mut frame: Frame = near.try_into().unwrap();
            processor.capture(&mut frame);
            out.extend(frame);
        }
        out
    }

    const ECHO: VoiceSettings = VoiceSettings { echo: true, noise: false, gain: false };

    #[test]
    fn the_echo_of_a_room_is_30_db_softer_after_two_seconds() {
        let far = speech(7);
        for decay in [0.06, 0.15] {
            let microphone = echo(&far, &room(decay));
            let left = run(ECHO, &far, &microphone);
            let later = 2 * SAMPLE_RATE as usize..;
            let removed = 10.0 * (power(&microphone[later.clone()]) / power(&left[later]).max(1e-12)).log10();
            println!("room of {decay} s: {removed:.1} dB removed");
            assert!(removed >= 30.0, "room of {decay} s: {removed:.1} dB");
        }
    }

    #[test]
    fn with_everything_off_not_a_sample_changes() {
        let off = VoiceSettings { echo: false, noise: false, gain: false };
        let microphone = speech(1);
        assert_eq!(run(off, &speech(1), &microphone), microphone);
    }

    #[test]
    fn steady_noise_becomes_softer_and_a_voice_stays() {
        let mut noise = Noise(11);
        let hiss: Vec<f32> = (0..5 * SAMPLE_RATE as usize).map(|_| 0.01 * noise.next()).collect();
        let silence = vec![0.0; hiss.len()];
        let settings = VoiceSettings { echo: false, noise: true, gain: false };
        let left = run(settings, &silence, &hiss);
        let later = 3 * SAMPLE_RATE as usize..;
        let removed = 10.0 * (power(&hiss[later.clone()]) / power(&left[later])).log10();
        assert!(removed > 8.0, "{removed:.1} dB");
        let voice = speech(3);
        let kept = 10.0 * (power(&run(settings, &silence[..voice.len()], &voice)) / power(&voice)).log10();
        assert!(kept > -6.0, "{kept:.1} dB");
    }

    #[test]
    fn settings_change_in_a_call_without_a_click() {
        let tone = |n: usize| 0.2 * (n as f32 / SAMPLE_RATE as f32 * 200.0 * std::f32::consts::TAU).sin();
        let mut processor = VoiceProcessor::new(VoiceSettings { echo: false, noise: false, gain: false });
        let mut out = Vec::new();
        for number in 0..300 {
            match number {
                100 => processor.set(VoiceSettings { echo: false, noise: true, gain: false }),
                200 => processor.set(VoiceSettings { echo: true, noise: false, gain: false }),
                _ => {}
            }
            let mut frame: Frame = std::array::from_fn(|n| tone(number * FRAME_SAMPLES + n));
            processor.render(&[0.0; FRAME_SAMPLES]);
            processor.capture(&mut frame);
            out.extend(frame);
        }
        let steepest = out.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(steepest < 0.02, "{steepest}");
    }

    #[test]
    fn what_is_no_sound_does_no_harm() {
        let mut processor = VoiceProcessor::new(VoiceSettings::default());
        for bad in [f32::NAN, f32::INFINITY, -1e30, 1e-40] {
            let mut frame = [bad; FRAME_SAMPLES];
            processor.render(&[0.5; FRAME_SAMPLES]);
            processor.capture(&mut frame);
            assert!(frame.iter().all(|sample| sample.is_finite()));
        }
    }
}
