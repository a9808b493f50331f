//! The projector that catches up, from the topic and from the log, into an empty read store.

use std::{path::Path, time::Instant};

use anyhow::ensure;
use clap::Parser;
use event_log::{
    EventLog, Heads, Partition,
    kafka::{Arrived, Relay, Topic},
};
use projector::{Following, Projector};
use read_store::ReadStore;
use service_kit::config::Group;
use test_servers::Kafka;
use tokio_util::sync::CancellationToken;

use super::{MAKING, open, topic};
use crate::{
    Bench,
    figure::{Aim, Baseline, Figure, Report, in_turn},
    history::{self, PATIENCE},
    postgres::Cluster,
};

/// Of each user.
const LIKES: u128 = 60;
const LIMIT: std::time::Duration = std::time::Duration::from_secs(180);

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    group: Group,
}

pub async fn measure(bench: &Bench, cluster: &Cluster, broker: &Kafka, report: &Report) -> anyhow::Result<()> {
    let url = cluster.new_database();
    let place = url.parse()?;
    history::fill_with(&place, &place, LIKES).await?;
    let log = open(&url).await?;
    let topic = topic(broker, &log);
    relay(&log, &topic).await?;
    let ours = async |run| folded(&log, &cluster.new_database(), Some((&topic, run))).await;
    let theirs = async || folded(&log, &cluster.new_database(), None).await;
    let (value, baseline) = in_turn("projector", bench.runs.min(3), ours, theirs).await?;
    let baseline = Some(Baseline { value: baseline, unit: "events/s_from_the_log" });
    report.tell(&Figure { name: "projector", value, unit: "events/s", baseline, aim: Some(Aim::Ratio(0.5)) });
    log.close().await;
    Ok(())
}

async fn relay(log: &EventLog, topic: &Topic) -> anyhow::Result<()> {
    let (arrived, shutdown) = (Arrived::new(log.clone(), topic.clone()), CancellationToken::new());
    let running = tokio::spawn(Relay::new(log.clone(), topic.clone(), Some(MAKING), arrived.known.clone()).run(shutdown.clone()));
    for partition in Partition::all() {
        ensure!(arrived.wait(partition, log.head(partition).await?, LIMIT).await, "not relayed");
    }
    shutdown.cancel();
    running.await??;
    Ok(())
}

/// From nothing, its start included.
async fn folded(log: &EventLog, read: &str, topic: Option<(&Topic, u16)>) -> anyhow::Result<f64> {
    let store = ReadStore::open(&read.parse()?, PATIENCE).await?;
    let following = topic.map(|(topic, run)| {
        let name = Path::new(topic.name()).display().to_string();
        let Settings { group } = Settings::parse_from(["bench", "--kafka-group", &format!("{name}.{run}")]);
        Following { topic: topic.clone(), group }
    });
    let mut heads = Heads::default();
    for partition in Partition::all() {
        heads[partition.index()] = log.head(partition).await?;
    }
    let (shutdown, started) = (CancellationToken::new(), Instant::now());
    let projector = Projector::prepare(log, &store, following).await?;
    let running = tokio::spawn(projector.run(shutdown.clone()));
    loop {
        let checkpoints = store.checkpoints().await?;
        if !checkpoints.is_empty() && checkpoints.values().all(|positions| positions[..] == heads[..]) {
            break;
        }
        ensure!(started.elapsed() < LIMIT, "not folded in three minutes");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let speed = history::events(LIKES) as f64 / started.elapsed().as_secs_f64();
    shutdown.cancel();
    running.await??;
    store.close().await;
    Ok(speed)
}
