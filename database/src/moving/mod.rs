//! Moving what a store keeps from one database to another.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`table`] | what a store keeps, told apart from the database that keeps it |
//! | `rows` | rows, out of a database and into one |
//! | `import` | the mark of a store that is not whole yet |

mod import;
mod rows;
pub mod table;

use futures::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;

use self::{
    rows::{add, count, last, rows},
    table::Table,
};
use crate::Database;

/// How many rows are added in one transaction.
const BATCH: usize = 5_000;

/// How many rows the tables have, together.
///
/// # Errors
/// The database's own.
pub async fn length(database: &Database, tables: &[Table]) -> Result<u64, sqlx::Error> {
    let mut length = 0;
    for table in tables {
        length += count(&database.reader, table).await?;
    }
    Ok(length)
}

/// Copies the rows of a table that are behind the last one that is there, in the order of their keys: so an interrupted copy goes on. `told` hears how many rows were
/// added, a batch at a time.
///
/// # Errors
/// One of the databases' own.
pub async fn copy(from: &Database, to: &Database, table: &'static Table, told: &impl Fn(u64)) -> Result<(), sqlx::Error> {
    let behind = last(&to.reader, table).await?;
    let mut read = read_ahead(from, table, behind);
    while let Some(batch) = read.recv().await {
        let batch = batch?;
        add(&to.writer, table, &batch).await?;
        told(batch.len() as u64);
    }
    Ok(())
}

/// The first row of a table that is not the same in both. `told` hears how many rows were compared, now and then.
///
/// # Errors
/// One of the databases' own.
pub async fn difference(
    one: &Database,
    other: &Database,
    table: &'static Table,
    told: &impl Fn(u64),
) -> Result<Option<String>, sqlx::Error> {
    let [mut ones, mut others] = [one, other].map(|database| read_ahead(database, table, None));
    loop {
        let (one, other) = tokio::join!(ones.recv(), others.recv());
        let (one, other) = (one.transpose()?.unwrap_or_default(), other.transpose()?.unwrap_or_default());
        if let Some(at) = (0..one.len().max(other.len())).find(|at| one.get(*at) != other.get(*at)) {
            return first_of(table, one.get(at), other.get(at)).map(Some);
        }
        if one.is_empty() {
            return Ok(None);
        }
        told(one.len() as u64);
    }
}

/// One that only one of them has comes before the row that the other has there.
fn first_of(table: &Table, one: Option<&String>, other: Option<&String>) -> Result<String, sqlx::Error> {
    let (one, other) = match (one, other) {
        (Some(one), Some(other)) => (one, other),
        (Some(only), None) | (None, Some(only)) => return Ok(table.name_of(only)),
        (None, None) => return Ok(table.name.to_owned()),
    };
    Ok(table.name_of(if table.cells(one)? <= table.cells(other)? { one } else { other }))
}

/// Lines in the order of their keys, behind one, in batches of which all but the last are full.
fn read_ahead(database: &Database, table: &'static Table, behind: Option<String>) -> mpsc::Receiver<Result<Vec<String>, sqlx::Error>> {
    let (batches, read) = mpsc::channel(2);
    let source = database.reader.clone();
    tokio::spawn(async move {
        let mut found = match rows(&source, table, behind.as_deref()) {
            Ok(found) => found.try_chunks(BATCH),
            // Whoever they are for may have failed.
            Err(error) => return drop(batches.send(Err(error)).await),
        };
        while let Some(batch) = found.next().await {
            if batches.send(batch.map_err(|error| error.1)).await.is_err() {
                return;
            }
        }
    });
    read
}
