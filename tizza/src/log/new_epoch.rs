//! After a restore.

use anyhow::Context;
use clap::Args;
use command_api::Settings;
use event_log::{Epochs, LogStore};
use read_store::ReadStore;
use service_kit::config::{PublicUrl, Stores, or_close};

use super::opened::open;

/// Which log, and which read store.
#[derive(Args, Debug)]
pub struct NewEpoch {
    #[command(flatten)]
    stores: Stores,
}

impl NewEpoch {
    /// Begins an epoch; tells the read store, if there is one: a query must not find in it what the log no longer holds; and deletes again
    /// who was erased after the backup was made.
    pub async fn run(self) -> anyhow::Result<()> {
        let log = open(&self.stores).await?;
        let epochs = or_close(begin(&log).await, log.close()).await?;
        log.close().await;
        self.tell_read_store(&epochs).await?;
        self.delete_erased().await.context("the epoch has begun, but who was erased after the backup is not deleted again")
    }

    async fn tell_read_store(&self, epochs: &Epochs) -> anyhow::Result<()> {
        let place = self.stores.read()?;
        if place.is_missing() {
            return Ok(());
        }
        let store = place.open(ReadStore::open).await?;
        let ahead = store.follow_epochs(epochs).await;
        store.close().await;
        for view in place.answered(ahead)? {
            println!("view {view}: ahead of the log, will be built anew");
        }
        Ok(())
    }

    async fn delete_erased(&self) -> anyhow::Result<()> {
        let app = command_api::service::open(&self.stores, &PublicUrl::nowhere(), Settings::default()).await?;
        let deleted = command_api::users::delete_erased(&app).await;
        app.close().await;
        for user in deleted.map_err(|problem| anyhow::anyhow!("{}", problem.detail))? {
            println!("user {user}: erased after the backup, deleted again");
        }
        Ok(())
    }
}

async fn begin(log: &LogStore) -> anyhow::Result<Epochs> {
    let _alone = log.alone().await?.context("the log is in use: stop what appends to it")?;
    if let Some(moved) = log.moved().await? {
        anyhow::bail!("the log was moved to {}, or is on its way there", moved.target);
    }
    let epochs = log.new_epoch().await?;
    println!("epoch {} begins behind {} events", epochs.current(), log.length().await?);
    Ok(epochs)
}
