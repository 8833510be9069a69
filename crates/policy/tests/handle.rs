//! Handles that nobody can have, and handles that look alike.

#[cfg(test)]
mod handle {
    use std::collections::HashSet;

    use carillon_policy::handle::{RESERVED, is_reserved, skeleton};
    use carillon_wire::Handle;
    use proptest::prelude::*;

    fn handle(text: &str) -> Handle {
        Handle::parse(text).unwrap()
    }

    fn alike(one: &str, other: &str) -> bool {
        skeleton(&handle(one)) == skeleton(&handle(other))
    }

    #[test]
    fn look_alikes_have_one_skeleton() {
        for (one, other) in [
            ("bob", "b0b"),
            ("lily", "liiy"),
            ("alice", "a1ice"),
            ("alice", "aiice"),
            ("mary", "rnary"),
            ("wendy", "vvendy"),
            ("dora", "clora"),
            ("dora", "c1ora"),
            ("sam5on", "samson"),
            ("z2z", "zzz"),
            ("bob8y", "bobby"),
            ("peggy", "pe99y"),
            ("ada_l", "adal"),
            ("ada_r_n", "adam"),
            ("ADA_L", "adai"),
        ] {
            assert!(alike(one, other), "{one} and {other}");
        }
    }

    #[test]
    fn names_that_only_resemble_each_other_can_both_live() {
        for (one, other) in
            [("lucia", "luda"), ("ana", "anna"), ("tom", "tim"), ("max3", "maxe"), ("vera", "wera")]
        {
            assert!(!alike(one, other), "{one} and {other}");
        }
    }

    #[test]
    fn handles_that_differ_in_a_digit_alone_can_all_live() {
        let skeletons: HashSet<_> = (0..=9).map(|n| skeleton(&handle(&format!("anna{n}")))).collect();
        assert_eq!(skeletons.len(), 10);
    }

    #[test]
    fn reserved_handles_are_refused_in_every_disguise() {
        for name in RESERVED {
            assert!(is_reserved(&handle(name)), "{name}");
        }
        for name in ["ADMIN", "adm1n", "adrnin", "a_dmin", "supp0rt", "r00t", "he1p", "veri_fied", "secur1ty"]
        {
            assert!(is_reserved(&handle(name)), "{name}");
        }
    }

    #[test]
    fn the_name_of_the_program_is_reserved_wherever_it_stands() {
        for name in ["carillon", "cari11on", "carillon_help", "the_carillon", "team_car1llon"] {
            assert!(is_reserved(&handle(name)), "{name}");
        }
    }

    #[test]
    fn names_of_people_are_free() {
        for name in
            ["ada", "grace_hopper", "carol", "marcia", "root_beer", "helpful_tim", "testa", "infosec_jo"]
        {
            assert!(!is_reserved(&handle(name)), "{name}");
        }
    }

    #[test]
    fn the_list_of_reserved_names_has_each_once_and_in_order() {
        assert!(RESERVED.is_sorted());
        assert_eq!(RESERVED.iter().collect::<HashSet<_>>().len(), RESERVED.len());
    }

    proptest! {
        #[test]
        fn a_skeleton_is_its_own_skeleton(text in "[a-z][a-z0-9]{2,19}|[rnvcl1_]{3,20}|[a-z](_?[a-z0-9]){2,9}") {
            let Ok(handle) = Handle::parse(&text) else { return Ok(()) };
            let once = skeleton(&handle);
            // A skeleton can be too short for a handle: then there is nobody to mistake it for.
            if let Ok(again) = Handle::parse(&once) {
                prop_assert_eq!(skeleton(&again), once);
            }
        }

        #[test]
        fn underscores_and_case_make_no_difference(text in "[a-zA-Z](_?[a-zA-Z0-9]){3,9}") {
            let handle = Handle::parse(&text).unwrap();
            let bare = Handle::parse(&text.replace('_', "").to_lowercase()).unwrap();
            prop_assert_eq!(skeleton(&handle), skeleton(&bare));
        }
    }
}
