//! Opening a store: its URL, its pools, its migrations. The one place that knows how a database is set up for Tizza.
//!
//! | module | what lives there |
//! | --- | --- |
//! | `url`, `url_parameters` | where a store is, and how it is spoken to |
//! | `either` | one of the two databases, and statements that run on both |
//! | `sqlite`, `postgres` | how each is opened |
//! | `migrations` | from one shape of a store to the next |
//! | `fault` | what went wrong with a statement |
//! | `backup` | a copy of a file in use |
//! | [`moving`] | what a store keeps, from one database to another |
//! | `presence` | who writes to a store |

mod backup;
mod either;
mod fault;
mod migrations;
pub mod moving;
mod postgres;
mod presence;
mod sqlite;
mod url;
mod url_parameters;

use std::time::Duration;

pub use backup::{BackupError, backup};
pub use either::{Acquired, Connection, Either, Pool, Transaction};
pub use fault::{Fault, is_missing_table};
pub use migrations::Step;
use moving::table::Table;
pub use presence::Presence;
use sqlx::PgPool;
pub use url::{StoreUrl, UrlError};

/// What a power cut may take of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was committed: SQLite's `synchronous = full`, Postgres's `synchronous_commit = on`.
    Full,
    /// The last transactions, never consistency: for what can be folded anew.
    Rebuildable,
}

impl Durability {
    /// How many may read an SQLite file at once. What can be folded anew is what clients read; the others are asked now and then.
    const fn readers(self) -> u32 {
        match self {
            Self::Full => 2,
            Self::Rebuildable => 4,
        }
    }

    const fn synchronous_commit(self) -> &'static str {
        match self {
            Self::Full => "on",
            Self::Rebuildable => "off",
        }
    }
}

/// What a store is, wherever it is.
#[derive(Clone, Copy, Debug)]
pub struct Store {
    /// Where its tables are on Postgres.
    pub schema: &'static str,
    /// What a power cut may take of it.
    pub durability: Durability,
    /// From nothing to its shape of today.
    pub steps: &'static [Step],
    /// All that must come along when it is moved to another database.
    pub tables: &'static [Table],
}

/// An open store.
#[derive(Clone, Debug)]
pub struct Database {
    /// Connections that write; one on SQLite.
    pub writer: Pool,
    /// Connections that only read; each sees the last commit.
    pub reader: Pool,
}

/// How long connections may take to finish.
const CLOSE: Duration = Duration::from_secs(5);

type Source = Box<dyn std::error::Error + Send + Sync>;

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
        source: Source,
    },
    /// The server does not answer.
    #[error("{url} is away; given up after {} s", waited.as_secs())]
    Away {
        /// Which store.
        url: StoreUrl,
        /// How long.
        waited: Duration,
        /// What the last try came to.
        #[source]
        source: Source,
    },
    /// The server answers, and does not let us in: credentials, the database's name, a right.
    #[error("{url} does not let us in")]
    Refused {
        /// Which store.
        url: StoreUrl,
        /// What it said.
        #[source]
        source: Source,
    },
    /// It cannot be spoken to as the URL's `sslmode` asks for: a certificate is not accepted, or the server has no TLS.
    #[error("{url} cannot be reached by TLS as its sslmode asks for")]
    Tls {
        /// Which store.
        url: StoreUrl,
        /// What is wrong.
        #[source]
        source: Source,
    },
    /// A newer release has been here.
    #[error("{url} was written by a newer version of tizza (its migration {migration} is unknown to this one)")]
    Newer {
        /// Which store.
        url: StoreUrl,
        /// The migration's number.
        migration: i64,
    },
    /// Its rows are being moved into it.
    #[error("{url} is not whole yet: `tizza move` is bringing it from {source_url}")]
    Importing {
        /// Which store.
        url: StoreUrl,
        /// Where from.
        source_url: String,
    },
    /// It is there, and is no store of ours.
    #[error("{url} is not a store that this version of tizza can use")]
    Unusable {
        /// Which store.
        url: StoreUrl,
        /// What the database said.
        #[source]
        source: Source,
    },
    /// SQLite's own fault.
    #[error("this program was built with SQLite {found}; 3.51.3 or newer is needed")]
    OldSqlite {
        /// As SQLite tells it.
        found: String,
    },
}

impl Database {
    /// Opens the store, makes it where there is none, and brings it up to today's shape. A server that is away is waited for, as long as
    /// `patience` lasts.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(url: &StoreUrl, store: &Store, patience: Duration) -> Result<Self, OpenError> {
        let database = Self::open_unfinished(url, store, patience).await?;
        match database.importing().await {
            Ok(None) => Ok(database),
            Ok(Some(source_url)) => {
                database.close().await;
                Err(OpenError::Importing { url: url.clone(), source_url })
            }
            Err(error) => Err(OpenError::Unusable { url: url.clone(), source: error.into() }),
        }
    }

    /// The same, also where not all has been moved in yet.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open_unfinished(url: &StoreUrl, store: &Store, patience: Duration) -> Result<Self, OpenError> {
        let (writer, reader) = match url {
            StoreUrl::Sqlite(path) => {
                let (writer, reader) = sqlite::open(path, store.durability).await?;
                (Pool::Sqlite(writer), Pool::Sqlite(reader))
            }
            StoreUrl::Postgres(text) => {
                let (writer, reader) = postgres::open(url, text, store.schema, store.durability, patience).await?;
                (Pool::Postgres(writer), Pool::Postgres(reader))
            }
        };
        migrations::run(&writer, url, store.schema, store.steps).await?;
        Ok(Self { writer, reader })
    }

    /// Whether the store has a table of this name.
    ///
    /// # Errors
    /// The database's own.
    pub async fn has_table(&self, name: &str) -> Result<bool, sqlx::Error> {
        let sql = self.reader.pick(
            "select exists (select 1 from sqlite_master where type = 'table' and name = $1)",
            "select exists (select from pg_tables where schemaname = current_schema() and tablename = $1)",
        );
        on!(&self.reader, |db| sqlx::query_scalar(sql).bind(name).fetch_one(db).await)
    }

    /// A transaction that may write. On SQLite it waits for the writer before it.
    ///
    /// # Errors
    /// The database's own.
    pub async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        match &self.writer {
            Pool::Sqlite(pool) => pool.begin_with("begin immediate").await.map(Transaction::Sqlite),
            Pool::Postgres(pool) => begin(pool, "begin").await,
        }
    }

    /// A transaction that reads, and sees the store as it is at its first statement.
    ///
    /// # Errors
    /// The database's own.
    pub async fn snapshot(&self) -> Result<Transaction, sqlx::Error> {
        match &self.reader {
            Pool::Sqlite(pool) => pool.begin_with("begin deferred").await.map(Transaction::Sqlite),
            Pool::Postgres(pool) => begin(pool, "begin isolation level repeatable read, read only").await,
        }
    }

    /// Lets the connections finish, and closes them. A server that does not answer is not waited for.
    pub async fn close(&self) {
        let closing = async {
            self.reader.close().await;
            self.writer.close().await;
        };
        if tokio::time::timeout(CLOSE, closing).await.is_err() {
            tracing::warn!("the database does not answer; its connections are left to themselves");
        }
    }
}

/// In a task of its own, which nobody drops in the middle: sqlx 0.9 would give the connection to the next one within the transaction (its
/// issue 4385).
async fn begin(pool: &PgPool, statement: &'static str) -> Result<Transaction, sqlx::Error> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(statement).await });
    begun.await.unwrap_or(Err(sqlx::Error::PoolClosed)).map(Transaction::Postgres)
}

#[cfg(test)]
mod tests;
