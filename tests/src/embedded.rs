//! A server in this process, whose clock can be moved: quotas that would take hours are waited out in no time.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use carillon_policy::rate::RINGS_PER_PAIR;
use carillon_server::clock::{Clock, TimeSource};
use carillon_server::{Config, RunningServer, Server};

/// The clocks of the system, and what they were moved ahead by.
#[derive(Debug, Clone)]
struct Hands {
    started: Instant,
    ahead: Arc<RwLock<Duration>>,
}

impl Hands {
    fn ahead(&self) -> Duration {
        *self.ahead.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TimeSource for Hands {
    fn wall(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + self.ahead()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed() + self.ahead()
    }
}

/// See the module. Dropping it removes its data.
pub struct Embedded {
    server: Option<RunningServer>,
    hands: Hands,
    data: PathBuf,
}

impl Embedded {
    /// Starts one on a loopback port.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start() -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let data = std::env::temp_dir().join(format!("carillon-embedded-{}-{count}", std::process::id()));
        let hands = Hands { started: Instant::now(), ahead: Arc::default() };
        let server = Server::start_with(Config::local(&data), Clock::new(hands.clone())).await?;
        Ok(Self { server: Some(server), hands, data })
    }

    /// Its address, as a client is given it.
    pub fn url(&self) -> &str {
        self.server.as_ref().map_or("", RunningServer::url)
    }

    /// So much time passes for the server that anybody may ring anybody once more.
    pub fn grant_a_ring(&self) {
        *self.hands.ahead.write().unwrap_or_else(PoisonError::into_inner) += RINGS_PER_PAIR.every.duration();
    }

    /// Ends it.
    pub async fn shutdown(mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown(Duration::from_secs(5)).await;
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.data);
    }
}
