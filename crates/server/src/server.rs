//! A server from its start to its end.

use std::fs::{File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::app::{App, Shared};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::net::{Certificates, Gate, Listening, TlsError};
use crate::store::{SqliteOptions, Store, StoreError};
use crate::{admin, api, gateway, operator, sweeper};

/// File descriptors beside those of connections: the database, listeners, the runtime.
const OWN_FILES: u64 = 256;

/// Pages of the database in one MiB.
const PAGES_PER_MIB: u32 = 256;

/// Why a server did not start. The sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder can't be used.
    #[error("the data folder {path} can't be used: {source}")]
    DataDir {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server has the data folder.
    #[error("another server is using the data folder {0}; stop it, or set data_dir to another folder")]
    DataDirInUse(PathBuf),
    /// The database.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The certificate or its key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no database where one should be.
    #[error(
        "there is no database at {0}; set data_dir to the server's folder, or start the server there once"
    )]
    NoDatabase(PathBuf),
    /// An address can't be listened on.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Starts servers.
#[derive(Debug)]
pub struct Server;

/// A server that runs. It ends, without a farewell, when this is dropped.
#[derive(Debug)]
pub struct RunningServer {
    app: Shared,
    gate: Arc<Gate>,
    tls: Option<Arc<Certificates>>,
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    url: String,
    tasks: Vec<JoinHandle<()>>,
    // The lock on the data folder lasts as long as the server.
    _lock: File,
}

impl Server {
    /// Starts a server on the clocks of the system.
    ///
    /// # Errors
    /// [`StartError`], with a sentence for the operator.
    pub async fn start(config: Config) -> Result<RunningServer, StartError> {
        Self::start_with(config, Clock::default()).await
    }

    /// Starts a server on another clock.
    ///
    /// # Errors
    /// [`StartError`], with a sentence for the operator.
    pub async fn start_with(config: Config, clock: Clock) -> Result<RunningServer, StartError> {
        config.check()?;
        let tls = Certificates::read(&config)?;
        let lock = lock(&config)?;
        raise_file_limit(&config);
        let store = open_store(&config).await?;
        let listener = listen(config.listen).await?;
        let metrics_listener = match config.metrics_listen {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let address = local_address(&listener, config.listen)?;
        let metrics_address = metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let url = config.public_url.clone().unwrap_or_else(|| {
            let scheme = if tls.is_some() { "https" } else { "http" };
            format!("{scheme}://{address}")
        });

        let app = Arc::new(App::new(config, clock, store).await?);
        let now = app.clock.now();
        app.store.start_node(app.node, sweeper::lease_until(now), now).await?;
        let gate = Arc::new(Gate::new(&app.config, Arc::clone(&app.metrics)));
        let listening = |router: Router, tls| {
            let clock = app.clock.clone();
            Listening::new(router, tls, clock, &app.config, Arc::clone(&gate), app.stop.subscribe())
        };
        let mut tasks = vec![
            tokio::spawn(listening(public(&app), tls.clone()).run(listener)),
            tokio::spawn(sweeper::run(Arc::clone(&app))),
            tokio::spawn(admin::watch(Arc::clone(&app))),
        ];
        if let Some(tls) = &tls {
            tasks.push(tokio::spawn(Arc::clone(tls).watch(app.clock.clone())));
        }
        if let Some(metrics_listener) = metrics_listener {
            let router = operator::health().merge(operator::metrics()).with_state(Arc::clone(&app));
            tasks.push(tokio::spawn(listening(router, None).run(metrics_listener)));
        }
        tracing::info!(%address, "the server listens");
        Ok(RunningServer { app, gate, tls, address, metrics_address, url, tasks, _lock: lock })
    }
}

impl RunningServer {
    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Where `/metrics` is served apart from the rest, if it is.
    pub const fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The address that clients are given.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its state.
    pub const fn app(&self) -> &Shared {
        &self.app
    }

    /// Whether it has a certificate of its own.
    pub const fn has_certificate(&self) -> bool {
        self.tls.is_some()
    }

    /// Reads the files of the certificate and its key now, not within a minute; new connections get what is in them.
    /// `false`: nothing has changed, or there is no certificate.
    ///
    /// # Errors
    /// [`TlsError`] when they can't be used, once for the same content. The certificate from before is served on.
    pub fn reload_certificate(&self) -> Result<bool, TlsError> {
        self.tls.as_ref().map_or(Ok(false), |tls| tls.reload())
    }

    /// The same in the background, with what comes of it in the log.
    pub fn look_at_certificate(&self) {
        if let Some(tls) = &self.tls {
            tls.look();
        }
    }

    /// Accepts nobody any more, tells everybody to come back later, and ends when all connections have ended, or after
    /// `grace`.
    pub async fn shutdown(mut self, grace: Duration) {
        self.app.stop.send_replace(true);
        if timeout(grace, self.gate.empty()).await.is_err() {
            tracing::warn!("connections were cut off at the shutdown");
        }
        for task in self.tasks.drain(..) {
            task.abort();
            // It was aborted, or had ended.
            let _ = task.await;
        }
        self.app.store.close().await;
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.app.stop.send_replace(true);
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// What is served on the public address.
fn public(app: &Shared) -> Router {
    let router = api::router().route("/v1/socket", get(gateway::upgrade)).merge(operator::health());
    let config = &app.config;
    let private = config.public_url.is_none() && config.listen.ip().is_loopback();
    let router =
        if private && config.metrics_listen.is_none() { router.merge(operator::metrics()) } else { router };
    router.with_state(Arc::clone(app))
}

/// Keeps a second server away from the data folder: each would take the other's devices for lost.
fn lock(config: &Config) -> Result<File, StartError> {
    let path = &config.data_dir;
    let unusable = |source| StartError::DataDir { path: path.clone(), source };
    std::fs::create_dir_all(path).map_err(unusable)?;
    let file = File::create(path.join("server.lock")).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::DataDirInUse(path.clone())),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// Where the database is.
pub(crate) fn database(config: &Config) -> SqliteOptions {
    let mut options = SqliteOptions::new(config.data_dir.join("carillon.db"));
    options.max_pages = config.database_max_mib.map(|mib| mib.saturating_mul(PAGES_PER_MIB));
    options
}

async fn open_store(config: &Config) -> Result<Store, StoreError> {
    Store::open_sqlite(database(config)).await
}

impl Server {
    /// Opens the database beside a server that may be running, for the operator's commands. Never makes one: a command
    /// with another `data_dir` than the server's would seem to work, and do nothing.
    ///
    /// # Errors
    /// [`StartError::NoDatabase`] when there is none; [`StartError::Store`] when it can't be opened.
    pub async fn open_store(config: &Config) -> Result<Store, StartError> {
        let options = database(config);
        if !options.path.is_file() {
            return Err(StartError::NoDatabase(options.path));
        }
        Ok(Store::open_sqlite(options).await?)
    }
}

/// Asks the system for as many files as there may be connections.
fn raise_file_limit(config: &Config) {
    let wanted = OWN_FILES.saturating_add(config.max_connections as u64);
    match rlimit::increase_nofile_limit(wanted) {
        Ok(limit) if limit >= wanted => {}
        Ok(limit) => tracing::warn!(limit, wanted, "the system allows fewer open files than max_connections"),
        Err(error) => tracing::warn!(%error, "the limit of open files can't be raised"),
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

fn local_address(listener: &TcpListener, address: SocketAddr) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError::Listen { address, source })
}
