//! The rows of a table, as lines: out of one database and into another.

use futures::{StreamExt, stream::BoxStream};
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite, SqlitePool};

use super::table::{Cell, Table};
use crate::{Pool, on};

/// SQLite's limit is 32,766 variables a statement.
const VARIABLES: usize = 5_000;

macro_rules! bind {
    ($query:expr, $cells:expr) => {
        $cells.into_iter().fold($query, |query, cell| match cell {
            Cell::Null => query.bind(None::<i64>),
            Cell::Int(number) => query.bind(number),
            Cell::Text(text) => query.bind(text.into_owned()),
            Cell::Bytes(bytes) => query.bind(bytes),
            Cell::Uuid(id) => query.bind(id),
            Cell::Time(time) => query.bind(time),
        })
    };
}

/// In the order of their keys, behind the row of a line.
///
/// # Errors
/// The line is none of this table.
pub(crate) fn rows<'a>(
    pool: &'a Pool,
    table: &'static Table,
    behind: Option<&str>,
) -> Result<BoxStream<'a, Result<String, sqlx::Error>>, sqlx::Error> {
    let is_postgres = pool.pick(false, true);
    let (line, order) = (table.line(is_postgres), table.order(is_postgres, ""));
    let key = behind.map(|line| table.cells(line)).transpose()?;
    let found = key.as_ref().map_or(String::new(), |_| {
        let values: Vec<_> = (1..=table.key).map(|number| format!("${number}")).collect();
        format!("where ({order}) > ({})", values.join(", "))
    });
    let sql = AssertSqlSafe(format!("select {line} from {} {found} order by {order}", table.name));
    let key: Vec<_> = key.into_iter().flatten().take(table.key).collect();
    Ok(on!(pool, |db| bind!(sqlx::query_scalar(sql), key).fetch(db).boxed()))
}

/// The last row in that order.
pub(crate) async fn last(pool: &Pool, table: &'static Table) -> Result<Option<String>, sqlx::Error> {
    let is_postgres = pool.pick(false, true);
    let (line, order) = (table.line(is_postgres), table.order(is_postgres, " desc"));
    let sql = AssertSqlSafe(format!("select {line} from {} order by {order} limit 1", table.name));
    on!(pool, |db| sqlx::query_scalar(sql).fetch_optional(db).await)
}

/// How many there are.
pub(crate) async fn count(pool: &Pool, table: &Table) -> Result<u64, sqlx::Error> {
    let sql = AssertSqlSafe(format!("select count(*) from {}", table.name));
    let count: i64 = on!(pool, |db| sqlx::query_scalar(sql).fetch_one(db).await)?;
    Ok(count.unsigned_abs())
}

/// Adds rows: all of them, durably, or none.
pub(crate) async fn add(pool: &Pool, table: &Table, lines: &[String]) -> Result<(), sqlx::Error> {
    match pool {
        Pool::Sqlite(pool) => insert(pool, table, lines).await,
        Pool::Postgres(pool) => {
            let mut connection = pool.acquire().await?;
            let mut copy = connection.copy_in_raw(&format!("copy {} ({}) from stdin", table.name, table.names())).await?;
            copy.send((lines.join("\n") + "\n").into_bytes()).await?;
            copy.finish().await.map(drop)
        }
    }
}

async fn insert(pool: &SqlitePool, table: &Table, lines: &[String]) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin_with("begin immediate").await?;
    for lines in lines.chunks(VARIABLES / table.columns.len()) {
        let rows: Vec<_> = lines.iter().map(|line| table.cells(line)).collect::<Result<_, _>>()?;
        let mut insert = QueryBuilder::<Sqlite>::new(format!("insert into {} ({}) ", table.name, table.names()));
        insert.push_values(rows, |mut row, cells| {
            for cell in cells {
                match cell {
                    Cell::Null => row.push_bind(None::<i64>),
                    Cell::Int(number) => row.push_bind(number),
                    Cell::Text(text) => row.push_bind(text.into_owned()),
                    Cell::Bytes(bytes) => row.push_bind(bytes),
                    Cell::Uuid(id) => row.push_bind(id),
                    Cell::Time(time) => row.push_bind(time),
                };
            }
        });
        insert.build().execute(&mut *tx).await?;
    }
    tx.commit().await
}
