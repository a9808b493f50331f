//! The rows of a table, out of one database and into another.

use futures::{StreamExt, stream::BoxStream};
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite, SqlitePool};

use super::table::{Cell, Table};
use crate::{Pool, on};

/// SQLite's limit is 32,766 variables a statement.
const VARIABLES: usize = 5_000;

/// A row's cells.
pub(crate) type Cells = Vec<Cell>;

macro_rules! bind {
    ($query:expr, $cells:expr) => {
        $cells.into_iter().fold($query, |query, cell| match cell {
            Cell::Null => query.bind(None::<i64>),
            Cell::Int(number) => query.bind(number),
            Cell::Text(text) => query.bind(text),
            Cell::Bytes(bytes) => query.bind(bytes),
            Cell::Uuid(id) => query.bind(id),
            Cell::Time(time) => query.bind(time),
        })
    };
}

/// In the order of their keys, behind one.
pub(crate) fn rows<'a>(pool: &'a Pool, table: &'static Table, behind: Option<Cells>) -> BoxStream<'a, Result<Cells, sqlx::Error>> {
    let is_postgres = pool.pick(false, true);
    let order = table.order(is_postgres, "");
    let found = behind.as_ref().map(|key| (1..=key.len()).map(|number| format!("${number}")).collect::<Vec<_>>().join(", "));
    let found = found.map_or(String::new(), |key| format!("where ({order}) > ({key})"));
    let sql = AssertSqlSafe(format!("select {} from {} {found} order by {order}", table.selected(is_postgres), table.name));
    let behind = behind.into_iter().flatten();
    on!(pool, |db| bind!(sqlx::query(sql), behind).fetch(db).map(|row| table.cells(&row?)).boxed())
}

/// The key of the last row in that order.
pub(crate) async fn last(pool: &Pool, table: &'static Table) -> Result<Option<Cells>, sqlx::Error> {
    let is_postgres = pool.pick(false, true);
    let order = table.order(is_postgres, " desc");
    let sql = AssertSqlSafe(format!("select {} from {} order by {order} limit 1", table.selected(is_postgres), table.name));
    let row = on!(pool, |db| sqlx::query(sql).fetch_optional(db).await?.map(|row| table.cells(&row)).transpose())?;
    Ok(row.map(|mut cells| {
        cells.truncate(table.key);
        cells
    }))
}

/// How many there are.
pub(crate) async fn count(pool: &Pool, table: &Table) -> Result<u64, sqlx::Error> {
    let sql = AssertSqlSafe(format!("select count(*) from {}", table.name));
    let count: i64 = on!(pool, |db| sqlx::query_scalar(sql).fetch_one(db).await)?;
    Ok(count.unsigned_abs())
}

/// Adds rows: all of them, durably, or none.
pub(crate) async fn add(pool: &Pool, table: &Table, rows: &[Cells]) -> Result<(), sqlx::Error> {
    match pool {
        Pool::Sqlite(pool) => insert(pool, table, rows).await,
        Pool::Postgres(pool) => {
            let mut lines = vec![];
            for row in rows {
                for (at, cell) in row.iter().enumerate() {
                    if at > 0 {
                        lines.push(b'\t');
                    }
                    cell.write(&mut lines);
                }
                lines.push(b'\n');
            }
            let mut copy = pool.acquire().await?;
            let mut copy = copy.copy_in_raw(&format!("copy {} ({}) from stdin", table.name, table.names())).await?;
            copy.send(lines).await?;
            copy.finish().await.map(drop)
        }
    }
}

async fn insert(pool: &SqlitePool, table: &Table, rows: &[Cells]) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin_with("begin immediate").await?;
    for rows in rows.chunks(VARIABLES / table.columns.len()) {
        let mut insert = QueryBuilder::<Sqlite>::new(format!("insert into {} ({}) ", table.name, table.names()));
        insert.push_values(rows, |mut row, cells| {
            for cell in cells {
                match cell {
                    Cell::Null => row.push_bind(None::<i64>),
                    Cell::Int(number) => row.push_bind(*number),
                    Cell::Text(text) => row.push_bind(text.as_str()),
                    Cell::Bytes(bytes) => row.push_bind(bytes.as_slice()),
                    Cell::Uuid(id) => row.push_bind(*id),
                    Cell::Time(time) => row.push_bind(*time),
                };
            }
        });
        insert.build().execute(&mut *tx).await?;
    }
    tx.commit().await
}
