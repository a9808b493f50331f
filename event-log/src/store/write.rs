//! Writes a plan, one statement a table: rows travel as one JSON array, ids in it as hexadecimal digits.

use serde::Serialize;
use serde_json::json;
use sqlx::types::Json;
use uuid::fmt::Simple;

use super::{facts::hex, *};
use crate::judge::Plan;

#[derive(Serialize)]
struct EventRow<'a> {
    partition: u16,
    position: Position,
    event_id: Simple,
    stream_id: Simple,
    version: Version,
    #[serde(rename = "type")]
    event_type: &'a str,
    schema_version: u32,
    payload: &'a str,
    metadata: String,
    recorded_at: String,
}

impl<'a> EventRow<'a> {
    fn new(event: &'a Recorded) -> Result<Self, sqlx::Error> {
        Ok(Self {
            partition: event.partition.number(),
            position: event.position,
            event_id: event.event_id.simple(),
            stream_id: event.stream_id.simple(),
            version: event.version,
            event_type: &event.event_type,
            schema_version: event.schema_version,
            payload: &event.payload,
            metadata: serde_json::to_string(&event.metadata).map_err(|e| sqlx::Error::Encode(e.into()))?,
            recorded_at: text(event.recorded_at),
        })
    }
}

pub async fn plan(db: &mut SqliteConnection, recorded: &[Recorded], plan: &Plan) -> Result<(), sqlx::Error> {
    if recorded.is_empty() {
        return Ok(());
    }
    events(db, recorded).await?;
    streams(db, plan).await?;
    heads(db, plan).await?;
    claims(db, plan).await?;
    links(db, plan).await
}

async fn events(db: &mut SqliteConnection, recorded: &[Recorded]) -> Result<(), sqlx::Error> {
    let rows: Vec<_> = recorded.iter().map(EventRow::new).collect::<Result<_, _>>()?;
    let sql = "insert into events
                 (partition, position, event_id, stream_id, version, type, schema_version, payload, metadata, recorded_at)
               select value->>'partition', value->>'position', unhex(value->>'event_id'), unhex(value->>'stream_id'),
                 value->>'version', value->>'type', value->>'schema_version', value->>'payload', value->>'metadata',
                 value->>'recorded_at'
               from json_each($1)";
    sqlx::query(sql).bind(Json(rows)).execute(db).await.map(drop)
}

async fn streams(db: &mut SqliteConnection, plan: &Plan) -> Result<(), sqlx::Error> {
    let rows: Vec<_> = plan.streams.iter().map(|(id, row)| json!([id.simple(), row.kind, row.partition.number(), row.version])).collect();
    let sql = "insert into streams (stream_id, kind, partition, version)
               select unhex(value->>0), value->>1, value->>2, value->>3 from json_each($1) where true
               on conflict (stream_id) do update set version = excluded.version";
    sqlx::query(sql).bind(Json(rows)).execute(db).await.map(drop)
}

async fn heads(db: &mut SqliteConnection, plan: &Plan) -> Result<(), sqlx::Error> {
    let rows: Vec<_> =
        plan.heads.iter().map(|(partition, head)| json!([partition.number(), head.position, text(head.recorded_at)])).collect();
    let sql = "update heads set position = value->>1, recorded_at = value->>2 from json_each($1) where partition = value->>0";
    sqlx::query(sql).bind(Json(rows)).execute(db).await.map(drop)
}

async fn claims(db: &mut SqliteConnection, plan: &Plan) -> Result<(), sqlx::Error> {
    let (taken, free): (Vec<_>, Vec<_>) = plan.claims.iter().partition(|(_, holder)| holder.is_some());
    if !free.is_empty() {
        let names: Vec<_> = free.into_iter().map(|(claim, _)| hex(&claim.0)).collect();
        let sql = "delete from claims where claim in (select unhex(value) from json_each($1))";
        sqlx::query(sql).bind(Json(names)).execute(&mut *db).await?;
    }
    if !taken.is_empty() {
        let rows: Vec<_> = taken.into_iter().map(|(claim, holder)| json!([hex(&claim.0), holder.map(Uuid::simple)])).collect();
        let sql = "insert into claims (claim, stream_id) select unhex(value->>0), unhex(value->>1) from json_each($1) where true
                   on conflict (claim) do update set stream_id = excluded.stream_id";
        sqlx::query(sql).bind(Json(rows)).execute(db).await?;
    }
    Ok(())
}

async fn links(db: &mut SqliteConnection, plan: &Plan) -> Result<(), sqlx::Error> {
    for present in [true, false] {
        let rows: Vec<_> = plan
            .links
            .iter()
            .filter(|(_, there)| **there == present)
            .map(|((kind, key, stream_id), _)| json!([kind, key.simple(), stream_id.simple()]))
            .collect();
        if rows.is_empty() {
            continue;
        }
        let sql = if present {
            "insert into links (kind, key, stream_id)
             select value->>0, unhex(value->>1), unhex(value->>2) from json_each($1) where true on conflict do nothing"
        } else {
            "delete from links where (kind, key, stream_id) in
             (select value->>0, unhex(value->>1), unhex(value->>2) from json_each($1))"
        };
        sqlx::query(sql).bind(Json(rows)).execute(&mut *db).await?;
    }
    Ok(())
}
