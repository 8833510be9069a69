//! What the audio thread does in its 10 ms. Time is an argument.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use carillon_devices::{MicrophoneFeed, SpeakerFeed};
use carillon_media::mix::{Gain, limit};
use carillon_media::tone::Player;
use carillon_media::voice::{VoiceProcessor, VoiceSettings};
use carillon_media::{FRAME_SAMPLES, Frame, SAMPLE_RATE, tone};
use tokio::sync::mpsc::UnboundedSender;

use super::call_sound::CallSound;
use super::desk::Delivery;
use super::ears::Ears;
use super::echo_line::EchoLine;
use super::engine::{EndTone, News, Order};
use super::{Demand, EchoControl, Line, SoundSettings, SoundSource};
use crate::dto::Tone;

/// 10 ms.
const FRAME_TIME: Duration = Duration::from_millis(10);
/// How often a call's figures are told.
const SECOND: Duration = Duration::from_secs(1);
/// Without a microphone for this long, silence is sent in its place, so that the other end hears a pause and no loss.
const NO_MICROPHONE: Duration = Duration::from_millis(100);
/// What is added to the speaker's ring each time it ran dry, and the most that is.
const RING_STEP: usize = FRAME_SAMPLES / 4;
const RING_MARGIN: usize = 3 * FRAME_SAMPLES;
/// After this long without a dry ring, one step is taken back.
const RING_CALM: Duration = Duration::from_secs(20);
/// Frames put into the ring in one go at most: a device that asks for more has its own idea of time.
const MOST_AT_ONCE: usize = 8;

/// The work. Owned by the audio thread.
pub(super) struct Worker {
    settings: SoundSettings,
    source: SoundSource,
    news: UnboundedSender<News>,
    demand: Demand,
    calls: Vec<CallSound>,
    microphone: Option<MicrophoneFeed>,
    speaker: Option<SpeakerFeed>,
    /// Both devices sit on the head.
    headset: bool,
    voice: VoiceProcessor,
    tones: Player,
    volume: Gain,
    ears: Ears,
    echo: EchoLine,
    /// When the microphone, or the silence in its place, last gave 10 ms.
    spoken_at: Instant,
    /// Silence is sent in the microphone's place.
    stands_in: bool,
    /// When the next 10 ms are played to nobody, while there is no speaker.
    unheard_at: Instant,
    /// More in the speaker's ring than usual, for it ran dry; and since when it has not.
    margin: usize,
    underruns: u64,
    calm_since: Instant,
    second_at: Instant,
}

impl Worker {
    pub(super) fn new(
        settings: SoundSettings,
        source: SoundSource,
        news: UnboundedSender<News>,
        now: Instant,
    ) -> Self {
        let mut worker = Self {
            source,
            news,
            demand: Demand::default(),
            calls: Vec::new(),
            microphone: None,
            speaker: None,
            headset: false,
            voice: VoiceProcessor::new(VoiceSettings { echo: false, noise: false, gain: false }),
            tones: Player::default(),
            volume: Gain::new(1.0),
            ears: Ears::default(),
            echo: EchoLine::new(source),
            spoken_at: now,
            stands_in: false,
            unheard_at: now,
            margin: 0,
            underruns: 0,
            calm_since: now,
            second_at: now + SECOND,
            settings,
        };
        worker.tune_voice();
        worker
    }

    /// There is something to do every 10 ms.
    pub(super) fn is_busy(&self) -> bool {
        self.microphone.is_some()
            || self.speaker.is_some()
            || self.demand.line.is_some()
            || self.tones.playing().is_some()
    }

    /// Sleeps until the microphone has 10 ms or the speaker wants some, at most for `limit`. Their callbacks wake it.
    pub(super) fn wait(&mut self, limit: Duration) {
        let until = Instant::now() + limit;
        loop {
            let heard = self.microphone.as_mut().is_some_and(MicrophoneFeed::is_ready);
            let least = self.speaker.as_ref().map_or(0, |speaker| self.least(speaker));
            let left = until.saturating_duration_since(Instant::now());
            if heard
                || self.speaker.as_mut().is_some_and(|speaker| speaker.is_short_of(least))
                || left.is_zero()
            {
                return;
            }
            std::thread::park_timeout(left);
        }
    }

    pub(super) fn obey(&mut self, order: Order, now: Instant) {
        match order {
            Order::Path(call, path, lips) => {
                match CallSound::new(call, path, lips, self.settings.low_data, now) {
                    Ok(sound) => self.calls.push(sound),
                    Err(error) => tracing::error!(%error, "a call has no sound"),
                }
            }
            Order::Forget(call) => self.calls.retain(|sound| sound.call != call),
            Order::Demand(demand) => self.change(demand, now),
            Order::Settings(settings) => {
                self.settings = settings;
                self.tune_voice();
                for call in &mut self.calls {
                    call.set_low_data(self.settings.low_data);
                }
            }
            Order::EndTone(EndTone::HungUp) => self.tones.play(tone::Tone::HungUp),
            Order::EndTone(EndTone::Failed) => self.tones.play(tone::Tone::Failed),
            Order::Delivery(Delivery::Microphone(feed)) => self.microphone = feed,
            Order::Delivery(Delivery::Speaker(feed)) => {
                self.speaker = feed;
                self.underruns = 0;
            }
            Order::Delivery(Delivery::Headset(headset)) => {
                self.headset = headset;
                self.tune_voice();
            }
            // Taken where they are received.
            Order::Delivery(Delivery::News(_)) | Order::Stop => {}
        }
    }

    fn change(&mut self, demand: Demand, now: Instant) {
        match demand.tone {
            Some((_, Tone::Incoming)) => self.tones.play(tone::Tone::Ringtone),
            Some((_, Tone::Waiting)) => self.tones.play(tone::Tone::Waiting),
            Some((_, Tone::Outgoing)) => self.tones.play(tone::Tone::Ringback),
            // A tone that ends by itself may do so.
            Some((_, Tone::Stop)) | None => match self.tones.playing() {
                Some(tone::Tone::Ringtone | tone::Tone::Waiting | tone::Tone::Ringback) => self.tones.stop(),
                Some(tone::Tone::HungUp | tone::Tone::Failed | tone::Tone::Test) | None => {}
            },
        }
        let began = flowing(&demand) != flowing(&self.demand);
        if began {
            if let Some(microphone) = &mut self.microphone {
                microphone.catch_up();
            }
            if let Some(sound) =
                flowing(&demand).and_then(|call| self.calls.iter_mut().find(|s| s.call == call))
            {
                sound.begin();
            }
            self.spoken_at = now;
            self.second_at = now + SECOND;
            self.ears = Ears::default();
        }
        self.demand = demand;
    }

    fn tune_voice(&mut self) {
        let (echo, processed) = match (self.settings.echo, self.source) {
            (_, SoundSource::Echo(_)) => (false, false),
            (EchoControl::Auto, SoundSource::Microphone) => (!self.headset, true),
            (EchoControl::On, SoundSource::Microphone) => (true, true),
            (EchoControl::Off, SoundSource::Microphone) => (false, true),
        };
        self.voice.set(VoiceSettings {
            echo,
            noise: processed && self.settings.noise,
            gain: processed && self.settings.gain,
        });
    }

    pub(super) fn tick(&mut self, now: Instant) {
        self.packets_in();
        self.listen(now);
        self.play(now);
        if now >= self.second_at {
            self.second_at += SECOND;
            self.second();
        }
    }

    /// Takes what the other end sent. Of calls whose sound does not flow, nothing is kept.
    fn packets_in(&mut self) {
        let flowing = flowing(&self.demand);
        for sound in &mut self.calls {
            sound.take_packets(flowing == Some(sound.call));
        }
    }

    /// The microphone's turn.
    fn listen(&mut self, now: Instant) {
        let mut frame = [0.0; FRAME_SAMPLES];
        if self.stands_in
            && let Some(microphone) = &mut self.microphone
        {
            // In the place of what is old by now, silence was sent.
            microphone.catch_up();
        }
        while let Some(captured) = self.microphone.as_mut().and_then(|microphone| microphone.take(&mut frame))
        {
            (self.spoken_at, self.stands_in) = (captured, false);
            self.speak(&mut frame, captured);
        }
        if self.source == SoundSource::Microphone && flowing(&self.demand).is_some() {
            self.stand_in(now);
        }
    }

    /// Silence in place of a microphone that gives nothing. Its time is now: sent late, it would look like a line that
    /// delays, and the other end would wait for it for a long time.
    fn stand_in(&mut self, now: Instant) {
        if !self.stands_in && now.saturating_duration_since(self.spoken_at) > NO_MICROPHONE {
            (self.spoken_at, self.stands_in) = (now, true);
            if let Some(line) = self.demand.line.filter(|line| line.flows)
                && let Some(sound) = self.line(line)
            {
                sound.begin();
            }
        }
        while self.stands_in && self.spoken_at + FRAME_TIME <= now {
            self.spoken_at += FRAME_TIME;
            self.speak(&mut [0.0; FRAME_SAMPLES], self.spoken_at);
        }
    }

    /// Sends 10 ms of this end, if they are wanted.
    fn speak(&mut self, frame: &mut Frame, captured: Instant) {
        let Some(line) = self.demand.line.filter(|line| line.flows) else { return };
        if let Some(news) = self.ears.hear_microphone(frame, line) {
            let _ = self.news.send(News::Sound(news));
        }
        self.voice.capture(frame);
        if let Some(sound) = self.line(line) {
            sound.say(frame, captured, !line.microphone);
        }
    }

    fn line(&mut self, line: Line) -> Option<&mut CallSound> {
        self.calls.iter_mut().find(|sound| sound.call == line.call)
    }

    /// What the speaker's ring must hold at any time: what the device takes at once. The worker is woken when there is
    /// less, and has until the device asks again.
    fn least(&self, speaker: &SpeakerFeed) -> usize {
        speaker.device_period() + self.margin
    }

    /// The speaker's turn: keeps what its ring must hold, and less than a frame more.
    fn play(&mut self, now: Instant) {
        let Some(mut speaker) = self.speaker.take() else { return self.play_to_nobody(now) };
        match speaker.fill() {
            None => self.play_to_nobody(now),
            Some(mut fill) => {
                self.watch_ring(&speaker, now);
                let least = self.least(&speaker);
                for _ in 0..MOST_AT_ONCE {
                    if fill >= least {
                        break;
                    }
                    let ring = Duration::from_secs_f64(fill as f64 / f64::from(SAMPLE_RATE));
                    let frame = self.next_frame(now, Some(now + ring + speaker.device_delay()));
                    if !speaker.put(&frame) {
                        break;
                    }
                    fill += FRAME_SAMPLES;
                }
                self.unheard_at = now + FRAME_TIME;
            }
        }
        self.speaker = Some(speaker);
    }

    /// Without a speaker the call goes on: what comes is played to nobody, in time.
    fn play_to_nobody(&mut self, now: Instant) {
        if now.saturating_duration_since(self.unheard_at) > SECOND {
            self.unheard_at = now;
        }
        while self.unheard_at <= now {
            self.unheard_at += FRAME_TIME;
            self.next_frame(now, None);
        }
    }

    fn watch_ring(&mut self, speaker: &SpeakerFeed, now: Instant) {
        let underruns = speaker.underruns();
        if underruns > self.underruns {
            self.margin = (self.margin + RING_STEP).min(RING_MARGIN);
            self.calm_since = now;
        } else if now.saturating_duration_since(self.calm_since) > RING_CALM {
            self.margin = self.margin.saturating_sub(RING_STEP);
            self.calm_since = now;
        }
        self.underruns = underruns;
    }

    /// What is heard in the next 10 ms, from `heard` on, if anybody hears it.
    fn next_frame(&mut self, now: Instant, heard: Option<Instant>) -> Frame {
        let (mut sum, mut part) = ([0.0; FRAME_SAMPLES], [0.0; FRAME_SAMPLES]);
        let volume = f32::from(self.settings.volume) / 100.0;
        self.tones.next(&mut part);
        let mut first = None;
        if let Some(line) = self.demand.line.filter(|line| line.flows)
            && let Some(sound) = self.calls.iter_mut().find(|sound| sound.call == line.call)
        {
            let mut voice = [0.0; FRAME_SAMPLES];
            if sound.next_frame(now, heard, &mut voice) {
                first = Some(line.call);
            }
            for (sample, voice) in part.iter_mut().zip(voice) {
                *sample += voice;
            }
            self.echo.put(&voice);
        }
        self.volume.add(&mut sum, &part, volume);
        limit(&mut sum);
        self.ears.hear_speaker(&sum);
        if self.microphone.is_some() {
            self.voice.render(&sum);
        }
        if let Some(call) = first {
            let _ = self.news.send(News::FirstSound(call));
        }
        if let Some(mut back) = self.echo.take() {
            self.speak(&mut back, now);
        }
        sum
    }

    fn second(&mut self) {
        let Some(line) = self.demand.line.filter(|line| line.flows) else { return };
        if let Some(speaker) = &mut self.speaker {
            let ring = speaker.fill().unwrap_or(0) as f64 / f64::from(SAMPLE_RATE);
            let delay = speaker.device_delay() + Duration::from_secs_f64(ring);
            self.voice.set_delay_ms(u16::try_from(delay.as_millis()).unwrap_or(u16::MAX));
        }
        let levels = self.ears.levels();
        let told = self.ears.second(line, self.microphone.is_some());
        let quality = self.line(line).map(|sound| sound.second(levels));
        for news in quality.map(News::Quality).into_iter().chain(told.map(News::Sound)) {
            let _ = self.news.send(news);
        }
    }
}

fn flowing(demand: &Demand) -> Option<carillon_wire::CallId> {
    demand.line.filter(|line| line.flows).map(|line| line.call)
}
