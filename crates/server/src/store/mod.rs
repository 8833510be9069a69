//! What the server remembers.
//!
//! [`Store`] has methods of the domain, one transaction each: sign up, follow, accept a call. The moment is always
//! an argument. Every variant is held to the same behaviour by `tests/store_conformance*.rs`.
//!
//! What is kept is what the service needs and no more: no addresses, the day and not the moment a device was last
//! seen, hashes instead of tokens and invitations.

mod accounts;
mod calls;
mod devices;
mod mailbox;
mod missed;
mod operator;
mod people;
mod pictures;
mod presence;
mod row;
mod settings;
mod sqlite;

pub use accounts::{Account, SignUpEntry, SignedUp, picture_path};
pub use calls::{Aftermath, Created, NewCall, Outcome};
pub use devices::{DeviceAdded, DeviceEntry, DeviceIdentity, OwnDevice, Renewed, SessionEntry, TokenOwner};
pub use mailbox::Mail;
pub use missed::MAX_MISSED;
pub use operator::{Secret, Verdict};
pub use people::{CallFacts, PeopleList, PeoplePage};
pub use presence::{Connected, Connection, NodeId, Parting, Standing};
pub use sqlite::{SqliteOptions, SqliteStore};

/// Where the server remembers.
#[derive(Debug, Clone)]
pub enum Store {
    /// One file; the default, nothing to install.
    Sqlite(SqliteStore),
}

/// Why the store could not do something. What the domain refuses is part of a method's answer, not an error.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk, or the room that the operator gave to the database, is full, or the disk takes no writes any longer.
    /// Nothing was changed.
    #[error("the database has no room left")]
    Full,
    /// The database could not be reached in time.
    #[error("the database is busy")]
    Busy,
    /// A row holds what this version can't have written.
    #[error("the database holds an unreadable {0}")]
    Corrupt(&'static str),
    /// Anything else.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
    /// A migration failed.
    #[error("the database could not be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The database file could not be made.
    #[error("the database file could not be opened")]
    File(#[from] std::io::Error),
}

/// Result of the store's methods.
pub type Result<T> = std::result::Result<T, StoreError>;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        // The primary code is the lowest byte of SQLite's extended code: https://www.sqlite.org/rescode.html
        const SQLITE_BUSY: i32 = 5;
        const SQLITE_LOCKED: i32 = 6;
        const SQLITE_READONLY: i32 = 8;
        const SQLITE_FULL: i32 = 13;
        // Writes that fail for another reason than ENOSPC, and that of the index beside the log for any reason.
        const SQLITE_IOERR_WRITE: i32 = 10 | (3 << 8);
        const SQLITE_IOERR_FSYNC: i32 = 10 | (4 << 8);
        const SQLITE_IOERR_SHMSIZE: i32 = 10 | (19 << 8);
        if let sqlx::Error::PoolTimedOut = error {
            return Self::Busy;
        }
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .and_then(|code| code.parse::<i32>().ok());
        match (code, code.map(|code| code & 0xff)) {
            (_, Some(SQLITE_FULL)) => Self::Full,
            (Some(SQLITE_IOERR_WRITE | SQLITE_IOERR_FSYNC | SQLITE_IOERR_SHMSIZE), _)
            | (_, Some(SQLITE_READONLY)) => {
                // To who asks, a quota or a broken disk is the same as a full one. The operator needs the difference.
                tracing::error!(error = &error as &dyn std::error::Error, "the database can't be written");
                Self::Full
            }
            (_, Some(SQLITE_BUSY | SQLITE_LOCKED)) => Self::Busy,
            _ => Self::Database(error),
        }
    }
}

/// Declares methods of [`Store`] that every variant has under the same name. The documentation stands here, the
/// work in the `impl` of each variant.
macro_rules! dispatch {
    ($($(#[$doc:meta])* pub async fn $name:ident(&self $(, $arg:ident: $ty:ty)* $(,)?) -> $ret:ty;)*) => {
        impl crate::store::Store {
            $(
                $(#[$doc])*
                pub async fn $name(&self $(, $arg: $ty)*) -> $ret {
                    match self {
                        Self::Sqlite(store) => store.$name($($arg),*).await,
                    }
                }
            )*
        }
    };
}
pub(crate) use dispatch;

impl Store {
    /// Opens, or makes, a SQLite database and brings it to the newest version.
    ///
    /// # Errors
    /// [`StoreError`] when the file can't be opened or migrated.
    pub async fn open_sqlite(options: SqliteOptions) -> Result<Self> {
        SqliteStore::open(options).await.map(Self::Sqlite)
    }
}

dispatch! {
    /// Whether the store answers at all. Writes nothing.
    ///
    /// # Errors
    /// [`StoreError`] when it does not.
    pub async fn check(&self) -> Result<()>;

    /// Waits for what is being written and closes every connection.
    pub async fn close(&self) -> ();
}
