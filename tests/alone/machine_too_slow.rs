//! A machine that can't encode what its camera gives: the picture gets smaller, and nothing queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::Result;
use carillon_client::Phase;
use carillon_link::Settings;
use carillon_tests::server::Server;
use carillon_tests::talk::Talk;

/// So many threads for each core have something else to do: a picture takes that much longer.
const BUSY: usize = 12;
/// A picture that is older stood in a queue: encoding a small one on the busy machine takes far less.
const OLD: f64 = 1_500.0;

/// Threads that keep the machine busy until this is dropped.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn begin() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let work = |stop: Arc<AtomicBool>| {
            move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::black_box((0..10_000_u64).fold(1, |sum: u64, n| sum.wrapping_mul(n | 1)));
                }
            }
        };
        let threads = (0..BUSY * cores).map(|_| thread::spawn(work(Arc::clone(&stop)))).collect();
        Self { stop, threads }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_machine_that_is_too_slow_the_picture_gets_smaller_and_nothing_queues() -> Result<()> {
    let server = Server::start(&[]).await?;
    let mut talk = Talk::ready(&server, Settings::default(), None).await?;
    talk.place_with_video().await?;
    talk.until_both(Phase::Connected).await?;
    talk.grace_sees.pictures(20).await?;
    let load = Load::begin();
    let mut smaller = false;
    for _ in 0..20 {
        let seen = talk.grace_sees.pictures(10).await?;
        let height = |of: &[carillon_tests::eyes::Picture]| of.last().map_or(0, |last| last.height);
        if smaller {
            let oldest = seen.iter().map(|picture| picture.age_ms).fold(0.0, f64::max);
            assert!(oldest < OLD, "{oldest} ms");
        }
        smaller |= height(&seen) <= 360;
    }
    drop(load);
    assert!(smaller, "it stayed as large as it was");
    Ok(())
}
