//! Events and heads, as they are stored.

use chrono::{DateTime, Utc};
use database::{Connection, Database, on};
use serde::Deserialize;
use sqlx::types::Json;
use uuid::Uuid;

use super::{COLUMNS, Rows};
use crate::{Actor, Heads, Metadata, Partition, Position, Recorded, Version};

pub async fn heads(database: &Database) -> Result<Heads, sqlx::Error> {
    let sql = "select partition, position from heads";
    let rows: Vec<(Partition, Position)> = on!(&database.reader, |db| sqlx::query_as(sql).fetch_all(db).await)?;
    let mut heads = Heads::default();
    for (partition, position) in rows {
        heads[partition.index()] = position;
    }
    Ok(heads)
}

pub async fn stream(database: &Database, stream_id: Uuid, after: Version) -> Result<Vec<Recorded>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from events where stream_id = $1 and version > $2 order by version");
    on!(&database.reader, |db| sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(stream_id).bind(after).fetch_all(db).await)
}

/// The last position of each partition before a time.
pub async fn before(database: &Database, time: DateTime<Utc>) -> Result<Heads, sqlx::Error> {
    let mut heads = heads(database).await?;
    for partition in Partition::all() {
        let head = &mut heads[partition.index()];
        // Times never decrease within a partition.
        let (mut before, mut not_before) = (0, *head + 1);
        while not_before - before > 1 {
            let middle = before + (not_before - before) / 2;
            let sql = "select recorded_at from events where partition = $1 and position = $2";
            let at: DateTime<Utc> = on!(&database.reader, |db| sqlx::query_scalar(sql).bind(partition).bind(middle).fetch_one(db).await)?;
            if at < time { before = middle } else { not_before = middle }
        }
        *head = before;
    }
    Ok(heads)
}

pub async fn recorded_at(database: &Database, places: &[(Partition, Position)]) -> Rows<(Partition, Position), DateTime<Utc>> {
    let sql = database.reader.pick(
        "select e.partition, e.position, e.recorded_at from json_each($1) place
           join events e on e.partition = place.value->>0 and e.position = place.value->>1",
        "select e.partition, e.position, e.recorded_at from jsonb_array_elements($1) place
           join events e on e.partition = (place->>0)::int and e.position = (place->>1)::bigint",
    );
    let places: Vec<_> = places.iter().map(|(partition, position)| (partition.number(), position)).collect();
    let rows: Vec<(Partition, Position, DateTime<Utc>)> =
        on!(&database.reader, |db| sqlx::query_as(sql).bind(Json(places)).fetch_all(db).await)?;
    Ok(rows.into_iter().map(|(partition, position, at)| ((partition, position), at)).collect())
}

pub async fn read(db: Connection<'_>, partition: Partition, after: Position, limit: usize) -> Result<Vec<Recorded>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from events where partition = $1 and position > $2 order by position limit $3");
    on!(db, |db| sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(partition).bind(after).bind(limit as i64).fetch_all(db).await)
}

pub async fn read_types(
    database: &Database,
    partition: Partition,
    (after, until): (Position, Position),
    types: &[&str],
    limit: usize,
) -> Result<Vec<Recorded>, sqlx::Error> {
    let listed = database.reader.pick("select value from json_each($4)", "select jsonb_array_elements_text($4)");
    let sql = format!(
        "select {COLUMNS} from events where partition = $1 and position > $2 and position <= $3
           and type in ({listed}) order by position limit $5"
    );
    on!(&database.reader, |db| {
        let query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(partition).bind(after).bind(until);
        query.bind(Json(types)).bind(limit as i64).fetch_all(db).await
    })
}

/// An event as folds need it.
#[derive(sqlx::FromRow)]
struct Replayed {
    partition: Partition,
    position: Position,
    event_id: Uuid,
    stream_id: Uuid,
    version: Version,
    #[sqlx(rename = "type")]
    event_type: String,
    #[sqlx(try_from = "i32")]
    schema_version: u32,
    payload: String,
    #[sqlx(json)]
    metadata: Subject,
    recorded_at: DateTime<Utc>,
}

/// Whose it is; what else is known of it would take as long to read as the event.
#[derive(Deserialize)]
struct Subject {
    subject_id: Option<Uuid>,
}

impl From<Replayed> for Recorded {
    fn from(event: Replayed) -> Self {
        let Replayed { partition, position, event_id, stream_id, version, event_type, schema_version, payload, recorded_at, .. } = event;
        let subject_id = event.metadata.subject_id;
        let metadata =
            Metadata { actor: Actor::Anonymous, subject_id, correlation_id: String::new(), causation_id: None, traceparent: None };
        Self { partition, position, event_id, stream_id, version, event_type, schema_version, payload, metadata, recorded_at }
    }
}

/// The same for those who read a whole partition: of the metadata only the subject.
pub async fn replay(
    database: &Database,
    partition: Partition,
    (after, until): (Position, Position),
    types: &[&str],
    limit: usize,
) -> Result<Vec<Recorded>, sqlx::Error> {
    let sql = database.reader.pick(
        "select * from events where partition = $1 and position > $2 and position <= $3
           and type in (select value from json_each($4)) order by position limit $5",
        "select * from events where partition = $1 and position > $2 and position <= $3
           and type = any (array(select jsonb_array_elements_text($4))) order by position limit $5",
    );
    let events: Vec<Replayed> = on!(&database.reader, |db| {
        let query = sqlx::query_as(sql).bind(partition).bind(after).bind(until);
        query.bind(Json(types)).bind(limit as i64).fetch_all(db).await?
    });
    Ok(events.into_iter().map(Recorded::from).collect())
}

pub async fn linked(database: &Database, kind: &str, key: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
    let sql = "select stream_id from links where kind = $1 and key = $2 order by stream_id";
    on!(&database.reader, |db| sqlx::query_scalar(sql).bind(kind).bind(key).fetch_all(db).await)
}
