//! `query-api` as a program of its own.

use clap::Parser;
use read_store::ReadStore;
use service_kit::{
    config::{Listen, Stores},
    identity::Identity,
    secrets::Secrets,
    shutdown::on_signals,
    telemetry::Telemetry,
};

use crate::{App, run};

/// Answers queries from the read store.
#[derive(Parser, Clone, Debug)]
#[command(version)]
pub struct Config {
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    stores: Stores,
    #[command(flatten)]
    telemetry: Telemetry,
}

impl Config {
    /// Serves until SIGINT or SIGTERM.
    ///
    /// # Errors
    /// A setting or a store cannot be used.
    pub async fn serve(self) -> anyhow::Result<()> {
        self.telemetry.start()?;
        let shutdown = on_signals()?;
        let listener = self.listen.bind(8082).await?;
        let public_url = self.listen.public_url(listener.local_addr()?)?;
        let secrets = Secrets::load(&self.stores.data_dir, self.stores.identity().is_new())?;
        let store = self.stores.read().open(ReadStore::open(&self.stores.read().url)).await?;
        let identity = self.stores.identity().open(Identity::open(&self.stores.identity().url, &secrets, &public_url)).await?;
        tracing::info!(address = %listener.local_addr()?, "query-api listens");
        run(App::new(store.clone(), identity.clone(), public_url), listener, shutdown).await?;
        identity.close().await;
        store.close().await;
        Ok(())
    }
}
