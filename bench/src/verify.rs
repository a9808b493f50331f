//! `tizza log verify`, beside reading and decoding the same log and nothing else.

use std::{collections::HashMap, time::Instant};

use anyhow::ensure;
use command_api::audit::Audit;
use database::StoreUrl;
use event_log::{ClaimKey, KeyStore, Keys, LogStore, Partition};
use events::{Event, PizzaId, ReactionEvent};

use crate::{
    Bench,
    figure::{Aim, Baseline, Figure, Report, in_turn},
    history::{self, CLAIM_KEY, KEY_ENCRYPTION_KEY, PATIENCE, PIZZAS},
    postgres::Cluster,
};

const PAGE: usize = 1_000;

/// `verify` of a log in a file, `postgres_verify` of one in Postgres.
///
/// # Errors
/// There is no Postgres, or something is wrong in the log.
pub async fn measure(bench: &Bench, report: &Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    of(bench, "verify", &StoreUrl::file(folder.path().join("log.db")), &StoreUrl::file(folder.path().join("keys.db")), report).await?;
    let cluster = Cluster::start(&bench.folder, bench.seconds).await?;
    let url = cluster.new_database().parse()?;
    of(bench, "postgres_verify", &url, &url, report).await
}

async fn of(bench: &Bench, name: &str, log: &StoreUrl, keys: &StoreUrl, report: &Report) -> anyhow::Result<()> {
    history::fill(log, keys).await?;
    let keys = Keys::new(KeyStore::open(keys, PATIENCE).await?, &[KEY_ENCRYPTION_KEY]);
    let log = LogStore::open(log, PATIENCE).await?;
    let (value, baseline) = in_turn(name, bench.runs, async |_| verified(&log, &keys).await, async || folded(&log, &keys).await).await?;
    let baseline = Some(Baseline { value: baseline, unit: "events/s_read" });
    report.tell(&Figure { name, value, unit: "events/s", baseline, aim: Some(Aim::Ratio(0.5)) });
    log.close().await;
    keys.close().await;
    Ok(())
}

async fn verified(log: &LogStore, keys: &Keys) -> anyhow::Result<f64> {
    let started = Instant::now();
    let verified = log.verify(keys, Audit::new(ClaimKey::new(CLAIM_KEY)), |_| {}).await?;
    ensure!(verified.faults.is_empty(), "{:?}", verified.faults);
    Ok(verified.events as f64 / started.elapsed().as_secs_f64())
}

/// Reads all, and counts the likes of each pizza.
async fn folded(log: &LogStore, keys: &Keys) -> anyhow::Result<f64> {
    let (started, mut events, mut likes) = (Instant::now(), 0_u32, HashMap::<PizzaId, u32>::new());
    for partition in Partition::all() {
        let mut position = 0;
        loop {
            let page = keys.unseal(log.read(partition, position, PAGE).await?).await?;
            let Some(last) = page.last() else { break };
            position = last.position;
            for event in &page {
                events += 1;
                if let Event::Reaction(ReactionEvent::PizzaLiked { pizza_id, .. }) =
                    Event::decode(&event.event_type, event.schema_version, &event.payload)?
                {
                    *likes.entry(pizza_id).or_default() += 1;
                }
            }
        }
    }
    ensure!(likes.len() == PIZZAS as usize, "{} pizzas are liked", likes.len());
    Ok(f64::from(events) / started.elapsed().as_secs_f64())
}
