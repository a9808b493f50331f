//! Generations as operators see them.

use database::{Either, on};
use sqlx::types::Json;

use crate::ReadStore;

/// A generation that has tables.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct GenerationRow {
    /// Of which view.
    pub projection: String,
    /// Its number.
    pub generation: i64,
    /// Of which version.
    pub version: i64,
    /// `building`, `folded` or `copy`.
    pub state: String,
    /// When it ceased to be live, in seconds since 1970.
    pub retired_at: Option<i64>,
    /// A copy's name.
    pub name: Option<String>,
    /// Whether it is read.
    pub is_live: bool,
    /// How many events are parked.
    pub parked: i64,
}

impl ReadStore {
    /// All generations that have tables, in the order of their views and numbers.
    ///
    /// # Errors
    /// The database's own.
    pub async fn generations(&self) -> Result<Vec<GenerationRow>, sqlx::Error> {
        let sql = "select g.projection, g.generation, g.version, g.state, g.retired_at, g.name,
                     exists (select 1 from live_generations l where l.projection = g.projection and l.generation = g.generation) as is_live,
                     cast((select coalesce(sum(c.parked), 0) from checkpoints c
                           where c.projection = g.projection and c.generation = g.generation) as bigint) as parked
                   from generations g where g.state <> 'gone' order by g.projection, g.generation";
        on!(&self.database.reader, |db| sqlx::query_as(sql).fetch_all(db).await)
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
