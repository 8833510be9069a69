//! TLS for both ways to the server: rustls with ring, the roots that the operating system trusts, and perhaps those of an
//! operator who has a certificate authority of their own.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls_platform_verifier::{BuilderVerifierExt as _, Verifier};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, RootCertStore, crypto::ring};

use crate::error::{ClientError, LocalCode};

/// Longest file of certificates that is read.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Who is believed about whose a server is: the system's authorities, and these beside them.
#[derive(Clone, Default)]
pub(crate) struct Roots {
    own: Vec<CertificateDer<'static>>,
    /// As they were given; what a profile keeps.
    pem: Option<String>,
}

impl Roots {
    /// Those of a PEM file, beside the system's.
    ///
    /// # Errors
    /// `ca_invalid` when it can't be read or has no certificate.
    pub(crate) fn from_file(path: &Path) -> Result<Self, ClientError> {
        use io::Read as _;

        let mut pem = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut pem))
            .map_err(|error| {
                let message = format!("The certificates in {} can't be read: {error}", path.display());
                ClientError::saying(LocalCode::CaInvalid, message)
            })?;
        Self::from_pem(pem)
    }

    /// Those of this text, beside the system's.
    ///
    /// # Errors
    /// `ca_invalid` when it has no certificate.
    pub(crate) fn from_pem(pem: String) -> Result<Self, ClientError> {
        let own: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| LocalCode::CaInvalid)?;
        // Found out here, not at the first connection.
        let mut store = RootCertStore::empty();
        for certificate in &own {
            store.add(certificate.clone()).map_err(|_| LocalCode::CaInvalid)?;
        }
        if own.is_empty() { Err(LocalCode::CaInvalid.into()) } else { Ok(Self { own, pem: Some(pem) }) }
    }

    /// What a profile keeps of them.
    pub(crate) fn pem(&self) -> Option<&str> {
        self.pem.as_deref()
    }

    /// The configuration for a server that speaks TLS; for one that doesn't, a configuration that trusts nobody, so that a
    /// machine without root certificates can talk to itself.
    ///
    /// # Errors
    /// `storage` when the system's roots can't be read.
    pub(crate) fn config(&self, secure: bool) -> Result<ClientConfig, ClientError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| cannot(&error))?;
        if !secure {
            return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
        }
        if self.own.is_empty() {
            let builder = builder.with_platform_verifier().map_err(|error| cannot(&error))?;
            return Ok(builder.with_no_client_auth());
        }
        let verifier =
            Verifier::new_with_extra_roots(self.own.clone(), provider).map_err(|error| cannot(&error))?;
        // Its name is rustls's: the verifier is the platform's, with roots beside its own.
        Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots").field("own", &self.own.len()).finish_non_exhaustive()
    }
}

fn cannot(error: &rustls::Error) -> ClientError {
    ClientError::saying(
        LocalCode::Storage,
        format!("The root certificates of this system can't be read: {error}"),
    )
}

/// Why a server's certificate was refused, as what follows after a colon; `None` when that is not what went wrong.
pub(crate) fn refusal(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(reason)) = error.downcast_ref() {
            return Some(because(reason));
        }
        // `source` of an io::Error passes over what it wraps.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

fn because(reason: &CertificateError) -> &'static str {
    match reason {
        // A bad signature: an authority of the same name has signed it, with another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "nobody whom this computer trusts has signed it. If its operator has a certificate authority of their own, \
             give its file with --ca."
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired.",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet. Is the clock of this computer right?"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it belongs to a server with another name. Check the address."
        }
        CertificateError::Revoked => "it has been revoked.",
        _ => "it can't be checked.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_no_authority() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let error = Roots::from_file(&path).unwrap_err();
        assert!(error.is_local(LocalCode::CaInvalid) && error.message.contains("ca.pem"), "{error}");
        let rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "hello", rubbish, "-----BEGIN CERTIFICATE-----\n"] {
            std::fs::write(&path, text).unwrap();
            let error = Roots::from_file(&path).unwrap_err();
            assert!(error.is_local(LocalCode::CaInvalid), "{text}");
        }
    }

    #[test]
    fn a_refused_certificate_is_found_however_deep_it_is_wrapped() {
        let refused = || rustls::Error::InvalidCertificate(CertificateError::Expired);
        let wrapped = io::Error::other(io::Error::other(refused()));
        assert_eq!(refusal(&wrapped), Some("it has expired."));
        assert_eq!(refusal(&io::Error::from(io::ErrorKind::ConnectionRefused)), None);
    }
}
