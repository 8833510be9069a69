//! The SQLite variant: one file in WAL mode, one connection that writes, a few that read.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqlSafeStr, Sqlite, SqlitePool, Transaction};

use super::Result;

/// Readers beside the writer. Reads are short; more threads would only switch.
const READERS: u32 = 4;

/// How long a statement waits for another process (the operator's commands) to finish writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request waits for its turn at a connection before it is told that the database is busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Every version of the schema, oldest first. A released one is never edited.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "accounts", include_str!("../../migrations/0001_accounts.sql")),
    (2, "calls", include_str!("../../migrations/0002_calls.sql")),
    (3, "talking", include_str!("../../migrations/0003_talking.sql")),
];

/// Where and how to open the database.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The file; made, readable by its owner alone, if it is not there.
    pub path: PathBuf,
    /// Most pages of 4 KiB that the file may grow to; beyond them writes fail with
    /// [`StoreError::Full`](super::StoreError::Full). `None`: as large as the disk allows.
    pub max_pages: Option<u32>,
}

impl SqliteOptions {
    /// A database that may fill the disk.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), max_pages: None }
    }
}

/// A SQLite database.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    pub(crate) async fn open(options: SqliteOptions) -> Result<Self> {
        create_private(&options.path)?;
        let mut connect = SqliteConnectOptions::new()
            .filename(&options.path)
            .journal_mode(SqliteJournalMode::Wal)
            // In WAL mode a crash of the process loses nothing; a power cut may lose the last moments, never the
            // file's consistency.
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .statement_cache_capacity(256)
            .pragma("temp_store", "memory");
        if let Some(pages) = options.max_pages {
            connect = connect.pragma("max_page_count", pages.to_string());
        }
        let pool = || {
            SqlitePoolOptions::new()
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        // One connection: two writers would only wait for each other inside SQLite.
        //
        // A disk that is full makes SQLite roll the whole transaction back by itself
        // (https://www.sqlite.org/lang_transaction.html, section 2.2). sqlx's own ROLLBACK then fails, and it goes on
        // counting the connection as inside a transaction: it would never begin another. Such a one is replaced.
        let writer = pool()
            .min_connections(1)
            .max_connections(1)
            .before_acquire(|connection, _| {
                let clean = !connection.is_in_transaction();
                Box::pin(std::future::ready(Ok(clean)))
            })
            .connect_with(connect.clone())
            .await?;
        migrate(&writer).await?;
        let readers = pool()
            .min_connections(1)
            .max_connections(READERS)
            .connect_with(connect.pragma("query_only", "on"))
            .await?;
        Ok(Self { writer, readers })
    }

    /// Connections for statements that only read.
    pub(super) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// The connection for a single statement that writes.
    pub(super) fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// A transaction that holds the write lock from its start, so that what it reads can't change before it writes.
    pub(super) async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    pub(super) async fn check(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Makes the file, if it is not there, so that only its owner can read the keys in it. SQLite gives the files beside
/// it the same permissions.
fn create_private(path: &std::path::Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut open = std::fs::OpenOptions::new();
    open.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    open.open(path).map(drop)
}

async fn migrate(writer: &SqlitePool) -> Result<()> {
    let migrations = MIGRATIONS
        .iter()
        .map(|&(version, name, sql)| {
            Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
        })
        .collect();
    Migrator::with_migrations(migrations).run(writer).await?;
    Ok(())
}
