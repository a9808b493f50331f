//! Bringing the stores up to this version, before the services do it as they start.

use clap::Args;
use event_log::{KeyStore, LogStore};
use read_store::ReadStore;
use service_kit::{
    config::{ConfigError, Stores},
    identity::IdentityStore,
    telemetry,
};

/// Where the stores are.
#[derive(Args, Debug)]
pub struct Config {
    #[command(flatten)]
    stores: Stores,
}

impl Config {
    /// Migrates one store after the other; those that came before one that fails stay as they are then.
    pub async fn run(self) -> Result<(), ConfigError> {
        telemetry::on_stderr();
        let Self { stores } = self;
        let (log, keys, identity, read) = (stores.log()?, stores.keys()?, stores.identity()?, stores.read()?);
        log.open(LogStore::open).await?.close().await;
        eprintln!("the log is up to date: {}", log.url);
        keys.open(KeyStore::open).await?.close().await;
        eprintln!("the keys are up to date: {}", keys.url);
        identity.open(IdentityStore::open).await?.close().await;
        eprintln!("the identity store is up to date: {}", identity.url);
        read.open(ReadStore::open).await?.close().await;
        eprintln!("the read store is up to date: {}", read.url);
        Ok(())
    }
}
