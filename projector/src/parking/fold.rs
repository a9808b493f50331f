//! Folding a batch, and parking what cannot be folded.

use std::panic::AssertUnwindSafe;

use database::{Fault, Transaction};
use event_log::{Partition, Recorded};
use events::users::USER_DELETED;
use futures::FutureExt;
use read_store::{
    checkpoints::Found,
    parked::{self, Place},
};

use super::{
    Broken,
    reason::{of_panic, of_refusal},
    sort::{Known, Parking, Readable, Sorted, sort},
};
use crate::{FoldError, Folds, Prepared};

impl Prepared {
    /// One of its partitions.
    #[must_use]
    pub fn place(&self, partition: Partition) -> Place<'static> {
        let (projection, generation) = self.key();
        Place { projection, generation, partition }
    }

    /// Whether events of a type go into it. A copy shows what was once: it takes deletions, and of others nothing is even parked.
    #[must_use]
    pub fn lists(&self, event_type: &str) -> bool {
        (self.folds == Folds::Everything || event_type == USER_DELETED) && self.projection.lists(event_type)
    }
}

/// Folds a batch of a partition into a generation whose checkpoint this transaction has moved, and parks what cannot be folded; `found`
/// is what was there. The answer is what was parked.
///
/// # Errors
/// See [`FoldError`]; the transaction must be given up then.
pub async fn fold(
    db: &mut Transaction,
    into: &Prepared,
    partition: Partition,
    batch: &[Recorded],
    found: Found,
    broken: &Broken,
) -> Result<Parking, FoldError> {
    let mut known = Known { broken: broken.clone(), ..known(db, into, partition, batch, found).await? };
    let Sorted { park, .. } = sort_and_fold(db, into, batch.iter(), &mut known).await?;
    write(db, into.place(partition), &park).await?;
    Ok(park)
}

/// Folds what can be folded, but for those that the fold is found not to cope with.
pub(super) async fn sort_and_fold<'a>(
    db: &mut Transaction,
    into: &Prepared,
    events: impl Iterator<Item = &'a Recorded> + Clone + Send,
    known: &mut Known,
) -> Result<Sorted<'a>, FoldError> {
    loop {
        let sorted = sort(events.clone(), |event_type| into.lists(event_type), known)?;
        match caught(db, into, &sorted.fold).await {
            Ok(()) => return Ok(sorted),
            // Nothing was written yet; and what is known to be broken is not folded again.
            Err(FoldError::Broken { position, reason }) => {
                if known.broken.insert(position, reason.clone()).is_some() {
                    return Err(FoldError::Refused { reason });
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// Folds, and answers with an error where the fold panics or the database refuses what it wrote.
async fn caught(db: &mut Transaction, into: &Prepared, events: &[Readable<'_>]) -> Result<(), FoldError> {
    if events.is_empty() {
        return Ok(());
    }
    match AssertUnwindSafe(into.projection.fold(db, into.generation, events)).catch_unwind().await {
        Ok(Err(FoldError::Database(error))) if Fault::of(&error) == Fault::Data => Err(FoldError::Refused { reason: of_refusal(&error) }),
        Ok(folded) => folded,
        Err(panic) => Err(FoldError::Refused { reason: of_panic(panic) }),
    }
}

/// What must be known to sort a batch: nothing is asked where nothing is parked or skipped.
async fn known(
    db: &mut Transaction,
    into: &Prepared,
    partition: Partition,
    batch: &[Recorded],
    found: Found,
) -> Result<Known, sqlx::Error> {
    let mut known = Known::default();
    if found.parked > 0 {
        let streams: Vec<_> = batch.iter().map(|event| event.stream_id).collect();
        let deleted = batch.iter().filter(|event| event.event_type == USER_DELETED);
        let subjects: Vec<_> = deleted.filter_map(|event| event.metadata.subject_id).collect();
        known.held = parked::held(db, into.place(partition), &streams, &subjects).await?;
    }
    if let (true, [first, .., last] | [first @ last]) = (found.skips, batch) {
        let view = into.projection.view();
        known.skipped = parked::skipped(db, (view.name, view.version), partition, (first.position - 1, last.position)).await?;
    }
    Ok(known)
}

/// Writes down what becomes of parked events, by whoever has moved the checkpoint or holds it.
///
/// # Errors
/// The database's own.
pub async fn write(db: &mut Transaction, at: Place<'_>, parking: &Parking) -> Result<(), sqlx::Error> {
    for gone in &parking.discard {
        parked::discard(db, at, gone.subject_id, gone.stream_id, gone.position).await?;
    }
    parked::park(db, at, &parking.events).await
}
