//! A member of the group: what it is assigned, and the records that come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use super::intake::Intake;
use crate::{
    PARTITIONS,
    kafka::{STATISTICS, Topic, TopicError, envelope, is_connected, ports::Fetch},
};
use rdkafka::{
    ClientConfig, ClientContext, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext, StreamConsumer},
    error::KafkaError,
    message::BorrowedMessage,
    statistics::Statistics,
    types::RDKafkaRespErr,
};

/// How often what is folded is committed: by time, because commits by number stalled the group.
const COMMIT: &str = "1000";

/// What the follower and its consumer share.
pub struct Shared {
    pub topic: Topic,
    pub intake: Intake,
    pub is_connected: AtomicBool,
    pub strangers: AtomicU64,
}

impl Shared {
    pub fn consumer(self: &Arc<Self>, group: &str, session_timeout: Duration) -> Result<StreamConsumer<Member>, TopicError> {
        let mut config: ClientConfig = self.topic.config();
        config.set("group.id", group).set("auto.offset.reset", "earliest").set("enable.auto.offset.store", "false");
        config.set("enable.auto.commit", "true").set("auto.commit.interval.ms", COMMIT);
        config.set("session.timeout.ms", session_timeout.as_millis().to_string());
        config.set("heartbeat.interval.ms", (session_timeout.as_millis() / 4).clamp(250, 3_000).to_string());
        config.set("queued.max.messages.kbytes", "8192").set("fetch.wait.max.ms", "100").set("fetch.error.backoff.ms", "100");
        config.set("statistics.interval.ms", STATISTICS);
        let away = |source| self.topic.away(source);
        let consumer = config.create_with_context(Member(self.clone())).map_err(away)?;
        let consumer: StreamConsumer<Member> = consumer;
        consumer.subscribe(&[self.topic.name()]).map_err(away)?;
        Ok(consumer)
    }

    /// Takes a record, unless it is none of ours.
    pub fn take(&self, consumer: &StreamConsumer<Member>, record: &BorrowedMessage<'_>) {
        match envelope::event(record) {
            Ok(mut read) => {
                // Whoever folds it goes on from the span that sent it.
                read.event.metadata.traceparent = read.sent.or(read.event.metadata.traceparent);
                self.intake.take(read.event, record.offset(), &self.fetching(consumer));
            }
            Err(foreign) => {
                self.strangers.fetch_add(1, SeqCst);
                tracing::warn!(partition = record.partition(), offset = record.offset(), %foreign, "a record on the topic is none of ours; it is left alone");
            }
        }
    }

    pub fn give_room(&self, consumer: &StreamConsumer<Member>) {
        self.intake.give_room(&self.fetching(consumer));
    }

    fn fetching<'a>(&'a self, consumer: &'a StreamConsumer<Member>) -> Fetching<'a> {
        Fetching { topic: self.topic.name(), consumer }
    }
}

struct Fetching<'a> {
    topic: &'a str,
    consumer: &'a StreamConsumer<Member>,
}

impl Fetching<'_> {
    fn one(&self, partition: usize) -> Result<TopicPartitionList, KafkaError> {
        let mut one = TopicPartitionList::new();
        one.add_partition(self.topic, partition as i32);
        Ok(one)
    }
}

impl Fetch for Fetching<'_> {
    fn pause(&self, partition: usize) -> bool {
        self.one(partition).is_ok_and(|one| self.consumer.pause(&one).is_ok())
    }

    fn resume(&self, partition: usize) -> bool {
        self.one(partition).is_ok_and(|one| self.consumer.resume(&one).is_ok())
    }

    fn commit(&self, partition: usize, offset: i64) {
        // Not any more ours: its new owner commits.
        let _ = self.consumer.store_offset(self.topic, partition as i32, offset);
    }
}

/// A member of the group.
pub struct Member(Arc<Shared>);

impl ClientContext for Member {
    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.topic.quiet().log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // Not here, where records are waited for: the broker may be asked what is wrong.
        let (quiet, reason) = (self.0.topic.quiet(), reason.to_owned());
        std::thread::spawn(move || quiet.error(error, &reason));
    }

    fn stats(&self, statistics: Statistics) {
        let is_connected = is_connected(&statistics);
        if is_connected && !self.0.is_connected.load(SeqCst) {
            self.0.topic.refusals.forget();
        }
        self.0.is_connected.store(is_connected, SeqCst);
    }
}

impl ConsumerContext for Member {
    /// Runs while a record is waited for, so nobody is asked here. Assigned partitions begin where they are folded.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let Self(shared) = self;
        let name = shared.topic.name();
        let done = if error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            let elements = partitions.elements_for_topic(name);
            let numbers: Vec<_> = elements.iter().filter_map(|element| usize::try_from(element.partition()).ok()).collect();
            for (partition, offset) in shared.intake.assign(numbers.into_iter().filter(|number| *number < usize::from(PARTITIONS))) {
                let _ = partitions.set_partition_offset(name, partition as i32, Offset::Offset(offset));
            }
            shared.is_connected.store(true, SeqCst);
            consumer.assign(partitions)
        } else {
            shared.intake.revoke();
            consumer.unassign()
        };
        tracing::info!(
            partitions = shared.intake.partitions(),
            failed = done.err().map(|error| error.to_string()),
            "partitions of the topic are shared out"
        );
    }
}
