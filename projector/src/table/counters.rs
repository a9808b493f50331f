//! Numbers that any partition may add to.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::{Generation, Table, Values};

/// Counters by id: any partition may add to them, so nothing is loaded and what is written is what is to be added.
#[derive(Debug)]
pub struct Counters {
    pub(super) table: &'static Table,
    pub(super) added: BTreeMap<Uuid, Vec<i64>>,
}

impl Counters {
    /// None counted yet. The table's key is one id, its other columns are numbers.
    #[must_use]
    pub fn new(table: &'static Table) -> Self {
        Self { table, added: BTreeMap::new() }
    }

    /// Adds to each number of an id. A counter that was ever touched has a row, whatever it counts.
    pub fn add(&mut self, id: impl Into<Uuid>, amounts: &[i64]) {
        let sums = self.added.entry(id.into()).or_insert_with(|| vec![0; amounts.len()]);
        sums.iter_mut().zip(amounts).for_each(|(sum, amount)| *sum += amount);
    }

    pub(super) fn row(&self, id: &Uuid, sums: &[i64]) -> Values {
        let values = std::iter::once(Value::from(id.to_string())).chain(sums.iter().copied().map(Value::from));
        self.table.columns.iter().map(|column| column.name.to_owned()).zip(values).collect()
    }

    /// Adds what was counted to what is stored.
    ///
    /// # Errors
    /// The database's own.
    pub async fn store(&self, db: &mut Generation<'_>) -> Result<(), sqlx::Error> {
        let rows: Vec<_> = self.added.iter().map(|(id, sums)| self.row(id, sums)).collect();
        let add = self.table.columns[1..].iter().map(|c| format!("{0} = {{{1}}}.{0} + excluded.{0}", c.name, self.table.name));
        self.table.upsert(&format!("update set {}", add.collect::<Vec<_>>().join(", ")), &rows, db).await
    }
}
