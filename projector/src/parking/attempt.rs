//! Folding a batch into some generations in one transaction, or in several where one event is in the way.

use event_log::{Partition, Position, Recorded};
use read_store::{ReadStore, checkpoints::advance};

use super::{Broken, Parking, fold};
use crate::{FoldError, Prepared};

/// Events of a partition, and behind which position they are.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub partition: Partition,
    pub from: Position,
    pub events: &'a [Recorded],
}

impl Batch<'_> {
    fn split(self, size: usize) -> (Self, Self) {
        let (first, rest) = self.events.split_at(size);
        (Self { events: first, ..self }, Self { from: self.from + size as Position, events: rest, ..self })
    }
}

/// Folds a batch, in one transaction. `false`: another worker was faster.
///
/// Of several generations each has to be tried by itself where one is refused. One that is alone goes on in parts, until the event that it
/// is about is parked; what is done is done.
pub(crate) async fn write(store: &ReadStore, into: &[Prepared], batch: Batch<'_>) -> Result<bool, FoldError> {
    match fold_at_once(store, into, batch, &Broken::new()).await {
        Err(FoldError::Refused { .. }) if into.len() == 1 => in_parts(store, into, batch).await,
        done => done,
    }
}

/// After a part that is refused the next one is half as large, after one that is folded twice as large: a single event is soon found, and
/// where nothing at all can be folded none is tried more than it must be.
async fn in_parts(store: &ReadStore, into: &[Prepared], batch: Batch<'_>) -> Result<bool, FoldError> {
    let (mut left, mut size) = (batch, batch.events.len().div_ceil(2));
    while !left.events.is_empty() {
        size = size.min(left.events.len());
        let (part, rest) = left.split(size);
        match fold_at_once(store, into, part, &Broken::new()).await {
            Err(FoldError::Refused { reason }) if size == 1 => {
                let broken = Broken::from([(part.events[0].position, reason)]);
                if !fold_at_once(store, into, part, &broken).await? {
                    return Ok(false);
                }
                left = rest;
            }
            Err(FoldError::Refused { .. }) => size /= 2,
            Ok(true) => (left, size) = (rest, size * 2),
            done => return done,
        }
    }
    Ok(true)
}

async fn fold_at_once(store: &ReadStore, into: &[Prepared], batch: Batch<'_>, broken: &Broken) -> Result<bool, FoldError> {
    let Batch { partition, from, events } = batch;
    let names: Vec<_> = into.iter().map(Prepared::key).collect();
    let mut tx = store.database.begin().await?;
    let Some(found) = advance(&mut tx, &names, partition, from, from + events.len() as Position).await? else { return Ok(false) };
    let mut parked = vec![];
    for (into, found) in into.iter().zip(found) {
        parked.push(fold(&mut tx, into, partition, events, found, broken).await?);
    }
    tx.commit().await?;
    into.iter().zip(&parked).for_each(|(into, parked)| tell(into, partition, parked));
    Ok(true)
}

/// One line for a batch: there may be many of its kind.
fn tell(into: &Prepared, partition: Partition, parked: &Parking) {
    let Some((position, reason)) = parked.events.iter().find_map(|event| Some((event.position, event.reason.as_ref()?))) else { return };
    let ((projection, generation), partition) = (into.key(), partition.number());
    tracing::error!(projection, generation, partition, position, events = parked.events.len(), reason, "events are parked");
}
