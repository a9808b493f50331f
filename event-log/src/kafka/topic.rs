//! Where the topic is; looking at it, making it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{Access, Quiet, Refusals, TopicError, envelope};
use crate::{Epochs, PARTITIONS, Partition, Position};

/// How long a broker may take to answer a question.
const ANSWER: Duration = Duration::from_secs(5);
/// How many of the last records are looked through for one of ours.
const LAST: i64 = 100;

/// A topic on some brokers.
#[derive(Clone, Debug)]
pub struct Topic {
    servers: Arc<str>,
    name: Arc<str>,
    access: Access,
    pub(super) refusals: Refusals,
}

/// How a topic is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Making {
    /// On how many brokers it is kept.
    pub replication: i32,
    /// How many of them must have a record before it counts.
    pub min_insync: u16,
}

/// The last event that a partition of the topic holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Its place.
    pub position: Position,
    /// Its own name.
    pub event_id: Uuid,
}

impl ConsumerContext for Quiet {}

impl Topic {
    /// `servers`: `HOST:PORT`, several with commas. An epoch that a restore began has a topic of its own, `<name>.<epoch>`.
    #[must_use]
    pub fn new(servers: &str, name: &str, epochs: &Epochs) -> Self {
        let name = if epochs.is_first() { name.to_owned() } else { format!("{name}.{}", epochs.current()) };
        Self { servers: servers.into(), name: name.into(), access: Access::default(), refusals: Refusals::default() }
    }

    /// The same, spoken to in another way.
    #[must_use]
    pub fn by(self, access: Access) -> Self {
        Self { refusals: Refusals::new(&access), access, ..self }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its brokers.
    #[must_use]
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// What every client of it is set up with.
    #[must_use]
    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &*self.servers).set("client.id", "tizza");
        self.access.set(&mut config);
        // Soon there again when it was away, and idle meanwhile.
        config.set("reconnect.backoff.ms", "50").set("reconnect.backoff.max.ms", "1000");
        config.set_log_level(RDKafkaLogLevel::Error);
        config
    }

    /// Why brokers of this process's clients do not let us in, if one does not.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        self.refusals.any()
    }

    pub(super) fn away(&self, source: KafkaError) -> TopicError {
        self.refused().map_or_else(|| TopicError::Away { servers: self.servers.clone(), source }, |why| TopicError::Refused { why })
    }

    pub(super) fn quiet(&self) -> Quiet {
        Quiet(self.refusals.clone())
    }

    pub(super) fn reader(&self) -> Result<BaseConsumer<Quiet>, TopicError> {
        // A group has to be named, and is not joined.
        let config = self.config().set("group.id", "tizza.look").set("enable.auto.commit", "false").clone();
        config.create_with_context(self.quiet()).map_err(|error| self.away(error))
    }

    /// Whether it is there and as it must be.
    ///
    /// # Errors
    /// It is not, or nobody answers.
    pub async fn check(&self) -> Result<(), TopicError> {
        let topic = self.clone();
        blocking(move || topic.check_now(&topic.reader()?)).await
    }

    fn check_now(&self, reader: &BaseConsumer<Quiet>) -> Result<(), TopicError> {
        let metadata = reader.fetch_metadata(Some(&self.name), ANSWER).map_err(|error| {
            // What brokers said meanwhile is heard by who asks for records.
            (0..20).for_each(|_| drop(reader.poll(Duration::from_millis(10))));
            self.away(error)
        })?;
        self.refusals.forget();
        let found = metadata.topics().iter().find(|topic| topic.name() == &*self.name);
        match found.map(|topic| (topic.error().map(RDKafkaErrorCode::from), topic.partitions().len())) {
            Some((None, found)) if found == usize::from(PARTITIONS) => Ok(()),
            Some((None, found)) if found > 0 => Err(TopicError::Partitions { topic: self.name.clone(), found }),
            Some((Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic), _)) | None => {
                Err(TopicError::Missing(self.name.clone()))
            }
            Some((error, _)) => Err(self.away(KafkaError::MetadataFetch(error.unwrap_or(RDKafkaErrorCode::LeaderNotAvailable)))),
        }
    }

    /// Makes it if it is missing and may be made, then looks whether it is as it must be.
    ///
    /// # Errors
    /// It is not, or nobody answers.
    pub async fn ready(&self, making: Option<Making>) -> Result<(), TopicError> {
        match (self.check().await, making) {
            (Err(TopicError::Missing(_)), Some(making)) => self.create(making).await?,
            (checked, _) => return checked,
        }
        // Brokers hear of it one after the other.
        for _ in 0..20 {
            match self.check().await {
                Err(TopicError::Missing(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
                checked => return checked,
            }
        }
        self.check().await
    }

    /// It keeps everything.
    async fn create(&self, Making { replication, min_insync }: Making) -> Result<(), TopicError> {
        let admin: AdminClient<Quiet> = self.config().create_with_context(self.quiet()).map_err(|error| self.away(error))?;
        let min_insync = min_insync.to_string();
        let new = NewTopic::new(&self.name, i32::from(PARTITIONS), TopicReplication::Fixed(replication));
        let new = new.set("cleanup.policy", "delete").set("retention.ms", "-1").set("retention.bytes", "-1");
        let new = new.set("min.insync.replicas", &min_insync).set("unclean.leader.election.enable", "false");
        let options = AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER));
        let made = admin.create_topics([&new], &options).await.map_err(|error| self.away(error))?;
        match made.into_iter().next() {
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) | Some(Ok(_)) | None => Ok(()),
            Some(Err((_, code))) => Err(TopicError::NotMade { topic: self.name.clone(), code }),
        }
    }

    /// The last event of ours that each of some partitions holds.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn ends(&self, partitions: Vec<Partition>) -> Result<HashMap<Partition, End>, TopicError> {
        let topic = self.clone();
        blocking(move || topic.ends_now(&topic.reader()?, &partitions)).await
    }

    fn ends_now(&self, reader: &BaseConsumer<Quiet>, partitions: &[Partition]) -> Result<HashMap<Partition, End>, TopicError> {
        let (mut open, mut assigned) = (HashMap::new(), TopicPartitionList::new());
        for partition in partitions {
            let number = i32::from(partition.number());
            let (low, high) = reader.fetch_watermarks(&self.name, number, ANSWER).map_err(|error| self.away(error))?;
            if high > low {
                open.insert(number, high);
                let from = Offset::Offset(low.max(high - LAST));
                assigned.add_partition_offset(&self.name, number, from).map_err(|error| self.away(error))?;
            }
        }
        reader.assign(&assigned).map_err(|error| self.away(error))?;
        let mut ends = HashMap::new();
        while !open.is_empty() {
            let silence = || self.away(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
            let message = reader.poll(ANSWER).ok_or_else(silence)?.map_err(|error| self.away(error))?;
            if let Ok(read) = envelope::event(&message) {
                let end = End { position: read.event.position, event_id: read.event.event_id };
                ends.insert(read.event.partition, end);
            }
            use rdkafka::Message;
            if open.get(&message.partition()).is_some_and(|high| message.offset() + 1 >= *high) {
                open.remove(&message.partition());
            }
        }
        Ok(ends)
    }
}

pub(super) async fn blocking<T: Send + 'static>(look: impl FnOnce() -> Result<T, TopicError> + Send + 'static) -> Result<T, TopicError> {
    // Ends with the runtime only.
    spawn_blocking(look).await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
