//! `query-api` as a program of its own.

use clap::Parser;
use read_store::ReadStore;
use service_kit::{
    config::{ConfigError, Listen, PublicUrl, Stores, or_close},
    identity::{Identity, IdentityStore},
    opening::opened,
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
        let opening = opened([&listener], async || open(&self.stores, &public_url).await);
        let Some(app) = shutdown.run_until_cancelled(opening).await.transpose()? else { return Ok(()) };
        tracing::info!(address = %listener.local_addr()?, "query-api listens");
        let served = run(app.clone(), listener, shutdown).await;
        app.identity.close().await;
        app.store.close().await;
        Ok(served?)
    }
}

/// Opens the read store and the identity store. The keys to cookies are made as long as nobody has a cookie.
async fn open(stores: &Stores, public_url: &PublicUrl) -> Result<App, ConfigError> {
    let (place, identity_place) = (stores.read()?, stores.identity()?);
    let store = place.open(ReadStore::open).await?;
    let identity = or_close(identity_place.open(IdentityStore::open).await, store.close()).await?;
    let is_new = identity_place.answered(identity.is_empty().await);
    let cookie_keys = is_new.and_then(|is_new| Secrets::new(&stores.data_dir, is_new).cookie_keys());
    let cookie_keys = or_close(cookie_keys, async { tokio::join!(store.close(), identity.close()) }).await?;
    Ok(App::new(store, Identity::new(identity, &cookie_keys, public_url), public_url.clone()))
}
