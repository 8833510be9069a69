use axum::http::Method;
use carillon_server::store::{Created, NewCall};
use carillon_wire::frame::{BoxFor, Media};
use carillon_wire::limits::MAX_RING;
use carillon_wire::rest::{CallSettings, Me, MissedCall, Page};
use carillon_wire::{Blob, CallId, Code};
use serde_json::json;

use crate::world::*;

/// A call to somebody whose device is off.
async fn calls_in_vain(world: &World, number: u8, caller: &Phone, callee: &Phone) {
    let boxes = [BoxFor { device: callee.device_id(), sealed: Blob(vec![1]) }];
    let new = NewCall {
        call: CallId::new([number; 16]),
        caller: caller.account_id(),
        device: caller.device_id(),
        callee: callee.account_id(),
        media: Media::Audio,
        expires_in: MAX_RING,
        boxes: &boxes,
    };
    let app = &world.app;
    let (created, _) = app.store.create_call(new, app.node, app.clock.now(), world.now()).await.unwrap();
    assert_eq!(created, Created::Refused);
}

#[tokio::test]
async fn calls_of_people_i_follow_are_on_at_first() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let settings: CallSettings = ada.get(&world, "/v1/settings/calls").await.ok();
    assert_eq!(settings, CallSettings::default());
    assert!(settings.enabled && settings.following);
}

#[tokio::test]
async fn a_field_that_a_change_leaves_out_stays() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let patch = async |body| ada.patch(&world, "/v1/settings/calls", body).await.ok::<CallSettings>();
    let expected = CallSettings { verified: true, ..CallSettings::default() };
    assert_eq!(patch(json!({"verified": true})).await, expected);
    assert_eq!(patch(json!({})).await, expected);
    assert_eq!(patch(json!({"from_the_future": 7})).await, expected);
    let expected = CallSettings { following: false, everyone: true, ..expected };
    assert_eq!(patch(json!({"following": false, "everyone": true})).await, expected);
    assert_eq!(ada.get(&world, "/v1/settings/calls").await.ok::<CallSettings>(), expected);
}

#[tokio::test]
async fn a_change_that_can_not_be_read_changes_nothing() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    for body in [json!({"everyone": "yes"}), json!({"everyone": true, "verified": 1}), json!([]), json!("x")]
    {
        assert_eq!(ada.patch(&world, "/v1/settings/calls", body).await.code(), Code::Malformed);
    }
    assert_eq!(ada.get(&world, "/v1/settings/calls").await.ok::<CallSettings>(), CallSettings::default());
}

#[tokio::test]
async fn the_name_is_changed_and_an_empty_change_is_none() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let me: Me = ada.patch(&world, "/v1/me", json!({"name": " Ada Lovelace "})).await.ok();
    assert_eq!(me.profile.name, "Ada Lovelace");
    let me: Me = ada.patch(&world, "/v1/me", json!({})).await.ok();
    assert_eq!(me.profile.name, "Ada Lovelace");
    assert_eq!(ada.patch(&world, "/v1/me", json!({"name": "a\u{202e}b"})).await.code(), Code::NameInvalid);
    assert_eq!(ada.patch(&world, "/v1/me", json!({"name": 7})).await.code(), Code::Malformed);
}

#[tokio::test]
async fn missed_and_filtered_calls_are_lists_of_their_own() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    for (number, followed) in [(1, true), (2, false), (3, true), (4, true)] {
        let path = format!("/v1/following/{}", bert.account_id());
        let method = if followed { Method::PUT } else { Method::DELETE };
        ada.send(&world, method, &path, "").await.no_content();
        calls_in_vain(&world, number, &bert, &ada).await;
    }
    let first: Page<MissedCall> = ada.get(&world, "/v1/calls/missed?limit=2").await.ok();
    assert_eq!(first.items.len(), 2);
    assert_eq!(first.items[0].from.handle.as_str(), "bert");
    let path = format!("/v1/calls/missed?limit=2&cursor={}", first.next.unwrap());
    let second: Page<MissedCall> = ada.get(&world, &path).await.ok();
    assert_eq!((second.items.len(), second.next), (1, None));
    let path = format!("/v1/calls/missed?after={}", first.items[0].id);
    assert_eq!(ada.get(&world, &path).await.ok::<Page<MissedCall>>().items.len(), 2);
    let filtered: Page<MissedCall> = ada.get(&world, "/v1/calls/filtered").await.ok();
    assert_eq!(filtered.items.len(), 1);
    for id in [first.items[0].id, filtered.items[0].id] {
        let path = format!("/v1/calls/missed/{id}");
        bert.delete(&world, &path).await.no_content();
        ada.delete(&world, &path).await.no_content();
    }
    assert_eq!(ada.get(&world, "/v1/calls/missed").await.ok::<Page<MissedCall>>().items.len(), 2);
    assert!(ada.get(&world, "/v1/calls/filtered").await.ok::<Page<MissedCall>>().items.is_empty());
    assert_eq!(ada.delete(&world, "/v1/calls/missed/x").await.code(), Code::NotFound);
}
