//! A device is added between the offer and the ring: the caller seals again, and both devices ring.

use std::time::Duration;

use anyhow::{Result, bail};
use carillon_tests::device::{Device, Http};
use carillon_tests::person::Person;
use carillon_tests::server::Server;
use carillon_wire::frame::{BoxFor, ClientFrame, Media, ServerFrame};
use carillon_wire::{Blob, CallId, Millis};

#[tokio::test]
async fn boxes_for_yesterdays_devices_are_refused_with_todays() -> Result<()> {
    let server = Server::start(&[]).await?;
    let http = Http::new(server.url(), server.audience());
    let ada = Device::sign_up(&http, "ada", "127.0.0.1").await?;
    let grace = Person::online(&server.url(), "grace").await?;
    grace.client.follow(carillon_wire::Handle::parse("ada")?).await?;
    let first = grace.client.account().await?.device;
    let laptop = grace.further_device(&server.url()).await?;
    let second = laptop.client.account().await?.device;
    let callee = grace.client.account().await?.account;
    let mut line = ada.connect(&http).await?;
    let boxes = vec![BoxFor { device: first, sealed: Blob(vec![0; 600]) }];
    let call = CallId::new([1; 16]);
    let expires_in = Millis::from(Duration::from_secs(30));
    line.send(ClientFrame::Create { call, callee, media: Media::Audio, expires_in, boxes }).await?;
    let mut devices = match line.receive().await?.frame {
        ServerFrame::StaleDevices { devices, .. } => devices,
        other => bail!("{other:?}"),
    };
    devices.sort();
    let mut expected = vec![first, second];
    expected.sort();
    assert_eq!(devices, expected);
    Ok(())
}
