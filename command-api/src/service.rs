//! `command-api` as a program of its own.

use clap::Parser;
use event_log::EventLog;
use service_kit::{
    config::{Listen, Stores},
    identity::Identity,
    secrets::Secrets,
    shutdown::on_signals,
    telemetry::Telemetry,
};

use crate::{App, Settings, run};

/// Takes commands and appends events to the log.
#[derive(Parser, Clone, Debug)]
#[command(version)]
pub struct Config {
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    stores: Stores,
    #[command(flatten)]
    settings: Settings,
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
        let listener = self.listen.bind(8081).await?;
        let public_url = self.listen.public_url(listener.local_addr()?)?;
        let secrets = Secrets::load(&self.stores.data_dir, self.stores.log().is_new())?;
        let log = self.stores.log().open(EventLog::open(&self.stores.log().url)).await?;
        let identity = self.stores.identity().open(Identity::open(&self.stores.identity().url, &secrets, &public_url)).await?;
        tracing::info!(address = %listener.local_addr()?, "command-api listens");
        let app = App::new(log, identity, secrets.claim_key, public_url, self.settings);
        run(app.clone(), listener, shutdown).await?;
        app.close().await;
        Ok(())
    }
}
