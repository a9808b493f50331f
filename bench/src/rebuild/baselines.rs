//! What a database does by itself.

use std::{collections::HashMap, time::Instant};

use anyhow::ensure;
use database::{Either, StoreUrl};
use futures::{Stream, TryStreamExt};
use read_store::ReadStore;
use serde_json::Value;
use sqlx::{ConnectOptions, postgres::PgConnectOptions, sqlite::SqliteConnectOptions};

/// Rows a second that are copied into a table with the same indexes, in the order in which they were written.
///
/// # Errors
/// The database's own.
pub async fn copied(store: &ReadStore) -> anyhow::Result<f64> {
    match &store.database.writer {
        Either::Postgres(db) => {
            let mut db = db.acquire().await?;
            sqlx::raw_sql("drop table if exists copied; create table copied (like reactions_g1 including indexes)")
                .execute(&mut *db)
                .await?;
            let rows = "copy (select * from reactions_g1 order by at) to stdout";
            let rows: Vec<_> = db.copy_out_raw(rows).await?.try_collect().await?;
            let started = Instant::now();
            let mut copy = db.copy_in_raw("copy copied from stdin").await?;
            for chunk in rows.chunks(4_000) {
                copy.send(chunk.concat()).await?;
            }
            let copied = copy.finish().await?;
            Ok(copied as f64 / started.elapsed().as_secs_f64())
        }
        Either::Sqlite(db) => {
            let mut db = db.acquire().await?;
            let made: String = sqlx::query_scalar("select sql from sqlite_master where name = 'reactions_g1'").fetch_one(&mut *db).await?;
            let indexes: Vec<String> =
                sqlx::query_scalar("select sql from sqlite_master where tbl_name = 'reactions_g1' and type = 'index' and sql is not null")
                    .fetch_all(&mut *db)
                    .await?;
            let mut sql =
                "drop table if exists copied; create temp table if not exists staged as select * from reactions_g1 order by at;".to_owned();
            for made in std::iter::once(made).chain(indexes) {
                sql += &format!("{};", made.replace("reactions_g1", "copied"));
            }
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *db).await?;
            let started = Instant::now();
            let copied = sqlx::query("insert into copied select * from staged").execute(&mut *db).await?.rows_affected();
            Ok(copied as f64 / started.elapsed().as_secs_f64())
        }
    }
}

/// Events a second of one sequential read, with JSON parsed and counted in memory.
///
/// # Errors
/// The database's own.
pub async fn counted(log: &StoreUrl) -> anyhow::Result<f64> {
    let started = Instant::now();
    let mut counted = Counted::default();
    match log {
        StoreUrl::Sqlite(path) => {
            let mut db = SqliteConnectOptions::new().filename(path).read_only(true).connect().await?;
            counted.all(sqlx::query_scalar(PAYLOADS).fetch(&mut db)).await?;
        }
        StoreUrl::Postgres(url) => {
            let mut db = url.parse::<PgConnectOptions>()?.options([("search_path", "tizza_log")]).connect().await?;
            counted.all(sqlx::query_scalar(PAYLOADS).fetch(&mut db)).await?;
        }
    }
    ensure!(counted.of.len() > 1, "nothing was counted");
    Ok(counted.events as f64 / started.elapsed().as_secs_f64())
}

const PAYLOADS: &str = "select payload from events";

#[derive(Default)]
struct Counted {
    events: u64,
    of: HashMap<String, u64>,
}

impl Counted {
    async fn all(&mut self, mut rows: impl Stream<Item = Result<String, sqlx::Error>> + Unpin) -> anyhow::Result<()> {
        while let Some(payload) = rows.try_next().await? {
            let payload: Value = serde_json::from_str(&payload)?;
            let pizza = payload.get("pizza_id").and_then(Value::as_str).unwrap_or_default();
            *self.of.entry(pizza.to_owned()).or_default() += 1;
            self.events += 1;
        }
        Ok(())
    }
}
