//! Rows in memory, as they look to whoever knows a key.

use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Column, Counters, Kind, Row, Rows, Table, names};

/// A row: a value for each column.
pub type Values = Map<String, Value>;

/// What a fold holds of one table.
pub trait Held {
    /// Which table.
    fn table(&self) -> &'static Table;

    /// Whether its numbers are what was added, and not what they are.
    fn is_counted(&self) -> bool {
        false
    }

    /// The row with a key, which is an object of the key's columns.
    fn find(&self, key: &Values) -> Option<Values>;
}

impl<R: Row> Held for Rows<R> {
    fn table(&self) -> &'static Table {
        R::TABLE
    }

    fn find(&self, key: &Values) -> Option<Values> {
        let row = self.get(&R::Key::deserialize(key).ok()?)?;
        match serde_json::to_value(row) {
            Ok(Value::Object(values)) => Some(values),
            Ok(_) | Err(_) => None,
        }
    }
}

impl Held for Counters {
    fn table(&self) -> &'static Table {
        self.table
    }

    fn is_counted(&self) -> bool {
        true
    }

    fn find(&self, key: &Values) -> Option<Values> {
        let id: Uuid = key.values().next()?.as_str()?.parse().ok()?;
        Some(self.row(&id, self.added.get(&id)?))
    }
}

impl Table {
    /// The columns of its key, with commas between them.
    #[must_use]
    pub fn key_names(&self) -> String {
        names(self.key_columns())
    }

    /// A key out of its values, with commas between them; `None`: this table's keys are others.
    #[must_use]
    pub fn key_of(&self, text: &str) -> Option<Values> {
        let parts: Vec<_> = text.split(',').map(str::trim).collect();
        let columns = self.key_columns();
        let values = columns.iter().zip(&parts).map(|(column, part)| Some((column.name.to_owned(), column.parse(part)?)));
        (parts.len() == columns.len()).then(|| values.collect())?
    }
}

impl Column {
    fn parse(&self, text: &str) -> Option<Value> {
        Some(match self.kind {
            Kind::Id => Value::from(text.parse::<Uuid>().ok()?.to_string()),
            Kind::Number => text.parse::<i64>().ok()?.into(),
            Kind::Flag => text.parse::<bool>().ok()?.into(),
            Kind::Text | Kind::Time => text.into(),
        })
    }
}
