//! A member of the group: what it is assigned, and the records that come.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext, StreamConsumer},
    error::KafkaError,
    message::BorrowedMessage,
    statistics::Statistics,
    types::RDKafkaRespErr,
};
use tokio::sync::{Notify, watch};

use super::lane::Lane;
use crate::{
    Heads, PARTITIONS,
    kafka::{Topic, TopicError, envelope},
};

/// How often what is folded is committed: by time, because commits by number stalled the group.
const COMMIT: &str = "1000";
/// How often the client library tells which brokers are there: a connection that is back raises no event.
const STATISTICS: &str = "2000";

/// What the follower and its consumer share.
pub struct Shared {
    pub topic: Topic,
    pub lanes: Vec<Mutex<Lane>>,
    pub heads: watch::Sender<Heads>,
    /// Somebody has folded something.
    pub folded: Notify,
    pub assigned: Mutex<HashSet<usize>>,
    pub is_connected: AtomicBool,
    pub rebalances: AtomicU64,
    pub strangers: AtomicU64,
}

impl Shared {
    pub fn lane(&self, partition: usize) -> MutexGuard<'_, Lane> {
        self.lanes[partition].lock().expect("no panic while it is held")
    }

    pub fn assigned(&self) -> MutexGuard<'_, HashSet<usize>> {
        self.assigned.lock().expect("no panic while it is held")
    }

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

    pub fn take(&self, consumer: &StreamConsumer<Member>, record: &BorrowedMessage<'_>) {
        let read = match envelope::event(record) {
            Ok(read) => read,
            Err(foreign) => {
                self.strangers.fetch_add(1, SeqCst);
                tracing::warn!(partition = record.partition(), offset = record.offset(), %foreign, "a record on the topic is none of ours; it is left alone");
                return;
            }
        };
        let (partition, position) = (read.event.partition.index(), read.event.position);
        let mut lane = self.lane(partition);
        self.forget_folded(consumer, partition, &mut lane);
        let last = lane.events.back().map_or(lane.folded, |(event, _)| event.position);
        if position <= last {
            return;
        }
        if position > last + 1 {
            tracing::warn!(partition, position, last, "the topic has a gap; it is read from the log");
            lane.events.clear();
            lane.bytes = 0;
        }
        lane.bytes += read.event.payload.len();
        lane.events.push_back((read.event, record.offset()));
        if lane.is_full() && !lane.is_paused {
            lane.is_paused = self.one(partition).is_ok_and(|one| consumer.pause(&one).is_ok());
        }
        drop(lane);
        self.heads.send_modify(|heads| heads[partition] = position);
    }

    /// And has it committed.
    fn forget_folded(&self, consumer: &StreamConsumer<Member>, partition: usize, lane: &mut Lane) {
        if let Some(offset) = lane.forget_folded() {
            // Not any more ours: its new owner commits.
            let _ = consumer.store_offset(self.topic.name(), partition as i32, offset);
        }
    }

    fn one(&self, partition: usize) -> Result<TopicPartitionList, KafkaError> {
        let mut one = TopicPartitionList::new();
        one.add_partition(self.topic.name(), partition as i32);
        Ok(one)
    }

    /// Goes on fetching where enough has been folded.
    pub fn give_room(&self, consumer: &StreamConsumer<Member>) {
        let assigned: Vec<_> = self.assigned().iter().copied().collect();
        for partition in assigned {
            let mut lane = self.lane(partition);
            self.forget_folded(consumer, partition, &mut lane);
            if lane.is_paused && lane.is_half_empty() {
                lane.is_paused = !self.one(partition).is_ok_and(|one| consumer.resume(&one).is_ok());
            }
        }
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
        let is_connected = statistics.brokers.values().any(|broker| broker.state == "UP");
        if is_connected && !self.0.is_connected.swap(is_connected, SeqCst) {
            self.0.topic.refusals.forget();
        }
        self.0.is_connected.store(is_connected, SeqCst);
    }
}

impl ConsumerContext for Member {
    /// Runs while a record is waited for, so nobody is asked here. Assigned partitions begin where they are folded.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let Self(shared) = self;
        shared.rebalances.fetch_add(1, SeqCst);
        let name = shared.topic.name();
        let numbers: Vec<_> = partitions.elements_for_topic(name).iter().filter_map(|e| usize::try_from(e.partition()).ok()).collect();
        let done = if error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            for partition in numbers.iter().copied().filter(|partition| *partition < usize::from(PARTITIONS)) {
                let mut lane = shared.lane(partition);
                let folded = lane.folded;
                *lane = Lane { folded, ..Lane::default() };
                let _ = partitions.set_partition_offset(name, partition as i32, Offset::Offset(folded));
            }
            *shared.assigned() = numbers.into_iter().collect();
            shared.is_connected.store(true, SeqCst);
            consumer.assign(partitions)
        } else {
            shared.assigned().clear();
            consumer.unassign()
        };
        tracing::info!(
            partitions = shared.assigned().len(),
            failed = done.err().map(|error| error.to_string()),
            "partitions of the topic are shared out"
        );
    }
}
