//! A line that gets narrow and wide again, and an encoder that does as it is asked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use carillon_link::{Change, Forwarder, Plan, Script, Settings, Way};
use carillon_media::picture::Rotation;
use carillon_transport::{Dropped, OutgoingFrame, Peer};
use tokio::time::MissedTickBehavior;

use crate::support::{Pair, Side, eventually, speak};

fn settings(text: &str) -> Settings {
    let mut settings = Settings::default();
    change(text).apply(&mut settings);
    settings
}

fn change(text: &str) -> Change {
    let script = Script::parse(&format!("at 0 {text}")).unwrap();
    script.steps().next().unwrap().change
}

/// Shows frames as large as the demand allows, until it is told to stop.
async fn show(peer: &Peer, stop: &AtomicBool) {
    let sender = peer.video();
    let mut pace = tokio::time::interval(Duration::from_millis(33));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        let demand = sender.demand();
        let keyframe = number == 0 || demand.keyframe;
        let bytes = usize::try_from(demand.bitrate / 8 / 30).unwrap() * if keyframe { 3 } else { 1 };
        let packets = bytes.div_ceil(1_100).max(1);
        sender.send(OutgoingFrame {
            timestamp: number * 3_000,
            captured: Instant::now(),
            keyframe,
            layer: 0,
            rotation: Rotation::None,
            payloads: vec![Bytes::from(vec![1; (bytes / packets).max(1)]); packets],
        });
        number += 1;
    }
}

/// Takes out what came, as the threads that play and decode would.
fn take(peer: &Peer) {
    let (sound, pictures) = (peer.received(), peer.received_video());
    while sound.pop().is_some() {}
    while pictures.pop().is_some() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_follow_a_line_that_gets_narrow_and_wide_again_beside_the_sound() {
    let plan = Plan::new(settings("rate=2M queue=300ms delay=20ms"), Script::default()).unwrap();
    let mut pair = Pair::over_a_forwarder(Forwarder::start(plan, 7).unwrap());
    pair.connect().await;
    let forwarder = pair.forwarder.as_ref().unwrap();
    let (caller, callee) = (pair.peer(Side::Caller), pair.peer(Side::Callee));
    let stop = AtomicBool::new(false);
    // Whether it holds after so many frames on the line as it is now: what happens at once is another matter.
    let holds = async |what: &str, frames: u64, fits: fn(u32) -> bool| {
        let then = caller.stats().video.frames_out + frames;
        eventually(what, || {
            take(callee);
            let video = caller.stats().video;
            video.frames_out >= then && fits(video.bitrate) && video.queue < Duration::from_millis(30)
        })
        .await;
    };
    let lives = async {
        holds("most of 2 Mbit/s is used", 90, |bitrate| (1_400_000..2_000_000).contains(&bitrate)).await;
        forwarder.change(Way::AToB, &change("rate=600k"));
        holds("most of 600 kbit/s is used", 60, |bitrate| (380_000..580_000).contains(&bitrate)).await;
        forwarder.change(Way::AToB, &change("rate=2M"));
        holds("most of 2 Mbit/s is used again", 60, |bitrate| bitrate > 1_400_000).await;
        stop.store(true, Ordering::Relaxed);
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(lives, show(caller, &stop)) } => {}
        // Longer than a test may take.
        () = speak(caller, 0..10_000, Duration::from_millis(20)) => {}
    }
    let dropped = caller.stats().dropped;
    assert_eq!(dropped.of(Dropped::BadFeedback), 0, "{dropped:?}");
    pair.close().await;
}
