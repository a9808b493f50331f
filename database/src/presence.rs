//! Who writes to a store shows that he is there, so that nobody takes it away meanwhile: a lock on a file beside it, or an advisory lock of
//! Postgres. It is seen by whoever asks, and holds up no statement.

use std::{
    fs::{File, TryLockError},
    io,
    sync::Arc,
    time::Duration,
};

use sqlx::{Connection, PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::{sync::oneshot, time::timeout};

use crate::{Database, Pool};

/// How often it is seen to that the lock is still held.
const LOOK: Duration = Duration::from_secs(5);
/// How often, and how long apart, it is tried: who has left a moment ago may still be there for Postgres.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);

/// Among others who write to a store, or alone. It ends when this is dropped, or with the process.
#[derive(Debug)]
pub struct Presence {
    _held: Held,
}

#[derive(Debug)]
enum Held {
    File { _lock: File },
    Connection { _left: oneshot::Sender<()> },
}

impl Database {
    /// Shows that this process writes to the store. `None`: somebody must be [`alone`](Database::alone) with it.
    ///
    /// # Errors
    /// The database's own, or the file beside it cannot be made.
    pub async fn present(&self) -> Result<Option<Presence>, sqlx::Error> {
        self.take(File::try_lock_shared, "select pg_try_advisory_lock_shared($1, hashtext(current_schema()))").await
    }

    /// Makes sure that no other process writes to the store, and none begins to. `None`: some do.
    ///
    /// # Errors
    /// The database's own, or the file beside it cannot be made.
    pub async fn alone(&self) -> Result<Option<Presence>, sqlx::Error> {
        self.take(File::try_lock, "select pg_try_advisory_lock($1, hashtext(current_schema()))").await
    }

    async fn take(&self, lock: fn(&File) -> Result<(), TryLockError>, sql: &'static str) -> Result<Option<Presence>, sqlx::Error> {
        for tried in 0.. {
            let taken = match &self.writer {
                Pool::Sqlite(pool) => by_file(pool.connect_options().get_filename(), lock)?,
                Pool::Postgres(pool) => by_connection(pool, sql).await?,
            };
            if taken.is_some() || tried == TRIES {
                return Ok(taken);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(None)
    }
}

fn by_file(store: &std::path::Path, lock: fn(&File) -> Result<(), TryLockError>) -> Result<Option<Presence>, sqlx::Error> {
    let file = File::options().write(true).create(true).truncate(false).open(store.with_added_extension("writers"))?;
    match lock(&file) {
        Ok(()) => Ok(Some(Presence { _held: Held::File { _lock: file } })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(io::Error::into(error)),
    }
}

/// So that nobody else's advisory locks are taken for ours.
const TIZZA: i32 = 0x7469_7a7a;

async fn by_connection(pool: &PgPool, lock: &'static str) -> Result<Option<Presence>, sqlx::Error> {
    let options = pool.connect_options();
    let Some(connection) = locked(&options, lock).await? else { return Ok(None) };
    let (left, leaves) = oneshot::channel();
    tokio::spawn(hold(connection, options, lock, leaves));
    Ok(Some(Presence { _held: Held::Connection { _left: left } }))
}

async fn locked(options: &PgConnectOptions, lock: &'static str) -> Result<Option<PgConnection>, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    let is_locked: bool = sqlx::query_scalar(lock).bind(TIZZA).fetch_one(&mut connection).await?;
    Ok(is_locked.then_some(connection))
}

/// A server that was away has forgotten who was there.
async fn hold(mut connection: PgConnection, options: Arc<PgConnectOptions>, lock: &'static str, mut leaves: oneshot::Receiver<()>) {
    while timeout(LOOK, &mut leaves).await.is_err() {
        if matches!(timeout(LOOK, connection.ping()).await, Ok(Ok(()))) {
            continue;
        }
        if let Ok(Ok(Some(again))) = timeout(LOOK, locked(&options, lock)).await {
            connection = again;
        }
    }
    // It ends with the connection, whether that is closed in good order or not.
    let _ = timeout(LOOK, connection.close()).await;
}
