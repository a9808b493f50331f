//! After a restore.

use clap::Args;
use read_store::ReadStore;
use service_kit::config::Stores;

use super::opened::open;

/// Which log, and which read store.
#[derive(Args, Debug)]
pub struct NewEpoch {
    #[command(flatten)]
    stores: Stores,
}

impl NewEpoch {
    /// Begins an epoch, and tells the read store, if there is one: a query must not find in it what the log no longer holds.
    pub async fn run(self) -> anyhow::Result<()> {
        let log = open(&self.stores).await?;
        let (begun, length) = (log.new_epoch().await, log.length().await);
        log.close().await;
        let epochs = begun?;
        println!("epoch {} begins behind {} events", epochs.current(), length?);
        let place = self.stores.read()?;
        if place.is_missing() {
            return Ok(());
        }
        let store = place.open(ReadStore::open).await?;
        let ahead = store.follow_epochs(&epochs).await;
        store.close().await;
        for view in place.answered(ahead)? {
            println!("view {view}: ahead of the log, will be built anew");
        }
        Ok(())
    }
}
