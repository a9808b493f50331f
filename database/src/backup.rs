//! A copy of a store in a file, made while it is in use.

use std::{fs::File, io, path::Path};

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::StoreUrl;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A server has tools of its own.
    #[error("{0} is on a server: use pg_dump or WAL archiving, see docs/backup.md")]
    Server(StoreUrl),
    /// The copy exists, or cannot be written.
    #[error("the copy cannot be written")]
    File(#[from] io::Error),
    /// The store cannot be read.
    #[error("the store cannot be copied")]
    Database(#[from] sqlx::Error),
}

/// Copies a store in a file into another file, as it is at one moment, whoever writes meanwhile. What is there under that name is whole.
///
/// # Errors
/// See [`BackupError`].
pub async fn backup(url: &StoreUrl, to: &Path) -> Result<(), BackupError> {
    let StoreUrl::Sqlite(from) = url else { return Err(BackupError::Server(url.clone())) };
    if to.exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is there already", to.display())).into());
    }
    let part = to.with_extension("part");
    if part.exists() {
        std::fs::remove_file(&part)?;
    }
    let mut db = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(from)).await?;
    let copied = sqlx::query("vacuum into $1").bind(part.display().to_string()).execute(&mut db).await;
    db.close().await?;
    copied?;
    File::open(&part)?.sync_all()?;
    std::fs::rename(&part, to)?;
    File::open(to.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}
