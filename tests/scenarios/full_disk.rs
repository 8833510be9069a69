//! A disk that is full, and one that takes no more of this file: each is told with the same code, nobody else suffers, and
//! with room everything goes on.
#![cfg(target_os = "linux")]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use carillon_client::Phase;
use carillon_tests::device::{Device, Http, handle};
use carillon_tests::person::{PATIENCE, Person, friends};
use carillon_tests::server::Server;
use reqwest::Method;
use tokio::time::timeout;

/// So that each sign-up may come from elsewhere and quotas are not what ends it.
const TRUSTED: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.1");

/// Signs people up until the server refuses, and says how it refuses.
async fn fill(http: &Http) -> Result<String> {
    for index in 0..5_000 {
        let from = format!("2001:db8:0:{index:x}::1");
        if let Err(error) = Device::sign_up(http, &handle(index), &from).await {
            return Ok(error.to_string());
        }
    }
    bail!("the disk never filled up")
}

/// Waits until `/healthz` answers with this status.
async fn health(http: &Http, status: u16) -> Result<()> {
    let reached = async {
        // The server looks once a second at most.
        let mut every = tokio::time::interval(Duration::from_millis(100));
        loop {
            every.tick().await;
            if http.request(Method::GET, "/healthz", "127.0.0.1").send().await?.status() == status {
                return anyhow::Ok(());
            }
        }
    };
    timeout(PATIENCE, reached).await.with_context(|| format!("/healthz never said {status}"))?
}

/// Those who were there before are served, and their lines hold.
async fn go_on(ada: &mut Person, grace: &Person) -> Result<()> {
    assert_eq!(ada.client.person(grace.handle.clone()).await?.profile.handle, grace.handle);
    ada.until_line(true).await?;
    Ok(())
}

async fn rings(ada: &mut Person, grace: &mut Person) -> Result<()> {
    let call = ada.dial(grace).await?;
    grace.until_rung().await?;
    ada.until(call, Phase::Ringing).await?;
    Ok(())
}

/// A file that takes what room a disk has left.
fn fill_up(path: &PathBuf) -> Result<()> {
    let mut file = std::fs::File::create(path)?;
    for piece in [vec![0; 4096], vec![0; 1]] {
        while file.write_all(&piece).is_ok() {}
    }
    Ok(())
}

#[tokio::test]
async fn a_full_disk_is_told_and_room_is_found_again() -> Result<()> {
    const MOUNT: [&str; 5] = ["unshare", "--map-root-user", "--mount", "sh", "-c"];
    let (first, rest) = MOUNT.split_first().context("words")?;
    let probe = Command::new(first).args(rest).arg("mount -t tmpfs -o size=1m none /tmp").output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        println!("skipped: nothing can be mounted here");
        return Ok(());
    }
    let script = "mount -t tmpfs -o size=8m none \"$1\" && exec \"$0\"";
    let server = Server::start_in(&[&MOUNT[..], &[script]].concat(), &[TRUSTED]).await?;
    let http = Http::new(server.url(), server.audience());
    let (mut ada, mut grace) = friends(&server.url()).await?;
    // The mount is seen by the server's process alone.
    let inside = PathBuf::from(format!("/proc/{}/root{}", server.pid(), server.data().display()));
    let filler = inside.join("filler");
    fill_up(&filler)?;

    let refusal = fill(&http).await?;
    assert!(refusal.contains("507") && refusal.contains("storage_full"), "{refusal}");
    health(&http, 503).await?;
    go_on(&mut ada, &grace).await?;

    std::fs::remove_file(filler)?;
    health(&http, 200).await?;
    rings(&mut ada, &mut grace).await
}

/// Here SQLite itself does not speak of a full disk: the write fails with EFBIG, as it would with EDQUOT under a quota.
#[tokio::test]
async fn a_file_that_may_grow_no_further_is_told_in_the_same_way() -> Result<()> {
    if Command::new("prlimit").arg("--version").output().is_err() {
        println!("skipped: there is no prlimit to lift the limit again");
        return Ok(());
    }
    // 512 bytes each, so 2 MiB; without the signal that would end the process.
    let script = "trap '' XFSZ; ulimit -S -f 4096 && exec \"$0\"";
    let server = Server::start_in(&["sh", "-c", script], &[TRUSTED]).await?;
    let http = Http::new(server.url(), server.audience());
    let (mut ada, mut grace) = friends(&server.url()).await?;
    let refusal = fill(&http).await?;
    assert!(refusal.contains("507") && refusal.contains("storage_full"), "{refusal}");
    health(&http, 503).await?;
    go_on(&mut ada, &grace).await?;

    let lifted =
        Command::new("prlimit").args(["--pid", &server.pid().to_string(), "--fsize=unlimited"]).status()?;
    assert!(lifted.success());
    health(&http, 200).await?;
    rings(&mut ada, &mut grace).await
}
