//! Indexes, made in the end: sorting all rows once costs less than finding a place for each.

use database::{Either, on};
use read_store::{ReadStore, live::expand};
use sqlx::AssertSqlSafe;

use super::BuildError;
use crate::Prepared;

/// For one at a time, which nobody waits for.
const MEMORY: &str = "set local maintenance_work_mem = '128MB'";

/// Makes the indexes that readers need, one after the other; those that are there stay.
///
/// # Errors
/// See [`BuildError`].
pub async fn index(store: &ReadStore, target: &Prepared) -> Result<(), BuildError> {
    let view = target.projection.view();
    for index in target.projection.tables().iter().flat_map(|table| &table.indexes) {
        let sql = AssertSqlSafe(expand(index, view, target.generation));
        let mut tx = store.database.begin().await?;
        if let Either::Postgres(tx) = &mut tx {
            sqlx::raw_sql(MEMORY).execute(&mut **tx).await?;
        }
        on!(&mut tx, |db| sqlx::raw_sql(sql).execute(&mut **db).await.map(drop)?);
        tx.commit().await?;
    }
    Ok(())
}
