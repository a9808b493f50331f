//! `projector` as a program of its own.

use clap::Parser;
use event_log::EventLog;
use read_store::ReadStore;
use service_kit::{
    config::{ConfigError, Stores, or_close},
    log::open_log,
    opening::opened,
    shutdown::on_signals,
    telemetry::Telemetry,
};

/// Folds events into the read store.
#[derive(Parser, Clone, Debug)]
#[command(version)]
pub struct Config {
    #[command(flatten)]
    stores: Stores,
    #[command(flatten)]
    telemetry: Telemetry,
}

impl Config {
    /// Folds until SIGINT or SIGTERM.
    ///
    /// # Errors
    /// A setting or a store cannot be used.
    pub async fn serve(self) -> anyhow::Result<()> {
        self.telemetry.start()?;
        let shutdown = on_signals()?;
        let opening = opened([], async || open(&self.stores).await);
        let Some((log, store)) = shutdown.run_until_cancelled(opening).await.transpose()? else { return Ok(()) };
        tracing::info!("projector folds");
        let follow = tokio::spawn({
            let log = log.clone();
            async move { log.follow().await }
        });
        let folded = crate::run(log.clone(), store.clone(), shutdown).await;
        follow.abort();
        log.close().await;
        store.close().await;
        Ok(folded?)
    }
}

/// Opens the log, the keys to what is sealed in it, and the read store.
async fn open(stores: &Stores) -> Result<(EventLog, ReadStore), ConfigError> {
    let place = stores.read()?;
    let (log, _) = open_log(stores).await?;
    let store = or_close(place.open(ReadStore::open).await, log.close()).await?;
    Ok((log, store))
}
