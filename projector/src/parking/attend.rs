//! What operators do with parked events.

use std::sync::Arc;

use database::Fault;
use event_log::EventLog;
use read_store::{ReadStore, parked};
use uuid::Uuid;

use super::{
    Broken, Id,
    id::Malformed,
    released::{Released, Tried, attempt},
};
use crate::{
    Prepared, Projection,
    operations::{Parked, Retried},
};

/// Why nothing was done with a parked event.
#[derive(Debug, thiserror::Error)]
pub enum ParkingError {
    /// This is no id.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// No such event is parked; it may have been folded, skipped or discarded meanwhile.
    #[error("{0} is not parked")]
    NotParked(Id),
    /// The order of its stream is kept.
    #[error("{id} waits behind {first}, which must be folded or skipped first")]
    Behind {
        /// What was asked for.
        id: Id,
        /// The first parked event of the stream.
        first: Id,
    },
    /// Its generation is being built.
    #[error("{0} is of a generation that is being built; once it is built, again")]
    Building(Id),
    /// Its generation is of another release's version.
    #[error("{id} is of version {version} of its projection, which this program does not fold")]
    Version {
        /// What was asked for.
        id: Id,
        /// Its generation's version.
        version: i64,
    },
    /// The log does not have it.
    #[error("the log has no event at {0}")]
    Missing(Id),
    /// Each time it is tried it is something else.
    #[error("{id} cannot be folded, and it cannot be found out why: {reason}")]
    Unclear {
        /// What was asked for.
        id: Id,
        /// What was found last.
        reason: String,
    },
    /// A database failed; nothing was done.
    #[error("a database failed")]
    Database(#[from] sqlx::Error),
}

/// At most `limit` parked events, of one projection or of all, in the order of their places; and how many there are.
///
/// # Errors
/// The database's own.
pub async fn list(store: &ReadStore, projection: Option<&str>, limit: i64) -> Result<(Vec<Parked>, i64), sqlx::Error> {
    let (rows, total) = store.parked(projection, limit).await?;
    Ok((rows.into_iter().map(Parked::from).collect(), total))
}

/// A parked event.
///
/// # Errors
/// [`ParkingError::Malformed`], [`ParkingError::NotParked`], or the database's own.
pub async fn find(store: &ReadStore, id: &str) -> Result<Parked, ParkingError> {
    let id: Id = id.parse()?;
    let row = store.parked_at(id.place(), id.position).await?;
    row.map(Parked::from).ok_or(ParkingError::NotParked(id))
}

/// Looks after parked events, with what this program folds.
pub struct Attendant<'a> {
    /// Where the events are.
    pub log: &'a EventLog,
    /// Where they are parked.
    pub store: &'a ReadStore,
    /// What folds them.
    pub projections: &'a [Arc<dyn Projection>],
}

impl Attendant<'_> {
    /// Folds what is parked of a stream, from its first event up to the first that cannot be folded, which stays with its new reason.
    ///
    /// # Errors
    /// See [`ParkingError`].
    pub async fn retry(&self, id: &str) -> Result<Retried, ParkingError> {
        let id: Id = id.parse()?;
        let (prepared, stream) = self.look_up(&id).await?;
        self.try_again(&prepared, &id, stream).await
    }

    /// Gives up on an event, for all generations of its projection's version, and folds what waits behind it.
    ///
    /// # Errors
    /// See [`ParkingError`].
    pub async fn skip(&self, id: &str, reason: &str, by: &str) -> Result<Retried, ParkingError> {
        let id: Id = id.parse()?;
        let (prepared, stream) = self.look_up(&id).await?;
        let (view, event) = (prepared.projection.view(), (id.partition, id.position));
        let mut released = Released::take(self.store, &id, stream).await?;
        parked::skip(&mut released.tx, (view.name, view.version), event, reason, by).await?;
        released.tx.commit().await?;
        let mut retried = Retried { folded: 0, left: 0 };
        for generation in self.store.parked_in((view.name, view.version), event).await? {
            let there = Prepared::new(prepared.projection.clone(), generation);
            let place = Id { generation, ..id.clone() };
            match self.try_again(&there, &place, stream).await {
                Ok(done) if generation == id.generation => retried = done,
                Ok(_) | Err(ParkingError::NotParked(_)) => {}
                Err(ParkingError::Behind { .. }) => self.take_away(&place).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(retried)
    }

    /// What folds it, and the stream that it is of.
    async fn look_up(&self, id: &Id) -> Result<(Prepared, Uuid), ParkingError> {
        let Some(row) = self.store.parked_at(id.place(), id.position).await? else { return Err(ParkingError::NotParked(id.clone())) };
        let Some((version, state)) = self.store.version_and_state(&id.projection, id.generation).await? else {
            return Err(ParkingError::NotParked(id.clone()));
        };
        match state.as_str() {
            "folded" | "copy" => {}
            "building" => return Err(ParkingError::Building(id.clone())),
            _ => return Err(ParkingError::NotParked(id.clone())),
        }
        let known = self.projections.iter().find(|one| (one.view().name, one.view().version) == (&*id.projection, version));
        let Some(projection) = known else { return Err(ParkingError::Version { id: id.clone(), version }) };
        Ok((Prepared::new(projection.clone(), id.generation), row.event.stream_id))
    }

    async fn try_again(&self, into: &Prepared, id: &Id, stream: Uuid) -> Result<Retried, ParkingError> {
        let mut broken = Broken::new();
        loop {
            match attempt(self.log, self.store, into, id, stream, &broken).await {
                Ok(Tried::Done(retried)) => return Ok(retried),
                Ok(Tried::Broken(position, reason)) => {
                    if broken.insert(position, reason.clone()).is_some() {
                        return Err(ParkingError::Unclear { id: id.clone(), reason });
                    }
                }
                // A worker was in the way.
                Err(ParkingError::Database(error)) if Fault::of(&error) == Fault::Clash => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What waits behind another that cannot be folded there.
    async fn take_away(&self, id: &Id) -> Result<(), sqlx::Error> {
        let mut tx = self.store.database.begin().await?;
        parked::hold(&mut tx, id.place()).await?;
        parked::release(&mut tx, id.place(), &[id.position]).await?;
        tx.commit().await
    }
}
