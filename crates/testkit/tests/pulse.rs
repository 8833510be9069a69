//! The virtual sound machine does what tests rely on.

#[cfg(all(test, target_os = "linux"))]
mod pulse {
    use carillon_testkit::pulse::{Pulse, with_pulse};
    use std::time::{Duration, Instant};

    /// Half a second of a tone.
    fn tone() -> Vec<f32> {
        (0..24_000).map(|n| (n as f32 * 0.05).sin() * 0.5).collect()
    }

    fn loudest(sound: &[f32]) -> f32 {
        sound.iter().fold(0.0, |most, sample| most.max(sample.abs()))
    }

    #[test]
    fn what_is_played_into_a_device_is_heard_from_it_alone() {
        let pulse = Pulse::start(&["a", "b"]).unwrap();
        let (a, b) = (pulse.hear("in_a").unwrap(), pulse.hear("in_b").unwrap());
        let until = Instant::now() + Duration::from_secs(10);
        while pulse.in_use().unwrap().len() < 2 && Instant::now() < until {}
        pulse.play_into("in_a", &tone()).unwrap().wait();
        let (a, b) = (a.stop(), b.stop());
        assert!(loudest(&a.samples) > 0.4 && a.started.is_some());
        assert_eq!(loudest(&b.samples), 0.0);
    }

    #[test]
    fn devices_come_and_go_and_so_does_the_server() {
        let mut pulse = Pulse::start(&["a"]).unwrap();
        let sources = |pulse: &Pulse| pulse.control(&["list", "short", "sources"]).unwrap();
        pulse.unplug("mic_a").unwrap();
        assert!(!sources(&pulse).contains("mic_a"));
        assert_eq!(pulse.unplug("mic_a").unwrap_err(), "mic_a is not plugged in");
        pulse.plug("mic_a").unwrap();
        assert!(sources(&pulse).contains("mic_a"));
        pulse.kill();
        assert!(pulse.control(&["info"]).is_err());
        pulse.restart().unwrap();
        assert!(sources(&pulse).contains("mic_a"));
    }

    #[test]
    fn a_test_in_its_own_process_finds_its_own_server() {
        with_pulse(&["z"], |pulse| {
            let server = std::env::var_os("PULSE_SERVER").unwrap();
            assert!(pulse.environment().contains(&("PULSE_SERVER", server)));
            assert!(pulse.control(&["get-default-sink"]).unwrap().contains("spk_z"));
        });
    }

    #[test]
    fn a_test_that_fails_in_its_own_process_fails() {
        if std::env::var_os("TEST_PULSE_OF_CARILLON").is_some() {
            return with_pulse(&[], |_| panic!("as it should"));
        }
        let failed = std::panic::catch_unwind(|| with_pulse(&[], |_| panic!("as it should")));
        assert!(failed.is_err());
    }
}
