//! TLS from end to end: a server with a certificate by an operator's own authority.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use carillon_client::{Client, ClientConfig, ClientError, LocalCode, NewAccount, Phase};
use carillon_tests::person::{PATIENCE, Person};
use carillon_tests::server::Server;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};

/// An authority, with its certificate in a file. The folder goes with it.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let random: u64 = rand::random();
        let folder = std::env::temp_dir().join(format!("carillon-authority-{random:x}"));
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("ca.pem"), issuer.pem())?;
        Ok(Self { issuer, folder })
    }

    fn file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Writes a certificate for this name, and its key, where the server looks for them.
    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Result<()> {
        let mut params = CertificateParams::new([name.to_owned()])?;
        change(&mut params);
        let key = KeyPair::generate()?;
        std::fs::write(self.folder.join("chain.pem"), params.signed_by(&key, &self.issuer)?.pem())?;
        std::fs::write(self.folder.join("key.pem"), key.serialize_pem())?;
        Ok(())
    }

    /// A server with the certificate that was issued.
    async fn server(&self) -> Result<Server> {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let (chain, key) = (path("chain.pem"), path("key.pem"));
        Server::start(&[("TLS_CERTIFICATE", &chain), ("TLS_KEY", &key)]).await
    }

    async fn person(&self, server: &Server, handle: &str) -> Result<Person> {
        Person::away_with(&server.url(), handle, |config| config.ca = Some(self.file())).await
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Why somebody who believes these authorities can't sign up.
async fn refused(server: &Server, ca: Option<&Path>) -> Result<ClientError> {
    let profile = std::env::temp_dir().join(format!("carillon-refused-{:x}", rand::random::<u64>()));
    let mut config = ClientConfig::new(&profile).server(server.url());
    config.insecure_secrets = true;
    config.ca = ca.map(Path::to_owned);
    let client = Client::open(config).await?;
    let new = NewAccount { handle: "mallory".to_owned(), ..NewAccount::default() };
    let error = client.sign_up(new).await.err();
    client.shutdown().await;
    std::fs::remove_dir_all(profile)?;
    error.context("it was not refused")
}

#[tokio::test]
async fn a_call_rings_over_tls_and_the_profile_remembers_whom_it_believes() -> Result<()> {
    let authority = Authority::new()?;
    authority.issue("127.0.0.1", |_| {})?;
    let server = authority.server().await?;
    assert!(server.url().starts_with("https://"));
    let mut ada = authority.person(&server, "ada").await?;
    let mut grace = authority.person(&server, "grace").await?;
    ada.client.connect_within(PATIENCE).await?;
    grace.client.follow(ada.handle.clone()).await?;
    // Opened again, without the file being named.
    grace.reopen().await?;
    let call = ada.dial(&grace).await?;
    grace.until_rung().await?;
    grace.client.accept(call, false).await?;
    let here = ada.until(call, Phase::Connected).await?;
    assert_eq!(grace.until(call, Phase::Connected).await?.emoji, here.emoji);
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_does_not_count_is_refused_with_what_to_do() -> Result<()> {
    let authority = Authority::new()?;
    authority.issue("127.0.0.1", |_| {})?;
    let server = authority.server().await?;
    let error = refused(&server, None).await?;
    assert!(error.is_local(LocalCode::CertificateRefused), "{error:?}");
    assert!(error.message.contains("--ca"), "{error}");
    let other = Authority::new()?;
    assert!(refused(&server, Some(&other.file())).await?.message.contains("--ca"));

    authority.issue("calls.example.org", |_| {})?;
    let server = authority.server().await?;
    let error = refused(&server, Some(&authority.file())).await?;
    assert!(error.message.contains("another name"), "{error}");

    authority.issue("127.0.0.1", |params| params.not_after = date_time_ymd(2001, 1, 1))?;
    let server = authority.server().await?;
    let error = refused(&server, Some(&authority.file())).await?;
    assert!(error.message.contains("expired"), "{error}");
    Ok(())
}

/// The operator replaces the certificate by one of another authority: who believes only the old one is told at once, who
/// believes the new one is let in. Nothing is restarted, and who is connected stays so.
#[cfg(unix)]
#[tokio::test]
async fn a_new_certificate_is_served_at_a_hang_up_signal() -> Result<()> {
    let (before, after) = (Authority::new()?, Authority::new()?);
    before.issue("127.0.0.1", |_| {})?;
    let server = before.server().await?;
    let mut ada = before.person(&server, "ada").await?;
    ada.client.connect_within(PATIENCE).await?;
    after.issue("127.0.0.1", |_| {})?;
    for name in ["chain.pem", "key.pem"] {
        std::fs::copy(after.folder.join(name), before.folder.join(name))?;
    }
    server.signal("HUP")?;
    let let_in = async {
        loop {
            // The signal is on its way.
            if let Ok(grace) = after.person(&server, "grace").await {
                return grace;
            }
        }
    };
    let grace = tokio::time::timeout(PATIENCE, let_in).await.context("the new certificate")?;
    ada.client.person(grace.handle.clone()).await.context("on a connection from before")?;
    let error = ada.reopen().await.unwrap_err();
    let error = error.downcast_ref::<ClientError>().context("an error of the client")?;
    assert!(error.is_local(LocalCode::CertificateRefused), "{error:?}");
    Ok(())
}
