//! Why a topic cannot be used.

use std::sync::Arc;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use uuid::Uuid;

use crate::{PARTITIONS, Position};

/// Why a topic cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// No broker answers; again, later.
    #[error("Kafka does not answer at {servers}")]
    Away {
        /// Which brokers were asked.
        servers: Arc<str>,
        /// What became of it.
        #[source]
        source: KafkaError,
    },
    /// Brokers are there, and do not let us in, or are not to be trusted; again, later.
    #[error("Kafka does not let us in: {why}")]
    Refused {
        /// Which broker, what it said, and where to look.
        why: String,
    },
    /// It is not there.
    #[error(
        "there is no topic {0}: make it with --create-topic, or with Kafka's own tools: {PARTITIONS} partitions, cleanup.policy=delete, retention.ms=-1"
    )]
    Missing(Arc<str>),
    /// It was made for something else.
    #[error("the topic {topic} has {found} partitions, the log has {PARTITIONS}: delete it, or name another one")]
    Partitions {
        /// Its name.
        topic: Arc<str>,
        /// How many it has.
        found: usize,
    },
    /// It holds another log, or one that was restored since.
    #[error(
        "the topic {topic} and the log disagree: at {partition}.{position} the topic has event {on_topic}, the log has {in_log}. After a restore run `tizza log new-epoch`, which begins a new topic; else name another topic"
    )]
    Disagrees {
        /// Its name.
        topic: Arc<str>,
        /// Where.
        partition: u16,
        /// Where in it.
        position: Position,
        /// What is there.
        on_topic: Uuid,
        /// What should be there; nothing, if the log does not reach so far.
        in_log: String,
    },
    /// It cannot be made.
    #[error("the topic {topic} cannot be made: {code}")]
    NotMade {
        /// Its name.
        topic: Arc<str>,
        /// What the broker says.
        code: RDKafkaErrorCode,
    },
    /// The log's database failed.
    #[error("the log's database failed")]
    Database(#[from] sqlx::Error),
}

impl TopicError {
    /// Whether it is tried again.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Refused { .. })
    }
}
