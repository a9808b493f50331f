//! Where events come from: the log itself, or the topic that it is relayed to.

use event_log::{EventLog, Heads, Partition, Position, Recorded, kafka::TopicSource};
use tokio::sync::watch;

use crate::ports::Feed;

/// Where events come from; clones share it.
#[derive(Clone)]
pub enum Source {
    /// The log, which has to be followed besides.
    Log(EventLog),
    /// A topic.
    Topic(TopicSource),
}

impl Feed for Source {
    fn heads(&self) -> watch::Receiver<Heads> {
        match self {
            Self::Log(log) => log.heads(),
            Self::Topic(topic) => topic.heads(),
        }
    }

    async fn read(&self, partition: Partition, after: Position, limit: usize) -> Result<Vec<Recorded>, sqlx::Error> {
        match self {
            Self::Log(log) => log.read(partition, after, limit).await,
            Self::Topic(topic) => topic.read(partition, after, limit).await,
        }
    }

    fn folded(&self, partition: Partition, position: Position) {
        if let Self::Topic(topic) = self {
            topic.folded(partition, position);
        }
    }
}
