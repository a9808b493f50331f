//! Who may work on what, until when: on the database's clock. Whoever holds a lease counts it on his own clock, from before he asked.

use std::{collections::HashMap, time::Duration};

use database::on;
use sqlx::types::Json;
use uuid::Uuid;

use crate::EventLog;

/// $1: names, $2: the owner, $3: for how long, in milliseconds.
macro_rules! take {
    ($names:literal, $now:literal, $changed:literal) => {
        concat!(
            "insert into leases as l (name, owner, epoch, expires_at) select name, $2, 1, ",
            $now,
            " + $3 from (",
            $names,
            ") named where true
             on conflict (name) do update set owner = excluded.owner, epoch = l.epoch + ",
            $changed,
            ", expires_at = excluded.expires_at
             where l.owner = excluded.owner or l.expires_at < ",
            $now,
            " returning name, epoch"
        )
    };
}

impl EventLog {
    /// Takes or renews those of some leases that no other owner has, or has had until they ran out. The answer is each one's epoch, which rises
    /// whenever its owner changes.
    ///
    /// # Errors
    /// The database's own.
    pub async fn leases(&self, names: &[String], owner: Uuid, ttl: Duration) -> Result<HashMap<String, i64>, sqlx::Error> {
        let sql = self.database.writer.pick(
            take!(
                "select value as name from json_each($1) order by value",
                "cast(unixepoch('subsec') * 1000 as integer)",
                "(l.owner <> excluded.owner)"
            ),
            take!(
                "select value as name from jsonb_array_elements_text($1) order by value",
                "(extract(epoch from clock_timestamp()) * 1000)::bigint",
                "(l.owner <> excluded.owner)::int"
            ),
        );
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        let taken: Vec<(String, i64)> =
            on!(&self.database.writer, |db| sqlx::query_as(sql).bind(Json(names)).bind(owner).bind(ttl).fetch_all(db).await)?;
        Ok(taken.into_iter().collect())
    }

    /// Takes or renews one lease. `None`: another owner has it.
    ///
    /// # Errors
    /// The database's own.
    pub async fn lease(&self, name: &str, owner: Uuid, ttl: Duration) -> Result<Option<i64>, sqlx::Error> {
        Ok(self.leases(&[name.to_owned()], owner, ttl).await?.remove(name))
    }

    /// Gives leases back, so that the next owner need not wait until they run out.
    ///
    /// # Errors
    /// The database's own.
    pub async fn release(&self, names: &[String], owner: Uuid) -> Result<(), sqlx::Error> {
        let sql = self.database.writer.pick(
            "update leases set expires_at = 0 where owner = $1 and name in (select value from json_each($2))",
            "update leases set expires_at = 0 where owner = $1 and name in (select jsonb_array_elements_text($2))",
        );
        on!(&self.database.writer, |db| sqlx::query(sql).bind(owner).bind(Json(names)).execute(db).await.map(drop))
    }

    /// How many leases whose names begin so are held.
    ///
    /// # Errors
    /// The database's own.
    pub async fn held(&self, prefix: &str) -> Result<i64, sqlx::Error> {
        let sql = self.database.writer.pick(
            "select count(*) from leases where substr(name, 1, length($1)) = $1 and expires_at >= cast(unixepoch('subsec') * 1000 as integer)",
            "select count(*) from leases where starts_with(name, $1) and expires_at >= (extract(epoch from clock_timestamp()) * 1000)::bigint",
        );
        on!(&self.database.writer, |db| sqlx::query_scalar(sql).bind(prefix).fetch_one(db).await)
    }
}
