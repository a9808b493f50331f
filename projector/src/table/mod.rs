//! The rows of a table while a batch is folded: those that the batch concerns are loaded with one statement, changed in
//! memory, and what changed is written back with one statement. So a fold is a plain function from rows and an event to
//! rows, and how events are cut into batches cannot matter.

mod counters;
mod rows;

use read_store::View;
use serde::Serialize;
use sqlx::{AssertSqlSafe, SqliteConnection, types::Json};

pub use counters::Counters;
pub use rows::{Row, Rows};

/// A table's shape; its name is followed by the generation's number in the database.
#[derive(Debug)]
pub struct Table {
    /// Without generation.
    pub name: &'static str,
    /// The first ones are the key.
    pub columns: &'static [Column],
    /// How many columns the key has.
    pub key: usize,
    /// The user whose rows are found when the account is deleted.
    pub owner: Option<&'static str>,
    /// Columns of further indexes.
    pub indexes: &'static [&'static [&'static str]],
}

/// A column.
#[derive(Debug)]
pub struct Column {
    name: &'static str,
    kind: Kind,
    nullable: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Id,
    Text,
    Number,
    Flag,
    Time,
}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident $kind:ident),+) => { $(
        $(#[$doc])*
        #[must_use]
        pub const fn $name(name: &'static str) -> Column {
            Column { name, kind: Kind::$kind, nullable: false }
        }
    )+ };
}

columns! {
    /// A UUID.
    id Id,
    /// Text.
    text Text,
    /// A whole number.
    number Number,
    /// True or false.
    flag Flag,
    /// A time, in UTC.
    time Time
}

impl Column {
    /// The same column, where there may be nothing.
    #[must_use]
    pub const fn or_null(mut self) -> Self {
        self.nullable = true;
        self
    }

    fn definition(&self) -> String {
        let kind = match self.kind {
            Kind::Id => "blob",
            Kind::Text | Kind::Time => "text",
            Kind::Number | Kind::Flag => "integer",
        };
        format!("{} {kind}{}", self.name, if self.nullable { "" } else { " not null" })
    }

    /// The column's value, as JSON has it.
    fn to_json(&self) -> String {
        match self.kind {
            Kind::Id => format!("'{0}', lower(hex({0}))", self.name),
            Kind::Flag => format!("'{0}', json(iif({0}, 'true', 'false'))", self.name),
            Kind::Text | Kind::Number | Kind::Time => format!("'{0}', {0}", self.name),
        }
    }

    /// A value for the column, from a JSON object.
    fn of_json(&self) -> String {
        match self.kind {
            Kind::Id => format!("unhex(value->>'{}', '-')", self.name),
            Kind::Text | Kind::Number | Kind::Time | Kind::Flag => format!("value->>'{}'", self.name),
        }
    }
}

impl Table {
    /// The statements that make it, with its name in braces.
    #[must_use]
    pub fn definition(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(Column::definition).collect();
        let key = self.names(self.columns.get(..self.key).unwrap_or_default());
        let name = self.name;
        let mut sql = format!("create table {{{name}}} ({}, primary key ({key})) strict, without rowid;\n", columns.join(", "));
        for index in self.indexes {
            sql += &format!("create index {{{name}}}_by_{} on {{{name}}} ({});\n", index.join("_"), index.join(", "));
        }
        sql
    }

    fn names(&self, columns: &[Column]) -> String {
        columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    fn key_columns(&self) -> &'static [Column] {
        &self.columns[..self.key]
    }

    fn of_json(&self, columns: &[Column]) -> String {
        columns.iter().map(Column::of_json).collect::<Vec<_>>().join(", ")
    }
}

fn upsert(table: &Table, then: &str) -> String {
    format!(
        "insert into {{{}}} ({}) select {} from json_each($1) where true on conflict ({}) do {then}",
        table.name,
        table.names(table.columns),
        table.of_json(table.columns),
        table.names(table.key_columns())
    )
}

async fn fetch(
    db: &mut SqliteConnection,
    view: &View,
    generation: i64,
    sql: &str,
    keys: &std::collections::BTreeSet<impl Serialize + Sync>,
) -> Result<Vec<String>, sqlx::Error> {
    if keys.is_empty() {
        return Ok(vec![]);
    }
    let sql = AssertSqlSafe(read_store::generations::expand(sql, view, generation));
    sqlx::query_scalar(sql).bind(Json(keys)).fetch_all(db).await
}

async fn execute(
    db: &mut SqliteConnection,
    view: &View,
    generation: i64,
    sql: &str,
    rows: &[impl Serialize + Sync],
) -> Result<(), sqlx::Error> {
    let sql = AssertSqlSafe(read_store::generations::expand(sql, view, generation));
    sqlx::query(sql).bind(Json(rows)).execute(db).await.map(drop)
}
