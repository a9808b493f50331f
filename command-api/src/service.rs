//! `command-api` as a program of its own.

use clap::Parser;
use event_log::{ClaimKey, EventLog, KeyStore, Keys, LogStore};
use service_kit::{
    config::{ConfigError, Listen, PublicUrl, Stores, or_close},
    identity::{Identity, IdentityStore},
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
        let opening = open(&self.stores, &public_url, self.settings);
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
    let place = stores.identity()?;
    let (log, secrets) = open_log(stores).await?;
    let identity = or_close(place.open(IdentityStore::open).await, log.close()).await?;
    let keys = secrets.cookie_keys().and_then(|cookie_keys| Ok((cookie_keys, secrets.claim_key()?)));
    let keys = match keys {
        Ok(keys) => known(stores, &log, keys).await,
        Err(error) => Err(error),
    };
    let (cookie_keys, claim_key) = or_close(keys, async { tokio::join!(log.close(), identity.close()) }).await?;
    let identity = Identity::new(identity, &cookie_keys, public_url);
    Ok(App::new(log, identity, claim_key, public_url.clone(), settings))
}

/// The keys, if the log was written with this claim key.
async fn known(stores: &Stores, log: &EventLog, keys: (Vec<Key>, Key)) -> Result<(Vec<Key>, Key), ConfigError> {
    if stores.log()?.answered(log.knows(&ClaimKey::new(keys.1)).await)? {
        return Ok(keys);
    }
    Err(ConfigError::new("CLAIM_KEY", "the log was written with another key; bring that one back"))
}

/// Opens the log with the keys to what is sealed in it, and tells where the other secrets are; as long as the log is empty, a missing
/// one is made.
///
/// # Errors
/// A setting, a store or a key cannot be used; what was opened is closed again.
pub async fn open_log(stores: &Stores) -> Result<(EventLog, Secrets), ConfigError> {
    let (place, keys_place) = (stores.log()?, stores.keys()?);
    let log = place.open(LogStore::open).await?;
    let keys = or_close(keys_place.open(KeyStore::open).await, log.close()).await?;
    let is_new = place.answered(log.is_empty().await);
    let secrets = is_new.map(|is_new| Secrets::new(&stores.data_dir, is_new));
    let ring = secrets.and_then(|secrets| Ok((secrets.key_encryption_keys()?, secrets)));
    let (ring, secrets) = or_close(ring, async { tokio::join!(log.close(), keys.close()) }).await?;
    let keys = Keys::new(keys, &ring);
    let checked = keys.check(secrets.is_new()).await.map_err(|error| keys_place.wrong(error));
    or_close(checked, async { tokio::join!(log.close(), keys.close()) }).await?;
    let log = place.answered(EventLog::start(log, keys).await)?;
    Ok((log, secrets))
}
