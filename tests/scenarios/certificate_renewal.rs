//! A device's certificate and prekey are replaced when they are a week old, and calls go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use carillon_client::{Calendar, Phase};
use carillon_tests::cable::Cable;
use carillon_tests::device::{Device, Http, now};
use carillon_tests::person::{PATIENCE, Person};
use carillon_tests::server::Server;
use carillon_wire::rest::DeviceKeys;
use carillon_wire::{AccountId, Millis, UnixMillis};
use reqwest::Method;
use tokio::time::timeout;

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A calendar that a test puts forward.
#[derive(Clone)]
struct Date(Arc<AtomicU64>);

impl Date {
    fn calendar(&self) -> Calendar {
        let date = self.clone();
        Calendar::new(move || UnixMillis(date.0.load(Ordering::Relaxed)))
    }
}

/// What the server gives to whoever wants to call this account.
async fn keys(http: &Http, eve: &Device, account: AccountId) -> Result<DeviceKeys> {
    let path = format!("/v1/accounts/{account}/devices");
    let request = http.request(Method::GET, &path, "127.0.0.1").bearer_auth(&eve.token);
    Ok(request.send().await?.error_for_status()?.json().await?)
}

#[tokio::test]
async fn a_week_later_the_device_has_another_prekey_and_rings_as_before() -> Result<()> {
    let server = Server::start(&[]).await?;
    let http = Http::new(server.url(), server.audience());
    let eve = Device::sign_up(&http, "eve", "127.0.0.1").await?;
    // Ada signed up a week and an hour ago: until today her device does not know what day it is.
    let today = now();
    let date = Date(Arc::new(AtomicU64::new(today.before(Millis::from(WEEK + Duration::from_secs(3600))).0)));
    let mut ada = Person::away_with(&server.url(), "ada", |config| config.calendar = date.calendar()).await?;
    ada.client.connect_within(PATIENCE).await?;
    let account = ada.client.account().await?.account;
    let before = keys(&http, &eve, account).await?.certificates;

    let cable = Cable::to(server.audience()).await?;
    let mut grace = Person::online(&cable.url(), "grace").await?;
    ada.client.follow(grace.handle.clone()).await?;
    // Grace's offer is sealed to the old prekey and still on its way when Ada's device renews.
    cable.hold();
    let call = grace.dial(&ada).await?;
    date.0.store(today.0, Ordering::Relaxed);
    let mut events = ada.client.events();
    ada.client.network_changed().await?;
    let renewed = async {
        loop {
            let fresh = keys(&http, &eve, account).await?.certificates;
            if fresh != before {
                return anyhow::Ok(fresh);
            }
            // Whatever happens next: the line comes up, and the renewal follows.
            let _ = timeout(Duration::from_millis(50), events.next()).await;
        }
    };
    let after = timeout(PATIENCE, renewed).await.context("the certificate was not renewed")??;
    assert_eq!((before.len(), after.len()), (1, 1));
    cable.release();
    assert_eq!(ada.until_rung().await?.call, call, "what was sealed to the prekey before still opens");
    ada.client.accept(call, false).await?;
    grace.until(call, Phase::Connected).await?;
    grace.client.hang_up(call).await?;
    ada.until_ended(call).await?;

    // The new keys were kept: another process of the same profile opens what is sealed to them.
    ada.reopen().await?;
    let call = grace.dial(&ada).await?;
    ada.until_rung().await?;
    ada.client.accept(call, false).await?;
    let here = ada.until(call, Phase::Connected).await?;
    assert_eq!(grace.until(call, Phase::Connected).await?.emoji, here.emoji);
    assert_eq!(keys(&http, &eve, account).await?.certificates, after, "and nothing was renewed again");
    Ok(())
}
