//! What a worker asks of the world: of where events come from, and of the read store. In a simulation these are played, and the clock with them.

use std::{sync::Arc, time::Instant};

use event_log::{Heads, Partition, Position, Recorded, trace::KeyValue};
use read_store::{ReadStore, checkpoints::Progress};
use tokio::sync::watch;

use crate::{
    FoldError, Projection,
    parking::attempt::{self, Batch},
};

/// A projection, and a generation of its tables.
#[derive(Clone)]
pub struct Prepared {
    /// What folds.
    pub projection: Arc<dyn Projection>,
    /// The generation's number.
    pub generation: i64,
    /// What of the log goes into it.
    pub folds: Folds,
}

/// What of the log goes into a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folds {
    /// All that its projection lists.
    Everything,
    /// Deletions of users, and nothing else: it shows what was once.
    Deletions,
}

impl Prepared {
    /// A generation that everything goes into.
    #[must_use]
    pub fn new(projection: Arc<dyn Projection>, generation: i64) -> Self {
        Self { projection, generation, folds: Folds::Everything }
    }

    /// The view's name, and the generation.
    #[must_use]
    pub fn key(&self) -> (&'static str, i64) {
        (self.projection.view().name, self.generation)
    }

    /// The same for the same generation that is folded alike.
    #[must_use]
    pub fn identity(&self) -> (&'static str, i64, Folds) {
        (self.projection.view().name, self.generation, self.folds)
    }
}

/// Where events come from.
pub trait Feed: Send + Sync {
    /// This process's own clock.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Up to where there is something to be folded, to be waited on.
    fn heads(&self) -> watch::Receiver<Heads>;

    /// At most `limit` events of a partition after a position, oldest first.
    fn read(&self, partition: Partition, after: Position, limit: usize) -> impl Future<Output = Result<Vec<Recorded>, sqlx::Error>> + Send;

    /// What a span tells of an event that comes from here, or of a whole batch.
    fn told(&self, _event: Option<&Recorded>, _batch: usize) -> Vec<KeyValue> {
        vec![]
    }

    /// Up to where some projection has folded a partition, durably. Those that are further behind read the log.
    fn folded(&self, partition: Partition, position: Position);
}

/// Where rows go.
pub trait Rows: Send + Sync {
    /// How far each generation has come.
    fn checkpoints(&self) -> impl Future<Output = Result<Progress, sqlx::Error>> + Send;

    /// Folds a batch into some generations and moves their checkpoints from one position to another, in one transaction; what one cannot
    /// cope with is parked there. `false`: they stand elsewhere. After that, or an error, it has to be looked up where they stand.
    fn write(
        &self,
        into: &[Prepared],
        partition: Partition,
        from: Position,
        to: Position,
        batch: &[Recorded],
    ) -> impl Future<Output = Result<bool, FoldError>> + Send;

    /// Tells those who wait in this process.
    fn folded(&self, into: &[Prepared], partition: Partition, position: Position);
}

fn names(into: &[Prepared]) -> Vec<(&'static str, i64)> {
    into.iter().map(Prepared::key).collect()
}

impl Rows for ReadStore {
    async fn checkpoints(&self) -> Result<Progress, sqlx::Error> {
        self.checkpoints().await
    }

    async fn write(
        &self,
        into: &[Prepared],
        partition: Partition,
        from: Position,
        to: Position,
        batch: &[Recorded],
    ) -> Result<bool, FoldError> {
        debug_assert_eq!(to, from + batch.len() as Position);
        attempt::write(self, into, Batch { partition, from, events: batch }).await
    }

    fn folded(&self, into: &[Prepared], partition: Partition, position: Position) {
        self.folded(&names(into), partition, position);
    }
}
