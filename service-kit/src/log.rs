//! Opening the log as a program does: its store, the keys to what is sealed in it, and the server's own keys to these.

use event_log::{Erasures, EventLog, KeyStore, Keys, LogStore};

use crate::{
    config::{ConfigError, Stores, or_close},
    secrets::Secrets,
};

/// Opens the log with the keys to what is sealed in it, and tells where the other secrets are; as long as the log is empty, a missing
/// one is made.
///
/// # Errors
/// A setting, a store or a key cannot be used; what was opened is closed again.
pub async fn open_log(stores: &Stores) -> Result<(EventLog, Secrets), ConfigError> {
    let place = stores.log()?;
    let log = place.open(LogStore::open).await?;
    let (keys, secrets) = or_close(open_keys(stores, &log).await, log.close()).await?;
    let log = place.answered(EventLog::start(log, keys).await)?;
    Ok((log, secrets))
}

/// Opens the keys to what is sealed in a log.
///
/// # Errors
/// A setting, the store or a key cannot be used; what was opened is closed again.
pub async fn open_keys(stores: &Stores, log: &LogStore) -> Result<(Keys, Secrets), ConfigError> {
    let (place, keys_place) = (stores.log()?, stores.keys()?);
    let keys = keys_place.open(KeyStore::open).await?;
    let is_new = place.answered(log.is_empty().await);
    let secrets = is_new.map(|is_new| Secrets::new(&stores.data_dir, is_new));
    let ring = secrets.and_then(|secrets| Ok((secrets.key_encryption_keys()?, secrets)));
    let (ring, secrets) = or_close(ring, keys.close()).await?;
    let mut keys = Keys::new(keys, &ring);
    if let Some(path) = stores.erasures() {
        keys = keys.with(Erasures::new(path));
    }
    let checked = keys.check(secrets.is_new()).await.map_err(|error| keys_place.wrong(error));
    or_close(checked, keys.close()).await?;
    let again = keys.erase_again().await.map_err(|error| ConfigError::new("ERASURES_FILE", error.to_string()));
    let again = or_close(again, keys.close()).await?;
    if again > 0 {
        tracing::warn!(persons = again, "erased again: the key store did not know that they are, as after a restore");
    }
    Ok((keys, secrets))
}
