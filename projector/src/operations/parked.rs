//! Events that could not be folded.

use chrono::DateTime;
use database::on;
use event_log::Partition;
use serde_json::json;
use uuid::Uuid;

use super::{By, OperationError, Operations, Parked, Retried};

const COLUMNS: &str = "projection, generation, partition, position, stream_id, type, reason, parked_at";

type Row = (String, i64, Partition, i64, Uuid, String, Option<String>, i64);

impl Operations {
    /// At most so many parked events, of one projection or of all, and how many there are.
    ///
    /// # Errors
    /// The projection is unknown, or the database's own.
    pub async fn parked(&self, projection: Option<&str>, limit: i64) -> Result<(Vec<Parked>, i64), OperationError> {
        if let Some(name) = projection {
            self.projection(name).map_err(|error| error.of_field("projection"))?;
        }
        let mut found = self.all_parked().await?;
        found.retain(|parked| projection.is_none_or(|name| parked.projection == name));
        let count = found.len() as i64;
        found.truncate(usize::try_from(limit).unwrap_or_default());
        Ok((found, count))
    }

    async fn all_parked(&self) -> Result<Vec<Parked>, OperationError> {
        let sql = sqlx::AssertSqlSafe(format!("select {COLUMNS} from parked_events order by projection, generation, partition, position"));
        let rows: Vec<Row> = on!(&self.store.database.reader, |db| sqlx::query_as(sql).fetch_all(db).await)?;
        let parked = |(projection, generation, partition, position, stream_id, event_type, reason, at): Row| Parked {
            id: format!("{projection}.{generation}.{}.{position}", partition.number()),
            projection,
            generation,
            partition: partition.number(),
            position,
            stream_id,
            event_type,
            reason,
            parked_at: DateTime::from_timestamp(at, 0).unwrap_or_default(),
        };
        Ok(rows.into_iter().map(parked).collect())
    }

    /// A parked event.
    ///
    /// # Errors
    /// It is not parked, or the database's own.
    pub async fn parked_event(&self, id: &str) -> Result<Parked, OperationError> {
        let found = self.all_parked().await?.into_iter().find(|parked| parked.id == id);
        found.ok_or_else(|| OperationError::NotFound("parked event of this id".into()))
    }

    /// Folds what is parked of the event's stream, as far as that is possible now.
    ///
    /// # Errors
    /// It is not parked, or cannot be retried; the databases' own.
    pub async fn retry(&self, by: &By, id: &str) -> Result<Retried, OperationError> {
        let parked = self.parked_event(id).await?;
        self.note(by, "retry", &json!({ "event": parked.id })).await?;
        Err(OperationError::conflict(format!("{id} cannot be folded")))
    }

    /// Gives up on an event, and folds what waits behind it.
    ///
    /// # Errors
    /// It is not parked, or cannot be skipped; the databases' own.
    pub async fn skip(&self, by: &By, id: &str, reason: &str) -> Result<(), OperationError> {
        let parked = self.parked_event(id).await?;
        self.note(by, "skip", &json!({ "event": parked.id, "reason": reason })).await?;
        Err(OperationError::conflict(format!("{id} cannot be skipped")))
    }
}
