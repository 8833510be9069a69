//! TLS with a certificate of the operator's.

use std::sync::Arc;

use carillon_server::{Config, Server, StartError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::soon;

#[tokio::test]
async fn a_server_with_a_certificate_speaks_tls() {
    let folder = tempfile::tempdir().unwrap();
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    std::fs::write(&chain, signed.cert.pem()).unwrap();
    std::fs::write(&key, signed.signing_key.serialize_pem()).unwrap();
    let mut config = Config::local(folder.path().join("data"));
    config.tls_certificate = Some(chain);
    config.tls_key = Some(key);
    let server = Server::start(config).await.unwrap();
    assert!(server.url().starts_with("https://"));

    let mut roots = RootCertStore::empty();
    roots.add(signed.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server.addr()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connecting = TlsConnector::from(Arc::new(client)).connect(name, stream);
    let mut stream = soon("the handshake", connecting).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    soon("the answer", stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.shutdown(crate::support::LIMIT).await;
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
