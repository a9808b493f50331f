//! `projector` as a program of its own.

use clap::Parser;
use event_log::EventLog;
use read_store::ReadStore;
use service_kit::{config::Stores, shutdown::on_signals, telemetry::Telemetry};

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
        let log = self.stores.log().open(EventLog::open(&self.stores.log().url)).await?;
        let store = self.stores.read().open(ReadStore::open(&self.stores.read().url)).await?;
        tracing::info!("projector folds");
        let follow = tokio::spawn({
            let log = log.clone();
            async move { log.follow().await }
        });
        crate::run(log.clone(), store.clone(), shutdown).await?;
        follow.abort();
        log.close().await;
        store.close().await;
        Ok(())
    }
}
