//! The projector: folds events into the rows that the query side reads.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`worker`] | one a partition: reads a batch, folds it, writes rows and checkpoints in one transaction |
//! | [`projection`] | what a projection is |
//! | [`table`] | rows of a table while a batch is folded: loaded, changed in memory, written back |
//! | [`service`] | the same as a program of its own |
//! | [`users`], [`pizzerias`], [`pizzas`], [`likes`] | the slices' projections |
//!
//! To add a projection: its view in `read-store/src/views.rs`, its fold in a slice here, one line in [`projections`].

pub mod likes;
pub mod pizzas;
pub mod pizzerias;
pub mod projection;
pub mod service;
pub mod table;
pub mod users;
pub mod worker;

use std::sync::Arc;

use event_log::{Epochs, EventLog, Partition};
use read_store::ReadStore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use projection::{Fold, FoldError, Projection};
pub use worker::{Step, Worker};

/// The registry.
#[must_use]
pub fn projections() -> Vec<Arc<dyn Projection>> {
    vec![
        projection::of::<users::Users>(),
        projection::of::<pizzerias::Pizzerias>(),
        projection::of::<pizzas::Pizzas>(),
        projection::of::<likes::Reactions>(),
    ]
}

/// Makes the tables of every projection that has none of its version yet, or has folded what the log, restored since, does not hold any more;
/// the answer is the generations to fold.
///
/// # Errors
/// The database's own.
pub async fn prepare(log: &Epochs, store: &ReadStore) -> Result<Vec<(Arc<dyn Projection>, i64)>, sqlx::Error> {
    let ahead = store.follow_epochs(log).await?;
    if !ahead.is_empty() {
        tracing::warn!(epoch = log.current(), views = ?ahead, "what has folded more than the restored log holds is built anew");
    }
    let mut prepared = vec![];
    for projection in projections() {
        let generation = store.ensure(projection.view(), &projection.tables()).await?;
        prepared.push((projection, generation));
    }
    Ok(prepared)
}

/// Folds until `shutdown`, then finishes the batches in flight.
///
/// # Errors
/// The tables cannot be made.
pub async fn run(log: EventLog, store: ReadStore, shutdown: CancellationToken) -> Result<(), sqlx::Error> {
    let prepared = prepare(log.epochs(), &store).await?;
    let workers = TaskTracker::new();
    for partition in Partition::all() {
        let worker = Worker::new(log.clone(), store.clone(), partition, &prepared);
        workers.spawn(worker::run(worker, shutdown.clone()));
    }
    workers.close();
    workers.wait().await;
    Ok(())
}
