//! Reading the log: what is sealed is opened, where there still is a key.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Claim, EventLog, Heads, Partition, Position, Recorded, StreamRow, Version, store};

impl EventLog {
    /// The events of a stream after `version`, oldest first.
    ///
    /// # Errors
    /// The database's own.
    pub async fn stream(&self, stream_id: Uuid, after: Version) -> Result<Vec<Recorded>, sqlx::Error> {
        self.keys.unseal(store::stream(&self.database, stream_id, after).await?).await
    }

    /// At most `limit` events of a partition after `position`, oldest first.
    ///
    /// # Errors
    /// The database's own.
    pub async fn read(&self, partition: Partition, after: Position, limit: usize) -> Result<Vec<Recorded>, sqlx::Error> {
        self.keys.unseal(self.read_sealed(partition, after, limit).await?).await
    }

    /// What was read sealed, opened.
    pub(crate) async fn unseal(&self, events: Vec<Recorded>) -> Result<Vec<Recorded>, sqlx::Error> {
        self.keys.unseal(events).await
    }

    /// The same, and what is sealed stays sealed.
    pub(crate) async fn read_sealed(&self, partition: Partition, after: Position, limit: usize) -> Result<Vec<Recorded>, sqlx::Error> {
        match self.told.recent.after(partition, after, limit) {
            Some(events) => Ok(events),
            None => store::read(self.database.reader.acquire().await?.connection(), partition, after, limit).await,
        }
    }

    /// At most `limit` events of some types in a partition, after one position and up to another, oldest first.
    ///
    /// # Errors
    /// The database's own.
    pub async fn read_types(
        &self,
        partition: Partition,
        after: Position,
        until: Position,
        types: &[&str],
        limit: usize,
    ) -> Result<Vec<Recorded>, sqlx::Error> {
        let events = match self.told.recent.of_types(partition, (after, until), types, limit) {
            Some(events) => events,
            None => store::read_types(&self.database, partition, (after, until), types, limit).await?,
        };
        self.keys.unseal(events).await
    }

    /// The same, for those who read a whole partition: as the tables have it, and of the metadata only the subject.
    ///
    /// # Errors
    /// The database's own.
    pub async fn replay(
        &self,
        partition: Partition,
        after: Position,
        until: Position,
        types: &[&str],
        limit: usize,
    ) -> Result<Vec<Recorded>, sqlx::Error> {
        self.keys.unseal(store::replay(&self.database, partition, (after, until), types, limit).await?).await
    }

    /// Kind, partition and version of each of the streams that exist.
    ///
    /// # Errors
    /// The database's own.
    pub async fn rows(&self, streams: &[Uuid]) -> Result<HashMap<Uuid, StreamRow>, sqlx::Error> {
        store::streams(self.database.reader.acquire().await?.connection(), streams.iter().copied()).await
    }

    /// Which stream holds a unique name.
    ///
    /// # Errors
    /// The database's own.
    pub async fn holder(&self, claim: Claim) -> Result<Option<Uuid>, sqlx::Error> {
        Ok(store::claims(self.database.reader.acquire().await?.connection(), [claim].into_iter()).await?.remove(&claim))
    }

    /// The streams that are linked under a key, in the order of their ids.
    ///
    /// # Errors
    /// The database's own.
    pub async fn linked(&self, kind: &str, key: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
        store::linked(&self.database, kind, key).await
    }

    /// The last position of a partition, as the database has it now.
    ///
    /// # Errors
    /// The database's own.
    pub async fn head(&self, partition: Partition) -> Result<Position, sqlx::Error> {
        Ok(self.all_heads().await?[partition.index()])
    }

    /// The last position of each partition, as the database has it now.
    ///
    /// # Errors
    /// The database's own.
    pub async fn all_heads(&self) -> Result<Heads, sqlx::Error> {
        store::heads(&self.database).await
    }

    /// The last position of each partition before a time.
    ///
    /// # Errors
    /// The database's own.
    pub async fn before(&self, time: DateTime<Utc>) -> Result<Heads, sqlx::Error> {
        store::before(&self.database, time).await
    }

    /// When the events at some places were written, as far as there are any.
    ///
    /// # Errors
    /// The database's own.
    pub async fn recorded_at(
        &self,
        places: &[(Partition, Position)],
    ) -> Result<HashMap<(Partition, Position), DateTime<Utc>>, sqlx::Error> {
        if places.is_empty() { Ok(HashMap::new()) } else { store::recorded_at(&self.database, places).await }
    }
}
