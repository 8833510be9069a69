use proptest::prelude::*;

use super::*;

fn ms(count: i64) -> Duration {
    Duration::from_millis(u64::try_from(count).unwrap())
}

/// The timestamp of a picture taken so many milliseconds after the start; both wrap soon.
fn picture(taken: i64) -> u32 {
    (u32::MAX - 200_000).wrapping_add(u32::try_from(taken * 90).unwrap())
}

fn sample(taken: i64) -> u32 {
    (u32::MAX - 90_000).wrapping_add(u32::try_from(taken * 48).unwrap())
}

/// The sender's clock, at that time; it wraps too.
fn ntp(taken: i64) -> u64 {
    (u64::MAX - (3 << 32)).wrapping_add((u64::try_from(taken).unwrap() << 32) / 1_000)
}

/// Reports of different moments of the same clock.
fn synchronised() -> VideoPlayout {
    let mut playout = VideoPlayout::new();
    let sound = StreamClock { ntp: ntp(700), timestamp: sample(700) };
    let pictures = StreamClock { ntp: ntp(150), timestamp: picture(150) };
    playout.set_clocks(Some(sound), Some(pictures));
    playout
}

/// 30 a second, with sound that is heard `sound` ms after it was taken, and pictures that take `way(number)` ms. Gives
/// how long after it was taken each was shown.
fn play(playout: &mut VideoPlayout, frames: i64, sound: i64, way: impl Fn(i64) -> i64) -> Vec<i64> {
    (0..frames)
        .map(|number| {
            let taken = number * 100 / 3;
            let arrival = taken + way(number);
            let held = playout.hold_sound();
            // The sound that is heard when the picture comes.
            let heard = (arrival - sound - held.as_millis() as i64).max(0);
            let at = ms(heard + sound) + held;
            playout.played(Some(SoundPlayed { timestamp: sample(heard), at, held }));
            playout.schedule(picture(taken), ms(arrival)).as_millis() as i64 - taken
        })
        .collect()
}

#[test]
fn without_clocks_and_variation_a_picture_is_shown_at_once() {
    let mut playout = VideoPlayout::new();
    for number in 0..100 {
        let arrival = ms(number * 33 + 20);
        assert_eq!(playout.schedule(picture(number * 33), arrival), arrival);
    }
    assert_eq!((playout.lips(), playout.hold_sound()), (None, Duration::ZERO));
}

#[test]
fn large_frames_that_come_late_do_not_make_the_motion_stumble() {
    let mut playout = VideoPlayout::new();
    let shown = play(&mut playout, 300, 60, |number| if number % 4 == 0 { 35 } else { 20 });
    let settled = &shown[100..];
    assert!(settled.iter().all(|delay| (34..=36).contains(delay)), "{settled:?}");
}

#[test]
fn one_frame_that_waited_for_a_repair_delays_no_other() {
    let mut playout = VideoPlayout::new();
    let shown = play(&mut playout, 200, 60, |number| if number % 60 == 30 { 180 } else { 20 });
    let on_time = shown.iter().filter(|delay| **delay <= 22).count();
    // Those that came meanwhile are not shown before it.
    assert!(on_time > 180, "{on_time} {shown:?}");
    assert_eq!(shown[30], 180, "what is late is shown at once");
}

#[test]
fn pictures_wait_for_sound_no_longer_than_needed() {
    let mut playout = synchronised();
    let shown = play(&mut playout, 100, 90, |_| 20);
    assert!(shown[5..].iter().all(|delay| (69..=71).contains(delay)), "{shown:?}");
    let lips = playout.lips().unwrap();
    assert!((-0.022..=-0.018).contains(&lips), "{lips}");
    assert_eq!(playout.hold_sound(), Duration::ZERO);
}

#[test]
fn pictures_that_are_a_little_late_change_nothing() {
    let mut playout = synchronised();
    let shown = play(&mut playout, 100, 50, |_| 75);
    assert!(shown[5..].iter().all(|delay| *delay == 75), "{shown:?}");
    assert_eq!(playout.hold_sound(), Duration::ZERO);
}

#[test]
fn sound_waits_for_pictures_that_are_late_but_not_long() {
    let mut playout = synchronised();
    play(&mut playout, 300, 50, |_| 130);
    let held = playout.hold_sound();
    assert!((ms(40)..=ms(55)).contains(&held), "{held:?}");
    assert!(playout.lips().unwrap().abs() < 0.040);
    let mut playout = synchronised();
    play(&mut playout, 300, 50, |_| 900);
    assert_eq!(playout.hold_sound(), ms(80));
}

#[test]
fn the_wait_of_sound_does_not_waver() {
    let mut playout = synchronised();
    play(&mut playout, 300, 50, |_| 130);
    let mut changes = 0;
    let mut held = playout.hold_sound();
    let mut later = playout.clone();
    for number in 300..900 {
        let taken = number * 100 / 3;
        let arrival = taken + 130 + number * 7 % 9;
        let heard = arrival - 50 - held.as_millis() as i64;
        later.played(Some(SoundPlayed { timestamp: sample(heard), at: ms(heard + 50) + held, held }));
        later.schedule(picture(taken), ms(arrival));
        changes += usize::from(later.hold_sound() != held);
        held = later.hold_sound();
    }
    assert!(changes <= 1, "{changes}");
}

#[test]
fn clocks_that_lie_delay_nothing() {
    for lie in [3_000, 60_000, 1 << 30] {
        let mut playout = VideoPlayout::new();
        let sound = StreamClock { ntp: ntp(0), timestamp: sample(0) };
        let pictures = StreamClock { ntp: ntp(0).wrapping_add(lie << 32), timestamp: picture(0) };
        playout.set_clocks(Some(sound), Some(pictures));
        let shown = play(&mut playout, 50, 60, |_| 20);
        assert!(shown.iter().all(|delay| *delay == 20), "{shown:?}");
    }
}

#[test]
fn sound_that_stopped_holds_no_picture_up() {
    let mut playout = synchronised();
    play(&mut playout, 60, 120, |_| 20);
    let taken = 10_000;
    assert_eq!(playout.schedule(picture(taken), ms(taken + 20)), ms(taken + 20), "played seconds ago");
    assert_eq!(playout.lips(), None);
    playout.played(None);
    assert_eq!(playout.schedule(picture(taken + 33), ms(taken + 53)), ms(taken + 53));
}

#[test]
fn clocks_that_drift_apart_add_no_delay() {
    let mut playout = VideoPlayout::new();
    // 200 parts in a million, for 10 minutes.
    for number in 0..18_000_i64 {
        let taken = number * 100 / 3;
        let arrival = Duration::from_micros(u64::try_from(taken * 1_000 + taken / 5 + 20_000).unwrap());
        let shown = playout.schedule(picture(taken), arrival);
        assert!(shown - arrival < ms(5), "{number}");
    }
}

#[test]
fn another_stream_begins_anew() {
    let mut playout = VideoPlayout::new();
    play(&mut playout, 100, 60, |_| 20);
    for jump in [1 << 20, 1 << 31, u32::MAX - 9_000] {
        let arrival = ms(4_000);
        let shown = playout.schedule(picture(3_400).wrapping_add(jump), arrival);
        assert!(shown >= arrival && shown <= arrival + ms(50));
    }
}

proptest! {
    /// Whatever comes: nothing is shown before it is there, before another, or much later.
    #[test]
    fn each_picture_is_shown_in_time_and_in_order(
        frames in proptest::collection::vec((any::<u32>(), 0..400_u64, any::<bool>()), 1..200),
        sound in any::<(u64, u32, u32, u64, u32)>(),
    ) {
        let mut playout = VideoPlayout::new();
        let (clock, timestamp, played, at, held) = sound;
        playout.set_clocks(
            Some(StreamClock { ntp: clock, timestamp }),
            Some(StreamClock { ntp: clock.rotate_left(7), timestamp: played }),
        );
        let at = Duration::from_micros(at);
        playout.played(Some(SoundPlayed { timestamp: played, at, held: Duration::from_micros(held.into()) }));
        let (mut now, mut last, mut taken) = (Duration::ZERO, Duration::ZERO, 0_u32);
        let mut latest = Duration::ZERO;
        for (timestamp, pause, behaves) in frames {
            now += Duration::from_millis(pause);
            taken = if behaves { taken.wrapping_add(3_000) } else { timestamp };
            let shown = playout.schedule(taken, now);
            latest = latest.max(now + Duration::from_micros(MOST_ADDED as u64));
            prop_assert!(shown >= now && shown >= last && shown <= latest);
            prop_assert!(playout.hold_sound() <= ms(80));
            last = shown;
        }
    }
}
