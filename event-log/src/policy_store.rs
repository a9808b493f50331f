//! What those who react to events must remember: how far they have come, what they could not do.

use crate::{EventLog, Partition, Position, Recorded};
use chrono::{DateTime, Utc};
use database::on;

/// An event that a policy could not deal with.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Parked {
    /// The policy's name.
    pub policy: String,
    /// Where the event is.
    pub partition: Partition,
    /// Its place there.
    pub position: Position,
    /// What went wrong.
    pub reason: String,
    /// Since when it waits.
    pub parked_at: DateTime<Utc>,
}

impl EventLog {
    /// How far a policy has come in a partition.
    ///
    /// # Errors
    /// The database's own, as for all functions here.
    pub async fn policy_position(&self, policy: &str, partition: Partition) -> Result<Position, sqlx::Error> {
        let sql = "select position from policy_checkpoints where policy = $1 and partition = $2";
        let found = on!(&self.database.reader, |db| sqlx::query_scalar(sql).bind(policy).bind(partition).fetch_optional(db).await)?;
        Ok(found.unwrap_or(0))
    }

    /// Remembers how far a policy has come; never backwards.
    ///
    /// # Errors
    /// The database's own.
    pub async fn policy_done(&self, policy: &str, partition: Partition, position: Position) -> Result<(), sqlx::Error> {
        let sql = "insert into policy_checkpoints as c (policy, partition, position) values ($1, $2, $3)
                   on conflict (policy, partition) do update set position = excluded.position where c.position < excluded.position";
        on!(&self.database.writer, |db| sqlx::query(sql).bind(policy).bind(partition).bind(position).execute(db).await.map(drop))
    }

    /// Lays aside an event that a policy cannot deal with. The policy goes on behind it.
    ///
    /// # Errors
    /// The database's own.
    pub async fn policy_park(&self, policy: &str, event: &Recorded, reason: &str, at: DateTime<Utc>) -> Result<(), sqlx::Error> {
        let sql = "insert into policy_parked (policy, partition, position, reason, parked_at) values ($1, $2, $3, $4, $5)
                   on conflict do nothing";
        on!(&self.database.writer, |db| {
            let query = sqlx::query(sql).bind(policy).bind(event.partition).bind(event.position);
            query.bind(reason).bind(at).execute(db).await.map(drop)
        })
    }

    /// How many events each policy has laid aside.
    ///
    /// # Errors
    /// The database's own.
    pub async fn policy_parked_counts(&self) -> Result<Vec<(String, i64)>, sqlx::Error> {
        let sql = "select policy, count(*) from policy_parked group by policy order by policy";
        on!(&self.database.reader, |db| sqlx::query_as(sql).fetch_all(db).await)
    }

    /// All events that policies have laid aside.
    ///
    /// # Errors
    /// The database's own.
    pub async fn policy_parked(&self) -> Result<Vec<Parked>, sqlx::Error> {
        let sql = "select policy, partition, position, reason, parked_at from policy_parked order by policy, partition, position";
        on!(&self.database.reader, |db| sqlx::query_as(sql).fetch_all(db).await)
    }
}
