//! Whether there is a broker between the log and those who follow it.

mod access;

use std::time::Duration;

use clap::{Args, ValueEnum};
use event_log::{
    Epochs,
    kafka::{Making, Topic},
};

use self::access::AccessArgs;
use super::ConfigError;

/// Where the topic is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Kafka")]
pub struct Kafka {
    /// Brokers that the log is relayed to, HOST:PORT, several with commas; without it projectors follow the log itself
    #[arg(long, env, value_name = "BROKERS")]
    kafka_url: Option<String>,
    /// The topic; after a restore its name is followed by the log's epoch
    #[arg(long, env, default_value = "tizza.events")]
    kafka_topic: String,
    #[command(flatten)]
    access: AccessArgs,
}

/// How the log gets to the topic.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Kafka")]
pub struct Relaying {
    /// Make the topic if it is missing [default: only all in one process does]
    #[arg(long, env, num_args = 0..=1, default_missing_value = "true")]
    create_topic: Option<bool>,
    /// On how many brokers a topic that is made is kept
    #[arg(long, env, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..))]
    kafka_replication: i32,
    /// How many of them must have a record before it counts
    #[arg(long, env, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    kafka_min_insync: u16,
}

/// What a command's answer waits for.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// That its events are durable in the log
    Log,
    /// That the broker has them, too; 202 if that takes longer than 2 seconds
    Kafka,
}

/// How the topic is followed.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Kafka")]
pub struct Group {
    /// The consumer group; its members share the partitions. The versions of the projections are added to its name
    #[arg(long, env, default_value = "tizza.projector")]
    pub kafka_group: String,
    /// Seconds until a member that is not heard of loses its partitions, 1-300
    #[arg(long, env, default_value_t = 45, value_parser = clap::value_parser!(u64).range(1..=300))]
    kafka_session_timeout: u64,
}

impl Kafka {
    /// The topic of a log, if there is one.
    ///
    /// # Errors
    /// `KAFKA_URL` names no brokers, or `KAFKA_TOPIC` no topic; or they cannot be spoken to as the settings say.
    pub fn topic(&self, epochs: &Epochs) -> Result<Option<Topic>, ConfigError> {
        let Some(url) = &self.kafka_url else { return Ok(None) };
        let servers = url.strip_prefix("kafka://").unwrap_or(url);
        let is_server = |server: &str| server.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !servers.split(',').all(is_server) {
            return Err(ConfigError::new("KAFKA_URL", "expected HOST:PORT, several with commas"));
        }
        let is_name =
            |name: &str| (1..=200).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if !is_name(&self.kafka_topic) || [".", ".."].contains(&&*self.kafka_topic) {
            return Err(ConfigError::new("KAFKA_TOPIC", "expected 1 to 200 letters, digits, dots, underscores and hyphens"));
        }
        Ok(Some(Topic::new(servers, &self.kafka_topic, epochs).by(self.access.access()?)))
    }
}

impl Relaying {
    /// How a missing topic is made; `None`: it is not.
    ///
    /// # Errors
    /// More brokers would have to have a record than there are to keep it: nothing could ever be sent.
    pub fn making(&self, by_default: bool) -> Result<Option<Making>, ConfigError> {
        let making = Making { replication: self.kafka_replication, min_insync: self.kafka_min_insync };
        if i32::from(making.min_insync) > making.replication {
            return Err(ConfigError::new("KAFKA_MIN_INSYNC", format!("at most KAFKA_REPLICATION, which is {}", making.replication)));
        }
        Ok(self.create_topic.unwrap_or(by_default).then_some(making))
    }
}

impl Group {
    /// How long a member that is not heard of keeps its partitions.
    #[must_use]
    pub const fn session_timeout(&self) -> Duration {
        Duration::from_secs(self.kafka_session_timeout)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        kafka: Kafka,
    }

    fn topic(url: &str, topic: &str) -> Result<Option<Topic>, ConfigError> {
        Program::parse_from(["program", "--kafka-url", url, "--kafka-topic", topic]).kafka.topic(&Epochs::default())
    }

    #[test]
    fn brokers_and_topics_are_named_or_refused() {
        let found = topic("kafka://a:9092,b:9093", "tizza.events").unwrap().unwrap();
        assert_eq!((found.servers(), found.name()), ("a:9092,b:9093", "tizza.events"));
        for url in ["", "a", "a:", ":9092", "a:9092,", "a:x", "postgres://a/b"] {
            assert_eq!(topic(url, "t").unwrap_err().setting, "KAFKA_URL", "{url}");
        }
        for name in ["", "..", "a b", "a/b", "ä"] {
            assert_eq!(topic("a:1", name).unwrap_err().setting, "KAFKA_TOPIC", "{name}");
        }
    }
}
