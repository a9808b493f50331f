//! `command-api` as a program of its own.

use clap::Parser;
use event_log::{ClaimKey, EventLog};
use service_kit::{
    config::{ConfigError, Listen, PublicUrl, Stores, or_close},
    identity::{Identity, IdentityStore},
    log::open_log,
    opening::opened,
    secrets::{Key, Secrets},
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
        let opening = opened([&listener], async || open(&self.stores, &public_url, self.settings.clone()).await);
        let Some(app) = shutdown.run_until_cancelled(opening).await.transpose()? else { return Ok(()) };
        tracing::info!(address = %listener.local_addr()?, "command-api listens");
        let served = run(app.clone(), listener, shutdown).await;
        app.close().await;
        Ok(served?)
    }
}

/// Opens what commands need: log, keys and identity store.
///
/// # Errors
/// A setting, a store or a key cannot be used; what was opened is closed again.
pub async fn open(stores: &Stores, public_url: &PublicUrl, settings: Settings) -> Result<App, ConfigError> {
    let (log_place, place) = (stores.log()?, stores.identity()?);
    let (mut log, secrets) = open_log(stores).await?;
    if !settings.read_only {
        let begun = log.begin_appending().await.map_err(|error| log_place.wrong(error));
        or_close(begun, log.close()).await?;
    }
    let identity = or_close(place.open(IdentityStore::open).await, log.close()).await?;
    let keys = async { Ok((secrets.cookie_keys()?, claim_key(stores, &log, &secrets).await?)) };
    let (cookie_keys, claim_key) = or_close(keys.await, async { tokio::join!(log.close(), identity.close()) }).await?;
    let identity = Identity::new(identity, &cookie_keys, public_url);
    Ok(App::new(log, identity, claim_key, public_url.clone(), settings))
}

/// The claim key, if it is the one that the log was written with.
async fn claim_key(stores: &Stores, log: &EventLog, secrets: &Secrets) -> Result<Key, ConfigError> {
    let key = secrets.claim_key()?;
    if stores.log()?.answered(log.knows(&ClaimKey::new(key)).await)? {
        return Ok(key);
    }
    Err(ConfigError::new("CLAIM_KEY", "the log was written with another key; bring that one back"))
}
