//! The worker as a whole, between devices that are moved by hand and a wire that only remembers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use carillon_devices::{HandFedMicrophone, HandFedSpeaker};
use carillon_media::SpeechDecoder as _;
use carillon_media::opus::{Decoder, Encoder, EncoderSettings, MAX_PACKET_BYTES};
use carillon_wire::CallId;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::peer::{AudioPath, OutgoingAudio, PathStats, ReceivedAudio};

const CALL: CallId = CallId::new([1; 16]);

/// What was sent, and what is to come.
#[derive(Default)]
struct Wire {
    sent: Vec<OutgoingAudio>,
    coming: VecDeque<ReceivedAudio>,
}

struct Path(Arc<Mutex<Wire>>);

impl AudioPath for Path {
    fn send(&mut self, audio: OutgoingAudio) {
        self.0.lock().unwrap().sent.push(audio);
    }

    fn receive(&mut self) -> Option<ReceivedAudio> {
        self.0.lock().unwrap().coming.pop_front()
    }

    fn stats(&self) -> PathStats {
        PathStats::default()
    }
}

/// 440 Hz, 10 ms of it.
fn tone(number: usize, amplitude: f32) -> Frame {
    std::array::from_fn(|n| {
        let at = ((number * FRAME_SAMPLES + n) % SAMPLE_RATE as usize) as f32 / SAMPLE_RATE as f32;
        amplitude * (at * 440.0 * std::f32::consts::TAU).sin()
    })
}

fn peak(sound: &[f32]) -> f32 {
    sound.iter().fold(0.0, |most, sample| most.max(sample.abs()))
}

fn power(sound: &[f32]) -> f32 {
    sound.iter().map(|sample| sample * sample).sum::<f32>() / sound.len() as f32
}

fn plain() -> SoundSettings {
    SoundSettings { echo: EchoControl::Off, noise: false, gain: false, ..SoundSettings::default() }
}

fn line(flows: bool, microphone: bool) -> Demand {
    Demand { line: Some(Line { call: CALL, flows, microphone }), ..Demand::default() }
}

/// A worker at work.
struct Bench {
    worker: Worker,
    microphone: HandFedMicrophone,
    speaker: HandFedSpeaker,
    wire: Arc<Mutex<Wire>>,
    news: UnboundedReceiver<News>,
    now: Instant,
    frames: usize,
    /// How loud the other side talks.
    far: f32,
    encoder: Encoder,
    sequence: u16,
}

impl Bench {
    /// In a call that is up, with both devices.
    fn new(settings: SoundSettings) -> Self {
        let now = Instant::now();
        let (tell, news) = unbounded_channel();
        let mut worker = Worker::new(settings, SoundSource::Microphone, tell, now);
        let (microphone, heard) = HandFedMicrophone::new().unwrap();
        let (speaker, played) = HandFedSpeaker::new().unwrap();
        let wire = Arc::new(Mutex::new(Wire::default()));
        worker.obey(Order::Delivery(Delivery::Microphone(Some(heard))), now);
        worker.obey(Order::Delivery(Delivery::Speaker(Some(played))), now);
        worker.obey(Order::Path(CALL, Box::new(Path(Arc::clone(&wire))), crate::lips::Lips::new(now)), now);
        worker.obey(Order::Demand(line(true, true)), now);
        let settings = EncoderSettings { dtx: false, ..EncoderSettings::default() };
        let encoder = Encoder::new(settings).unwrap();
        Self { worker, microphone, speaker, wire, news, now, frames: 0, far: 0.0, encoder, sequence: 0 }
    }

    fn obey(&mut self, order: Order) {
        self.worker.obey(order, self.now);
    }

    /// The other side says 10 ms.
    fn speak_there(&mut self) {
        let mut packet = [0; MAX_PACKET_BYTES];
        let frame = tone(self.frames, self.far);
        if let Some(encoded) = self.encoder.encode(&frame, &mut packet).unwrap() {
            let end = (self.frames + 1) * FRAME_SAMPLES;
            self.wire.lock().unwrap().coming.push_back(ReceivedAudio {
                sequence: self.sequence,
                timestamp: u32::try_from(end - encoded.samples).unwrap(),
                marker: false,
                repaired: false,
                payload: Bytes::copy_from_slice(&packet[..encoded.bytes]),
                arrival: self.now,
            });
            self.sequence += 1;
        }
    }

    /// Lets a time pass, with a voice of this loudness here. Gives what the speaker plays.
    fn run(&mut self, millis: usize, voice: f32) -> Vec<f32> {
        let mut played = Vec::new();
        for _ in 0..millis / 10 {
            self.now += FRAME_TIME;
            played.extend(self.speaker.play(FRAME_SAMPLES, self.now));
            self.microphone.hear(&tone(self.frames, voice), self.now);
            if self.far > 0.0 {
                self.speak_there();
            }
            self.frames += 1;
            self.worker.tick(self.now);
        }
        played
    }

    fn take_sent(&mut self) -> Vec<OutgoingAudio> {
        std::mem::take(&mut self.wire.lock().unwrap().sent)
    }

    fn told(&mut self) -> Vec<News> {
        std::iter::from_fn(|| self.news.try_recv().ok()).collect()
    }
}

/// The loudest sample of each packet.
fn loudness(sent: &[OutgoingAudio]) -> Vec<f32> {
    let mut decoder = Decoder::new().unwrap();
    sent.iter()
        .map(|audio| {
            let mut sound = vec![0.0; decoder.samples(&audio.payload).unwrap()];
            decoder.decode(&audio.payload, &mut sound).unwrap();
            peak(&sound)
        })
        .collect()
}

#[test]
fn the_microphone_is_sent_while_the_call_is_up_and_not_before() {
    let mut bench = Bench::new(plain());
    bench.obey(Order::Demand(line(false, true)));
    bench.run(500, 0.3);
    assert!(bench.take_sent().is_empty());
    bench.obey(Order::Demand(line(true, true)));
    bench.run(500, 0.3);
    let loud = loudness(&bench.take_sent());
    assert!(loud.len() >= 24 && loud[5..].iter().all(|peak| *peak > 0.2), "{loud:?}");
}

#[test]
fn muted_only_silence_is_sent() {
    let mut bench = Bench::new(plain());
    bench.run(500, 0.3);
    bench.take_sent();
    bench.obey(Order::Demand(line(true, false)));
    bench.run(2_000, 0.3);
    let silent = loudness(&bench.take_sent());
    // The frame in which it fades, and the decoder's own tail.
    assert!(!silent.is_empty() && silent.iter().skip(3).all(|peak| *peak < 1e-3), "{silent:?}");
    bench.obey(Order::Demand(line(true, true)));
    bench.run(500, 0.3);
    assert!(loudness(&bench.take_sent()).iter().any(|peak| *peak > 0.2));
}

#[test]
fn silence_stands_in_for_a_microphone_that_dies_and_ends_when_one_comes() {
    let mut bench = Bench::new(plain());
    bench.run(500, 0.3);
    bench.microphone.unplug();
    bench.take_sent();
    bench.run(3_000, 0.3);
    let sent = bench.take_sent();
    assert!(!sent.is_empty(), "the other end would hear a loss");
    assert!(loudness(&sent).iter().skip(3).all(|peak| *peak < 1e-3));
    // On the same time as the voice before and after it.
    let last = sent.last().unwrap().timestamp;
    bench.microphone.plug().unwrap();
    bench.run(500, 0.3);
    let after = bench.take_sent();
    assert!(loudness(&after).iter().any(|peak| *peak > 0.2));
    let step = after[0].timestamp.wrapping_sub(last);
    assert!(step <= SAMPLE_RATE, "{step}: a pause of the sender's tells at least twice a second");
}

#[test]
fn what_the_other_side_says_is_played_and_told_once() {
    let mut bench = Bench::new(plain());
    bench.far = 0.3;
    let played = bench.run(1_000, 0.0);
    assert!(peak(&played[..480]) == 0.0 && peak(&played[24_000..]) > 0.2);
    let first = bench.told().into_iter().filter(|news| matches!(news, News::FirstSound(CALL))).count();
    assert_eq!(first, 1);
}

#[test]
fn a_call_whose_sound_does_not_flow_plays_nothing() {
    let mut bench = Bench::new(plain());
    bench.obey(Order::Demand(line(false, true)));
    bench.far = 0.3;
    assert_eq!(peak(&bench.run(1_000, 0.0)), 0.0);
}

#[test]
fn the_volume_holds_for_the_voice_of_the_other_side() {
    let mut loud = [0.0; 3];
    for (volume, loud) in [50, 100, 0].into_iter().zip(&mut loud) {
        let mut bench = Bench::new(SoundSettings { volume, ..plain() });
        bench.far = 0.3;
        *loud = power(&bench.run(1_000, 0.0)[24_000..]).sqrt();
    }
    assert!((loud[0] / loud[1] - 0.5).abs() < 0.01, "{loud:?}");
    assert_eq!(loud[2], 0.0);
}

#[test]
fn a_volume_that_changes_makes_no_click() {
    let mut bench = Bench::new(plain());
    bench.far = 0.3;
    let mut played = bench.run(1_000, 0.0);
    bench.obey(Order::Settings(SoundSettings { volume: 10, ..plain() }));
    played.extend(bench.run(200, 0.0));
    let steepest = played[24_000..].windows(2).map(|two| (two[1] - two[0]).abs()).fold(0.0, f32::max);
    // 440 Hz at 0.3 rises by 0.0173 a sample.
    assert!(steepest < 0.02, "{steepest}");
    assert!(peak(&played[played.len() - 960..]) < 0.05);
}

#[test]
fn a_second_callers_tone_is_heard_beside_the_voice() {
    let mut bench = Bench::new(plain());
    // The tone is soft: beside a loud voice it would not be seen.
    bench.far = 0.03;
    bench.run(1_000, 0.0);
    let voice = power(&bench.run(1_000, 0.0));
    bench.obey(Order::Demand(Demand { tone: Some((CALL, Tone::Waiting)), ..line(true, true) }));
    let both = power(&bench.run(1_000, 0.0));
    assert!(both > 1.3 * voice, "{both} {voice}");
    bench.obey(Order::Demand(line(true, true)));
    bench.run(500, 0.0);
    let after = power(&bench.run(1_000, 0.0));
    assert!((after / voice - 1.0).abs() < 0.05, "{after} {voice}");
}

#[test]
fn a_ringtone_needs_no_call_that_is_up() {
    let mut bench = Bench::new(plain());
    bench.obey(Order::Demand(Demand { tone: Some((CALL, Tone::Incoming)), ..Demand::default() }));
    assert!(peak(&bench.run(1_000, 0.3)) > 0.01);
    assert!(bench.take_sent().is_empty(), "a microphone that is heard before its person answers is a spy");
}

#[test]
fn each_time_the_ring_runs_dry_more_is_kept_in_it_and_in_calm_less_again() {
    let mut bench = Bench::new(plain());
    bench.run(500, 0.0);
    assert_eq!(bench.worker.margin, 0);
    for times in 1..=20 {
        // A worker that is held up.
        for _ in 0..8 {
            bench.speaker.play(FRAME_SAMPLES, bench.now);
        }
        bench.run(20, 0.0);
        assert_eq!(bench.worker.margin, (times * RING_STEP).min(RING_MARGIN), "{times}");
    }
    let fill = |bench: &mut Bench| bench.worker.speaker.as_mut().and_then(SpeakerFeed::fill).unwrap();
    let with_margin = fill(&mut bench);
    bench.run(21_000, 0.0);
    assert_eq!(bench.worker.margin, RING_MARGIN - RING_STEP);
    for _ in 0..12 {
        bench.run(21_000, 0.0);
    }
    assert_eq!(bench.worker.margin, 0);
    assert!(fill(&mut bench) + RING_MARGIN / 2 < with_margin, "{with_margin}");
}

#[test]
fn on_a_headset_echo_control_is_off_by_itself_and_on_when_asked_for() {
    let mut bench = Bench::new(SoundSettings::default());
    assert!(bench.worker.voice.wanted().echo);
    bench.obey(Order::Delivery(Delivery::Headset(true)));
    assert!(!bench.worker.voice.wanted().echo && bench.worker.voice.wanted().noise);
    bench.obey(Order::Settings(SoundSettings { echo: EchoControl::On, ..SoundSettings::default() }));
    assert!(bench.worker.voice.wanted().echo);
    bench.obey(Order::Settings(SoundSettings::default()));
    bench.obey(Order::Delivery(Delivery::Headset(false)));
    assert!(bench.worker.voice.wanted().echo);
}

#[test]
fn without_a_speaker_the_call_goes_on_and_with_a_new_one_it_is_heard_at_once() {
    let mut bench = Bench::new(plain());
    bench.far = 0.3;
    bench.run(1_000, 0.0);
    bench.speaker.unplug();
    bench.run(5_000, 0.0);
    let (speaker, feed) = HandFedSpeaker::new().unwrap();
    bench.speaker = speaker;
    bench.obey(Order::Delivery(Delivery::Speaker(Some(feed))));
    let played = bench.run(200, 0.0);
    assert!(peak(&played[1_920..]) > 0.2, "nothing piled up, nothing is made up");
    bench.told();
    bench.run(1_100, 0.0);
    let delay = bench.told().into_iter().find_map(|news| match news {
        News::Quality(quality) => Some(quality.playout_delay_ms),
        News::Sound(_) | News::FirstSound(_) => None,
    });
    assert!(delay.is_some_and(|delay| delay < 40.0), "{delay:?}");
}

#[test]
fn figures_come_once_a_second_while_sound_flows() {
    let mut bench = Bench::new(plain());
    bench.far = 0.3;
    bench.run(5_005, 0.3);
    let told = bench.told().into_iter().filter(|news| matches!(news, News::Quality(_))).count();
    assert_eq!(told, 5);
    bench.obey(Order::Demand(line(false, true)));
    bench.run(3_000, 0.3);
    assert!(!bench.told().iter().any(|news| matches!(news, News::Quality(_))));
}
