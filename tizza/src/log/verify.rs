//! Whether the log is as it must be.

use std::io::Write;

use clap::Args;
use command_api::audit::Audit;
use event_log::{ClaimKey, Keys, LogStore, verify::Verified};
use indicatif::ProgressBar;
use serde_json::json;
use service_kit::{
    config::{ConfigError, Stores, or_close},
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
    #[command(flatten)]
    stores: Stores,
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
        log.close().await;
        keys.close().await;
        print(&verified?, self.json)
    }
}

/// Tells what was found; an error if something is wrong.
pub fn print(verified: &Verified, json: bool) -> anyhow::Result<()> {
    let Verified { events, streams, claims, links, faults } = verified;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", json!({ "events": events, "streams": streams, "claims": claims, "links": links, "faults": faults }))?;
    } else {
        for fault in faults.iter().take(PRINTED) {
            writeln!(out, "{fault}")?;
        }
        writeln!(out, "{events} events, {streams} streams, {claims} names and {links} links were looked at")?;
    }
    anyhow::ensure!(faults.is_empty(), "{} things are wrong in the log", faults.len());
    Ok(())
}

/// Looks through all of it, as it is at one moment.
pub async fn look(log: &LogStore, keys: &Keys, claim_key: ClaimKey, bar: &ProgressBar) -> anyhow::Result<Verified> {
    anyhow::ensure!(log.knows(&claim_key).await?, "CLAIM_KEY: the log was written with another key; bring that one back");
    Ok(log.verify(keys, Audit::new(claim_key), |read| bar.inc(read)).await?)
}
