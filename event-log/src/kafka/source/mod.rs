//! From the topic to those who follow the log: what the brokers assign to this process, checked for gaps.
//!
//! A position that was seen is skipped, the next one is taken, and one behind a gap is taken as well: who follows then reads the gap from the log. Where to begin is told by those who fold, not by
//! Kafka: the record at offset *n* never has a position beyond *n* + 1, so a reader that has *n* begins at offset *n*. What is committed to Kafka is for those who look on.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`intake`] | what comes of the partitions that are ours |
//! | `lane` | what has come of one of them |
//! | `member` | a member of the group |

pub mod intake;
mod lane;
mod member;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use rdkafka::{consumer::StreamConsumer, error::KafkaError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::{
    intake::Intake,
    member::{Member, Shared},
};
use super::{Topic, TopicError, ports::Ledger};
use crate::{EventLog, Heads, Partition, Position, Recorded};

/// How long until something that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// A follower of the topic; clones share it.
#[derive(Clone)]
pub struct TopicSource<L = EventLog> {
    log: L,
    shared: Arc<Shared>,
}

/// How the following goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Following {
    /// Whether a broker is there.
    pub is_connected: bool,
    /// How many partitions are ours.
    pub partitions: usize,
    /// How often partitions were given and taken.
    pub rebalances: u64,
    /// How many records were none of ours.
    pub strangers: u64,
    /// How often events were missing between two records.
    pub gaps: u64,
}

impl<L: Ledger> TopicSource<L> {
    /// A follower that has seen nothing; `folded` is up to where each partition is folded.
    #[must_use]
    pub fn new(log: L, topic: Topic, folded: Heads) -> Self {
        let shared = Shared { topic, intake: Intake::new(folded), is_connected: AtomicBool::new(false), strangers: AtomicU64::new(0) };
        Self { log, shared: Arc::new(shared) }
    }

    /// Up to where each partition has come.
    #[must_use]
    pub fn heads(&self) -> watch::Receiver<Heads> {
        self.shared.intake.heads.subscribe()
    }

    /// Which topic.
    #[must_use]
    pub fn topic(&self) -> &Topic {
        &self.shared.topic
    }

    /// Why a broker does not let us in, if one does not.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        self.shared.topic.refused()
    }

    /// How the following goes.
    #[must_use]
    pub fn following(&self) -> Following {
        Following {
            is_connected: self.shared.is_connected.load(SeqCst),
            partitions: self.shared.intake.partitions(),
            rebalances: self.shared.intake.rebalances.load(SeqCst),
            strangers: self.shared.strangers.load(SeqCst),
            gaps: self.shared.intake.gaps.load(SeqCst),
        }
    }

    /// At most `limit` events of a partition after a position, oldest first: from the topic if they have come from there, else from the log.
    ///
    /// # Errors
    /// The database's own.
    pub async fn read(&self, partition: Partition, after: Position, limit: usize) -> Result<Vec<Recorded>, sqlx::Error> {
        let here = self.shared.intake.after(partition, after, limit);
        match here {
            Some(events) => self.log.unseal(events).await,
            None => self.log.read(partition, after, limit).await,
        }
    }

    /// Up to where a partition is folded, durably.
    pub fn folded(&self, partition: Partition, position: Position) {
        self.shared.intake.folded(partition, position);
    }

    /// Where that which comes from the brokers goes.
    #[must_use]
    pub fn intake(&self) -> &Intake {
        &self.shared.intake
    }

    /// Follows as a member of a group until `shutdown`. A broker that is away is waited for.
    ///
    /// # Errors
    /// The topic is not there, or not as it must be.
    pub async fn run(&self, group: &str, session_timeout: Duration, shutdown: CancellationToken) -> Result<(), TopicError> {
        let mut told = false;
        while !shutdown.is_cancelled() {
            match shutdown.run_until_cancelled(self.shared.topic.check()).await {
                Some(Err(error)) if error.passes() => {
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
                () = self.shared.intake.changed.notified() => self.shared.give_room(consumer),
            }
        }
    }
}
