//! What those who react to events must remember: how far they have come, who of them is at work, what they could not do.

use std::time::Duration;

use chrono::{DateTime, Utc};
use database::on;
use uuid::Uuid;

use crate::{EventLog, Partition, Position, Recorded};

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

    /// All events that policies have laid aside.
    ///
    /// # Errors
    /// The database's own.
    pub async fn policy_parked(&self) -> Result<Vec<Parked>, sqlx::Error> {
        let sql = "select policy, partition, position, reason, parked_at from policy_parked order by policy, partition, position";
        on!(&self.database.reader, |db| sqlx::query_as(sql).fetch_all(db).await)
    }

    /// Takes or renews the lease `name`, on the database's clock. `None`: another owner has it and it has not run out.
    /// The answer is the lease's epoch, which rises whenever the owner changes.
    ///
    /// # Errors
    /// The database's own.
    pub async fn lease(&self, name: &str, owner: Uuid, ttl: Duration) -> Result<Option<i64>, sqlx::Error> {
        let sql = self.database.writer.pick(
            "insert into leases as l (name, owner, epoch, expires_at)
               values ($1, $2, 1, cast(unixepoch('subsec') * 1000 as integer) + $3)
             on conflict (name) do update set owner = excluded.owner, epoch = l.epoch + (l.owner <> excluded.owner),
               expires_at = excluded.expires_at
             where l.owner = excluded.owner or l.expires_at < cast(unixepoch('subsec') * 1000 as integer)
             returning epoch",
            "insert into leases as l (name, owner, epoch, expires_at)
               values ($1, $2, 1, (extract(epoch from clock_timestamp()) * 1000)::bigint + $3)
             on conflict (name) do update set owner = excluded.owner, epoch = l.epoch + (l.owner <> excluded.owner)::int,
               expires_at = excluded.expires_at
             where l.owner = excluded.owner or l.expires_at < (extract(epoch from clock_timestamp()) * 1000)::bigint
             returning epoch",
        );
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        on!(&self.database.writer, |db| sqlx::query_scalar(sql).bind(name).bind(owner).bind(ttl).fetch_optional(db).await)
    }

    /// Gives a lease back, so that the next owner need not wait until it runs out.
    ///
    /// # Errors
    /// The database's own.
    pub async fn release(&self, name: &str, owner: Uuid) -> Result<(), sqlx::Error> {
        let sql = "update leases set expires_at = 0 where name = $1 and owner = $2";
        on!(&self.database.writer, |db| sqlx::query(sql).bind(name).bind(owner).execute(db).await.map(drop))
    }
}
