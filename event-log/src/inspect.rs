//! Looking at the log as it is stored: what is sealed stays sealed, and nothing is written. For operators' tools.

use chrono::{DateTime, Utc};
use database::{Transaction, on};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    Heads, LogStore, Partition, Position, Recorded, StreamRow,
    judge::Head,
    store::{self, COLUMNS},
};

impl LogStore {
    /// The events of a stream, oldest first.
    ///
    /// # Errors
    /// The database's own.
    pub async fn stream(&self, stream_id: Uuid) -> Result<Vec<Recorded>, sqlx::Error> {
        store::stream(&self.database, stream_id, 0).await
    }

    /// At most `limit` events of a partition after `position`, oldest first.
    ///
    /// # Errors
    /// The database's own.
    pub async fn read(&self, partition: Partition, after: Position, limit: usize) -> Result<Vec<Recorded>, sqlx::Error> {
        store::read(self.database.reader.acquire().await?.connection(), partition, after, limit).await
    }

    /// The last position of each partition.
    ///
    /// # Errors
    /// The database's own.
    pub async fn heads(&self) -> Result<Heads, sqlx::Error> {
        store::heads(&self.database).await
    }

    /// All that followed from one request, in the order of time. There is no index: the whole log is looked through.
    ///
    /// # Errors
    /// The database's own.
    pub async fn correlated(&self, correlation_id: &str) -> Result<Vec<Recorded>, sqlx::Error> {
        let sql =
            format!("select {COLUMNS} from events where metadata ->> 'correlation_id' = $1 order by recorded_at, partition, position");
        on!(&self.database.reader, |db| sqlx::query_as(AssertSqlSafe(sql)).bind(correlation_id).fetch_all(db).await)
    }

    /// The last position of each partition before a time.
    ///
    /// # Errors
    /// The database's own.
    pub async fn before(&self, time: DateTime<Utc>) -> Result<Heads, sqlx::Error> {
        store::before(&self.database, time).await
    }

    /// All of the log, as it is at one moment.
    ///
    /// # Errors
    /// The database's own.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, sqlx::Error> {
        Ok(Snapshot(self.database.snapshot().await?))
    }
}

/// The log at one moment, whatever is written meanwhile.
pub(crate) struct Snapshot(Transaction);

macro_rules! all {
    ($snapshot:ident, $query:expr) => {
        on!(&mut $snapshot.0, |db| $query.fetch_all(&mut **db).await)
    };
}

impl Snapshot {
    pub async fn heads(&mut self) -> Result<Vec<(Partition, Head)>, sqlx::Error> {
        let sql = "select partition, position, recorded_at from heads order by partition";
        let rows: Vec<(Partition, Position, DateTime<Utc>)> = all!(self, sqlx::query_as(sql))?;
        Ok(rows.into_iter().map(|(partition, position, recorded_at)| (partition, Head { position, recorded_at })).collect())
    }

    pub async fn events(&mut self, partition: Partition, after: Position, limit: usize) -> Result<Vec<Recorded>, sqlx::Error> {
        store::read(self.0.connection(), partition, after, limit).await
    }

    /// In the order of their ids, after one.
    pub async fn streams(&mut self, after: Uuid, limit: usize) -> Result<Vec<(Uuid, StreamRow)>, sqlx::Error> {
        let sql = "select stream_id, kind, partition, version from streams where stream_id > $1 order by stream_id limit $2";
        let rows: Vec<(Uuid, String, Partition, i64)> = all!(self, sqlx::query_as(sql).bind(after).bind(limit as i64))?;
        Ok(rows.into_iter().map(|(id, kind, partition, version)| (id, StreamRow { kind, partition, version })).collect())
    }

    pub async fn claims(&mut self) -> Result<Vec<(Vec<u8>, Uuid)>, sqlx::Error> {
        all!(self, sqlx::query_as("select claim, stream_id from claims"))
    }

    pub async fn links(&mut self) -> Result<Vec<(String, Uuid, Uuid)>, sqlx::Error> {
        all!(self, sqlx::query_as("select kind, key, stream_id from links"))
    }

    /// Of each command key: its stream, and its place.
    pub async fn command_keys(&mut self) -> Result<Vec<(Uuid, Partition, Position)>, sqlx::Error> {
        all!(self, sqlx::query_as("select stream_id, partition, position from command_keys"))
    }

    pub async fn policy_checkpoints(&mut self) -> Result<Vec<(String, Partition, Position)>, sqlx::Error> {
        all!(self, sqlx::query_as("select policy, partition, position from policy_checkpoints"))
    }
}
