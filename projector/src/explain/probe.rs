//! A fold in memory that is watched for one row.

use event_log::Recorded;
use events::{DecodeError, Event};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Asked, Became, ColumnChange};
use crate::{
    Fold,
    table::{Column, Held, Values},
};

/// A fold in memory that is watched for one row.
pub trait Probe: Send {
    /// Folds the next event of a partition; the answer is what it did to the row, in each table that has such a key.
    ///
    /// # Errors
    /// The event cannot be read, and nothing was folded.
    fn fold(&mut self, recorded: &Recorded) -> Result<Vec<RowChange>, DecodeError>;
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowChange {
    /// In which table, without generation.
    pub table: String,
    /// What.
    pub became: Became,
    /// Of which columns.
    pub columns: Vec<ColumnChange>,
}

/// A row that is watched.
struct Watched {
    /// Which of the fold's tables.
    table: usize,
    key: Values,
    now: Option<Values>,
}

struct InMemory<F> {
    fold: F,
    watched: Vec<Watched>,
}

/// A probe of a fold, for one partition. `None`: no table has such a key.
#[must_use]
pub fn probe<F: Fold + 'static>(asked: &Asked) -> Option<Box<dyn Probe>> {
    let fold = F::default();
    let wanted = |held: &dyn Held| asked.table.as_ref().is_none_or(|name| name == held.table().name);
    let watched = |(table, held): (usize, &dyn Held)| {
        let key = held.table().key_of(&asked.key).filter(|_| wanted(held))?;
        Some(Watched { table, key, now: None })
    };
    let watched: Vec<_> = fold.held().into_iter().enumerate().filter_map(watched).collect();
    (!watched.is_empty()).then(|| Box::new(InMemory { fold, watched }) as Box<dyn Probe>)
}

impl<F: Fold> Probe for InMemory<F> {
    fn fold(&mut self, recorded: &Recorded) -> Result<Vec<RowChange>, DecodeError> {
        if !F::TYPES.contains(&recorded.event_type.as_str()) {
            return Ok(vec![]);
        }
        let event = Event::decode(&recorded.event_type, recorded.schema_version, &recorded.payload)?;
        self.fold.apply(&event, recorded);
        let held = self.fold.held();
        Ok(self.watched.iter_mut().filter_map(|watched| watched.look(held[watched.table])).collect())
    }
}

impl Watched {
    /// What has changed since it was looked at.
    fn look(&mut self, held: &dyn Held) -> Option<RowChange> {
        let now = held.find(&self.key);
        if now == self.now {
            return None;
        }
        let before = std::mem::replace(&mut self.now, now);
        let became = match (&before, &self.now) {
            (None, _) => Became::Made,
            (_, None) => Became::Removed,
            _ => Became::Changed,
        };
        let of = |row: &Option<Values>, column: &Column| row.as_ref().and_then(|row| row.get(column.name()).cloned()).unwrap_or_default();
        let change = |column: &Column| difference(column, held.is_counted(), of(&before, column), of(&self.now, column));
        let columns = held.table().columns.iter().filter_map(change).collect();
        Some(RowChange { table: held.table().name.into(), became, columns })
    }
}

fn difference(column: &Column, is_counted: bool, from: Value, to: Value) -> Option<ColumnChange> {
    if from == to {
        return None;
    }
    let change =
        ColumnChange { column: column.name().into(), personal: column.is_personal(), from: Value::Null, to: Value::Null, by: None };
    Some(match (is_counted, to.as_i64()) {
        _ if column.is_personal() => change,
        (true, Some(sum)) => ColumnChange { by: Some(sum - from.as_i64().unwrap_or_default()), ..change },
        _ => ColumnChange { from, to, ..change },
    })
}
