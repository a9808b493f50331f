//! The log's tables: opening them, reading them, and what both databases share of an append.

mod facts;
mod keys;
pub mod postgres;
mod reads;
pub mod sqlite;
mod tables;

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use database::{Connection, Database, Durability, OpenError, Step, Store, StoreUrl, on};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Append, Claim, ClaimKey, Heads, Metadata, Outcome, PARTITIONS, Partition, Position, Recorded, Version,
    judge::{Plan, Planned},
};

pub use facts::{claims, streams};
pub use keys::{forget_old, remembered};
pub use reads::{before, heads, linked, read, read_types, recorded_at, replay, stream};

pub const COLUMNS: &str = "partition, position, event_id, stream_id, version, type, schema_version, payload, metadata, recorded_at";

/// What the log's store is.
pub static LOG: Store = Store {
    schema: "tizza_log",
    durability: Durability::Full,
    tables: tables::TABLES,
    steps: &[
        Step {
            name: "log",
            sqlite: include_str!("../../migrations/sqlite/1_log.sql"),
            postgres: include_str!("../../migrations/postgres/1_log.sql"),
        },
        Step {
            name: "command keys",
            sqlite: include_str!("../../migrations/sqlite/2_command_keys.sql"),
            postgres: include_str!("../../migrations/postgres/2_command_keys.sql"),
        },
        Step { name: "append", sqlite: "", postgres: include_str!("../../migrations/postgres/3_append.sql") },
        Step { name: "append in one function", sqlite: "", postgres: include_str!("../../migrations/postgres/4_append.sql") },
        Step {
            name: "epochs",
            sqlite: include_str!("../../migrations/sqlite/5_epochs.sql"),
            postgres: include_str!("../../migrations/postgres/5_epochs.sql"),
        },
        Step {
            name: "relay",
            sqlite: include_str!("../../migrations/sqlite/6_relay.sql"),
            postgres: include_str!("../../migrations/postgres/6_relay.sql"),
        },
        Step {
            name: "operator actions",
            sqlite: include_str!("../../migrations/sqlite/7_operator_actions.sql"),
            postgres: include_str!("../../migrations/postgres/7_operator_actions.sql"),
        },
    ],
};

/// The log's database, opened and brought up to this version; not in use yet.
#[derive(Debug)]
pub struct LogStore {
    pub(crate) database: Database,
}

impl LogStore {
    /// What is being moved in, and so cannot be opened yet.
    #[must_use]
    pub const fn of(database: Database) -> Self {
        Self { database }
    }

    /// Opens it, and makes it where there is none. A server that is away is waited for, as long as `patience` lasts.
    ///
    /// # Errors
    /// It cannot be opened, or has another number of partitions.
    pub async fn open(url: &StoreUrl, patience: Duration) -> Result<Self, OpenError> {
        let database = Database::open(url, &LOG, patience).await?;
        let unusable = |source| OpenError::Unusable { url: url.clone(), source };
        let found = partitions(&database).await.map_err(|e| unusable(e.into()))?;
        if found != PARTITIONS.to_string() {
            database.close().await;
            return Err(unusable(format!("the log has {found} partitions, this program uses {PARTITIONS}").into()));
        }
        Ok(Self { database })
    }

    /// Whether nothing has happened yet.
    ///
    /// # Errors
    /// The database's own.
    pub async fn is_empty(&self) -> Result<bool, sqlx::Error> {
        Ok(heads(&self.database).await? == Heads::default())
    }

    /// Whether this is the key of the names and commands that the log knows; an unused log takes it for its own. With another one every
    /// name would be free again.
    ///
    /// # Errors
    /// The database's own.
    pub async fn knows(&self, key: &ClaimKey) -> Result<bool, sqlx::Error> {
        knows(&self.database, key).await
    }

    /// Closes it.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

/// The number of partitions in the store, written when it is new. Nothing is written into one that has another number.
async fn partitions(database: &Database) -> Result<String, sqlx::Error> {
    let mut tx = database.begin().await?;
    let sql = "insert into store_meta (key, value) values ('partitions', $1) on conflict do nothing";
    on!(&mut tx, |db| sqlx::query(sql).bind(PARTITIONS.to_string()).execute(&mut **db).await.map(drop))?;
    let sql = "select value from store_meta where key = 'partitions'";
    let found: String = on!(&mut tx, |db| sqlx::query_scalar(sql).fetch_one(&mut **db).await)?;
    if found == PARTITIONS.to_string() {
        for partition in Partition::all() {
            let sql = "insert into heads (partition, position, recorded_at) values ($1, 0, $2) on conflict do nothing";
            on!(&mut tx, |db| sqlx::query(sql).bind(partition).bind(DateTime::UNIX_EPOCH).execute(&mut **db).await.map(drop))?;
        }
    }
    tx.commit().await?;
    Ok(found)
}

/// Whether the claim key's fingerprint is that of the store, which is written when there is none yet.
pub async fn knows(database: &Database, key: &ClaimKey) -> Result<bool, sqlx::Error> {
    let fingerprint = facts::hex(&key.mac("fingerprint", []).0);
    let find = "select value from store_meta where key = 'claim_key'";
    let found: Option<String> = on!(&database.reader, |db| sqlx::query_scalar(find).fetch_optional(db).await)?;
    if let Some(found) = found {
        return Ok(found == fingerprint);
    }
    let sql = "insert into store_meta (key, value) values ('claim_key', $1) on conflict do nothing";
    on!(&database.writer, |db| sqlx::query(sql).bind(&fingerprint).execute(db).await.map(drop))?;
    let found: String = on!(&database.writer, |db| sqlx::query_scalar(find).fetch_one(db).await)?;
    Ok(found == fingerprint)
}

/// What became of a batch.
#[derive(Debug)]
pub struct Written {
    /// Of each wish, in order.
    pub outcomes: Vec<Outcome>,
    /// Of the partitions that were written to.
    pub heads: Vec<(Partition, Position)>,
    /// In the order of their positions.
    pub events: Vec<Recorded>,
}

/// An event as it is stored.
fn recorded(batch: &[Append], planned: &Planned) -> Recorded {
    let wish = &batch[planned.wish];
    let event = &wish.events[planned.event];
    Recorded {
        partition: wish.partition,
        position: planned.position,
        event_id: event.event_id,
        stream_id: wish.stream_id,
        version: planned.version,
        event_type: event.event_type.into(),
        schema_version: event.schema_version,
        payload: event.payload.clone(),
        metadata: wish.metadata.clone(),
        recorded_at: planned.recorded_at,
    }
}

fn metadata(metadata: &Metadata) -> Result<String, sqlx::Error> {
    serde_json::to_string(metadata).map_err(|e| sqlx::Error::Encode(e.into()))
}

fn moved(plan: &Plan) -> Vec<(Partition, Position)> {
    plan.heads.iter().map(|(partition, head)| (*partition, head.position)).collect()
}

/// Microseconds are what both databases keep.
pub fn now() -> DateTime<Utc> {
    let now = Utc::now();
    DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
}

type Rows<K, V> = Result<HashMap<K, V>, sqlx::Error>;

#[cfg(test)]
mod tests;
