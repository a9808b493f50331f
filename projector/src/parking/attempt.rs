//! Folding a batch into some generations in one transaction, however often it has to be tried.

use database::Transaction;
use event_log::{Partition, Position, Recorded};
use read_store::{ReadStore, checkpoints::advance};

use super::{Broken, Culprit, Parking, fold};
use crate::{FoldError, Prepared};

/// A batch, and from where to where it goes.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub partition: Partition,
    pub from: Position,
    pub events: &'a [Recorded],
}

/// A batch that is folded, and not committed yet.
struct Attempt {
    tx: Transaction,
    parked: Vec<Parking>,
}

/// Folds a batch. One generation that cannot be folded for a reason that only the database or a panic tells is folded without the event
/// that it is about; of several, each has to be tried by itself.
pub(crate) async fn write(store: &ReadStore, into: &[Prepared], batch: Batch<'_>) -> Result<bool, FoldError> {
    let mut broken = Broken::new();
    loop {
        let reason = match attempt(store, into, batch, &broken).await {
            Ok(None) => return Ok(false),
            Ok(Some(Attempt { tx, parked })) => {
                tx.commit().await?;
                into.iter().zip(&parked).for_each(|(into, parked)| tell(into, batch.partition, parked));
                return Ok(true);
            }
            Err(FoldError::Refused { reason }) if into.len() == 1 => reason,
            Err(error) => return Err(error),
        };
        let Some((position, reason)) = find(store, into, batch, &broken, reason).await? else { return Ok(false) };
        if broken.insert(position, reason.clone()).is_some() {
            return Err(FoldError::Refused { reason });
        }
    }
}

async fn attempt(store: &ReadStore, into: &[Prepared], batch: Batch<'_>, broken: &Broken) -> Result<Option<Attempt>, FoldError> {
    let Batch { partition, from, events } = batch;
    let names: Vec<_> = into.iter().map(Prepared::key).collect();
    let mut tx = store.database.begin().await?;
    let Some(found) = advance(&mut tx, &names, partition, from, from + events.len() as Position).await? else { return Ok(None) };
    let mut parked = vec![];
    for (into, found) in into.iter().zip(found) {
        parked.push(fold(&mut tx, into, partition, events, found, broken).await?);
    }
    Ok(Some(Attempt { tx, parked }))
}

/// Finds the first event of a refused batch that it is about. What is tried is not committed. `None`: another worker was faster.
async fn find(
    store: &ReadStore,
    into: &[Prepared],
    batch: Batch<'_>,
    broken: &Broken,
    mut reason: String,
) -> Result<Option<(Position, String)>, FoldError> {
    let mut culprit = Culprit::among(batch.events.len());
    while let Some(upto) = culprit.next_try() {
        match attempt(store, into, Batch { events: &batch.events[..upto], ..batch }, broken).await {
            Ok(None) => return Ok(None),
            Ok(Some(_)) => culprit.tried(upto, true),
            Err(FoldError::Refused { reason: why }) => {
                culprit.tried(upto, false);
                reason = why;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Some((batch.events[culprit.index()].position, reason)))
}

/// One line for a batch: there may be many of its kind.
fn tell(into: &Prepared, partition: Partition, parked: &Parking) {
    let Some((position, reason)) = parked.events.iter().find_map(|event| Some((event.position, event.reason.as_ref()?))) else { return };
    let ((projection, generation), partition) = (into.key(), partition.number());
    tracing::error!(projection, generation, partition, position, events = parked.events.len(), reason, "events are parked");
}
