//! The relay that catches up with a million events, beside a producer that sends the same records out of memory.

use std::{sync::Arc, time::Instant};

use anyhow::ensure;
use event_log::{
    EventLog, Partition, Recorded,
    kafka::{Arrived, Relay, envelope},
};
use rdkafka::{
    message::OwnedHeaders,
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};
use test_servers::Kafka;
use tokio_util::sync::CancellationToken;

use super::{MAKING, open, topic};
use crate::{
    Bench,
    figure::{Aim, Baseline, Figure, Report, in_turn},
    history,
    postgres::Cluster,
};

/// Of each user: a million events.
const LIKES: u128 = 1_000;
/// How many records the baseline sends.
const BARE: usize = 200_000;

pub async fn measure(bench: &Bench, cluster: &Cluster, broker: &Kafka, report: &Report) -> anyhow::Result<()> {
    let url = cluster.new_database();
    let place = url.parse()?;
    history::fill_with(&place, &place, LIKES).await?;
    let log = open(&url).await?;
    let records = Arc::new(records(&log).await?);
    let ours = async |_| relayed(&log, broker).await;
    let theirs = async || bare(&log, broker, records.clone()).await;
    let (value, baseline) = in_turn("relay", bench.runs.min(3), ours, theirs).await?;
    let baseline = Some(Baseline { value: baseline, unit: "events/s_bare" });
    report.tell(&Figure { name: "relay", value, unit: "events/s", baseline, aim: Some(Aim::Ratio(0.5)) });
    log.close().await;
    Ok(())
}

/// From nothing, its start included.
async fn relayed(log: &EventLog, broker: &Kafka) -> anyhow::Result<f64> {
    let topic = topic(broker, log);
    let (arrived, shutdown) = (Arrived::new(log.clone(), topic.clone()), CancellationToken::new());
    let started = Instant::now();
    let running = tokio::spawn(Relay::new(log.clone(), topic, Some(MAKING), arrived.known.clone()).run(shutdown.clone()));
    for partition in Partition::all() {
        let there = arrived.wait(partition, log.head(partition).await?, std::time::Duration::from_secs(120)).await;
        ensure!(there, "not relayed in two minutes");
    }
    let speed = history::events(LIKES) as f64 / started.elapsed().as_secs_f64();
    shutdown.cancel();
    running.await??;
    Ok(speed)
}

async fn records(log: &EventLog) -> anyhow::Result<Vec<(Recorded, OwnedHeaders)>> {
    let mut events = vec![];
    for partition in Partition::all() {
        events.extend(log.read(partition, 0, BARE / 16).await?);
    }
    Ok(events.into_iter().map(|event| (event.clone(), envelope::headers(&event, 1, None))).collect())
}

/// An idempotent producer and nothing else; it was connected before.
async fn bare(log: &EventLog, broker: &Kafka, records: Arc<Vec<(Recorded, OwnedHeaders)>>) -> anyhow::Result<f64> {
    let topic = topic(broker, log);
    topic.ready(Some(MAKING)).await?;
    tokio::task::spawn_blocking(move || {
        let mut config = topic.config();
        config.set("enable.idempotence", "true").set("acks", "all").set("linger.ms", "1").set("queue.buffering.max.messages", "1000000");
        let producer: ThreadedProducer<DefaultProducerContext> = config.create()?;
        let send = |(event, headers): &(Recorded, OwnedHeaders)| {
            let key = event.stream_id.to_string();
            let record = BaseRecord::to(topic.name()).partition(i32::from(event.partition.number())).key(&key).payload(&event.payload);
            producer.send(record.headers(headers.clone())).map_err(|(error, _)| error)
        };
        send(&records[0])?;
        producer.flush(history::PATIENCE)?;
        let started = Instant::now();
        records.iter().try_for_each(send)?;
        producer.flush(history::PATIENCE * 6)?;
        Ok(records.len() as f64 / started.elapsed().as_secs_f64())
    })
    .await?
}
