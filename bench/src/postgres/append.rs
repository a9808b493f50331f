//! Appending in this process: what the log does by itself, without HTTP and decisions.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use database::StoreUrl;
use event_log::{Actor, Append, Batches, EventLog, KeyStore, Keys, LogStore, Metadata, NewEvent, Outcome, Partition, Read};
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Cluster, Crowd};
use crate::{
    Bench,
    figure::{Aim, Baseline, Figure, Report, in_turn},
};

const PIZZAS: usize = 512;
const PATIENCE: Duration = Duration::from_secs(10);

/// A log with streams to be looked at.
struct Setting {
    log: EventLog,
    users: Arc<[Uuid]>,
    pizzas: Arc<[Uuid]>,
    pizzeria: Uuid,
}

/// `append`, for one user and for many.
///
/// # Errors
/// There is no Postgres, or an append was not accepted.
pub async fn measure(bench: &Bench, report: &Report) -> anyhow::Result<()> {
    let cluster = Cluster::start(&bench.folder, bench.seconds).await?;
    let setting = Setting::prepare(&cluster.new_database().parse()?).await?;
    for crowd in Crowd::BOTH {
        let name = crowd.name("append");
        let before = setting.log.batches();
        let run = async |_| setting.run(crowd, bench).await;
        let (value, baseline) = in_turn(&name, bench.runs, run, async || cluster.inserts(32).await).await?;
        let baseline = Some(Baseline { value: baseline, unit: "inserts/s" });
        report.tell(&Figure { name: &name, value, unit: "commands/s", baseline, aim: Some(Aim::Ratio(2.0)) });
        let after = setting.log.batches();
        let (batches, commands) = (after.batches - before.batches, after.commands - before.commands);
        tell_batches(&name, Batches { batches, commands, micros: after.micros - before.micros }, report);
    }
    setting.log.close().await;
    Ok(())
}

/// `…_batch` and `…_batch_ms`: how many commands a batch held and how long it took, in the mean.
pub fn tell_batches(name: &str, Batches { batches, commands, micros }: Batches, report: &Report) {
    let mean = |sum: u64| sum as f64 / batches.max(1) as f64;
    let (held, took) = (format!("{name}_batch"), format!("{name}_batch_ms"));
    report.tell(&Figure { name: &held, value: mean(commands), unit: "commands", baseline: None, aim: None });
    report.tell(&Figure { name: &took, value: mean(micros) / 1_000.0, unit: "ms", baseline: None, aim: None });
}

impl Setting {
    async fn prepare(url: &StoreUrl) -> anyhow::Result<Self> {
        let keys = Keys::new(KeyStore::open(url, PATIENCE).await?, &[[7; 32]]);
        let log = EventLog::start(LogStore::open(url, PATIENCE).await?, keys).await?;
        let ids = |number: usize| (0..number).map(|_| Uuid::now_v7()).collect();
        let setting = Self { log, users: ids(Crowd::MANY), pizzas: ids(PIZZAS), pizzeria: Uuid::now_v7() };
        for stream_id in setting.users.iter().chain(&*setting.pizzas).chain([&setting.pizzeria]) {
            setting.log.append(append(*stream_id, "thing", *stream_id, "{}".into())).await?;
        }
        Ok(setting)
    }

    /// Accepted commands a second.
    async fn run(&self, crowd: Crowd, bench: &Bench) -> anyhow::Result<f64> {
        let (started, limit) = (Instant::now(), Duration::from_secs(bench.seconds));
        let in_flight = usize::from(bench.in_flight);
        let mut writers = JoinSet::new();
        for writer in 0..in_flight {
            let (log, users, pizzas, pizzeria) = (self.log.clone(), self.users.clone(), self.pizzas.clone(), self.pizzeria);
            writers.spawn(async move {
                let mut accepted = 0_u32;
                while started.elapsed() < limit {
                    let number = accepted as usize * in_flight + writer;
                    let wish = like(users[number % crowd.users()], pizzas[number % PIZZAS], pizzeria);
                    let outcome = log.append(wish).await?;
                    ensure!(matches!(outcome, Outcome::Appended { .. }), "a like was not accepted: {outcome:?}");
                    accepted += 1;
                }
                anyhow::Ok(accepted)
            });
        }
        let mut accepted = 0;
        while let Some(done) = writers.join_next().await {
            accepted += done??;
        }
        ensure!(accepted > 0, "nothing was accepted");
        Ok(f64::from(accepted) / started.elapsed().as_secs_f64())
    }
}

/// As command-api's likes are: a new stream, and three others that were looked at.
fn like(user: Uuid, pizza: Uuid, pizzeria: Uuid) -> Append {
    let payload = json!({ "user_id": user, "pizza_id": pizza, "pizzeria_id": pizzeria }).to_string();
    let reads = [user, pizza, pizzeria].map(|stream_id| Read::Version { stream_id, version: 1 });
    Append { reads: reads.into(), ..append(Uuid::new_v4(), "reaction", user, payload) }
}

fn append(stream_id: Uuid, kind: &'static str, user: Uuid, payload: String) -> Append {
    let event = NewEvent { event_id: Uuid::now_v7(), event_type: "PizzaLiked", schema_version: 1, payload };
    let correlation_id = Uuid::now_v7().to_string();
    Append {
        stream_id,
        kind,
        partition: Partition::of(user),
        expected: 0,
        events: vec![event],
        metadata: Metadata { actor: Actor::User(user), subject_id: Some(user), correlation_id, causation_id: None, traceparent: None },
        reads: vec![],
        claims: vec![],
        links: vec![],
        key: None,
        after: None,
    }
}
