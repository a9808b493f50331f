//! What the relay and the source ask of the world: of a log and its database, of brokers, of the client library that fetches. In earnest these are [`EventLog`], [`Topic`] and rdkafka; in a
//! simulation they are played, and the clock with them.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::Error;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::{
    Making, Topic, TopicError,
    producer::{Arrivals, Producer},
    topic::End,
};
use crate::{Epochs, EventLog, Heads, Partition, Position, Recorded};

/// A log, and what its database keeps for those who work on it.
pub trait Ledger: Clone + Send + Sync + 'static {
    /// This process's own clock.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// See [`EventLog::heads`].
    fn heads(&self) -> watch::Receiver<Heads>;

    /// See [`EventLog::epochs`].
    fn epochs(&self) -> &Epochs;

    /// See [`EventLog::read`].
    fn read(&self, partition: Partition, after: Position, limit: usize) -> impl Future<Output = Result<Vec<Recorded>, Error>> + Send;

    /// The same, with what is sealed as it is stored.
    fn read_sealed(&self, partition: Partition, after: Position, limit: usize)
    -> impl Future<Output = Result<Vec<Recorded>, Error>> + Send;

    /// Opens what is sealed.
    fn unseal(&self, events: Vec<Recorded>) -> impl Future<Output = Result<Vec<Recorded>, Error>> + Send;

    /// See [`EventLog::relayed`].
    fn relayed(&self, topic: &str) -> impl Future<Output = Result<Heads, Error>> + Send;

    /// Remembers how far a topic holds some partitions.
    fn store_relayed(
        &self,
        topic: &str,
        positions: &[(Partition, Position)],
        also_back: bool,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// See [`EventLog::leases`].
    fn leases(&self, names: &[String], owner: Uuid, ttl: Duration) -> impl Future<Output = Result<HashMap<String, i64>, Error>> + Send;

    /// See [`EventLog::release`].
    fn release(&self, names: &[String], owner: Uuid) -> impl Future<Output = Result<(), Error>> + Send;

    /// See [`EventLog::held`].
    fn held(&self, prefix: &str) -> impl Future<Output = Result<i64, Error>> + Send;
}

impl Ledger for EventLog {
    fn heads(&self) -> watch::Receiver<Heads> {
        self.heads()
    }

    fn epochs(&self) -> &Epochs {
        self.epochs()
    }

    async fn read(&self, partition: Partition, after: Position, limit: usize) -> Result<Vec<Recorded>, Error> {
        self.read(partition, after, limit).await
    }

    async fn read_sealed(&self, partition: Partition, after: Position, limit: usize) -> Result<Vec<Recorded>, Error> {
        self.read_sealed(partition, after, limit).await
    }

    async fn unseal(&self, events: Vec<Recorded>) -> Result<Vec<Recorded>, Error> {
        self.unseal(events).await
    }

    async fn relayed(&self, topic: &str) -> Result<Heads, Error> {
        self.relayed(topic).await
    }

    async fn store_relayed(&self, topic: &str, positions: &[(Partition, Position)], also_back: bool) -> Result<(), Error> {
        self.store_relayed(topic, positions, also_back).await
    }

    async fn leases(&self, names: &[String], owner: Uuid, ttl: Duration) -> Result<HashMap<String, i64>, Error> {
        self.leases(names, owner, ttl).await
    }

    async fn release(&self, names: &[String], owner: Uuid) -> Result<(), Error> {
        self.release(names, owner).await
    }

    async fn held(&self, prefix: &str) -> Result<i64, Error> {
        self.held(prefix).await
    }
}

/// A topic on some brokers.
pub trait Broker: Clone + Send + Sync + 'static {
    /// What sends to it.
    type Producer: Produce;

    /// The topic's name.
    fn name(&self) -> &str;

    /// The brokers' names.
    fn servers(&self) -> &str;

    /// Brokers take what we send: none of them refuses us any more.
    fn let_in(&self) {}

    /// See [`Topic::ready`].
    fn ready(&self, making: Option<Making>) -> impl Future<Output = Result<(), TopicError>> + Send;

    /// See [`Topic::ends`].
    fn ends(&self, partitions: Vec<Partition>) -> impl Future<Output = Result<HashMap<Partition, End>, TopicError>> + Send;

    /// One that has sent up to `from`. `changed` is told when something has arrived, or failed.
    ///
    /// # Errors
    /// The client library refuses its settings.
    fn producer(&self, from: Heads, changed: Arc<Notify>) -> Result<Self::Producer, TopicError>;
}

/// Sends records: in order and once, as long as it lives. After the first failure it is of no more use.
pub trait Produce: Send {
    /// Up to where each partition has arrived.
    fn arrivals(&self) -> &Arrivals;

    /// Puts a record behind the others. `false`: there is no more room for now, or the producer has failed.
    fn send(&self, event: &Recorded, epochs: &Epochs) -> bool;
}

impl Broker for Topic {
    type Producer = Producer;

    fn name(&self) -> &str {
        self.name()
    }

    fn servers(&self) -> &str {
        self.servers()
    }

    fn let_in(&self) {
        self.refusals.forget();
    }

    async fn ready(&self, making: Option<Making>) -> Result<(), TopicError> {
        self.ready(making).await
    }

    async fn ends(&self, partitions: Vec<Partition>) -> Result<HashMap<Partition, End>, TopicError> {
        self.ends(partitions).await
    }

    fn producer(&self, from: Heads, changed: Arc<Notify>) -> Result<Producer, TopicError> {
        Producer::new(self, from, changed)
    }
}

/// Where a topic ends, in each of some partitions, if the log has these events, too.
///
/// # Errors
/// It is another log's, or that of before a restore; or nobody answers.
pub async fn agreed_ends(
    topic: &impl Broker,
    log: &impl Ledger,
    partitions: Vec<Partition>,
) -> Result<HashMap<Partition, End>, TopicError> {
    let ends = topic.ends(partitions.clone()).await?;
    for partition in partitions {
        let Some(End { position, event_id }) = ends.get(&partition) else { continue };
        let stored = log.read_sealed(partition, position - 1, 1).await?;
        let stored = stored.first().filter(|event| event.position == *position).map(|event| event.event_id);
        if stored != Some(*event_id) {
            return Err(TopicError::Disagrees {
                topic: topic.name().into(),
                partition: partition.number(),
                position: *position,
                on_topic: *event_id,
                in_log: stored.map_or_else(|| "nothing".into(), |id| format!("event {id}")),
            });
        }
    }
    Ok(ends)
}

/// What fetches records for a member of a group.
pub trait Fetch {
    /// Fetches no more of a partition; whether that was done.
    fn pause(&self, partition: usize) -> bool;

    /// Goes on fetching; whether that was done.
    fn resume(&self, partition: usize) -> bool;

    /// Has it written down that all before `offset` is folded.
    fn commit(&self, partition: usize, offset: i64);
}
