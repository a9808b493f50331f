//! How far each generation has come, and waiting for it.

use std::{collections::HashMap, time::Duration};

use database::{Transaction, on};
use serde_json::json;
use sqlx::types::Json;

use crate::{Live, PARTITIONS, Partition, ReadError, ReadStore, View};

/// A position for each partition.
pub type Positions = [i64; PARTITIONS as usize];

/// How far each (view, generation) has come, as far as this process knows.
pub type Progress = HashMap<(String, i64), Positions>;

/// How often the database is asked while somebody waits: it is enough by itself, when the projector is another process.
const POLL: Duration = Duration::from_millis(5);
/// How long a database that does not answer is left alone.
const RETRY: Duration = Duration::from_millis(250);

/// $1: the partition, $2: from, $3: to, $4: names and generations.
macro_rules! advance {
    ($generations:literal) => {
        concat!(
            "update checkpoints set position = $3 where partition = $1 and position = $2 and (projection, generation) in (",
            $generations,
            ")"
        )
    };
}

/// Moves the checkpoints of some generations from one position to another, all or none. Done first in a fold's
/// transaction: of two workers on one partition the slower one writes nothing.
///
/// # Errors
/// The database's own.
pub async fn advance(
    db: &mut Transaction,
    generations: &[(&'static str, i64)],
    partition: Partition,
    from: i64,
    to: i64,
) -> Result<bool, sqlx::Error> {
    let names: Vec<_> = generations.iter().map(|(view, generation)| json!([view, generation])).collect();
    let sql = db.pick(
        advance!("select value->>0, value->>1 from json_each($4)"),
        advance!("select value->>0, (value->>1)::bigint from jsonb_array_elements($4)"),
    );
    let moved = on!(db, |db| {
        let moved = sqlx::query(sql).bind(partition).bind(from).bind(to).bind(Json(names)).execute(&mut **db).await?;
        moved.rows_affected()
    });
    Ok(moved == generations.len() as u64)
}

impl ReadStore {
    /// All checkpoints, as the database has them.
    ///
    /// # Errors
    /// The database's own.
    pub async fn checkpoints(&self) -> Result<Progress, sqlx::Error> {
        let sql = "select projection, generation, partition, position from checkpoints";
        let rows: Vec<(String, i64, Partition, i64)> = on!(&self.database.reader, |db| sqlx::query_as(sql).fetch_all(db).await?);
        let mut progress = Progress::new();
        for (view, generation, partition, position) in rows {
            progress.entry((view, generation)).or_insert([0; PARTITIONS as usize])[partition.index()] = position;
        }
        Ok(progress)
    }

    /// Tells those who wait in this process that rows up to `position` are there.
    pub fn folded(&self, generations: &[(&'static str, i64)], partition: Partition, position: i64) {
        self.progress.send_modify(|progress| {
            for (view, generation) in generations {
                let positions = progress.entry(((*view).to_owned(), *generation)).or_insert([0; PARTITIONS as usize]);
                positions[partition.index()] = position.max(positions[partition.index()]);
            }
        });
    }

    /// Looks for what a projector in another process has folded, at once when somebody begins to wait, and then again and again
    /// while somebody does. For ever: run it in a task of its own.
    pub async fn follow(&self) {
        loop {
            if self.progress.receiver_count() == 0 {
                self.waiting.notified().await;
            }
            let pause = match self.checkpoints().await {
                Ok(found) => {
                    self.progress.send_modify(|progress| merge(progress, found));
                    POLL
                }
                Err(error) => {
                    tracing::warn!(%error, "the checkpoints cannot be read");
                    RETRY
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Waits until the live generations of `views` include each (partition, position). No connection is held meanwhile.
    ///
    /// # Errors
    /// They do not, after `limit`.
    pub async fn wait(&self, live: &Live, views: &[&View], places: &[(u16, i64)], limit: Duration) -> Result<(), ReadError> {
        if places.is_empty() {
            return Ok(());
        }
        let built = views.iter().filter_map(|view| Some((view.name.to_owned(), live.generation(view)?)));
        let keys: Vec<_> = built.collect();
        let missing = |progress: &Progress| {
            let reached = |key, partition: u16| progress.get(key).map_or(0, |positions| positions[usize::from(partition)]);
            let lags = keys.iter().flat_map(|key| places.iter().map(move |&(partition, position)| (key, partition, position)));
            lags.map(|(key, partition, position)| (partition, position - reached(key, partition))).max_by_key(|(_, lag)| *lag)
        };
        let there = |progress: &Progress| missing(progress).is_none_or(|(_, lag)| lag <= 0);
        if there(&self.progress.borrow()) {
            return Ok(());
        }
        let mut progress = self.progress.subscribe();
        self.waiting.notify_one();
        if matches!(tokio::time::timeout(limit, progress.wait_for(there)).await, Ok(Ok(_))) {
            return Ok(());
        }
        match missing(&progress.borrow()) {
            Some((partition, lag)) if lag > 0 => Err(ReadError::Behind { partition, lag }),
            _ => Ok(()),
        }
    }
}

/// Positions only grow.
fn merge(progress: &mut Progress, found: Progress) {
    for (key, found) in found {
        let known = progress.entry(key).or_insert([0; PARTITIONS as usize]);
        for (known, found) in known.iter_mut().zip(found) {
            *known = found.max(*known);
        }
    }
}
