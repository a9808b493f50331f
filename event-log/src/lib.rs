//! The log: durable, ordered, and the only truth. It knows no word of the domain.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`append`] | what a writer asks for and what it is answered |
//! | [`record`] | an event as the log keeps it |
//! | [`partition`] | which partition a subject's streams live in |
//! | [`claim`] | unique names, as the log keeps them |
//! | `judge` | decides a batch of appends, purely |
//! | `writer` | collects appends into batches, while one is being written |
//! | `recent` | the newest events, in memory |
//! | `store` | the statements |
//! | [`policy_store`] | checkpoints, leases and parked events of those who react to events |
//!
//! Positions in a partition are 1, 2, 3, … in the order of commits, without gaps: a reader that has seen *n* has seen all
//! up to *n*.

pub mod append;
pub mod claim;
mod judge;
pub mod partition;
pub mod policy_store;
mod recent;
pub mod record;
mod store;
mod writer;

use std::{collections::HashMap, sync::Arc, time::Duration};

use database::{Database, OpenError, StoreUrl};
use tokio::sync::watch;
use uuid::Uuid;

pub use append::{Append, AppendError, ClaimChange, LinkChange, NewEvent, Outcome, Read};
pub use claim::{Claim, ClaimKey};
pub use partition::{PARTITIONS, Partition};
pub use record::{Actor, Metadata, Recorded, StreamRow};

/// The log's epoch: raised when a backup is restored, so that positions of before are not mistaken for those of after.
pub const EPOCH: u32 = 1;

/// The largest payload, in bytes.
pub const MAX_PAYLOAD: usize = 256 * 1024;

/// A place in a partition: the first event has 1.
pub type Position = i64;

/// How many events a stream has.
pub type Version = i64;

/// A handle to the log; clones share one writer.
#[derive(Clone, Debug)]
pub struct EventLog {
    database: Database,
    writer: writer::Writer,
    heads: Arc<watch::Sender<Heads>>,
    recent: Arc<recent::Recent>,
}

/// The last position of each partition, as far as this process knows.
pub type Heads = [Position; PARTITIONS as usize];

impl EventLog {
    /// Opens the log and starts its writer.
    ///
    /// # Errors
    /// The store cannot be opened, or has another number of partitions.
    pub async fn open(url: &StoreUrl) -> Result<Self, OpenError> {
        let database = store::open(url).await?;
        let unusable = |e: sqlx::Error| OpenError::Unusable { url: url.clone(), source: e.into() };
        let heads = Arc::new(watch::Sender::new(store::heads(&database).await.map_err(unusable)?));
        let recent = Arc::default();
        let writer = writer::Writer::start(database.clone(), heads.clone(), Arc::clone(&recent));
        Ok(Self { database, writer, heads, recent })
    }

    /// Appends events to a stream, or says why not. Returns when the events are durable.
    ///
    /// # Errors
    /// Something is not to be stored at all (too large), the queue is full, or the database failed.
    pub async fn append(&self, append: Append) -> Result<Outcome, AppendError> {
        append.check()?;
        self.writer.append(append).await
    }

    /// The events of a stream after `version`, oldest first.
    ///
    /// # Errors
    /// The database's own.
    pub async fn stream(&self, stream_id: Uuid, after: Version) -> Result<Vec<Recorded>, sqlx::Error> {
        store::stream(&self.database, stream_id, after).await
    }

    /// At most `limit` events of a partition after `position`, oldest first.
    ///
    /// # Errors
    /// The database's own.
    pub async fn read(&self, partition: Partition, after: Position, limit: usize) -> Result<Vec<Recorded>, sqlx::Error> {
        match self.recent.after(partition, after, limit) {
            Some(events) => Ok(events),
            None => store::read(&self.database, partition, after, limit).await,
        }
    }

    /// At most `limit` events of some types in a partition, after one position and up to another, oldest first.
    ///
    /// # Errors
    /// The database's own.
    pub async fn read_types(
        &self,
        partition: Partition,
        after: Position,
        until: Position,
        types: &[&str],
        limit: usize,
    ) -> Result<Vec<Recorded>, sqlx::Error> {
        match self.recent.of_types(partition, (after, until), types, limit) {
            Some(events) => Ok(events),
            None => store::read_types(&self.database, partition, (after, until), types, limit).await,
        }
    }

    /// Kind, partition and version of each of the streams that exist.
    ///
    /// # Errors
    /// The database's own.
    pub async fn rows(&self, streams: &[Uuid]) -> Result<HashMap<Uuid, StreamRow>, sqlx::Error> {
        store::streams(&mut *self.database.reader.acquire().await?, streams.iter().copied()).await
    }

    /// Which stream holds a unique name.
    ///
    /// # Errors
    /// The database's own.
    pub async fn holder(&self, claim: Claim) -> Result<Option<Uuid>, sqlx::Error> {
        Ok(store::claims(&mut *self.database.reader.acquire().await?, [claim].into_iter()).await?.remove(&claim))
    }

    /// The streams that are linked under a key, in the order of their ids.
    ///
    /// # Errors
    /// The database's own.
    pub async fn linked(&self, kind: &str, key: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
        store::linked(&self.database, kind, key).await
    }

    /// The last position of a partition, as the database has it now.
    ///
    /// # Errors
    /// The database's own.
    pub async fn head(&self, partition: Partition) -> Result<Position, sqlx::Error> {
        Ok(store::heads(&self.database).await?[partition.index()])
    }

    /// The last position of each partition, to be waited on. Changed by this process's own appends at once, by those of
    /// others within [`POLL`] while [`EventLog::follow`] runs.
    #[must_use]
    pub fn heads(&self) -> watch::Receiver<Heads> {
        self.heads.subscribe()
    }

    /// Looks for what other processes append, for ever: run it in a task of its own.
    pub async fn follow(&self) {
        loop {
            tokio::time::sleep(POLL).await;
            match store::heads(&self.database).await {
                Ok(found) => writer::publish(&self.heads, found),
                Err(error) => tracing::warn!(%error, "the log's heads cannot be read"),
            }
        }
    }

    /// Waits until what was accepted is written, and closes the store.
    pub async fn close(&self) {
        self.writer.drain().await;
        self.database.close().await;
    }
}

/// How often [`EventLog::follow`] looks.
pub const POLL: Duration = Duration::from_millis(100);
