//! What is parked.

use chrono::{DateTime, Utc};
use database::{Transaction, on};
use sqlx::{FromRow, types::Json};
use uuid::Uuid;

use super::{ParkedEvent, Place, Streams};
use crate::{Partition, ReadStore};

/// The same, with its place.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct ParkedRow {
    /// By which view.
    pub projection: String,
    /// In which generation.
    pub generation: i64,
    /// Where it is.
    pub partition: Partition,
    /// What is parked.
    #[sqlx(flatten)]
    pub event: ParkedEvent,
    /// Since when.
    #[sqlx(try_from = "Seconds")]
    pub parked_at: DateTime<Utc>,
}

/// Since 1970.
#[derive(sqlx::Type)]
#[sqlx(transparent)]
struct Seconds(i64);

impl From<Seconds> for DateTime<Utc> {
    fn from(Seconds(seconds): Seconds) -> Self {
        Self::from_timestamp(seconds, 0).unwrap_or_default()
    }
}

/// $1: the view, $2: the generation, $3: the partition, $4: ids. On Postgres one index scan for each id, by nothing but the id: what it
/// believes of a table that is new would have it look through all that is parked in the place.
macro_rules! held {
    ($column:literal, sqlite) => {
        concat!(
            "select distinct stream_id, subject_id from parked_events where projection = $1 and generation = $2 and partition = $3 and ",
            $column,
            " in (select unhex(value, '-') from json_each($4))"
        )
    };
    ($column:literal, postgres) => {
        concat!(
            "select distinct found.stream_id, found.subject_id from jsonb_array_elements_text($4) given (id)
            cross join lateral (select * from parked_events where ",
            $column,
            " = given.id::uuid offset 0) found
            where found.projection = $1 and found.generation = $2 and found.partition = $3"
        )
    };
}

/// Which of these streams have something parked, and which streams of these persons.
///
/// # Errors
/// The database's own.
pub async fn held(db: &mut Transaction, at: Place<'_>, streams: &[Uuid], subjects: &[Uuid]) -> Result<Streams, sqlx::Error> {
    let by_stream = db.pick(held!("stream_id", sqlite), held!("stream_id", postgres));
    let by_subject = db.pick(held!("subject_id", sqlite), held!("subject_id", postgres));
    let mut held = Streams::new();
    for (sql, ids) in [(by_stream, streams), (by_subject, subjects)].into_iter().filter(|(_, ids)| !ids.is_empty()) {
        let found: Vec<(Uuid, Option<Uuid>)> = on!(&mut *db, |db| {
            let query = sqlx::query_as(sql).bind(at.projection).bind(at.generation).bind(at.partition).bind(Json(ids));
            // Planned each time for the rows that there are then.
            query.persistent(false).fetch_all(&mut **db).await?
        });
        held.extend(found);
    }
    Ok(held)
}

/// All streams that have something parked.
///
/// # Errors
/// The database's own.
pub async fn all_held(db: &mut Transaction, at: Place<'_>) -> Result<Streams, sqlx::Error> {
    let sql = "select distinct stream_id, subject_id from parked_events where projection = $1 and generation = $2 and partition = $3";
    let found: Vec<(Uuid, Option<Uuid>)> =
        on!(db, |db| { sqlx::query_as(sql).bind(at.projection).bind(at.generation).bind(at.partition).fetch_all(&mut **db).await? });
    Ok(found.into_iter().collect())
}

/// What is parked of a stream, in its order.
///
/// # Errors
/// The database's own.
pub async fn of_stream(db: &mut Transaction, at: Place<'_>, stream: Uuid) -> Result<Vec<ParkedEvent>, sqlx::Error> {
    let sql = "select position, stream_id, subject_id, type, reason from parked_events
               where projection = $1 and generation = $2 and partition = $3 and stream_id = $4 order by position";
    on!(db, |db| {
        let query = sqlx::query_as(sql).bind(at.projection).bind(at.generation).bind(at.partition).bind(stream);
        query.fetch_all(&mut **db).await
    })
}

impl ReadStore {
    /// At most `limit` parked events, of one view or of all, in the order of their places; and how many there are.
    ///
    /// # Errors
    /// The database's own.
    pub async fn parked(&self, projection: Option<&str>, limit: i64) -> Result<(Vec<ParkedRow>, i64), sqlx::Error> {
        let sql = "select projection, generation, partition, position, stream_id, subject_id, type, reason, parked_at from parked_events
                   where $1 is null or projection = $1 order by projection, generation, partition, position limit $2";
        let total = "select count(*) from parked_events where $1 is null or projection = $1";
        let mut db = self.database.snapshot().await?;
        on!(&mut db, |db| {
            let total = sqlx::query_scalar(total).bind(projection).fetch_one(&mut **db).await?;
            Ok((sqlx::query_as(sql).bind(projection).bind(limit).fetch_all(&mut **db).await?, total))
        })
    }

    /// A parked event.
    ///
    /// # Errors
    /// The database's own.
    pub async fn parked_at(&self, at: Place<'_>, position: i64) -> Result<Option<ParkedRow>, sqlx::Error> {
        let sql = "select projection, generation, partition, position, stream_id, subject_id, type, reason, parked_at from parked_events
                   where projection = $1 and generation = $2 and partition = $3 and position = $4";
        on!(&self.database.reader, |db| {
            let query = sqlx::query_as(sql).bind(at.projection).bind(at.generation).bind(at.partition).bind(position);
            query.fetch_optional(db).await
        })
    }

    /// The version and the state of a generation.
    ///
    /// # Errors
    /// The database's own.
    pub async fn version_and_state(&self, projection: &str, generation: i64) -> Result<Option<(i64, String)>, sqlx::Error> {
        let sql = "select version, state from generations where projection = $1 and generation = $2";
        on!(&self.database.reader, |db| sqlx::query_as(sql).bind(projection).bind(generation).fetch_optional(db).await)
    }

    /// In which generations of a version that nobody builds just now an event is parked.
    ///
    /// # Errors
    /// The database's own.
    pub async fn parked_in(
        &self,
        (projection, version): (&str, i64),
        (partition, position): (Partition, i64),
    ) -> Result<Vec<i64>, sqlx::Error> {
        let sql = "select generation from parked_events p join generations g using (projection, generation)
                   where projection = $1 and g.version = $2 and g.state in ('folded', 'copy') and p.partition = $3 and p.position = $4
                   order by generation";
        on!(&self.database.reader, |db| {
            let query = sqlx::query_scalar(sql).bind(projection).bind(version).bind(partition).bind(position);
            query.fetch_all(db).await
        })
    }

    /// How many events of each view are parked, in all generations that are folded.
    ///
    /// # Errors
    /// The database's own.
    pub async fn parked_counts(&self) -> Result<Vec<(String, i64)>, sqlx::Error> {
        let sql = "select c.projection, cast(sum(c.parked) as bigint) from checkpoints c
                   join generations g on g.projection = c.projection and g.generation = c.generation
                   where g.state = 'folded' group by c.projection order by c.projection";
        on!(&self.database.reader, |db| sqlx::query_as(sql).fetch_all(db).await)
    }
}
