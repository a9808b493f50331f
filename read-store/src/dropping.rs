//! Taking generations away.

use database::{Either, on};
use sqlx::AssertSqlSafe;

use crate::{Generation, ReadStore, live::table_of};

impl Generation {
    /// Its tables, as the database calls them.
    #[must_use]
    pub fn table_names(&self) -> Vec<String> {
        self.tables.iter().map(|table| table_of(table, self.generation)).collect()
    }

    /// What a copy's tables are called for those who look at them.
    #[must_use]
    pub fn copy_names(&self) -> Vec<String> {
        let name = self.name.iter();
        name.flat_map(|name| self.tables.iter().map(move |table| format!("{table}_{name}"))).collect()
    }
}

impl ReadStore {
    /// Gives a copy's tables the names that it was asked for with.
    ///
    /// # Errors
    /// The database's own.
    pub async fn name_copy(&self, copy: &Generation) -> Result<(), sqlx::Error> {
        let mut tx = self.begin_for_good().await?;
        for (name, table) in copy.copy_names().iter().zip(copy.table_names()) {
            let sql = AssertSqlSafe(format!("drop view if exists {name}; create view {name} as select * from {table}"));
            on!(&mut tx, |db| sqlx::raw_sql(sql).execute(&mut **db).await.map(drop))?;
        }
        tx.commit().await
    }

    /// Drops a generation, unless it is what programs of its version are to read. Workers that still fold it find that it has no checkpoints any
    /// more.
    ///
    /// # Errors
    /// The database's own; on Postgres also that somebody reads a table for longer than a second.
    pub async fn drop_generation(&self, generation: &Generation) -> Result<bool, sqlx::Error> {
        let mut tx = self.begin_making().await?;
        let read = "select 1 from live_generations l join generations g on g.projection = l.projection and g.generation = l.generation
            where l.projection = $1 and l.generation = $2 and g.retired_at is null";
        let (name, number) = (&generation.projection, generation.generation);
        let read: Option<i32> = on!(&mut tx, |db| sqlx::query_scalar(read).bind(name).bind(number).fetch_optional(&mut **db).await)?;
        if read.is_some() {
            return Ok(false);
        }
        if let Either::Postgres(tx) = &mut tx {
            sqlx::raw_sql("set local lock_timeout = '1s'").execute(&mut **tx).await?;
        }
        // Checkpoints first, as whoever folds: nobody waits for each other in a circle.
        for sql in [
            "delete from checkpoints where projection = $1 and generation = $2",
            "delete from parked_events where projection = $1 and generation = $2",
            "delete from live_generations where projection = $1 and generation = $2",
            "update generations set state = 'gone' where projection = $1 and generation = $2",
        ] {
            on!(&mut tx, |db| sqlx::query(sql).bind(name).bind(number).execute(&mut **db).await.map(drop))?;
        }
        let views = generation.copy_names().into_iter().map(|name| format!("drop view if exists {name};"));
        let tables = generation.table_names().into_iter().map(|name| format!("drop table if exists {name};"));
        let sql = AssertSqlSafe(views.chain(tables).collect::<String>());
        on!(&mut tx, |db| sqlx::raw_sql(sql).execute(&mut **db).await.map(drop))?;
        tx.commit().await?;
        Ok(true)
    }
}
