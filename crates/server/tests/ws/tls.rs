//! TLS with a certificate of the operator's.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use carillon_server::clock::Clock;
use carillon_server::{Config, RunningServer, Server, StartError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::{Hands, LIMIT, soon};

/// A server that speaks TLS, and the files of its certificate.
struct Scene {
    server: RunningServer,
    hands: Hands,
    folder: tempfile::TempDir,
}

impl Scene {
    /// With this certificate.
    async fn new(certificate: &Certificate) -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificate.write(folder.path());
        let mut config = Config::local(folder.path().join("data"));
        config.tls_certificate = Some(chain(folder.path()));
        config.tls_key = Some(key(folder.path()));
        // A connection that is open stays so when the clock is moved on.
        config.timings.header = Duration::from_secs(3600);
        let hands = Hands::default();
        let server = Server::start_with(config, Clock::new(hands.clone())).await.unwrap();
        Self { server, hands, folder }
    }

    /// A connection by a client that trusts these certificates.
    async fn connect(&self, trusted: &[&Certificate]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        for certificate in trusted {
            roots.add(certificate.der.clone()).unwrap();
        }
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.server.addr()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        soon("the handshake", TlsConnector::from(Arc::new(client)).connect(name, stream)).await
    }

    /// Waits until new connections get this certificate, and not the other.
    async fn until_served(&self, expected: &Certificate, other: &Certificate) {
        let served = async {
            loop {
                let stream = self.connect(&[expected, other]).await.unwrap();
                if presented(&stream) == expected.der {
                    return;
                }
            }
        };
        soon("the new certificate", served).await;
    }
}

/// A certificate of `localhost` that signs itself.
struct Certificate {
    chain: String,
    key: String,
    der: CertificateDer<'static>,
}

impl Certificate {
    fn new() -> Self {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (chain, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
        Self { chain, key, der: signed.cert.der().clone() }
    }

    fn write(&self, folder: &Path) {
        std::fs::write(chain(folder), &self.chain).unwrap();
        std::fs::write(key(folder), &self.key).unwrap();
    }
}

fn chain(folder: &Path) -> PathBuf {
    folder.join("chain.pem")
}

fn key(folder: &Path) -> PathBuf {
    folder.join("key.pem")
}

/// The certificate that a connection's server has shown.
fn presented(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

async fn is_healthy(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut start = [0; 12];
    soon("the answer", stream.read_exact(&mut start)).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
}

#[tokio::test]
async fn a_server_with_a_certificate_speaks_tls() {
    let certificate = Certificate::new();
    let scene = Scene::new(&certificate).await;
    assert!(scene.server.url().starts_with("https://"));
    is_healthy(&mut scene.connect(&[&certificate]).await.unwrap()).await;
    let stranger = Certificate::new();
    scene.connect(&[&stranger]).await.unwrap_err();
    scene.server.shutdown(LIMIT).await;
}

#[tokio::test]
async fn who_never_shakes_hands_is_let_go_and_holds_nobody_up() {
    let certificate = Certificate::new();
    let scene = Scene::new(&certificate).await;
    let mut silent = TcpStream::connect(scene.server.addr()).await.unwrap();
    is_healthy(&mut scene.connect(&[&certificate]).await.unwrap()).await;
    // Connections are taken in order, so the silent one is in: its time runs.
    scene.hands.pass(Duration::from_secs(11));
    let mut nothing = Vec::new();
    soon("the end", silent.read_to_end(&mut nothing)).await.unwrap();
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn a_certificate_that_was_replaced_is_served_within_a_minute_to_whoever_comes_then() {
    let (before, after) = (Certificate::new(), Certificate::new());
    let scene = Scene::new(&before).await;
    let mut old = scene.connect(&[&before]).await.unwrap();
    after.write(scene.folder.path());
    assert_eq!(presented(&scene.connect(&[&before]).await.unwrap()), before.der, "not looked at yet");
    scene.hands.pass(Duration::from_secs(61));
    scene.until_served(&after, &before).await;
    is_healthy(&mut old).await;
}

#[tokio::test]
async fn a_certificate_that_can_not_be_used_changes_nothing_until_it_is_mended() {
    let (before, after) = (Certificate::new(), Certificate::new());
    let scene = Scene::new(&before).await;
    let folder = scene.folder.path();
    // Only one of the two files is there yet, then the other is rubbish, then missing: each is looked at.
    std::fs::write(chain(folder), &after.chain).unwrap();
    let unusable = scene.server.reload_certificate().unwrap_err().to_string();
    assert!(unusable.contains("the certificate and the key can't be used"), "{unusable}");
    assert!(!scene.server.reload_certificate().unwrap(), "said once");
    std::fs::write(key(folder), "rubbish").unwrap();
    assert!(scene.server.reload_certificate().unwrap_err().to_string().contains("key.pem"));
    std::fs::remove_file(key(folder)).unwrap();
    assert!(scene.server.reload_certificate().unwrap_err().to_string().contains("key.pem"));
    assert_eq!(presented(&scene.connect(&[&before]).await.unwrap()), before.der);
    after.write(folder);
    assert!(scene.server.reload_certificate().unwrap());
    assert_eq!(presented(&scene.connect(&[&after]).await.unwrap()), after.der);
}

#[tokio::test]
async fn a_certificate_that_can_not_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::local(folder.path());
    config.tls_certificate = Some(folder.path().join("missing.pem"));
    config.tls_key = Some(folder.path().join("missing.key"));
    let error = Server::start(config).await.unwrap_err();
    assert!(matches!(error, StartError::Tls(_)));
    assert!(error.to_string().contains("missing.pem"), "{error}");
}
