//! Where events come from: the log itself, or the topic that it is relayed to.

use event_log::{EventLog, Heads, Partition, Position, Recorded, kafka::TopicSource, trace::KeyValue};
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

    fn told(&self, event: Option<&Recorded>, batch: usize) -> Vec<KeyValue> {
        let what = match event {
            Some(event) => KeyValue::new("tizza.event", event.event_type.clone()),
            None => KeyValue::new("messaging.batch.message_count", i64::try_from(batch).unwrap_or(i64::MAX)),
        };
        let Self::Topic(topic) = self else { return vec![what] };
        let name = KeyValue::new("messaging.destination.name", topic.topic().name().to_owned());
        vec![what, KeyValue::new("messaging.system", "kafka"), KeyValue::new("messaging.operation.type", "process"), name]
    }

    fn folded(&self, partition: Partition, position: Position) {
        if let Self::Topic(topic) = self {
            topic.folded(partition, position);
        }
    }
}
