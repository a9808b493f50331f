//! Appending on SQLite: one transaction, decided under its lock. Rows travel as one JSON array a table, ids in it as hexadecimal digits.

use chrono::SecondsFormat;
use database::Transaction;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use uuid::fmt::Simple;

use super::{facts::hex, *};
use crate::judge::judge;

/// Decides a batch under the lock and writes what was accepted, in one transaction.
pub async fn append(database: &Database, batch: &[Append]) -> Result<Written, sqlx::Error> {
    let mut tx = database.begin().await?;
    let mut facts = facts::read(tx.connection(), batch).await?;
    facts.heads = facts::heads(tx.connection(), &Partition::all().collect()).await?.into_iter().collect();
    let (outcomes, plan) = judge(batch, facts, now());
    let events: Vec<_> = plan.events.iter().map(|planned| recorded(batch, planned)).collect();
    if let Transaction::Sqlite(db) = &mut tx {
        write(db, &events, &plan).await?;
    }
    tx.commit().await?;
    Ok(Written { outcomes, heads: moved(&plan), events })
}

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
            metadata: metadata(&event.metadata)?,
            recorded_at: text(event.recorded_at),
        })
    }
}

async fn write(db: &mut SqliteConnection, recorded: &[Recorded], plan: &Plan) -> Result<(), sqlx::Error> {
    if plan.is_empty() {
        return Ok(());
    }
    events(db, recorded).await?;
    streams(db, plan).await?;
    heads(db, plan).await?;
    claims(db, plan).await?;
    links(db, plan).await?;
    keys(db, plan).await
}

/// One statement for many rows; nothing to do without rows.
async fn run(db: &mut SqliteConnection, sql: &'static str, rows: Vec<Value>) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(sql).bind(Json(rows)).execute(db).await.map(drop)
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
    let rows = plan.streams.iter().map(|(id, row)| json!([id.simple(), row.kind, row.partition.number(), row.version]));
    let sql = "insert into streams (stream_id, kind, partition, version)
               select unhex(value->>0), value->>1, value->>2, value->>3 from json_each($1) where true
               on conflict (stream_id) do update set version = excluded.version";
    run(db, sql, rows.collect()).await
}

async fn heads(db: &mut SqliteConnection, plan: &Plan) -> Result<(), sqlx::Error> {
    let rows = plan.heads.iter().map(|(partition, head)| json!([partition.number(), head.position, text(head.recorded_at)]));
    let sql = "update heads set position = value->>1, recorded_at = value->>2 from json_each($1) where partition = value->>0";
    run(db, sql, rows.collect()).await
}

async fn claims(db: &mut SqliteConnection, plan: &Plan) -> Result<(), sqlx::Error> {
    let freed = plan.freed.iter().map(|claim| json!(hex(&claim.0)));
    run(db, "delete from claims where claim in (select unhex(value) from json_each($1))", freed.collect()).await?;
    let taken = plan.claims.iter().filter_map(|(claim, holder)| Some(json!([hex(&claim.0), (*holder)?.simple()])));
    let sql = "insert into claims (claim, stream_id) select unhex(value->>0), unhex(value->>1) from json_each($1) where true
               on conflict (claim) do nothing";
    run(db, sql, taken.collect()).await
}

async fn links(db: &mut SqliteConnection, plan: &Plan) -> Result<(), sqlx::Error> {
    let rows = |present| {
        let some = plan.links.iter().filter(move |(_, there)| **there == present);
        some.map(|((kind, key, stream_id), _)| json!([kind, key.simple(), stream_id.simple()])).collect()
    };
    let sql = "insert into links (kind, key, stream_id)
               select value->>0, unhex(value->>1), unhex(value->>2) from json_each($1) where true on conflict do nothing";
    run(db, sql, rows(true)).await?;
    let sql = "delete from links where (kind, key, stream_id) in
               (select value->>0, unhex(value->>1), unhex(value->>2) from json_each($1))";
    run(db, sql, rows(false)).await
}

async fn keys(db: &mut SqliteConnection, plan: &Plan) -> Result<(), sqlx::Error> {
    let row = |(key, row): (&crate::command_key::Key, &crate::judge::KeyRow)| {
        let told = &row.remembered;
        json!([
            hex(&key.0),
            hex(&row.fingerprint.0),
            told.stream_id.simple(),
            told.partition.number(),
            told.expected,
            told.version,
            told.position,
            row.expires_at
        ])
    };
    // One that is there has expired.
    let sql = "insert or replace into command_keys
                 (command_key, fingerprint, stream_id, partition, expected, version, position, expires_at)
               select unhex(value->>0), unhex(value->>1), unhex(value->>2), value->>3, value->>4, value->>5, value->>6, value->>7
               from json_each($1)";
    run(db, sql, plan.keys.iter().map(row).collect()).await
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
