//! From the topic to those who follow the log: what the brokers assign to this process, checked for gaps.
//!
//! A position that was seen is skipped, the next one is taken, and one behind a gap is taken as well: who follows then reads the gap from the log. Where to begin is told by those who fold, not by
//! Kafka: the record at offset *n* never has a position beyond *n* + 1, so a reader that has *n* begins at offset *n*. What is committed to Kafka is for those who look on.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::BorrowedMessage,
    types::RDKafkaRespErr,
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{Topic, TopicError, envelope};
use crate::{EventLog, Heads, PARTITIONS, Partition, Position, Recorded};

/// How many events of a partition wait to be folded; then it is not fetched until half of them are.
const MOST: usize = 4_000;
/// How many bytes of payload.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// How long until something that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often what is folded is committed: by time, because commits by number stalled the group.
const COMMIT: &str = "1000";

/// A follower of the topic; clones share it.
#[derive(Clone)]
pub struct TopicSource {
    log: EventLog,
    shared: Arc<Shared>,
}

struct Shared {
    topic: Topic,
    lanes: Vec<Mutex<Lane>>,
    heads: watch::Sender<Heads>,
    /// Somebody has folded something.
    folded: Notify,
    assigned: Mutex<HashSet<usize>>,
    is_connected: AtomicBool,
    rebalances: AtomicU64,
    strangers: AtomicU64,
}

/// What has come of a partition.
#[derive(Default)]
struct Lane {
    /// A run without a gap, with the offsets of their records.
    events: VecDeque<(Recorded, i64)>,
    bytes: usize,
    /// Up to where all is folded.
    folded: Position,
    is_paused: bool,
}

impl Lane {
    fn is_full(&self) -> bool {
        self.events.len() >= MOST || self.bytes >= MOST_BYTES
    }

    fn is_half_empty(&self) -> bool {
        self.events.len() <= MOST / 2 && self.bytes <= MOST_BYTES / 2
    }

    /// Forgets what is folded; the answer is the offset behind it.
    fn forget_folded(&mut self) -> Option<i64> {
        let mut behind = None;
        while self.events.front().is_some_and(|(event, _)| event.position <= self.folded) {
            if let Some((event, offset)) = self.events.pop_front() {
                self.bytes -= event.payload.len();
                behind = Some(offset);
            }
        }
        behind
    }
}

/// How the following goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Following {
    /// Whether the brokers have assigned us what is ours.
    pub is_connected: bool,
    /// How many partitions are ours.
    pub partitions: usize,
    /// How often partitions were given and taken.
    pub rebalances: u64,
    /// How many records were none of ours.
    pub strangers: u64,
}

impl TopicSource {
    /// A follower that has seen nothing; `folded` is up to where each partition is folded.
    #[must_use]
    pub fn new(log: EventLog, topic: Topic, folded: Heads) -> Self {
        let lane = |folded: Position| Mutex::new(Lane { folded, ..Lane::default() });
        let shared = Shared {
            topic,
            lanes: folded.into_iter().map(lane).collect(),
            heads: watch::Sender::new(folded),
            folded: Notify::new(),
            assigned: Mutex::default(),
            is_connected: AtomicBool::new(false),
            rebalances: AtomicU64::new(0),
            strangers: AtomicU64::new(0),
        };
        Self { log, shared: Arc::new(shared) }
    }

    /// Up to where each partition has come.
    #[must_use]
    pub fn heads(&self) -> watch::Receiver<Heads> {
        self.shared.heads.subscribe()
    }

    /// How the following goes.
    #[must_use]
    pub fn following(&self) -> Following {
        Following {
            is_connected: self.shared.is_connected.load(SeqCst),
            partitions: self.shared.assigned().len(),
            rebalances: self.shared.rebalances.load(SeqCst),
            strangers: self.shared.strangers.load(SeqCst),
        }
    }

    /// At most `limit` events of a partition after a position, oldest first: from the topic if they have come from there, else from the log.
    ///
    /// # Errors
    /// The database's own.
    pub async fn read(&self, partition: Partition, after: Position, limit: usize) -> Result<Vec<Recorded>, sqlx::Error> {
        match self.shared.after(partition, after, limit) {
            Some(events) => self.log.unseal(events).await,
            None => self.log.read(partition, after, limit).await,
        }
    }

    /// Up to where a partition is folded, durably.
    pub fn folded(&self, partition: Partition, position: Position) {
        self.shared.lane(partition.index()).folded = position;
        self.shared.folded.notify_one();
    }

    /// Follows as a member of a group until `shutdown`. A broker that is away is waited for.
    ///
    /// # Errors
    /// The topic is not there, or not as it must be.
    pub async fn run(&self, group: &str, session_timeout: Duration, shutdown: CancellationToken) -> Result<(), TopicError> {
        let mut told = false;
        while !shutdown.is_cancelled() {
            match shutdown.run_until_cancelled(self.shared.topic.check()).await {
                Some(Err(error @ TopicError::Away { .. })) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%error, "the topic is waited for");
                    }
                    shutdown.run_until_cancelled(tokio::time::sleep(RETRY)).await;
                }
                Some(Err(error)) => return Err(error),
                Some(Ok(())) | None => break,
            }
        }
        let consumer = self.shared.consumer(group, session_timeout)?;
        shutdown.run_until_cancelled(self.follow(&consumer)).await;
        // Leaving the group takes a round trip or two.
        tokio::task::spawn_blocking(move || drop(consumer)).await.ok();
        Ok(())
    }

    async fn follow(&self, consumer: &StreamConsumer<Member>) {
        loop {
            tokio::select! {
                received = consumer.recv() => match received {
                    Ok(record) => self.shared.take(consumer, &record),
                    // It joins again by itself, and what was assigned begins where it is folded.
                    Err(error) => {
                        tracing::debug!(%error, "the topic is not heard");
                        if !matches!(error, KafkaError::PartitionEOF(_)) {
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                    }
                },
                () = self.shared.folded.notified() => self.shared.give_room(consumer),
            }
        }
    }
}

impl Shared {
    fn lane(&self, partition: usize) -> MutexGuard<'_, Lane> {
        self.lanes[partition].lock().expect("no panic while it is held")
    }

    fn assigned(&self) -> MutexGuard<'_, HashSet<usize>> {
        self.assigned.lock().expect("no panic while it is held")
    }

    fn consumer(self: &Arc<Self>, group: &str, session_timeout: Duration) -> Result<StreamConsumer<Member>, TopicError> {
        let mut config: ClientConfig = self.topic.config();
        config.set("group.id", group).set("auto.offset.reset", "earliest").set("enable.auto.offset.store", "false");
        config.set("enable.auto.commit", "true").set("auto.commit.interval.ms", COMMIT);
        config.set("session.timeout.ms", session_timeout.as_millis().to_string());
        config.set("heartbeat.interval.ms", (session_timeout.as_millis() / 4).clamp(250, 3_000).to_string());
        config.set("queued.max.messages.kbytes", "8192").set("fetch.wait.max.ms", "100").set("fetch.error.backoff.ms", "100");
        let away = |source| TopicError::Away { servers: self.topic.servers().into(), source };
        let consumer = config.create_with_context(Member(self.clone())).map_err(away)?;
        let consumer: StreamConsumer<Member> = consumer;
        consumer.subscribe(&[self.topic.name()]).map_err(away)?;
        Ok(consumer)
    }

    fn after(&self, partition: Partition, after: Position, limit: usize) -> Option<Vec<Recorded>> {
        let lane = self.lane(partition.index());
        let first = lane.events.front()?.0.position;
        let start = usize::try_from(after + 1 - first).ok()?;
        (start < lane.events.len()).then(|| lane.events.range(start..).take(limit).map(|(event, _)| event.clone()).collect())
    }

    fn take(&self, consumer: &StreamConsumer<Member>, record: &BorrowedMessage<'_>) {
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
        lane.forget_folded();
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

    fn one(&self, partition: usize) -> Result<TopicPartitionList, KafkaError> {
        let mut one = TopicPartitionList::new();
        one.add_partition(self.topic.name(), partition as i32);
        Ok(one)
    }

    /// Goes on fetching what has been folded, and has that committed.
    fn give_room(&self, consumer: &StreamConsumer<Member>) {
        let assigned: Vec<_> = self.assigned().iter().copied().collect();
        for partition in assigned {
            let mut lane = self.lane(partition);
            if let Some(offset) = lane.forget_folded() {
                // Not any more ours: its new owner commits.
                let _ = consumer.store_offset(self.topic.name(), partition as i32, offset);
            }
            if lane.is_paused && lane.is_half_empty() {
                lane.is_paused = !self.one(partition).is_ok_and(|one| consumer.resume(&one).is_ok());
            }
        }
    }
}

/// A member of the group.
struct Member(Arc<Shared>);

impl ClientContext for Member {
    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        super::Quiet.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::AllBrokersDown)) {
            self.0.is_connected.store(false, SeqCst);
        }
        super::Quiet.error(error, reason);
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
