//! Opening a store: its URL, its pools, its migrations. The one place that knows how a database is set up for Tizza.
//!
//! SQLite has one writer and many readers. The writer is a pool of one connection whose transactions begin `immediate`
//! (a deferred one that turns from reading to writing fails at once, whatever the busy timeout); readers are opened read-only.

mod migrations;
mod url;

use std::time::Duration;

use sqlx::{
    Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use migrations::{Migration, migrations};
pub use url::{StoreUrl, UrlError};

/// SQLite before this version could corrupt a WAL when it was reset.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// What a store is to Tizza: what a power cut may take of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was committed: `synchronous = full`.
    Full,
    /// The last transactions, never consistency: for what can be folded anew.
    Rebuildable,
}

impl Durability {
    /// How many may read at once. What can be folded anew is what clients read; the others are asked now and then.
    const fn readers(self) -> u32 {
        match self {
            Self::Full => 2,
            Self::Rebuildable => 4,
        }
    }
}

/// An open store.
#[derive(Clone, Debug)]
pub struct Database {
    /// One connection.
    pub writer: SqlitePool,
    /// Read-only connections; each sees the last commit.
    pub reader: SqlitePool,
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or the file is missing, not ours, or read-only.
    #[error("{url} cannot be opened for writing")]
    NotWritable {
        /// Which store.
        url: StoreUrl,
        /// What the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A newer release has been here.
    #[error("{url} was written by a newer version of tizza (its migration {migration} is unknown to this one)")]
    Newer {
        /// Which store.
        url: StoreUrl,
        /// The migration's number.
        migration: i64,
    },
    /// The file is there, and is no store of ours.
    #[error("{url} is not a store that this version of tizza can use")]
    Unusable {
        /// Which store.
        url: StoreUrl,
        /// What the database said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// SQLite's own fault.
    #[error("this program was built with SQLite {found}; 3.51.3 or newer is needed")]
    OldSqlite {
        /// As SQLite tells it.
        found: String,
    },
}

impl Database {
    /// Opens the store, makes it where there is none, and brings it up to `migrations`.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(url: &StoreUrl, durability: Durability, migrations: Vec<Migration>) -> Result<Self, OpenError> {
        let not_writable = |source: Box<dyn std::error::Error + Send + Sync>| OpenError::NotWritable { url: url.clone(), source };
        if let Some(folder) = url.path().parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| not_writable(e.into()))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(url.path())
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match durability {
                Durability::Full => SqliteSynchronous::Full,
                Durability::Rebuildable => SqliteSynchronous::Normal,
            })
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(false)
            // What is deleted is overwritten, also in free pages: an erasure leaves nothing behind.
            .pragma("secure_delete", "on")
            .pragma("journal_size_limit", "67108864");
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options.clone())
            .await
            .map_err(|e| not_writable(e.into()))?;
        require_sqlite(&writer, url).await?;
        migrations::run(&writer, url, migrations).await?;
        let reader = SqlitePoolOptions::new()
            .max_connections(durability.readers())
            .acquire_timeout(Duration::from_secs(3))
            .connect_lazy_with(options.create_if_missing(false).read_only(true));
        Ok(Self { writer, reader })
    }

    /// A transaction that may write; it waits for the writer before it.
    ///
    /// # Errors
    /// The database's own.
    pub async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("begin immediate").await
    }

    /// Lets the connections finish, and closes them.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

async fn require_sqlite(pool: &SqlitePool, url: &StoreUrl) -> Result<(), OpenError> {
    let found: String = sqlx::query_scalar("select sqlite_version()")
        .fetch_one(pool)
        .await
        .map_err(|e| OpenError::Unusable { url: url.clone(), source: e.into() })?;
    let mut parts = found.split('.').map(|part| part.parse().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if version < OLDEST_SQLITE { Err(OpenError::OldSqlite { found }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Vec<Migration> {
        migrations(&[("start", "create table t (x integer not null) strict;")])
    }

    fn two() -> Vec<Migration> {
        migrations(&[("start", "create table t (x integer not null) strict;"), ("more", "create table u (y integer) strict;")])
    }

    async fn open(path: &std::path::Path, migrations: Vec<Migration>) -> Result<Database, OpenError> {
        Database::open(&StoreUrl::file(path), Durability::Full, migrations).await
    }

    #[tokio::test]
    async fn a_store_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/store.db");
        let first = open(&path, one()).await.unwrap();
        sqlx::query("insert into t values (7)").execute(&first.writer).await.unwrap();
        first.close().await;
        let again = open(&path, two()).await.unwrap();
        let x: i64 = sqlx::query_scalar("select x from t").fetch_one(&again.reader).await.unwrap();
        assert_eq!(x, 7);
    }

    #[tokio::test]
    async fn a_store_of_a_newer_release_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        open(&path, two()).await.unwrap().close().await;
        assert!(matches!(open(&path, one()).await, Err(OpenError::Newer { migration: 2, .. })));
    }

    #[tokio::test]
    async fn a_place_where_nothing_can_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let refused = open(&file.join("store.db"), one()).await.unwrap_err();
        assert!(matches!(refused, OpenError::NotWritable { .. }), "{refused}");
        assert!(refused.to_string().contains("store.db"));
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store.db");
        let text = "not a database, ".repeat(100);
        std::fs::write(&file, &text).unwrap();
        assert!(open(&file, one()).await.is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("store.db"), one()).await.unwrap();
        assert!(sqlx::query("insert into t values (1)").execute(&store.reader).await.is_err());
    }
}
