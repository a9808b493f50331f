//! Events that a generation could not fold, by place: the events themselves are in the log. And those that operators have given up on.
//!
//! `checkpoints.parked` counts a generation's parked events of a partition. Who changes these rows holds the checkpoint's row.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use database::{Either, Transaction, on};
use serde::Serialize;
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use crate::{Partition, ReadStore};

/// A partition of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Of which view.
    pub projection: &'a str,
    /// The generation's number.
    pub generation: i64,
    /// Which.
    pub partition: Partition,
}

/// An event that is parked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, FromRow)]
pub struct ParkedEvent {
    /// Its place in the partition.
    pub position: i64,
    /// The stream that it belongs to.
    pub stream_id: Uuid,
    /// Whose it is.
    pub subject_id: Option<Uuid>,
    /// Its type.
    #[serde(rename = "type")]
    #[sqlx(rename = "type")]
    pub event_type: String,
    /// Why it could not be folded; `None`: only what is before it of its stream could not.
    pub reason: Option<String>,
}

/// The same, with its place.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct ParkedRow {
    /// By which view.
    pub projection: String,
    /// In which generation.
    pub generation: i64,
    /// Where it is.
    pub partition: Partition,
    /// What is parked.
    #[sqlx(flatten)]
    pub event: ParkedEvent,
    /// Since when.
    #[sqlx(try_from = "Seconds")]
    pub parked_at: DateTime<Utc>,
}

/// Since 1970.
#[derive(sqlx::Type)]
#[sqlx(transparent)]
struct Seconds(i64);

impl From<Seconds> for DateTime<Utc> {
    fn from(Seconds(seconds): Seconds) -> Self {
        Self::from_timestamp(seconds, 0).unwrap_or_default()
    }
}

/// Streams of which something is parked, each with whose that is.
pub type Streams = BTreeSet<(Uuid, Option<Uuid>)>;

/// $1: the view, $2: the generation, $3: the partition, $4: the events, $5: when.
macro_rules! park {
    ($events:literal) => {
        concat!(
            "insert into parked_events (projection, generation, partition, position, stream_id, subject_id, type, reason, parked_at) ",
            "select $1, $2, $3, ",
            $events
        )
    };
}

/// Parks events.
///
/// # Errors
/// The database's own, as for all functions here.
pub async fn park(db: &mut Transaction, at: Place<'_>, events: &[ParkedEvent]) -> Result<(), sqlx::Error> {
    if events.is_empty() {
        return Ok(());
    }
    let sql = db.pick(
        park!(
            "value->>'position', unhex(value->>'stream_id', '-'), unhex(value->>'subject_id', '-'), value->>'type', value->>'reason', $5
            from json_each($4)"
        ),
        park!(
            "position, stream_id, subject_id, type, reason, $5
            from jsonb_to_recordset($4) as given (position bigint, stream_id uuid, subject_id uuid, type text, reason text)"
        ),
    );
    on!(&mut *db, |db| {
        let query = sqlx::query(sql).bind(at.projection).bind(at.generation).bind(at.partition);
        query.bind(Json(events)).bind(Utc::now().timestamp()).execute(&mut **db).await?;
    });
    count(db, at, events.len() as i64).await
}

/// Forgets what is parked of a person, and of a stream, before a position.
///
/// # Errors
/// The database's own.
pub async fn discard(db: &mut Transaction, at: Place<'_>, subject: Option<Uuid>, stream: Uuid, before: i64) -> Result<(), sqlx::Error> {
    let sql = "delete from parked_events where projection = $1 and generation = $2 and partition = $3
                 and position < $4 and (stream_id = $5 or subject_id = $6)";
    let gone = on!(&mut *db, |db| {
        let query = sqlx::query(sql).bind(at.projection).bind(at.generation).bind(at.partition);
        query.bind(before).bind(stream).bind(subject).execute(&mut **db).await?.rows_affected()
    });
    count(db, at, -(gone as i64)).await
}

/// Takes some away: they are folded, or given up.
///
/// # Errors
/// The database's own.
pub async fn release(db: &mut Transaction, at: Place<'_>, positions: &[i64]) -> Result<(), sqlx::Error> {
    let sql = db.pick(
        "delete from parked_events where projection = $1 and generation = $2 and partition = $3
           and position in (select value from json_each($4))",
        "delete from parked_events where projection = $1 and generation = $2 and partition = $3
           and position in (select value::bigint from jsonb_array_elements($4))",
    );
    let gone = on!(&mut *db, |db| {
        let query = sqlx::query(sql).bind(at.projection).bind(at.generation).bind(at.partition).bind(Json(positions));
        query.execute(&mut **db).await?.rows_affected()
    });
    count(db, at, -(gone as i64)).await
}

/// Says why one cannot be folded.
///
/// # Errors
/// The database's own.
pub async fn blame(db: &mut Transaction, at: Place<'_>, position: i64, reason: &str) -> Result<(), sqlx::Error> {
    let sql = "update parked_events set reason = $5 where projection = $1 and generation = $2 and partition = $3 and position = $4";
    on!(db, |db| {
        let query = sqlx::query(sql).bind(at.projection).bind(at.generation).bind(at.partition);
        query.bind(position).bind(reason).execute(&mut **db).await.map(drop)
    })
}

/// Which of these streams have something parked, and which streams of these persons.
///
/// # Errors
/// The database's own.
pub async fn held(db: &mut Transaction, at: Place<'_>, streams: &[Uuid], subjects: &[Uuid]) -> Result<Streams, sqlx::Error> {
    let by_stream = db.pick(
        "select distinct stream_id, subject_id from parked_events where projection = $1 and generation = $2 and partition = $3
           and stream_id in (select unhex(value, '-') from json_each($4))",
        "select distinct stream_id, subject_id from parked_events where projection = $1 and generation = $2 and partition = $3
           and stream_id in (select value::uuid from jsonb_array_elements_text($4))",
    );
    let by_subject = db.pick(
        "select distinct stream_id, subject_id from parked_events where projection = $1 and generation = $2 and partition = $3
           and subject_id in (select unhex(value, '-') from json_each($4))",
        "select distinct stream_id, subject_id from parked_events where projection = $1 and generation = $2 and partition = $3
           and subject_id in (select value::uuid from jsonb_array_elements_text($4))",
    );
    let mut held = Streams::new();
    for (sql, ids) in [(by_stream, streams), (by_subject, subjects)].into_iter().filter(|(_, ids)| !ids.is_empty()) {
        let found: Vec<(Uuid, Option<Uuid>)> = on!(&mut *db, |db| {
            let query = sqlx::query_as(sql).bind(at.projection).bind(at.generation).bind(at.partition).bind(Json(ids));
            query.fetch_all(&mut **db).await?
        });
        held.extend(found);
    }
    Ok(held)
}

/// All streams that have something parked.
///
/// # Errors
/// The database's own.
pub async fn all_held(db: &mut Transaction, at: Place<'_>) -> Result<Streams, sqlx::Error> {
    let sql = "select distinct stream_id, subject_id from parked_events where projection = $1 and generation = $2 and partition = $3";
    let found: Vec<(Uuid, Option<Uuid>)> =
        on!(db, |db| { sqlx::query_as(sql).bind(at.projection).bind(at.generation).bind(at.partition).fetch_all(&mut **db).await? });
    Ok(found.into_iter().collect())
}

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

/// Holds the checkpoint of a place until the transaction ends: whoever folds there, or changes what is parked there, waits.
///
/// # Errors
/// The database's own.
pub async fn hold(db: &mut Transaction, at: Place<'_>) -> Result<(), sqlx::Error> {
    // On SQLite whoever may write is alone.
    if let Either::Postgres(db) = db {
        let sql = "select from checkpoints where projection = $1 and generation = $2 and partition = $3 for update";
        sqlx::query(sql).bind(at.projection).bind(at.generation).bind(at.partition).execute(&mut **db).await?;
    }
    Ok(())
}

/// What is parked of a stream, in its order.
///
/// # Errors
/// The database's own.
pub async fn of_stream(db: &mut Transaction, at: Place<'_>, stream: Uuid) -> Result<Vec<ParkedEvent>, sqlx::Error> {
    let sql = "select position, stream_id, subject_id, type, reason from parked_events
               where projection = $1 and generation = $2 and partition = $3 and stream_id = $4 order by position";
    on!(db, |db| {
        let query = sqlx::query_as(sql).bind(at.projection).bind(at.generation).bind(at.partition).bind(stream);
        query.fetch_all(&mut **db).await
    })
}

async fn count(db: &mut Transaction, at: Place<'_>, by: i64) -> Result<(), sqlx::Error> {
    if by == 0 {
        return Ok(());
    }
    let sql = "update checkpoints set parked = parked + $4 where projection = $1 and generation = $2 and partition = $3";
    on!(db, |db| {
        let query = sqlx::query(sql).bind(at.projection).bind(at.generation).bind(at.partition).bind(by);
        query.execute(&mut **db).await.map(drop)
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
