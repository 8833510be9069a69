//! Who may place calls at all.

#[cfg(test)]
mod rollout {
    use carillon_policy::rollout::{ParseRolloutError, Rollout, may_place_calls};
    use carillon_wire::AccountId;
    use proptest::prelude::*;

    fn account(number: u64) -> AccountId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        AccountId::new(bytes)
    }

    #[test]
    fn every_setting_reads_back_as_it_is_written() {
        let percentages = (0..=100).map(Rollout::Percentage);
        for rollout in [Rollout::Everyone, Rollout::VerifiedOnly].into_iter().chain(percentages) {
            assert_eq!(rollout.to_string().parse(), Ok(rollout));
        }
    }

    #[test]
    fn what_is_no_setting_is_refused() {
        for text in [
            "",
            "%",
            "25",
            "101%",
            "256%",
            "-1%",
            "+5%",
            "05%",
            "2.5%",
            " 25%",
            "25 %",
            "Everyone",
            "verified,25%",
        ] {
            assert_eq!(text.parse::<Rollout>(), Err(ParseRolloutError), "{text:?}");
        }
    }

    #[test]
    fn verified_only_asks_for_the_badge_and_everyone_does_not() {
        for verified in [false, true] {
            assert!(may_place_calls(Rollout::Everyone, account(7), verified));
            assert_eq!(may_place_calls(Rollout::VerifiedOnly, account(7), verified), verified);
        }
    }

    #[test]
    fn a_percentage_lets_in_about_that_share_even_of_ids_that_differ_in_few_bits() {
        for percent in [1, 10, 50, 90] {
            let let_in = (0..10_000)
                .filter(|&n| may_place_calls(Rollout::Percentage(percent), account(n), false))
                .count();
            // Four standard deviations of a fair draw of 10,000 are at most 200.
            assert!(let_in.abs_diff(usize::from(percent) * 100) <= 200, "{percent}%: {let_in} of 10,000");
        }
    }

    #[test]
    fn an_account_keeps_its_place_from_version_to_version() {
        // Fixed forever: another place would take calls away from accounts that have them.
        // The numbers come from a second implementation of the hash.
        let lowest = |n| (0..=100).find(|&p| may_place_calls(Rollout::Percentage(p), account(n), false));
        assert_eq!([0, 1, 2, 3, 4].map(|n| lowest(n).unwrap()), [87, 17, 79, 9, 79]);
    }

    proptest! {
        #[test]
        fn raising_the_percentage_takes_calls_from_nobody(id: [u8; 16], low in 0..=100_u8, high in 0..=100_u8) {
            let (low, high) = (low.min(high), low.max(high));
            let account = AccountId::new(id);
            prop_assert!(
                !may_place_calls(Rollout::Percentage(low), account, false)
                    || may_place_calls(Rollout::Percentage(high), account, false)
            );
        }

        #[test]
        fn none_at_0_percent_and_all_at_100(id: [u8; 16], verified: bool) {
            prop_assert!(!may_place_calls(Rollout::Percentage(0), AccountId::new(id), verified));
            prop_assert!(may_place_calls(Rollout::Percentage(100), AccountId::new(id), verified));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            if let Ok(rollout) = text.parse::<Rollout>() {
                prop_assert_eq!(rollout.to_string(), text);
            }
        }
    }
}
