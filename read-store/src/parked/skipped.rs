//! What operators have given up on.

use std::collections::BTreeSet;

use chrono::Utc;
use database::{Transaction, on};

use crate::{Partition, ReadStore};

/// The events of a partition, after one position and up to another, that operators have given up on, for a version of a view.
///
/// # Errors
/// The database's own.
pub async fn skipped(
    db: &mut Transaction,
    (projection, version): (&str, i64),
    partition: Partition,
    (after, until): (i64, i64),
) -> Result<BTreeSet<i64>, sqlx::Error> {
    let sql = "select position from skipped_events where projection = $1 and version = $2 and partition = $3
                 and position > $4 and position <= $5";
    let found: Vec<i64> = on!(db, |db| {
        let query = sqlx::query_scalar(sql).bind(projection).bind(version).bind(partition);
        query.bind(after).bind(until).fetch_all(&mut **db).await?
    });
    Ok(found.into_iter().collect())
}

/// Gives up on an event, for all generations of a version. Who was first is kept.
///
/// # Errors
/// The database's own.
pub async fn skip(
    db: &mut Transaction,
    (projection, version): (&str, i64),
    (partition, position): (Partition, i64),
    reason: &str,
    by: &str,
) -> Result<(), sqlx::Error> {
    let sql = "insert into skipped_events (projection, version, partition, position, reason, skipped_by, skipped_at)
               values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing";
    on!(db, |db| {
        let query = sqlx::query(sql).bind(projection).bind(version).bind(partition).bind(position);
        query.bind(reason).bind(by).bind(Utc::now().timestamp()).execute(&mut **db).await.map(drop)
    })
}

impl ReadStore {
    /// All events of a partition that operators have given up on, for a version of a view.
    ///
    /// # Errors
    /// The database's own.
    pub async fn skipped(&self, projection: &str, version: i64, partition: Partition) -> Result<BTreeSet<i64>, sqlx::Error> {
        skipped(&mut self.database.snapshot().await?, (projection, version), partition, (0, i64::MAX)).await
    }
}
