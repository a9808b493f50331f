//! What is stored, read past the log by plain statements.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use database::{Either, Pool, StoreUrl, Transaction, on};
use event_log::{Append, AppendError, NewEvent, Outcome, Partition};
use sqlx::{
    AssertSqlSafe,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use uuid::Uuid;

use crate::place::Answer;

/// Connections of somebody who is no log.
pub struct Sql(pub Pool);

impl Sql {
    pub async fn open(url: &StoreUrl, schema: &str) -> Self {
        Self(match url {
            StoreUrl::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).busy_timeout(crate::place::DEADLINE);
                Either::Sqlite(SqlitePoolOptions::new().max_connections(4).connect_lazy_with(options))
            }
            StoreUrl::Postgres(text) => {
                let options = text.parse::<PgConnectOptions>().unwrap().options([("search_path", schema)]);
                Either::Postgres(PgPoolOptions::new().max_connections(4).connect_lazy_with(options))
            }
        })
    }

    pub async fn run(&self, sql: &str) {
        on!(&self.0, |db| sqlx::query(AssertSqlSafe(sql)).execute(db).await.map(drop)).expect(sql);
    }

    pub async fn count(&self, sql: &str) -> i64 {
        on!(&self.0, |db| sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(db).await).expect(sql)
    }

    pub async fn texts(&self, sql: &str) -> Vec<String> {
        on!(&self.0, |db| sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(db).await).expect(sql)
    }

    /// A transaction, which on SQLite holds everything.
    pub async fn begin(&self) -> Transaction {
        match &self.0 {
            Either::Sqlite(pool) => Either::Sqlite(pool.begin_with("begin immediate").await.unwrap()),
            Either::Postgres(pool) => Either::Postgres(pool.begin().await.unwrap()),
        }
    }

    /// A transaction that holds a partition's head.
    pub async fn hold(&self, partition: Partition) -> Transaction {
        let mut tx = self.begin().await;
        if let Either::Postgres(db) = &mut tx {
            sqlx::query("select from heads where partition = $1 for update").bind(partition).execute(&mut **db).await.unwrap();
        }
        tx
    }

    /// How many of the log's own connections wait for a lock.
    pub async fn waiting(&self) -> i64 {
        let sql = "select count(*) from pg_stat_activity
                   where datname = current_database() and application_name = 'tizza' and wait_event_type = 'Lock'";
        self.count(sql).await
    }
}

/// Appends one event as the log does, by hand, in a transaction that holds the partition's head.
pub async fn write(tx: &mut Transaction, wish: &Append) {
    let Append { stream_id, partition, expected, events, .. } = wish;
    let move_on = "update heads set position = position + 1 where partition = $1";
    on!(tx, |db| sqlx::query(move_on).bind(partition).execute(&mut **db).await.map(drop)).unwrap();
    let stream = "insert into streams (stream_id, kind, partition, version) values ($1, 'thing', $2, $3)
                  on conflict (stream_id) do update set version = excluded.version";
    on!(tx, |db| sqlx::query(stream).bind(stream_id).bind(partition).bind(expected + 1).execute(&mut **db).await.map(drop)).unwrap();
    let event = r#"insert into events (partition, position, event_id, stream_id, version, type, schema_version, payload, metadata, recorded_at)
                   select partition, position, $1, $2, $3, 'Happened', 1, '{}',
                     '{"actor":{"kind":"anonymous"},"correlation_id":""}', recorded_at from heads where partition = $4"#;
    on!(tx, |db| {
        let query = sqlx::query(event).bind(events[0].event_id).bind(stream_id).bind(expected + 1);
        query.bind(partition).execute(&mut **db).await.map(drop)
    })
    .unwrap();
}

/// An event's row.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Row {
    pub partition: Partition,
    pub position: i64,
    pub event_id: Uuid,
    pub stream_id: Uuid,
    pub version: i64,
    #[sqlx(rename = "type")]
    pub event_type: String,
    pub payload: String,
    pub recorded_at: DateTime<Utc>,
}

/// A row of `command_keys`, but for when it expires.
pub type KeyRow = (Vec<u8>, Vec<u8>, Uuid, i64, i64, i64);

/// All rows of the log.
#[derive(Debug, PartialEq)]
pub struct Stored {
    /// In the order of partitions and positions.
    pub events: Vec<Row>,
    pub heads: BTreeMap<Partition, i64>,
    pub streams: BTreeMap<Uuid, (String, Partition, i64)>,
    pub claims: BTreeMap<Vec<u8>, Uuid>,
    pub links: Vec<(String, Uuid, Uuid)>,
    pub keys: Vec<KeyRow>,
}

macro_rules! all {
    ($tx:expr, $query:expr) => {
        on!(&mut $tx, |db| sqlx::query_as($query).fetch_all(&mut **db).await).expect($query)
    };
}

impl Stored {
    /// As of one moment.
    pub async fn of(sql: &Sql) -> Self {
        let mut tx = match &sql.0 {
            Either::Sqlite(pool) => Either::Sqlite(pool.begin().await.unwrap()),
            Either::Postgres(pool) => Either::Postgres(pool.begin_with("begin isolation level repeatable read").await.unwrap()),
        };
        let streams: Vec<(Uuid, String, Partition, i64)> = all!(tx, "select stream_id, kind, partition, version from streams");
        let heads: Vec<(Partition, i64)> = all!(tx, "select partition, position from heads");
        let claims: Vec<(Vec<u8>, Uuid)> = all!(tx, "select claim, stream_id from claims");
        Self {
            events: all!(
                tx,
                "select partition, position, event_id, stream_id, version, type, payload, recorded_at from events
                 order by partition, position"
            ),
            heads: heads.into_iter().collect(),
            streams: streams.into_iter().map(|(id, kind, partition, version)| (id, (kind, partition, version))).collect(),
            claims: claims.into_iter().collect(),
            links: all!(tx, "select kind, key, stream_id from links order by kind, key, stream_id"),
            keys: all!(
                tx,
                "select command_key, fingerprint, stream_id, expected, version, position from command_keys order by command_key"
            ),
        }
    }

    /// Positions are 1, 2, 3, … up to the head, times never decrease; of each stream versions are 1, 2, 3, … up to its row's, in its row's
    /// partition and in the order of positions; no event is there twice.
    pub fn sound(self) -> Self {
        for (partition, head) in &self.heads {
            let events: Vec<&Row> = self.events.iter().filter(|event| event.partition == *partition).collect();
            let positions: Vec<i64> = events.iter().map(|event| event.position).collect();
            assert_eq!(positions, (1..=*head).collect::<Vec<_>>(), "gapless up to the head of {partition:?}");
            assert!(events.is_sorted_by_key(|event| event.recorded_at), "times of {partition:?}");
        }
        let mut versions = BTreeMap::<Uuid, Vec<i64>>::new();
        for event in &self.events {
            assert_eq!(self.streams[&event.stream_id].1, event.partition);
            versions.entry(event.stream_id).or_default().push(event.version);
        }
        for (stream, (_, _, version)) in &self.streams {
            assert_eq!(versions.remove(stream).unwrap_or_default(), (1..=*version).collect::<Vec<_>>(), "versions of {stream}");
        }
        assert!(versions.is_empty(), "streams without a row: {versions:?}");
        let ids: HashSet<Uuid> = self.events.iter().map(|event| event.event_id).collect();
        assert_eq!(ids.len(), self.events.len(), "an event is there twice");
        self
    }

    /// Each answer is true: what was appended is there, where it was told to be; what was not is not there; of what failed either all is
    /// there or nothing. And nothing else is there.
    pub fn is_what_was_answered<'a>(&self, answers: impl IntoIterator<Item = &'a (Append, Answer)>) {
        let mut rows: HashMap<Uuid, &Row> = self.events.iter().map(|row| (row.event_id, row)).collect();
        for (wish, answer) in answers {
            let mut found: Vec<&Row> = vec![];
            for NewEvent { event_id, .. } in &wish.events {
                found.extend(rows.remove(event_id));
            }
            match answer {
                Ok(Outcome::Appended { version, position }) => {
                    assert_eq!(found.len(), wish.events.len(), "{wish:?} is there as a whole");
                    let count = wish.events.len() as i64;
                    assert_eq!(*version, wish.expected + count);
                    let place = |n: i64, row: &Row| (row.version, row.position) == (wish.expected + n, position - count + n);
                    assert!(found.iter().zip(1..).all(|(row, n)| place(n, row)), "{found:?} is not at {answer:?}");
                    assert!(found.iter().all(|row| row.stream_id == wish.stream_id && row.partition == wish.partition));
                }
                Err(AppendError::Database(_) | AppendError::Closed) => {
                    assert!(found.is_empty() || found.len() == wish.events.len(), "half of {wish:?} is there");
                }
                Ok(_) | Err(_) => assert!(found.is_empty(), "{wish:?} is there, and was answered {answer:?}"),
            }
        }
        assert!(rows.is_empty(), "nobody asked for {rows:?}");
    }
}
