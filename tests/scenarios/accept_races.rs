//! Two devices accept at the same moment, a thousand times: always exactly one has the call.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::{Result, bail};
use carillon_tests::device::{Device, Http, Line, handle};
use carillon_tests::server::Server;
use carillon_wire::frame::{BoxFor, ClientFrame, EndReason, Event, Media, ServerFrame};
use carillon_wire::{Blob, CallId, Millis};
use tokio::sync::Barrier;

/// People with two devices each; a thousand races over all of them stay within the quotas of each.
const CALLEES: usize = 25;
/// Callers for each of them.
const CALLERS: usize = 10;
/// Rings of each caller.
const RINGS: usize = 4;

async fn event(line: &mut Line) -> Result<Event> {
    loop {
        if let ServerFrame::Deliver { seq, event } = line.receive().await?.frame {
            line.send_bare(ClientFrame::Ack { seq }).await?;
            return Ok(event);
        }
    }
}

/// Waits for the ring, then accepts together with the other device. True for each race it won.
async fn race(mut line: Line, barrier: Arc<Barrier>, rings: usize) -> Result<Vec<bool>> {
    let mut won = Vec::new();
    // The next ring may overtake the answer to the last accept.
    let mut waiting = VecDeque::new();
    while won.len() < rings {
        let call = match waiting.pop_front() {
            Some(call) => call,
            None => match event(&mut line).await? {
                Event::Ring { call, .. } => call,
                _ => continue,
            },
        };
        barrier.wait().await;
        let reference = line.send(ClientFrame::Accept { call, sealed: Blob(vec![0; 600]) }).await?;
        loop {
            let frame = line.receive().await?;
            match frame.frame {
                ServerFrame::Deliver { seq, event } => {
                    line.send_bare(ClientFrame::Ack { seq }).await?;
                    if let Event::Ring { call, .. } = event {
                        waiting.push_back(call);
                    }
                }
                ServerFrame::Accepted { .. } if frame.reference == Some(reference) => break won.push(true),
                ServerFrame::Taken { .. } if frame.reference == Some(reference) => break won.push(false),
                other => bail!("{other:?}"),
            }
        }
    }
    Ok(won)
}

/// Rings a person's two devices, again and again from several callers, each time until one has accepted.
async fn call(http: &Http, number: usize, callee: [&Device; 2]) -> Result<()> {
    for caller in 0..CALLERS {
        let index = number * CALLERS + caller;
        let from = format!("2001:db8:{index:x}::1");
        let caller = Device::sign_up(http, &handle(index), &from).await?;
        let mut line = caller.connect(http).await?;
        for ring in 0..RINGS {
            let call = CallId::new(((index * RINGS + ring) as u128 + 1).to_be_bytes());
            let boxes =
                callee.map(|device| BoxFor { device: device.device, sealed: Blob(vec![0; 600]) }).to_vec();
            let (callee, media, expires_in) = (callee[0].account, Media::Audio, Millis::from_secs(30));
            line.send(ClientFrame::Create { call, callee, media, expires_in, boxes }).await?;
            loop {
                match event(&mut line).await? {
                    Event::Accepted { call: of, .. } if of == call => break,
                    Event::Ended { reason, .. } => bail!("ended: {reason:?}"),
                    _ => {}
                }
            }
            line.send(ClientFrame::End { call, reason: EndReason::HungUp }).await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_one_of_two_devices_has_the_call() -> Result<()> {
    let server = Server::start(&[("TRUSTED_PROXIES", "127.0.0.1")]).await?;
    let http = Http::new(server.url(), server.audience());
    let races = CALLERS * RINGS;
    for number in 0..CALLEES {
        let from = format!("2001:db8:ffff:{number:x}::1");
        let desk = Device::sign_up(&http, &handle(CALLEES * CALLERS + number), &from).await?;
        let laptop = desk.further(&http, &from).await?;
        desk.let_everyone_call(&http).await?;
        let barrier = Arc::new(Barrier::new(2));
        let (desk_won, laptop_won, ()) = tokio::try_join!(
            race(desk.connect(&http).await?, Arc::clone(&barrier), races),
            race(laptop.connect(&http).await?, barrier, races),
            call(&http, number, [&desk, &laptop]),
        )?;
        let both = desk_won.iter().zip(&laptop_won).filter(|(desk, laptop)| **desk && **laptop).count();
        let none = desk_won.iter().zip(&laptop_won).filter(|(desk, laptop)| !**desk && !**laptop).count();
        assert_eq!((desk_won.len(), laptop_won.len(), both, none), (races, races, 0, 0));
    }
    Ok(())
}
