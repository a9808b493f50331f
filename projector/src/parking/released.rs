//! A stream's parked events, while they are tried again: in one transaction, which holds the checkpoint of their place. So a worker has
//! folded either everything before or nothing yet, and what it parks of the stream then it parks behind what is left.

use std::collections::BTreeSet;

use database::Transaction;
use event_log::{EventLog, Position, Recorded};
use events::users::USER_DELETED;
use read_store::{
    ReadStore,
    parked::{self, ParkedEvent},
};
use uuid::Uuid;

use super::{Broken, Culprit, Id, Known, Sorted, fold::sort_and_fold, write};
use crate::{FoldError, ParkingError, Prepared, operations::Retried};

/// What a try came to.
pub(super) enum Tried {
    Done(Retried),
    /// The fold cannot cope with this event, for this reason.
    Broken(Position, String),
}

/// Folds what is parked of a stream as far as that is possible, if nothing but the `broken` is in the way.
pub(super) async fn attempt(
    log: &EventLog,
    store: &ReadStore,
    into: &Prepared,
    id: &Id,
    stream: Uuid,
    broken: &Broken,
) -> Result<Tried, ParkingError> {
    let mut released = Released::take(store, id, stream).await?;
    let events = released.read(log).await?;
    let mut reason = match released.fold(into, &events, broken).await {
        Ok(retried) => {
            released.tx.commit().await?;
            return Ok(Tried::Done(retried));
        }
        Err(FoldError::Refused { reason }) => reason,
        Err(error) => return known(error),
    };
    let mut culprit = Culprit::among(events.len());
    while let Some(upto) = culprit.next_try() {
        drop(released);
        released = Released::take(store, id, stream).await?;
        match released.fold(into, &events[..upto], broken).await {
            Ok(_) => culprit.tried(upto, true),
            Err(FoldError::Refused { reason: why }) => {
                culprit.tried(upto, false);
                reason = why;
            }
            Err(error) => return known(error),
        }
    }
    Ok(Tried::Broken(events[culprit.index()].position, reason))
}

/// What is known without trying any further.
fn known(error: FoldError) -> Result<Tried, ParkingError> {
    match error {
        FoldError::Newer { position, source } => Ok(Tried::Broken(position, source.to_string())),
        FoldError::Broken { position, reason } => Ok(Tried::Broken(position, reason)),
        FoldError::Refused { reason } => Ok(Tried::Broken(0, reason)),
        FoldError::Database(error) => Err(error.into()),
    }
}

/// A stream's parked events.
pub(super) struct Released<'a> {
    pub tx: Transaction,
    id: &'a Id,
    stream: Uuid,
    rows: Vec<ParkedEvent>,
}

impl<'a> Released<'a> {
    /// Takes them, if this is the first.
    pub async fn take(store: &ReadStore, id: &'a Id, stream: Uuid) -> Result<Self, ParkingError> {
        let mut tx = store.database.begin().await?;
        parked::hold(&mut tx, id.place()).await?;
        let rows = parked::of_stream(&mut tx, id.place(), stream).await?;
        match rows.first() {
            Some(first) if first.position == id.position => Ok(Self { tx, id, stream, rows }),
            Some(first) if rows.iter().any(|row| row.position == id.position) => {
                Err(ParkingError::Behind { first: Id { position: first.position, ..id.clone() }, id: id.clone() })
            }
            Some(_) | None => Err(ParkingError::NotParked(id.clone())),
        }
    }

    /// The events themselves.
    async fn read(&self, log: &EventLog) -> Result<Vec<Recorded>, ParkingError> {
        let mut events = log.stream(self.stream, 0).await?;
        events.retain(|event| self.rows.binary_search_by_key(&event.position, |row| row.position).is_ok());
        let found = |row: &&ParkedEvent| events.binary_search_by_key(&row.position, |event| event.position).is_ok();
        match self.rows.iter().find(|row| !found(row)) {
            Some(row) => Err(ParkingError::Missing(Id { position: row.position, ..self.id.clone() })),
            None => Ok(events),
        }
    }

    /// Folds them, and writes down what is left of them.
    async fn fold(&mut self, into: &Prepared, events: &[Recorded], broken: &Broken) -> Result<Retried, FoldError> {
        let (tx, at, view) = (&mut self.tx, self.id.place(), into.projection.view());
        let subjects: Vec<_> =
            events.iter().filter(|event| event.event_type == USER_DELETED).filter_map(|event| event.metadata.subject_id).collect();
        let mut held = parked::held(tx, at, &[], &subjects).await?;
        held.retain(|(stream, _)| *stream != self.stream);
        let all = (0, Position::MAX);
        let skipped = parked::skipped(tx, (view.name, view.version), self.id.partition, all).await?;
        let mut known = Known { held, skipped, broken: broken.clone() };
        let Sorted { fold, mut park, .. } = sort_and_fold(tx, into, events.iter(), &mut known).await?;
        let left: BTreeSet<_> = park.events.iter().map(|event| event.position).collect();
        let gone: Vec<_> = self.rows.iter().map(|row| row.position).filter(|position| !left.contains(position)).collect();
        parked::release(tx, at, &gone).await?;
        // They are parked already.
        for event in std::mem::take(&mut park.events) {
            if let Some(reason) = event.reason {
                parked::blame(tx, at, event.position, &reason).await?;
            }
        }
        write(tx, at, &park).await?;
        Ok(Retried { folded: fold.len() as i64, left: left.len() as i64 })
    }
}
