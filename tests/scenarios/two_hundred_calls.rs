//! Two hundred calls in a row between the same two clients: what the process holds ends where it began.
#![cfg(target_os = "linux")]

use std::time::Duration;

use anyhow::Result;
use carillon_testkit::own_process::alone;
use carillon_tests::in_a_row::InARow;
use carillon_tests::resources::Resources;

const CALLS: u32 = 200;
/// The first calls fill what is kept for good: the allocator's pools for each thread, prepared statements, tables of the
/// codec.
const WARM: u32 = 20;
/// What the allocator may have more in its pools, in bytes: they fill until about the eightieth call, by 4 to 5 MB, and
/// stay. A call that left its connection behind, or the buffer of its sound, would leave more than ten times this.
const MARGIN: u64 = 10_000_000;

async fn two_hundred() -> Result<()> {
    let own = std::process::id();
    let mut row = InARow::ready().await?;
    let mut warm = None;
    while row.calls() < CALLS {
        row.call().await?;
        if row.calls() == WARM {
            warm = Some(Resources::at_rest(own).await?);
        }
        if row.calls().is_multiple_of(WARM) {
            println!("after call {}: {}", row.calls(), Resources::of(own)?);
        }
    }
    let (warm, end) = (warm.unwrap(), Resources::at_rest(own).await?);
    println!("at rest after call {WARM}: {warm}\nat rest after call {CALLS}: {end}");
    assert!(end.threads <= warm.threads, "threads are left behind: {warm}, then {end}");
    assert!(end.files <= warm.files, "files are left open: {warm}, then {end}");
    assert!(end.memory <= warm.memory + MARGIN, "memory is left behind: {warm}, then {end}");
    Ok(())
}

#[test]
fn leave_nothing_behind() {
    alone(|| {
        // Threads for work that blocks end soon, so that they are not taken for a leak.
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(2).thread_keep_alive(Duration::from_millis(100)).enable_all();
        runtime.build().unwrap().block_on(two_hundred()).unwrap();
    });
}
