//! `tizza move` from SQLite to Postgres, beside `COPY` of the same events into the same table.

use std::{fs, path::Path, process::Stdio, time::Instant};

use anyhow::ensure;
use base64::{Engine, prelude::BASE64_STANDARD};
use database::{Database, StoreUrl, moving};
use event_log::LOG;
use futures::TryStreamExt;
use service_kit::identity::IdentityStore;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::process::Command;

use crate::{
    Bench,
    figure::{Aim, Baseline, Figure, Report, in_turn},
    history::{self, CLAIM_KEY, EVENTS, KEY_ENCRYPTION_KEY, PATIENCE},
    postgres::Cluster,
};

const STORES: [&str; 3] = ["log.db", "keys.db", "identity.db"];

/// `move`: all of it, as an operator does it. `move_copying`: what comes before it is compared and verified, of the log.
///
/// # Errors
/// There is no Postgres, or it cannot be moved.
pub async fn measure(bench: &Bench, binary: &Path, report: &Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&bench.folder)?;
    let [log, keys, identity] = STORES.map(|name| StoreUrl::file(folder.path().join(name)));
    history::fill(&log, &keys).await?;
    IdentityStore::open(&identity, PATIENCE).await?.close().await;
    let cluster = Cluster::start(&bench.folder, bench.seconds).await?;
    let events = {
        let url = cluster.new_database();
        moved(binary, folder.path(), &url).await?;
        copied_out(&url).await?
    };
    let baseline = async || copied_in(&cluster.new_database(), &events).await;
    let aim = Some(Aim::Ratio(0.5));
    let tell = |name, (value, baseline)| {
        let baseline = Some(Baseline { value: baseline, unit: "events/s_copied" });
        report.tell(&Figure { name, value, unit: "events/s", baseline, aim });
    };
    let copying = async |_| only_copied(&log, &cluster.new_database()).await;
    tell("move_copying", in_turn("move_copying", bench.runs, copying, &baseline).await?);
    let all = async |_| moved(binary, folder.path(), &cluster.new_database()).await;
    tell("move", in_turn("move", bench.runs, all, &baseline).await?);
    Ok(())
}

fn events_a_second(started: Instant) -> f64 {
    EVENTS as f64 / started.elapsed().as_secs_f64()
}

/// Out of a copy: what was moved once is not moved again.
async fn moved(binary: &Path, stores: &Path, to: &str) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir_in(stores)?;
    for name in STORES {
        fs::copy(stores.join(name), folder.path().join(name))?;
    }
    let secret = |key| BASE64_STANDARD.encode(key);
    let mut command = Command::new(binary);
    command.env_clear().env("CLAIM_KEY", secret(CLAIM_KEY)).env("KEY_ENCRYPTION_KEYS", secret(KEY_ENCRYPTION_KEY));
    command.args(["move", "--to", to, "--from"]).arg(folder.path()).stdout(Stdio::null());
    let started = Instant::now();
    let output = command.output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(events_a_second(started))
}

async fn only_copied(log: &StoreUrl, to: &str) -> anyhow::Result<f64> {
    let from = Database::open(log, &LOG, PATIENCE).await?;
    let to = Database::open(&to.parse()?, &LOG, PATIENCE).await?;
    let started = Instant::now();
    for table in LOG.tables {
        moving::copy(&from, &to, table, &|_| {}).await?;
    }
    let speed = events_a_second(started);
    from.close().await;
    to.close().await;
    Ok(speed)
}

async fn connect(url: &str) -> anyhow::Result<PgConnection> {
    Ok(PgConnection::connect_with(&url.parse::<PgConnectOptions>()?.options([("search_path", LOG.schema)])).await?)
}

/// All events, as Postgres writes them.
async fn copied_out(url: &str) -> anyhow::Result<Vec<u8>> {
    let mut db = connect(url).await?;
    let chunks: Vec<_> = db.copy_out_raw("copy events to stdout").await?.try_collect().await?;
    db.close().await?;
    Ok(chunks.concat())
}

/// The baseline: nothing but the events, from memory, in one statement.
async fn copied_in(url: &str, events: &[u8]) -> anyhow::Result<f64> {
    Database::open(&url.parse()?, &LOG, PATIENCE).await?.close().await;
    let mut db = connect(url).await?;
    let started = Instant::now();
    let mut copy = db.copy_in_raw("copy events from stdin").await?;
    copy.send(events).await?;
    let rows = copy.finish().await?;
    let speed = events_a_second(started);
    ensure!(u128::from(rows) == EVENTS, "{rows} events were copied");
    db.close().await?;
    Ok(speed)
}
