//! How a connection comes about: TCP, and TLS over it where the address says https.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::address::ServerAddress;

/// Bytes in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that is on its way.
pub(crate) type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

/// Opens connections to one server.
pub(crate) trait Dial: Send + Sync {
    /// Opens one more.
    fn dial(&self) -> Dialing;
}

/// The real network.
pub(crate) struct NetworkDial {
    address: ServerAddress,
    tls: Arc<ClientConfig>,
}

impl NetworkDial {
    pub(crate) fn new(address: ServerAddress, tls: ClientConfig) -> Self {
        Self { address, tls: Arc::new(tls) }
    }
}

impl Dial for NetworkDial {
    fn dial(&self) -> Dialing {
        let (address, tls) = (self.address.clone(), Arc::clone(&self.tls));
        Box::pin(async move {
            let tcp = TcpStream::connect((address.host(), address.port())).await?;
            // Frames are small and somebody waits for each.
            tcp.set_nodelay(true)?;
            if !address.is_secure() {
                return Ok(Box::new(tcp) as Box<dyn Stream>);
            }
            let name = ServerName::try_from(address.host().to_owned()).map_err(io::Error::other)?;
            let stream = TlsConnector::from(tls).connect(name, tcp).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}
