use super::*;

const WANTED: Wanted = Wanted { width: 640, height: 360, frame_rate: 50 };
const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn each_picture_tells_its_number_and_its_time() {
    let slot = FrameSlot::new();
    let _camera = Camera::open(&CameraChoice::Pattern, WANTED, slot.clone()).unwrap();
    let mut last: Option<(bar_code::Mark, Instant)> = None;
    for _ in 0..10 {
        let frame = slot.take(LIMIT).expect("a picture");
        assert_eq!((frame.picture.width(), frame.picture.height()), (640, 360));
        let mark = bar_code::read(&frame.picture).expect("a bar code");
        if let Some((before, at)) = last {
            let frames = mark.number - before.number;
            assert!(frames >= 1);
            assert_eq!(frame.captured - at, Duration::from_millis(20) * frames);
            // The system's clock may be set in between, by a little.
            assert!(
                mark.age_at(before.micros).wrapping_neg() & 0xFF_FFFF_FFFF < 2_000_000 * u64::from(frames)
            );
        }
        last = Some((mark, frame.captured));
    }
}

#[test]
fn a_slow_reader_gets_the_newest() {
    let slot = FrameSlot::new();
    let picture = Arc::new(Picture::black(2, 2).unwrap());
    let start = Instant::now();
    for n in 0..5 {
        let captured = start + Duration::from_millis(n);
        slot.put(CameraFrame { picture: Arc::clone(&picture), captured, rotation: Rotation::None });
    }
    assert_eq!(slot.take(LIMIT).unwrap().captured, start + Duration::from_millis(4));
    assert_eq!(slot.passed_over(), 4);
    assert!(slot.take(Duration::ZERO).is_none());
}
