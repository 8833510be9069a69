//! What every variant of the store does alike: accounts, devices, people, settings, pictures, missed calls, and what
//! belongs to the operator. Calls, mailboxes and presence are in `calls_conformance.rs`.

#[cfg(test)]
mod fixtures;
#[cfg(test)]
#[path = "fixtures/variants.rs"]
mod variants;

#[cfg(test)]
mod conformance {
    use std::sync::atomic::{AtomicU64, Ordering};

    use carillon_policy::decision::Facts;
    use carillon_policy::rollout::Rollout;
    use carillon_server::store::{
        Created, DeviceAdded, MAX_MISSED, NewCall, NodeId, PeopleList, Renewed, Secret, SignedUp, Store,
        Verdict,
    };
    use carillon_wire::frame::{BoxFor, Media};
    use carillon_wire::limits::{MAX_DEVICES, MAX_RING, TOKEN_TTL};
    use carillon_wire::rest::{CallSettings, CallSettingsChange, MissedKind};
    use carillon_wire::{AccountId, Blob, CallId, Handle, Millis, UnixMillis};

    use super::fixtures::*;
    use super::variants::stores;

    macro_rules! for_every_store {
        ($($(#[$doc:meta])* async fn $name:ident($store:ident: &Store) $body:block)*) => {
            $(
                $(#[$doc])*
                #[tokio::test]
                async fn $name() {
                    for (store, _folder) in stores().await {
                        let $store = &store;
                        $body
                        store.close().await;
                    }
                }
            )*
        };
    }

    async fn handles(store: &Store, viewer: AccountId, list: PeopleList) -> Vec<String> {
        let page = store.people(viewer, list, None, 100).await.unwrap();
        page.people.into_iter().map(|person| person.profile.handle.as_str().to_owned()).collect()
    }

    /// `caller`, a number as in the fixtures, calls `callee`, whose only device is off.
    async fn calls_in_vain(store: &Store, callee: u16, caller: u16, media: Media, kind: MissedKind) {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let number = CALLS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut call = [0; 16];
        call[..8].copy_from_slice(&number);
        let (to, from) = (account_key(callee).id(), account_key(caller).id());
        match kind {
            MissedKind::Missed => assert!(store.follow(to, from).await.unwrap()),
            MissedKind::Filtered => store.unfollow(to, from).await.unwrap(),
        }
        let boxes = [BoxFor { device: device_key(callee).id(), sealed: Blob(vec![1]) }];
        let new = NewCall {
            call: CallId::new(call),
            caller: from,
            device: device_key(caller).id(),
            callee: to,
            media,
            expires_in: MAX_RING,
            boxes: &boxes,
        };
        let (created, _) = store.create_call(new, NodeId([1; 16]), NOW, NOW).await.unwrap();
        assert_eq!(created, Created::Refused);
    }

    fn day(number: u64) -> UnixMillis {
        UnixMillis(number * 24 * 3600 * 1000)
    }

    for_every_store! {
        async fn a_sign_up_stores_the_account_its_device_and_its_session(store: &Store) {
            let (ada, phone) = somebody(store, 1, "ada").await;
            let account = store.account(ada).await.unwrap().unwrap();
            assert_eq!(account.profile.handle.as_str(), "ada");
            assert_eq!(account.account_key, account_key(1).public());
            assert_eq!((account.suspended, account.profile.verified), (false, false));
            assert_eq!(account.created_at, NOW);
            assert_eq!(store.account_by_handle(&Handle::parse("ada").unwrap()).await.unwrap(), Some(account));
            let owner = store.token_owner(&bytes32(1), NOW).await.unwrap().unwrap();
            assert_eq!((owner.account, owner.device), (ada, phone));
            assert_eq!(store.call_settings(ada).await.unwrap(), Some(CallSettings::default()));
            assert_eq!(store.count_accounts().await.unwrap(), 1);
        }

        async fn a_sign_up_that_is_refused_stores_nothing(store: &Store) {
            let first = sign_up(1, "anna_1");
            assert_eq!(store.sign_up_refusal(&first).await.unwrap(), None);
            store.sign_up(&first, NOW).await.unwrap();
            let mut other_key_same_device = sign_up(2, "bert");
            other_key_same_device.device = device(2, 1);
            let mut same_challenge = sign_up(3, "carl");
            same_challenge.session.nonce = bytes32(1);
            for (entry, refusal) in [
                (sign_up(1, "other"), SignedUp::AccountExists),
                (other_key_same_device, SignedUp::DeviceExists),
                (sign_up(4, "anna_1"), SignedUp::HandleTaken),
                (sign_up(5, "annal"), SignedUp::HandleConfusable),
                (same_challenge, SignedUp::ChallengeUsed),
            ] {
                assert_eq!(store.sign_up(&entry, NOW).await.unwrap(), refusal);
            }
            assert_eq!(store.count_accounts().await.unwrap(), 1);
            assert_eq!(store.token_owner(&bytes32(3), NOW).await.unwrap(), None);
        }

        async fn of_two_sign_ups_for_one_handle_one_wins(store: &Store) {
            let entries: Vec<_> = (1..=8).map(|number| sign_up(number, "ada")).collect();
            let tries = entries.iter().map(|entry| store.sign_up(entry, NOW));
            let outcomes = futures_util::future::join_all(tries).await;
            let won = outcomes.iter().filter(|outcome| matches!(outcome, Ok(SignedUp::Done))).count();
            let taken = outcomes.iter().filter(|outcome| matches!(outcome, Ok(SignedUp::HandleTaken))).count();
            assert_eq!((won, taken), (1, 7));
        }

        async fn an_invitation_is_good_for_as_many_accounts_as_it_has_uses(store: &Store) {
            store.invite(&bytes32(900), 2, NOW).await.unwrap();
            let mut outcomes = Vec::new();
            for (number, handle) in [(1, "ada"), (2, "bert"), (3, "carl")] {
                let entry = carillon_server::store::SignUpEntry {
                    invitation: Some(bytes32(900)),
                    ..sign_up(number, handle)
                };
                outcomes.push(store.sign_up(&entry, NOW).await.unwrap());
            }
            assert_eq!(outcomes, [SignedUp::Done, SignedUp::Done, SignedUp::InvitationInvalid]);
        }

        async fn a_sign_up_that_is_refused_takes_no_use_of_the_invitation(store: &Store) {
            somebody(store, 1, "ada").await;
            store.invite(&bytes32(900), 1, NOW).await.unwrap();
            let invited = |number, handle, nonce| {
                let mut entry = sign_up(number, handle);
                entry.invitation = Some(bytes32(900));
                entry.session.nonce = bytes32(nonce);
                entry
            };
            assert_eq!(store.sign_up(&invited(2, "ada", 2), NOW).await.unwrap(), SignedUp::HandleTaken);
            assert_eq!(store.sign_up(&invited(2, "bert", 1), NOW).await.unwrap(), SignedUp::ChallengeUsed);
            assert_eq!(store.sign_up(&invited(2, "bert", 2), NOW).await.unwrap(), SignedUp::Done);
        }

        async fn a_challenge_is_answered_once(store: &Store) {
            let (_, phone) = somebody(store, 1, "ada").await;
            assert!(store.sign_in(phone, &session(2), NOW).await.unwrap());
            let mut replayed = session(3);
            replayed.nonce = bytes32(2);
            assert!(!store.sign_in(phone, &replayed, NOW).await.unwrap());
            assert_eq!(store.token_owner(&bytes32(3), NOW).await.unwrap(), None);
        }

        async fn an_answered_challenge_is_remembered_longer_than_it_could_be_answered(store: &Store) {
            let (_, phone) = somebody(store, 1, "ada").await;
            store.sign_in(phone, &session(2), NOW).await.unwrap();
            store.forget_expired(NOW.after(Millis::from_secs(3600))).await.unwrap();
            let mut replayed = session(3);
            replayed.nonce = bytes32(2);
            assert!(!store.sign_in(phone, &replayed, NOW).await.unwrap());
            store.forget_expired(NOW.after(Millis::from_secs(25 * 3600))).await.unwrap();
            assert!(store.sign_in(phone, &replayed, NOW).await.unwrap());
        }

        async fn a_token_counts_until_it_runs_out_or_is_given_back(store: &Store) {
            let (_, phone) = somebody(store, 1, "ada").await;
            store.sign_in(phone, &session(2), NOW).await.unwrap();
            let end = NOW.after(TOKEN_TTL);
            assert!(store.token_owner(&bytes32(2), end.before(Millis(1))).await.unwrap().is_some());
            assert!(store.token_owner(&bytes32(2), end).await.unwrap().is_none());
            store.sign_out(&bytes32(2)).await.unwrap();
            assert!(store.token_owner(&bytes32(2), NOW).await.unwrap().is_none());
            assert!(store.token_owner(&bytes32(1), NOW).await.unwrap().is_some());
            store.forget_expired(end).await.unwrap();
            assert!(store.token_owner(&bytes32(1), NOW).await.unwrap().is_none());
        }

        async fn a_device_has_a_bounded_number_of_sessions(store: &Store) {
            let (_, phone) = somebody(store, 1, "ada").await;
            for number in 100..120 {
                let later = NOW.after(Millis(u64::from(number)));
                assert!(store.sign_in(phone, &session(number), later).await.unwrap());
            }
            assert!(store.token_owner(&bytes32(1), NOW).await.unwrap().is_none(), "the oldest is gone");
            assert!(store.token_owner(&bytes32(119), NOW).await.unwrap().is_some());
        }

        async fn a_device_is_added_once_and_known_from_then_on(store: &Store) {
            let (ada, phone) = somebody(store, 1, "ada").await;
            let laptop = device(1, 2);
            assert_eq!(store.add_device(ada, &laptop, &session(2), NOW).await.unwrap(), DeviceAdded::Added);
            assert_eq!(store.add_device(ada, &laptop, &session(3), NOW).await.unwrap(), DeviceAdded::Known);
            let devices = store.own_devices(ada).await.unwrap();
            assert_eq!(devices.len(), 2);
            assert!(devices.iter().any(|device| device.device == phone));
            assert_eq!(store.device_keys(ada).await.unwrap().unwrap().certificates.len(), 2);
        }

        async fn a_device_that_may_not_join_changes_nothing(store: &Store) {
            let (ada, _) = somebody(store, 1, "ada").await;
            let (bert, _) = somebody(store, 2, "bert").await;
            let nobody = account_key(77).id();
            let add = async |account, number, nonce| {
                store.add_device(account, &device(1, number), &session(nonce), NOW).await.unwrap()
            };
            assert_eq!(add(nobody, 50, 50).await, DeviceAdded::AccountUnknown);
            assert_eq!(add(bert, 1, 51).await, DeviceAdded::DeviceExists);
            assert_eq!(add(ada, 52, 1).await, DeviceAdded::ChallengeUsed);
            for number in 1..MAX_DEVICES as u16 {
                assert_eq!(add(ada, 60 + number, 60 + number).await, DeviceAdded::Added);
            }
            assert_eq!(add(ada, 70, 70).await, DeviceAdded::TooMany);
            store.judge(&Handle::parse("bert").unwrap(), Verdict::Suspended(true), NOW).await.unwrap();
            assert_eq!(add(bert, 71, 71).await, DeviceAdded::Suspended);
            assert_eq!(store.own_devices(ada).await.unwrap().len(), MAX_DEVICES);
        }

        async fn a_certificate_is_replaced_by_a_newer_one_only(store: &Store) {
            let (ada, phone) = somebody(store, 1, "ada").await;
            let renew = async |seq| {
                store.renew_certificate(phone, &certificate(1, 1, seq), seq).await.unwrap()
            };
            assert_eq!(renew(3).await, Renewed::Done);
            assert_eq!(renew(3).await, Renewed::Done, "the same request once more");
            assert_eq!(renew(2).await, Renewed::Stale);
            let keys = store.device_keys(ada).await.unwrap().unwrap();
            assert_eq!(keys.account_key, account_key(1).public());
            assert_eq!(keys.certificates, [certificate(1, 1, 3)]);
            let unknown = device_key(9).id();
            let outcome = store.renew_certificate(unknown, &certificate(1, 9, 1), 1).await.unwrap();
            assert_eq!(outcome, Renewed::Unknown);
        }

        async fn a_revoked_device_is_gone_for_good(store: &Store) {
            let (ada, _) = somebody(store, 1, "ada").await;
            let (bert, _) = somebody(store, 2, "bert").await;
            let laptop = device(1, 3);
            store.add_device(ada, &laptop, &session(3), NOW).await.unwrap();
            assert!(store.revoke_device(bert, laptop.device, NOW).await.unwrap().is_none(), "not bert's device");
            assert!(store.revoke_device(ada, laptop.device, NOW).await.unwrap().is_some());
            assert!(store.revoke_device(ada, laptop.device, NOW).await.unwrap().is_none());
            assert!(store.token_owner(&bytes32(3), NOW).await.unwrap().unwrap().revoked);
            assert!(store.device_identity(laptop.device).await.unwrap().unwrap().revoked);
            assert_eq!(store.own_devices(ada).await.unwrap().len(), 1);
            assert_eq!(store.device_keys(ada).await.unwrap().unwrap().certificates, [certificate(1, 1, 1)]);
            let back = store.add_device(ada, &laptop, &session(4), NOW).await.unwrap();
            assert_eq!(back, DeviceAdded::Revoked);
            let renewed = store.renew_certificate(laptop.device, &certificate(1, 3, 9), 9).await.unwrap();
            assert_eq!(renewed, Renewed::Unknown);
        }

        async fn a_device_was_last_seen_on_a_day_not_at_a_moment(store: &Store) {
            let (ada, phone) = somebody(store, 1, "ada").await;
            let seen = async || store.own_devices(ada).await.unwrap()[0].last_seen_day;
            assert_eq!(seen().await, None);
            store.seen(phone, day(20_000).after(Millis(12_345_678))).await.unwrap();
            assert_eq!(seen().await, Some(day(20_000)));
            store.seen(phone, day(20_001).after(Millis(1))).await.unwrap();
            assert_eq!(seen().await, Some(day(20_001)));
        }

        async fn following_is_seen_from_both_sides(store: &Store) {
            let (ada, _) = somebody(store, 1, "ada").await;
            let (bert, _) = somebody(store, 2, "bert").await;
            assert!(store.follow(ada, bert).await.unwrap());
            assert!(store.follow(ada, bert).await.unwrap(), "again");
            assert!(!store.follow(ada, account_key(77).id()).await.unwrap());
            let seen_by_ada = store.person(ada, bert).await.unwrap().unwrap();
            assert_eq!((seen_by_ada.following, seen_by_ada.follows_me), (true, false));
            let seen_by_bert = store.person(bert, ada).await.unwrap().unwrap();
            assert_eq!((seen_by_bert.following, seen_by_bert.follows_me), (false, true));
            assert_eq!(handles(store, ada, PeopleList::Following).await, ["bert"]);
            assert_eq!(handles(store, bert, PeopleList::Followers).await, ["ada"]);
            store.unfollow(ada, bert).await.unwrap();
            assert!(handles(store, ada, PeopleList::Following).await.is_empty());
        }

        async fn a_block_ends_following_in_both_directions(store: &Store) {
            let (ada, _) = somebody(store, 1, "ada").await;
            let (bert, _) = somebody(store, 2, "bert").await;
            store.follow(ada, bert).await.unwrap();
            store.follow(bert, ada).await.unwrap();
            assert!(store.block(ada, bert).await.unwrap());
            assert!(store.block(ada, bert).await.unwrap(), "again");
            assert!(!store.block(ada, account_key(77).id()).await.unwrap());
            assert!(handles(store, ada, PeopleList::Following).await.is_empty());
            assert!(handles(store, bert, PeopleList::Following).await.is_empty());
            assert_eq!(handles(store, ada, PeopleList::Blocks).await, ["bert"]);
            assert!(store.person(ada, bert).await.unwrap().unwrap().blocked);
            store.unblock(ada, bert).await.unwrap();
            assert!(!store.person(ada, bert).await.unwrap().unwrap().blocked);
        }

        async fn who_is_blocked_sees_nothing_of_it(store: &Store) {
            let (ada, _) = somebody(store, 1, "ada").await;
            let (bert, _) = somebody(store, 2, "bert").await;
            let before = (store.person(bert, ada).await.unwrap(), store.search(bert, "ad", None, 9).await.unwrap());
            store.block(ada, bert).await.unwrap();
            let after = (store.person(bert, ada).await.unwrap(), store.search(bert, "ad", None, 9).await.unwrap());
            assert_eq!(before, after);
            assert!(store.follow(bert, ada).await.unwrap());
            assert_eq!(handles(store, bert, PeopleList::Following).await, ["ada"]);
            assert!(handles(store, ada, PeopleList::Followers).await.is_empty());
            assert!(!store.person(ada, bert).await.unwrap().unwrap().follows_me);
        }

        async fn lists_come_newest_first_in_pages(store: &Store) {
            let (ada, _) = somebody(store, 1, "ada").await;
            for (number, handle) in (2..).zip(["bert", "carl", "dora", "emil", "fritz"]) {
                let (whom, _) = somebody(store, number, handle).await;
                store.follow(ada, whom).await.unwrap();
            }
            let mut pages = Vec::new();
            let mut cursor = None;
            loop {
                let page = store.people(ada, PeopleList::Following, cursor, 2).await.unwrap();
                pages.push(page.people.iter().map(|p| p.profile.handle.as_str().to_owned()).collect::<Vec<_>>());
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(pages, [vec!["fritz", "emil"], vec!["dora", "carl"], vec!["bert"]]);
        }

        async fn search_finds_handles_by_their_start(store: &Store) {
            let (ada, _) = somebody(store, 1, "ada").await;
            for (number, handle) in (2..).zip(["anna", "annabel", "anna_z", "anne", "bert", "ann"]) {
                somebody(store, number, handle).await;
            }
            store.judge(&Handle::parse("annabel").unwrap(), Verdict::Suspended(true), NOW).await.unwrap();
            let find = async |prefix: &str, after: Option<&str>, limit| {
                let page = store.search(ada, prefix, after, limit).await.unwrap();
                let found: Vec<_> = page.people.iter().map(|p| p.profile.handle.as_str().to_owned()).collect();
                (found, page.next)
            };
            assert_eq!(find("ann", None, 9).await.0, ["ann", "anna", "anna_z", "anne"]);
            assert_eq!(find("anna_", None, 9).await.0, ["anna_z"]);
            assert_eq!(find("zz", None, 9).await, (vec![], None));
            let (first, next) = find("ann", None, 3).await;
            assert_eq!((first.len(), next.as_deref()), (3, Some("anna_z")));
            assert_eq!(find("ann", next.as_deref(), 3).await, (vec!["anne".to_owned()], None));
        }

        async fn a_suspended_account_is_not_found(store: &Store) {
            let (ada, _) = somebody(store, 1, "ada").await;
            let (bert, phone) = somebody(store, 2, "bert").await;
            let handle = Handle::parse("bert").unwrap();
            store.follow(ada, bert).await.unwrap();
            assert_eq!(store.judge(&handle, Verdict::Suspended(true), NOW).await.unwrap(), Some(bert));
            assert_eq!(store.person(ada, bert).await.unwrap(), None);
            assert_eq!(store.person_by_handle(ada, &handle).await.unwrap(), None);
            assert_eq!(store.device_keys(bert).await.unwrap(), None);
            assert!(handles(store, ada, PeopleList::Following).await.is_empty());
            assert!(store.device_identity(phone).await.unwrap().unwrap().suspended);
            assert!(store.token_owner(&bytes32(2), NOW).await.unwrap().unwrap().suspended);
            store.judge(&handle, Verdict::Suspended(false), NOW).await.unwrap();
            assert_eq!(handles(store, ada, PeopleList::Following).await, ["bert"]);
        }

        async fn what_a_change_of_settings_does_not_name_stays(store: &Store) {
            let (ada, _) = somebody(store, 1, "ada").await;
            let change = CallSettingsChange { verified: Some(true), following: Some(false), ..Default::default() };
            let expected = CallSettings { verified: true, following: false, ..CallSettings::default() };
            assert_eq!(store.change_call_settings(ada, change).await.unwrap(), Some(expected));
            assert_eq!(store.change_call_settings(ada, Default::default()).await.unwrap(), Some(expected));
            assert_eq!(store.call_settings(ada).await.unwrap(), Some(expected));
            let nobody = account_key(77).id();
            assert_eq!(store.change_call_settings(nobody, change).await.unwrap(), None);
        }

        async fn the_facts_of_a_call_are_those_of_one_moment(store: &Store) {
            let (ada, _) = somebody(store, 1, "ada").await;
            let (bert, _) = somebody(store, 2, "bert").await;
            let facts = async || store.call_facts(ada, bert).await.unwrap().unwrap();
            assert_eq!(facts().await.facts, Facts::default());
            store.follow(ada, bert).await.unwrap();
            assert_eq!(facts().await.facts, Facts::default(), "that the caller follows counts for nothing");
            store.follow(bert, ada).await.unwrap();
            store.judge(&Handle::parse("ada").unwrap(), Verdict::Verified(true), NOW).await.unwrap();
            store.set_rollout(Rollout::Percentage(25)).await.unwrap();
            let now = facts().await;
            assert!(now.facts.callee_follows_caller && now.facts.caller_verified);
            assert_eq!(now.rollout, Rollout::Percentage(25));
            store.block(bert, ada).await.unwrap();
            let now = facts().await.facts;
            assert!(now.callee_blocks_caller && !now.caller_blocks_callee && !now.callee_follows_caller);
            store.judge(&Handle::parse("bert").unwrap(), Verdict::Suspended(true), NOW).await.unwrap();
            let now = facts().await;
            assert_eq!((now.caller_suspended, now.callee_suspended), (false, true));
            assert_eq!(store.call_facts(ada, account_key(77).id()).await.unwrap(), None);
        }

        async fn a_picture_lives_as_long_as_somebody_has_it(store: &Store) {
            let (ada, _) = somebody(store, 1, "ada").await;
            let (bert, _) = somebody(store, 2, "bert").await;
            let (one, two) = (bytes32(1), bytes32(2));
            store.set_picture(ada, Some((&one, b"one"))).await.unwrap();
            store.set_picture(bert, Some((&one, b"one"))).await.unwrap();
            assert_eq!(store.picture(&one).await.unwrap().unwrap().0, b"one");
            let path = store.account(ada).await.unwrap().unwrap().profile.picture.unwrap();
            assert_eq!(path, format!("/v1/pictures/{one}"));
            store.set_picture(ada, Some((&two, b"two"))).await.unwrap();
            assert!(store.picture(&one).await.unwrap().is_some(), "bert has it still");
            store.set_picture(bert, None).await.unwrap();
            assert_eq!(store.picture(&one).await.unwrap(), None);
            assert!(store.picture(&two).await.unwrap().is_some());
            store.set_picture(ada, Some((&two, b"two"))).await.unwrap();
            assert!(store.picture(&two).await.unwrap().is_some(), "the same picture again");
        }

        async fn missed_calls_are_listed_by_kind_and_from_where_a_client_left_off(store: &Store) {
            let (ada, _) = somebody(store, 1, "ada").await;
            let (bert, _) = somebody(store, 2, "bert").await;
            for kind in [MissedKind::Missed, MissedKind::Filtered, MissedKind::Missed] {
                calls_in_vain(store, 1, 2, Media::Video, kind).await;
            }
            let missed = store.missed_calls(ada, MissedKind::Missed, 0, 10).await.unwrap();
            assert_eq!(missed.len(), 2);
            assert!(missed[0].id < missed[1].id);
            assert_eq!(missed[0].from.account, bert);
            assert_eq!((missed[0].media, missed[0].at), (Media::Video, NOW));
            let rest = store.missed_calls(ada, MissedKind::Missed, missed[0].id, 10).await.unwrap();
            assert_eq!(rest, missed[1..]);
            assert_eq!(store.missed_calls(ada, MissedKind::Filtered, 0, 10).await.unwrap().len(), 1);
            store.forget_missed(bert, missed[0].id).await.unwrap();
            assert_eq!(store.missed_calls(ada, MissedKind::Missed, 0, 10).await.unwrap().len(), 2, "not bert's");
            store.forget_missed(ada, missed[0].id).await.unwrap();
            assert_eq!(store.missed_calls(ada, MissedKind::Missed, 0, 10).await.unwrap(), missed[1..]);
        }

        async fn the_oldest_missed_calls_make_room_and_no_id_comes_twice(store: &Store) {
            let (ada, _) = somebody(store, 1, "ada").await;
            somebody(store, 2, "bert").await;
            calls_in_vain(store, 1, 2, Media::Audio, MissedKind::Filtered).await;
            for _ in 0..MAX_MISSED + 3 {
                calls_in_vain(store, 1, 2, Media::Audio, MissedKind::Missed).await;
            }
            let missed = store.missed_calls(ada, MissedKind::Missed, 0, u32::MAX).await.unwrap();
            assert_eq!(missed.len(), MAX_MISSED as usize);
            assert_eq!(store.missed_calls(ada, MissedKind::Filtered, 0, 10).await.unwrap().len(), 1);
            let last = missed.last().unwrap().id;
            for call in &missed {
                store.forget_missed(ada, call.id).await.unwrap();
            }
            calls_in_vain(store, 1, 2, Media::Audio, MissedKind::Missed).await;
            assert!(store.missed_calls(ada, MissedKind::Missed, 0, 10).await.unwrap()[0].id > last);
        }

        async fn a_secret_is_drawn_once(store: &Store) {
            assert_eq!(store.secret(Secret::Issuer, &bytes32(1)).await.unwrap(), bytes32(1));
            assert_eq!(store.secret(Secret::Issuer, &bytes32(2)).await.unwrap(), bytes32(1));
            assert_eq!(store.secret(Secret::Challenge, &bytes32(3)).await.unwrap(), bytes32(3));
        }

        async fn the_roll_out_is_everyone_until_it_is_set(store: &Store) {
            assert_eq!(store.rollout().await.unwrap(), Rollout::Everyone);
            for rollout in [Rollout::VerifiedOnly, Rollout::Percentage(0), Rollout::Everyone] {
                store.set_rollout(rollout).await.unwrap();
                assert_eq!(store.rollout().await.unwrap(), rollout);
            }
        }

        async fn the_operators_changes_are_found_once(store: &Store) {
            let (ada, _) = somebody(store, 1, "ada").await;
            let handle = Handle::parse("ada").unwrap();
            assert_eq!(store.newest_operator_change().await.unwrap(), 0);
            store.judge(&handle, Verdict::Verified(true), NOW).await.unwrap();
            assert!(store.account(ada).await.unwrap().unwrap().profile.verified);
            let (seen, accounts) = store.operator_changes(0).await.unwrap();
            assert_eq!(accounts, [ada]);
            assert_eq!(store.operator_changes(seen).await.unwrap(), (seen, vec![]));
            store.forget_expired(NOW.after(Millis::from_secs(48 * 3600))).await.unwrap();
            assert_eq!(store.newest_operator_change().await.unwrap(), seen, "numbers go on from here");
            let nobody = Handle::parse("nobody_1").unwrap();
            assert_eq!(store.judge(&nobody, Verdict::Verified(true), NOW).await.unwrap(), None);
        }

        async fn renaming_changes_the_name_alone(store: &Store) {
            let (ada, _) = somebody(store, 1, "ada").await;
            store.rename(ada, "Ada L.").await.unwrap();
            let profile = store.account(ada).await.unwrap().unwrap().profile;
            assert_eq!((profile.name.as_str(), profile.handle.as_str()), ("Ada L.", "ada"));
        }
    }
}
