//! The directory of one account on one machine: a lock, a database, perhaps a file with keys.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{ClientError, LocalCode};

/// A profile that this process alone uses, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Profile {
    directory: PathBuf,
    /// The operating system lets go of the lock when this is closed, also when the process is killed.
    _lock: File,
}

impl Profile {
    /// Makes the directory if it is not there, and locks it.
    ///
    /// # Errors
    /// `profile_locked` when another process has it, `storage`.
    pub(crate) fn open(directory: &Path) -> Result<Self, ClientError> {
        create_directory(directory).map_err(|error| unusable(directory, &error))?;
        let lock = open_private(&directory.join("lock")).map_err(|error| unusable(directory, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { directory: directory.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(LocalCode::ProfileLocked.into()),
            Err(TryLockError::Error(error)) => Err(unusable(directory, &error)),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the database is; the file is there, and private, before SQLite opens it.
    pub(crate) fn database(&self) -> Result<PathBuf, ClientError> {
        let path = self.directory.join("profile.db");
        open_private(&path).map_err(|error| unusable(&self.directory, &error))?;
        Ok(path)
    }
}

fn unusable(directory: &Path, error: &io::Error) -> ClientError {
    let message = format!("The profile {} can't be used: {error}", directory.display());
    ClientError::saying(LocalCode::Storage, message)
}

fn create_directory(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Opens a file that only its owner may use, and makes it if it is not there.
fn open_private(path: &Path) -> io::Result<File> {
    let mut options = private();
    options.create(true).truncate(false);
    options.open(path)
}

/// Makes a file that only its owner may use, and that was not there before.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    private().create_new(true).open(path)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_used_by_one_process_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ada");
        let first = Profile::open(&path).unwrap();
        assert!(Profile::open(&path).unwrap_err().is_local(LocalCode::ProfileLocked));
        drop(first);
        Profile::open(&path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn what_is_in_a_profile_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/ada");
        let profile = Profile::open(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&profile.database().unwrap()), 0o600);
        assert_eq!(mode(&path.join("lock")), 0o600);
    }

    #[test]
    fn a_file_in_the_way_is_a_clear_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "").unwrap();
        let error = Profile::open(&path).unwrap_err();
        assert!(error.is_local(LocalCode::Storage));
        assert!(error.message.contains("file"));
    }
}
