//! Events that could not be folded.

use serde_json::json;

use super::{By, OperationError, Operations, Parked, Retried};
use crate::parking::{self, Attendant, ParkingError};

impl Operations {
    /// At most so many parked events, of one projection or of all, and how many there are.
    ///
    /// # Errors
    /// The projection is unknown, or the database's own.
    pub async fn parked(&self, projection: Option<&str>, limit: i64) -> Result<(Vec<Parked>, i64), OperationError> {
        if let Some(name) = projection {
            self.projection(name).map_err(|error| error.of_field("projection"))?;
        }
        Ok(parking::list(&self.store, projection, limit).await?)
    }

    /// A parked event.
    ///
    /// # Errors
    /// It is not parked, or the database's own.
    pub async fn parked_event(&self, id: &str) -> Result<Parked, OperationError> {
        Ok(parking::find(&self.store, id).await?)
    }

    /// Folds what is parked of the event's stream, as far as that is possible now.
    ///
    /// # Errors
    /// It is not parked, or cannot be retried; the databases' own.
    pub async fn retry(&self, by: &By, id: &str) -> Result<Retried, OperationError> {
        let parked = self.parked_event(id).await?;
        self.note(by, "retry", &json!({ "event": parked.id })).await?;
        Ok(self.attendant().retry(id).await?)
    }

    /// Gives up on an event, and folds what waits behind it.
    ///
    /// # Errors
    /// It is not parked, or cannot be skipped; the databases' own.
    pub async fn skip(&self, by: &By, id: &str, reason: &str) -> Result<Retried, OperationError> {
        let parked = self.parked_event(id).await?;
        self.note(by, "skip", &json!({ "event": parked.id, "reason": reason })).await?;
        Ok(self.attendant().skip(id, reason, &by.operator).await?)
    }

    fn attendant(&self) -> Attendant<'_> {
        Attendant { log: &self.log, store: &self.store, projections: &self.projections }
    }
}

impl From<ParkingError> for OperationError {
    fn from(error: ParkingError) -> Self {
        match error {
            ParkingError::Malformed(id) => Self::invalid("id", id.to_string()),
            ParkingError::NotParked(id) => Self::NotFound(format!("parked event {id}")),
            ParkingError::Database(error) => error.into(),
            ParkingError::Behind { .. }
            | ParkingError::Building(_)
            | ParkingError::Version { .. }
            | ParkingError::Missing(_)
            | ParkingError::Unclear { .. } => Self::conflict(error.to_string()),
        }
    }
}
