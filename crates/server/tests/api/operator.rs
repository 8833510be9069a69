use carillon_e2e::verify_badge;
use carillon_policy::rollout::Rollout;
use carillon_server::admin::{AdminError, Command, run};
use carillon_wire::rest::{Abilities, Me, Page, Person};
use carillon_wire::{Code, Handle};

use crate::world::*;

fn handle(text: &str) -> Handle {
    Handle::parse(text).unwrap()
}

async fn command(world: &World, command: Command) -> String {
    run(&world.app.store, &command, world.now()).await.unwrap()
}

#[tokio::test]
async fn a_verified_account_gets_a_badge_that_others_can_check() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let said = command(&world, Command::Verify { handle: handle("ada") }).await;
    assert_eq!(said, "@ada is verified");
    let me: Me = ada.get(&world, "/v1/me").await.ok();
    assert!(me.profile.verified);
    let issuer = world.app.issuer.public();
    let badge = verify_badge(&issuer, &me.badge.unwrap(), ada.account_id(), world.now()).unwrap();
    assert_eq!(badge.handle, handle("ada"));
    command(&world, Command::Unverify { handle: handle("ada") }).await;
    let me: Me = ada.get(&world, "/v1/me").await.ok();
    assert!(!me.profile.verified && me.badge.is_none());
}

#[tokio::test]
async fn a_suspended_account_can_do_nothing_and_is_not_found() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    command(&world, Command::Block { handle: handle("bert") }).await;
    assert_eq!(bert.get(&world, "/v1/me").await.code(), Code::AccountSuspended);
    let sign_in = bert.sign_in(&world).await;
    assert_eq!(world.post("/v1/sessions", &sign_in).await.code(), Code::AccountSuspended);
    let device = Phone::new(2, 5).new_device(&world).await;
    assert_eq!(world.post("/v1/devices", &device).await.code(), Code::AccountSuspended);
    assert_eq!(ada.get(&world, "/v1/accounts/@bert").await.code(), Code::AccountUnknown);
    assert!(ada.get(&world, "/v1/accounts?q=bert").await.ok::<Page<Person>>().items.is_empty());
    command(&world, Command::Unblock { handle: handle("bert") }).await;
    bert.get(&world, "/v1/me").await.ok::<Me>();
}

#[tokio::test]
async fn the_roll_out_decides_who_may_place_calls() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    command(&world, Command::Verify { handle: handle("ada") }).await;
    let abilities = async || {
        let ada: Abilities = ada.get(&world, "/v1/abilities").await.ok();
        let bert: Abilities = bert.get(&world, "/v1/abilities").await.ok();
        (ada.place_calls, bert.place_calls)
    };
    assert_eq!(abilities().await, (true, true));
    let said = command(&world, Command::Rollout { who: Some(Rollout::VerifiedOnly) }).await;
    assert_eq!(said, "calls can be placed by: verified");
    assert_eq!(abilities().await, (true, false));
    command(&world, Command::Rollout { who: Some(Rollout::Percentage(0)) }).await;
    assert_eq!(abilities().await, (false, false));
    assert_eq!(command(&world, Command::Rollout { who: None }).await, "calls can be placed by: 0%");
}

#[tokio::test]
async fn the_operator_is_told_when_nobody_has_the_handle() {
    let world = World::new().await;
    let result = run(&world.app.store, &Command::Verify { handle: handle("nobody_1") }, world.now()).await;
    assert!(matches!(&result, Err(AdminError::HandleUnknown(_))));
    assert_eq!(result.unwrap_err().to_string(), "nobody has the handle @nobody_1");
    world.somebody(1, "ada").await;
    assert_eq!(command(&world, Command::Accounts).await, "1");
}
