//! A callee who refuses, who blocks and who is offline give the caller the same answer, with the same distribution of
//! delay.

use std::time::Instant;

use anyhow::{Result, bail};
use carillon_tests::device::{Device, Http, handle};
use carillon_tests::server::Server;
use carillon_wire::frame::{BoxFor, ClientFrame, Media, ServerFrame};
use carillon_wire::{Blob, CallId, Millis};

/// Calls to each of the three.
const SAMPLES: usize = 60;

/// The largest difference between the two empirical distributions (Kolmogorov–Smirnov).
fn distance(left: &[f64], right: &[f64]) -> f64 {
    let share = |values: &[f64], at: f64| {
        values.iter().filter(|value| **value <= at).count() as f64 / values.len() as f64
    };
    left.iter().chain(right).map(|&at| (share(left, at) - share(right, at)).abs()).fold(0.0, f64::max)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_blocked_and_offline_are_one() -> Result<()> {
    let server = Server::start(&[("TRUSTED_PROXIES", "127.0.0.1")]).await?;
    let http = Http::new(server.url(), server.audience());
    let refusing = Device::sign_up(&http, "grace", "2001:db8:1::1").await?;
    let blocking = Device::sign_up(&http, "mary", "2001:db8:2::1").await?;
    let offline = Device::sign_up(&http, "hedy", "2001:db8:3::1").await?;
    blocking.let_everyone_call(&http).await?;
    offline.let_everyone_call(&http).await?;
    let _lines = [refusing.connect(&http).await?, blocking.connect(&http).await?];
    let mut delays = [Vec::new(), Vec::new(), Vec::new()];
    let mut frames = Vec::new();
    // A caller's quota lets four calls through to each; the callers take turns, as do the three.
    let mut number = 0u128;
    for caller in 0..SAMPLES / 4 {
        let caller = Device::sign_up(&http, &handle(caller), &format!("2001:db8:9{caller:x}::1")).await?;
        blocking.block(&http, caller.account).await?;
        let mut line = caller.connect(&http).await?;
        for _ in 0..3 {
            for (callee, delays) in [&refusing, &blocking, &offline].into_iter().zip(&mut delays) {
                number += 1;
                let boxes = vec![BoxFor { device: callee.device, sealed: Blob(vec![0; 600]) }];
                let start = Instant::now();
                line.send(ClientFrame::Create {
                    call: CallId::new(number.to_be_bytes()),
                    callee: callee.account,
                    media: Media::Audio,
                    expires_in: Millis::from_secs(30),
                    boxes,
                })
                .await?;
                match line.receive().await?.frame {
                    ServerFrame::Refused { reason, .. } => frames.push(reason),
                    other => bail!("{other:?}"),
                }
                delays.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    assert!(frames.windows(2).all(|pair| pair[0] == pair[1]));
    let samples = delays[0].len() as f64;
    // Critical value of the two-sample test at a level of 0.0001: sqrt(-ln(0.0001 / 2) / 2) * sqrt(2 / n).
    let critical = (-(0.0001_f64 / 2.0).ln() / 2.0).sqrt() * (2.0 / samples).sqrt();
    for (left, right) in [(0, 1), (0, 2), (1, 2)] {
        let found = distance(&delays[left], &delays[right]);
        assert!(found < critical, "{left} and {right} differ by {found}, at most {critical}");
    }
    assert!(delays.iter().flatten().all(|delay| *delay >= 150.0));
    Ok(())
}
