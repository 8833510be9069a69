//! What is too often.

#[cfg(test)]
mod rate {
    use std::net::IpAddr;

    use carillon_policy::rate::{
        CHANGES_PER_ACCOUNT, FRAMES_PER_CONNECTION, KEY_FETCHES_PER_ACCOUNT, Limiter, Network, Quota,
        RINGS_PER_CALLER, RINGS_PER_PAIR, RetryAfter, SEARCHES_PER_ACCOUNT, SIGN_INS_PER_NETWORK,
        SIGN_UPS_PER_NETWORK,
    };
    use carillon_wire::{Millis, UnixMillis};
    use proptest::prelude::*;

    const NOON: UnixMillis = UnixMillis(1_800_000_000_000);

    fn quotas() -> impl Strategy<Value = Quota> {
        (1..8_u32, 1..5_000_u64).prop_map(|(burst, every)| Quota::new(burst, every))
    }

    #[test]
    fn a_person_who_redials_four_times_is_not_held_up_but_the_fifth_time_waits() {
        let mut rings = Limiter::new(RINGS_PER_PAIR, 16);
        for redial in 0..4 {
            assert_eq!(rings.check(&"ada→bob", NOON.after(Millis::from_secs(redial * 5))), Ok(()));
        }
        let at = NOON.after(Millis::from_secs(20));
        assert_eq!(rings.check(&"ada→bob", at), Err(RetryAfter(Millis::from_secs(70))));
        assert_eq!(rings.check(&"ada→bob", at.after(Millis::from_secs(70))), Ok(()));
    }

    #[test]
    fn one_key_does_not_use_up_the_quota_of_another() {
        let mut limiter = Limiter::new(Quota::new(1, 1_000), 16);
        assert!(limiter.check(&1, NOON).is_ok());
        assert!(limiter.check(&1, NOON).is_err());
        assert!(limiter.check(&2, NOON).is_ok());
    }

    #[test]
    fn a_refused_event_does_not_make_the_wait_longer() {
        let mut limiter = Limiter::new(Quota::new(1, 1_000), 16);
        assert!(limiter.check(&(), NOON).is_ok());
        for step in 0..999 {
            assert_eq!(limiter.check(&(), NOON.after(Millis(step))), Err(RetryAfter(Millis(1_000 - step))));
        }
        assert!(limiter.check(&(), NOON.after(Millis(1_000))).is_ok());
    }

    #[test]
    fn a_quota_of_none_lets_nothing_through_and_one_without_a_wait_everything() {
        let mut nothing = Limiter::new(Quota::new(0, 1_000), 16);
        assert_eq!(nothing.check(&(), NOON), Err(RetryAfter(Millis(1_000))));
        assert!(Limiter::new(Quota::new(0, 0), 16).check(&(), NOON).is_err());

        let mut everything = Limiter::new(Quota::new(1, 0), 16);
        assert!((0..1_000).all(|_| everything.check(&(), NOON).is_ok()));
        assert!(everything.is_empty());
    }

    #[test]
    fn a_flood_of_new_keys_stays_within_the_capacity_and_does_not_free_the_key_that_overdid_it() {
        let mut limiter = Limiter::new(Quota::new(5, 60_000), 100);
        for _ in 0..5 {
            assert!(limiter.check(&u32::MAX, NOON).is_ok());
        }
        for key in 0..10_000 {
            assert!(limiter.check(&key, NOON.after(Millis(1))).is_ok(), "a newcomer is never refused");
            assert!(limiter.len() <= 100);
        }
        assert!(limiter.check(&u32::MAX, NOON.after(Millis(2))).is_err());
    }

    #[test]
    fn keys_that_have_their_whole_burst_again_are_forgotten() {
        let mut limiter = Limiter::new(Quota::new(2, 1_000), 100);
        assert!(limiter.check(&"once", NOON).is_ok());
        assert!(limiter.check(&"twice", NOON).is_ok());
        assert!(limiter.check(&"twice", NOON).is_ok());
        limiter.sweep(NOON.after(Millis(1_000)));
        assert_eq!(limiter.len(), 1);
        limiter.sweep(NOON.after(Millis(2_000)));
        assert!(limiter.is_empty());
    }

    #[test]
    fn a_clock_set_back_by_a_year_locks_nobody_out_and_the_memory_of_it_passes() {
        let mut limiter = Limiter::new(Quota::new(3, 1_000), 16);
        for _ in 0..3 {
            assert!(limiter.check(&(), NOON).is_ok());
        }
        let back = NOON.before(Millis::from_secs(365 * 24 * 3600));
        assert_eq!(limiter.check(&(), back), Err(RetryAfter(Millis(1_000))));
        assert!(limiter.check(&(), back.after(Millis(1_000))).is_ok());
        limiter.sweep(back.after(Millis(4_000)));
        assert!(limiter.is_empty());
    }

    #[test]
    fn an_ipv6_household_counts_as_one_network_and_mapped_ipv4_as_ipv4() {
        let network = |text: &str| Network::of(text.parse::<IpAddr>().unwrap());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.7"), network("192.0.2.7"));
        assert_ne!(network("192.0.2.7"), network("192.0.2.8"));
        assert_eq!(format!("{:?}", network("192.0.2.7")), "Network([redacted])");
    }

    #[test]
    fn every_named_quota_lets_a_burst_through_and_ends_its_wait_within_an_hour() {
        for quota in [
            RINGS_PER_CALLER,
            RINGS_PER_PAIR,
            SIGN_UPS_PER_NETWORK,
            SIGN_INS_PER_NETWORK,
            SEARCHES_PER_ACCOUNT,
            KEY_FETCHES_PER_ACCOUNT,
            CHANGES_PER_ACCOUNT,
            FRAMES_PER_CONNECTION,
        ] {
            assert!(quota.burst > 0 && quota.every > Millis(0));
            assert!(quota.period() <= Millis::from_secs(3600));
        }
    }

    proptest! {
        #[test]
        fn in_no_stretch_of_time_more_than_the_quota(
            quota in quotas(),
            steps in prop::collection::vec(0..2_000_u64, 1..120),
        ) {
            let mut limiter = Limiter::new(quota, 4);
            let mut now = NOON;
            let mut let_through = Vec::new();
            for step in steps {
                now = now.after(Millis(step));
                if limiter.check(&(), now).is_ok() {
                    let_through.push(now);
                }
            }
            for (first, &start) in let_through.iter().enumerate() {
                for (more, &end) in let_through[first..].iter().enumerate() {
                    let most = u64::from(quota.burst) + end.since(start).0 / quota.every.0;
                    let found = more as u64 + 1;
                    prop_assert!(found <= most, "{found} within {:?}", end.since(start));
                }
            }
        }

        #[test]
        fn the_wait_is_honest_to_the_millisecond(
            quota in quotas(),
            steps in prop::collection::vec(0..500_u64, 1..60),
        ) {
            let mut limiter = Limiter::new(quota, 4);
            let mut now = NOON;
            for step in steps {
                now = now.after(Millis(step));
                if let Err(RetryAfter(wait)) = limiter.check(&(), now) {
                    let almost = now.after(Millis(wait.0 - 1));
                    prop_assert!(limiter.clone().check(&(), almost).is_err(), "a shorter wait would do");
                    now = now.after(wait);
                    prop_assert!(limiter.check(&(), now).is_ok());
                }
            }
        }

        #[test]
        fn looking_says_what_counting_would_and_counts_nothing(
            quota in quotas(),
            steps in prop::collection::vec((0..3_u8, 0..500_u64), 1..60),
        ) {
            let mut limiter = Limiter::new(quota, 4);
            let mut now = NOON;
            for (key, step) in steps {
                now = now.after(Millis(step));
                let passes = limiter.would_pass(&key, now);
                prop_assert_eq!(limiter.would_pass(&key, now), passes);
                prop_assert_eq!(limiter.check(&key, now).is_ok(), passes);
            }
        }

        #[test]
        fn a_clock_that_jumps_never_panics_nor_locks_out_for_longer_than_the_period(
            quota in quotas(),
            moments in prop::collection::vec((0..3_u8, any::<u64>()), 1..60),
        ) {
            let mut limiter = Limiter::new(quota, 3);
            for (key, now) in moments {
                // Far from both ends of the number range, and at them.
                for now in [UnixMillis(now), UnixMillis(now % 10_000), UnixMillis(u64::MAX - now % 10_000)] {
                    if let Err(RetryAfter(wait)) = limiter.check(&key, now) {
                        prop_assert!(wait > Millis(0) && wait <= quota.period());
                        prop_assert!(limiter.check(&key, now.after(wait)).is_ok());
                    }
                    prop_assert!(limiter.len() <= 3);
                }
            }
        }
    }
}
