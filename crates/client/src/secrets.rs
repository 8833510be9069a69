//! Where the keys are kept: the key store of the operating system, or, where the person asked for it, a file.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use carillon_wire::UnixMillis;
use carillon_wire::bytes;
use carillon_wire::signed::Signed;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use crate::error::{ClientError, LocalCode};

/// Name under which the entries stand in the key store.
const SERVICE: &str = "org.carillon.calls";
/// Name of the file in the profile.
const FILE: &str = "secrets.json";

/// 32 secret bytes, wiped when dropped and hidden from `Debug`.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    pub(crate) const fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(bytes::encode(self.0.as_slice())))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let decoded = Zeroizing::new(bytes::decode(&text).map_err(de::Error::custom)?);
        let array =
            <[u8; 32]>::try_from(decoded.as_slice()).map_err(|_| de::Error::custom("not 32 bytes"))?;
        Ok(Self(Zeroizing::new(array)))
    }
}

/// Everything secret of a profile, as one entry, so that it is never half there.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Secrets {
    pub(crate) version: u32,
    pub(crate) account_key: Secret,
    pub(crate) device_key: Secret,
    pub(crate) prekey: Secret,
    /// The prekey before, for Offers that were sealed to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<PreviousPrekey>,
    /// The certificate of `prekey`. Not secret, but of no use without it.
    pub(crate) certificate: Signed,
    /// The server has the certificate.
    pub(crate) published: bool,
}

/// A prekey that was replaced.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PreviousPrekey {
    pub(crate) prekey: Secret,
    /// When its certificate ends.
    pub(crate) expires_at: UnixMillis,
}

impl Secrets {
    pub(crate) const VERSION: u32 = 1;

    pub(crate) fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        serde_json::to_vec(self).map(Zeroizing::new).map_err(|_| LocalCode::KeyStore.into())
    }

    pub(crate) fn from_json(json: &[u8]) -> Result<Self, ClientError> {
        let secrets: Self = serde_json::from_slice(json).map_err(|_| LocalCode::KeysMissing)?;
        if secrets.version > Self::VERSION { Err(LocalCode::ProfileNewer.into()) } else { Ok(secrets) }
    }
}

/// A place for one profile's secrets. Its methods block: for a file that is short, a key store may ask the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Vault {
    /// The operating system's key store, under this name.
    KeyStore(String),
    /// A file that only the owner can read, in this directory.
    File(PathBuf),
}

impl Vault {
    /// Reads the secrets; `None` when there are none.
    ///
    /// # Errors
    /// `key_store`, `storage`, `keys_missing` when what is there can't be read, `profile_newer`.
    pub(crate) async fn load(&self) -> Result<Option<Secrets>, ClientError> {
        let vault = self.clone();
        blocking(move || match vault {
            Self::KeyStore(user) => match entry(&user)?.get_secret() {
                Ok(json) => Secrets::from_json(&Zeroizing::new(json)).map(Some),
                Err(keyring::Error::NoEntry) => Ok(None),
                Err(error) => Err(key_store(&error)),
            },
            Self::File(directory) => match fs::read(directory.join(FILE)) {
                Ok(json) => Secrets::from_json(&Zeroizing::new(json)).map(Some),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(storage(&error)),
            },
        })
        .await
    }

    /// Keeps the secrets in place of those before.
    ///
    /// # Errors
    /// `key_store`, `storage`.
    pub(crate) async fn save(&self, secrets: &Secrets) -> Result<(), ClientError> {
        let (vault, json) = (self.clone(), secrets.to_json()?);
        blocking(move || match vault {
            Self::KeyStore(user) => entry(&user)?.set_secret(&json).map_err(|error| key_store(&error)),
            Self::File(directory) => replace_file(&directory, &json).map_err(|error| storage(&error)),
        })
        .await
    }

    /// Finds out whether secrets could be kept here, before anything is made that would be lost without.
    ///
    /// # Errors
    /// `key_store`.
    pub(crate) async fn check(&self) -> Result<(), ClientError> {
        self.load().await.map(drop)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClientError> + Send + 'static,
) -> Result<T, ClientError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(LocalCode::KeyStore.into()))
}

fn entry(user: &str) -> Result<keyring::Entry, ClientError> {
    keyring::Entry::new(SERVICE, user).map_err(|error| key_store(&error))
}

/// The sentence names the way out; the store's own words go to the log.
fn key_store(error: &keyring::Error) -> ClientError {
    // Only the kind: some variants carry the data.
    let kind = match error {
        keyring::Error::NoDefaultStore => "there is none",
        keyring::Error::NoStorageAccess(_) => "no access",
        keyring::Error::PlatformFailure(_) => "platform failure",
        keyring::Error::TooLong(..) => "too long",
        _ => "other",
    };
    tracing::warn!(kind, "the key store failed");
    LocalCode::KeyStore.into()
}

fn storage(error: &io::Error) -> ClientError {
    ClientError::saying(
        LocalCode::Storage,
        format!("The file with the keys can't be read or written: {error}"),
    )
}

/// Writes beside and renames, so that a full disk or a power cut leaves the old keys.
fn replace_file(directory: &Path, json: &[u8]) -> io::Result<()> {
    let (path, fresh) = (directory.join(FILE), directory.join(format!("{FILE}.new")));
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = crate::profile::create_private(&fresh)?;
    file.write_all(json)?;
    file.sync_all()?;
    fs::rename(&fresh, &path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn secrets() -> Secrets {
        Identity::new_account(UnixMillis(1_800_000_000_000)).unwrap().secrets()
    }

    #[tokio::test]
    async fn a_file_keeps_the_keys_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::File(directory.path().to_owned());
        assert!(vault.load().await.unwrap().is_none());
        vault.save(&secrets()).await.unwrap();
        let second = secrets();
        vault.save(&second).await.unwrap();
        let back = vault.load().await.unwrap().unwrap();
        assert_eq!(back.account_key.expose(), second.account_key.expose());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(directory.path().join(FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn a_file_that_was_cut_off_is_an_error_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::File(directory.path().to_owned());
        vault.save(&secrets()).await.unwrap();
        let path = directory.path().join(FILE);
        fs::write(&path, &fs::read(&path).unwrap()[..100]).unwrap();
        let error = vault.load().await.unwrap_err();
        assert!(error.is_local(LocalCode::KeysMissing));
        assert!(path.exists());
    }

    #[test]
    fn keys_of_a_newer_carillon_are_left_alone() {
        let mut newer = secrets();
        newer.version = Secrets::VERSION + 1;
        let error = Secrets::from_json(&newer.to_json().unwrap()).unwrap_err();
        assert!(error.is_local(LocalCode::ProfileNewer));
    }

    #[test]
    fn without_a_key_store_the_error_names_the_way_out() {
        let error = key_store(&keyring::Error::NoDefaultStore);
        assert!(error.is_local(LocalCode::KeyStore));
        assert!(error.message.contains("--insecure-secrets"));
    }
}
