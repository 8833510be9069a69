use carillon_wire::Code;
use carillon_wire::rest::{Page, Person};

use crate::world::*;

fn handles(page: &Page<Person>) -> Vec<&str> {
    page.items.iter().map(|person| person.profile.handle.as_str()).collect()
}

#[tokio::test]
async fn people_are_found_by_the_start_of_their_handle() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    for (number, handle) in (2..).zip(["bert", "bertha", "boris"]) {
        world.somebody(number, handle).await;
    }
    for (query, found) in [
        ("be", vec!["bert", "bertha"]),
        ("%40BERT", vec!["bert", "bertha"]),
        ("%20ada%20", vec!["ada"]),
        ("zz", vec![]),
        ("b%25", vec![]),
        ("b'%3B--", vec![]),
        ("%E8%89%BE%E8%BE%BE", vec![]),
    ] {
        let page: Page<Person> = ada.get(&world, &format!("/v1/accounts?q={query}")).await.ok();
        assert_eq!(handles(&page), found, "{query}");
    }
    for query in [
        "?q=b",
        "?q=%40b",
        "?q=",
        "",
        "?q=be&limit=0",
        "?q=be&limit=201",
        "?q=be&limit=x",
        "?q=be&cursor=%00",
    ] {
        let answer = ada.get(&world, &format!("/v1/accounts{query}")).await;
        assert_eq!(answer.code(), Code::Malformed, "{query}");
    }
}

#[tokio::test]
async fn search_comes_in_pages() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    for number in 2..=6 {
        world.somebody(number, &format!("person{number}x")).await;
    }
    let mut found = Vec::new();
    let mut path = "/v1/accounts?q=person&limit=2".to_owned();
    loop {
        let page: Page<Person> = ada.get(&world, &path).await.ok();
        assert!(page.items.len() <= 2);
        found.extend(handles(&page).into_iter().map(str::to_owned));
        let Some(next) = page.next else { break };
        path = format!("/v1/accounts?q=person&limit=2&cursor={next}");
    }
    assert_eq!(found, ["person2x", "person3x", "person4x", "person5x", "person6x"]);
}

#[tokio::test]
async fn searches_are_counted_by_account() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    for _ in 0..30 {
        ada.get(&world, "/v1/accounts?q=be").await.ok::<Page<Person>>();
    }
    let error = ada.get(&world, "/v1/accounts?q=be").await.error();
    assert_eq!(error.code, Code::RateLimited);
    bert.get(&world, "/v1/accounts?q=be").await.ok::<Page<Person>>();
    world.pass(error.retry_after.unwrap());
    ada.get(&world, "/v1/accounts?q=be").await.ok::<Page<Person>>();
}

#[tokio::test]
async fn a_person_is_fetched_by_id_or_by_handle() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    ada.follow(&world, &bert).await;
    let by_id: Person = ada.get(&world, &format!("/v1/accounts/{}", bert.account_id())).await.ok();
    let by_handle: Person = ada.get(&world, "/v1/accounts/@Bert").await.ok();
    assert_eq!(by_id, by_handle);
    assert_eq!((by_id.following, by_id.follows_me, by_id.blocked), (true, false, false));
    for (path, code) in [
        ("@nobody_here", Code::AccountUnknown),
        ("@x", Code::HandleInvalid),
        ("nonsense", Code::AccountUnknown),
        ("%FF", Code::NotFound),
    ] {
        assert_eq!(ada.get(&world, &format!("/v1/accounts/{path}")).await.code(), code, "{path}");
    }
}

#[tokio::test]
async fn following_shows_in_both_lists_and_comes_in_pages() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    for (number, handle) in (2..).zip(["bert", "carl", "dora"]) {
        let other = world.somebody(number, handle).await;
        ada.follow(&world, &other).await;
        ada.follow(&world, &other).await;
        other.follow(&world, &ada).await;
    }
    let first: Page<Person> = ada.get(&world, "/v1/following?limit=2").await.ok();
    assert_eq!(handles(&first), ["dora", "carl"]);
    let path = format!("/v1/following?limit=2&cursor={}", first.next.unwrap());
    let second: Page<Person> = ada.get(&world, &path).await.ok();
    assert_eq!((handles(&second), second.next.clone()), (vec!["bert"], None));
    let followers: Page<Person> = ada.get(&world, "/v1/followers").await.ok();
    assert_eq!(handles(&followers), ["dora", "carl", "bert"]);
    assert!(followers.items.iter().all(|person| person.following && person.follows_me));
    assert_eq!(ada.get(&world, "/v1/following?cursor=x").await.code(), Code::Malformed);
}

#[tokio::test]
async fn unfollowing_ends_it_and_once_more_changes_nothing() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    ada.follow(&world, &bert).await;
    let path = format!("/v1/following/{}", bert.account_id());
    ada.delete(&world, &path).await.no_content();
    ada.delete(&world, &path).await.no_content();
    assert!(ada.get(&world, "/v1/following").await.ok::<Page<Person>>().items.is_empty());
}

#[tokio::test]
async fn a_block_ends_following_both_ways_and_is_lifted_again() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    ada.follow(&world, &bert).await;
    bert.follow(&world, &ada).await;
    let path = format!("/v1/blocks/{}", bert.account_id());
    ada.put(&world, &path).await.no_content();
    ada.put(&world, &path).await.no_content();
    assert_eq!(handles(&ada.get(&world, "/v1/blocks").await.ok()), ["bert"]);
    assert!(ada.get(&world, "/v1/following").await.ok::<Page<Person>>().items.is_empty());
    assert!(bert.get(&world, "/v1/following").await.ok::<Page<Person>>().items.is_empty());
    ada.delete(&world, &path).await.no_content();
    assert!(ada.get(&world, "/v1/blocks").await.ok::<Page<Person>>().items.is_empty());
}

#[tokio::test]
async fn who_is_blocked_finds_the_other_as_before() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    let asks = ["/v1/accounts?q=ada", "/v1/accounts/@ada", "/v1/followers", "/v1/blocks"];
    let mut before = Vec::new();
    for path in asks {
        before.push(bert.get(&world, path).await.body);
    }
    ada.put(&world, &format!("/v1/blocks/{}", bert.account_id())).await.no_content();
    for (path, before) in asks.into_iter().zip(before) {
        assert_eq!(bert.get(&world, path).await.body, before, "{path}");
    }
    bert.follow(&world, &ada).await;
}

#[tokio::test]
async fn nobody_follows_or_blocks_themselves_or_nobody() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let nobody = Phone::new(9, 9).account_id();
    for list in ["following", "blocks"] {
        let own = format!("/v1/{list}/{}", ada.account_id());
        assert_eq!(ada.put(&world, &own).await.code(), Code::SelfTarget);
        assert_eq!(ada.delete(&world, &own).await.code(), Code::SelfTarget);
        assert_eq!(ada.put(&world, &format!("/v1/{list}/{nobody}")).await.code(), Code::AccountUnknown);
        assert_eq!(ada.put(&world, &format!("/v1/{list}/nonsense")).await.code(), Code::AccountUnknown);
    }
}

#[tokio::test]
async fn changes_are_counted_by_account() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    for _ in 0..60 {
        ada.follow(&world, &bert).await;
    }
    let path = format!("/v1/following/{}", bert.account_id());
    assert_eq!(ada.put(&world, &path).await.code(), Code::RateLimited);
    bert.follow(&world, &ada).await;
    world.pass(carillon_wire::Millis::from_secs(1));
    ada.follow(&world, &bert).await;
}
