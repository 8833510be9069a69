//! What is done to the own voice before it is sent: echo, noise and gain, by `sonora`, a port of WebRTC's audio
//! processing.
//!
//! The stages are put together here and not by the crate: what each has learned stays when another is switched, and where
//! `echo_path` finds that nothing comes back, the voice goes past the echo canceller.

mod echo;
mod echo_path;
mod high_pass;

use echo::EchoStage;
use high_pass::HighPass;
use sonora::config::{AdaptiveDigital, GainController2, MaxProcessingRate, Pipeline};
use sonora::three_band_filter_bank::{NUM_BANDS as BANDS, ThreeBandFilterBank};
use sonora::{AudioProcessing, Config, StreamConfig};
use sonora_ns::config::{NsConfig, SuppressionLevel};
use sonora_ns::noise_suppressor::NoiseSuppressor;

use crate::{FRAME_SAMPLES, Frame, SAMPLE_RATE};

/// 10 ms in bands of 16 kHz, from low to high, in units of 16-bit samples.
type Bands = [[f32; FRAME_SAMPLES / BANDS]; BANDS];
/// What 1.0 is in those units.
const FULL_SCALE: f32 = 32_768.0;

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
/// [`VoiceProcessor::set`] leads out of the old ones; after 10 ms of silence the sound is back with the new.
pub struct VoiceProcessor {
    high_pass: HighPass,
    split: ThreeBandFilterBank,
    echo: Option<EchoStage>,
    noise: Option<NoiseSuppressor>,
    gain: Option<AudioProcessing>,
    settings: VoiceSettings,
    wanted: VoiceSettings,
    /// How many frames ago the sound faded out: the next is silent while the new stages fill, the one after fades in.
    faded: Option<u8>,
}

impl VoiceProcessor {
    /// A processor that has heard nothing yet.
    pub fn new(settings: VoiceSettings) -> Self {
        Self {
            high_pass: HighPass::new(),
            split: ThreeBandFilterBank::new(),
            echo: settings.echo.then(EchoStage::new),
            noise: settings.noise.then(noise_stage),
            gain: settings.gain.then(gain_stage),
            settings,
            wanted: settings,
            faded: None,
        }
    }

    /// Other settings, from the frame after the next on.
    pub const fn set(&mut self, settings: VoiceSettings) {
        self.wanted = settings;
    }

    /// What is done from the frame after the next on.
    pub const fn wanted(&self) -> VoiceSettings {
        self.wanted
    }

    /// How long sound takes from [`render`](Self::render) through the air to [`capture`](Self::capture), in
    /// milliseconds, as far as the devices tell. The echo canceller finds the rest by itself.
    pub fn set_delay_ms(&mut self, delay: u16) {
        if let Some(echo) = &mut self.echo {
            echo.set_delay_ms(delay.min(MAX_DELAY_MS));
        }
    }

    /// What goes to the speaker, before the frame of the microphone in which it may be heard.
    pub fn render(&mut self, frame: &Frame) {
        if let Some(echo) = &mut self.echo {
            echo.render(frame);
        }
    }

    /// Cleans 10 ms of the microphone in place. Samples that are no numbers count as 0, those beyond ±1 as ±1.
    pub fn capture(&mut self, frame: &mut Frame) {
        for sample in frame.iter_mut() {
            *sample = if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) };
        }
        if self.settings.anything() {
            self.clean(frame);
        }
        match self.faded.take() {
            Some(0) => {
                frame.fill(0.0);
                self.faded = Some(1);
            }
            Some(_) => ramp(frame, |part| part),
            None if self.wanted != self.settings => {
                ramp(frame, |part| 1.0 - part);
                self.change();
                self.faded = Some(0);
            }
            None => {}
        }
    }

    fn clean(&mut self, frame: &mut Frame) {
        let bare = *frame;
        frame.iter_mut().for_each(|sample| *sample *= FULL_SCALE);
        self.high_pass.process(frame);
        if self.echo.is_some() || self.noise.is_some() {
            let mut bands = [[0.0; FRAME_SAMPLES / BANDS]; BANDS];
            self.split.analysis(frame, &mut bands);
            // Before the canceller fills in a noise of its own.
            if let Some(noise) = &mut self.noise {
                noise.analyze(&bands[0]);
            }
            if let Some(echo) = &mut self.echo {
                echo.capture(&bare, &mut bands);
            }
            if let Some(noise) = &mut self.noise {
                take_noise_out(noise, &mut bands);
            }
            self.split.synthesis(&bands, frame);
        }
        frame.iter_mut().for_each(|sample| *sample = (*sample / FULL_SCALE).clamp(-1.0, 1.0));
        if let Some(gain) = &mut self.gain {
            let sound = *frame;
            if let Err(error) = gain.process_capture_f32(&[&sound], &mut [frame]) {
                debug_assert!(false, "the format never changes: {error:?}");
                *frame = sound;
            }
        }
    }

    /// Changes what is another, and nothing else: a canceller that begins anew lets the echo through for a second.
    fn change(&mut self) {
        let (old, new) = (self.settings, self.wanted);
        if new.echo != old.echo {
            self.echo = new.echo.then(EchoStage::new);
        }
        if new.noise != old.noise {
            self.noise = new.noise.then(noise_stage);
        }
        if new.gain != old.gain {
            self.gain = new.gain.then(gain_stage);
        }
        self.settings = new;
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

fn noise_stage() -> NoiseSuppressor {
    NoiseSuppressor::new_with_bands(NsConfig { target_level: SuppressionLevel::K12dB }, BANDS)
}

fn take_noise_out(noise: &mut NoiseSuppressor, bands: &mut Bands) {
    let [low, upper @ ..] = bands;
    noise.process(low);
    let gain = noise.upper_band_gain();
    for (index, band) in upper.iter_mut().enumerate() {
        noise.process_upper_band(band, index, gain);
        NoiseSuppressor::clamp_frame(band);
    }
}

fn gain_stage() -> AudioProcessing {
    let config = Config {
        pipeline: Pipeline {
            maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz,
            ..Pipeline::default()
        },
        gain_controller2: Some(GainController2 {
            adaptive_digital: Some(AdaptiveDigital {
                initial_gain_db: START_GAIN_DB,
                max_gain_db: MAX_GAIN_DB,
                ..AdaptiveDigital::default()
            }),
            ..GainController2::default()
        }),
        ..Config::default()
    };
    let stream = StreamConfig::new(SAMPLE_RATE, 1);
    AudioProcessing::builder().config(config).capture_config(stream).render_config(stream).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::{Direction, EdgeResampler};

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

    /// What `carillon loopback` speaks, from one of its sentences on, for so many seconds.
    fn spoken(from: f32, seconds: usize) -> Vec<f32> {
        let file = include_bytes!("../../cli/assets/speech.wav");
        let mut reader = hound::WavReader::new(&file[..]).unwrap();
        let text: Vec<_> =
            reader.samples::<i16>().map(|sample| f32::from(sample.unwrap()) / 32_768.0).collect();
        let mut up = EdgeResampler::new(Direction::Capture, reader.spec().sample_rate).unwrap();
        let mut text = text.into_iter().cycle().skip((from * 16_000.0) as usize);
        let mut sound = Vec::new();
        while sound.len() < seconds * SAMPLE_RATE as usize {
            let mut frame = [0.0; FRAME_SAMPLES];
            let input: Vec<_> = text.by_ref().take(up.takes()).collect();
            up.process(&input, &mut frame).unwrap();
            sound.extend(frame);
        }
        sound
    }

    /// How much of a voice is left, as P.862.2 hears it.
    fn mos(voice: &[f32], left: &[f32]) -> f32 {
        let third = |sound: &[f32]| -> Vec<i16> {
            sound.chunks(3).map(|three| (three.iter().sum::<f32>() / 3.0 * 32_767.0) as i16).collect()
        };
        pesq::pesq_wb(&third(voice), &third(left)).unwrap()
    }

    fn decibels(one: &[f32], other: &[f32]) -> f32 {
        10.0 * (power(one) / power(other).max(1e-12)).log10()
    }

    fn sum(one: &[f32], other: &[f32]) -> Vec<f32> {
        one.iter().zip(other).map(|(one, other)| one + other).collect()
    }

    const SECOND: usize = SAMPLE_RATE as usize;

    #[test]
    fn where_nothing_comes_back_the_voice_stays_whole_while_the_other_side_talks() {
        let (far, near) = (spoken(0.0, 20), spoken(3.1, 20));
        let left = run(ECHO, &far, &near);
        let (begin, later) = (..5 * SECOND, 6 * SECOND..18 * SECOND);
        println!("while it looks: {:.2}", mos(&near[begin], &left[begin]));
        let heard = mos(&near[later.clone()], &left[later]);
        println!("afterwards: {heard:.2}");
        assert!(heard > 4.0, "{heard:.2}");
    }

    #[test]
    fn an_echo_is_found_under_a_voice_that_never_pauses() {
        let (far, near) = (spoken(0.0, 20), spoken(3.1, 20));
        for (decay, level) in [(0.06, 1.0), (0.15, 1.0), (0.06, 0.3), (0.15, 0.3)] {
            let echo: Vec<_> = echo(&far, &room(decay)).iter().map(|sample| level * sample).collect();
            let microphone = sum(&near, &echo);
            let mut processor = VoiceProcessor::new(ECHO);
            let (mut past, mut left) = (0, Vec::new());
            for (far, near) in far.chunks_exact(FRAME_SAMPLES).zip(microphone.chunks_exact(FRAME_SAMPLES)) {
                processor.render(far.try_into().unwrap());
                let mut frame: Frame = near.try_into().unwrap();
                processor.capture(&mut frame);
                past += usize::from(processor.echo.as_ref().unwrap().is_past());
                left.extend(frame);
            }
            let later = 6 * SECOND..18 * SECOND;
            println!(
                "room of {decay} s, {level}: past the canceller {past}, echo to voice {:.1} dB, voice {:.2}, bare {:.2}",
                decibels(&echo, &near),
                mos(&near[later.clone()], &left[later.clone()]),
                mos(&near[later.clone()], &microphone[later]),
            );
            assert!(level < 1.0 || past == 0, "room of {decay} s");
        }
    }

    #[test]
    fn an_echo_that_comes_in_the_midst_of_a_call_is_gone_after_two_seconds() {
        let far = spoken(0.0, 20);
        let mut microphone: Vec<_> = spoken(3.1, 20);
        microphone[9 * SECOND..].copy_from_slice(&echo(&far, &room(0.09))[9 * SECOND..]);
        let mut processor = VoiceProcessor::new(ECHO);
        let mut left = Vec::new();
        let mut rested = Vec::new();
        for (far, near) in far.chunks_exact(FRAME_SAMPLES).zip(microphone.chunks_exact(FRAME_SAMPLES)) {
            rested.push(processor.echo.as_ref().unwrap().rests());
            processor.render(far.try_into().unwrap());
            let mut frame: Frame = near.try_into().unwrap();
            processor.capture(&mut frame);
            left.extend(frame);
        }
        assert!(
            rested[899] && !rested[1_100..].contains(&true),
            "the canceller rests until there is an echo"
        );
        let later = 11 * SECOND..;
        let removed = decibels(&microphone[later.clone()], &left[later]);
        println!("{removed:.1} dB removed");
        assert!(removed > 30.0, "{removed:.1} dB");
    }

    #[test]
    fn what_was_learned_of_the_room_stays_when_another_stage_is_switched() {
        let far = spoken(0.0, 8);
        let microphone = echo(&far, &room(0.09));
        let mut processor = VoiceProcessor::new(ECHO);
        let mut left = Vec::new();
        for (number, (far, near)) in
            far.chunks_exact(FRAME_SAMPLES).zip(microphone.chunks_exact(FRAME_SAMPLES)).enumerate()
        {
            match number {
                500 => processor.set(VoiceSettings { noise: true, ..ECHO }),
                600 => processor.set(ECHO),
                _ => {}
            }
            processor.render(far.try_into().unwrap());
            let mut frame: Frame = near.try_into().unwrap();
            processor.capture(&mut frame);
            left.extend(frame);
        }
        for after in [5 * SECOND..6 * SECOND, 6 * SECOND..8 * SECOND] {
            let removed = decibels(&microphone[after.clone()], &left[after]);
            assert!(removed > 30.0, "{removed:.1} dB");
        }
    }

    #[test]
    fn an_own_microphone_50_ppm_off_the_speaker_changes_little() {
        let far = spoken(0.0, 30);
        let even = echo(&far, &room(0.09));
        for ppm in [-50.0, 50.0] {
            let mut drift = EdgeResampler::new(Direction::Capture, SAMPLE_RATE).unwrap();
            drift.correct(1.0 + ppm * 1e-6);
            let (mut at, mut microphone) = (0, Vec::new());
            while let Some(input) = even.get(at..at + drift.takes()) {
                let mut frame = [0.0; FRAME_SAMPLES];
                at += input.len();
                drift.process(input, &mut frame).unwrap();
                microphone.extend(frame);
            }
            let left = run(ECHO, &far, &microphone);
            let later = 5 * SECOND..29 * SECOND;
            let removed = decibels(&microphone[later.clone()], &left[later]);
            println!("{ppm} ppm: {removed:.1} dB removed");
            assert!(removed > 30.0, "{ppm} ppm: {removed:.1} dB");
        }
    }

    /// How much later a voice is heard, in milliseconds.
    fn delay(settings: VoiceSettings) -> f32 {
        let near = spoken(1.0, 2);
        let left = run(settings, &vec![0.0; near.len()], &near);
        let like = |lag: usize| left[lag..].iter().zip(&near).map(|(a, b)| a * b).sum::<f32>();
        let lag = (0..1_440).max_by(|one, other| like(*one).total_cmp(&like(*other)));
        lag.unwrap() as f32 / 48.0
    }

    #[test]
    fn where_nothing_comes_back_the_voice_comes_sooner_too() {
        let clean = delay(VoiceSettings { echo: false, ..VoiceSettings::default() });
        let whole = delay(VoiceSettings::default());
        println!("{:.1} ms echo control, {clean:.1} the others, {whole:.1} all", delay(ECHO));
        assert!(clean < 8.0 && whole < 16.0, "{clean} {whole}");
        // A microphone that hears its own room, and a far end that talks for long enough to know.
        let far = spoken(0.0, 8);
        let mut noise = Noise(5);
        let mut processor = VoiceProcessor::new(VoiceSettings::default());
        for far in far.chunks_exact(FRAME_SAMPLES) {
            processor.render(far.try_into().unwrap());
            processor.capture(&mut std::array::from_fn(|_| 0.001 * noise.next()));
        }
        assert!(processor.echo.unwrap().is_past());
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
