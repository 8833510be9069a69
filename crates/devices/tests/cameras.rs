//! Cameras through nokhwa and V4L2, on a machine that has none.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "helpers of tests are tests"
)]

use std::time::{Duration, Instant};

use carillon_devices::camera::bar_code::{self, Mark};
use carillon_devices::camera::{
    Camera, CameraChoice, CameraFrame, CameraProblem, CameraStatus, Coding, FrameSlot, Wanted, cameras,
};
use carillon_testkit::fake_camera::with_fake_cameras;

/// Far more than anything takes; a test that waits so long has failed.
const LIMIT: Duration = Duration::from_secs(20);

const WANTED: Wanted = Wanted { width: 640, height: 480, frame_rate: 30 };

fn open(words: &str) -> (Camera, FrameSlot) {
    let slot = FrameSlot::new();
    (Camera::open(&words.parse().unwrap(), WANTED, slot.clone()).unwrap(), slot)
}

fn next(slot: &FrameSlot) -> (CameraFrame, Mark) {
    let frame = slot.take(LIMIT).expect("a picture");
    let mark = bar_code::read(&frame.picture).expect("a bar code");
    (frame, mark)
}

fn wait_for(camera: &Camera, what: impl Fn(&CameraStatus) -> bool) -> CameraStatus {
    let until = Instant::now() + LIMIT;
    loop {
        let status = camera.status();
        if what(&status) {
            return status;
        }
        assert!(Instant::now() < until, "{status:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn cameras_are_listed_by_name() {
    with_fake_cameras(|fake| {
        assert_eq!(cameras(), Ok(Vec::new()));
        fake.plug("video0", "name=Desk camera");
        fake.plug("video2", "name=Door camera");
        let listed = cameras().unwrap();
        let names: Vec<_> = listed.iter().map(|camera| (camera.id.as_str(), camera.name.as_str())).collect();
        assert_eq!(names, [("video0", "Desk camera"), ("video2", "Door camera")]);
    });
}

#[test]
fn nodes_for_metadata_are_not_listed() {
    with_fake_cameras(|fake| {
        fake.plug("video0", "name=Desk camera\norder=0");
        fake.plug("video1", "name=Desk camera\norder=1");
        assert_eq!(cameras().unwrap().len(), 1);
    });
}

/// Takes a second of pictures in this coding and reads each.
fn takes(settings: &str, coding: Coding, fake: &carillon_testkit::fake_camera::FakeCameras) -> CameraStatus {
    fake.plug("video0", settings);
    let (camera, slot) = open("default");
    let (_, first) = next(&slot);
    let mut last = first;
    while last.number < first.number + 30 {
        let (frame, mark) = next(&slot);
        assert_eq!((frame.picture.width(), frame.picture.height()), (640, 480));
        assert!(mark.number > last.number);
        last = mark;
    }
    let status = wait_for(&camera, |status| status.format.is_some());
    assert_eq!(status.format.unwrap().coding, coding);
    // For who measures; a machine under load has no rate to be held to.
    let micros = first.age_at(last.micros);
    println!("{:.2} pictures a second", f64::from(last.number - first.number) * 1e6 / micros as f64);
    status
}

#[test]
fn packed_pictures_come_whole() {
    with_fake_cameras(|fake| {
        takes("formats=YUYV", Coding::Yuyv, fake);
    });
}

#[test]
fn interleaved_pictures_come_whole() {
    with_fake_cameras(|fake| {
        takes("formats=NV12", Coding::Nv12, fake);
    });
}

#[test]
fn coded_pictures_come_whole() {
    with_fake_cameras(|fake| {
        takes("formats=MJPG", Coding::Mjpeg, fake);
    });
}

#[test]
fn buffers_with_padding_are_cut() {
    with_fake_cameras(|fake| {
        takes("formats=NV12\npadded=1", Coding::Nv12, fake);
    });
}

#[test]
fn broken_pictures_are_dropped_and_counted() {
    with_fake_cameras(|fake| {
        fake.plug("video0", "formats=MJPG\nbroken=3");
        let (camera, slot) = open("default");
        for _ in 0..10 {
            let (_, mark) = next(&slot);
            assert_ne!(mark.number % 3, 2);
        }
        assert!(wait_for(&camera, |status| status.broken >= 3).frames > 0);
    });
}

#[test]
fn a_camera_that_another_program_uses_is_said_to_be_busy_and_taken_once_it_is_free() {
    with_fake_cameras(|fake| {
        fake.plug("video0", "busy=1");
        let (camera, slot) = open("default");
        wait_for(&camera, |status| status.problem == Some(CameraProblem::Busy));
        fake.plug("video0", "busy=0");
        next(&slot);
        wait_for(&camera, |status| status.problem.is_none());
    });
}

#[test]
fn a_camera_that_is_pulled_in_the_middle_of_a_call_comes_back_when_it_is_plugged_in() {
    with_fake_cameras(|fake| {
        let (camera, slot) = open("default");
        wait_for(&camera, |status| status.problem == Some(CameraProblem::NoCamera));
        for round in 0..2 {
            fake.plug("video0", "name=Desk camera");
            next(&slot);
            let status = wait_for(&camera, |status| status.problem.is_none() && status.device.is_some());
            assert_eq!(status.device.unwrap().name, "Desk camera", "round {round}");
            fake.pull("video0");
            wait_for(&camera, |status| status.problem == Some(CameraProblem::NoCamera));
            assert_eq!(camera.status().device, None);
            while slot.take(Duration::ZERO).is_some() {}
        }
        assert_eq!(camera.status().abandoned, 0);
    });
}

#[test]
fn another_camera_is_switched_to_while_one_runs() {
    with_fake_cameras(|fake| {
        fake.plug("video0", "name=Desk camera\nsizes=640x480");
        fake.plug("video1", "name=Door camera\nsizes=320x240");
        let (camera, slot) = open("desk");
        assert_eq!(next(&slot).0.picture.width(), 640);
        camera.switch(&CameraChoice::Named("door".to_owned())).unwrap();
        while next(&slot).0.picture.width() != 320 {}
        camera.switch(&CameraChoice::Pattern).unwrap();
        while next(&slot).0.picture.width() != 640 {}
        camera.switch(&CameraChoice::Named("video0".to_owned())).unwrap();
        wait_for(&camera, |status| {
            status.device.as_ref().is_some_and(|device| device.name == "Desk camera")
                && status.problem.is_none()
        });
        assert_eq!(camera.status().abandoned, 0);
    });
}

#[test]
fn a_camera_that_hangs_is_given_up_and_another_one_taken() {
    with_fake_cameras(|fake| {
        fake.plug("video0", "name=Desk camera\nhang=5");
        let (camera, slot) = open("default");
        next(&slot);
        let status = wait_for(&camera, |status| status.abandoned > 0);
        assert_eq!(status.problem, Some(CameraProblem::Stopped));
        fake.plug("video1", "name=Door camera\nsizes=320x240");
        camera.switch(&CameraChoice::Named("door".to_owned())).unwrap();
        while next(&slot).0.picture.width() != 320 {}
    });
}

#[test]
fn a_camera_that_hung_is_not_said_to_be_used_elsewhere_and_comes_back_when_it_is_plugged_in_anew() {
    with_fake_cameras(|fake| {
        fake.plug("video0", "hang=5");
        let (camera, slot) = open("default");
        next(&slot);
        // Tried again, and still held by the thread that hangs.
        let status = wait_for(&camera, |status| status.opened > 2);
        assert_eq!(status.problem, Some(CameraProblem::Stopped));
        assert_eq!(status.abandoned, 1);
        fake.pull("video0");
        wait_for(&camera, |status| status.problem == Some(CameraProblem::NoCamera));
        while slot.take(Duration::ZERO).is_some() {}
        fake.plug("video0", "");
        next(&slot);
    });
}
