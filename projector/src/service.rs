//! `projector` as a program of its own.

use clap::Parser;
use event_log::{EventLog, KeyStore, Keys, LogStore};
use read_store::ReadStore;
use service_kit::{
    config::{ConfigError, Stores, or_close},
    secrets::Secrets,
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
        let Some((log, store)) = shutdown.run_until_cancelled(open(&self.stores)).await.transpose()? else { return Ok(()) };
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
    let (place, keys_place, read_place) = (stores.log()?, stores.keys()?, stores.read()?);
    let log = place.open(LogStore::open).await?;
    let keys = or_close(keys_place.open(KeyStore::open).await, log.close()).await?;
    let is_new = place.answered(log.is_empty().await);
    let ring = is_new.and_then(|is_new| Ok((is_new, Secrets::new(&stores.data_dir, is_new).key_encryption_keys()?)));
    let (is_new, ring) = or_close(ring, async { tokio::join!(log.close(), keys.close()) }).await?;
    let keys = Keys::new(keys, &ring);
    let checked = keys.check(is_new).await.map_err(|error| keys_place.wrong(error));
    or_close(checked, async { tokio::join!(log.close(), keys.close()) }).await?;
    let log = place.answered(EventLog::start(log, keys).await)?;
    let store = or_close(read_place.open(ReadStore::open).await, log.close()).await?;
    Ok((log, store))
}
