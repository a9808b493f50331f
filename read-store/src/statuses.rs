//! Generations as operators see them.

use std::collections::HashMap;

use database::{Either, on};
use sqlx::types::Json;

use crate::ReadStore;

impl ReadStore {
    /// How many events each (view, generation) has parked, where it has any.
    ///
    /// # Errors
    /// The database's own.
    pub async fn parked_by_generation(&self) -> Result<HashMap<(String, i64), i64>, sqlx::Error> {
        let sql =
            "select projection, generation, cast(sum(parked) as bigint) from checkpoints where parked > 0 group by projection, generation";
        let rows: Vec<(String, i64, i64)> = on!(&self.database.reader, |db| sqlx::query_as(sql).fetch_all(db).await)?;
        Ok(rows.into_iter().map(|(view, generation, parked)| ((view, generation), parked)).collect())
    }

    /// How many bytes some tables take, with their indexes; of those that are not there none.
    ///
    /// # Errors
    /// The database's own.
    pub async fn bytes(&self, tables: &[String]) -> Result<i64, sqlx::Error> {
        match &self.database.reader {
            Either::Sqlite(db) => {
                let sql = "select coalesce(sum(pgsize), 0) from dbstat where aggregate = 1
                             and name in (select name from sqlite_master where tbl_name in (select value from json_each($1)))";
                sqlx::query_scalar(sql).bind(Json(tables)).fetch_one(db).await
            }
            Either::Postgres(db) => {
                let sql = "select coalesce(sum(pg_total_relation_size(to_regclass(quote_ident(name)))), 0)::bigint
                           from jsonb_array_elements_text($1) name";
                sqlx::query_scalar(sql).bind(Json(tables)).fetch_one(db).await
            }
        }
    }
}
