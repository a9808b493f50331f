//! The mark of a store that something is moved into: nobody uses it before all is there.

use sqlx::AssertSqlSafe;

use super::table::Table;
use crate::{Database, Pool, moving::rows::count, on};

impl Database {
    /// Where the store's rows are coming from, as long as not all of them are there.
    ///
    /// # Errors
    /// The database's own.
    pub async fn importing(&self) -> Result<Option<String>, sqlx::Error> {
        if !self.has_table("importing").await? {
            return Ok(None);
        }
        on!(&self.reader, |db| sqlx::query_scalar("select source from importing").fetch_optional(db).await)
    }

    /// The first of its tables that says something already.
    ///
    /// # Errors
    /// The database's own.
    pub async fn first_in_use(&self, tables: &[Table]) -> Result<Option<&'static str>, sqlx::Error> {
        for table in tables.iter().filter(|table| !table.seeded) {
            if count(&self.reader, table).await? > 0 {
                return Ok(Some(table.name));
            }
        }
        Ok(None)
    }

    /// Marks an unused store as one that is being moved into, and makes it wholly empty.
    ///
    /// # Errors
    /// The database's own.
    pub async fn begin_import(&self, source: &str, tables: &[Table]) -> Result<(), sqlx::Error> {
        let mut tx = self.begin().await?;
        on!(&mut tx, |db| sqlx::query("create table if not exists importing (source text not null)").execute(&mut **db).await.map(drop))?;
        on!(&mut tx, |db| sqlx::query("insert into importing values ($1)").bind(source).execute(&mut **db).await.map(drop))?;
        for table in tables.iter().filter(|table| table.seeded) {
            let sql = AssertSqlSafe(format!("delete from {}", table.name));
            on!(&mut tx, |db| sqlx::query(sql).execute(&mut **db).await.map(drop))?;
        }
        tx.commit().await
    }

    /// All is there: whoever waits may use it. Postgres is told first how much of what there is.
    ///
    /// # Errors
    /// The database's own.
    pub async fn end_import(&self, tables: &[Table]) -> Result<(), sqlx::Error> {
        if let Pool::Postgres(db) = &self.writer {
            for table in tables {
                sqlx::query(AssertSqlSafe(format!("analyze {}", table.name))).execute(db).await?;
            }
        }
        if !self.has_table("importing").await? {
            return Ok(());
        }
        // The table stays: somebody may be about to look into it.
        on!(&self.writer, |db| sqlx::query("delete from importing").execute(db).await.map(drop))
    }
}
