//! The log on a topic of Kafka: how it gets there, and how it is read there.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`topic`] | where the topic is; looking at it, making it |
//! | [`access`] | how brokers are spoken to: in the open or by TLS, and as whom |
//! | `refusals` | brokers that do not let us in, and why |
//! | [`envelope`] | an event as a record: a CloudEvent in Kafka's binary binding |
//! | `producer` | records on their way, and which have arrived |
//! | `positions` | how far it is known to hold the log |
//! | [`relay`] | from the log to the topic, in order, none missing |
//! | [`source`] | from the topic to those who follow the log |
//! | [`audit`] | whether the topic holds what the log says |

pub mod access;
pub mod audit;
pub mod envelope;
mod positions;
mod producer;
mod refusals;
pub mod relay;
pub mod source;
pub mod topic;

use rdkafka::{ClientContext, config::RDKafkaLogLevel, error::KafkaError};

use self::refusals::Refusals;
pub use access::Access;
pub use positions::{Arrived, Backlog};
pub use relay::Relay;
pub use source::{Following, TopicSource};
pub use topic::{Making, Topic, TopicError};

/// The client library says nothing by itself: a broker that is away would fill the log. Whoever waits for it tells; only who does not let us in is told here.
#[derive(Clone, Debug)]
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
