//! Whether the log is as it must be.

use std::io::Write;

use anyhow::Context;
use clap::Args;
use command_api::audit::Audit;
use event_log::{
    ClaimKey, Keys, LogStore,
    kafka::audit::{self, Compared},
    verify::Verified,
};
use indicatif::ProgressBar;
use serde_json::json;
use service_kit::{
    config::{ConfigError, Kafka, Stores, or_close},
    log::open_keys,
};

use super::opened::open;
use crate::progress;

/// How many faults are printed.
const PRINTED: usize = 1_000;

/// Which log, and how.
#[derive(Args, Debug)]
pub struct Verify {
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Compare the topic with the log, too: every event once, in order, the same
    #[arg(long)]
    topic: bool,
    #[command(flatten)]
    stores: Stores,
    #[command(flatten)]
    kafka: Kafka,
}

impl Verify {
    /// Looks through all of it, as it is at one moment.
    pub async fn run(self) -> anyhow::Result<()> {
        let log = open(&self.stores).await?;
        let opened = async {
            let (keys, secrets) = open_keys(&self.stores, &log).await?;
            Ok::<_, ConfigError>((keys, ClaimKey::new(secrets.claim_key()?)))
        };
        let (keys, claim_key) = or_close(opened.await, log.close()).await?;
        let bar = progress::bar(log.length().await?, "events");
        let verified = look(&log, &keys, claim_key, &bar).await;
        bar.finish_and_clear();
        let compared = if self.topic { self.compare(&log).await.map(Some) } else { Ok(None) };
        log.close().await;
        keys.close().await;
        print(&verified?, compared?.as_ref(), self.json)
    }

    async fn compare(&self, log: &LogStore) -> anyhow::Result<Compared> {
        let topic =
            self.kafka.topic(&log.epochs().await?)?.context("KAFKA_URL: the brokers are missing: HOST:PORT, several with commas")?;
        let bar = progress::bar(log.length().await?, "events on the topic");
        let compared = audit::compare(log, &topic, |read| bar.inc(read)).await;
        bar.finish_and_clear();
        Ok(compared?)
    }
}

/// Tells what was found; an error if something is wrong.
pub fn print(verified: &Verified, compared: Option<&Compared>, json: bool) -> anyhow::Result<()> {
    let Verified { events, streams, claims, links, faults } = verified;
    let faults: Vec<_> = faults.iter().chain(compared.into_iter().flat_map(|compared| &compared.faults)).collect();
    let mut out = std::io::stdout().lock();
    if json {
        let mut told = json!({ "events": events, "streams": streams, "claims": claims, "links": links, "faults": faults });
        if let Some(Compared { records, repeated, strangers, behind, .. }) = compared {
            told["topic"] = json!({ "records": records, "repeated": repeated, "foreign": strangers, "behind": behind });
        }
        writeln!(out, "{told}")?;
    } else {
        for fault in faults.iter().take(PRINTED) {
            writeln!(out, "{fault}")?;
        }
        writeln!(out, "{events} events, {streams} streams, {claims} names and {links} links were looked at")?;
        if let Some(Compared { records, repeated, strangers, behind, .. }) = compared {
            writeln!(
                out,
                "{records} records on the topic: {repeated} came again, {strangers} are none of ours; it is {behind} events behind"
            )?;
        }
    }
    anyhow::ensure!(faults.is_empty(), "{} things are wrong", faults.len());
    Ok(())
}

/// Looks through all of it, as it is at one moment.
pub async fn look(log: &LogStore, keys: &Keys, claim_key: ClaimKey, bar: &ProgressBar) -> anyhow::Result<Verified> {
    anyhow::ensure!(log.knows(&claim_key).await?, "CLAIM_KEY: the log was written with another key; bring that one back");
    Ok(log.verify(keys, Audit::new(claim_key), |read| bar.inc(read)).await?)
}
