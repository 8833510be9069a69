//! TLS for both ways to the server: rustls with ring, and the roots that the operating system trusts.

use std::sync::Arc;

use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::error::{ClientError, LocalCode};

/// The configuration for a server that speaks TLS; for one that doesn't, a configuration that trusts nobody, so that a
/// machine without root certificates can talk to itself.
///
/// # Errors
/// `storage` when the system's roots can't be read.
pub(crate) fn config(secure: bool) -> Result<ClientConfig, ClientError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(cannot)?;
    if secure {
        Ok(builder.with_platform_verifier().map_err(cannot)?.with_no_client_auth())
    } else {
        Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
    }
}

fn cannot(error: tokio_rustls::rustls::Error) -> ClientError {
    ClientError::saying(
        LocalCode::Storage,
        format!("The root certificates of this system can't be read: {error}"),
    )
}
