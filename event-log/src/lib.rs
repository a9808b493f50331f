//! The log: durable, ordered, and the only truth. It knows no word of the domain.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`append`] | what a writer asks for and what it is answered |
//! | [`record`] | an event as the log keeps it |
//! | [`partition`] | which partition a subject's streams live in |
//! | [`claim`], [`command_key`] | unique names, and by what a repeated command is known |
//! | [`keys`], `seal` | the keys of persons, and sealing what is personal in a payload |
//! | [`epochs`] | what is told apart after a restore |
//! | [`erasures`] | destroying a person's key; the list of the erased, outside of all backups |
//! | `moved` | a log that is elsewhere, or on its way |
//! | `judge` | decides a batch of appends, purely |
//! | `read`, [`follow`] | reading the log, and hearing of what is new |
//! | `writer` | collects appends into batches, while one is being written |
//! | `recent` | the newest events, in memory |
//! | `store` | the statements, for SQLite and for Postgres |
//! | `inspect`, [`verify`] | looking at the log as it is stored, and whether it is as it must be |
//! | [`policy_store`] | checkpoints and parked events of those who react to events |
//! | `leases` | who may work on what, until when |
//! | [`operator_actions`] | who changed what
//! | [`figures`] | what is counted for operators |
//! | [`trace`] | where an event belongs in a trace, and spans |
//! | [`kafka`] | the log on a topic of Kafka: the relay, and a source for those who follow it |
//!
//! Positions in a partition are 1, 2, 3, … in the order of commits, without gaps: a reader that has seen *n* has seen all
//! up to *n*.

pub mod append;
pub mod claim;
pub mod command_key;
pub mod epochs;
pub mod erasures;
pub mod figures;
pub mod follow;
mod inspect;
mod judge;
pub mod kafka;
pub mod keys;
mod leases;
mod moved;
pub mod operator_actions;
pub mod partition;
pub mod policy_store;
mod read;
mod recent;
pub mod record;
mod seal;
mod store;
pub mod trace;
pub mod verify;
mod writer;

use std::sync::Arc;

use database::{Database, Presence};
use tokio::sync::watch;
use uuid::Uuid;

pub use append::{Append, AppendError, ClaimChange, LinkChange, NewEvent, Outcome, Read, Remembered};
pub use claim::{Claim, ClaimKey};
pub use command_key::{CommandKey, Key};
pub use epochs::Epochs;
pub use erasures::{Erasures, ErasuresError};
pub use keys::{KEYS, KeyStore, Keys, KeysError};
pub use moved::{AppendingError, Moved};
pub use operator_actions::OperatorAction;
pub use partition::{PARTITIONS, Partition};
pub use record::{Actor, Metadata, Recorded, StreamRow};
pub use store::{LOG, LogStore};
use trace::{KeyValue, Span, SpanKind};
pub use writer::Submitted;

/// The largest payload, in bytes, sealed.
pub const MAX_PAYLOAD: usize = 256 * 1024;

/// A place in a partition: the first event has 1.
pub type Position = i64;

/// How many events a stream has.
pub type Version = i64;

/// A handle to the log; clones share its writers.
#[derive(Clone, Debug)]
pub struct EventLog {
    database: Database,
    keys: Keys,
    writers: writer::Writers,
    epochs: Arc<Epochs>,
    told: writer::Told,
    /// Shown by who appends, see [`EventLog::begin_appending`].
    presence: Option<Arc<Presence>>,
}

/// The last position of each partition, as far as this process knows.
pub type Heads = [Position; PARTITIONS as usize];

/// What the writers have done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Batches {
    /// How many transactions.
    pub batches: u64,
    /// How many commands were in them.
    pub commands: u64,
    /// How long they took, together, in microseconds.
    pub micros: u64,
}

impl EventLog {
    /// Starts the writers of an opened store.
    ///
    /// # Errors
    /// The database's own.
    pub async fn start(store: LogStore, keys: Keys) -> Result<Self, sqlx::Error> {
        let database = store.database;
        let heads = Arc::new(watch::Sender::new(store::heads(&database).await?));
        let epochs = Arc::new(epochs::epochs(&database).await?);
        let told = writer::Told { heads, recent: Arc::default(), bell: store::postgres::listen::Bell::default() };
        let writers = writer::Writers::start(&database, &told);
        Ok(Self { database, keys, writers, epochs, told, presence: None })
    }

    /// See [`LogStore::knows`].
    ///
    /// # Errors
    /// The database's own.
    pub async fn knows(&self, key: &ClaimKey) -> Result<bool, sqlx::Error> {
        store::knows(&self.database, key).await
    }

    /// Appends events to a stream, or says why not. Returns when the events are durable.
    ///
    /// # Errors
    /// Something is not to be stored at all (too large), the queue is full, or the database failed.
    pub async fn append(&self, append: Append) -> Result<Outcome, AppendError> {
        self.submit(append).await?.outcome().await
    }

    /// Queues an append, and returns before it is decided: of two that are submitted one after the other for one partition, the first is
    /// judged first.
    ///
    /// # Errors
    /// As [`EventLog::append`], but for what the database says.
    pub async fn submit(&self, mut append: Append) -> Result<Submitted, AppendError> {
        let traceparent = append.metadata.traceparent;
        let span = Span::begin("append", SpanKind::Internal, traceparent, || vec![KeyValue::new("tizza.stream", append.kind)]);
        append.metadata.traceparent = span.context();
        self.keys.seal(&mut append).await?;
        append.check()?;
        self.writers.submit(append, span)
    }

    /// What a command with this key came to, if it is remembered, and whether it was this very command.
    ///
    /// # Errors
    /// The database's own.
    pub async fn remembered(&self, key: &CommandKey) -> Result<Option<Outcome>, sqlx::Error> {
        let row = store::remembered(&self.database, key.key).await?;
        let told =
            |row: judge::KeyRow| if row.fingerprint == key.fingerprint { Outcome::Replayed(row.remembered) } else { Outcome::KeyReused };
        Ok(row.map(told))
    }

    /// The last position of each partition, to be waited on. Changed by this process's own appends at once, by those of
    /// others soon, while [`EventLog::follow`] runs.
    #[must_use]
    pub fn heads(&self) -> watch::Receiver<Heads> {
        self.told.heads.subscribe()
    }

    /// Destroys the key of a person: nobody can read their personal values any more.
    ///
    /// # Errors
    /// The database's own.
    pub async fn shred(&self, subject: Uuid) -> Result<(), sqlx::Error> {
        self.keys.destroy(subject).await
    }

    /// All whose key was destroyed.
    ///
    /// # Errors
    /// The database's own.
    pub async fn erased(&self) -> Result<Vec<Uuid>, sqlx::Error> {
        self.keys.erased().await
    }

    /// The log's epochs, as they were when it was opened: nobody begins one meanwhile.
    #[must_use]
    pub fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// What the writers have done so far.
    #[must_use]
    pub fn batches(&self) -> Batches {
        self.writers.batches()
    }

    /// How many commands wait for a writer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.writers.waiting()
    }

    /// Waits until what was accepted is written, and closes the stores.
    pub async fn close(&self) {
        self.writers.drain().await;
        let Batches { batches, commands, micros } = self.batches();
        tracing::info!(batches, commands, micros, "the log is closed");
        self.database.close().await;
        self.keys.close().await;
    }
}
