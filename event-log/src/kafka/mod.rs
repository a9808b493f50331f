//! The log on a topic of Kafka: how it gets there, and how it is read there.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`topic`] | where the topic is; looking at it, making it |
//! | [`access`] | how brokers are spoken to: in the open or by TLS, and as whom |
//! | `refusals` | brokers that do not let us in, and why |
//! | `error` | why a topic cannot be used |
//! | [`envelope`] | an event as a record: a CloudEvent in Kafka's binary binding |
//! | [`ports`] | what these ask of the world, and a simulation plays |
//! | [`producer`] | records on their way, and which have arrived |
//! | `positions` | how far it is known to hold the log |
//! | [`relay`] | from the log to the topic, in order, none missing |
//! | [`source`] | from the topic to those who follow the log |
//! | [`audit`] | whether the topic holds what the log says |

pub mod access;
pub mod audit;
pub mod envelope;
mod error;
pub mod ports;
mod positions;
pub mod producer;
mod refusals;
pub mod relay;
pub mod source;
pub mod topic;

use rdkafka::{ClientContext, config::RDKafkaLogLevel, error::KafkaError, statistics::Statistics};

use self::refusals::Refusals;
pub use access::Access;
pub use error::TopicError;
pub use positions::{Arrived, Backlog, Known};
pub use relay::Relay;
pub use source::{Following, TopicSource};
pub use topic::{Making, Topic};

/// How often the client library tells which brokers are there: a connection that is back raises no event.
const STATISTICS: &str = "2000";

fn is_connected(statistics: &Statistics) -> bool {
    statistics.brokers.values().any(|broker| broker.state == "UP")
}

/// The client library says nothing by itself: a broker that is away would fill the log. Whoever waits for it tells; only who does not let us in is told here.
#[derive(Clone, Debug, Default)]
pub struct Quiet(Refusals);

impl ClientContext for Quiet {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "kafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka");
        self.0.hear(&error, reason);
    }
}
