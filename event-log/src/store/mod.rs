//! The statements of the log on SQLite.

mod facts;
mod write;

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use database::{Database, Durability, OpenError, StoreUrl, migrations};
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::{Append, Claim, Heads, Outcome, PARTITIONS, Partition, Position, Recorded, StreamRow, Version, judge};

pub use facts::{claims, streams};

const COLUMNS: &str = "partition, position, event_id, stream_id, version, type, schema_version, payload, metadata, recorded_at";

pub async fn open(url: &StoreUrl) -> Result<Database, OpenError> {
    let steps = migrations(&[("log", include_str!("../../migrations/1_log.sql"))]);
    let database = Database::open(url, Durability::Full, steps).await?;
    let unusable = |source| OpenError::Unusable { url: url.clone(), source };
    let found = partitions(&database).await.map_err(|e| unusable(e.into()))?;
    if found != i64::from(PARTITIONS) {
        return Err(unusable(format!("the log has {found} partitions, this program uses {PARTITIONS}").into()));
    }
    Ok(database)
}

/// The number of partitions in the store, written when it is new.
async fn partitions(database: &Database) -> Result<i64, sqlx::Error> {
    let mut tx = database.begin().await?;
    sqlx::query("insert into store_meta (key, value) values ('partitions', $1) on conflict do nothing")
        .bind(PARTITIONS.to_string())
        .execute(&mut *tx)
        .await?;
    for partition in Partition::all() {
        sqlx::query("insert into heads (partition, position, recorded_at) values ($1, 0, $2) on conflict do nothing")
            .bind(partition)
            .bind(text(DateTime::UNIX_EPOCH))
            .execute(&mut *tx)
            .await?;
    }
    let found = sqlx::query_scalar("select cast(value as integer) from store_meta where key = 'partitions'").fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(found)
}

/// What became of a batch.
pub struct Written {
    /// Of each wish, in order.
    pub outcomes: Vec<Outcome>,
    /// All of them.
    pub heads: Heads,
    /// In the order of their positions.
    pub events: Vec<Recorded>,
}

/// Decides a batch under the lock and writes what was accepted, in one transaction.
pub async fn append(database: &Database, batch: &[Append]) -> Result<Written, sqlx::Error> {
    let mut tx = database.begin().await?;
    let facts = facts::read(&mut tx, batch).await?;
    let mut known = facts.heads.clone();
    let (outcomes, plan) = judge::judge(batch, facts, now());
    let events: Vec<_> = plan.events.iter().map(|planned| recorded(batch, planned)).collect();
    write::plan(&mut tx, &events, &plan).await?;
    tx.commit().await?;
    known.extend(plan.heads);
    let mut heads = [0; PARTITIONS as usize];
    for (partition, head) in known {
        heads[partition.index()] = head.position;
    }
    Ok(Written { outcomes, heads, events })
}

fn recorded(batch: &[Append], planned: &judge::Planned) -> Recorded {
    let wish = &batch[planned.wish];
    let event = &wish.events[planned.event];
    Recorded {
        partition: wish.partition,
        position: planned.position,
        event_id: Uuid::now_v7(),
        stream_id: wish.stream_id,
        version: planned.version,
        event_type: event.event_type.into(),
        schema_version: event.schema_version,
        payload: event.payload.clone(),
        metadata: wish.metadata.clone(),
        recorded_at: planned.recorded_at,
    }
}

pub async fn heads(database: &Database) -> Result<Heads, sqlx::Error> {
    let rows: Vec<(Partition, Position)> = sqlx::query_as("select partition, position from heads").fetch_all(&database.reader).await?;
    let mut heads = [0; PARTITIONS as usize];
    for (partition, position) in rows {
        heads[partition.index()] = position;
    }
    Ok(heads)
}

pub async fn stream(database: &Database, stream_id: Uuid, after: Version) -> Result<Vec<Recorded>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!("select {COLUMNS} from events where stream_id = $1 and version > $2 order by version"));
    sqlx::query_as(sql).bind(stream_id).bind(after).fetch_all(&database.reader).await
}

pub async fn read(database: &Database, partition: Partition, after: Position, limit: usize) -> Result<Vec<Recorded>, sqlx::Error> {
    let sql =
        sqlx::AssertSqlSafe(format!("select {COLUMNS} from events where partition = $1 and position > $2 order by position limit $3"));
    sqlx::query_as(sql).bind(partition).bind(after).bind(limit as i64).fetch_all(&database.reader).await
}

pub async fn read_types(
    database: &Database,
    partition: Partition,
    (after, until): (Position, Position),
    types: &[&str],
    limit: usize,
) -> Result<Vec<Recorded>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} from events where partition = $1 and position > $2 and position <= $3
           and type in (select value from json_each($4)) order by position limit $5"
    ));
    let query = sqlx::query_as(sql).bind(partition).bind(after).bind(until).bind(sqlx::types::Json(types)).bind(limit as i64);
    query.fetch_all(&database.reader).await
}

pub async fn linked(database: &Database, kind: &str, key: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    let sql = "select stream_id from links where kind = $1 and key = $2 order by stream_id";
    sqlx::query_scalar(sql).bind(kind).bind(key).fetch_all(&database.reader).await
}

/// Microseconds are what both databases keep.
fn now() -> DateTime<Utc> {
    let now = Utc::now();
    DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
