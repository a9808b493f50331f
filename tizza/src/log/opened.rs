//! The log, opened to be looked at.

use std::env;

use clap::Args;
use event_log::{Epochs, Keys, LogStore, Recorded};
use service_kit::{
    config::{Stores, or_close},
    log::open_keys,
};

/// Which log, and whether personal values are shown.
#[derive(Args, Debug)]
pub struct Look {
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Open what is sealed, with the keys at hand; that this was done is said on standard error
    #[arg(long)]
    reveal: bool,
    #[command(flatten)]
    stores: Stores,
}

/// A log that is looked at.
pub struct Opened {
    pub log: LogStore,
    pub epochs: Epochs,
    /// Only who reveals has them.
    keys: Option<Keys>,
}

impl Look {
    /// Opens the log, does something with it, and closes it.
    pub async fn with(&self, look: impl AsyncFnOnce(&Opened) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let opened = self.open().await?;
        let done = look(&opened).await;
        opened.log.close().await;
        if let Some(keys) = &opened.keys {
            keys.close().await;
        }
        done
    }

    /// The keys only if they are needed.
    async fn open(&self) -> anyhow::Result<Opened> {
        let log = open(&self.stores).await?;
        let epochs = or_close(log.epochs().await, log.close()).await?;
        if !self.reveal {
            return Ok(Opened { log, epochs, keys: None });
        }
        let (keys, _) = or_close(open_keys(&self.stores, &log).await, log.close()).await?;
        Ok(Opened { log, epochs, keys: Some(keys) })
    }
}

impl Opened {
    /// The events as they are to be shown.
    pub async fn shown(&self, events: Vec<Recorded>) -> anyhow::Result<Vec<Recorded>> {
        let Some(keys) = &self.keys else { return Ok(events) };
        let events = keys.unseal(events).await?;
        let revealed = events.iter().filter(|event| event.payload.contains(r#""$pii""#)).count();
        if revealed > 0 {
            let user = env::var("USER").or_else(|_| env::var("LOGNAME")).unwrap_or_else(|_| "unknown".into());
            tracing::warn!(events = revealed, user, "personal values were revealed");
        }
        Ok(events)
    }
}

/// A log that is there already: looking makes none.
pub async fn open(stores: &Stores) -> anyhow::Result<LogStore> {
    let place = stores.log()?;
    anyhow::ensure!(!place.is_missing(), "there is no log at {}", place.url);
    Ok(place.open(LogStore::open).await?)
}
