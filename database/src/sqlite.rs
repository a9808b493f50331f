//! SQLite has one writer and many readers. The writer is a pool of one connection whose transactions begin `immediate`
//! (a deferred one that turns from reading to writing fails at once, whatever the busy timeout); readers are opened read-only.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use sqlx::{
    Connection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{Durability, Fault, OpenError, StoreUrl};

/// SQLite before this version could corrupt a WAL when it was reset.
const OLDEST: (u32, u32, u32) = (3, 51, 3);
/// How long one waits for another's lock.
const BUSY: Duration = Duration::from_secs(5);

/// The writer and the readers of a file; it is made where there is none.
pub async fn open(path: &Path, durability: Durability) -> Result<(SqlitePool, SqlitePool), OpenError> {
    let url = StoreUrl::file(path);
    let not_writable = |source: Box<dyn std::error::Error + Send + Sync>| OpenError::NotWritable { url: url.clone(), source };
    if let Some(folder) = StoreUrl::folder(path) {
        std::fs::create_dir_all(folder).map_err(|e| not_writable(e.into()))?;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match durability {
            Durability::Full => SqliteSynchronous::Full,
            Durability::Rebuildable => SqliteSynchronous::Normal,
        })
        .busy_timeout(BUSY)
        .foreign_keys(false)
        // What is deleted is overwritten, also in free pages: an erasure leaves nothing behind.
        .pragma("secure_delete", "on")
        .pragma("journal_size_limit", "67108864");
    let writer = connect(&options).await.map_err(|e| not_writable(e.into()))?;
    require_version(&writer, &url).await?;
    let reader = SqlitePoolOptions::new()
        .max_connections(durability.readers())
        .acquire_timeout(Duration::from_secs(3))
        .connect_lazy_with(options.create_if_missing(false).read_only(true));
    Ok((writer, reader))
}

/// Of several that turn a new file's WAL on at once all but one are refused, whatever the busy timeout: they try again.
async fn connect(options: &SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let started = Instant::now();
    loop {
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(10));
        // SQLite may end a transaction by itself, for one when the disk is full; sqlx then counts on one that is not there for ever.
        let pool = pool.after_release(|connection, _| {
            Box::pin(async move {
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        });
        match pool.connect_with(options.clone()).await {
            Err(error) if Fault::of(&error) == Fault::Clash && started.elapsed() < BUSY => {
                tokio::time::sleep(Duration::from_millis(20)).await
            }
            connected => return connected,
        }
    }
}

async fn require_version(pool: &SqlitePool, url: &StoreUrl) -> Result<(), OpenError> {
    let found: String = sqlx::query_scalar("select sqlite_version()")
        .fetch_one(pool)
        .await
        .map_err(|e| OpenError::Unusable { url: url.clone(), source: e.into() })?;
    let mut parts = found.split('.').map(|part| part.parse().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if version < OLDEST { Err(OpenError::OldSqlite { found }) } else { Ok(()) }
}
