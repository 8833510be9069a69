use axum::http::Method;
use carillon_server::admin::{Command, look, run};
use carillon_server::bus::{Line, Waiting};
use carillon_wire::frame::Topic;
use carillon_wire::rest::{CallSettings, Me, Profile};
use carillon_wire::{Handle, Millis};
use futures_util::FutureExt as _;
use serde_json::json;

use crate::world::*;

/// A connection of this device, as far as the doorbell goes.
fn connect(world: &World, phone: &Phone) -> Line {
    world.app.bus.attach(phone.account_id(), phone.device_id())
}

/// What the connection has been told until now.
fn told(line: &Line) -> Waiting {
    line.look().now_or_never().unwrap_or_default()
}

#[tokio::test]
async fn a_change_is_told_to_the_own_devices_and_to_no_others() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    let (ada_line, bert_line) = (connect(&world, &ada), connect(&world, &bert));

    ada.follow(&world, &bert).await;
    assert_eq!(told(&ada_line).changed, [Topic::Following]);
    ada.patch(&world, "/v1/settings/calls", json!({"everyone": true})).await.ok::<CallSettings>();
    assert_eq!(told(&ada_line).changed, [Topic::Settings]);
    ada.patch(&world, "/v1/me", json!({"name": "Ada L."})).await.ok::<Me>();
    assert_eq!(told(&ada_line).changed, [Topic::Profile]);
    ada.patch(&world, "/v1/me", json!({})).await.ok::<Me>();
    assert!(told(&ada_line).changed.is_empty(), "nothing changed");
    ada.delete(&world, "/v1/me/picture").await.ok::<Profile>();
    assert_eq!(told(&ada_line).changed, [Topic::Profile]);
    ada.delete(&world, "/v1/calls/missed/1").await.no_content();
    assert_eq!(told(&ada_line).changed, [Topic::Missed]);
    assert!(told(&bert_line).changed.is_empty());
}

#[tokio::test]
async fn who_is_blocked_is_not_told() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    bert.follow(&world, &ada).await;
    let (ada_line, bert_line) = (connect(&world, &ada), connect(&world, &bert));
    ada.put(&world, &format!("/v1/blocks/{}", bert.account_id())).await.no_content();
    assert_eq!(told(&ada_line).changed, [Topic::Blocks, Topic::Following]);
    assert!(told(&bert_line).changed.is_empty());
}

#[tokio::test]
async fn the_connection_of_a_revoked_device_is_told_to_end() {
    let world = World::new().await;
    let phone = world.somebody(1, "ada").await;
    let mut laptop = Phone::new(1, 2);
    let (phone_line, laptop_line) = (connect(&world, &phone), connect(&world, &laptop));
    laptop.session = Some(world.post("/v1/devices", &laptop.new_device(&world).await).await.ok());
    assert_eq!(told(&phone_line).changed, [Topic::Devices]);
    told(&laptop_line);
    phone.delete(&world, &format!("/v1/devices/{}", laptop.device_id())).await.no_content();
    assert!(told(&laptop_line).doubted);
    let on_the_phone = told(&phone_line);
    assert!(!on_the_phone.doubted);
    assert_eq!(on_the_phone.changed, [Topic::Devices]);
}

#[tokio::test]
async fn the_server_notices_what_the_operator_does_beside_it() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let line = connect(&world, &ada);
    let handle = Handle::parse("ada").unwrap();
    let seen = look(&world.app, 0).await.unwrap();

    run(&world.app.store, &Command::Verify { handle: handle.clone() }, world.now()).await.unwrap();
    let seen = look(&world.app, seen).await.unwrap();
    let after = told(&line);
    assert_eq!((after.changed.as_slice(), after.doubted), ([Topic::Profile].as_slice(), false));

    run(&world.app.store, &Command::Block { handle }, world.now()).await.unwrap();
    let seen = look(&world.app, seen).await.unwrap();
    assert!(told(&line).doubted, "its connection ends");
    assert_eq!(look(&world.app, seen).await.unwrap(), seen);
    assert_eq!(told(&line), Waiting::default());
}

#[tokio::test]
async fn a_settings_change_makes_those_who_watch_look_again() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    let mut bert_line = connect(&world, &bert);
    bert_line.watch([ada.account_id()].into());
    ada.patch(&world, "/v1/settings/calls", json!({"enabled": false})).await.ok::<CallSettings>();
    assert_eq!(told(&bert_line).presence, [ada.account_id()].into());
    world.pass(Millis(1));
    let body = json!({"enabled": true}).to_string();
    ada.send(&world, Method::PATCH, "/v1/settings/calls", body).await.ok::<CallSettings>();
    assert_eq!(told(&bert_line).presence, [ada.account_id()].into());
}
