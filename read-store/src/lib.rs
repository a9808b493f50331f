//! The read store: what the projector writes and the query side reads.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`views`] | names, versions and tables of the views |
//! | [`generations`], `dropping` | tables by generation: made, and taken away |
//! | [`live`], [`swap`] | which generation is read, and reading another from now on |
//! | [`checkpoints`] | how far each generation has come, and waiting for it |
//! | [`jobs`], [`working`] | rebuilds, verifications and copies, and how far they are |
//! | [`parked`] | events that a generation could not fold, and those that operators have given up on |
//! | [`statuses`] | generations as operators see them |
//!
//! A table `pizzas` exists as `pizzas_g1`, `pizzas_g2`, …: one for each generation of its view. Statements are written with
//! `{pizzas}` and expanded for the live generation, so that a swap is one row's change and no table is ever renamed.

pub mod checkpoints;
mod dropping;
pub mod generations;
pub mod jobs;
pub mod live;
pub mod parked;
pub mod statuses;
pub mod swap;
pub mod views;
pub mod working;

use std::{
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};

use database::{Database, Durability, OpenError, Step, Store, StoreUrl};
use tokio::sync::{Notify, watch};

pub use checkpoints::{Positions, Progress};
pub use event_log::{PARTITIONS, Partition};
pub use generations::{Definition, Generation, Role};
pub use live::Live;
pub use swap::Swap;
pub use views::View;
pub use working::Wish;

static STORE: Store = Store {
    // It can be folded anew.
    tables: &[],
    schema: "tizza_read",
    // The log has everything: a power cut may take the last folds, they are done again.
    durability: Durability::Rebuildable,
    steps: &[
        Step {
            name: "read store",
            sqlite: include_str!("../migrations/sqlite/1_read_store.sql"),
            postgres: include_str!("../migrations/postgres/1_read_store.sql"),
        },
        Step {
            name: "epoch",
            sqlite: include_str!("../migrations/sqlite/2_epoch.sql"),
            postgres: include_str!("../migrations/postgres/2_epoch.sql"),
        },
        Step {
            name: "rebuilds",
            sqlite: include_str!("../migrations/sqlite/3_rebuilds.sql"),
            postgres: include_str!("../migrations/postgres/3_rebuilds.sql"),
        },
    ],
};

/// The live generations, and when it was seen that they are.
type Seen = (Instant, Arc<Live>);

/// The read store; clones share it.
#[derive(Clone, Debug)]
pub struct ReadStore {
    /// For the statements of projector and query-api.
    pub database: Database,
    progress: Arc<watch::Sender<Progress>>,
    /// Told when somebody begins to wait.
    waiting: Arc<Notify>,
    live: Arc<RwLock<Option<Seen>>>,
}

/// Why the read store has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No generation of this program's version of a view is there yet.
    #[error("the projection {view} is being built{}", progress.map(|(folded, events)| format!(": {folded} of {events} events are folded")).unwrap_or_default())]
    NotBuilt {
        /// Which view.
        view: &'static str,
        /// How many events of how many are folded, if somebody builds it.
        progress: Option<(i64, i64)>,
    },
    /// The rows do not include a token's position yet.
    #[error("partition {partition} is {lag} events behind")]
    Behind {
        /// Which.
        partition: u16,
        /// How many events are missing.
        lag: i64,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl ReadStore {
    /// Opens the store. A server that is away is waited for, as long as `patience` lasts.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(url: &StoreUrl, patience: Duration) -> Result<Self, OpenError> {
        let database = Database::open(url, &STORE, patience).await?;
        Ok(Self { database, progress: Arc::default(), waiting: Arc::default(), live: Arc::default() })
    }

    /// Closes the store.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

#[cfg(test)]
mod tests;
