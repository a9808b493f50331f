//! A relay inside a service: commands never wait for it, and a broker that is away is waited for.

use std::time::Duration;

use event_log::{
    EventLog, Partition,
    kafka::{Arrived, Making, Relay, Topic, TopicError, ports::agreed_ends},
};
use tokio_util::sync::CancellationToken;

use crate::config::{ConfigError, Kafka};

/// How long a broker may keep a start waiting.
const START: Duration = Duration::from_secs(2);
/// How long until a topic that cannot be used is looked at again.
const AGAIN: Duration = Duration::from_secs(5);

/// A relay that is about to run.
#[derive(Clone)]
pub struct Relaying {
    log: EventLog,
    topic: Topic,
    making: Option<Making>,
    /// Who waits for the broker waits here.
    pub arrived: Arrived,
}

impl Relaying {
    /// What is needed to relay, if there is a broker. One that answers must have the right topic; one that does not is waited for later.
    ///
    /// # Errors
    /// A setting cannot be used; or the topic is missing, or holds another log.
    pub async fn prepare(log: &EventLog, kafka: &Kafka, making: Option<Making>) -> Result<Option<Self>, ConfigError> {
        let Some(topic) = kafka.topic(log.epochs())? else { return Ok(None) };
        let ready = async {
            topic.ready(making).await?;
            agreed_ends(&topic, log, Partition::all().collect()).await.map(drop)
        };
        match tokio::time::timeout(START, ready).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if !error.passes() => return Err(ConfigError::new("KAFKA_TOPIC", error.to_string())),
            Ok(Err(_)) | Err(_) => {
                tracing::warn!(servers = topic.servers(), "Kafka does not answer yet; commands go on, events wait in the log");
            }
        }
        let arrived = Arrived::new(log.clone(), topic.clone());
        Ok(Some(Self { log: log.clone(), topic, making, arrived }))
    }

    /// The topic.
    #[must_use]
    pub const fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Relays until `shutdown`.
    ///
    /// # Errors
    /// The topic cannot be used.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<(), TopicError> {
        Relay::new(self.log.clone(), self.topic.clone(), self.making, self.arrived.known.clone()).run(shutdown).await
    }

    /// The same, but a topic that cannot be used is told, and looked at again: commands go on meanwhile.
    pub async fn keep_on(&self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Err(error) = self.run(shutdown.clone()).await {
                tracing::error!(%error, "nothing is relayed");
                shutdown.run_until_cancelled(tokio::time::sleep(AGAIN)).await;
            }
        }
    }
}
