//! Figures through a real Kafka.
//!
//! | module | what is measured |
//! | --- | --- |
//! | [`relaying`] | the relay that catches up, beside a bare producer |
//! | [`folding`] | the projector that catches up from the topic, beside itself on the log |
//! | [`services`] | each service as a process: memory, how soon a like is seen, takeovers, a broker that is away |

mod folding;
mod relaying;
mod services;

use std::path::Path;

use event_log::{
    EventLog, KeyStore, Keys, LogStore,
    kafka::{Making, Topic},
};
use test_servers::Kafka;
use uuid::Uuid;

use crate::{
    Bench,
    figure::Report,
    history::{KEY_ENCRYPTION_KEY, PATIENCE},
    postgres::Cluster,
};

pub(super) const MAKING: Making = Making { replication: 1, min_insync: 1 };

/// # Errors
/// There is no Postgres or no Kafka, or something cannot be measured.
pub async fn measure(bench: &Bench, binary: &Path, report: &Report) -> anyhow::Result<()> {
    let cluster = Cluster::start(&bench.folder, bench.seconds).await?;
    let mut broker = Kafka::start().map_err(|missing| anyhow::anyhow!("{missing}"))?;
    services::measure(bench, binary, &cluster, &mut broker, report).await?;
    relaying::measure(bench, &cluster, &broker, report).await?;
    folding::measure(bench, &cluster, &broker, report).await
}

/// A log in a database, with its keys beside it.
async fn open(url: &str) -> anyhow::Result<EventLog> {
    let url = url.parse()?;
    let keys = Keys::new(KeyStore::open(&url, PATIENCE).await?, &[KEY_ENCRYPTION_KEY]);
    Ok(EventLog::start(LogStore::open(&url, PATIENCE).await?, keys).await?)
}

/// A new one.
fn topic(broker: &Kafka, log: &EventLog) -> Topic {
    Topic::new(&broker.bootstrap(), &format!("bench.{}", Uuid::new_v4().simple()), log.epochs())
}
