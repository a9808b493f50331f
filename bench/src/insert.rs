//! The baseline of likes: how often a second this machine commits one row to SQLite, durably.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use sqlx::{
    Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

/// About as much as a like takes in the log.
const ROW: [u8; 300] = [b'x'; 300];

/// One row a transaction, one connection, `synchronous = full`, on the file system of `folder`.
///
/// # Errors
/// The database's own.
pub async fn per_second(folder: &Path, seconds: u64) -> anyhow::Result<f64> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("baseline.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let mut db = SqliteConnection::connect_with(&options).await?;
    sqlx::query("create table if not exists baseline (id integer primary key, row blob not null) strict").execute(&mut db).await?;
    let (started, limit) = (Instant::now(), Duration::from_secs(seconds));
    let mut rows = 0_u32;
    while started.elapsed() < limit {
        sqlx::query("insert into baseline (row) values ($1)").bind(&ROW[..]).execute(&mut db).await?;
        rows += 1;
    }
    let figure = f64::from(rows) / started.elapsed().as_secs_f64();
    db.close().await?;
    Ok(figure)
}
