//! The desk without its thread, with synthetic devices and times of the tests' own.

use super::*;

struct Bench {
    keeper: Keeper,
    delivered: Receiver<Delivery>,
    now: Instant,
    // The desk would end without it.
    _wants: Sender<Want>,
}

impl Bench {
    fn new() -> Self {
        let (deliver, delivered) = channel();
        let (wants, received) = channel();
        let keeper = Keeper {
            wants: received,
            deliver: Box::new(move |delivery| deliver.send(delivery).unwrap()),
            status: Arc::default(),
            sound: None,
            microphone: None,
            speaker: None,
            headset: false,
            wanted: Want::default(),
            close_at: None,
        };
        Self { keeper, delivered, now: Instant::now(), _wants: wants }
    }

    fn want(&mut self, microphone: Option<&str>, speaker: Option<&str>) -> Vec<&'static str> {
        let want = Want {
            microphone: microphone.map(|words| words.parse().unwrap()),
            speaker: speaker.map(|words| words.parse().unwrap()),
        };
        self.keeper.change(want, self.now);
        self.pass(Duration::ZERO)
    }

    fn pass(&mut self, time: Duration) -> Vec<&'static str> {
        self.now += time;
        self.keeper.tick(self.now);
        self.delivered
            .try_iter()
            // The machine of the tests may have devices or none.
            .filter(|delivery| !matches!(delivery, Delivery::News(news) if !matches!(news, SoundNews::Lost { .. })))
            .map(|delivery| match delivery {
                Delivery::Microphone(Some(_)) => "microphone",
                Delivery::Microphone(None) => "no microphone",
                Delivery::Speaker(Some(_)) => "speaker",
                Delivery::Speaker(None) => "no speaker",
                Delivery::Headset(_) => "headset",
                Delivery::News(_) => "lost",
            })
            .collect()
    }
}

#[test]
fn nothing_is_open_before_it_is_wanted_and_the_speaker_opens_first() {
    let mut bench = Bench::new();
    assert!(bench.pass(LINGER).is_empty() && bench.keeper.sound.is_none());
    assert_eq!(bench.want(Some("silence"), Some("null")), ["speaker", "microphone"]);
}

#[test]
fn what_is_not_wanted_any_longer_lingers_and_is_then_closed() {
    let mut bench = Bench::new();
    bench.want(Some("silence"), Some("null"));
    assert!(bench.want(None, None).is_empty());
    assert!(bench.pass(LINGER - Duration::from_millis(1)).is_empty());
    assert_eq!(bench.pass(Duration::from_millis(1)), ["no microphone", "no speaker"]);
    assert!(bench.keeper.sound.is_none(), "nothing looks at the devices when no call needs them");
}

#[test]
fn a_call_that_comes_right_after_finds_the_devices_warm() {
    let mut bench = Bench::new();
    bench.want(Some("silence"), Some("null"));
    bench.want(None, Some("null"));
    bench.pass(LINGER / 2);
    assert!(bench.want(Some("silence"), Some("null")).is_empty());
    assert!(bench.pass(2 * LINGER).is_empty());
}

#[test]
fn a_switch_keeps_the_feed() {
    let mut bench = Bench::new();
    bench.want(Some("silence"), Some("null"));
    assert!(bench.want(Some("tone"), Some("null")).is_empty());
    assert_eq!(
        bench.keeper.microphone.as_ref().map(|open| open.choice.clone()),
        Some(MicrophoneChoice::Tone)
    );
}

#[test]
fn what_can_not_be_opened_is_told_and_the_rest_opens() {
    let mut bench = Bench::new();
    assert_eq!(bench.want(Some("wav:/nowhere/at/all.wav"), Some("null")), ["speaker", "lost"]);
    // What was chosen before goes on when its successor fails.
    assert_eq!(bench.want(Some("tone"), Some("null")), ["microphone"]);
    assert_eq!(bench.want(Some("wav:/nowhere/at/all.wav"), Some("null")), ["lost"]);
    assert_eq!(
        bench.keeper.microphone.as_ref().map(|open| open.choice.clone()),
        Some(MicrophoneChoice::Tone)
    );
}

#[test]
fn a_sentence_has_a_capital_letter_and_a_full_stop() {
    assert_eq!(sentence("the device is gone"), "The device is gone.");
    assert_eq!(sentence(""), ".");
}
