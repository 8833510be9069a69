//! TLS by rustls with ring. The certificate can be replaced while the server runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use carillon_wire::Millis;
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::clock::Clock;
use crate::config::Config;

/// How often the files are looked at.
const INTERVAL: Millis = Millis::from_secs(60);

/// Longest file that is read; a chain of four certificates has 8 KiB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Why TLS can't be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("{path} could not be read: {source}")]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not PEM, or not the PEM that is wanted.
    #[error("{path} could not be read as PEM: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The key does not belong to the certificate, or is of a kind that is not served.
    #[error("the certificate and the key can't be used: {0}")]
    Pair(#[from] rustls::Error),
}

/// The operator's certificate and key, as they were when last read.
#[derive(Debug)]
pub(crate) struct Certificates {
    chain: PathBuf,
    key: PathBuf,
    serving: RwLock<Arc<ServerConfig>>,
    /// What was last tried, so that a file that does not change is not complained about every minute.
    tried: Mutex<Tried>,
    /// Rings when somebody asks for a look before its time.
    bell: Notify,
}

/// Hashes of both files; `None` where one could not be read.
type Tried = Option<[u8; 32]>;

impl Certificates {
    /// Reads them, if they are configured.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub(crate) fn read(config: &Config) -> Result<Option<Arc<Self>>, TlsError> {
        let (Some(chain), Some(key)) = (&config.tls_certificate, &config.tls_key) else { return Ok(None) };
        let files = Files::read(chain, key)?;
        let serving = files.config(chain, key)?;
        Ok(Some(Arc::new(Self {
            chain: chain.clone(),
            key: key.clone(),
            serving: RwLock::new(serving),
            tried: Mutex::new(Some(files.hash())),
            bell: Notify::new(),
        })))
    }

    /// What takes the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.serving.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Reads the files again and serves what is in them from now on. `false`: they are as when last tried. What can't be
    /// used changes nothing: the certificate from before is served on.
    ///
    /// # Errors
    /// [`TlsError`], naming the file; once for the same content.
    pub(crate) fn reload(&self) -> Result<bool, TlsError> {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let files = match Files::read(&self.chain, &self.key) {
            Ok(files) => files,
            Err(error) => return if tried.take().is_some() { Err(error) } else { Ok(false) },
        };
        let hash = Some(files.hash());
        if *tried == hash {
            return Ok(false);
        }
        *tried = hash;
        let config = files.config(&self.chain, &self.key)?;
        *self.serving.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(true)
    }

    /// Asks for a look at the files now.
    pub(crate) fn look(&self) {
        self.bell.notify_one();
    }

    /// Looks at the files once a minute, and when asked to, until it is dropped.
    pub(crate) async fn watch(self: Arc<Self>, clock: Clock) {
        loop {
            tokio::select! {
                () = clock.sleep_until(clock.now().after(INTERVAL)) => {}
                () = self.bell.notified() => {}
            }
            let certificates = Arc::clone(&self);
            // Files may lie on a disk that takes its time.
            let reloaded = tokio::task::spawn_blocking(move || certificates.reload()).await;
            match reloaded {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => tracing::info!("a new certificate is served from now on"),
                Ok(Err(error)) => tracing::warn!(
                    code = "tls_certificate_unusable",
                    error = &error as &dyn std::error::Error,
                    "the new certificate can't be used; the one from before is served on"
                ),
                // The runtime ends.
                Err(_) => return,
            }
        }
    }
}

/// Both files as they are at one moment.
struct Files {
    chain: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    fn read(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        Ok(Self { chain: bytes_of(chain)?, key: bytes_of(key)? })
    }

    fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(Sha256::digest(&self.chain));
        hash.update(Sha256::digest(&self.key));
        hash.finalize().into()
    }

    fn config(&self, chain: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
        let not_pem = |path: &Path| {
            let path = path.to_owned();
            |source| TlsError::File { path, source }
        };
        let certificates = CertificateDer::pem_slice_iter(&self.chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(not_pem(chain))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(not_pem(key))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, TlsError> {
    use std::io::Read as _;

    let read = || {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}
