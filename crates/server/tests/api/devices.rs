use axum::http::Method;
use carillon_wire::limits::MAX_DEVICES;
use carillon_wire::rest::{Device, DeviceKeys, Me, Session};
use carillon_wire::{Code, Millis};

use crate::world::*;

async fn second_device(world: &World, account: u8, device: u8) -> Phone {
    let mut laptop = Phone::new(account, device);
    laptop.session = Some(world.post("/v1/devices", &laptop.new_device(world).await).await.ok());
    laptop
}

async fn renew(phone: &Phone, world: &World, certificate: &carillon_wire::signed::Signed) -> Answer {
    let body = serde_json::to_vec(certificate).unwrap();
    phone.send(world, Method::PUT, "/v1/devices/current/certificate", body).await
}

#[tokio::test]
async fn a_further_device_joins_by_a_certificate_of_the_account_key() {
    let world = World::new().await;
    let phone = world.somebody(1, "ada").await;
    world.pass(Millis(5));
    let laptop = second_device(&world, 1, 2).await;
    assert_eq!(laptop.get(&world, "/v1/me").await.ok::<Me>().profile.handle.as_str(), "ada");
    let devices: Vec<Device> = phone.get(&world, "/v1/devices").await.ok();
    let shown: Vec<_> = devices.iter().map(|device| (device.device, device.this)).collect();
    assert_eq!(shown, [(phone.device_id(), true), (laptop.device_id(), false)]);
    assert!(devices.iter().all(|device| device.name == "Phone" && !device.online));
}

#[tokio::test]
async fn the_same_addition_once_more_is_a_sign_in() {
    let world = World::new().await;
    let phone = world.somebody(1, "ada").await;
    second_device(&world, 1, 2).await;
    second_device(&world, 1, 2).await;
    assert_eq!(phone.get(&world, "/v1/devices").await.ok::<Vec<Device>>().len(), 2);
}

#[tokio::test]
async fn a_recovered_account_key_brings_a_new_device_into_the_account() {
    let world = World::new().await;
    let lost = world.somebody(1, "ada").await;
    let phrase = carillon_e2e::Phrase::of(&lost.account, carillon_e2e::phrase::Language::English);
    let recovered = Phone { account: phrase.account_key(), ..Phone::new(99, 2) };
    let request = recovered.new_device(&world).await;
    let session: Session = world.post("/v1/devices", &request).await.ok();
    assert_eq!(session.me.profile.account, lost.account_id());
}

#[tokio::test]
async fn a_device_of_nobody_and_one_too_many_are_refused() {
    let world = World::new().await;
    let nobody = Phone::new(7, 7).new_device(&world).await;
    assert_eq!(world.post("/v1/devices", &nobody).await.code(), Code::AccountUnknown);
    world.somebody(1, "ada").await;
    for number in 1..MAX_DEVICES as u8 {
        second_device(&world, 1, 10 + number).await;
    }
    let one_more = Phone::new(1, 20).new_device(&world).await;
    assert_eq!(world.post("/v1/devices", &one_more).await.code(), Code::TooManyDevices);
}

#[tokio::test]
async fn a_certificate_is_renewed_by_its_device_with_a_higher_number() {
    let world = World::new().await;
    let phone = world.somebody(1, "ada").await;
    let laptop = second_device(&world, 1, 2).await;
    world.pass(Millis::from_secs(60));
    let newer = phone.certificate(5, world.now());
    renew(&phone, &world, &newer).await.no_content();
    renew(&phone, &world, &newer).await.no_content();
    let older = phone.certificate(4, world.now());
    assert_eq!(renew(&phone, &world, &older).await.code(), Code::BadCertificate);
    assert_eq!(renew(&laptop, &world, &phone.certificate(9, world.now())).await.code(), Code::BadCertificate);
    let forged = Phone { account: Phone::new(8, 8).account, ..Phone::new(1, 1) }.certificate(9, world.now());
    assert_eq!(renew(&phone, &world, &forged).await.code(), Code::BadCertificate);
    let path = format!("/v1/accounts/{}/devices", phone.account_id());
    assert!(phone.get(&world, &path).await.ok::<DeviceKeys>().certificates.contains(&newer));
}

#[tokio::test]
async fn a_revoked_device_is_out_at_once_and_for_good() {
    let world = World::new().await;
    let phone = world.somebody(1, "ada").await;
    let laptop = second_device(&world, 1, 2).await;
    phone.delete(&world, &format!("/v1/devices/{}", laptop.device_id())).await.no_content();
    assert_eq!(laptop.get(&world, "/v1/me").await.code(), Code::DeviceRevoked);
    assert_eq!(world.post("/v1/sessions", &laptop.sign_in(&world).await).await.code(), Code::DeviceRevoked);
    assert_eq!(world.post("/v1/devices", &laptop.new_device(&world).await).await.code(), Code::DeviceRevoked);
    assert_eq!(phone.get(&world, "/v1/devices").await.ok::<Vec<Device>>().len(), 1);
    let again = phone.delete(&world, &format!("/v1/devices/{}", laptop.device_id())).await;
    assert_eq!(again.code(), Code::DeviceUnknown);
}

#[tokio::test]
async fn only_the_device_itself_learns_that_it_was_revoked() {
    let world = World::new().await;
    let phone = world.somebody(1, "ada").await;
    let laptop = second_device(&world, 1, 2).await;
    phone.delete(&world, &format!("/v1/devices/{}", laptop.device_id())).await.no_content();
    let mut guess = laptop.sign_in(&world).await;
    guess.signature = phone.sign(&guess.nonce, HOST);
    assert_eq!(world.post("/v1/sessions", &guess).await.code(), Code::BadSignature);
}

#[tokio::test]
async fn nobody_revokes_the_device_of_somebody_else() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    let answer = bert.delete(&world, &format!("/v1/devices/{}", ada.device_id())).await;
    assert_eq!(answer.code(), Code::DeviceUnknown);
    assert_eq!(bert.delete(&world, "/v1/devices/nonsense").await.code(), Code::DeviceUnknown);
    ada.get(&world, "/v1/me").await.ok::<Me>();
}

#[tokio::test]
async fn device_keys_are_the_same_for_whoever_asks() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    let carl = world.somebody(3, "carl").await;
    ada.put(&world, &format!("/v1/blocks/{}", bert.account_id())).await.no_content();
    let path = format!("/v1/accounts/{}/devices", ada.account_id());
    let for_bert = bert.get(&world, &path).await.body;
    assert_eq!(for_bert, carl.get(&world, &path).await.body);
    assert_eq!(for_bert, ada.get(&world, &path).await.body);
    let keys: DeviceKeys = serde_json::from_slice(&for_bert).unwrap();
    assert_eq!(keys.account_key, ada.account.public());
    let nobody = Phone::new(9, 9).account_id();
    let unknown = carl.get(&world, &format!("/v1/accounts/{nobody}/devices")).await;
    assert_eq!(unknown.code(), Code::AccountUnknown);
}
