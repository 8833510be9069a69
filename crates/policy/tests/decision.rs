//! Who may ring, over every combination of settings and facts.

#[cfg(test)]
mod decision {
    use carillon_policy::decision::{Decision, Facts, RefuseReason, may_ring};
    use carillon_policy::presence;
    use carillon_wire::rest::{CallSettings, CallSettingsChange};

    /// The rules as a person would draw them up: `1` yes, `0` no, `-` whichever. Written without looking at the
    /// code; each combination must be in exactly one row.
    const TABLE: &str = "
        # callee's settings                      | facts                            | decision
        # on  following verified book everyone   | follows verified blocked blocks  |
          -   -         -        -    -          | -       -        1       -       | blocked
          -   -         -        -    -          | -       -        0       1       | blocked
          0   -         -        -    -          | -       -        0       0       | calls-off
          1   -         -        -    1          | -       -        0       0       | ring
          1   1         -        -    0          | 1       -        0       0       | ring
          1   0         1        -    0          | -       1        0       0       | ring
          1   1         1        -    0          | 0       1        0       0       | ring
          1   0         0        1    0          | -       -        0       0       | book
          1   1         0        1    0          | 0       -        0       0       | book
          1   0         1        1    0          | -       0        0       0       | book
          1   1         1        1    0          | 0       0        0       0       | book
          1   0         0        0    0          | -       -        0       0       | no-box
          1   1         0        0    0          | 0       -        0       0       | no-box
          1   0         1        0    0          | -       0        0       0       | no-box
          1   1         1        0    0          | 0       0        0       0       | no-box
    ";

    const ALL_OFF: CallSettings = CallSettings {
        enabled: true,
        following: false,
        verified: false,
        address_book: false,
        everyone: false,
    };

    fn rows() -> Vec<(Vec<&'static str>, &'static str)> {
        let lines = TABLE.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .map(|line| {
                let mut cells: Vec<_> = line.split_whitespace().filter(|&cell| cell != "|").collect();
                let decision = cells.pop().unwrap();
                (cells, decision)
            })
            .collect()
    }

    fn name(decision: Decision) -> &'static str {
        match decision {
            Decision::Ring => "ring",
            Decision::RingIfInAddressBook => "book",
            Decision::Refuse(RefuseReason::Blocked) => "blocked",
            Decision::Refuse(RefuseReason::CallsOff) => "calls-off",
            Decision::Refuse(RefuseReason::NoBoxApplies) => "no-box",
        }
    }

    fn combinations() -> impl Iterator<Item = (CallSettings, Facts, [bool; 9])> {
        (0..1_u32 << 9).map(|number| {
            let bits: [bool; 9] = std::array::from_fn(|bit| number & 1 << bit != 0);
            let [enabled, following, verified, address_book, everyone, follows, badge, blocked, blocks] =
                bits;
            (
                CallSettings { enabled, following, verified, address_book, everyone },
                Facts {
                    callee_follows_caller: follows,
                    caller_verified: badge,
                    callee_blocks_caller: blocked,
                    caller_blocks_callee: blocks,
                },
                bits,
            )
        })
    }

    #[test]
    fn every_combination_is_decided_as_the_table_says() {
        let rows = rows();
        for (settings, facts, bits) in combinations() {
            let matching: Vec<_> = rows
                .iter()
                .filter(|(cells, _)| {
                    assert_eq!(cells.len(), bits.len(), "a row has a cell for each setting and fact");
                    cells.iter().zip(bits).all(|(&cell, bit)| cell == "-" || (cell == "1") == bit)
                })
                .map(|(_, decision)| *decision)
                .collect();
            assert_eq!(matching, [name(may_ring(&settings, &facts))], "{settings:?} {facts:?}");
        }
    }

    #[test]
    fn presence_shows_exactly_where_a_call_would_ring_without_the_address_book() {
        for (settings, facts, _) in combinations() {
            let rings = may_ring(&settings, &facts) == Decision::Ring;
            assert_eq!(presence::visible(&settings, &facts), rings, "{settings:?} {facts:?}");
        }
    }

    #[test]
    fn a_new_account_can_be_called_by_those_it_follows_and_by_nobody_else() {
        let settings = CallSettings::default();
        let followed = Facts { callee_follows_caller: true, ..Facts::default() };
        let verified = Facts { caller_verified: true, ..Facts::default() };
        assert_eq!(may_ring(&settings, &followed), Decision::Ring);
        assert_eq!(may_ring(&settings, &verified), Decision::Refuse(RefuseReason::NoBoxApplies));
        assert_eq!(may_ring(&settings, &Facts::default()), Decision::Refuse(RefuseReason::NoBoxApplies));
    }

    #[test]
    fn with_all_boxes_off_nobody_can_call_not_even_a_verified_friend() {
        let friend = Facts { callee_follows_caller: true, caller_verified: true, ..Facts::default() };
        assert_eq!(may_ring(&ALL_OFF, &friend), Decision::Refuse(RefuseReason::NoBoxApplies));
    }

    #[test]
    fn the_boxes_are_independent() {
        let verified_alone = CallSettings { verified: true, ..ALL_OFF };
        let friend = Facts { callee_follows_caller: true, ..Facts::default() };
        assert_eq!(may_ring(&verified_alone, &friend), Decision::Refuse(RefuseReason::NoBoxApplies));

        let everyone_alone = CallSettings { everyone: true, ..ALL_OFF };
        assert_eq!(may_ring(&everyone_alone, &Facts::default()), Decision::Ring);
    }

    #[test]
    fn the_address_book_is_asked_only_where_no_other_box_applies() {
        let settings = CallSettings { address_book: true, following: true, ..ALL_OFF };
        let friend = Facts { callee_follows_caller: true, ..Facts::default() };
        assert_eq!(may_ring(&settings, &friend), Decision::Ring);
        assert_eq!(may_ring(&settings, &Facts::default()), Decision::RingIfInAddressBook);
    }

    #[test]
    fn a_block_counts_in_both_directions_and_before_everything_else() {
        let settings = CallSettings { everyone: true, ..CallSettings::default() };
        for facts in [
            Facts { callee_blocks_caller: true, caller_verified: true, ..Facts::default() },
            Facts { caller_blocks_callee: true, callee_follows_caller: true, ..Facts::default() },
        ] {
            assert_eq!(may_ring(&settings, &facts), Decision::Refuse(RefuseReason::Blocked));
        }
    }

    #[test]
    fn only_calls_that_no_block_stopped_are_on_the_list_of_filtered_ones() {
        assert!(RefuseReason::CallsOff.is_filtered());
        assert!(RefuseReason::NoBoxApplies.is_filtered());
        assert!(!RefuseReason::Blocked.is_filtered());
    }

    #[test]
    fn switching_calls_off_and_on_again_keeps_the_boxes() {
        let before = CallSettings { everyone: true, following: false, ..CallSettings::default() };
        let off = before.with(CallSettingsChange { enabled: Some(false), ..CallSettingsChange::default() });
        assert_eq!(may_ring(&off, &Facts::default()), Decision::Refuse(RefuseReason::CallsOff));
        let on = off.with(CallSettingsChange { enabled: Some(true), ..CallSettingsChange::default() });
        assert_eq!(on, before);
    }
}
